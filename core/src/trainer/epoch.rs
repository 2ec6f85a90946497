//! Epochs over a source of samples.

use super::Trainer;
use crate::Error;
use crate::buffers::GradientBuffer;
use crate::layers::Layer;
use crate::network::check_len;
use crate::optim::Optimizer;
use crate::samples::{Sample, Samples};

impl<N, O, P, S, W, G> Trainer<'_, N, O, P, S, W, G>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    W: AsMut<[f32]> + AsRef<[f32]>,
    G: GradientBuffer,
{
    /// One step on each sample of a source, in its order.
    ///
    /// # Errors
    ///
    /// Those of [`step`](Self::step), at the first sample that gives one; the steps before it have been made.
    pub fn train_epoch(&mut self, samples: &mut impl Samples) -> Result<Epoch, Error> {
        let mut epoch = Epoch::default();
        while let Some(Sample { pixels, label }) = samples.next() {
            epoch.add(self.step(pixels, &[label])?, 1);
        }
        Ok(epoch)
    }

    /// One step on every `labels.len()` samples of a source, which are put together in `pixels` and `labels`; the last
    /// step takes what is left.
    ///
    /// # Shapes
    ///
    /// `labels: [batch]`, `pixels: [batch][inputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`] if `labels` is empty, [`Error::BufferLength`] naming `pixels`, [`Error::InputWidth`] for a
    /// sample of another width, and those of [`step`](Self::step).
    pub fn train_epoch_in_batches(
        &mut self,
        samples: &mut impl Samples,
        pixels: &mut [u8],
        labels: &mut [u8],
    ) -> Result<Epoch, Error> {
        let inputs = self.net.inputs();
        if labels.is_empty() {
            return Err(Error::EmptyBatch);
        }
        check_len("pixels", pixels, labels.len() * inputs)?;
        let mut epoch = Epoch::default();
        loop {
            let mut filled = 0;
            for (row, label) in pixels.chunks_exact_mut(inputs).zip(labels.iter_mut()) {
                let Some(sample) = samples.next() else { break };
                if sample.pixels.len() != inputs {
                    let got = sample.pixels.len();
                    return Err(Error::InputWidth { expected: inputs, got });
                }
                row.iter_mut().zip(sample.pixels).for_each(|(to, pixel)| *to = *pixel);
                *label = sample.label;
                filled += 1;
            }
            if filled > 0 {
                let batch = pixels.get(..filled * inputs).unwrap_or_default();
                let loss = self.step(batch, labels.get(..filled).unwrap_or_default())?;
                epoch.add(loss, filled);
            }
            if filled < labels.len() {
                return Ok(epoch);
            }
        }
    }
}

/// Totals of an epoch over a source of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Epoch {
    /// Samples trained on.
    pub samples: u32,
    /// The sum of their losses, each before its own step, in nats.
    pub loss: f32,
}

impl Epoch {
    fn add(&mut self, mean_loss: f32, samples: usize) {
        self.loss += mean_loss * samples as f32;
        self.samples += samples as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffers, Init, Mlp, Network, Sgd, StoredSamples};

    type Net = Mlp<6, 5, 3>;

    fn trained(train: impl Fn(&mut Trainer<'_, Net, Sgd>) -> Epoch) -> ([f32; Net::PARAMS], Epoch) {
        let mut params = [0.0; Net::PARAMS];
        Net::default().init(&mut params, Init::He, 1).unwrap();
        let mut scratch = [0.0; Net::train_scratch(4)];
        let net = Net::default();
        let buffers =
            Buffers { params: &mut params[..], state: &mut [][..], workspace: &mut scratch[..] };
        let mut trainer = Trainer::new(net, Sgd::new(0.1), buffers).unwrap();
        let epoch = train(&mut trainer);
        (params, epoch)
    }

    #[test]
    fn a_pass_over_a_source_makes_the_steps_that_its_batches_make() {
        let mut images = [[0; 6]; 10];
        picomlp_fixtures::sparse_pixels(images.as_flattened_mut(), 1, 100);
        let labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
        let source = || StoredSamples::new(&images, &labels);
        for batch in [1, 4] {
            let expected = trained(|trainer| {
                let mut epoch = Epoch::default();
                for (images, labels) in images.chunks(batch).zip(labels.chunks(batch)) {
                    epoch.add(trainer.step(images, labels).unwrap(), labels.len());
                }
                epoch
            });
            let batches = trained(|trainer| {
                let (mut pixels, mut room) = ([0; 24], [0; 4]);
                let (pixels, room) = (&mut pixels[..6 * batch], &mut room[..batch]);
                trainer.train_epoch_in_batches(&mut source(), pixels, room).unwrap()
            });
            assert_eq!(batches, expected);
            if batch == 1 {
                let one_by_one = trained(|trainer| trainer.train_epoch(&mut source()).unwrap());
                assert_eq!(one_by_one, expected);
            }
        }
    }

    #[test]
    fn samples_of_another_width_are_refused() {
        trained(|trainer| {
            let mut narrow = StoredSamples::new(&[[0; 5]], &[0]);
            let error = Error::InputWidth { expected: 6, got: 5 };
            let refused =
                trainer.train_epoch_in_batches(&mut narrow.clone(), &mut [0; 6], &mut [0]);
            assert_eq!(refused, Err(error));
            assert!(trainer.train_epoch(&mut narrow).is_err());
            Epoch::default()
        });
    }
}
