//! Plain gradient descent: `w = w - rate·g`.

use super::Nonzeros;
use super::lanes::map_with;
use super::scalar::{SCALAR, rows};
use super::simd::{Lanes, Simd, with_best_vectors};

/// Moves `params` against `gradient` by `rate`.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn sgd(params: &mut [f32], gradient: &[f32], rate: f32) {
    assert!(params.len() == gradient.len(), "sgd: slices differ in length");
    update(params, gradient, rate);
}

/// [`sgd`], as far as the shorter slice goes.
pub(crate) fn update(params: &mut [f32], gradient: &[f32], rate: f32) {
    if SCALAR {
        return update_each(params, gradient, rate);
    }
    with_best_vectors!(update_with(params: &mut [f32], gradient: &[f32], rate: f32));
}

#[inline(always)]
fn update_with<S: Simd>(simd: S, params: &mut [f32], gradient: &[f32], rate: f32) {
    let rate = S::F32x16::splat(simd, rate);
    map_with(
        simd,
        params,
        gradient,
        #[inline(always)]
        |w, g| w - rate * g,
    );
}

/// `row -= rate·(x·d_y)` for the rows of `params` on the list, each as long as `d_y`.
#[inline]
pub(crate) fn update_rows(params: &mut [f32], list: &mut Nonzeros, d_y: &[f32], rate: f32) {
    rows::sgd_rows(list, d_y, rate, params);
}

/// What [`sgd`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn sgd_scalar(params: &mut [f32], gradient: &[f32], rate: f32) {
    assert!(params.len() == gradient.len(), "sgd_scalar: slices differ in length");
    update_each(params, gradient, rate);
}

#[inline(never)] // one copy for all layers
fn update_each(params: &mut [f32], gradient: &[f32], rate: f32) {
    for (w, g) in params.iter_mut().zip(gradient) {
        *w -= rate * g;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::lengths;

    #[test]
    fn listed_rows_move_against_the_product_of_their_value_and_the_gradient() {
        let (mut params, mut d_y) = ([0.0; 40], [0.0; 5]);
        picomlp_fixtures::fill(&mut params, 1);
        picomlp_fixtures::fill(&mut d_y, 2);
        let mut list = Nonzeros::new(8);
        let mut expected = params;
        for (row, x) in [(1u32, 0.3), (6, -2.0)] {
            list.push(row, x);
            let row = &mut expected[5 * row as usize..][..5];
            sgd_scalar(row, &d_y.map(|d| 0.0 + x * d), 0.1);
        }
        list.push(8, 1.0); // no such row
        update_rows(&mut params, &mut list, &d_y, 0.1);
        assert_eq!(params.map(f32::to_bits), expected.map(f32::to_bits));
    }

    #[test]
    fn sgd_equals_scalar_bit_for_bit_at_every_length() {
        with_all_vectors(|| {
            let (mut params, mut gradient) = ([0.0; 67], [0.0; 67]);
            picomlp_fixtures::fill(&mut params, 1);
            picomlp_fixtures::fill(&mut gradient, 2);
            for n in lengths() {
                let (mut simd, mut scalar) = (params, params);
                sgd(&mut simd[..n], &gradient[..n], 0.1);
                sgd_scalar(&mut scalar[..n], &gradient[..n], 0.1);
                assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "length {n}");
            }
        });
    }
}
