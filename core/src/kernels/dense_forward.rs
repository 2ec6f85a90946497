//! `y = b + x·W`, the forward pass of a dense layer.
//!
//! A block of outputs keeps its sums in registers while a sample passes over its inputs, and all samples pass over a
//! block's weights before the next block's turn: 784 rows of 128 weights are 400 KiB, which stay in L2. Samples are read
//! from end to end, as caches like it. Passing all samples over 64 rows at a time, so that these stay in L1, was no
//! faster in training (784-128-10: 0.126 s an epoch both ways; 784-2048-10: 4 % faster) and took 1.7 times as long in
//! inference, since it reads each sample in 13 pieces.

use super::columns::{
    Columns, ForEachBlock, for_each_block, for_each_block_in, for_each_block_of_four, widest_block,
};
use super::factors::{Factors, are_listed, lists};
use super::lean::{self, LEAN};
use super::simd::{Simd, Work, dispatch};
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
    if LEAN {
        return lean::forward(x, weights, bias, outputs, y);
    }
    if outputs == 0 {
        return;
    }
    dispatch(Begin { shift: x.map().shift, weights, bias, outputs, y });
    let parts = parts(threads, x.len() * weights.len());
    over_samples(threads, parts, x, outputs, y, &|x, y| {
        dispatch(Products { x, weights, outputs, y });
    });
}

/// What the sums begin with: the bias, and what the inputs' shift adds to every sample.
struct Begin<'a> {
    shift: f32,
    weights: &'a [f32],
    /// Empty if there is none: then the sums begin with zeros.
    bias: &'a [f32],
    outputs: usize,
    y: &'a mut [f32],
}

impl Work for Begin<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for_each_block(simd, self.outputs, &mut { self });
    }
}

impl<S: Simd> ForEachBlock<S> for Begin<'_> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Self { shift, weights, bias, outputs, y } = self;
        // Of no bias there is nothing to load: zeros.
        let mut begin = C::load(simd, bias.get(at..).unwrap_or_default());
        begin.add(C::zero(simd));
        if *shift != 0.0 {
            let mut sums = C::zero(simd);
            for row in weights.chunks_exact(*outputs) {
                let Some(w) = row.get(at..at + C::WIDTH) else { return };
                sums.add(C::load(simd, w));
            }
            begin.add(sums.scaled(simd, *shift));
        }
        for row in y.chunks_exact_mut(*outputs) {
            let Some(y) = row.get_mut(at..at + C::WIDTH) else { return };
            begin.store(y);
        }
    }
}

/// All products, added to sums that have begun.
struct Products<'a, T> {
    x: Batch<'a, T>,
    weights: &'a [f32],
    outputs: usize,
    y: &'a mut [f32],
}

impl<T: Element> Work for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { mut x, weights, outputs, mut y } = self;
        // Samples without zeros go four at a time, so that one load of a weight serves four sums.
        while let Some((four, rest)) = four_without_zeros(x) {
            let (y_four, y_rest) = y.split_at_mut(y.len().min(4 * outputs));
            let scale = x.map().scale;
            for_each_block_of_four(simd, outputs, &mut Four { x: four, scale, weights, y: y_four });
            (x, y) = (rest, y_rest);
        }
        if const { lists::<S>() } && are_listed::<S>(outputs) {
            return add_listed(simd, Products { x, weights, outputs, y });
        }
        for_each_block(simd, outputs, &mut Products { x, weights, outputs, y });
    }
}

/// As [`Products`], with a list of each sample's nonzero inputs.
#[inline(always)]
fn add_listed<S: Simd, T: Element>(simd: S, products: Products<'_, T>) {
    let Products { x, weights, outputs, y } = products;
    let scale = x.map().scale;
    // Columns that one list serves: their weights stay in L2.
    let step = 4 * widest_block::<S>();
    let mut factors = Factors::new();
    for panel in (0..outputs).step_by(step) {
        let columns = panel..outputs.min(panel + step);
        for (sample, y) in x.iter().zip(y.chunks_exact_mut(outputs)) {
            let mut add = |factors: &mut Factors| {
                for_each_block_in(simd, columns.clone(), &mut Listed { factors, weights, y });
                factors.clear();
            };
            for (x, first) in sample.chunks(TILE).zip((0..).step_by(TILE)) {
                if factors.room() < TILE {
                    add(&mut factors);
                }
                let mut mask = T::nonzero_mask(x);
                while mask != 0 {
                    let i = mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    let x = x.get(i).map_or(0.0, |x| x.to_f32() * scale);
                    factors.push((first + i) * outputs, x);
                }
            }
            add(&mut factors);
        }
    }
}

/// One sample, whose nonzero inputs are on a list.
struct Listed<'a> {
    factors: &'a Factors,
    weights: &'a [f32],
    y: &'a mut [f32],
}

impl<S: Simd> ForEachBlock<S> for Listed<'_> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Some(y) = self.y.get_mut(at..at + C::WIDTH) else { return };
        let mut sums = C::load(simd, y);
        for (start, x) in self.factors.iter() {
            let Some(w) = self.weights.get(start + at..start + at + C::WIDTH) else { return };
            sums.add_scaled(simd, x, w);
        }
        sums.store(y);
    }
}

/// The first four samples and the rest, if none of the four holds a zero.
#[inline]
fn four_without_zeros<T: Element>(x: Batch<'_, T>) -> Option<([&[T]; 4], Batch<'_, T>)> {
    let samples = [0, 1, 2, 3].map(|s| x.sample(s));
    let whole = |tile: &[T]| T::nonzero_mask(tile).count_ones() as usize == tile.len();
    let none = samples.iter().all(|sample| sample.chunks(TILE).all(whole));
    (x.len() >= 4 && none).then(|| (samples, x.split_at(4).1))
}

/// Four samples side by side, all of whose products count.
struct Four<'a, T> {
    x: [&'a [T]; 4],
    scale: f32,
    weights: &'a [f32],
    y: &'a mut [f32],
}

impl<S: Simd, T: Element> ForEachBlock<S> for Four<'_, T> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let outputs = self.y.len() / 4;
        let mut sums = [C::zero(simd); 4];
        for (sums, y) in sums.iter_mut().zip(self.y.chunks_exact(outputs)) {
            let Some(y) = y.get(at..at + C::WIDTH) else { return };
            *sums = C::load(simd, y);
        }
        let [a, b, c, d] = self.x;
        let inputs = a.iter().zip(b).zip(c).zip(d);
        for ((((a, b), c), d), row) in inputs.zip(self.weights.chunks_exact(outputs)) {
            let Some(w) = row.get(at..at + C::WIDTH) else { return };
            for (sums, x) in sums.iter_mut().zip([a, b, c, d]) {
                sums.add_scaled(simd, x.to_f32() * self.scale, w);
            }
        }
        for (sums, y) in sums.into_iter().zip(self.y.chunks_exact_mut(outputs)) {
            let Some(y) = y.get_mut(at..at + C::WIDTH) else { return };
            sums.store(y);
        }
    }
}

/// The nonzero inputs of each sample are found as the bits of masks.
impl<S: Simd, T: Element> ForEachBlock<S> for Products<'_, T> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Self { x, weights, outputs, y } = self;
        let (outputs, scale) = (*outputs, x.map().scale);
        for (sample, y) in x.iter().zip(y.chunks_exact_mut(outputs)) {
            let Some(y) = y.get_mut(at..at + C::WIDTH) else { return };
            let mut sums = C::load(simd, y);
            let tiles = weights.chunks(TILE * outputs);
            for (x, rows) in sample.chunks(TILE).zip(tiles) {
                let mask = T::nonzero_mask(x);
                Tile { x, scale, mask, rows, outputs }.add_to(simd, &mut sums, at);
            }
            sums.store(y);
        }
    }
}

/// One sample's products with the rows of weights of 64 inputs.
struct Tile<'a, T> {
    x: &'a [T],
    scale: f32,
    mask: u64,
    rows: &'a [f32],
    outputs: usize,
}

impl<T: Element> Tile<'_, T> {
    #[inline(always)] // the sums must stay in registers
    fn add_to<S: Simd, C: Columns<S>>(&self, simd: S, sums: &mut C, at: usize) {
        // Without zeros there are no bits to look for.
        if self.mask == u64::MAX {
            self.add_all(simd, sums, at)
        } else {
            self.add_some(simd, sums, at)
        }
    }

    /// The rows whose bit is set in the mask, in ascending order.
    #[inline(always)]
    fn add_some<S: Simd, C: Columns<S>>(&self, simd: S, sums: &mut C, at: usize) {
        let mut mask = self.mask;
        while mask != 0 {
            let i = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let start = i * self.outputs + at;
            let (Some(x), Some(w)) = (self.x.get(i), self.rows.get(start..start + C::WIDTH)) else {
                return;
            };
            sums.add_scaled(simd, x.to_f32() * self.scale, w);
        }
    }

    #[inline(always)]
    fn add_all<S: Simd, C: Columns<S>>(&self, simd: S, sums: &mut C, at: usize) {
        for (x, row) in self.x.iter().zip(self.rows.chunks_exact(self.outputs)) {
            let Some(w) = row.get(at..at + C::WIDTH) else { return };
            sums.add_scaled(simd, x.to_f32() * self.scale, w);
        }
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
