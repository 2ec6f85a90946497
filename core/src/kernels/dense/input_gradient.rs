//! The gradient at a dense layer's inputs: `d_x[s][i] = Σₒ d_y[s][o]·W[i][o]`, the product of `d_y` with the transposed weights.

use super::forward::Samples;
use crate::kernels::Batch;
use crate::kernels::gemm::{FEW_ROWS, Gemm, Matrix, Rows};
use crate::kernels::matmul::Finish;
use crate::kernels::scalar::{SCALAR, rows::dot_rows};
use crate::kernels::threads::{Split, Threads, fork, parts};

/// Computes `d_x[s][i] = Σₒ d_y[s][o]·W[i][o]`.
///
/// # Shapes
///
/// `d_y: [batch][OUT]`, `weights: [IN][OUT]`, `d_x: [batch][IN]`, overwritten.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_input_gradient(
    threads: &dyn Threads,
    batch: usize,
    d_y: &[f32],
    weights: &[f32],
    d_x: &mut [f32],
) {
    let Some((inputs, outputs)) = check(batch, d_y, weights, d_x) else { return };
    input_gradient(threads, batch, [inputs, outputs], d_y, weights, d_x);
}

/// [`dense_input_gradient`] of slices that have been checked, for a layer of these numbers of inputs and outputs.
#[inline(never)] // one copy for all layers
pub(crate) fn input_gradient(
    threads: &dyn Threads,
    batch: usize,
    [inputs, outputs]: [usize; 2],
    d_y: &[f32],
    weights: &[f32],
    d_x: &mut [f32],
) {
    let parts = if SCALAR { 1 } else { parts(threads, d_y.len() * inputs).min(batch) };
    fork(threads, parts, InputGradient { inputs, outputs, weights, d_y, d_x });
}

/// Samples with their gradients at both ends.
struct InputGradient<'a> {
    inputs: usize,
    outputs: usize,
    weights: &'a [f32],
    d_y: &'a [f32],
    d_x: &'a mut [f32],
}

impl Split for InputGradient<'_> {
    fn split(self, part: usize, of: usize) -> (Self, Self) {
        let samples = self.d_y.len() / self.outputs * part / of;
        let (d_y_a, d_y_b) = self.d_y.split_at(samples * self.outputs);
        let (d_x_a, d_x_b) = self.d_x.split_at_mut(samples * self.inputs);
        (Self { d_y: d_y_a, d_x: d_x_a, ..self }, Self { d_y: d_y_b, d_x: d_x_b, ..self })
    }

    fn run(self) {
        let Self { inputs: inputs @ 1.., outputs: outputs @ 1.., weights, d_y, d_x } = self else {
            return;
        };
        if SCALAR || d_y.len() < FEW_ROWS * outputs {
            let mut samples = d_y.chunks_exact(outputs);
            for d_x in d_x.chunks_exact_mut(inputs) {
                dot_rows(weights, samples.next().unwrap_or_default(), d_x);
            }
            return;
        }
        let Ok(rows) = Batch::rows(d_y, outputs) else { return };
        let matrix = Matrix { values: weights, stride: outputs, transposed: true };
        Gemm { matrix, rows: rows.len(), terms: outputs, width: inputs }
            .run(&Samples(rows), &mut Rows { values: d_x, stride: inputs, finish: Finish::Write });
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
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, assert_same_bits, cases};
    use crate::kernels::{Serial, scalar};

    #[test]
    fn dense_input_gradient_equals_scalar_bit_for_bit_at_every_size() {
        with_all_vectors(|| {
            for case in cases() {
                let Case { batch, inputs, outputs } = case;
                let (d_y, weights) =
                    (case.values(batch * outputs, 1), case.values(inputs * outputs, 2));
                let (mut d_x, mut expected) =
                    (vec![9.0; batch * inputs], vec![9.0; batch * inputs]);
                dense_input_gradient_scalar(batch, &d_y, &weights, &mut expected);
                dense_input_gradient(&Serial, batch, &d_y, &weights, &mut d_x);
                assert_same_bits(&d_x, &expected, &case);
                dense_input_gradient(&Halves(3), batch, &d_y, &weights, &mut d_x);
                assert_same_bits(&d_x, &expected, &case);
                for (d_y, d_x) in d_y.chunks(outputs).zip(d_x.chunks_mut(inputs)) {
                    scalar::rows::dot_rows(&weights, d_y, d_x);
                }
                assert_same_bits(&d_x, &expected, &case);
            }
        });
    }
}
