//! `eˣ`, 16 at a time, in the bits of [`math::exp`].

use bytemuck::cast;
use wide::{f32x16, i32x16};

use super::Native;
use super::lanes::map;
use super::scalar::SCALAR;
use crate::math::{self, exp_constants as c};

/// Replaces each value by its exponential: [`math::exp`], 16 lanes at a time.
#[inline]
pub fn exp(values: &mut [f32]) {
    if SCALAR {
        return exp_scalar(values);
    }
    map(Native, values, exp16);
}

#[inline(always)]
pub(crate) fn exp16(x: f32x16) -> f32x16 {
    let splat = f32x16::splat;
    let shifted = x * splat(c::LOG2_E) + splat(c::ROUND);
    let n = shifted - splat(c::ROUND);
    let r = x - n * splat(c::LN_2_HIGH) - n * splat(c::LN_2_LOW);
    let mut p = splat(c::POLYNOMIAL[0]);
    for coefficient in c::POLYNOMIAL.iter().skip(1) {
        p = p * r + splat(*coefficient);
    }
    let p = p * (r * r) + r + splat(1.0);
    let n: i32x16 = cast::<f32x16, i32x16>(shifted) - i32x16::splat(c::ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32x16| cast::<i32x16, f32x16>((n + i32x16::splat(127)) << 23);
    let y = p * power(half) * power(n - half);
    let y = x.simd_lt(splat(c::LOWEST)).select(f32x16::ZERO, y);
    x.simd_gt(splat(c::HIGHEST)).select(splat(f32::INFINITY), y)
}

/// What [`exp`] must give, one value at a time.
pub fn exp_scalar(values: &mut [f32]) {
    for value in values {
        *value = exp_one(*value);
    }
}

#[cfg_attr(target_arch = "arm", inline(never))] // small rather than fast
#[cfg_attr(not(target_arch = "arm"), inline(always))]
fn exp_one(x: f32) -> f32 {
    math::exp(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn exp_equals_scalar_bit_for_bit_over_the_whole_range_and_at_special_values() {
        let special = [0.0, -0.0, 88.7, 88.8, -87.3, -87.4, 1e4, -2e4, f32::MIN, f32::MAX];
        let infinite = [f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE / 4.0];
        let sweep = (-9000..9000).map(|i| i as f32 / 100.0);
        for x in special.into_iter().chain(infinite).chain(sweep) {
            let (mut simd, mut scalar) = ([x; 19], [x; 19]);
            exp(&mut simd);
            exp_scalar(&mut scalar);
            assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "x = {x}");
        }
        let mut nan = [f32::NAN; 17];
        exp(&mut nan);
        assert!(nan.iter().all(|x| x.is_nan()));
    }
}
