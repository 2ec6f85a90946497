//! Runs a network over samples: the only loop over a data set.

use anyhow::{Result, bail};
use picomlp::{
    AnyLayer, Batch, Error, InputMap, Layer, Loss, LossKind, Model, Network, QuantizedModel,
    Sequential, Threads, argmax,
};
use rayon::prelude::*;

use crate::data::{BatchTargets, Dataset, Scaling, Targets, Values};
use crate::measures::{Evaluation, Regression, roc_auc};
use crate::pool::Pool;

/// Samples that go through the network together; their logits and hidden values stay in the caches.
const BATCH: usize = 256;

/// The form of a network's parameters.
#[derive(Clone, Copy)]
enum Form<'a> {
    F32(&'a Sequential, &'a [f32]),
    Int8(&'a QuantizedModel<'a, Sequential>),
}

/// A trained network and how it is used.
#[derive(Clone, Copy)]
pub struct Classifier<'a> {
    form: Form<'a>,
    map: InputMap,
    loss: LossKind,
    /// What features are brought to before the network reads them.
    features: Option<&'a Scaling>,
}

impl<'a> Classifier<'a> {
    /// A network in f32 that reads inputs by `map` and was trained with `loss`, which says what its outputs are.
    #[must_use]
    pub fn new(net: &'a Sequential, params: &'a [f32], map: InputMap, loss: LossKind) -> Self {
        Self { form: Form::F32(net, params), map, loss, features: None }
    }

    /// The f32 form of a model.
    #[must_use]
    pub fn f32(model: &'a Model<'_, Sequential>) -> Self {
        Self::new(model.net(), model.params(), model.blob().input_map(), model.loss_kind())
    }

    /// The int8 form of a model that was trained with `loss`; its outputs are the integers times their step.
    #[must_use]
    pub fn int8(model: &'a QuantizedModel<'a, Sequential>, loss: LossKind) -> Self {
        Self { form: Form::Int8(model), map: InputMap::PIXELS, loss, features: None }
    }

    /// The same, for a network that reads features brought to this scale.
    pub(crate) fn scaled(self, features: &'a Scaling) -> Self {
        let is_any = !(features.scales.is_empty() && features.fill.is_empty());
        Self { features: is_any.then_some(features), ..self }
    }

    fn net(&self) -> &Sequential {
        match self.form {
            Form::F32(net, _) => net,
            Form::Int8(model) => model.net(),
        }
    }

    /// Calls `visit` with each batch of `samples`, which are indices into `inputs`, `[..][inputs]`, and its outputs.
    ///
    /// # Errors
    ///
    /// If the network does not fit the inputs, or `visit` fails; unless `lenient`, if an output is not finite.
    fn batches<R>(
        &self,
        inputs: &Values,
        samples: &[u32],
        lenient: bool,
        visit: &impl Fn(&[u32], &mut [f32]) -> Result<R>,
    ) -> Result<Vec<R>> {
        let (width, outputs) = (self.net().inputs(), self.net().outputs());
        let mut logits = vec![0.0; BATCH * outputs];
        let (floats, integers) = match self.form {
            Form::F32(net, _) => (net.infer_scratch(BATCH.min(samples.len())), 0),
            Form::Int8(model) => (0, model.scratch_len()),
        };
        let (mut floats, mut integers) = (vec![0.0; floats], vec![0; integers]);
        let mut bytes = vec![0; width];
        let mut results = Vec::with_capacity(samples.len().div_ceil(BATCH));
        for samples in samples.chunks(BATCH) {
            let logits = &mut logits[..samples.len() * outputs];
            match self.form {
                Form::F32(net, params) => {
                    let done = match inputs {
                        Values::Bytes(inputs) => {
                            let x = Batch::gather(inputs, width, samples)?.with_map(self.map);
                            net.forward(params, x, logits, &mut floats)
                        }
                        Values::Floats(inputs) if self.features.is_some() => {
                            let row = |&s: &u32| &inputs[s as usize * width..][..width];
                            let mut rows =
                                samples.iter().flat_map(row).copied().collect::<Vec<_>>();
                            self.features.iter().for_each(|scaling| scaling.apply(&mut rows));
                            net.forward(params, &rows[..], logits, &mut floats)
                        }
                        Values::Floats(inputs) => {
                            let x = Batch::gather(inputs, width, samples)?.with_map(self.map);
                            net.forward(params, x, logits, &mut floats)
                        }
                    };
                    match done {
                        Err(Error::OutputNotFinite { .. }) if lenient => {}
                        done => done?,
                    }
                }
                Form::Int8(model) => {
                    let step = model.logit_step();
                    for (&sample, logits) in samples.iter().zip(logits.chunks_exact_mut(outputs)) {
                        let start = sample as usize * width;
                        let input = match inputs {
                            Values::Bytes(inputs) => &inputs[start..][..width],
                            Values::Floats(inputs) => {
                                model.read_features(&inputs[start..][..width], &mut bytes)?;
                                &bytes
                            }
                        };
                        let z = model.logits(input, &mut integers)?;
                        logits.iter_mut().zip(z).for_each(|(y, z)| *y = *z as f32 * step);
                    }
                }
            }
            results.push(visit(samples, logits)?);
        }
        Ok(results)
    }

    /// As [`batches`](Self::batches), on all threads of the pool; results are in the order of the samples.
    pub(crate) fn run<R: Send>(
        &self,
        pool: &Pool,
        data: &Dataset,
        samples: &[u32],
        lenient: bool,
        visit: impl Fn(&[u32], &mut [f32]) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        // Whole batches for each thread.
        let part = samples.len().div_ceil(pool.count()).next_multiple_of(BATCH).max(BATCH);
        let run = |samples: &[u32]| self.batches(&data.inputs, samples, lenient, &visit);
        let parts: Result<Vec<_>> = pool.run(|| samples.par_chunks(part).map(run).collect());
        Ok(parts?.into_iter().flatten().collect())
    }

    /// Returns the outputs for `inputs`, `[len][inputs]`, as `[len][outputs]`.
    ///
    /// # Errors
    ///
    /// If the network does not fit the inputs, or an output is not finite.
    pub fn logits(&self, inputs: &Values) -> Result<Vec<f32>> {
        let samples: Vec<u32> = (0..).take(inputs.len() / self.net().inputs()).collect();
        Ok(self.batches(inputs, &samples, false, &|_, logits| Ok(logits.to_vec()))?.concat())
    }

    /// Returns the probability of each class for `inputs`, `[len][inputs]`, as `[len][outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    pub fn probabilities(&self, inputs: &Values) -> Result<Vec<f32>> {
        let mut values = self.logits(inputs)?;
        self.make_probabilities(&mut values);
        Ok(values)
    }

    /// Returns the outputs for every sample of a set, as [`logits`](Self::logits) does, on all threads.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    pub fn outputs(&self, pool: &Pool, data: &Dataset) -> Result<Vec<f32>> {
        Ok(self.run(pool, data, &data.all(), false, |_, outputs| Ok(outputs.to_vec()))?.concat())
    }

    /// Returns how far an autoencoder's outputs are from its inputs: the mean square over the features of a sample, each in
    /// standard deviations of the training data.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits); if the inputs are images.
    pub fn scores(&self, inputs: &Values) -> Result<Vec<f32>> {
        let Values::Floats(targets) = inputs else { bail!("images have no anomaly score") };
        Ok(self.scores_of(&self.logits(inputs)?, targets, &Scaling::default()))
    }

    /// Scores of samples, whose targets have been scaled by `scaling`, or by the network.
    fn scores_of(&self, outputs: &[f32], targets: &[f32], scaling: &Scaling) -> Vec<f32> {
        let width = self.net().outputs();
        let scales = match self.form {
            Form::F32(net, params) if scaling.scales.is_empty() => match net.layers()[0] {
                AnyLayer::Rescale(_) => params.get(..width).unwrap_or_default(),
                _ => &[],
            },
            _ => &[],
        };
        let score = |(y, t): (&[f32], &[f32])| {
            let scales = scales.iter().copied().chain(core::iter::repeat(1.0));
            let errors = y.iter().zip(t).zip(scales).map(|((y, t), scale)| (y - t) * scale);
            errors.fold(0.0, |sum, error| sum + error * error) / width as f32
        };
        outputs.chunks_exact(width).zip(targets.chunks_exact(width)).map(score).collect()
    }

    fn make_probabilities(&self, outputs: &mut [f32]) {
        let samples = outputs.chunks_exact_mut(self.net().outputs());
        samples.for_each(|outputs| self.loss.probabilities(outputs));
    }

    /// Measures the network on `samples` of a set with targets, which are scaled as the network's outputs are.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data. Outputs that are not finite are no error: the loss is not finite either.
    pub(crate) fn evaluate_scaled(
        &self,
        pool: &Pool,
        data: &Dataset,
        samples: &[u32],
        scaling: &Scaling,
    ) -> Result<Evaluation> {
        let outputs = self.net().outputs();
        let loss = Loss::new(self.loss);
        let are_values = matches!(data.targets, Targets::Values(_));
        let batches = self.run(pool, data, samples, true, |samples, logits| {
            let mut targets = BatchTargets::default();
            targets.take(data, samples, scaling);
            let mut batch = Measured::default();
            if are_values {
                batch.errors = vec![[0.0; 2]; outputs];
                for (i, (y, t)) in logits.iter().zip(targets.values()).enumerate() {
                    let (sums, error) =
                        (&mut batch.errors[i % outputs], f64::from(*y) - f64::from(*t));
                    *sums = [sums[0] + error * error, sums[1] + error.abs()];
                }
                if !data.anomalous.is_empty() {
                    let scores = self.scores_of(logits, targets.values(), scaling);
                    let anomalous = samples.iter().map(|&sample| data.anomalous[sample as usize]);
                    batch.scores = scores.into_iter().zip(anomalous).collect();
                }
            } else {
                batch.predicted = logits.chunks_exact(outputs).map(argmax).collect();
                if outputs == 2 {
                    let rows = logits.chunks_exact(2).zip(targets.labels());
                    batch.scores = rows.map(|(z, label)| (z[1] - z[0], *label == 1)).collect();
                }
            }
            batch.loss = f64::from(loss.sum(logits, targets.get(), outputs)?);
            batch.targets = targets;
            Ok(batch)
        })?;
        let classes = if are_values { 0 } else { outputs };
        let mut found = Evaluation {
            samples: samples.len(),
            confusion: vec![vec![0; classes]; classes],
            guessing: guessing(self.loss, outputs),
            ..Evaluation::default()
        };
        let (mut errors, mut values, mut scores) =
            (vec![[0.0; 2]; outputs], Vec::new(), Vec::new());
        for batch in batches {
            for (label, predicted) in batch.targets.labels().iter().zip(batch.predicted) {
                found.confusion[usize::from(*label)][predicted] += 1;
            }
            for (sum, error) in errors.iter_mut().zip(batch.errors) {
                *sum = [sum[0] + error[0], sum[1] + error[1]];
            }
            values.extend_from_slice(batch.targets.values());
            scores.extend(batch.scores);
            found.loss += batch.loss;
        }
        found.loss /= samples.len() as f64;
        found.correct = (0..classes).map(|class| found.confusion[class][class]).sum();
        found.auc = roc_auc(&mut scores);
        if are_values {
            let measured = Regression::new(&errors, &values, samples.len());
            found.guessing = match self.loss {
                LossKind::MeanSquaredError => measured.variance,
                _ => f64::INFINITY,
            };
            found.regression = Some(measured);
        }
        Ok(found)
    }

    /// Measures the network on `samples` of a set with targets.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data. Outputs that are not finite are no error: the loss is not finite either.
    pub fn evaluate(&self, pool: &Pool, data: &Dataset, samples: &[u32]) -> Result<Evaluation> {
        self.evaluate_scaled(pool, data, samples, &Scaling::default())
    }

    /// Predicts the class of every sample of a labeled set.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data, or an output is not finite.
    pub fn predict(&self, pool: &Pool, data: &Dataset) -> Result<Predictions> {
        let classes = self.net().outputs();
        let batches = self.run(pool, data, &data.all(), false, |_, outputs| {
            self.make_probabilities(outputs);
            Ok(outputs.to_vec())
        })?;
        let probabilities = batches.concat();
        let predicted: Vec<usize> = probabilities.chunks_exact(classes).map(argmax).collect();
        let mut confusion = vec![vec![0; classes]; classes];
        for (label, predicted) in data.labels().iter().zip(&predicted) {
            confusion[usize::from(*label)][*predicted] += 1;
        }
        Ok(Predictions { probabilities, predicted, confusion })
    }
}

/// Returns the mean loss of a network that holds all classes equally probable: ln(classes), or 1 - 1/classes for squared
/// error.
pub(crate) fn guessing(kind: LossKind, classes: usize) -> f64 {
    let mut equal = vec![1.0 / classes as f32; classes];
    // Without classes there is no loss to compare with.
    Loss::new(kind).sum(&mut equal, &[0], classes).map_or(f64::INFINITY, f64::from)
}

/// What was measured of a batch.
#[derive(Default)]
struct Measured {
    targets: BatchTargets,
    predicted: Vec<usize>,
    /// Of the second of two classes, and whether it is the sample's.
    scores: Vec<(f32, bool)>,
    /// Sums of squared and absolute errors of each value.
    errors: Vec<[f64; 2]>,
    loss: f64,
}

/// The predictions for all samples of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Probabilities, `[len][classes]`.
    pub probabilities: Vec<f32>,
    /// The most probable class of each sample.
    pub predicted: Vec<usize>,
    /// Counts, `[true class][predicted class]`.
    pub confusion: Vec<Vec<usize>>,
}

impl Predictions {
    /// Returns the probability of the predicted class of a sample.
    ///
    /// # Panics
    ///
    /// If there is no such sample.
    #[must_use]
    pub fn certainty(&self, sample: usize) -> f32 {
        self.probabilities[sample * self.confusion.len() + self.predicted[sample]]
    }

    /// Returns the number of samples whose class is predicted correctly.
    #[must_use]
    pub fn correct(&self) -> usize {
        (0..self.confusion.len()).map(|class| self.confusion[class][class]).sum()
    }

    /// Returns the samples of the set whose class is predicted wrongly, the most certain predictions first.
    #[must_use]
    pub fn mistakes(&self, data: &Dataset) -> Vec<usize> {
        let is_mistake = |&sample: &usize| self.predicted[sample] != data.label(sample);
        let mut mistakes: Vec<usize> = (0..data.len()).filter(is_mistake).collect();
        mistakes.sort_by(|a, b| self.certainty(*b).total_cmp(&self.certainty(*a)).then(a.cmp(b)));
        mistakes
    }
}
