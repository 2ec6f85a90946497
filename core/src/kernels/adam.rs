//! One step of Adam for a piece of the parameters.
//!
//! `m = β₁m + (1-β₁)g`, `v = β₂v + (1-β₂)g²`, `w = w - α·m / (√v·ρ + ε)` with `α = rate/(1-β₁ᵗ)` and
//! `ρ = 1/√(1-β₂ᵗ)`: Kingma and Ba, "Adam", arXiv:1412.6980, algorithm 1, arranged as PyTorch does it.
//!
//! Moments below 2⁻¹⁰⁰ become 0: on their way down they would turn subnormal, which slows every operation
//! on them, and beside any sensible ε they have no effect.

use super::Element;
use super::lanes::{padded, put};
use super::scalar::{SCALAR, rows};
use super::simd::{Lanes, Simd, with_best_vectors};
use crate::math;

/// Moments of smaller magnitude are set to zero: 2⁻¹⁰⁰.
pub(super) const SMALLEST_MOMENT: f32 = f32::from_bits((127 - 100) << 23);

/// What one step of Adam multiplies with; the same for all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)] // `arm/adam.rs` loads the fields in this order
pub struct AdamCoefficients {
    /// `β₁`, the share of the first moment that stays.
    pub beta1: f32,
    /// `1 - β₁`.
    pub beta1_rest: f32,
    /// `β₂`, the share of the second moment that stays.
    pub beta2: f32,
    /// `1 - β₂`.
    pub beta2_rest: f32,
    /// `rate / (1 - β₁ᵗ)`.
    pub step: f32,
    /// `1 / √(1 - β₂ᵗ)`.
    pub root_correction: f32,
    /// `ε`, added outside the root.
    pub epsilon: f32,
}

/// Updates `params` and both moments, `m` and `v`, by one step.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn adam(
    params: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    c: &AdamCoefficients,
) {
    check(params, gradient, m, v);
    update(params, gradient, m, v, c);
}

/// [`adam`], as far as the shortest slice goes.
pub(crate) fn update(
    params: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    c: &AdamCoefficients,
) {
    if SCALAR {
        return rows::adam(params, gradient, m, v, c);
    }
    with_best_vectors!(update_with(
        params: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients
    ));
}

#[inline(always)]
fn update_with<S: Simd>(
    simd: S,
    params: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    c: &AdamCoefficients,
) {
    let (w_chunks, w_tail) = params.as_chunks_mut::<16>();
    let (g_chunks, g_tail) = gradient.as_chunks::<16>();
    let (m_chunks, m_tail) = m.as_chunks_mut::<16>();
    let (v_chunks, v_tail) = v.as_chunks_mut::<16>();
    for (((w, g), m), v) in w_chunks.iter_mut().zip(g_chunks).zip(m_chunks).zip(v_chunks) {
        #[cfg(feature = "frames")]
        crate::frames::stop_at("adam");
        let now = [
            S::F32x16::new(simd, w),
            S::F32x16::new(simd, g),
            S::F32x16::new(simd, m),
            S::F32x16::new(simd, v),
        ];
        let [w_next, m_next, v_next] = step(simd, now, c);
        (*w, *m, *v) = (w_next.to_array(), m_next.to_array(), v_next.to_array());
    }
    if !w_tail.is_empty() {
        let tails = [
            padded(simd, w_tail),
            padded(simd, g_tail),
            padded(simd, m_tail),
            padded(simd, v_tail),
        ];
        let [w, m, v] = step(simd, tails, c);
        put(w_tail, w.to_array());
        put(m_tail, m.to_array());
        put(v_tail, v.to_array());
    }
}

#[inline(always)]
fn step<S: Simd>(simd: S, [w, g, m, v]: [S::F32x16; 4], c: &AdamCoefficients) -> [S::F32x16; 3] {
    let beta1 = S::F32x16::splat(simd, c.beta1);
    let beta1_rest = S::F32x16::splat(simd, c.beta1_rest);
    let beta2 = S::F32x16::splat(simd, c.beta2);
    let beta2_rest = S::F32x16::splat(simd, c.beta2_rest);
    let root_correction = S::F32x16::splat(simd, c.root_correction);
    let epsilon = S::F32x16::splat(simd, c.epsilon);
    let rate = S::F32x16::splat(simd, c.step);
    let smallest = S::F32x16::splat(simd, SMALLEST_MOMENT);
    let m = beta1 * m + beta1_rest * g;
    let v = beta2 * v + beta2_rest * g * g;
    let m = m.zero_if_less(m.abs(), smallest);
    let v = v.zero_if_less(v, smallest);
    [w - rate * (m / (v.sqrt() * root_correction + epsilon)), m, v]
}

/// What [`adam`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn adam_scalar(
    params: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    c: &AdamCoefficients,
) {
    check(params, gradient, m, v);
    adam_each(params, gradient, m, v, c);
}

/// [`adam_scalar`], as far as the shortest slice goes.
#[inline]
pub(super) fn adam_each(
    params: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    c: &AdamCoefficients,
) {
    for (((w, g), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
        adam_one(w, *g, m, v, c);
    }
}

/// One step of Adam for one parameter.
#[inline]
pub(super) fn adam_one(w: &mut f32, g: f32, m: &mut f32, v: &mut f32, c: &AdamCoefficients) {
    *m = c.beta1 * *m + c.beta1_rest * g;
    *v = c.beta2 * *v + c.beta2_rest * g * g;
    if m.abs() < SMALLEST_MOMENT {
        *m = 0.0;
    }
    if *v < SMALLEST_MOMENT {
        *v = 0.0;
    }
    *w -= c.step * (*m / (math::sqrt(*v) * c.root_correction + c.epsilon));
}

/// Values that are skipped or updated together: a row of a small layer where there are no vectors.
const LOOK: usize = if SCALAR { 32 } else { 512 };

/// [`update`] with a gradient of zeros. Parameters that never had another gradient are skipped: their moments are
/// zero and would stay so, and the parameter would not change.
#[inline(never)] // one copy for all layers
pub(crate) fn update_zeros(params: &mut [f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients) {
    for ((w, m), v) in params.chunks_mut(LOOK).zip(m.chunks_mut(LOOK)).zip(v.chunks_mut(LOOK)) {
        if all_zero(v) && all_zero(m) {
            continue;
        }
        if SCALAR {
            rows::adam_zeros(w, m, v, c);
        } else {
            static ZEROS: [f32; LOOK] = [0.0; LOOK];
            update(w, ZEROS.get(..w.len()).unwrap_or_default(), m, v, c);
        }
    }
}

/// Whether no bit but a sign is set.
#[inline]
fn all_zero(values: &[f32]) -> bool {
    let (groups, rest) = values.as_chunks::<8>();
    groups.iter().all(f32::all_zero) && rest.iter().all(|value| *value == 0.0)
}

#[inline]
fn check(params: &[f32], gradient: &[f32], m: &[f32], v: &[f32]) {
    let n = params.len();
    assert!(
        gradient.len() == n && m.len() == n && v.len() == n,
        "adam: params, gradient, m and v differ in length"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::lengths;

    const COEFFICIENTS: AdamCoefficients = AdamCoefficients {
        beta1: 0.9,
        beta1_rest: 0.1,
        beta2: 0.999,
        beta2_rest: 0.001,
        step: 0.01,
        root_correction: 31.6,
        epsilon: 1e-8,
    };

    #[test]
    fn adam_equals_scalar_bit_for_bit_at_every_length() {
        with_all_vectors(|| {
            let mut parts = [[0.0; 67]; 4];
            for (seed, part) in parts.iter_mut().enumerate() {
                picomlp_fixtures::fill(part, seed as u64);
            }
            let [params, mut gradient, m, v] = parts;
            let v = v.map(f32::abs);
            gradient[5] = 0.0;
            gradient[7] = 1e-30;
            for n in lengths() {
                let (mut w1, mut m1, mut v1) = (params, m, v);
                let (mut w2, mut m2, mut v2) = (params, m, v);
                let g = &gradient[..n];
                adam(&mut w1[..n], g, &mut m1[..n], &mut v1[..n], &COEFFICIENTS);
                adam_scalar(&mut w2[..n], g, &mut m2[..n], &mut v2[..n], &COEFFICIENTS);
                let bits = |values: [f32; 67]| values.map(f32::to_bits);
                assert_eq!(bits(w1), bits(w2), "params, length {n}");
                assert_eq!(bits(m1), bits(m2), "m, length {n}");
                assert_eq!(bits(v1), bits(v2), "v, length {n}");
            }
        });
    }

    #[test]
    fn moments_that_would_become_subnormal_become_zero() {
        with_all_vectors(|| {
            let (mut w, mut m, mut v) = ([1.0], [1.1 * SMALLEST_MOMENT], [SMALLEST_MOMENT]);
            adam(&mut w, &[0.0], &mut m, &mut v, &COEFFICIENTS);
            assert_eq!((w, m, v), ([1.0], [0.0], [0.0]));
            let (mut w, mut m, mut v) = ([1.0], [-1.2 * SMALLEST_MOMENT], [1.1 * SMALLEST_MOMENT]);
            adam(&mut w, &[0.0], &mut m, &mut v, &COEFFICIENTS);
            assert!(m[0] < 0.0 && v[0] > 0.0);
        });
    }
}
