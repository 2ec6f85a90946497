//! Which vectors a kernel is compiled for.
//!
//! `wide` knows the vectors that the build's flags name: SSE2 on x86-64 without any, with half the speed of AVX2. So
//! the kernels that take the time are generic over [`Simd`], and compiled three times on x86-64: for the build's own
//! vectors ([`Native`]), for AVX2 and for AVX-512, which [`with_best_vectors`] detects when it runs (feature `std`:
//! the core alone cannot ask). Lanes hold sums of their own, so the bits are the same.
//!
//! What lies between [`with_best_vectors`] and the lanes must be inlined, or it would be compiled without the instructions;
//! hence so many `inline(always)`, on closures too, and loops instead of `array::map`. `cargo xtask ci --only inlined` finds what
//! was forgotten.

#[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
mod detected;
mod native;

use core::ops::{Add, Div, Mul, Sub};

#[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
pub(crate) use detected::{Avx2, Avx512};
pub(crate) use native::Native;

use super::accumulator::Accumulator;

/// The vectors of one instruction set, and proof that the processor has it: [`Native`], or others that were detected at
/// run time.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Eight `f32`s.
    type F32x8: Lanes<Self, 8>;
    /// Sixteen `f32`s.
    type F32x16: Lanes<Self, 16>;
    /// The widest accumulator that fits the registers beside the operands, for one row of sums.
    type Accumulator: Accumulator<Self>;
    /// Rows of a tile of 16 columns, such that sums and operands fit the registers.
    const TILE_ROWS: usize;
    /// The instruction set, as Rust's `target_feature` names it.
    const NAME: &'static str;
}

/// `N` values that are worked on as one.
pub(crate) trait Lanes<S, const N: usize>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The same value in each lane.
    fn splat(simd: S, value: f32) -> Self;

    /// These values.
    fn new(simd: S, values: &[f32; N]) -> Self;

    /// The values of the lanes.
    fn to_array(self) -> [f32; N];

    /// The root of each lane, correctly rounded.
    fn sqrt(self) -> Self;

    /// The magnitude of each lane.
    fn abs(self) -> Self;

    /// `+0.0` in those lanes in which `size` is less than `least`.
    fn zero_if_less(self, size: Self, least: Self) -> Self;
}

/// Calls a function of a [`Simd`] and these arguments with the best vectors that this processor has. It must be the last expression
/// of a function, of the same type.
macro_rules! with_best_vectors {
    ($function:ident($($argument:ident: $type:ty),*) $(-> $output:ty)?) => {{
        #[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
        {
            $crate::kernels::simd::with_detected!(Avx512, $function($($argument: $type),*) $(-> $output)?);
            $crate::kernels::simd::with_detected!(Avx2, $function($($argument: $type),*) $(-> $output)?);
        }
        $function($crate::kernels::simd::Native $(, $argument)*)
    }};
}
pub(crate) use with_best_vectors;

/// Returns what the function gives with these vectors, if the processor has them.
#[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
macro_rules! with_detected {
    ($vectors:ident, $function:ident($($argument:ident: $type:ty),*) $(-> $output:ty)?) => {
        if let Some(detected) = $crate::kernels::simd::$vectors::detect() {
            fearless_simd::kernel!(
                #[inline]
                fn entry(token: $vectors $(, $argument: $type)*) $(-> $output)? {
                    $function($crate::kernels::simd::$vectors(token) $(, $argument)*)
                }
            );
            return entry(detected.0 $(, $argument)*);
        }
    };
}
#[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
pub(crate) use with_detected;

/// The instruction set whose vectors the kernels use on this machine, as Rust's `target_feature` names it; `none` where
/// there are no vectors.
#[must_use]
pub fn vectors() -> &'static str {
    with_best_vectors!(name() -> &'static str)
}

#[inline(always)]
fn name<S: Simd>(_: S) -> &'static str {
    S::NAME
}

#[cfg(test)]
pub(crate) mod testing {
    //! Which vectors a test runs with.

    use core::cell::Cell;

    use super::vectors;

    std::thread_local! {
        /// The vectors that are looked for.
        static LOOKS: Cell<&[&str]> = const { Cell::new(&["avx2", "avx512f"]) };
    }

    #[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "avx2")))]
    pub(super) fn looks_for(name: &str) -> bool {
        LOOKS.get().contains(&name)
    }

    /// Runs `test` with the build's own vectors, and with all that are found beside them.
    pub(crate) fn with_all_vectors(test: impl Fn()) {
        let mut before = "";
        for names in [&[][..], &["avx2"], &["avx2", "avx512f"]] {
            LOOKS.set(names);
            if vectors() != before {
                before = vectors();
                test();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best vectors that a build for SSE2 detects, unless a virtual machine hides what comes with them in every
    /// processor.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    fn detected() -> &'static str {
        use std::is_x86_feature_detected as has;
        if has!("avx512vbmi2") && has!("avx512vpopcntdq") && has!("avx512bitalg") && has!("vaes") {
            "avx512f"
        } else if has!("avx2")
            && has!("fma")
            && has!("bmi1")
            && has!("bmi2")
            && has!("f16c")
            && has!("lzcnt")
            && has!("movbe")
        {
            "avx2"
        } else {
            Native::NAME
        }
    }

    #[test]
    fn vectors_are_those_of_the_processor_where_it_may_be_asked() {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        let best = if cfg!(target_feature = "avx2") { Native::NAME } else { detected() };
        #[cfg(not(all(feature = "std", target_arch = "x86_64")))]
        let best = Native::NAME;
        assert_eq!(vectors(), best);
        testing::with_all_vectors(|| std::println!("the kernels are tested with {}", vectors()));
    }
}
