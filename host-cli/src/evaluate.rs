//! How well a network does on a labelled set.

use anyhow::Result;
use picomlp::kernels::softmax_cross_entropy;
use picomlp::{Batch, Layer, Network, argmax};

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

/// Runs the samples of `data` that `order` names.
///
/// # Errors
///
/// If the network does not fit the data.
pub fn evaluate<N: Layer>(
    net: &N,
    params: &[f32],
    data: &Dataset,
    order: &[u32],
) -> Result<Evaluation> {
    let classes = net.outputs();
    let mut scratch = vec![0.0; net.infer_scratch(BATCH)];
    let mut logits = vec![0.0; BATCH * classes];
    let mut labels = Vec::with_capacity(BATCH);
    let mut confusion = vec![vec![0; classes]; classes];
    let mut loss = 0.0;
    for order in order.chunks(BATCH) {
        let x = Batch::gather(&data.images, data.pixels(), order)?;
        let logits = &mut logits[..order.len() * classes];
        net.forward(params, x, logits, &mut scratch)?;
        labels.clear();
        labels.extend(order.iter().map(|&sample| data.labels[sample as usize]));
        for (logits, &label) in logits.chunks_exact(classes).zip(&labels) {
            confusion[usize::from(label)][argmax(logits)] += 1;
        }
        loss += f64::from(softmax_cross_entropy(logits, &labels, 1.0));
    }
    let correct = (0..classes).map(|class| confusion[class][class]).sum();
    Ok(Evaluation { samples: order.len(), correct, loss: loss / order.len() as f64, confusion })
}
