//! ReLU and its gradient, in place.

use wide::f32x16;

use super::Native;
use super::lanes::{map, map_with};
use super::scalar::{SCALAR, keep_rolled};

/// `y = max(y, 0)`; NaN stays NaN, so that a broken network cannot look sound.
#[inline]
pub fn relu(y: &mut [f32]) {
    if SCALAR {
        return relu_each(y);
    }
    map(Native, y, |y| y.simd_le(f32x16::ZERO).select(f32x16::ZERO, y));
}

/// What [`relu`] must give, one value at a time.
pub fn relu_scalar(y: &mut [f32]) {
    relu_each(y);
}

#[inline(never)] // one copy for all layers
fn relu_each(y: &mut [f32]) {
    for y in y {
        if *y <= 0.0 {
            *y = 0.0;
        }
    }
}

/// Turns the gradient at ReLU's output into that at its input: zero where the output `y` is zero.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn relu_gradient(y: &[f32], d_y: &mut [f32]) {
    assert!(y.len() == d_y.len(), "relu_gradient: slices differ in length");
    mask_gradient(y, d_y);
}

/// [`relu_gradient`], as far as the shorter slice goes.
#[inline]
pub(crate) fn mask_gradient(y: &[f32], d_y: &mut [f32]) {
    if SCALAR {
        return mask_each(y, d_y);
    }
    map_with(Native, d_y, y, |d_y, y| y.simd_eq(f32x16::ZERO).select(f32x16::ZERO, d_y));
}

/// What [`relu_gradient`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn relu_gradient_scalar(y: &[f32], d_y: &mut [f32]) {
    assert!(y.len() == d_y.len(), "relu_gradient_scalar: slices differ in length");
    mask_each(y, d_y);
}

#[inline(never)] // one copy for all layers
fn mask_each(y: &[f32], d_y: &mut [f32]) {
    for (d_y, y) in d_y.iter_mut().zip(y) {
        keep_rolled();
        if *y == 0.0 {
            *d_y = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::lengths;

    #[test]
    fn relu_and_its_gradient_equal_scalar_bit_for_bit_at_every_length() {
        let (mut values, mut gradient) = ([0.0; 67], [0.0; 67]);
        picomlp_fixtures::fill(&mut values, 1);
        picomlp_fixtures::fill(&mut gradient, 2);
        values[3] = -0.0;
        values[40] = f32::INFINITY;
        values[41] = f32::NEG_INFINITY;
        for n in lengths() {
            let (mut simd, mut scalar) = (values, values);
            relu(&mut simd[..n]);
            relu_scalar(&mut scalar[..n]);
            assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "length {n}");
            let (mut d_simd, mut d_scalar) = (gradient, gradient);
            relu_gradient(&simd[..n], &mut d_simd[..n]);
            relu_gradient_scalar(&simd[..n], &mut d_scalar[..n]);
            assert_eq!(d_simd.map(f32::to_bits), d_scalar.map(f32::to_bits), "length {n}");
        }
    }

    #[test]
    fn relu_makes_minus_zero_plus_zero_and_keeps_nan() {
        let mut y = [-0.0, f32::NAN, -1.0, 2.0];
        relu(&mut y);
        assert_eq!(y[0].to_bits(), 0);
        assert!(y[1].is_nan());
        assert_eq!(y[2..], [0.0, 2.0]);
    }
}
