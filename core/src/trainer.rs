//! Training, one batch at a time, in memory that the caller owns.

use crate::Error;
use crate::kernels::{IntoBatch, Serial, Sink, Threads};
use crate::layers::Layer;
use crate::loss::{Loss, Objective};
use crate::network::{backward, check_float_mode, check_len, check_room, forward_and_loss};
use crate::optim::Optimizer;
use crate::samples::{Sample, Samples};

/// The memory of a training run, by name: the parameters and the optimizer's state may have the same length.
#[derive(Debug)]
pub struct Buffers<'a> {
    /// The parameters, `[params]`.
    pub params: &'a mut [f32],
    /// The optimizer's state: `[state_per_param][params]` for an [`Optimizer`].
    pub state: &'a mut [f32],
    /// Temporary workspace, at least [`train_scratch`](Layer::train_scratch) of the largest batch. Its contents are not
    /// preserved between calls.
    pub workspace: &'a mut [f32],
}

/// A network, its optimizer, and the memory of both.
///
/// The same code trains with batches of 64 on a desktop and of 1 on a microcontroller:
///
/// ```
/// use picomlp::{Adam, Buffers, Init, Mlp, Network, Trainer};
///
/// type Net = Mlp<4, 8, 2>;
/// const BATCH: usize = 2;
///
/// let mut params = [0.0; Net::PARAMS];
/// let mut state = [0.0; Adam::state_len(Net::PARAMS)];
/// let mut scratch = [0.0; Net::train_scratch(BATCH)];
/// Net::default().init(&mut params, Init::He, 1)?;
/// let buffers = Buffers { params: &mut params, state: &mut state, workspace: &mut scratch };
/// let mut trainer = Trainer::new(Net::default(), Adam::new(1e-2), buffers)?;
/// let (images, labels) = ([[255u8, 255, 0, 0], [0, 0, 255, 255]], [0, 1]);
/// let first = trainer.step(&images, &labels)?;
/// for _ in 0..50 {
///     trainer.step(&images, &labels)?;
/// }
/// assert!(trainer.step(&images, &labels)? < first / 10.0);
/// # Ok::<(), picomlp::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer<'a, N, O> {
    net: N,
    optimizer: O,
    params: &'a mut [f32],
    state: &'a mut [f32],
    scratch: &'a mut [f32],
    objective: Objective,
}

impl<'a, N: Layer, O: Optimizer> Trainer<'a, N, O> {
    /// Puts a network and its memory together; training goes on from the parameters and the state as they are.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params` or `state`; [`Error::BufferTooShort`] if the workspace is too
    /// short for one sample; [`Error::Setting`] for a setting of the optimizer that makes no sense; [`Error::LayersDoNotMeet`];
    /// [`Error::FloatMode`].
    pub fn new(net: N, optimizer: O, buffers: Buffers<'a>) -> Result<Self, Error> {
        let Buffers { params, state, workspace: scratch } = buffers;
        net.shape().check()?;
        check_float_mode()?;
        check_len("params", params, net.params())?;
        check_len("state", state, optimizer.state_per_param() * net.params())?;
        check_room("workspace", scratch, net.train_scratch(1))?;
        optimizer.check()?;
        let objective = Objective::default();
        Ok(Self { net, optimizer, params, state, scratch, objective })
    }

    /// The same, to make another loss small than the mean softmax cross-entropy.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting of the loss that makes no sense.
    pub fn with_loss(mut self, loss: Loss) -> Result<Self, Error> {
        loss.check()?;
        self.objective.loss = loss;
        Ok(self)
    }

    /// The same, dropping what `seed` says, as if `steps` steps had been made before.
    ///
    /// Without this call the seed is 0. Only dropout draws random numbers.
    #[must_use]
    pub fn with_seed(mut self, seed: u64, steps: u64) -> Self {
        self.objective = Objective { seed, step: steps, ..self.objective };
        self
    }

    /// One step: forward, loss, backward and update. Allocates nothing.
    ///
    /// Returns the loss of the batch before the update: the mean over its samples, unless the [`Loss`] is a sum.
    /// Every sample counts alike in the step, however many there are.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::BatchTooSmall`], [`Error::InputWidth`], [`Error::BufferLength`] naming `labels`,
    /// [`Error::LabelOutOfRange`], [`Error::BufferTooShort`] if the scratch is too short for so many samples,
    /// [`Error::InputNotFinite`], [`Error::LossNotFinite`], [`Error::Setting`] for a setting of the optimizer that has been
    /// changed to nonsense. Parameters, state and optimizer are then as they were.
    pub fn step<'x>(&mut self, x: impl IntoBatch<'x>, labels: &[u8]) -> Result<f32, Error> {
        self.step_on(&Serial, x, labels)
    }

    /// As [`step`](Self::step), on several threads: the bits do not depend on how many.
    ///
    /// The scratch must be as long as [`train_scratch_on`](Layer::train_scratch_on) says.
    ///
    /// # Errors
    ///
    /// Those of [`step`](Self::step).
    pub fn step_on<'x>(
        &mut self,
        threads: &impl Threads,
        x: impl IntoBatch<'x>,
        labels: &[u8],
    ) -> Result<f32, Error> {
        let x = x.into_batch(self.net.inputs())?;
        self.optimizer.check()?;
        let Self { net, params, objective, .. } = self;
        let mut pass = forward_and_loss(threads, net, objective, params, x, labels, self.scratch)?;
        check_len("state", self.state, self.optimizer.state_per_param() * params.len())?;
        let update = self.optimizer.begin();
        backward(threads, net, x, &mut pass, &mut Sink::new(params, self.state, &update))?;
        pass.learn(net, params)?;
        self.objective.step += 1;
        Ok(pass.loss)
    }

    /// One step on each sample of a source, in its order.
    ///
    /// # Errors
    ///
    /// Those of [`step`](Self::step), at the first sample that gives one; the steps before it have been made.
    pub fn pass(&mut self, samples: &mut impl Samples) -> Result<Pass, Error> {
        let mut pass = Pass::default();
        while let Some(Sample { pixels, label }) = samples.next() {
            pass.add(self.step(pixels, &[label])?, 1);
        }
        Ok(pass)
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
    pub fn pass_in_batches(
        &mut self,
        samples: &mut impl Samples,
        pixels: &mut [u8],
        labels: &mut [u8],
    ) -> Result<Pass, Error> {
        let inputs = self.net.inputs();
        if labels.is_empty() {
            return Err(Error::EmptyBatch);
        }
        check_len("pixels", pixels, labels.len() * inputs)?;
        let mut pass = Pass::default();
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
                pass.add(loss, filled);
            }
            if filled < labels.len() {
                return Ok(pass);
            }
        }
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The parameters as they are now.
    #[must_use]
    pub fn params(&self) -> &[f32] {
        self.params
    }

    /// The optimizer, whose learning rate may be changed between steps.
    pub fn optimizer_mut(&mut self) -> &mut O {
        &mut self.optimizer
    }
}

/// What a pass over a source of samples came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    /// Samples trained on.
    pub samples: u32,
    /// The sum of their losses, each before its own step, in nats.
    pub loss: f32,
}

impl Pass {
    fn add(&mut self, mean_loss: f32, samples: usize) {
        self.loss += mean_loss * samples as f32;
        self.samples += samples as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Mlp, Network, Sgd, StoredSamples};

    type Net = Mlp<6, 5, 3>;

    fn trained(train: impl Fn(&mut Trainer<'_, Net, Sgd>) -> Pass) -> ([f32; Net::PARAMS], Pass) {
        let mut params = [0.0; Net::PARAMS];
        Net::default().init(&mut params, Init::He, 1).unwrap();
        let mut scratch = [0.0; Net::train_scratch(4)];
        let net = Net::default();
        let mut trainer = Trainer::new(
            net,
            Sgd::new(0.1),
            Buffers { params: &mut params, state: &mut [], workspace: &mut scratch },
        )
        .unwrap();
        let pass = train(&mut trainer);
        (params, pass)
    }

    #[test]
    fn a_pass_over_a_source_makes_the_steps_that_its_batches_make() {
        let mut images = [[0; 6]; 10];
        picomlp_fixtures::sparse_pixels(images.as_flattened_mut(), 1, 100);
        let labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
        let source = || StoredSamples::new(&images, &labels);
        for batch in [1, 4] {
            let expected = trained(|trainer| {
                let mut pass = Pass::default();
                for (images, labels) in images.chunks(batch).zip(labels.chunks(batch)) {
                    pass.add(trainer.step(images, labels).unwrap(), labels.len());
                }
                pass
            });
            let batches = trained(|trainer| {
                let (mut pixels, mut room) = ([0; 24], [0; 4]);
                let (pixels, room) = (&mut pixels[..6 * batch], &mut room[..batch]);
                trainer.pass_in_batches(&mut source(), pixels, room).unwrap()
            });
            assert_eq!(batches, expected);
            if batch == 1 {
                let one_by_one = trained(|trainer| trainer.pass(&mut source()).unwrap());
                assert_eq!(one_by_one, expected);
            }
        }
    }

    #[test]
    fn samples_of_another_width_are_refused() {
        trained(|trainer| {
            let mut narrow = StoredSamples::new(&[[0; 5]], &[0]);
            let error = Error::InputWidth { expected: 6, got: 5 };
            let refused = trainer.pass_in_batches(&mut narrow.clone(), &mut [0; 6], &mut [0]);
            assert_eq!(refused, Err(error));
            assert!(trainer.pass(&mut narrow).is_err());
            Pass::default()
        });
    }
}
