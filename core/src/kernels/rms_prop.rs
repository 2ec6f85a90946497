//! One step of RMSprop for a piece of the parameters.
//!
//! `v = α·v + (1-α)·g²`, `w = w - rate·(g / (√v + ε))`: Hinton, "Neural networks for machine learning", lecture 6e,
//! 2012, with ε outside the root as in PyTorch.

use super::adam::SMALLEST_MOMENT;
use super::lanes::map_two_with;
use super::simd::{Lanes, Simd, with_best_vectors};
use crate::math;

/// What one step multiplies with; the same for all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropCoefficients {
    /// The learning rate.
    pub rate: f32,
    /// `α`, the share of the mean square that stays.
    pub alpha: f32,
    /// `1 - α`.
    pub alpha_rest: f32,
    /// `ε`, added outside the root.
    pub epsilon: f32,
}

/// Updates `params` and the mean `square` of their gradients by one step. A mean square below 2⁻¹⁰⁰ becomes 0.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn rms_prop(params: &mut [f32], gradient: &[f32], square: &mut [f32], c: &RmsPropCoefficients) {
    check(params, gradient, square);
    update(params, gradient, square, c);
}

/// [`rms_prop`], as far as the shortest slice goes.
pub(crate) fn update(
    params: &mut [f32],
    gradient: &[f32],
    square: &mut [f32],
    c: &RmsPropCoefficients,
) {
    with_best_vectors!(update_with(
        params: &mut [f32], gradient: &[f32], square: &mut [f32], c: &RmsPropCoefficients
    ));
}

#[inline(always)]
fn update_with<S: Simd>(
    simd: S,
    params: &mut [f32],
    gradient: &[f32],
    square: &mut [f32],
    c: &RmsPropCoefficients,
) {
    let rate = S::F32x16::splat(simd, c.rate);
    let alpha = S::F32x16::splat(simd, c.alpha);
    let alpha_rest = S::F32x16::splat(simd, c.alpha_rest);
    let epsilon = S::F32x16::splat(simd, c.epsilon);
    let smallest = S::F32x16::splat(simd, SMALLEST_MOMENT);
    map_two_with(
        simd,
        params,
        square,
        gradient,
        #[inline(always)]
        |w, v, g| {
            let v = alpha * v + alpha_rest * g * g;
            let v = v.zero_if_less(v, smallest);
            [w - rate * (g / (v.sqrt() + epsilon)), v]
        },
    );
}

/// What [`rms_prop`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn rms_prop_scalar(
    params: &mut [f32],
    gradient: &[f32],
    square: &mut [f32],
    c: &RmsPropCoefficients,
) {
    check(params, gradient, square);
    for ((w, g), v) in params.iter_mut().zip(gradient).zip(square) {
        *v = c.alpha * *v + c.alpha_rest * g * g;
        if *v < SMALLEST_MOMENT {
            *v = 0.0;
        }
        *w -= c.rate * (g / (math::sqrt(*v) + c.epsilon));
    }
}

#[inline]
fn check(params: &[f32], gradient: &[f32], square: &[f32]) {
    let n = params.len();
    assert!(
        gradient.len() == n && square.len() == n,
        "rms_prop: params, gradient and square differ in length"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::assert_updates_agree;

    const COEFFICIENTS: RmsPropCoefficients =
        RmsPropCoefficients { rate: 0.01, alpha: 0.99, alpha_rest: 0.01, epsilon: 1e-8 };

    #[test]
    fn rms_prop_equals_scalar_bit_for_bit_at_every_length() {
        assert_updates_agree(
            |w, g, v| {
                v.iter_mut().for_each(|v| *v = v.abs());
                rms_prop(w, g, v, &COEFFICIENTS);
            },
            |w, g, v| {
                v.iter_mut().for_each(|v| *v = v.abs());
                rms_prop_scalar(w, g, v, &COEFFICIENTS);
            },
        );
    }

    #[test]
    fn mean_square_that_would_become_subnormal_becomes_zero() {
        let (mut w, mut v) = ([1.0, 1.0], [SMALLEST_MOMENT, 1.1 * SMALLEST_MOMENT]);
        rms_prop(&mut w, &[0.0, 0.0], &mut v, &COEFFICIENTS);
        assert!(v[0] == 0.0 && v[1] > 0.0, "{v:?}");
        assert_eq!(w, [1.0, 1.0]);
    }
}
