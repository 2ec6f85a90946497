//! Epochs of plain training on one thread, for measurements.

use anyhow::Result;
use picomlp::rng::shuffle;
use picomlp::{Batch, Layer, Optimizer, Trainer};

use picomlp_train::data::Dataset;

/// Goes over a data set again and again, each time in another order.
#[derive(Clone, Debug)]
pub struct Epochs<'a> {
    data: &'a Dataset,
    batch_size: usize,
    order: Vec<u32>,
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl<'a> Epochs<'a> {
    /// Batches of `batch_size`; the last of an epoch may be smaller.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0.
    #[must_use]
    pub fn new(data: &'a Dataset, batch_size: usize) -> Self {
        assert!(batch_size > 0, "Epochs: a batch has at least one sample");
        Self {
            data,
            batch_size,
            order: vec![0; data.len()],
            images: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Shuffles, with a seed of 1, and trains on every sample once. Returns the mean loss in nats.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::step`].
    pub fn run<N: Layer, O: Optimizer>(
        &mut self,
        trainer: &mut Trainer<'_, N, O>,
        epoch: u64,
    ) -> Result<f64> {
        shuffle(&mut self.order, 1, epoch);
        let mut loss = 0.0;
        for batch in self.order.chunks(self.batch_size) {
            // Copied together as `train` does: the cache misses overlap, and no kernel has to wait for them.
            self.images.clear();
            self.labels.clear();
            for &sample in batch {
                self.images.extend_from_slice(self.data.image(sample as usize));
                self.labels.push(self.data.label(sample as usize) as u8);
            }
            let x = Batch::rows(&self.images, self.data.pixels())?;
            loss += f64::from(trainer.step(x, &self.labels[..])?) * batch.len() as f64;
        }
        Ok(loss / self.order.len() as f64)
    }
}
