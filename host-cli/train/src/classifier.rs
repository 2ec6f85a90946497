//! Runs a network over samples: the only loop over a data set.

use anyhow::{Result, bail};
use picomlp::{
    Batch, Error, InputMap, Layer, Loss, LossKind, Model, Network, QuantizedModel, Sequential,
    Threads, argmax,
};
use rayon::prelude::*;

use crate::data::{Dataset, Values};
use crate::pool::Pool;

/// Samples that go through the network together; their logits and hidden values stay in the caches.
const BATCH: usize = 256;

/// From this number of samples on, one class for all of them says something about the network.
const COLLAPSE_SAMPLES: usize = 20;

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
}

impl<'a> Classifier<'a> {
    /// A network in f32 that reads inputs by `map` and was trained with `loss`, which says what its outputs are.
    #[must_use]
    pub fn new(net: &'a Sequential, params: &'a [f32], map: InputMap, loss: LossKind) -> Self {
        Self { form: Form::F32(net, params), map, loss }
    }

    /// The f32 form of a model.
    #[must_use]
    pub fn f32(model: &'a Model<'_, Sequential>) -> Self {
        Self::new(model.net(), model.params(), model.blob().input_map(), model.loss_kind())
    }

    /// The int8 form of a model that was trained with `loss`; its outputs are the integers times their step.
    #[must_use]
    pub fn int8(model: &'a QuantizedModel<'a, Sequential>, loss: LossKind) -> Self {
        Self { form: Form::Int8(model), map: InputMap::PIXELS, loss }
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
                    let Values::Bytes(inputs) = inputs else {
                        bail!("the int8 form reads pixels, not features: leave --int8 out");
                    };
                    let step = model.logit_step();
                    for (&sample, logits) in samples.iter().zip(logits.chunks_exact_mut(outputs)) {
                        let input = &inputs[sample as usize * width..][..width];
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

    fn make_probabilities(&self, outputs: &mut [f32]) {
        let samples = outputs.chunks_exact_mut(self.net().outputs());
        samples.for_each(|outputs| self.loss.probabilities(outputs));
    }

    /// Measures the network on `samples` of a labeled set.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data. Outputs that are not finite are no error: the loss is not finite either.
    pub fn evaluate(&self, pool: &Pool, data: &Dataset, samples: &[u32]) -> Result<Evaluation> {
        let classes = self.net().outputs();
        let loss = Loss::new(self.loss);
        let batches = self.run(pool, data, samples, true, |samples, logits| {
            let labels: Vec<u8> =
                samples.iter().map(|&sample| data.labels()[sample as usize] as u8).collect();
            let predicted: Vec<usize> = logits.chunks_exact(classes).map(argmax).collect();
            Ok((labels.clone(), predicted, f64::from(loss.sum(logits, &labels[..], classes)?)))
        })?;
        let mut confusion = vec![vec![0; classes]; classes];
        let mut sum = 0.0;
        for (labels, predicted, loss) in batches {
            for (label, predicted) in labels.into_iter().zip(predicted) {
                confusion[usize::from(label)][predicted] += 1;
            }
            sum += loss;
        }
        let correct = (0..classes).map(|class| confusion[class][class]).sum();
        let loss = sum / samples.len() as f64;
        let guessing = guessing(self.loss, classes);
        Ok(Evaluation { samples: samples.len(), correct, loss, confusion, guessing })
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

/// Accuracy, loss and confusion matrix of a network on labeled samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Samples whose class is predicted correctly.
    pub correct: usize,
    /// Mean loss, without smoothing: cross-entropy in nats, or squared error summed over the classes.
    pub loss: f64,
    /// Counts, `[true class][predicted class]`.
    pub confusion: Vec<Vec<usize>>,
    /// The loss of guessing: of a network that holds all classes equally probable.
    pub guessing: f64,
}

impl Evaluation {
    /// Returns the fraction of samples whose class is predicted correctly.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// Says so if one class is predicted for all samples, which are of several.
    #[must_use]
    pub fn collapse(&self, name: impl Fn(usize) -> String) -> Option<String> {
        let classes = self.confusion.len();
        let present = self.confusion.iter().filter(|row| row.iter().any(|count| *count > 0));
        let is_predicted = |class: &usize| self.confusion.iter().any(|row| row[*class] > 0);
        let mut predicted = (0..classes).filter(is_predicted);
        let (only, None) = (predicted.next()?, predicted.next()) else { return None };
        (present.count() > 1 && self.samples >= COLLAPSE_SAMPLES).then(|| {
            format!("class {} is predicted for all {} samples measured", name(only), self.samples)
        })
    }

    /// Says that the loss is above that of guessing.
    #[must_use]
    pub fn worse_than_guessing(&self) -> String {
        format!("the loss, {:.4}, is above that of guessing, {:.4}", self.loss, self.guessing)
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

    /// Returns the samples of the set whose class is predicted wrongly, the most certain predictions first.
    #[must_use]
    pub fn mistakes(&self, data: &Dataset) -> Vec<usize> {
        let is_mistake = |&sample: &usize| self.predicted[sample] != data.label(sample);
        let mut mistakes: Vec<usize> = (0..data.len()).filter(is_mistake).collect();
        mistakes.sort_by(|a, b| self.certainty(*b).total_cmp(&self.certainty(*a)).then(a.cmp(b)));
        mistakes
    }
}
