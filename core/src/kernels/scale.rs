//! Multiples of whole slices, and the sum of squares: what weight decay, clipping and adaptive rates are made of.

use super::lanes::{map, map_with, padded};
use super::simd::{Lanes, Simd, with_best_vectors};

/// Multiplies all values by `factor`.
#[inline]
pub fn scale(values: &mut [f32], factor: f32) {
    with_best_vectors!(scale_by(values: &mut [f32], factor: f32));
}

/// [`scale`] with these vectors.
#[inline(always)]
pub(crate) fn scale_by<S: Simd>(simd: S, values: &mut [f32], factor: f32) {
    let factor = S::F32x16::splat(simd, factor);
    map(
        simd,
        values,
        #[inline(always)]
        |x| x * factor,
    );
}

/// What [`scale`] must give, one value at a time.
pub fn scale_scalar(values: &mut [f32], factor: f32) {
    for x in values {
        *x *= factor;
    }
}

/// `value + factor·a` for all values.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn add_scaled(values: &mut [f32], a: &[f32], factor: f32) {
    assert!(values.len() == a.len(), "add_scaled: slices differ in length");
    with_best_vectors!(add_scaled_by(values: &mut [f32], a: &[f32], factor: f32));
}

/// [`add_scaled`] with these vectors, as far as the shorter slice goes.
#[inline(always)]
pub(crate) fn add_scaled_by<S: Simd>(simd: S, values: &mut [f32], a: &[f32], factor: f32) {
    let factor = S::F32x16::splat(simd, factor);
    map_with(
        simd,
        values,
        a,
        #[inline(always)]
        |x, a| x + factor * a,
    );
}

/// What [`add_scaled`] must give, one value at a time.
///
/// # Panics
///
/// If the slices differ in length.
pub fn add_scaled_scalar(values: &mut [f32], a: &[f32], factor: f32) {
    assert!(values.len() == a.len(), "add_scaled_scalar: slices differ in length");
    for (x, a) in values.iter_mut().zip(a) {
        *x += factor * a;
    }
}

/// Values whose squares are summed before they go to the total.
const BLOCK: usize = 4096;

/// `Σ x²`, in an order of its own that is the same everywhere.
///
/// In each block of 4096 values, 16 sums take every 16th value, from `+0.0` in ascending order; the 16 are added to
/// the block's sum in ascending order, the blocks' sums to the total likewise. A sum in plain order would wait for
/// each addition; with `n` values its error would grow with `n`, and this one's with `256 + 16 + n/4096`.
#[must_use]
pub fn sum_of_squares(values: &[f32]) -> f32 {
    with_best_vectors!(sum_of_squares_by(values: &[f32]) -> f32)
}

#[inline(always)]
fn sum_of_squares_by<S: Simd>(simd: S, values: &[f32]) -> f32 {
    let mut total = 0.0;
    for block in values.chunks(BLOCK) {
        let mut sums = S::F32x16::splat(simd, 0.0);
        let (chunks, tail) = block.as_chunks::<16>();
        for chunk in chunks {
            let x = S::F32x16::new(simd, chunk);
            sums = sums + x * x;
        }
        // What pads the tail adds +0.0 to sums that are not -0.0.
        let x = padded(simd, tail);
        sums = sums + x * x;
        total += in_order(sums.to_array());
    }
    total
}

/// What [`sum_of_squares`] must give, one value at a time.
#[must_use]
pub fn sum_of_squares_scalar(values: &[f32]) -> f32 {
    let mut total = 0.0;
    for block in values.chunks(BLOCK) {
        let mut sums = [0.0; 16];
        for (x, i) in block.iter().zip((0..16).cycle()) {
            if let Some(sum) = sums.get_mut(i) {
                *sum += x * x;
            }
        }
        total += in_order(sums);
    }
    total
}

#[inline]
fn in_order(sums: [f32; 16]) -> f32 {
    sums.iter().fold(0.0, |total, sum| total + sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::lengths;

    #[test]
    fn scale_and_add_scaled_equal_scalar_bit_for_bit_at_every_length() {
        with_all_vectors(|| {
            let (mut values, mut a) = ([0.0; 67], [0.0; 67]);
            picomlp_fixtures::fill(&mut values, 1);
            picomlp_fixtures::fill(&mut a, 2);
            for n in lengths() {
                let (mut simd, mut scalar) = (values, values);
                scale(&mut simd[..n], 0.3);
                scale_scalar(&mut scalar[..n], 0.3);
                add_scaled(&mut simd[..n], &a[..n], 0.7);
                add_scaled_scalar(&mut scalar[..n], &a[..n], 0.7);
                assert_eq!(simd.map(f32::to_bits), scalar.map(f32::to_bits), "length {n}");
            }
        });
    }

    #[test]
    fn sum_of_squares_equals_scalar_bit_for_bit_at_every_length() {
        with_all_vectors(|| {
            let mut values = [0.0; 2 * BLOCK + 67];
            picomlp_fixtures::fill(&mut values, 1);
            for n in lengths().chain([784, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 33, 2 * BLOCK + 67])
            {
                let (simd, scalar) =
                    (sum_of_squares(&values[..n]), sum_of_squares_scalar(&values[..n]));
                assert_eq!(simd.to_bits(), scalar.to_bits(), "length {n}");
            }
        });
    }

    /// Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2: a term takes part in one product
    /// and in no more additions than the longest way to the total has.
    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn sum_of_squares_stays_within_the_rounding_bound() {
        let mut values = [0.0; 2 * BLOCK + 67];
        picomlp_fixtures::fill(&mut values, 3);
        let exact: f64 = values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let nu = (1 + 257 + 16 + 3) as f64 * f64::from(f32::EPSILON / 2.0);
        let error = (f64::from(sum_of_squares(&values)) - exact).abs();
        assert!(error <= nu / (1.0 - nu) * exact, "off by {error:e} of {exact:e}");
        assert_eq!(sum_of_squares(&[]).to_bits(), 0);
    }
}
