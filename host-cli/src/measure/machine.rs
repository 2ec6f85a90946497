//! What a build was compiled for, what it runs on, and what one core can do at most.

use core::hint::black_box;
use std::fs;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::timing::best_of;

/// Chains side by side: with both factors they fill 16 registers. Two of each operation a cycle, 3 cycles each for a
/// product and a sum, need 12 at least; with just 12, Zen 4 gave 50 instead of 59 GFLOP/s in SSE2.
const CHAINS: usize = 14;

/// Steps of every chain in one timed run: about a millisecond.
const STEPS: usize = 250_000;

/// Timed runs of which the shortest counts.
const ROUNDS: usize = 100;

/// The arithmetic that one core can do at most, in 10⁹ operations a second.
///
/// Independent chains of vectors, so that neither the latency of an operation nor a memory access counts. Measured with
/// the widest vectors that `fearless_simd` finds, whatever the build's flags: AVX-512 with its additions up to Ice Lake, else AVX2. On an older
/// processor with AVX-512, a native build's kernels may thus be measured against too low a peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// `f32`s in a vector.
    pub lanes: usize,
    /// Fused `acc·a + b`, one instruction, 2 operations a lane; nothing if the processor has no such instruction.
    pub fma: Option<f64>,
    /// `acc·a + b` with the product rounded, two instructions: what the numeric contract allows. As
    /// fast as `fma` where products and sums have units of their own, as in Zen 4.
    pub mul_add: f64,
}

impl Peak {
    /// Measures for a tenth or two of a second.
    #[must_use]
    pub fn measure() -> Self {
        let level = Level::new();
        dispatch!(level, simd => Self::with(simd, fuses(level)))
    }

    #[inline(always)]
    fn with<S: Simd>(simd: S, fuses: bool) -> Self {
        Self {
            lanes: S::f32s::LEN,
            fma: fuses.then(|| gflops(simd, |acc, a, b| acc.mul_add(a, b))),
            mul_add: gflops(simd, |acc, a, b| acc * a + b),
        }
    }
}

/// Whether `mul_add` is an instruction.
fn fuses(level: Level) -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return level.as_avx2().is_some();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    return cfg!(target_arch = "aarch64") && !level.is_fallback();
}

/// The best throughput of `op`, a product and a sum.
fn gflops<S: Simd>(simd: S, op: impl Fn(S::f32s, S::f32s, S::f32s) -> S::f32s + Copy) -> f64 {
    // The chains tend to b / (1 - a) = 1: neither infinite nor subnormal.
    let (a, b) = (black_box(0.75), black_box(0.25));
    let seconds = best_of(ROUNDS, || {
        simd.vectorize(
            #[inline(always)]
            || {
                let (a, b) = (S::f32s::splat(simd, a), S::f32s::splat(simd, b));
                let mut chains = [S::f32s::splat(simd, black_box(0.0)); CHAINS];
                for _ in 0..STEPS {
                    for chain in &mut chains {
                        *chain = op(*chain, a, b);
                    }
                }
                black_box(chains);
            },
        );
    });
    (2 * S::f32s::LEN * CHAINS * STEPS) as f64 / seconds * 1e-9
}

/// The target features that matter here and that the compiler was allowed to use.
#[must_use]
pub fn target_features() -> Vec<&'static str> {
    let known = [
        ("sse2", cfg!(target_feature = "sse2")),
        ("avx", cfg!(target_feature = "avx")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("fma", cfg!(target_feature = "fma")),
        ("avx512f", cfg!(target_feature = "avx512f")),
        ("avx512bw", cfg!(target_feature = "avx512bw")),
        ("neon", cfg!(target_feature = "neon")),
    ];
    known.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

/// Whether this machine has wider vectors than the kernels use.
#[must_use]
pub fn has_wider_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let widest = if has!("avx512f") {
            "avx512f"
        } else if has!("avx2") {
            "avx2"
        } else {
            return false;
        };
        picomlp::kernels::vectors() != widest
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The processor's name as the system gives it, or its architecture.
#[must_use]
pub fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name"));
    let name = name.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
