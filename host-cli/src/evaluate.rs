//! How well a network does on a labelled set.

use anyhow::Result;
use picomlp::{
    Batch, Error, InputMap, Layer, Loss, LossKind, Network, QuantizedModel, Sequential, Threads,
    argmax,
};
use rayon::prelude::*;

use crate::Pool;
use crate::data::Dataset;

/// Samples that go through the network together; their logits and hidden values stay in the caches.
const BATCH: usize = 256;

/// Samples from which on one class for all of them says something about the network.
const COLLAPSE_SAMPLES: usize = 20;

/// What a network made of a labelled set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Samples.
    pub samples: usize,
    /// Samples whose class was found.
    pub correct: usize,
    /// Mean loss, without smoothing: cross-entropy in nats, or squared error summed over the classes.
    pub loss: f64,
    /// Counts, `[true class][found class]`.
    pub confusion: Vec<Vec<usize>>,
    /// The loss of guessing: of a network that finds all classes equally probable.
    pub guessing: f64,
}

impl Evaluation {
    /// The share of samples whose class was found.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// Says so if one class is predicted for all samples, which are of several.
    pub(crate) fn collapse(&self, name: impl Fn(usize) -> String) -> Option<String> {
        let classes = self.confusion.len();
        let present = self.confusion.iter().filter(|row| row.iter().any(|count| *count > 0));
        let is_predicted = |class: &usize| self.confusion.iter().any(|row| row[*class] > 0);
        let mut predicted = (0..classes).filter(is_predicted);
        let (only, None) = (predicted.next()?, predicted.next()) else { return None };
        (present.count() > 1 && self.samples >= COLLAPSE_SAMPLES).then(|| {
            format!("class {} is predicted for all {} samples measured", name(only), self.samples)
        })
    }

    /// What there is to say where the loss is above that of guessing.
    pub(crate) fn worse_than_guessing(&self) -> String {
        format!("the loss, {:.4}, is above that of guessing, {:.4}", self.loss, self.guessing)
    }
}

/// Runs the samples of `data` that `order` names, their pixels read by `map`, on all threads of the pool.
///
/// # Errors
///
/// If the network does not fit the data.
pub fn evaluate<N: Layer + Sync>(
    pool: &Pool,
    net: &N,
    params: &[f32],
    data: &Dataset,
    map: InputMap,
    order: &[u32],
    loss: LossKind,
) -> Result<Evaluation> {
    in_batches(pool, net.outputs(), data, order, Loss::new(loss), || {
        let mut scratch = vec![0.0; net.infer_scratch(BATCH)];
        move |order: &[u32], logits: &mut [f32]| {
            let x = Batch::gather(&data.images, data.pixels(), order)?.with_map(map);
            match net.forward(params, x, logits, &mut scratch) {
                // The loss of such outputs is not finite either, and says so.
                Ok(()) | Err(Error::OutputNotFinite { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    })
}

/// As [`evaluate`], in int8; the loss is that of the logits times their step.
///
/// # Errors
///
/// If the network does not fit the data.
pub fn evaluate_int8(
    pool: &Pool,
    model: &QuantizedModel<'_, Sequential>,
    data: &Dataset,
    order: &[u32],
    loss: LossKind,
) -> Result<Evaluation> {
    let outputs = model.net().outputs();
    in_batches(pool, outputs, data, order, Loss::new(loss), || {
        let mut scratch = vec![0; model.scratch_len()];
        move |order: &[u32], logits: &mut [f32]| {
            for (&sample, logits) in order.iter().zip(logits.chunks_exact_mut(outputs)) {
                int8_logits(model, data.image(sample as usize), logits, &mut scratch)?;
            }
            Ok(())
        }
    })
}

/// The int8 logits of one picture times their step.
pub(crate) fn int8_logits(
    model: &QuantizedModel<'_, Sequential>,
    pixels: &[u8],
    logits: &mut [f32],
    scratch: &mut [i32],
) -> Result<()> {
    let step = model.logit_step();
    for (logit, z) in logits.iter_mut().zip(model.logits(pixels, scratch)?) {
        *logit = *z as f32 * step;
    }
    Ok(())
}

/// Counts what the logits say that a function made by `runner` finds, one function for each part of the samples.
fn in_batches<F: FnMut(&[u32], &mut [f32]) -> Result<()>>(
    pool: &Pool,
    classes: usize,
    data: &Dataset,
    order: &[u32],
    loss: Loss,
    runner: impl Fn() -> F + Sync,
) -> Result<Evaluation> {
    // Whole batches for each thread; results are added in the order of the samples, however many there are.
    let part = order.len().div_ceil(pool.count()).next_multiple_of(BATCH).max(BATCH);
    let run = |order: &[u32]| batches(classes, &data.labels, order, loss, runner());
    let parts: Result<Vec<_>> = pool.run(|| order.par_chunks(part).map(run).collect());
    let mut confusion = vec![vec![0; classes]; classes];
    let (kind, mut loss) = (loss.kind(), 0.0);
    for (counts, losses) in parts? {
        for (sum, count) in confusion.iter_mut().flatten().zip(counts.into_iter().flatten()) {
            *sum += count;
        }
        loss = losses.into_iter().fold(loss, |sum, loss| sum + loss);
    }
    let correct = (0..classes).map(|class| confusion[class][class]).sum();
    let loss = loss / order.len() as f64;
    let guessing = guessing(kind, classes);
    Ok(Evaluation { samples: order.len(), correct, loss, confusion, guessing })
}

/// The mean loss of a network that finds all classes equally probable: ln(classes), or 1 - 1/classes for squared error.
pub(crate) fn guessing(kind: LossKind, classes: usize) -> f64 {
    let mut equal = vec![1.0 / classes as f32; classes];
    // Without classes there is no loss to compare with.
    Loss::new(kind).sum(&mut equal, &[0]).map_or(f64::INFINITY, f64::from)
}

/// Counts `[true class][found class]`, and the sum of the losses of each batch.
fn batches(
    classes: usize,
    all_labels: &[u8],
    order: &[u32],
    loss: Loss,
    mut run: impl FnMut(&[u32], &mut [f32]) -> Result<()>,
) -> Result<(Vec<Vec<usize>>, Vec<f64>)> {
    let mut logits = vec![0.0; BATCH * classes];
    let mut labels = Vec::with_capacity(BATCH);
    let mut confusion = vec![vec![0; classes]; classes];
    let mut losses = Vec::with_capacity(order.len().div_ceil(BATCH));
    for order in order.chunks(BATCH) {
        let logits = &mut logits[..order.len() * classes];
        run(order, logits)?;
        labels.clear();
        labels.extend(order.iter().map(|&sample| all_labels[sample as usize]));
        for (logits, &label) in logits.chunks_exact(classes).zip(&labels) {
            confusion[usize::from(label)][argmax(logits)] += 1;
        }
        losses.push(f64::from(loss.sum(logits, &labels)?));
    }
    Ok((confusion, losses))
}
