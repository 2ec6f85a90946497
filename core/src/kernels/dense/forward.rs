//! `y = b + x·W`, the forward pass of a dense layer.

use core::ops::Range;

use super::add_rows;
use crate::kernels::gemm::{DENSE_SAMPLES, FEW_ROWS, Factors, Gemm, Matrix, Packed, Rows};
use crate::kernels::matmul::{Bits, Finish, Product, Terms};
use crate::kernels::scalar::{self, SCALAR};
use crate::kernels::simd::Simd;
use crate::kernels::threads::Split;
use crate::kernels::{Batch, Element, MASK_BITS, Serial, Threads, add, copy};

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
    threads: &dyn Threads,
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let outputs = check(x, weights, bias, y);
    forward(threads, x, weights, bias, outputs, y);
}

/// [`dense_forward`] of slices that have been checked, for a layer of N outputs.
#[inline]
pub(crate) fn forward<T: Element>(
    threads: &dyn Threads,
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    outputs: usize,
    y: &mut [f32],
) {
    debug_assert!(weights.len() == x.width() * outputs, "weights are not [IN][OUT]");
    debug_assert!(y.len() == x.len() * outputs, "y is not [batch][OUT]");
    if outputs == 0 {
        return;
    }
    start(x.map().shift, weights, bias, outputs, y);
    if SCALAR {
        return scalar::forward(&x, weights, outputs, y);
    }
    T::forward(threads, Forward { x, weights, outputs, y });
}

/// Starts every sum: the bias, plus what the inputs' shift adds to every sample.
#[inline(never)] // one copy for all layers
fn start(shift: f32, weights: &[f32], bias: &[f32], outputs: usize, y: &mut [f32]) {
    let (first, rest) = y.split_at_mut(outputs.min(y.len()));
    first.fill(0.0);
    if shift != 0.0 {
        add_rows(weights, first);
        for sum in &mut *first {
            scalar::keep_rolled();
            *sum = 0.0 + *sum * shift;
        }
    }
    // A bias of `-0.0` becomes `+0.0` here: no sum starts from a negative zero.
    add(bias, first);
    rest.chunks_exact_mut(outputs).for_each(|row| copy(first, row));
}

/// Samples whose sums have been started.
#[derive(Debug)]
pub struct Forward<'a, T> {
    pub(crate) x: Batch<'a, T>,
    pub(crate) weights: &'a [f32],
    pub(crate) outputs: usize,
    pub(crate) y: &'a mut [f32],
}

impl<T: Element> Forward<'_, T> {
    /// Products, zeros counted.
    pub(super) fn products(&self) -> usize {
        self.x.len() * self.weights.len()
    }
}

impl<T: Element> Split for Forward<'_, T> {
    fn split(self, part: usize, of: usize) -> (Self, Self) {
        let samples = self.x.len() * part / of;
        let (x_a, x_b) = self.x.split_at(samples);
        let (y_a, y_b) = self.y.split_at_mut(samples * self.outputs);
        (Self { x: x_a, y: y_a, ..self }, Self { x: x_b, y: y_b, ..self })
    }

    fn run(self) {
        T::forward(&Serial, self);
    }
}

/// Adds all products as a [`Gemm`].
pub(super) fn forward_dense<T: Element>(work: Forward<'_, T>) {
    let Forward { x, weights, outputs, y } = work;
    let matrix = Matrix { values: weights, stride: outputs, transposed: false };
    Gemm { matrix, rows: x.len(), terms: x.width(), width: outputs }
        .run(&Samples(x), &mut Rows { values: y, stride: outputs, finish: Finish::Add });
}

/// Whether most inputs are not zero, as far as four masks of a few samples tell.
pub(super) fn looks_dense<T: Element>(x: Batch<'_, T>) -> bool {
    if x.len() < FEW_ROWS {
        return false;
    }
    let (mut nonzeros, mut values) = (0, 0);
    let step = x.width().div_ceil(MASK_BITS).div_ceil(4) * MASK_BITS;
    for s in (0..x.len()).step_by(x.len().div_ceil(4).max(1)) {
        for part in x.sample(s).chunks(step) {
            nonzeros += T::nonzero_mask(part).count_ones() as usize;
            values += part.len().min(MASK_BITS);
        }
    }
    100 * nonzeros >= DENSE_SAMPLES * values
}

/// Samples with zeros, one by one.
#[inline(always)]
pub(super) fn forward_rows<S: Simd, T: Element>(simd: S, work: Forward<'_, T>) {
    let Forward { x, weights, outputs, y } = work;
    let scale = x.map().scale;
    Product::new(weights, outputs, Finish::Add).run::<S, S::Accumulator, _>(
        simd,
        #[inline(always)]
        |s| SparseSample { x: x.sample(s), scale },
        y,
    );
}

/// The samples of a batch as rows of `a`.
pub(super) struct Samples<'a, T>(pub(super) Batch<'a, T>);

impl<T: Element> Factors for Samples<'_, T> {
    const BY_TERM: bool = false;

    fn pack(&self, rows: Range<usize>, terms: Range<usize>, to: &mut Packed) {
        let scale = self.0.map().scale;
        for (r, s) in rows.enumerate() {
            let sample = self.0.sample(s).get(terms.clone()).unwrap_or_default();
            for (to, x) in to.row(r).iter_mut().zip(sample) {
                *to = x.to_f32() * scale;
            }
        }
    }
}

/// One sample: its nonzero inputs are the set bits of masks.
struct SparseSample<'a, T> {
    x: &'a [T],
    scale: f32,
}

impl<T: Element> Terms for SparseSample<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, f32) -> Option<()>) -> Option<()> {
        for (x, first) in self.x.chunks(MASK_BITS).zip((0..).step_by(MASK_BITS)) {
            let mask = T::nonzero_mask(x);
            // Without zeros there are no bits to search.
            if mask == u64::MAX {
                for (i, x) in x.iter().enumerate() {
                    add(first + i, x.to_f32() * self.scale)?;
                }
            } else {
                for i in Bits(mask) {
                    add(first + i, x.get(i)?.to_f32() * self.scale)?;
                }
            }
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
    use crate::kernels::Serial;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, MAPS, assert_same_bits, cases};

    /// As processors without vector registers do it.
    fn by_scalars<T: Element>(
        x: Batch<'_, T>,
        weights: &[f32],
        bias: &[f32],
        outputs: usize,
        y: &mut [f32],
    ) {
        start(x.map().shift, weights, bias, outputs, y);
        scalar::forward(&x, weights, outputs, y);
    }

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
            by_scalars(x, &weights, &bias, outputs, &mut y);
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
                compare(&case.full_inputs(), &case);
            }
        });
    }

    #[test]
    fn picked_samples_without_zeros_give_what_they_give_in_order() {
        let case = Case { batch: 9, inputs: 70, outputs: 19 };
        let (inputs, weights, bias) =
            (case.full_inputs(), case.values(70 * 19, 1), case.values(19, 2));
        let (mut all, mut picked) = (vec![0.0; 9 * 19], vec![0.0; 6 * 19]);
        dense_forward(&Serial, Batch::rows(&inputs, 70).unwrap(), &weights, &bias, &mut all);
        let order = [8, 3, 1, 4, 4, 0];
        let batch = Batch::gather(&inputs, 70, &order).unwrap();
        dense_forward(&Serial, batch, &weights, &bias, &mut picked);
        for (sample, got) in order.into_iter().zip(picked.chunks(19)) {
            assert_eq!(got, &all[19 * sample as usize..][..19]);
        }
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
                    by_scalars(x, &weights, &[], outputs, &mut y);
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
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
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
