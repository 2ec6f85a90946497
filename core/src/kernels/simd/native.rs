//! The vectors that the build's flags name, as `wide` has them.

use wide::{f32x8, f32x16};

use super::{Lanes, Simd};
use crate::kernels::accumulator::Full;

/// The vectors that the build's flags name; `wide` makes others of them where they have another width.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Native;

/// `f32x16`s in the widest block: 8 of 32 `zmm`, 8 of 16 `ymm` (two a vector), 8 of 16 `xmm` or `v` registers (four a
/// vector).
const ACCUMULATOR: usize = if cfg!(target_feature = "avx512f") {
    8
} else if cfg!(target_feature = "avx") {
    4
} else {
    2
};

impl Simd for Native {
    type F32x8 = f32x8;
    type F32x16 = f32x16;
    type Accumulator = Full<Self, ACCUMULATOR>;
    const TILE_ROWS: usize = if cfg!(target_feature = "avx512f") {
        8
    } else if cfg!(target_feature = "avx") {
        5
    } else if cfg!(target_arch = "aarch64") {
        4
    } else {
        2
    };
    const NAME: &'static str = if cfg!(target_feature = "avx512f") {
        "avx512f"
    } else if cfg!(target_feature = "avx2") {
        "avx2"
    } else if cfg!(target_feature = "avx") {
        "avx"
    } else if cfg!(target_feature = "sse2") {
        "sse2"
    } else if cfg!(all(target_arch = "aarch64", target_feature = "neon")) {
        "neon"
    } else if cfg!(target_feature = "simd128") {
        "simd128"
    } else {
        "none"
    };
}

macro_rules! lanes {
    ($vector:ident, $n:literal) => {
        impl Lanes<Native, $n> for $vector {
            #[inline(always)]
            fn splat(_: Native, value: f32) -> Self {
                Self::splat(value)
            }

            #[inline(always)]
            fn new(_: Native, values: &[f32; $n]) -> Self {
                Self::new(*values)
            }

            #[inline(always)]
            fn to_array(self) -> [f32; $n] {
                self.to_array()
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn zero_if_less(self, size: Self, least: Self) -> Self {
                size.simd_lt(least).select(Self::ZERO, self)
            }
        }
    };
}
lanes!(f32x8, 8);
lanes!(f32x16, 16);
