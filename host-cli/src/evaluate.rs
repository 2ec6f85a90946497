//! How well a network does on a labelled set.

use anyhow::Result;
use picomlp::kernels::softmax_cross_entropy;
use picomlp::{Batch, InputMap, Layer, Network, Threads, argmax};
use rayon::prelude::*;

use crate::Pool;
use crate::data::Dataset;

/// Samples that go through the network together; their logits and hidden values stay in the caches.
const BATCH: usize = 256;

/// What a network made of a labelled set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Samples.
    pub samples: usize,
    /// Samples whose class was found.
    pub correct: usize,
    /// Mean softmax cross-entropy in nats.
    pub loss: f64,
    /// Counts, `[true class][found class]`.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation {
    /// The share of samples whose class was found.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
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
) -> Result<Evaluation> {
    // Whole batches for each thread; results are added in the order of the samples, however many there are.
    let part = order.len().div_ceil(pool.count()).next_multiple_of(BATCH).max(BATCH);
    let run = |order: &[u32]| batches(net, params, data, map, order);
    let parts: Result<Vec<_>> = pool.run(|| order.par_chunks(part).map(run).collect());
    let classes = net.outputs();
    let mut confusion = vec![vec![0; classes]; classes];
    let mut loss = 0.0;
    for (counts, losses) in parts? {
        for (sum, count) in confusion.iter_mut().flatten().zip(counts.into_iter().flatten()) {
            *sum += count;
        }
        loss = losses.into_iter().fold(loss, |sum, loss| sum + loss);
    }
    let correct = (0..classes).map(|class| confusion[class][class]).sum();
    Ok(Evaluation { samples: order.len(), correct, loss: loss / order.len() as f64, confusion })
}

/// The class of each of `images`, `[len][inputs]`, their pixels read by `map`, on all threads of the pool.
///
/// # Errors
///
/// If the pictures do not fit the network.
pub fn classify<N: Layer + Sync>(
    pool: &Pool,
    net: &N,
    params: &[f32],
    images: &[u8],
    map: InputMap,
) -> Result<Vec<usize>> {
    let (inputs, outputs) = (net.inputs(), net.outputs());
    let run = |images: &[u8]| -> Result<Vec<usize>> {
        let x = Batch::rows(images, inputs)?.with_map(map);
        let mut logits = vec![0.0; x.len() * outputs];
        net.forward(params, x, &mut logits, &mut vec![0.0; net.infer_scratch(x.len())])?;
        Ok(logits.chunks_exact(outputs).map(argmax).collect())
    };
    let parts: Result<Vec<_>> = pool.run(|| images.par_chunks(BATCH * inputs).map(run).collect());
    Ok(parts?.concat())
}

/// Counts `[true class][found class]`, and the sum of the losses of each batch.
fn batches<N: Layer>(
    net: &N,
    params: &[f32],
    data: &Dataset,
    map: InputMap,
    order: &[u32],
) -> Result<(Vec<Vec<usize>>, Vec<f64>)> {
    let classes = net.outputs();
    let mut scratch = vec![0.0; net.infer_scratch(BATCH)];
    let mut logits = vec![0.0; BATCH * classes];
    let mut labels = Vec::with_capacity(BATCH);
    let mut confusion = vec![vec![0; classes]; classes];
    let mut losses = Vec::with_capacity(order.len().div_ceil(BATCH));
    for order in order.chunks(BATCH) {
        let x = Batch::gather(&data.images, data.pixels(), order)?.with_map(map);
        let logits = &mut logits[..order.len() * classes];
        net.forward(params, x, logits, &mut scratch)?;
        labels.clear();
        labels.extend(order.iter().map(|&sample| data.labels[sample as usize]));
        for (logits, &label) in logits.chunks_exact(classes).zip(&labels) {
            confusion[usize::from(label)][argmax(logits)] += 1;
        }
        losses.push(f64::from(softmax_cross_entropy(logits, &labels, 1.0)));
    }
    Ok((confusion, losses))
}
