//! `y = b + x·W`, the forward pass of a dense layer.
//!
//! Blocked so that what is reused stays close: a block of outputs keeps its sums in registers, and 64 rows
//! of weights (the inputs of one mask, at most 32 KiB of them in one block) stay in L1 while every sample
//! of the batch passes over them. Sums carry over from block to block in `y`, in ascending input order.

use super::columns::{Columns, ForEachBlock, for_each_block};
use super::{Batch, Element, TILE};

/// Computes `y[s] = b + Σᵢ x[s][i]·W[i]` for each sample `s`, skipping zero inputs.
///
/// # Shapes
///
/// `x: [batch][IN]`, `weights: [IN][OUT]`, `bias: [OUT]`, `y: [batch][OUT]`, overwritten.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_forward<T: Element>(x: Batch<'_, T>, weights: &[f32], bias: &[f32], y: &mut [f32]) {
    check(x, weights, bias, y);
    let outputs = bias.len();
    if outputs == 0 {
        return;
    }
    for row in y.chunks_exact_mut(outputs) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y = b + 0.0;
        }
    }
    for first in (0..x.width()).step_by(TILE) {
        let Some(rows) = weights.get(first * outputs..) else { return };
        for (sample, y) in x.iter().zip(y.chunks_exact_mut(outputs)) {
            let Some(x) = sample.get(first..) else { return };
            let mask = T::nonzero_mask(x);
            if mask != 0 {
                for_each_block(outputs, &mut Forward { x, mask, rows, outputs, y });
            }
        }
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    mask: u64,
    rows: &'a [f32],
    outputs: usize,
    y: &'a mut [f32],
}

impl<T: Element> ForEachBlock for Forward<'_, T> {
    #[inline(always)]
    fn block<C: Columns>(&mut self, at: usize) {
        let Some(y) = self.y.get_mut(at..) else { return };
        let mut sums = C::load(y);
        add_rows(&mut sums, self.x, self.mask, self.rows, self.outputs, at);
        sums.store(y);
    }
}

/// Adds `x[i]·rows[i][at..]` for each set bit `i` of `mask`, in ascending order.
#[inline(always)] // the sums must stay in registers
fn add_rows<C: Columns, T: Element>(
    sums: &mut C,
    x: &[T],
    mut mask: u64,
    rows: &[f32],
    stride: usize,
    at: usize,
) {
    while mask != 0 {
        let i = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        let start = i * stride + at;
        let (Some(x), Some(w)) = (x.get(i), rows.get(start..start + C::WIDTH)) else { return };
        sums.add_scaled(x.to_f32(), w);
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
    check(x, weights, bias, y);
    for (s, x) in x.iter().enumerate() {
        for (o, b) in bias.iter().enumerate() {
            let mut sum = b + 0.0;
            for (i, x) in x.iter().enumerate() {
                sum += x.to_f32() * weights[i * bias.len() + o];
            }
            y[s * bias.len() + o] = sum;
        }
    }
}

#[inline]
fn check<T: Element>(x: Batch<'_, T>, weights: &[f32], bias: &[f32], y: &[f32]) {
    assert!(weights.len() == x.width() * bias.len(), "dense_forward: weights are not [IN][OUT]");
    assert!(y.len() == x.len() * bias.len(), "dense_forward: y is not [batch][OUT]");
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::kernels::testing::{Case, assert_same_bits, cases};

    fn compare<T: Element>(data: &[T], case: &Case) {
        let Case { batch, inputs, outputs } = *case;
        let x = Batch::rows(data, inputs).unwrap();
        let (weights, bias) = (case.values(inputs * outputs, 1), case.values(outputs, 2));
        let (mut y, mut expected) = (vec![9.0; batch * outputs], vec![9.0; batch * outputs]);
        dense_forward(x, &weights, &bias, &mut y);
        dense_forward_scalar(x, &weights, &bias, &mut expected);
        assert_same_bits(&y, &expected, case);
    }

    #[test]
    fn dense_forward_equals_scalar_bit_for_bit_at_every_size() {
        for case in cases() {
            compare(&case.pixels(), &case);
            compare(&case.inputs(), &case);
        }
    }

    #[test]
    fn picked_samples_give_what_they_give_alone() {
        let case = Case { batch: 5, inputs: 70, outputs: 10 };
        let (pixels, weights, bias) = (case.pixels(), case.values(700, 1), case.values(10, 2));
        let (mut all, mut picked) = (vec![0.0; 50], vec![0.0; 20]);
        dense_forward(Batch::rows(&pixels, 70).unwrap(), &weights, &bias, &mut all);
        let order = [3, 1];
        dense_forward(Batch::gather(&pixels, 70, &order).unwrap(), &weights, &bias, &mut picked);
        assert_eq!(picked[..10], all[30..40]);
        assert_eq!(picked[10..], all[10..20]);
    }

    #[test]
    fn a_negative_zero_bias_gives_a_positive_zero_sum() {
        let mut y = [1.0];
        dense_forward(Batch::rows(&[0u8; 3], 3).unwrap(), &[1.0; 3], &[-0.0], &mut y);
        assert_eq!(y[0].to_bits(), 0);
    }

    /// `|ŷ - y| ≤ γₙ·Σ|terms|` with `γₙ = nu/(1 - nu)` and `u = 2⁻²⁴`: one rounding for each product and each sum
    /// makes n = 784 + 1 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1).
    #[test]
    fn dense_forward_stays_within_the_rounding_bound() {
        let case = Case { batch: 3, inputs: 784, outputs: 10 };
        let (x, weights, bias) = (case.inputs(), case.values(7840, 1), case.values(10, 2));
        let mut y = vec![0.0; 30];
        dense_forward(Batch::rows(&x, 784).unwrap(), &weights, &bias, &mut y);
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
