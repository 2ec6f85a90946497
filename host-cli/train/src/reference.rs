//! The loss of a training step once more, in f64 and plain loops: what `gradcheck` holds the core's gradients against.

use anyhow::{Result, bail};
use picomlp::layers::Draws;
use picomlp::{AnyLayer, Layer, LossKind, Objective, Sequential};

/// A loss, and on which side of its kink each value before a rectifier was.
pub(crate) struct Loss64 {
    pub(crate) loss: f64,
    pub(crate) sides: Vec<bool>,
}

/// The loss of the samples `x: [batch][inputs]` in a training step.
///
/// # Errors
///
/// If the network has a layer of a kind that is not known here.
pub(crate) fn loss(
    net: &Sequential,
    objective: &Objective,
    params: &[f64],
    x: &[f64],
    labels: &[u8],
) -> Result<Loss64> {
    let (mut values, mut rest, mut sides) = (x.to_vec(), params, vec![]);
    for (place, layer) in net.layers().iter().enumerate() {
        let (params, after) = rest.split_at(layer.params());
        rest = after;
        let width = layer.outputs();
        match layer {
            AnyLayer::Dense(dense) => {
                let (weights, bias) = params.split_at(layer.inputs() * width);
                values = dense_layer(&values, layer.inputs(), width, weights, bias);
                debug_assert_eq!(bias.is_empty(), !dense.has_bias());
            }
            AnyLayer::Relu(_) => rectify(&mut values, 0.0, &mut sides),
            AnyLayer::LeakyRelu(leaky) => {
                rectify(&mut values, f64::from(leaky.slope()), &mut sides);
            }
            AnyLayer::Sigmoid(_) => values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp())),
            AnyLayer::Tanh(_) => values.iter_mut().for_each(|v| *v = v.tanh()),
            AnyLayer::LayerNorm(norm) => {
                for row in values.chunks_mut(width) {
                    normalize(row, 0, 1, f64::from(norm.epsilon()));
                }
                scale(&mut values, params);
            }
            AnyLayer::BatchNorm(norm) => {
                for column in 0..width {
                    normalize(&mut values, column, width, f64::from(norm.epsilon()));
                }
                scale(&mut values, &params[..2 * width]);
            }
            AnyLayer::Rescale(_) => scale(&mut values, params),
            AnyLayer::Dropout(dropout) => {
                let Objective { seed, step, .. } = *objective;
                let mut factors = vec![1.0; values.len()];
                dropout.drop(Draws { seed, step, layer: place, first: 0 }, &mut factors);
                values.iter_mut().zip(factors).for_each(|(v, f)| *v *= f64::from(f));
            }
            _ => bail!("{layer}: no reference for layers of this kind"),
        }
    }
    let rows = values.chunks(net.outputs()).zip(labels);
    let total: f64 = rows.map(|(row, label)| of_sample(objective, row, *label)).sum();
    let share = if objective.loss.is_summed() { 1.0 } else { 1.0 / labels.len() as f64 };
    Ok(Loss64 { loss: total * share, sides })
}

fn dense_layer(
    x: &[f64],
    inputs: usize,
    outputs: usize,
    weights: &[f64],
    bias: &[f64],
) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len() / inputs * outputs);
    for x in x.chunks(inputs) {
        let start = y.len();
        y.extend_from_slice(bias);
        y.resize(start + outputs, 0.0);
        for (x, row) in x.iter().zip(weights.chunks(outputs)).filter(|(x, _)| **x != 0.0) {
            y[start..].iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
        }
    }
    y
}

fn rectify(values: &mut [f64], slope: f64, sides: &mut Vec<bool>) {
    for v in values {
        sides.push(*v > 0.0);
        if *v <= 0.0 {
            *v *= slope;
        }
    }
}

/// Brings every `step`th value from `first` on to mean 0 and standard deviation 1.
fn normalize(values: &mut [f64], first: usize, step: usize, epsilon: f64) {
    let those = || values.iter().skip(first).step_by(step);
    let count = those().count() as f64;
    let mean = those().sum::<f64>() / count;
    let variance = those().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
    let rstd = 1.0 / (variance + epsilon).sqrt();
    values.iter_mut().skip(first).step_by(step).for_each(|v| *v = (*v - mean) * rstd);
}

/// Gain and shift, one after the other in `params`.
fn scale(values: &mut [f64], params: &[f64]) {
    let (gain, shift) = params.split_at(params.len() / 2);
    for row in values.chunks_mut(gain.len()) {
        row.iter_mut().zip(gain).zip(shift).for_each(|((v, gain), shift)| *v = *v * gain + shift);
    }
}

fn of_sample(objective: &Objective, outputs: &[f64], label: u8) -> f64 {
    let smoothing = f64::from(objective.loss.smoothing());
    let classes = outputs.len().max(2);
    let spread = smoothing / classes as f64;
    // A single output is that of class 1.
    let targets = (classes - outputs.len()..classes)
        .map(|class| if class == usize::from(label) { 1.0 - smoothing + spread } else { spread });
    let pairs = outputs.iter().zip(targets);
    match objective.loss.kind() {
        LossKind::SquaredError => pairs.map(|(a, t)| (a - t) * (a - t)).sum(),
        LossKind::BinaryCrossEntropy => {
            let each = pairs.map(|(z, t)| z.max(0.0) - z * t + (-z.abs()).exp().ln_1p());
            each.sum::<f64>() / outputs.len() as f64
        }
        _ => {
            let max = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = outputs.iter().map(|z| (z - max).exp()).sum();
            sum.ln() + max - pairs.map(|(z, t)| z * t).sum::<f64>()
        }
    }
}
