//! Runs a network over samples: the only loop over a data set.

use anyhow::{Result, bail};
use picomlp::{
    Batch, Error, InputMap, Layer, LossKind, Model, Network, QuantizedModel, Sequential,
};
use rayon::prelude::*;

use crate::data::{Dataset, Scaling, Values};
use crate::measures::{ClassMeasures, Evaluation};
use crate::pool::Pool;

mod evaluate;

pub(crate) use evaluate::guessing;

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
    /// The score above which a sample is an anomaly.
    threshold: Option<f32>,
}

impl<'a> Classifier<'a> {
    /// A network in f32 that reads inputs by `map` and was trained with `loss`, which says what its outputs are.
    #[must_use]
    pub fn new(net: &'a Sequential, params: &'a [f32], map: InputMap, loss: LossKind) -> Self {
        Self { form: Form::F32(net, params), map, loss, features: None, threshold: None }
    }

    /// The f32 form of a model.
    #[must_use]
    pub fn f32(model: &'a Model<'_, Sequential>) -> Self {
        let blob = model.blob();
        let threshold = blob.anomaly_threshold().map(|threshold| threshold.score);
        Self {
            threshold,
            ..Self::new(model.net(), model.params(), blob.input_map(), model.loss_kind())
        }
    }

    /// The same, with the score above which a sample is an anomaly.
    #[must_use]
    pub fn with_threshold(self, threshold: Option<f32>) -> Self {
        Self { threshold, ..self }
    }

    /// The int8 form of a model that was trained with `loss`; its outputs are the integers times their step.
    #[must_use]
    pub fn int8(model: &'a QuantizedModel<'a, Sequential>, loss: LossKind) -> Self {
        let (map, features, threshold) = (InputMap::PIXELS, None, None);
        Self { form: Form::Int8(model), map, loss, features, threshold }
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
        let part = samples.len().div_ceil(pool.threads()).next_multiple_of(BATCH).max(BATCH);
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

    /// Returns the probability of each class or label for `inputs`, `[len][inputs]`: `[len][outputs]`, or `[len][2]` of one output.
    ///
    /// # Errors
    ///
    /// Those of [`logits`](Self::logits).
    pub fn probabilities(&self, inputs: &Values) -> Result<Vec<f32>> {
        Ok(self.all_probabilities(&self.logits(inputs)?))
    }

    fn all_probabilities(&self, outputs: &[f32]) -> Vec<f32> {
        let mut probabilities = Vec::with_capacity(outputs.len());
        for outputs in outputs.chunks_exact(self.net().outputs()) {
            self.extend_by_probabilities(outputs, &mut probabilities);
        }
        probabilities
    }

    /// Returns the class that the outputs of one sample predict.
    #[must_use]
    pub fn class(&self, outputs: &[f32]) -> usize {
        self.loss.class(outputs)
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

    /// Returns the number of classes that the outputs tell apart.
    fn classes(&self) -> usize {
        self.net().outputs().max(2)
    }

    /// Appends the probability of each class: of both, if there is one output for two.
    fn extend_by_probabilities(&self, outputs: &[f32], probabilities: &mut Vec<f32>) {
        let start = probabilities.len();
        probabilities.extend_from_slice(outputs);
        self.loss.probabilities(&mut probabilities[start..]);
        if outputs.len() == 1 {
            probabilities.insert(start, 1.0 - probabilities[start]);
        }
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
        let classes = self.classes();
        let batches = self.run(pool, data, &data.all(), false, |_, outputs| {
            let rows = outputs.chunks_exact(self.net().outputs());
            let predicted: Vec<usize> = rows.map(|row| self.loss.class(row)).collect();
            Ok((self.all_probabilities(outputs), predicted))
        })?;
        let (probabilities, predicted): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
        let (probabilities, predicted) = (probabilities.concat(), predicted.concat());
        let mut confusion = vec![vec![0; classes]; classes];
        for (label, predicted) in data.labels().iter().zip(&predicted) {
            confusion[usize::from(*label)][*predicted] += 1;
        }
        Ok(Predictions { probabilities, predicted, confusion })
    }
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

    /// Returns what was measured of each class.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassMeasures> {
        Evaluation { confusion: self.confusion.clone(), ..Evaluation::default() }.classes()
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
