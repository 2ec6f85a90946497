//! From a network's floats to its integers.
//!
//! With `x ≈ X·s_x` (pixels exactly: their step is the input's scale), each output `o` gets the step `s_w` that its
//! largest weight is 127 of, `W = w/s_w` and `B = b/(s_x·s_w)` are rounded, and what inference sums up, `Σ X·W + B`, is
//! `z/(s_x·s_w)`. A multiplier `s_x·s_w/s_y` brings it to the step `s_y` that all outputs of the layer share.

use crate::kernels::{INT8_BLOCK, InputMap, pack_int8};
use crate::layers::{AnyLayer, Layer};

/// The largest bias, in steps of the sums: leaves a sum of 31 bits room for the products.
const LARGEST_BIAS: f64 = (1 << 24) as f64;

/// What a network's integers are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The layers, which have an int8 form ([`hidden_layers`](super::hidden_layers)).
    pub(crate) layers: &'a [AnyLayer],
    pub(crate) params: &'a [f32],
    /// How pixels are read.
    pub(crate) map: InputMap,
    /// The largest outputs of each ReLU that are told apart.
    pub(crate) ranges: &'a [f32],
    /// The lowest and the highest input of the first dense layer that are told apart, if inputs are features.
    pub(crate) features: Option<[f32; 2]>,
}

/// Hands over the bytes of all dense layers, in pieces. A last rescale is worked into the layer before it.
pub(crate) fn write(source: &Source<'_>, take: &mut dyn FnMut(&[u8])) {
    let (mut rest, mut ranges) = (source.params, source.ranges.iter());
    let (mut map, mut zero_point) = match source.features {
        Some(range) => feature_step(range),
        None => (source.map, 0),
    };
    for (i, layer) in source.layers.iter().enumerate() {
        let (own, after) = rest.split_at(layer.params().min(rest.len()));
        rest = after;
        if !matches!(layer, AnyLayer::Dense(_)) {
            continue;
        }
        let (weights, bias) = own.split_at(own.len().saturating_sub(layer.outputs()));
        let after = match source.layers.get(i + 1) {
            Some(AnyLayer::Rescale(_)) => rest.split_at(layer.outputs().min(rest.len())),
            _ => (&[][..], &[][..]),
        };
        let dense = Floats { weights, bias, after, map, zero_point };
        let step = dense.output_step(ranges.next().copied());
        dense.write(step, take);
        (map, zero_point) = (InputMap { scale: step, shift: 0.0 }, 0);
    }
}

/// Hands over a scale and a shift for each feature `x`: `x·scale + shift` is the int8 input before it is rounded. A first
/// rescale is worked into them.
pub(crate) fn write_inputs(source: &Source<'_>, take: &mut dyn FnMut(&[u8])) {
    let (map, zero_point) = feature_step(source.features.unwrap_or_default());
    let Some(first) = source.layers.first() else { return };
    let (scales, shifts) = match first {
        AnyLayer::Rescale(_) => source.params.split_at(first.inputs().min(source.params.len())),
        _ => (&[][..], &[][..]),
    };
    let step = f64::from(map.scale);
    for i in 0..first.inputs() {
        let [scale, shift] = [(scales, 1.0), (shifts, 0.0)]
            .map(|(of, default)| f64::from(of.get(i).copied().unwrap_or(default)));
        for value in [scale / step, shift / step + f64::from(zero_point)] {
            take(&(value as f32).to_le_bytes());
        }
    }
}

/// What 1 is worth in the inputs, and which of 0 to 255 stands for 0.
fn feature_step(range: [f32; 2]) -> (InputMap, i32) {
    let [lowest, highest] = range.map(f64::from);
    let (lowest, highest) = (lowest.min(0.0), highest.max(0.0));
    let step = (highest - lowest) / 255.0;
    let step = if step > 0.0 { step as f32 } else { 1.0 };
    let step = step.clamp(f32::MIN_POSITIVE, f32::MAX);
    (InputMap { scale: step, shift: 0.0 }, nearest(-lowest / f64::from(step)).clamp(0, 255))
}

/// A dense layer's parameters, and how its inputs are read.
struct Floats<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    /// Scales and shifts of its outputs, or none.
    after: (&'a [f32], &'a [f32]),
    map: InputMap,
    /// The input that stands for 0.
    zero_point: i32,
}

impl Floats<'_> {
    /// The scale of output `o`.
    fn scale(&self, o: usize) -> f32 {
        self.after.0.get(o).copied().unwrap_or(1.0)
    }

    /// The weights of output `o`, input by input; none if there is no such output.
    fn column(&self, o: usize) -> impl Iterator<Item = f32> {
        let (column, scale) = (self.weights.get(o..).unwrap_or_default(), self.scale(o));
        column.iter().step_by(self.bias.len()).map(move |w| w * scale)
    }

    /// The bias of output `o`, with what the inputs' shift adds to every sum.
    fn bias(&self, o: usize) -> f32 {
        let bias = self.bias.get(o).copied().unwrap_or(0.0) + 0.0;
        let bias = bias * self.scale(o) + self.after.1.get(o).copied().unwrap_or(0.0);
        if self.map.shift == 0.0 {
            return bias;
        }
        bias + self.column(o).fold(0.0, |sum, w| sum + w) * self.map.shift
    }

    /// The weight `w` of output `o` in steps of `step`.
    fn quantized(&self, o: usize, w: f32, step: f64) -> i32 {
        nearest(f64::from(w * self.scale(o)) / step).clamp(-127, 127)
    }

    /// What the zero point of the inputs adds to every sum of output `o`.
    fn of_zero_point(&self, o: usize) -> i32 {
        if self.zero_point == 0 {
            return 0;
        }
        let (step, column) = (self.weight_step(o), self.weights.get(o..).unwrap_or_default());
        let column = column.iter().step_by(self.bias.len());
        let sum = column.fold(0i32, |sum, w| sum.wrapping_add(self.quantized(o, *w, step)));
        sum.wrapping_mul(self.zero_point)
    }

    /// What 1 is worth in the weights of output `o`: 1/127 of the largest, or more if the bias needs it.
    fn weight_step(&self, o: usize) -> f64 {
        if o >= self.bias.len() {
            return 1.0;
        }
        let largest =
            self.column(o).fold(0.0, |most, w| if w.abs() > most { w.abs() } else { most });
        let for_bias = f64::from(self.bias(o).abs()) / (f64::from(self.map.scale) * LARGEST_BIAS);
        let step = f64::from(largest) / 127.0;
        let step = if for_bias > step { for_bias } else { step };
        if step > 0.0 { step } else { 1.0 }
    }

    /// What 1 is worth in the sums of output `o`.
    fn sum_step(&self, o: usize) -> f64 {
        f64::from(self.map.scale) * self.weight_step(o)
    }

    /// What 1 is worth in the layer's outputs: 1/255 of the range, or, for logits, twice the coarsest sum's step. Never
    /// less than that, since a multiplier is at most one half; always a positive number.
    fn output_step(&self, range: Option<f32>) -> f32 {
        let steps = (0..self.bias.len()).map(|o| 2.0 * self.sum_step(o));
        let least = f64::from(range.unwrap_or(0.0)) / 255.0;
        let step = steps.fold(least, |most, step| if step > most { step } else { most });
        step.clamp(f32::MIN_POSITIVE.into(), f32::MAX.into()) as f32
    }

    fn write(&self, step: f32, take: &mut dyn FnMut(&[u8])) {
        let outputs = self.bias.len();
        let padded = outputs.next_multiple_of(INT8_BLOCK);
        take(&step.to_le_bytes());
        take(&[0; 12]);
        for block in (0..padded).step_by(INT8_BLOCK) {
            let steps: [f64; INT8_BLOCK] = core::array::from_fn(|o| self.weight_step(block + o));
            let quantized = |row: &[f32]| {
                let row = row.get(block..).unwrap_or_default();
                core::array::from_fn(|o| match (row.get(o), steps.get(o)) {
                    (Some(w), Some(step)) => self.quantized(block + o, *w, *step) as i8,
                    _ => 0,
                })
            };
            for pair in self.weights.chunks((2 * outputs).max(1)) {
                let (first, second) = pair.split_at(outputs.min(pair.len()));
                for word in pack_int8(quantized(first), quantized(second)) {
                    take(&word.to_le_bytes());
                }
            }
        }
        for o in 0..padded {
            let bias = nearest(f64::from(self.bias(o)) / self.sum_step(o));
            take(
                &bias
                    .wrapping_sub(if o < outputs { self.of_zero_point(o) } else { 0 })
                    .to_le_bytes(),
            );
        }
        for o in 0..padded {
            let multiplier = self.sum_step(o) / f64::from(step) * 4_294_967_296.0;
            let of_an_output = if o < outputs { nearest(multiplier) } else { 0 };
            take(&of_an_output.to_le_bytes());
        }
    }
}

/// The nearest integer, halves away from zero; the nearest that there is, if it is outside the range.
fn nearest(x: f64) -> i32 {
    (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: (&[f32], &[f32]) = (&[], &[]);

    #[test]
    fn nearest_rounds_halves_away_from_zero_and_saturates() {
        let values = [0.0, 0.49, 0.5, 1.5, -0.49, -0.5, -2.5, 1e30, -1e30, f64::NAN];
        let expected = [0, 0, 1, 2, 0, -1, -3, i32::MAX, i32::MIN, 0];
        assert_eq!(values.map(nearest), expected);
    }

    #[test]
    fn the_shift_of_standardised_inputs_goes_into_the_bias_as_numerics_says() {
        let map = InputMap { scale: 0.0127, shift: -0.42 };
        let dense = Floats {
            weights: &[0.5, -1.0, 0.25, 2.0],
            bias: &[0.1, -0.2],
            after: NONE,
            map,
            zero_point: 0,
        };
        let sums = [0.0 + 0.5 + 0.25, 0.0 + -1.0 + 2.0_f32];
        let expected = [0.1 + 0.0 + sums[0] * -0.42, -0.2 + 0.0 + sums[1] * -0.42_f32];
        assert_eq!([0, 1].map(|o| dense.bias(o).to_bits()), expected.map(f32::to_bits));
    }

    #[test]
    fn a_bias_far_above_the_weights_coarsens_its_output_alone() {
        let map = InputMap { scale: 1.0, shift: 0.0 };
        let dense = Floats {
            weights: &[1e-9, 1.0, 0.0],
            bias: &[100.0, 0.0, 0.0],
            after: NONE,
            map,
            zero_point: 0,
        };
        assert_eq!(
            [0, 1, 2].map(|o| dense.weight_step(o)),
            [100.0 / LARGEST_BIAS, 1.0 / 127.0, 1.0]
        );
    }
}
