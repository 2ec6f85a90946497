//! AVX2 and AVX-512 by detection; `fearless_simd` asks the processor, and proves to the compiler that it did.

use fearless_simd::{Level, Select, SimdBase, SimdFloat, SimdFrom, f32x8, f32x16, x86};

use super::{Lanes, Simd};
use crate::kernels::accumulator::Full;

macro_rules! detected {
    ($($(#[$doc:meta])* $name:ident $as:ident $sums:literal $rows:literal $feature:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name(pub(crate) x86::$name);

        impl $name {
            /// Returns it if the processor has it. The processor is asked once; later calls read a variable.
            #[inline]
            pub(crate) fn detect() -> Option<Self> {
                #[cfg(test)]
                if !super::testing::looks_for($feature) {
                    return None;
                }
                // The setting by which `fearless_simd` leaves AVX-512 out of small programs.
                if cfg!(disable_dispatch_avx512) && $feature == "avx512f" {
                    return None;
                }
                Level::new().$as().map(Self)
            }
        }

        impl Simd for $name {
            type F32x8 = f32x8<x86::$name>;
            type F32x16 = f32x16<x86::$name>;
            type Accumulator = Full<Self, $sums>;
            const TILE_ROWS: usize = $rows;
            const NAME: &'static str = $feature;
        }

        lanes!($name, f32x8, 8);
        lanes!($name, f32x16, 16);
    )*};
}

macro_rules! lanes {
    ($simd:ident, $vector:ident, $n:literal) => {
        impl Lanes<$simd, $n> for $vector<x86::$simd> {
            #[inline(always)]
            fn splat(simd: $simd, value: f32) -> Self {
                SimdBase::splat(simd.0, value)
            }

            #[inline(always)]
            fn new(simd: $simd, values: &[f32; $n]) -> Self {
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

detected! {
    /// AVX2, and proof that the processor has it. There is FMA beside it, which the contract forbids. Sums fill 8 of
    /// 16 registers.
    Avx2 as_avx2 4 5 "avx2";
    /// AVX-512 as Ice Lake has it, and proof that the processor does. Sums fill 8 of 32 registers.
    Avx512 as_avx512 8 8 "avx512f";
}
