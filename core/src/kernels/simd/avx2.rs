//! AVX2 by detection; `fearless_simd` asks the processor, and proves to the compiler that it did.

use fearless_simd::{Level, Select, SimdBase, SimdFloat, SimdFrom, f32x8, f32x16, x86};

use super::{Lanes, Simd};
use crate::kernels::accumulator::Full;

/// AVX2, and proof that the processor has it. There is FMA beside it, which the contract forbids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(pub(crate) x86::Avx2);

impl Avx2 {
    /// If the processor has it. Asked once; after that a look at a variable.
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        #[cfg(test)]
        if !super::testing::looks() {
            return None;
        }
        Level::new().as_avx2().map(Self)
    }
}

impl Simd for Avx2 {
    type F32x8 = f32x8<x86::Avx2>;
    type F32x16 = f32x16<x86::Avx2>;
    type Accumulator = Full<Self, 4>; // 8 of 16 registers
    const TILE_ROWS: usize = 5;
    const NAME: &'static str = "avx2";
}

macro_rules! lanes {
    ($vector:ident, $n:literal) => {
        impl Lanes<Avx2, $n> for $vector<x86::Avx2> {
            #[inline(always)]
            fn splat(simd: Avx2, value: f32) -> Self {
                SimdBase::splat(simd.0, value)
            }

            #[inline(always)]
            fn new(simd: Avx2, values: &[f32; $n]) -> Self {
                SimdFrom::simd_from(simd.0, *values)
            }

            #[inline(always)]
            fn to_array(self) -> [f32; $n] {
                self.into()
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                SimdFloat::sqrt(self)
            }

            #[inline(always)]
            fn abs(self) -> Self {
                SimdBase::abs(self)
            }

            #[inline(always)]
            fn zero_if_less(self, size: Self, least: Self) -> Self {
                size.simd_lt(least).select(SimdBase::splat(self.simd, 0.0), self)
            }
        }
    };
}
lanes!(f32x8, 8);
lanes!(f32x16, 16);
