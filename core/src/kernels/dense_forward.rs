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
    for_each_block(outputs, &mut Forward { x, weights, outputs, y });
}

struct Forward<'a, T> {
    x: Batch<'a, T>,
    weights: &'a [f32],
    outputs: usize,
    y: &'a mut [f32],
}

impl<T: Element> ForEachBlock for Forward<'_, T> {
    #[inline]
    fn block<C: Columns>(&mut self, at: usize) {
        for first in (0..self.x.width()).step_by(TILE) {
            let Some(rows) = self.weights.get(first * self.outputs..) else { return };
            for (sample, y) in self.x.iter().zip(self.y.chunks_exact_mut(self.outputs)) {
                let (Some(x), Some(y)) = (sample.get(first..), y.get_mut(at..)) else { return };
                let mask = T::nonzero_mask(x);
                if mask != 0 {
                    let mut sums = C::load(y);
                    add_rows(&mut sums, x, mask, rows, self.outputs, at);
                    sums.store(y);
                }
            }
        }
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
