//! How the integers of a network lie in memory.

use bytemuck::cast_slice;

use crate::kernels::{INT8_BLOCK, INT8_PAIRS, Int8Row, Int8Weights, int8_rows};
use crate::layers::{AnyLayer, Layer};

/// Bytes of a row of weights, to which everything is padded.
pub(crate) const ROW: usize = size_of::<Int8Row>();

/// Inputs that any weights can be summed over within 31 bits: 65,536 · 127 · 255, and a bias below 2²⁴.
const MOST_INPUTS: usize = 1 << 16;

/// The integers of one dense layer of a [`QuantizedModel`](crate::QuantizedModel).
///
/// The sum over its u8 inputs is `A[o] = bias[o] + Σᵢ x[i]·weight[i][o]`, and its output `A[o]·multiplier[o] / 2³²`,
/// rounded to the nearest integer, halves upwards. A ReLU clamps that to 0 to 255.
// In memory: a row that begins with the step, the weights, the biases, the multipliers.
#[derive(Clone, Copy, Debug)]
pub struct Int8Layer<'a> {
    /// What 1 is worth in its outputs: of the u8 activations, or of the logits.
    pub(crate) step: f32,
    pub(crate) weights: Int8Weights<'a>,
    pub(crate) bias: &'a [[i32; INT8_BLOCK]],
    pub(crate) multipliers: &'a [[i32; INT8_BLOCK]],
}

impl<'a> Int8Layer<'a> {
    /// The scale of its outputs, those of the ReLU or the logits: `output · step()` is the value in f32.
    #[must_use]
    pub fn step(&self) -> f32 {
        self.step
    }

    /// The weight between an input and an output, -127 to 127; 0 if there is none.
    #[must_use]
    pub fn weight(&self, input: usize, output: usize) -> i32 {
        self.weights.get(input, output)
    }

    /// The bias of an output, 0 if there is no such output.
    #[must_use]
    pub fn bias(&self, output: usize) -> i32 {
        self.bias.as_flattened().get(output).copied().unwrap_or(0)
    }

    /// The multiplier of an output, 0 if there is no such output.
    #[must_use]
    pub fn multiplier(&self, output: usize) -> i32 {
        self.multipliers.as_flattened().get(output).copied().unwrap_or(0)
    }

    /// The first layer, and the rows after it.
    pub(crate) fn split(
        rows: &'a [Int8Row],
        inputs: usize,
        outputs: usize,
    ) -> Option<(Self, &'a [Int8Row])> {
        let blocks = outputs.div_ceil(INT8_BLOCK);
        let ([[step, ..]], rows) = rows.split_first_chunk::<1>()?;
        let (weights, rows) = rows.split_at_checked(int8_rows(inputs, outputs)?)?;
        let (bias, rows) = rows.split_at_checked(2 * blocks)?;
        let (multipliers, rows) = rows.split_at_checked(2 * blocks)?;
        let layer = Self {
            step: f32::from_bits(*step),
            weights: Int8Weights::new(weights, inputs, outputs)?,
            bias: cast_slice(bias.as_chunks::<2>().0),
            multipliers: cast_slice(multipliers.as_chunks::<2>().0),
        };
        Some((layer, rows))
    }
}

/// Bytes of a dense layer, if this machine can count them.
pub(crate) const fn dense_len(inputs: usize, outputs: usize) -> Option<usize> {
    let padded = outputs.div_ceil(INT8_BLOCK) * INT8_BLOCK;
    let Some(rows) = int8_rows(inputs, outputs) else { return None };
    let Some(weights) = rows.checked_mul(ROW) else { return None };
    let Some(more) = padded.checked_mul(8) else { return None };
    let Some(more) = more.checked_add(ROW) else { return None };
    weights.checked_add(more)
}

/// Returns the number of hidden layers, or the first layer that int8 inference does not support: it runs dense layers with
/// a bias and at most 65,536 inputs, with one ReLU between each two. A rescale may come first and last.
pub(crate) fn hidden_layers(
    count: usize,
    mut layers: impl Iterator<Item = AnyLayer>,
) -> Result<usize, usize> {
    let (mut i, mut dense, mut wants_dense) = (0usize, 0usize, true);
    let misplaced = layers.position(|layer| {
        i += 1;
        let is_last = i == count;
        let fits = match layer {
            AnyLayer::Dense(dense) => {
                wants_dense && dense.has_bias() && dense.inputs() <= MOST_INPUTS
            }
            AnyLayer::Relu(_) => !wants_dense && !is_last,
            AnyLayer::Rescale(_) => i == 1 && !is_last || is_last && !wants_dense,
            _ => false,
        };
        dense += usize::from(matches!(layer, AnyLayer::Dense(_)));
        wants_dense = !matches!(layer, AnyLayer::Dense(_));
        !fits
    });
    misplaced.map_or(Ok(dense.saturating_sub(1)), Err)
}

/// Bytes of all dense layers, if this machine can count them.
pub(crate) fn section_len(mut layers: impl Iterator<Item = AnyLayer>) -> Option<usize> {
    layers.try_fold(0usize, |sum, layer| match layer {
        AnyLayer::Dense(dense) => sum.checked_add(dense_len(dense.inputs(), dense.outputs())?),
        _ => Some(sum),
    })
}

/// `i32`s of scratch: the list of nonzero inputs, a layer's sums, and the activations between layers, if there are any.
pub(crate) const fn scratch_len(widest: usize, between: usize) -> usize {
    let sums = widest.div_ceil(INT8_BLOCK) * INT8_BLOCK;
    2 * INT8_PAIRS + sums + if between == 0 { 0 } else { sums / 4 }
}
