//! Losses that hold each output against a value of its own, and their gradients, in place of the outputs.
//!
//! The loss of a sample is the sum over its outputs, in ascending order from `+0.0`. With `d = a - t`:
//!
//! | | loss of an output | its derivative |
//! |---|---|---|
//! | squared error | `d²` | `2d` |
//! | absolute error | `|d|` | the sign of `d`, 0 at 0 |
//! | Huber | `d²/2` where `|d| ≤ δ`, else `δ·(|d| - δ/2)` | `d`, or `δ` with its sign |
//! | binary cross-entropy of a logit | `max(a, 0) - a·t + ln(1 + e^-|a|)` | `1/(1 + e^-a) - t` |
//!
//! A class as target is 1 at its output and 0 at the others; for a network of one output, classes 0 and 1 are the values 0
//! and 1. The sum has one order, so one value at a time is all there is to do: there is no faster twin.

use super::targets::{Targets, Terms};
use crate::math;

/// Replaces the outputs by `terms.scale` times the gradient of each sample's squared error; returns the sum of the
/// losses. A sum over the outputs, not a mean.
///
/// # Shapes
///
/// `outputs: [batch][terms.outputs]`, `targets` for as many samples. Outputs without a target stay as they are; a class
/// past the last one makes a target without a label.
pub fn squared_error(outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    pointwise(outputs, targets, terms, |a, t| {
        let difference = a - t;
        (difference * difference, 2.0 * difference)
    })
}

/// As [`squared_error`] for the absolute error.
pub fn absolute_error(outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    pointwise(outputs, targets, terms, |a, t| {
        let difference = a - t;
        (difference.abs(), limited(difference, 0.0, 1.0))
    })
}

/// As [`squared_error`] for Huber's loss: half the square up to `terms.delta`, a line of that slope beyond.
pub fn huber(outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    let delta = terms.delta;
    pointwise(outputs, targets, terms, |a, t| {
        let (difference, size) = (a - t, (a - t).abs());
        let is_line = size > delta;
        let loss =
            if is_line { delta * (size - 0.5 * delta) } else { 0.5 * difference * difference };
        (loss, limited(difference, delta, delta))
    })
}

/// As [`squared_error`] for the binary cross-entropy of each logit; a target is a probability, 0 to 1.
pub fn binary_cross_entropy(logits: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
    pointwise(logits, targets, terms, |z, t| {
        let is_positive = z > 0.0;
        // The exponential of no positive number: it doesn't overflow.
        let e = math::exp(if is_positive { -z } else { z });
        let hinge = if is_positive { z - z * t } else { 0.0 - z * t };
        let probability = if is_positive { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
        (hinge + math::ln_1p(e), probability - t)
    })
}

/// `difference` up to `size`, and `limit` with its sign beyond; NaN stays NaN.
fn limited(difference: f32, size: f32, limit: f32) -> f32 {
    if difference > size {
        limit
    } else if difference < -size {
        -limit
    } else {
        difference
    }
}

/// What the losses of this file are: `each` gives the loss of an output and its derivative.
#[inline(always)]
fn pointwise(
    outputs: &mut [f32],
    targets: Targets<'_>,
    terms: &Terms<'_>,
    each: impl Fn(f32, f32) -> (f32, f32),
) -> f32 {
    let width = terms.outputs.max(1);
    let classes = if width == 1 { 2 } else { width };
    let (kept, spread) = (1.0 - terms.smoothing, terms.smoothing / classes as f32);
    let mut total = terms.loss_before;
    let samples = targets.samples(width);
    for (sample, outputs) in outputs.chunks_exact_mut(width).take(samples).enumerate() {
        let class = targets.class(sample);
        let mut values = targets.values(sample, width).iter();
        let weight = terms.weight(class);
        let scale = terms.scale * weight;
        let first = usize::from(width == 1);
        let mut sum = 0.0;
        for (output, a) in outputs.iter_mut().enumerate() {
            let target = match values.next() {
                Some(value) => *value,
                None if class == Some(first + output) => kept + spread,
                None => spread,
            };
            let (loss, derivative) = each(*a, target);
            sum += loss;
            *a = derivative * scale;
        }
        total += sum * weight;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Terms<'_> = Terms::new(2);
    const FOUR: Terms<'_> = Terms::new(4);

    #[test]
    fn loss_is_summed_over_classes_and_samples_and_the_gradient_is_twice_the_difference() {
        let mut a = [0.5, 0.25, 1.0, -1.0];
        let loss = squared_error(&mut a, Targets::Classes(&[0, 1]), &TWO.scaled(0.5));
        assert_eq!(loss, 0.25 + 0.0625 + 1.0 + 4.0);
        assert_eq!(a, [-0.5, 0.25, 1.0, -2.0]);
    }

    #[test]
    fn classes_of_16_bits_and_one_hot_values_are_the_same_targets() {
        let losses = [squared_error, absolute_error, huber, binary_cross_entropy];
        for loss in losses {
            let mut outputs = [[0.5, 0.25, 1.0, -1.0]; 3];
            let [bytes, words, values] = &mut outputs;
            let expected = loss(bytes, Targets::Classes(&[0, 1]), &TWO);
            assert_eq!(loss(words, Targets::WideClasses(&[0, 1]), &TWO), expected);
            let one_hot = [1.0, 0.0, 0.0, 1.0];
            assert_eq!(loss(values, Targets::Values(&one_hot), &TWO), expected);
            assert!(bytes == words && bytes == values);
        }
    }

    #[test]
    fn the_classes_of_one_output_are_the_values_0_and_1() {
        let mut a = [0.25, 0.25];
        let terms = Terms::new(1);
        assert_eq!(squared_error(&mut a, Targets::Classes(&[0, 1]), &terms), 0.0625 + 0.5625);
        assert_eq!(a, [0.5, -1.5]);
    }

    #[test]
    fn smoothing_moves_its_share_of_the_target_to_all_classes() {
        let mut a = [0.0; 4];
        let terms = Terms { smoothing: 0.5, ..FOUR };
        let loss = squared_error(&mut a, Targets::Classes(&[2]), &terms);
        assert_eq!(loss, 0.625 * 0.625 + 3.0 * 0.125 * 0.125);
        assert_eq!(a, [-0.25, -0.25, -1.25, -0.25]);
    }

    #[test]
    fn the_weight_of_its_class_multiplies_loss_and_gradient_of_a_sample() {
        let mut a = [0.5, 0.5, 0.5, 0.5];
        let terms = Terms { class_weights: &[1.0, 3.0], loss_before: 10.0, ..TWO };
        assert_eq!(squared_error(&mut a, Targets::Classes(&[0, 1]), &terms), 10.0 + 0.5 + 1.5);
        assert_eq!(a, [-1.0, 1.0, 3.0, -3.0]);
    }

    #[test]
    fn absolute_error_and_huber_turn_into_lines() {
        let targets = [0.0; 4];
        let mut a = [0.0, -3.0, 0.5, 2.0];
        assert_eq!(absolute_error(&mut a, Targets::Values(&targets), &FOUR.scaled(0.5)), 5.5);
        assert_eq!(a, [0.0, -0.5, 0.5, 0.5]);
        let mut a = [0.0, -3.0, 0.5, 2.0];
        let terms = Terms { delta: 2.0, ..FOUR };
        assert_eq!(huber(&mut a, Targets::Values(&targets), &terms), 4.0 + 0.125 + 2.0);
        assert_eq!(a, [0.0, -2.0, 0.5, 2.0]);
    }

    /// Each step rounds once: a few units of the largest term. `z - z·t` cancels to the rounding of `z·t`.
    #[test]
    fn binary_cross_entropy_agrees_with_f64_and_does_not_overflow() {
        for z in [-1e4f32, -90.0, -17.5, -1.0, -1e-3, 0.0, 0.3, 5.0, 40.0, 1e4] {
            for t in [0.0f32, 0.25, 1.0] {
                let mut gradient = [z];
                let terms = Terms::new(1);
                let loss = binary_cross_entropy(&mut gradient, Targets::Values(&[t]), &terms);
                let (z, t) = (f64::from(z), f64::from(t));
                let expected = z.max(0.0) - z * t + libm::log1p(libm::exp(-z.abs()));
                let slope = 1.0 / (1.0 + libm::exp(-z)) - t;
                let unit = f64::from(f32::EPSILON);
                let error = (f64::from(loss) - expected).abs();
                assert!(
                    error <= 2.0 * unit * (z.abs() + 1.0).min(1.0 + expected),
                    "{z} {t}: {loss}"
                );
                assert!((f64::from(gradient[0]) - slope).abs() <= 2.0 * unit, "{z} {t}");
            }
        }
    }

    #[test]
    fn a_nan_output_gives_a_nan_loss_and_no_sample_none() {
        for loss in [squared_error, absolute_error, huber, binary_cross_entropy] {
            assert!(loss(&mut [1.0, f32::NAN], Targets::Classes(&[0]), &TWO).is_nan());
            assert_eq!(loss(&mut [], Targets::Classes(&[]), &TWO), 0.0);
        }
    }
}
