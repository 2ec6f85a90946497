//! Whether the gradients are the slopes of the loss.

use core::ops::Range;

use anyhow::{Result, ensure};
use picomlp::blob::TargetKind;
use picomlp::rng::{Purpose, Stream, permute};
use picomlp::{AnyLayer, Batch, Layer, Network, Objective, Sequential};

use crate::config::TrainConfig;
use crate::data::Dataset;
use crate::reference;

/// The step of the differences: its square and f64's rounding divided by it are both far below f32's rounding.
const STEP: f64 = 1e-5;

/// What was found about one layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerCheck {
    /// The layer in words.
    pub layer: String,
    /// Number of its parameters.
    pub parameters: usize,
    /// Parameters that were compared.
    pub checked: usize,
    /// Parameters whose step led over the kink of a rectifier, where there is no slope.
    pub at_kinks: usize,
    /// The largest relative error.
    pub worst: f64,
}

/// A network, the samples of one step, and the gradient of its loss.
#[derive(Debug)]
pub struct Gradcheck {
    net: Sequential,
    objective: Objective<'static>,
    inputs: Vec<f64>,
    labels: Vec<u8>,
    params: Vec<f64>,
    gradient: Vec<f32>,
    /// The loss.
    pub loss: f32,
}

impl Gradcheck {
    /// Computes the gradient of the network that a run with these settings begins with, on the first `config.batch_size` samples
    /// of `data`.
    ///
    /// # Errors
    ///
    /// If the settings make no network, or the batch is too small for it.
    pub fn new(config: &TrainConfig, data: &Dataset) -> Result<Self> {
        let net = config.model.build(data.pixels(), config.outputs(data)?)?;
        let samples = data.all();
        let samples = &samples[..data.len() - data.own_validation - data.own_test];
        let batch = (config.batch_size as usize).min(samples.len());
        let least = net.shape().min_batch;
        ensure!(
            batch >= least,
            "--batch-size {batch}: this network is trained on {least} samples at least"
        );
        let objective =
            Objective { loss: config.loss.build(TargetKind::Classes)?, seed: config.seed, step: 0 };
        let mut params = vec![0.0; net.params()];
        net.init(&mut params, config.init.0, config.seed)?;
        let (inputs, labels) = (data.images(), data.byte_labels());
        ensure!(
            !inputs.is_empty() && !labels.is_empty(),
            "{}: expected images and classes",
            data.source
        );
        let (inputs, labels) = (&inputs[..batch * data.pixels()], labels[..batch].to_vec());
        let map = config.inputs.map(data, samples)?;
        let x = Batch::rows(inputs, data.pixels())?.with_map(map);
        let mut gradient = vec![0.0; net.params()];
        let mut scratch = vec![0.0; net.train_scratch(batch)];
        let loss =
            net.gradient_of(&objective, &params, x, &labels[..], &mut gradient, &mut scratch)?;
        let (scale, shift) = (f64::from(map.scale), f64::from(map.shift));
        let inputs = inputs.iter().map(|input| f64::from(*input) * scale + shift).collect();
        let params = params.into_iter().map(f64::from).collect();
        Ok(Self { net, objective, inputs, labels, params, gradient, loss })
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// Compares the gradient with central differences in double precision; calls `report` after each layer with parameters.
    ///
    /// Of each layer at most `count` parameters are compared: half of them taken from all, half from those whose gradient is not
    /// 0. The error is relative to the larger of both values, or to a thousandth of the layer's largest gradient if that is more.
    ///
    /// # Errors
    ///
    /// If the network has a layer of an unknown kind, or `report` fails.
    pub fn check(
        &mut self,
        count: usize,
        mut report: impl FnMut(&LayerCheck) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        for (place, layer) in self.net.layers().to_vec().iter().enumerate() {
            let range = at..at + trained_params(layer);
            at += layer.params();
            if range.is_empty() {
                continue;
            }
            let chosen = choose(self.objective.seed, count, place, range.clone(), &self.gradient);
            let found = self.layer(range, &chosen)?;
            report(&LayerCheck { layer: layer.to_string(), parameters: layer.params(), ..found })?;
        }
        Ok(())
    }

    /// Compares the chosen ones of the parameters `range`.
    fn layer(&mut self, range: Range<usize>, chosen: &[usize]) -> Result<LayerCheck> {
        let largest = self.gradient[range].iter().fold(0.0f32, |max, g| max.max(g.abs()));
        let mut found = LayerCheck::default();
        for &k in chosen {
            let before = self.params[k];
            let mut at = |value: f64| {
                self.params[k] = value;
                let Self { net, objective, params, inputs, labels, .. } = &*self;
                reference::loss(net, objective, params, inputs, labels)
            };
            let (up, down) = (at(before + STEP)?, at(before - STEP)?);
            self.params[k] = before;
            if up.sides != down.sides {
                found.at_kinks += 1;
                continue;
            }
            let (slope, got) = ((up.loss - down.loss) / (2.0 * STEP), f64::from(self.gradient[k]));
            let size = slope.abs().max(got.abs()).max(1e-3 * f64::from(largest));
            if size > 0.0 {
                found.worst = found.worst.max((got - slope).abs() / size);
            }
            found.checked += 1;
        }
        Ok(found)
    }
}

/// The parameters that a gradient moves: not running statistics, which stand last.
fn trained_params(layer: &AnyLayer) -> usize {
    layer.params() - layer.shape().constants
}

/// The parameters of a layer to compare, each once.
fn choose(
    seed: u64,
    count: usize,
    place: usize,
    range: Range<usize>,
    gradient: &[f32],
) -> Vec<usize> {
    let mut order = vec![0; range.len()];
    permute(&mut order, &mut Stream::of(seed, Purpose::Split, &[1, place as u64]));
    let order: Vec<usize> = order.iter().map(|i| range.start + *i as usize).collect();
    let half = count.div_ceil(2);
    let (first, rest) = order.split_at(half.min(order.len()));
    let moved = rest.iter().filter(|k| gradient[**k] != 0.0);
    first.iter().chain(moved.take(count / 2)).copied().collect()
}
