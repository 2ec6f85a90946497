//! What a build was compiled for, what it runs on, and what one core can do at most.

use core::hint::black_box;
use std::fs;

use crate::timing::best_of;

/// The widest vector: the arithmetic is measured in registers. (Arrays that the compiler vectorises on its own gave from
/// 1 % to 99 % of this, by how the loop was written.)
#[cfg(target_feature = "avx512f")]
type Vector = wide::f32x16;
#[cfg(all(target_feature = "avx", not(target_feature = "avx512f")))]
type Vector = wide::f32x8;
#[cfg(not(target_feature = "avx"))]
type Vector = wide::f32x4;

const LANES: usize = size_of::<Vector>() / size_of::<f32>();

/// Chains side by side: with both factors they fill 16 registers. Two of each operation a cycle, 3 cycles each for a
/// product and a sum, need 12 at least; with just 12, Zen 4 gave 50 instead of 59 GFLOP/s in SSE2.
const CHAINS: usize = 14;

/// Whether `mul_add` is an instruction.
const HAS_FMA: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// Steps of every chain in one timed run: about a millisecond.
const STEPS: usize = 250_000;

/// Timed runs of which the shortest counts.
const ROUNDS: usize = 100;

/// The arithmetic that one core can do at most, in 10⁹ operations a second.
///
/// Independent chains of vectors, so that neither the latency of an operation nor a memory access counts. Measured with
/// the instructions that this build was allowed to use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// `f32`s in a vector.
    pub lanes: usize,
    /// Fused `acc·a + b`, one instruction, 2 operations a lane; nothing if the build has no such instruction.
    pub fma: Option<f64>,
    /// `acc·a + b` with the product rounded, two instructions: what the numeric contract allows. As
    /// fast as `fma` where products and sums have units of their own, as in Zen 4.
    pub mul_add: f64,
}

impl Peak {
    /// Measures for a tenth or two of a second.
    #[must_use]
    pub fn measure() -> Self {
        Self {
            lanes: LANES,
            fma: HAS_FMA.then(|| gflops(|acc, a, b| acc.mul_add(a, b))),
            mul_add: gflops(|acc, a, b| acc * a + b),
        }
    }
}

/// The best throughput of `op`, a product and a sum.
fn gflops(op: impl Fn(Vector, Vector, Vector) -> Vector + Copy) -> f64 {
    // The chains tend to b / (1 - a) = 1: neither infinite nor subnormal.
    let (a, b) = (black_box(0.75).into(), black_box(0.25).into());
    let seconds = best_of(ROUNDS, || {
        let mut chains = black_box([Vector::ZERO; CHAINS]);
        for _ in 0..STEPS {
            for chain in &mut chains {
                *chain = op(*chain, a, b);
            }
        }
        black_box(chains);
    });
    (2 * LANES * CHAINS * STEPS) as f64 / seconds * 1e-9
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

/// Whether this machine has wider vectors than the build was allowed to use.
#[must_use]
pub fn has_wider_vectors() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        use std::arch::is_x86_feature_detected as has;
        (has!("avx2") && !cfg!(target_feature = "avx2"))
            || (has!("avx512f") && !cfg!(target_feature = "avx512f"))
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
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
