//! Puts a network together from what a file says, first layer to last.

use anyhow::{Context, Result, bail, ensure};
use picomlp::layers::LayerList;
use picomlp::{AnyLayer, InputMap, Layer, Sequential};

/// `x·scale + shift`, with one value for all inputs or one for each.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

impl Affine {
    pub(super) fn scale(scale: Vec<f64>) -> Self {
        Self { scale, shift: vec![0.0] }
    }

    pub(super) fn shift(shift: Vec<f64>) -> Self {
        Self { scale: vec![1.0], shift }
    }

    /// Batch normalization at inference.
    pub(super) fn batch_norm(
        [gamma, beta, mean, variance]: [&[f32]; 4],
        epsilon: f32,
    ) -> Result<Self> {
        let width = gamma.len();
        ensure!(
            [beta, mean, variance].iter().all(|values| values.len() == width),
            "batch normalization: its scale, shift, mean and variance differ in length"
        );
        let (epsilon, mut affine) = (f64::from(epsilon), Self::scale(Vec::new()));
        affine.shift.clear();
        for i in 0..width {
            let [gamma, beta, mean, variance] =
                [gamma, beta, mean, variance].map(|values| f64::from(values[i]));
            let factor = gamma / (variance + epsilon).sqrt();
            affine.scale.push(factor);
            affine.shift.push(beta - mean * factor);
        }
        Ok(affine)
    }

    /// `self`, then `next`.
    fn then(&self, next: &Self) -> Result<Self> {
        let width = [&self.scale, &self.shift, &next.scale, &next.shift];
        let width = width.iter().map(|values| values.len()).max().unwrap_or(1);
        self.check(width)?;
        next.check(width)?;
        let [scale, shift] = [&self.scale, &self.shift].map(|values| of(values));
        let [next_scale, next_shift] = [&next.scale, &next.shift].map(|values| of(values));
        Ok(Self {
            scale: (0..width).map(|i| scale(i) * next_scale(i)).collect(),
            shift: (0..width).map(|i| shift(i) * next_scale(i) + next_shift(i)).collect(),
        })
    }

    fn check(&self, width: usize) -> Result<()> {
        for values in [&self.scale, &self.shift] {
            let got = values.len();
            ensure!(
                got == 1 || got == width,
                "{got} constants scale or shift {width} values: expected 1 or {width}"
            );
        }
        Ok(())
    }
}

/// When an affine map behind a dense layer becomes a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Always: batch normalization, as in training.
    Always,
    /// If the layer has no bias: a sum, which then is its bias.
    AsBias,
    /// Never: it stays a layer of its own, which computes the same bits.
    Never,
}

/// Value `i` of one for all, or of one for each.
fn of(values: &[f64]) -> impl Fn(usize) -> f64 {
    move |i| if values.len() == 1 { values[0] } else { values[i] }
}

/// A network, as far as it has been read.
///
/// An affine map becomes a [`Rescale`](picomlp::Rescale) layer, with two exceptions: batch normalization behind a dense layer, and a
/// sum that is that layer's bias, are folded into it; and one scale and shift for all inputs of the network becomes its input map.
#[derive(Default)]
pub(super) struct Builder {
    layers: LayerList,
    params: Vec<f32>,
    /// What the next layer reads its inputs through: maps that follow each other make one layer.
    waiting: Option<Affine>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

impl Builder {
    /// Adds a dense layer of weights `[inputs][outputs]`.
    pub(super) fn dense(
        &mut self,
        [inputs, outputs]: [usize; 2],
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<()> {
        let len = inputs.checked_mul(outputs);
        let is_matrix = len != Some(0) && len == Some(weights.len());
        ensure!(is_matrix, "its weights are {inputs} by {outputs}");
        let layer = match bias.map(<[f32]>::len) {
            None => AnyLayer::dense_no_bias(inputs, outputs),
            Some(got) if got == outputs => AnyLayer::dense(inputs, outputs),
            Some(got) => {
                bail!("its bias has {got} values, expected {outputs}, one for each output")
            }
        };
        self.settle(inputs)?;
        self.push(layer, &[weights, bias.unwrap_or_default()])
    }

    /// Adds `x·scale + shift`.
    pub(super) fn affine(&mut self, affine: Affine, fold: Fold) -> Result<()> {
        if let (None, Some(&AnyLayer::Dense(layer))) = (&self.waiting, self.layers.last())
            && (fold == Fold::Always || fold == Fold::AsBias && !layer.has_bias())
        {
            // (x·W + b)·s + t = x·(W·s) + (b·s + t)
            let outputs = layer.outputs();
            affine.check(outputs)?;
            let start = self.params.len() - layer.params();
            if !layer.has_bias() {
                self.params.resize(self.params.len() + outputs, 0.0);
                self.layers.pop();
                AnyLayer::dense(layer.inputs(), outputs).describe(&mut self.layers)?;
            }
            let (scale, shift) = (of(&affine.scale), of(&affine.shift));
            for (row, values) in self.params[start..].chunks_exact_mut(outputs).enumerate() {
                for (o, value) in values.iter_mut().enumerate() {
                    let shift = if row == layer.inputs() { shift(o) } else { 0.0 };
                    *value = (f64::from(*value) * scale(o) + shift) as f32;
                }
            }
            return Ok(());
        }
        self.waiting = Some(match self.waiting.take() {
            Some(before) => before.then(&affine)?,
            None => affine,
        });
        Ok(())
    }

    /// Adds a layer that works in place.
    pub(super) fn in_place(
        &mut self,
        layer: impl Fn(usize) -> AnyLayer,
        params: &[&[f32]],
    ) -> Result<()> {
        let before = self.layers.last().map(Layer::outputs);
        let width = before.context("it stands in front of the first dense layer")?;
        for values in params {
            let got = values.len();
            ensure!(got == width, "it has {got} values, expected {width}, one for each input");
        }
        self.settle(width)?;
        self.push(layer(width), params)
    }

    /// Makes a layer of the map that waits.
    fn settle(&mut self, width: usize) -> Result<()> {
        let Some(affine) = self.waiting.take() else { return Ok(()) };
        affine.check(width)?;
        let [scale, shift] = [&affine.scale, &affine.shift]
            .map(|values| (0..width).map(|i| of(values)(i) as f32).collect::<Vec<_>>());
        self.push(AnyLayer::rescale(width), &[&scale, &shift])
    }

    fn push(&mut self, layer: AnyLayer, params: &[&[f32]]) -> Result<()> {
        if let Some(before) = self.layers.last().map(Layer::outputs)
            && before != layer.inputs()
        {
            bail!("it has {} inputs, but the layer before has {before} outputs", layer.inputs());
        }
        layer.describe(&mut self.layers)?;
        params.iter().for_each(|values| self.params.extend_from_slice(values));
        Ok(())
    }

    /// The network, its parameters, and how it reads raw values if the file says so. `has_map` tells whether a network of that many
    /// inputs may have one scale and shift for them all.
    pub(super) fn finish(
        &mut self,
        has_map: impl FnOnce(usize) -> bool,
    ) -> Result<(Sequential, Vec<f32>, Option<InputMap>)> {
        let width = self.layers.last().map(Layer::outputs);
        self.settle(width.context("there is no dense layer in it")?)?;
        let mut map = None;
        if let Some(&AnyLayer::Rescale(first)) = self.layers.first() {
            let (scale, shift) = self.params[..first.params()].split_at(first.inputs());
            let is_one = |values: &[f32]| values.iter().all(|value| *value == values[0]);
            map = Some(InputMap { scale: 1.0, shift: 0.0 });
            if is_one(scale) && is_one(shift) && has_map(first.inputs()) {
                map = Some(InputMap { scale: scale[0], shift: shift[0] });
                self.params.drain(..first.params());
                self.layers.remove(0);
            }
        }
        let mut start = 0;
        for (i, layer) in self.layers.iter().enumerate() {
            let values = &self.params[start..start + layer.params()];
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let value = values[at];
                bail!("layer {i} ({layer}): parameter {at} is {value}, expected a finite number");
            }
            start += layer.params();
        }
        Ok((Sequential::new(self.layers.clone())?, core::mem::take(&mut self.params), map))
    }
}
