//! The gradient at a dense layer's inputs: `d_x[i] = Σₒ d_y[o]·W[i][o]`, summed over `o` in ascending order.
//!
//! Lanes are inputs, so 16 rows of weights are transposed into `work` once for the batch and then serve
//! every sample, four samples at a time, so that one load feeds four sums.

use super::Threads;
use super::lean::{self, LEAN};
use super::simd::{Lanes, Simd, Work, dispatch};
use super::threads::{parts, share};

/// Rows of weights that are transposed together.
const ROWS: usize = 16;

/// Samples summed side by side.
const SAMPLES: usize = 4;

/// Length of the `work` slice of [`dense_input_gradient`], in `f32`s.
#[must_use]
pub const fn input_gradient_work(outputs: usize, batch: usize, threads: usize) -> usize {
    // A lone sample does not pay for a transposition.
    if batch > 1 && !LEAN { threads * ROWS * outputs } else { 0 }
}

/// Computes `d_x[s][i] = Σₒ d_y[s][o]·W[i][o]`.
///
/// # Shapes
///
/// `d_y: [batch][OUT]`, `weights: [IN][OUT]`, `d_x: [batch][IN]`, overwritten. `work` is overwritten, its
/// length is [`input_gradient_work`]`(OUT, batch, threads)` or more.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_input_gradient(
    threads: &impl Threads,
    batch: usize,
    d_y: &[f32],
    weights: &[f32],
    d_x: &mut [f32],
    work: &mut [f32],
) {
    let Some((inputs, outputs)) = check(batch, d_y, weights, d_x) else { return };
    assert!(
        work.len() >= input_gradient_work(outputs, batch, threads.count()),
        "dense_input_gradient: work is too short"
    );
    input_gradient(threads, batch, [inputs, outputs], d_y, weights, d_x, work);
}

/// [`dense_input_gradient`] of slices that have been checked, for a layer of these numbers of inputs and outputs.
#[inline]
pub(crate) fn input_gradient(
    threads: &impl Threads,
    batch: usize,
    [inputs, outputs]: [usize; 2],
    d_y: &[f32],
    weights: &[f32],
    d_x: &mut [f32],
    work: &mut [f32],
) {
    if LEAN {
        return lean::input_gradient([inputs, outputs], d_y, weights, d_x);
    }
    let parts = parts(threads, d_y.len() * inputs).min(batch);
    Samples { inputs, outputs, weights }.over(threads, parts, d_y, d_x, work);
}

/// What is the same for all samples.
#[derive(Clone, Copy)]
struct Samples<'a> {
    inputs: usize,
    outputs: usize,
    weights: &'a [f32],
}

impl Samples<'_> {
    /// All samples of `d_y`, in so many parts.
    fn over<H: Threads>(
        self,
        threads: &H,
        parts: usize,
        d_y: &[f32],
        d_x: &mut [f32],
        work: &mut [f32],
    ) {
        let samples = share(d_y.len() / self.outputs.max(1), parts);
        if samples == 0 {
            return dispatch(OneAfterTheOther { of: self, d_y, d_x, work });
        }
        let (d_y_a, d_y_b) = d_y.split_at(samples * self.outputs);
        let (d_x_a, d_x_b) = d_x.split_at_mut(samples * self.inputs);
        let (work_a, work_b) = work.split_at_mut(work.len() / parts * (parts / 2));
        threads.join(
            || self.over(threads, parts / 2, d_y_a, d_x_a, work_a),
            || self.over(threads, parts - parts / 2, d_y_b, d_x_b, work_b),
        );
    }

    #[inline(always)]
    fn one_after_the_other<S: Simd>(self, simd: S, d_y: &[f32], d_x: &mut [f32], work: &mut [f32]) {
        let Self { inputs, outputs, weights } = self;
        let (columns, _) = work.as_chunks_mut::<ROWS>();
        let (true, Some(columns)) = (d_y.len() > outputs, columns.get_mut(..outputs)) else {
            return d_y
                .chunks_exact(outputs)
                .zip(d_x.chunks_exact_mut(inputs))
                .for_each(|(d_y, d_x)| lone_sample(d_y, weights, d_x));
        };
        for first in (0..inputs).step_by(ROWS) {
            let rows = ROWS.min(inputs - first);
            for (r, row) in weights.chunks_exact(outputs).skip(first).take(rows).enumerate() {
                for (column, w) in columns.iter_mut().zip(row) {
                    if let Some(to) = column.get_mut(r) {
                        *to = *w;
                    }
                }
            }
            let mut d_x_rows = d_x.chunks_exact_mut(inputs);
            let mut groups = d_y.chunks_exact(SAMPLES * outputs);
            for group in &mut groups {
                let sums = sums::<S, SAMPLES>(simd, group, outputs, columns);
                for (sums, row) in sums.iter().zip(&mut d_x_rows) {
                    put(sums.to_array(), row, first, rows);
                }
            }
            for (sample, row) in groups.remainder().chunks_exact(outputs).zip(&mut d_x_rows) {
                let [sums] = sums::<S, 1>(simd, sample, outputs, columns);
                put(sums.to_array(), row, first, rows);
            }
        }
    }
}

/// Samples and their gradients, gone through in order.
struct OneAfterTheOther<'a> {
    of: Samples<'a>,
    d_y: &'a [f32],
    d_x: &'a mut [f32],
    work: &'a mut [f32],
}

impl Work for OneAfterTheOther<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.of.one_after_the_other(simd, self.d_y, self.d_x, self.work);
    }
}

/// `N` samples against 16 transposed rows of weights.
#[inline(always)]
fn sums<S: Simd, const N: usize>(
    simd: S,
    d_y: &[f32],
    outputs: usize,
    columns: &[[f32; ROWS]],
) -> [S::F32x16; N] {
    let mut sums = [S::F32x16::splat(simd, 0.0); N];
    for (o, column) in columns.iter().enumerate() {
        let column = S::F32x16::new(simd, column);
        for (s, sum) in sums.iter_mut().enumerate() {
            if let Some(&d_y) = d_y.get(s * outputs + o) {
                *sum = *sum + S::F32x16::splat(simd, d_y) * column;
            }
        }
    }
    sums
}

#[inline(always)]
fn put(sums: [f32; ROWS], row: &mut [f32], first: usize, rows: usize) {
    match row.get_mut(first..first + ROWS) {
        Some(whole) => whole.copy_from_slice(&sums),
        None => {
            let rest = row.get_mut(first..first + rows).unwrap_or_default();
            for (to, sum) in rest.iter_mut().zip(sums) {
                *to = sum;
            }
        }
    }
}

/// One sample: the rows of weights as they lie, four sums at a time to hide the latency of an addition.
#[inline]
fn lone_sample(d_y: &[f32], weights: &[f32], d_x: &mut [f32]) {
    let outputs = d_y.len();
    let mut groups = weights.chunks_exact(4 * outputs);
    let (fours, rest) = d_x.as_chunks_mut::<4>();
    for (rows, d_x) in (&mut groups).zip(fours) {
        let mut sums = [0.0; 4];
        let (ab, cd) = rows.split_at(2 * outputs);
        let ((a, b), (c, d)) = (ab.split_at(outputs), cd.split_at(outputs));
        for ((((d_y, a), b), c), d) in d_y.iter().zip(a).zip(b).zip(c).zip(d) {
            for (sum, w) in sums.iter_mut().zip([a, b, c, d]) {
                *sum += d_y * w;
            }
        }
        *d_x = sums;
    }
    for (row, d_x) in groups.remainder().chunks_exact(outputs).zip(rest) {
        let mut sum = 0.0;
        for (d_y, w) in d_y.iter().zip(row) {
            sum += d_y * w;
        }
        *d_x = sum;
    }
}

/// What [`dense_input_gradient`] must give, one product at a time.
///
/// # Panics
///
/// If a slice's length does not fit the shapes of [`dense_input_gradient`].
pub fn dense_input_gradient_scalar(batch: usize, d_y: &[f32], weights: &[f32], d_x: &mut [f32]) {
    let Some((inputs, outputs)) = check(batch, d_y, weights, d_x) else { return };
    for s in 0..batch {
        for i in 0..inputs {
            let mut sum = 0.0;
            for o in 0..outputs {
                sum += d_y[s * outputs + o] * weights[i * outputs + o];
            }
            d_x[s * inputs + i] = sum;
        }
    }
}

/// `(IN, OUT)`, or nothing if there is nothing to do.
#[inline]
fn check(batch: usize, d_y: &[f32], weights: &[f32], d_x: &[f32]) -> Option<(usize, usize)> {
    let outputs = d_y.len().checked_div(batch)?;
    let inputs = weights.len().checked_div(outputs)?;
    assert!(
        d_y.len() == batch * outputs
            && weights.len() == inputs * outputs
            && d_x.len() == batch * inputs,
        "dense_input_gradient: d_y, weights and d_x are not [batch][OUT], [IN][OUT], [batch][IN]"
    );
    Some((inputs, outputs))
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::kernels::Serial;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, assert_same_bits, cases};

    #[test]
    fn dense_input_gradient_equals_scalar_bit_for_bit_at_every_size() {
        with_all_vectors(|| {
            for case in cases() {
                let Case { batch, inputs, outputs } = case;
                let (d_y, weights) =
                    (case.values(batch * outputs, 1), case.values(inputs * outputs, 2));
                let (mut d_x, mut expected) =
                    (vec![9.0; batch * inputs], vec![9.0; batch * inputs]);
                let mut work = vec![f32::NAN; input_gradient_work(outputs, batch, 3)];
                dense_input_gradient_scalar(batch, &d_y, &weights, &mut expected);
                dense_input_gradient(&Serial, batch, &d_y, &weights, &mut d_x, &mut work);
                assert_same_bits(&d_x, &expected, &case);
                dense_input_gradient(&Halves(3), batch, &d_y, &weights, &mut d_x, &mut work);
                assert_same_bits(&d_x, &expected, &case);
                lean::input_gradient([inputs, outputs], &d_y, &weights, &mut d_x);
                assert_same_bits(&d_x, &expected, &case);
            }
        });
    }
}
