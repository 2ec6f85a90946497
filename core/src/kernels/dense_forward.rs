//! `y = b + x·W`, the forward pass of a dense layer.

use super::lean::LEAN;
use super::product::{Bits, Ones, Product, Terms};
use super::simd::{Simd, with_best_vectors};
use super::threads::{over_samples, parts};
use super::{Batch, Element, TILE, Threads};

/// Computes `y[s] = b + Σᵢ x[s][i]·W[i]` for each sample `s`, skipping zero inputs.
///
/// With inputs read as `x·scale + shift`, that is `(b + shift·Σᵢ W[i]) + Σᵢ (x[s][i]·scale)·W[i]`, the bracket once
/// for the batch.
///
/// # Shapes
///
/// `x: [batch][IN]`, `weights: [IN][OUT]`, `bias: [OUT]`, or empty for none, `y: [batch][OUT]`, overwritten.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_forward<T: Element>(
    threads: &impl Threads,
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let outputs = check(x, weights, bias, y);
    forward(threads, x, weights, bias, outputs, y);
}

/// [`dense_forward`] of slices that have been checked, for a layer of so many outputs.
#[inline]
pub(crate) fn forward<T: Element>(
    threads: &impl Threads,
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    outputs: usize,
    y: &mut [f32],
) {
    if outputs == 0 {
        return;
    }
    if LEAN {
        return T::forward(x, weights, bias, outputs, y);
    }
    begin(x.map().shift, weights, bias, outputs, y);
    let parts = parts(threads, x.len() * weights.len());
    over_samples(threads, parts, x, outputs, y, &|x, y| T::forward(x, weights, bias, outputs, y));
}

/// What the sums begin with: the bias, and what the inputs' shift adds to every sample.
fn begin(shift: f32, weights: &[f32], bias: &[f32], outputs: usize, y: &mut [f32]) {
    let (first, rest) = y.split_at_mut(outputs.min(y.len()));
    first.fill(0.0);
    if shift != 0.0 {
        add_rows(weights, outputs, first);
        first.iter_mut().for_each(|sum| *sum *= shift);
        if bias.is_empty() {
            first.iter_mut().for_each(|sum| *sum += 0.0);
        }
        first.iter_mut().zip(bias).for_each(|(sum, b)| *sum += b + 0.0);
    } else {
        first.iter_mut().zip(bias).for_each(|(sum, b)| *sum = b + 0.0);
    }
    rest.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(first));
}

/// Adds all rows of a matrix to `sums`.
pub(super) fn add_rows(matrix: &[f32], width: usize, sums: &mut [f32]) {
    with_best_vectors!(add_rows_with(matrix: &[f32], width: usize, sums: &mut [f32]));
}

#[inline(always)]
fn add_rows_with<S: Simd>(simd: S, matrix: &[f32], width: usize, sums: &mut [f32]) {
    let rows = matrix.len() / width.max(1);
    Product { matrix, stride: width, width, adds: true, rate: None }.sum(
        simd,
        #[inline(always)]
        |_| Ones(rows),
        sums,
    );
}

/// Adds all products to sums that have begun.
#[inline(always)]
pub(super) fn products<S: Simd, T: Element>(
    simd: S,
    x: Batch<'_, T>,
    weights: &[f32],
    outputs: usize,
    y: &mut [f32],
) {
    let product =
        Product { matrix: weights, stride: outputs, width: outputs, adds: true, rate: None };
    let scale = x.map().scale;
    // Samples without zeros go four at a time, so that one load of a weight serves four sums.
    let whole = |tile: &[T]| T::nonzero_mask(tile).count_ones() as usize == tile.len();
    let mut fours = 0;
    while 4 * fours + 4 <= x.len()
        && four(x, fours).iter().all(|sample| sample.chunks(TILE).all(whole))
    {
        fours += 1;
    }
    let (x_fours, x) = x.split_at(4 * fours);
    let (y_fours, y) = y.split_at_mut(y.len().min(4 * fours * outputs));
    product.sum(
        simd,
        #[inline(always)]
        |group| Four { x: four(x_fours, group), scale },
        y_fours,
    );
    product.sum(
        simd,
        #[inline(always)]
        |s| Sample { x: x.sample(s), scale },
        y,
    );
}

/// One sample: its nonzero inputs are the bits of masks.
struct Sample<'a, T> {
    x: &'a [T],
    scale: f32,
}

impl<T: Element> Terms<1> for Sample<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 1]) -> Option<()>) -> Option<()> {
        for (x, first) in self.x.chunks(TILE).zip((0..).step_by(TILE)) {
            let mask = T::nonzero_mask(x);
            // Without zeros there are no bits to look for.
            if mask == u64::MAX {
                for (i, x) in x.iter().enumerate() {
                    add(first + i, [x.to_f32() * self.scale])?;
                }
            } else {
                for i in Bits(mask) {
                    add(first + i, [x.get(i)?.to_f32() * self.scale])?;
                }
            }
        }
        Some(())
    }
}

/// Four neighbouring samples.
#[inline]
fn four<T: Element>(x: Batch<'_, T>, group: usize) -> [&[T]; 4] {
    [0, 1, 2, 3].map(|s| x.sample(4 * group + s))
}

/// Four samples side by side, all of whose products count.
struct Four<'a, T> {
    x: [&'a [T]; 4],
    scale: f32,
}

impl<T: Element> Terms<4> for Four<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 4]) -> Option<()>) -> Option<()> {
        let [a, b, c, d] = self.x;
        for (i, (((a, b), c), d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
            let mut x = [a.to_f32(), b.to_f32(), c.to_f32(), d.to_f32()];
            x.iter_mut().for_each(|x| *x *= self.scale);
            add(i, x)?;
        }
        Some(())
    }
}

/// What [`dense_forward`] must give, one product at a time, zeros not skipped.
///
/// # Panics
///
/// As [`dense_forward`].
pub fn dense_forward_scalar<T: Element>(
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let outputs = check(x, weights, bias, y);
    let map = x.map();
    for o in 0..outputs {
        let mut begin = bias.get(o).unwrap_or(&0.0) + 0.0;
        if map.shift != 0.0 {
            let mut sum = 0.0;
            for i in 0..x.width() {
                sum += weights[i * outputs + o];
            }
            begin += sum * map.shift;
        }
        for (s, x) in x.iter().enumerate() {
            let mut sum = begin;
            for (i, x) in x.iter().enumerate() {
                sum += x.to_f32() * map.scale * weights[i * outputs + o];
            }
            y[s * outputs + o] = sum;
        }
    }
}

#[inline]
fn check<T: Element>(x: Batch<'_, T>, weights: &[f32], bias: &[f32], y: &[f32]) -> usize {
    let outputs = if bias.is_empty() { weights.len() / x.width() } else { bias.len() };
    assert!(weights.len() == x.width() * outputs, "dense_forward: weights are not [IN][OUT]");
    assert!(y.len() == x.len() * outputs, "dense_forward: y is not [batch][OUT]");
    outputs
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, MAPS, assert_same_bits, cases};
    use crate::kernels::{Serial, lean};

    fn compare<T: Element>(data: &[T], case: &Case) {
        let Case { batch, inputs, outputs } = *case;
        let (weights, bias) = (case.values(inputs * outputs, 1), case.values(outputs, 2));
        for map in [T::MAP].into_iter().chain(MAPS) {
            let x = Batch::rows(data, inputs).unwrap().with_map(map);
            let (mut y, mut expected) = (vec![9.0; batch * outputs], vec![9.0; batch * outputs]);
            dense_forward_scalar(x, &weights, &bias, &mut expected);
            dense_forward(&Serial, x, &weights, &bias, &mut y);
            assert_same_bits(&y, &expected, case);
            dense_forward(&Halves(3), x, &weights, &bias, &mut y);
            assert_same_bits(&y, &expected, case);
            lean::forward(x, &weights, &bias, outputs, &mut y);
            assert_same_bits(&y, &expected, case);
        }
    }

    #[test]
    fn dense_forward_equals_scalar_bit_for_bit_at_every_size() {
        with_all_vectors(|| {
            for case in cases() {
                compare(&case.pixels(), &case);
                compare(&case.full_pixels(), &case);
                compare(&case.inputs(), &case);
            }
        });
    }

    #[test]
    fn picked_samples_give_what_they_give_alone() {
        let case = Case { batch: 5, inputs: 70, outputs: 10 };
        let (pixels, weights, bias) = (case.pixels(), case.values(700, 1), case.values(10, 2));
        let (mut all, mut picked) = (vec![0.0; 50], vec![0.0; 20]);
        dense_forward(&Serial, Batch::rows(&pixels, 70).unwrap(), &weights, &bias, &mut all);
        let order = [3, 1];
        dense_forward(
            &Serial,
            Batch::gather(&pixels, 70, &order).unwrap(),
            &weights,
            &bias,
            &mut picked,
        );
        assert_eq!(picked[..10], all[30..40]);
        assert_eq!(picked[10..], all[10..20]);
    }

    #[test]
    fn no_bias_gives_the_bits_of_a_bias_of_zeros() {
        with_all_vectors(|| {
            for case in cases() {
                let Case { batch, inputs, outputs } = case;
                let (pixels, weights) = (case.pixels(), case.values(inputs * outputs, 1));
                for map in [u8::MAP].into_iter().chain(MAPS) {
                    let x = Batch::rows(&pixels, inputs).unwrap().with_map(map);
                    let (mut y, mut expected) =
                        (vec![9.0; batch * outputs], vec![9.0; batch * outputs]);
                    dense_forward(&Serial, x, &weights, &vec![0.0; outputs], &mut expected);
                    dense_forward(&Serial, x, &weights, &[], &mut y);
                    assert_same_bits(&y, &expected, &case);
                    dense_forward_scalar(x, &weights, &[], &mut y);
                    assert_same_bits(&y, &expected, &case);
                    y.fill(9.0);
                    lean::forward(x, &weights, &[], outputs, &mut y);
                    assert_same_bits(&y, &expected, &case);
                }
            }
        });
    }

    #[test]
    fn a_negative_zero_bias_gives_a_positive_zero_sum() {
        with_all_vectors(|| {
            let mut y = [1.0];
            dense_forward(&Serial, Batch::rows(&[0u8; 3], 3).unwrap(), &[1.0; 3], &[-0.0], &mut y);
            assert_eq!(y[0].to_bits(), 0);
        });
    }

    /// `|ŷ - y| ≤ γₙ·Σ|terms|` with `γₙ = nu/(1 - nu)` and `u = 2⁻²⁴`: one rounding for each product and each sum
    /// makes n = 784 + 1 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1).
    #[test]
    fn dense_forward_stays_within_the_rounding_bound() {
        let case = Case { batch: 3, inputs: 784, outputs: 10 };
        let (x, weights, bias) = (case.inputs(), case.values(7840, 1), case.values(10, 2));
        let mut y = vec![0.0; 30];
        dense_forward(&Serial, Batch::rows(&x, 784).unwrap(), &weights, &bias, &mut y);
        let nu = 785.0 * 2f64.powi(-24);
        for (s, x) in x.chunks(784).enumerate() {
            for o in 0..10 {
                let terms = || {
                    x.iter()
                        .enumerate()
                        .map(|(i, x)| f64::from(*x) * f64::from(weights[i * 10 + o]))
                };
                let exact = f64::from(bias[o]) + terms().sum::<f64>();
                let magnitude = f64::from(bias[o]).abs() + terms().map(f64::abs).sum::<f64>();
                let bound = nu / (1.0 - nu) * magnitude;
                let error = (f64::from(y[s * 10 + o]) - exact).abs();
                assert!(error <= bound && bound < 1e-2, "error {error:e}, bound {bound:e}");
            }
        }
    }
}
