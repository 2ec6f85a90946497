//! Training, one batch at a time, in memory that the caller owns.

use core::fmt;

use crate::buffers::{Buffers, GradientBuffer};
use crate::kernels::{
    Batch, Element, InputMap, IntoBatch, Serial, Sink, Targets, Threads, copy, scale,
    sum_of_squares,
};
use crate::layers::{AnyLayer, Layer, Single, for_each_group};
use crate::loss::{Loss, Objective};
use crate::network::{Network, check_float_mode, check_len, check_room};
use crate::optim::{Optimizer, apply_whole};
use crate::samples::{Sample, Samples};
use crate::step::{Part, Slices};
use crate::training::TrainingState;
use crate::{Error, math};

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
/// [`apply`](Self::apply) do the same in calls of bounded time.
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

/// What has been accumulated of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Accumulated {
    /// Samples of the batch.
    batch: usize,
    /// Samples accumulated.
    samples: usize,
    /// The sum of their losses.
    loss_sum: f32,
    /// What they add to the loss of the batch.
    loss: f32,
}

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
        let accumulated = Accumulated::default();
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
    /// The norm is the root of the [`sum_of_squares`] of the whole gradient.
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

    /// A step with a gradient buffer: parts as large as the workspace allows.
    fn step_in_parts<T: Element>(
        &mut self,
        x: Batch<'_, T>,
        targets: Targets<'_>,
    ) -> Result<f32, Error> {
        let outputs = self.net.outputs();
        self.objective.loss.check_targets(targets, x.len(), outputs)?;
        let (batch, part) = (x.len(), self.part(x)?);
        self.accumulated = Accumulated::default();
        let (mut x, mut targets) = (x, targets);
        loop {
            let (here, rest) = x.split_at(part);
            let [targets_here, targets_rest] = targets.split_at(part, outputs);
            self.accumulate(here, targets_here, batch)?;
            if rest.is_empty() {
                return self.apply();
            }
            (x, targets) = (rest, targets_rest);
        }
    }

    /// The most samples of `x` that the workspace has room for.
    fn part<T: Element>(&self, x: Batch<'_, T>) -> Result<usize, Error> {
        let (batch, threads) = (x.len(), self.threads.count());
        let workspace = self.buffers.workspace.as_ref();
        let fits = |samples| self.net.train_scratch_on(threads, samples) <= workspace.len();
        if fits(batch) {
            return Ok(batch);
        }
        if !supports_micro_batches(&self.net, x.map())? {
            check_room("scratch", workspace, self.net.train_scratch_on(threads, batch))?;
        }
        // `fits(low)` and not `fits(high)`, or `low` is 0.
        let (mut low, mut high) = (0, batch);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        if low == 0 {
            check_room("scratch", workspace, self.net.train_scratch_on(threads, 1))?;
        }
        Ok(low)
    }

    /// Adds the next samples of a batch of `batch` samples to the gradient. [`apply`](Self::apply) makes the step once all of them
    /// have come. However a batch is cut, the bits are those of one [`step`](Self::step) on all of it.
    ///
    /// # Errors
    ///
    /// Those of [`step`](Self::step); [`Error::BufferLength`] naming `batch` if more samples come than it has, or if it is another
    /// one than that of the samples before; [`Error::MustBeWhole`] for a network that
    /// [does not support micro-batches](supports_micro_batches). The samples accumulated before are then dropped.
    pub fn accumulate<'x, 't>(
        &mut self,
        x: impl IntoBatch<'x>,
        targets: impl Into<Targets<'t>>,
        batch: usize,
    ) -> Result<(), Error> {
        let before = core::mem::take(&mut self.accumulated);
        let x = x.into_batch(self.net.inputs())?;
        let Self { net, buffers, gradient, threads, objective, .. } = self;
        let gradient = gradient.buffer().unwrap_or_default();
        check_len("gradient", gradient, net.params())?;
        let (first, samples) = (before.samples, before.samples + x.len());
        if samples > batch || first > 0 && batch != before.batch {
            return Err(Error::BufferLength { what: "batch", expected: batch, got: samples });
        }
        if x.len() < batch && !supports_micro_batches(net, x.map())? {
            return Err(Error::MustBeWhole);
        }
        let part =
            Part { threads: *threads, objective, batch, first, loss_before: before.loss_sum };
        let params = buffers.params.as_ref();
        let workspace = buffers.workspace.as_mut();
        let mut forward = part.forward_and_loss(net, params, x, targets.into(), workspace)?;
        if first == 0 {
            gradient.fill(0.0);
        }
        let (pass, io) = forward.backward(x);
        net.backward_pass(pass, &mut Sink::keep(params, gradient, samples < batch), io)?;
        let (loss, loss_sum) = (forward.loss, forward.loss_sum);
        self.accumulated = Accumulated { batch, samples, loss_sum, loss };
        Ok(())
    }

    /// Makes the step of an [accumulated](Self::accumulate) batch: clipping and update. Returns its loss before the update.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`] if nothing has been accumulated, [`Error::BufferLength`] naming `batch` if samples are missing,
    /// [`Error::GradientNotFinite`]. Parameters, state and optimizer are then as they were.
    pub fn apply(&mut self) -> Result<f32, Error> {
        self.optimizer.check()?;
        let Accumulated { batch, samples, loss, .. } = core::mem::take(&mut self.accumulated);
        if samples == 0 {
            return Err(Error::EmptyBatch);
        }
        if samples < batch {
            return Err(Error::BufferLength { what: "batch", expected: batch, got: samples });
        }
        let Self { net, optimizer, buffers, gradient, threads, .. } = self;
        let gradient = gradient.buffer().unwrap_or_default();
        let (params, state) = (buffers.params.as_mut(), buffers.state.as_mut());
        let square = sum_of_squares(gradient);
        if !square.is_finite() {
            return Err(Error::GradientNotFinite);
        }
        if let Some(max_norm) = self.clip_norm {
            let factor = max_norm / (math::sqrt(square) + 1e-6);
            if factor < 1.0 {
                scale(gradient, factor);
            }
        }
        apply_whole(optimizer, *threads, net, params, gradient, state)?;
        // What was saved is still there: a network with running statistics is trained on whole batches.
        if net.shape().min_batch > 1
            && let Some(slices) = Slices::of(net.shape(), batch, buffers.workspace.as_mut())
        {
            net.update_running_stats(params, slices.saved, batch)?;
        }
        self.objective.step += 1;
        Ok(loss)
    }

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

/// Whether this network, on inputs that are read like this, can be trained on a batch in parts.
///
/// Batch normalisation compares the samples of a batch. And a first dense layer without a bias cannot on inputs
/// with a shift, since what the shift adds to its gradient comes from the sums that a bias would have; nor may a first layer
/// of the user's own.
///
/// # Errors
///
/// None today: a network that cannot be described may still be trained.
pub fn supports_micro_batches(net: &impl Layer, map: InputMap) -> Result<bool, Error> {
    let mut first = None;
    net.for_each_layer(&mut |layer| {
        first.get_or_insert(layer);
        Ok(())
    })?;
    let no_bias = match first {
        Some(Single::Known(AnyLayer::Dense(dense))) => !dense.has_bias(),
        Some(Single::Custom { shape, .. }) => shape.params > 0,
        _ => false,
    };
    Ok(net.shape().min_batch == 1 && !(no_bias && map.shift != 0.0))
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
    use crate::{Init, Mlp, Network, Sgd, StoredSamples};

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
