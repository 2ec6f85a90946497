//! Training, one batch at a time, in memory that the caller owns.

mod epoch;
mod gradient;

use core::fmt;

pub use epoch::Epoch;
use gradient::Accumulated;
pub use gradient::{SlicedSample, SlicedUpdate, supports_micro_batches};

use crate::Error;
use crate::buffers::{Buffers, GradientBuffer};
use crate::kernels::{IntoBatch, Serial, Sink, Targets, Threads, copy};
use crate::layers::{Layer, for_each_group};
use crate::loss::{Loss, Objective};
use crate::network::{Network, check_float_mode, check_len, check_room};
use crate::optim::Optimizer;
use crate::step::Part;
use crate::training::TrainingState;

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
/// Net::default().init(&mut params, Init::He, 1)?;
/// let buffers = Buffers {
///     params: &mut params,
///     state: [0.0; Adam::state_len(Net::PARAMS)],
///     workspace: [0.0; Net::train_scratch(BATCH)],
/// };
/// let mut trainer = Trainer::new(Net::default(), Adam::new(1e-2), buffers)?;
/// let (images, labels) = ([[255u8, 255, 0, 0], [0, 0, 255, 255]], [0, 1]);
/// let first = trainer.step(&images, &labels)?;
/// for _ in 0..50 {
///     trainer.step(&images, &labels)?;
/// }
/// assert!(trainer.step(&images, &labels)? < first / 10.0);
/// # Ok::<(), picomlp::Error>(())
/// ```
///
/// # With a gradient buffer
///
/// A step is fused: each block of the gradient updates its parameters as soon as it is summed, and no gradient is stored. Some things
/// must see the whole gradient first: clipping ([`clip_norm`](BufferedTrainer::clip_norm)), [`GroupRms`](crate::optim::GroupRms), and batches
/// larger than the workspace. [`with_gradient`](Self::with_gradient) gives the trainer a buffer for it. Without clipping, a
/// step has the bits of a fused one.
///
/// **A batch may then be of any size.** What the workspace has no room for is done in parts, whose sums over samples continue
/// from one part to the next in the order of the samples: the bits do not depend on the workspace.
/// [`supports_micro_batches`] says which networks can be trained so. [`accumulate`](Self::accumulate) and
/// [`apply_in_slices`](Self::apply_in_slices) do the same in calls of bounded time.
///
/// ```
/// use picomlp::optim::GroupRms;
/// use picomlp::{Buffers, Init, Mlp, Network, Trainer};
///
/// type Net = Mlp<4, 8, 2>;
///
/// let (mut params, mut gradient) = ([0.0; Net::PARAMS], [0.0; Net::PARAMS]);
/// Net::default().init(&mut params, Init::Normal(0.1), 1)?;
/// let buffers = Buffers {
///     params,
///     state: [0.0; 4], // one for each weight matrix and each bias
///     workspace: [0.0; Net::train_scratch(1)],
/// };
/// let trainer = Trainer::new(Net::default(), GroupRms::new(0.1), buffers)?;
/// let mut trainer = trainer.with_gradient(&mut gradient)?;
/// let (images, labels) = ([[255u8, 255, 0, 0], [0, 0, 255, 255], [0, 0, 0, 255]], [0, 1, 1]);
/// let first = trainer.step(&images, &labels)?;
/// for _ in 0..50 {
///     trainer.step(&images, &labels)?;
/// }
/// assert!(trainer.step(&images, &labels)? < first / 10.0);
/// # Ok::<(), picomlp::Error>(())
/// ```
pub struct Trainer<'a, N, O, P = &'a mut [f32], S = &'a mut [f32], W = &'a mut [f32], G = ()> {
    net: N,
    optimizer: O,
    buffers: Buffers<P, S, W>,
    gradient: G,
    clip_norm: Option<f32>,
    threads: &'a dyn Threads,
    objective: Objective<'a>,
    accumulated: Accumulated,
}

/// A trainer with a [gradient buffer](Trainer::with_gradient).
pub type BufferedTrainer<'a, N, O, P = &'a mut [f32], S = &'a mut [f32], W = &'a mut [f32]> =
    Trainer<'a, N, O, P, S, W, &'a mut [f32]>;

impl<'a, N, O, P, S, W> Trainer<'a, N, O, P, S, W>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    W: AsMut<[f32]> + AsRef<[f32]>,
{
    /// Puts a network and its memory together; training continues from the parameters and the state as they are.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params` or `state`; [`Error::BufferTooShort`] if the workspace does not even do
    /// for one sample; [`Error::Setting`] for a setting of the optimizer that makes no sense; [`Error::LayersDoNotMeet`];
    /// [`Error::CannotDescribe`] for an optimizer of groups and a layer with parameters that is not the crate's;
    /// [`Error::FloatMode`].
    pub fn new(net: N, optimizer: O, buffers: Buffers<P, S, W>) -> Result<Self, Error> {
        net.shape().check()?;
        if O::NEEDS_GRADIENT {
            for_each_group(&net, |_| {})?;
        }
        check_float_mode()?;
        check_len("params", buffers.params.as_ref(), net.params())?;
        check_len("state", buffers.state.as_ref(), optimizer.state_len_of(&net))?;
        check_room("scratch", buffers.workspace.as_ref(), net.train_scratch(1))?;
        optimizer.check()?;
        Ok(Self {
            net,
            optimizer,
            buffers,
            gradient: (),
            clip_norm: None,
            threads: &Serial,
            objective: Objective::default(),
            accumulated: Accumulated::default(),
        })
    }

    /// Keeps the gradient of a batch in a buffer before the step, `[params]`.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `gradient`; [`Error::CannotDescribe`] for a layer with parameters that is not the
    /// crate's, since nobody knows which of them are a bias.
    pub fn with_gradient(
        self,
        gradient: &'a mut [f32],
    ) -> Result<BufferedTrainer<'a, N, O, P, S, W>, Error> {
        let Self { net, optimizer, buffers, gradient: (), clip_norm, threads, objective, .. } =
            self;
        for_each_group(&net, |_| {})?;
        check_len("gradient", gradient, net.params())?;
        gradient.fill(0.0);
        let accumulated = Accumulated::NOTHING;
        Ok(Trainer {
            net,
            optimizer,
            buffers,
            gradient,
            clip_norm,
            threads,
            objective,
            accumulated,
        })
    }
}

impl<N, O, P, S, W> BufferedTrainer<'_, N, O, P, S, W> {
    /// Shortens gradients that are longer than `max_norm`: they are multiplied by `max_norm/(norm + 1e-6)` where that is
    /// below 1, as by PyTorch's `clip_grad_norm_`, before the optimizer and its decay see them.
    ///
    /// The norm is the root of the [`sum_of_squares`](crate::kernels::sum_of_squares) of the whole gradient.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `max_norm` is no finite number above 0.
    pub fn clip_norm(mut self, max_norm: f32) -> Result<Self, Error> {
        if !(max_norm.is_finite() && max_norm > 0.0) {
            return Err(Error::Setting { what: "max_norm", expected: "a finite number above 0" });
        }
        self.clip_norm = Some(max_norm);
        Ok(self)
    }
}

impl<'a, N, O, P, S, W, G> Trainer<'a, N, O, P, S, W, G>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    W: AsMut<[f32]> + AsRef<[f32]>,
    G: GradientBuffer,
{
    /// Sets the loss to minimize. Defaults to the mean softmax cross-entropy.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting of the loss that makes no sense.
    pub fn with_loss(mut self, loss: Loss<'a>) -> Result<Self, Error> {
        loss.check()?;
        self.objective.loss = loss;
        Ok(self)
    }

    /// Seeds dropout and sets the step counter, so that a resumed run draws the same masks. Both default to 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64, steps: u64) -> Self {
        self.objective = Objective { seed, step: steps, ..self.objective };
        self
    }

    /// Works on several threads; the bits do not depend on how many. The workspace must be as long as
    /// [`train_scratch_on`](Layer::train_scratch_on) says.
    #[must_use]
    pub fn with_threads(mut self, threads: &'a dyn Threads) -> Self {
        self.threads = threads;
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
    /// `targets` or `class weights`, or `gradient` where one is needed and missing, [`Error::LabelOutOfRange`],
    /// [`Error::TargetKind`], [`Error::TargetOutOfRange`], [`Error::BufferTooShort`] if the workspace is too short, [`Error::InputNotFinite`], [`Error::LossNotFinite`], [`Error::Setting`] for a setting of the optimizer
    /// that has been changed to nonsense, [`Error::GradientNotFinite`] where there is a gradient buffer. Parameters,
    /// state and optimizer are then as they were.
    pub fn step<'x, 't>(
        &mut self,
        x: impl IntoBatch<'x>,
        targets: impl Into<Targets<'t>>,
    ) -> Result<f32, Error> {
        let (x, targets) = (x.into_batch(self.net.inputs())?, targets.into());
        self.optimizer.check()?;
        if self.gradient.buffer().is_some() || O::NEEDS_GRADIENT {
            return self.step_in_parts(x, targets);
        }
        let Self { net, optimizer, buffers, threads, objective, .. } = self;
        let (params, state) = (buffers.params.as_mut(), buffers.state.as_mut());
        let part = Part::whole(*threads, objective, x.len());
        let workspace = buffers.workspace.as_mut();
        let mut forward = part.forward_and_loss(net, params, x, targets, workspace)?;
        check_len("state", state, optimizer.state_len_of(net))?;
        let update = optimizer.begin();
        let (pass, io) = forward.backward(x);
        net.backward_pass(pass, &mut Sink::new(params, state, &update), io)?;
        net.update_running_stats(params, forward.slices.saved, x.len())?;
        let loss = forward.loss;
        self.objective.step += 1;
        Ok(loss)
    }

    /// The outputs for these samples of the network as it is now, in use and not in training, `[batch][outputs]`.
    ///
    /// They lie in the workspace until the next call.
    ///
    /// # Errors
    ///
    /// Those of [`Network::forward`], and [`Error::BufferTooShort`] if the workspace has no room for as many samples.
    pub fn predict<'x>(&mut self, x: impl IntoBatch<'x>) -> Result<&mut [f32], Error> {
        let x = x.into_batch(self.net.inputs())?;
        let workspace = self.buffers.workspace.as_mut();
        let (needed, got) = (x.len() * self.net.outputs(), workspace.len());
        let (outputs, scratch) = workspace
            .split_at_mut_checked(needed)
            .ok_or(Error::BufferTooShort { what: "scratch", needed, got })?;
        self.net.forward(self.buffers.params.as_ref(), x, outputs, scratch)?;
        Ok(outputs)
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The parameters as they are now.
    #[must_use]
    pub fn params(&self) -> &[f32] {
        self.buffers.params.as_ref()
    }

    /// The optimizer's state as it is now.
    #[must_use]
    pub fn state(&self) -> &[f32] {
        self.buffers.state.as_ref()
    }

    /// The optimizer.
    #[must_use]
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// The optimizer, whose learning rate may be changed between steps.
    pub fn optimizer_mut(&mut self) -> &mut O {
        &mut self.optimizer
    }

    /// Steps made, those of [`with_seed`](Self::with_seed) included.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.objective.step
    }

    /// What a run goes on from after the last whole step; samples [accumulated](Self::accumulate) since are not in it.
    #[must_use]
    pub fn training_state(&self) -> TrainingState<'_> {
        let Objective { seed, step: steps, .. } = self.objective;
        TrainingState { seed, steps, params: self.params(), state: self.state(), best: &[] }
    }

    /// Goes on from a [training state](Self::training_state), with the bits of the run that it is from if network, optimizer,
    /// loss and clipping are the same.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params` or `state`; everything is then as it was.
    pub fn resume(&mut self, from: &TrainingState<'_>) -> Result<(), Error> {
        let Self { buffers, optimizer, objective, .. } = self;
        let (params, state) = (buffers.params.as_mut(), buffers.state.as_mut());
        check_len("params", from.params, params.len())?;
        check_len("state", from.state, state.len())?;
        copy(from.params, params);
        copy(from.state, state);
        optimizer.set_steps(from.steps);
        (objective.seed, objective.step) = (from.seed, from.steps);
        self.accumulated = Accumulated::default();
        Ok(())
    }

    /// The network, the optimizer and the buffers.
    #[must_use]
    pub fn into_parts(self) -> (N, O, Buffers<P, S, W>) {
        (self.net, self.optimizer, self.buffers)
    }
}

/// The settings, not the numbers.
impl<N: fmt::Debug, O: fmt::Debug, P, S, W, G> fmt::Debug for Trainer<'_, N, O, P, S, W, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { net, optimizer, objective, clip_norm, .. } = self;
        let mut f = f.debug_struct("Trainer");
        f.field("net", net).field("optimizer", optimizer).field("objective", objective);
        f.field("clip_norm", clip_norm).finish_non_exhaustive()
    }
}
