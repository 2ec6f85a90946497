//! Training, one batch at a time, in memory that the caller owns.

use crate::Error;
use crate::kernels::{IntoBatch, Serial, Threads};
use crate::layers::Layer;
use crate::network::{backward, check_len, check_room, forward_and_loss};
use crate::optim::Optimizer;

/// A network, its optimizer, and the memory of both.
///
/// The same code trains with batches of 64 on a desktop and of 1 on a microcontroller:
///
/// ```
/// use picomlp::{Adam, Init, Mlp, Network, Trainer};
///
/// type Net = Mlp<4, 8, 2>;
/// const BATCH: usize = 2;
///
/// let mut params = [0.0; Net::PARAMS];
/// let mut state = [0.0; Adam::state_len(Net::PARAMS)];
/// let mut scratch = [0.0; Net::train_scratch(BATCH)];
/// Net::default().init(&mut params, Init::He, 1)?;
/// let mut trainer =
///     Trainer::new(Net::default(), Adam::new(1e-2), &mut params, &mut state, &mut scratch)?;
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
}

impl<'a, N: Layer, O: Optimizer> Trainer<'a, N, O> {
    /// Puts a network and its memory together; the parameters and the state go on from what they are.
    ///
    /// # Shapes
    ///
    /// `params: [params]`, `state: [STATE_PER_PARAM][params]`; `scratch` as long as
    /// [`train_scratch`](Layer::train_scratch) of the largest batch.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params` or `state`; [`Error::BufferTooShort`] if `scratch` does not even do
    /// for one sample; [`Error::Setting`] for a setting of the optimizer that makes no sense.
    pub fn new(
        net: N,
        optimizer: O,
        params: &'a mut [f32],
        state: &'a mut [f32],
        scratch: &'a mut [f32],
    ) -> Result<Self, Error> {
        check_len("params", params, net.params())?;
        check_len("state", state, O::STATE_PER_PARAM * net.params())?;
        check_room("scratch", scratch, net.train_scratch(1))?;
        optimizer.check()?;
        Ok(Self { net, optimizer, params, state, scratch })
    }

    /// One step: forward, loss, backward and update. Allocates nothing.
    ///
    /// Returns the mean loss of the batch before the update, in nats. Every sample counts alike in the step,
    /// however many there are.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::InputWidth`], [`Error::BufferLength`] naming `labels`,
    /// [`Error::LabelOutOfRange`], [`Error::BufferTooShort`] if the scratch is too short for so many samples,
    /// [`Error::LossNotFinite`]. Parameters, state and optimizer are then as they were.
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
        let pass = forward_and_loss(threads, &self.net, self.params, x, labels, self.scratch)?;
        let loss = pass.loss;
        let mut step = self.optimizer.step(self.params, self.state)?;
        backward(threads, &self.net, x, pass, &mut step)?;
        Ok(loss)
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
