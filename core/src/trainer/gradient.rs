//! Steps with a gradient buffer: batches in parts, and updates in slices.

use crate::Error;
use crate::buffers::GradientBuffer;
use crate::kernels::{Batch, Element, InputMap, IntoBatch, Sink, Targets, scale, sum_of_squares};
use crate::layers::{AnyLayer, Layer, Single};
use crate::math;
use crate::network::{check_len, check_room};
use crate::optim::{Optimizer, apply_range};
use crate::step::{Forward, Part, Slices};

use super::Trainer;

/// What has been accumulated of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accumulated {
    /// Samples of the batch.
    batch: usize,
    /// Samples accumulated.
    samples: usize,
    /// The sum of their losses.
    loss_sum: f32,
    /// What they add to the loss of the batch.
    loss: f32,
    /// Whether the gradient is zero everywhere, as an update leaves it.
    is_zeroed: bool,
}

impl Accumulated {
    /// Nothing; the gradient is zero.
    pub(super) const NOTHING: Self =
        Self { batch: 0, samples: 0, loss_sum: 0.0, loss: 0.0, is_zeroed: true };
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
    /// A step with a gradient buffer: parts as large as the workspace allows.
    pub(super) fn step_in_parts<T: Element>(
        &mut self,
        x: Batch<'_, T>,
        targets: Targets<'_>,
    ) -> Result<f32, Error> {
        let outputs = self.net.outputs();
        self.objective.loss.check_targets(targets, x.len(), outputs)?;
        let (batch, part) = (x.len(), self.part(x)?);
        if self.accumulated.samples > 0 {
            self.accumulated = Accumulated::default();
        }
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
        self.accumulate_in_slices(x, targets, batch)?.finish()
    }

    /// As [`accumulate`](Self::accumulate), in two calls of about the same length: this one makes the forward pass,
    /// [`SlicedSample::finish`] the backward pass.
    ///
    /// # Errors
    ///
    /// Those of [`accumulate`](Self::accumulate).
    pub fn accumulate_in_slices<'s, 'x, 't, X: IntoBatch<'x>>(
        &'s mut self,
        x: X,
        targets: impl Into<Targets<'t>>,
        batch: usize,
    ) -> Result<SlicedSample<'s, 'x, N, X::Element>, Error> {
        let before = core::mem::take(&mut self.accumulated);
        let x = x.into_batch(self.net.inputs())?;
        let Self { net, buffers, gradient, threads, objective, accumulated, .. } = self;
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
        let forward = part.forward_and_loss(net, params, x, targets.into(), workspace)?;
        if first == 0 && !before.is_zeroed {
            gradient.fill(0.0);
        }
        let (loss, loss_sum) = (forward.loss, forward.loss_sum);
        let after = Accumulated { batch, samples, loss_sum, loss, is_zeroed: false };
        Ok(SlicedSample { net, x, forward, params, gradient, accumulated, after })
    }

    /// Makes the step of an [accumulated](Self::accumulate) batch: clipping and update. Returns its loss before the update.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`] if nothing has been accumulated, [`Error::BufferLength`] naming `batch` if samples are missing,
    /// [`Error::GradientNotFinite`]. Parameters, state and optimizer are then as they were.
    pub fn apply(&mut self) -> Result<f32, Error> {
        let mut slices = self.apply_in_slices()?;
        loop {
            if let Some(loss) = slices.advance(usize::MAX)? {
                return Ok(loss);
            }
        }
    }

    /// As [`apply`](Self::apply), in calls of bounded time: see [`SlicedUpdate`].
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::BufferLength`] as for [`apply`](Self::apply).
    pub fn apply_in_slices(&mut self) -> Result<SlicedUpdate<'_, 'a, N, O, P, S, W, G>, Error> {
        self.optimizer.check()?;
        let accumulated @ Accumulated { batch, samples, .. } =
            core::mem::take(&mut self.accumulated);
        if samples == 0 {
            return Err(Error::EmptyBatch);
        }
        if samples < batch {
            return Err(Error::BufferLength { what: "batch", expected: batch, got: samples });
        }
        Ok(SlicedUpdate { trainer: self, accumulated, square: 0.0, at: 0, update: None })
    }
}

/// Samples whose forward pass is made: [`Trainer::accumulate_in_slices`]. Dropping them drops what has been accumulated.
pub struct SlicedSample<'s, 'x, N, T> {
    net: &'s N,
    x: Batch<'x, T>,
    forward: Forward<'s>,
    params: &'s [f32],
    gradient: &'s mut [f32],
    accumulated: &'s mut Accumulated,
    after: Accumulated,
}

impl<N: Layer, T: Element> SlicedSample<'_, '_, N, T> {
    /// Makes the backward pass.
    ///
    /// # Errors
    ///
    /// Those of a layer of your own.
    pub fn finish(self) -> Result<(), Error> {
        let Self { net, x, mut forward, params, gradient, accumulated, after } = self;
        let more_follows = after.samples < after.batch;
        let (pass, io) = forward.backward(x);
        net.backward_pass(pass, &mut Sink::keep(params, gradient, more_follows), io)?;
        *accumulated = after;
        Ok(())
    }
}

/// Values of the gradient whose squares are summed at once.
const SQUARES: usize = 4096;

/// The update of an accumulated batch, a slice of the parameters at a time, so that a program that must do something every
/// millisecond can train meanwhile. The bits are those of [`Trainer::apply`], however it is sliced.
///
/// First the norm of the gradient is summed, 4096 values at a time or more; then the parameters are updated. What is dropped before
/// its end leaves the step half made.
///
/// ```
/// use picomlp::{Adam, Buffers, Init, Mlp, Network, Trainer};
///
/// type Net = Mlp<4, 8, 2>;
///
/// let (mut params, mut gradient) = ([0.0; Net::PARAMS], [0.0; Net::PARAMS]);
/// Net::default().init(&mut params, Init::He, 1)?;
/// let buffers = Buffers {
///     params,
///     state: [0.0; Adam::state_len(Net::PARAMS)],
///     workspace: [0.0; Net::train_scratch(1)],
/// };
/// let trainer = Trainer::new(Net::default(), Adam::new(1e-2), buffers)?;
/// let mut trainer = trainer.with_gradient(&mut gradient)?;
/// for (image, label) in [([255u8, 255, 0, 0], 0), ([0, 0, 255, 255], 1)] {
///     trainer.accumulate(&image, &[label], 2)?; // one sample of a batch of two
/// }
/// let mut update = trainer.apply_in_slices()?;
/// let loss = loop {
///     if let Some(loss) = update.advance(16)? {
///         break loss;
///     }
///     // Time for something else.
/// };
/// assert!(loss > 0.0);
/// # Ok::<(), picomlp::Error>(())
/// ```
pub struct SlicedUpdate<'t, 'a, N, O: Optimizer, P, S, W, G> {
    trainer: &'t mut Trainer<'a, N, O, P, S, W, G>,
    accumulated: Accumulated,
    /// The sum of squares up to here.
    square: f32,
    at: usize,
    /// What is done to the gradient and the parameters, once the norm is known.
    update: Option<(f32, O::Update)>,
}

impl<N, O, P, S, W, G> SlicedUpdate<'_, '_, N, O, P, S, W, G>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    W: AsMut<[f32]> + AsRef<[f32]>,
    G: GradientBuffer,
{
    /// Updates the next parameters, at most this many; returns the loss of the batch at the end. An optimizer that
    /// [must see the whole gradient](Optimizer::NEEDS_GRADIENT) sees it in one call, between the norm and the first update.
    ///
    /// # Errors
    ///
    /// [`Error::GradientNotFinite`], before the first update. Parameters, state and optimizer are then as they were.
    pub fn advance(&mut self, most: usize) -> Result<Option<f32>, Error> {
        let Trainer { net, buffers, gradient, threads, .. } = &mut *self.trainer;
        let (net, at, params) = (&*net, self.at, buffers.params.as_mut());
        let (gradient, state) = (gradient.buffer().unwrap_or_default(), buffers.state.as_mut());
        let Some((factor, update)) = &self.update else {
            let end = at.saturating_add(most.max(SQUARES) / SQUARES * SQUARES).min(params.len());
            let values = gradient.get(at..end).unwrap_or_default();
            self.square =
                values.chunks(SQUARES).map(sum_of_squares).fold(self.square, |a, b| a + b);
            self.at = end;
            if end == params.len() {
                self.at = 0;
                self.update = Some(self.trainer.begin(self.square)?);
            }
            return Ok(None);
        };
        let range = at..at.saturating_add(most.max(1)).min(params.len());
        if *factor < 1.0 {
            scale(gradient.get_mut(range.clone()).unwrap_or_default(), *factor);
        }
        apply_range(update, *threads, net, params, gradient, state, range.clone())?;
        // After an update in one piece the gradient can be looked at; else the next sample need not wait until it is cleared.
        let is_sliced = range.len() < params.len();
        if is_sliced {
            gradient.get_mut(range.clone()).unwrap_or_default().fill(0.0);
        }
        self.at = range.end;
        if range.end < params.len() {
            return Ok(None);
        }
        // What was saved is still there: a network with running statistics is trained on whole batches.
        let Accumulated { batch, loss, .. } = self.accumulated;
        if net.shape().min_batch > 1
            && let Some(slices) = Slices::of(net.shape(), batch, buffers.workspace.as_mut())
        {
            net.update_running_stats(params, slices.saved, batch)?;
        }
        self.trainer.objective.step += 1;
        self.trainer.accumulated.is_zeroed = is_sliced;
        Ok(Some(loss))
    }
}

impl<N, O, P, S, W, G> Trainer<'_, N, O, P, S, W, G>
where
    N: Layer,
    O: Optimizer,
    P: AsMut<[f32]> + AsRef<[f32]>,
    S: AsMut<[f32]> + AsRef<[f32]>,
    G: GradientBuffer,
{
    /// Begins the update with a gradient whose sum of squares is known; returns what it is multiplied by first.
    fn begin(&mut self, square: f32) -> Result<(f32, O::Update), Error> {
        if !square.is_finite() {
            return Err(Error::GradientNotFinite);
        }
        let mut factor =
            self.clip_norm.map_or(1.0, |max_norm| max_norm / (math::sqrt(square) + 1e-6));
        let Self { net, optimizer, buffers, gradient, .. } = self;
        let gradient = gradient.buffer().unwrap_or_default();
        let (params, state) = (buffers.params.as_ref(), buffers.state.as_mut());
        check_len("state", state, optimizer.state_len_of(net))?;
        if O::NEEDS_GRADIENT {
            if factor < 1.0 {
                scale(gradient, factor);
            }
            factor = 1.0;
            optimizer.prepare(net, params, gradient, state)?;
        }
        Ok((factor, optimizer.begin()))
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
