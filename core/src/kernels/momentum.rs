//! One step of gradient descent with momentum for a piece of the parameters.
//!
//! `v = μ·v + g`, then `w = w - rate·v`; with Nesterov's look ahead `w = w - rate·(g + μ·v)`. Sutskever et al., "On
//! the importance of initialization and momentum in deep learning", ICML 2013, arranged as PyTorch does it: the
//! rate stands outside the velocity.

use super::adam::SMALLEST_MOMENT;
use super::lanes::map_two_with;
use super::simd::{Lanes, Simd, with_best_vectors};

/// What one step multiplies with; the same for all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumCoefficients {
    /// The learning rate.
    pub rate: f32,
    /// `μ`, the share of the velocity that stays.
    pub momentum: f32,
    /// Whether the gradient is added once more, ahead of the velocity.
    pub nesterov: bool,
}

/// Updates `params` and their `velocity` by one step. A velocity of magnitude below 2⁻¹⁰⁰ becomes 0.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn momentum(
    params: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
    c: &MomentumCoefficients,
) {
    check(params, gradient, velocity);
    update(params, gradient, velocity, c);
}

/// [`momentum`], as far as the shortest slice goes.
pub(crate) fn update(
    params: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
    c: &MomentumCoefficients,
) {
    with_best_vectors!(update_with(
        params: &mut [f32], gradient: &[f32], velocity: &mut [f32], c: &MomentumCoefficients
    ));
}

#[inline(always)]
fn update_with<S: Simd>(
    simd: S,
    params: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
    c: &MomentumCoefficients,
) {
    let rate = S::F32x16::splat(simd, c.rate);
    let share = S::F32x16::splat(simd, c.momentum);
    let smallest = S::F32x16::splat(simd, SMALLEST_MOMENT);
    map_two_with(
        simd,
        params,
        velocity,
        gradient,
        #[inline(always)]
        |w, v, g| {
            let v = share * v + g;
            let v = v.zero_if_less(v.abs(), smallest);
            [w - rate * if c.nesterov { g + share * v } else { v }, v]
        },
    );
}

/// What [`momentum`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn momentum_scalar(
    params: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
    c: &MomentumCoefficients,
) {
    check(params, gradient, velocity);
    for ((w, g), v) in params.iter_mut().zip(gradient).zip(velocity) {
        *v = c.momentum * *v + g;
        if v.abs() < SMALLEST_MOMENT {
            *v = 0.0;
        }
        *w -= c.rate * if c.nesterov { g + c.momentum * *v } else { *v };
    }
}

#[inline]
fn check(params: &[f32], gradient: &[f32], velocity: &[f32]) {
    let n = params.len();
    assert!(
        gradient.len() == n && velocity.len() == n,
        "momentum: params, gradient and velocity differ in length"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::assert_updates_agree;

    #[test]
    fn momentum_equals_scalar_bit_for_bit_at_every_length() {
        for nesterov in [false, true] {
            let c = MomentumCoefficients { rate: 0.1, momentum: 0.9, nesterov };
            assert_updates_agree(
                |w, g, v| momentum(w, g, v, &c),
                |w, g, v| momentum_scalar(w, g, v, &c),
            );
        }
    }

    #[test]
    fn velocity_that_would_become_subnormal_becomes_zero() {
        let c = MomentumCoefficients { rate: 0.1, momentum: 0.9, nesterov: false };
        let (mut w, mut v) = ([1.0, 1.0], [-1.1 * SMALLEST_MOMENT, -1.2 * SMALLEST_MOMENT]);
        momentum(&mut w, &[0.0, 0.0], &mut v, &c);
        assert!(v[0] == 0.0 && v[1] < 0.0, "{v:?}");
    }
}
