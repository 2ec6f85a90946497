//! What user code does with a network: run it, initialise it, ask for its gradient.

use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, IntoBatch, Serial, Sink, Threads};
use crate::layers::{Ends, Layer, Memory, Mode, Room, Sequential, fold, is_finite};
use crate::loss::{Objective, check_labels};
use crate::math;

/// The checked calls, for every [`Layer`] and chain of layers.
pub trait Network: Layer {
    /// Sets `params` to initial values that depend on `seed` and the sizes alone.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params`.
    fn init(&self, params: &mut [f32], init: Init, seed: u64) -> Result<(), Error> {
        self.shape().check()?;
        check_len("params", params, self.params())?;
        self.init_pass(params, init, seed, &mut 0);
        Ok(())
    }

    /// Computes the outputs (logits) of all samples.
    ///
    /// # Shapes
    ///
    /// `x: [batch][inputs]`, as flat slices, arrays of arrays or a [`Batch`]; `y: [batch][outputs]`; `scratch` as
    /// long as [`infer_scratch`](Layer::infer_scratch)`(batch)` or longer (the outputs' share of it stays unused).
    ///
    /// # Errors
    ///
    /// [`Error::LayersDoNotMeet`], [`Error::BufferLength`], [`Error::BufferTooShort`] and [`Error::InputWidth`]; `y` is then
    /// unchanged. [`Error::InputNotFinite`] for an input that is NaN or infinite, [`Error::OutputNotFinite`] if finite
    /// ones overflow; what is then in `y` is no answer.
    fn forward<'x>(
        &self,
        params: &[f32],
        x: impl IntoBatch<'x>,
        y: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        self.shape().check()?;
        check_len("params", params, self.params())?;
        let x = x.into_batch(self.inputs())?;
        check_len("y", y, x.len() * self.outputs())?;
        check_room("scratch", scratch, x.len() * self.shape().activations)?;
        let room = Room { between: scratch, kept: &mut [] };
        self.forward_pass(&Serial, Mode::Infer, params, x, y, room)?;
        match y.iter().position(|y| !is_finite(*y)) {
            None => Ok(()),
            Some(at) => Err(Error::OutputNotFinite { sample: at / self.outputs().max(1) }),
        }
    }

    /// Rewrites `params` to those of the network in use, in which each batch normalisation has been worked into the
    /// dense layer before it and there is no dropout; returns that network and its parameters, which stand first.
    ///
    /// The outputs are those of this network's [`forward`](Self::forward) up to rounding; `docs/numerics.md` has the
    /// bound. A network without either layer comes back as it is.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params`; [`Error::CannotFold`] if a batch normalisation does not follow a dense
    /// layer; [`Error::TooManyLayers`]; [`Error::CannotDescribe`] for a layer that is not the crate's. `params` is then
    /// unchanged.
    fn fold<'p>(&self, params: &'p mut [f32]) -> Result<(Sequential, &'p mut [f32]), Error> {
        self.shape().check()?;
        check_len("params", params, self.params())?;
        let (net, len) = fold(self, params)?;
        Ok((net, params.get_mut(..len).unwrap_or_default()))
    }

    /// The mean softmax cross-entropy of a batch in nats, and its gradient in `gradient`:
    /// [`gradient_of`](Self::gradient_of) the default [`Objective`].
    ///
    /// # Errors
    ///
    /// Those of [`gradient_of`](Self::gradient_of).
    fn gradient<'x>(
        &self,
        params: &[f32],
        x: impl IntoBatch<'x>,
        labels: &[u8],
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<f32, Error> {
        self.gradient_of(&Objective::default(), params, x, labels, gradient, scratch)
    }

    /// The loss of a batch in a training step, and its gradient in `gradient`.
    ///
    /// The pass that an optimizer's step fuses with its update, kept: for gradient checks, and for whoever has a
    /// use for the gradient.
    ///
    /// # Shapes
    ///
    /// `gradient: [params]`, laid out as `params`, 0 for those that no gradient moves; `scratch` as long as
    /// [`train_scratch`](Layer::train_scratch)`(batch)` or longer.
    ///
    /// # Errors
    ///
    /// Those of [`forward`](Self::forward), [`Error::EmptyBatch`], [`Error::BatchTooSmall`],
    /// [`Error::LabelOutOfRange`], [`Error::LossNotFinite`], and [`Error::Setting`] for a loss that makes no sense;
    /// `gradient` is then unchanged.
    fn gradient_of<'x>(
        &self,
        objective: &Objective,
        params: &[f32],
        x: impl IntoBatch<'x>,
        labels: &[u8],
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<f32, Error> {
        self.shape().check()?;
        check_len("params", params, self.params())?;
        check_len("gradient", gradient, self.params())?;
        let x = x.into_batch(self.inputs())?;
        objective.loss.check()?;
        let mut pass = forward_and_loss(&Serial, self, objective, params, x, labels, scratch)?;
        gradient.fill(0.0);
        backward(&Serial, self, x, &mut pass, &mut Sink::keep(params, gradient, false))?;
        Ok(pass.loss)
    }
}

impl<L: Layer + ?Sized> Network for L {}

/// What a forward pass leaves for the way back.
pub(crate) struct Pass<'a> {
    /// The loss of the batch; of a part, what it and the parts before it add to that.
    pub(crate) loss: f32,
    /// The sum of the losses of the samples, of the parts before too.
    pub(crate) loss_sum: f32,
    mode: Mode,
    outputs: &'a [f32],
    d_outputs: &'a mut [f32],
    memory: Memory<'a>,
}

impl Pass<'_> {
    /// Moves the parameters that no gradient moves.
    pub(crate) fn learn<N: Layer + ?Sized>(
        &mut self,
        net: &N,
        params: &mut [f32],
    ) -> Result<(), Error> {
        let batch = self.outputs.len() / net.outputs().max(1);
        net.learn(params, self.memory.kept, batch)
    }
}

/// A part of a batch that is too large for the scratch.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) objective: &'a Objective,
    /// Samples in the whole batch.
    pub(crate) of: usize,
    /// Samples in the parts before.
    pub(crate) first: usize,
    /// The sum of their losses.
    pub(crate) loss_before: f32,
}

/// The first half of a training step. Nothing but the scratch has been written afterwards.
pub(crate) fn forward_and_loss<'a, N: Layer + ?Sized, T: Element>(
    threads: &impl Threads,
    net: &N,
    objective: &Objective,
    params: &[f32],
    x: Batch<'_, T>,
    labels: &[u8],
    scratch: &'a mut [f32],
) -> Result<Pass<'a>, Error> {
    let whole = Part { objective, of: x.len(), first: 0, loss_before: 0.0 };
    forward_and_loss_of(whole, threads, net, params, x, labels, scratch)
}

/// As [`forward_and_loss`], of a part of a batch.
pub(crate) fn forward_and_loss_of<'a, N: Layer + ?Sized, T: Element>(
    part: Part<'_>,
    threads: &impl Threads,
    net: &N,
    params: &[f32],
    x: Batch<'_, T>,
    labels: &[u8],
    scratch: &'a mut [f32],
) -> Result<Pass<'a>, Error> {
    let batch = x.len();
    let classes = net.outputs();
    if batch == 0 {
        return Err(Error::EmptyBatch);
    }
    if part.of < net.shape().min_batch {
        return Err(Error::BatchTooSmall { needed: net.shape().min_batch, got: batch });
    }
    check_len("labels", labels, batch)?;
    check_labels(labels, classes)?;
    let (needed, got) = (net.train_scratch_on(threads.count(), batch), scratch.len());
    let too_short = Error::BufferTooShort { what: "workspace", needed, got };
    if got < needed {
        return Err(too_short);
    }
    let objective = part.objective;
    let mode = Mode::training(objective.seed, objective.step).starting_at(part.first);
    // The hidden layers' values come first: in an aligned scratch their rows are then aligned for vectors.
    let between_len = batch * net.shape().activations;
    let (between, rest) = scratch.split_at_mut_checked(between_len).ok_or(too_short)?;
    let (d_between, rest) = rest.split_at_mut_checked(between_len).ok_or(too_short)?;
    let (outputs, rest) = rest.split_at_mut_checked(batch * classes).ok_or(too_short)?;
    let (d_outputs, rest) = rest.split_at_mut_checked(batch * classes).ok_or(too_short)?;
    let kept_len = net.shape().saved.len(mode, batch);
    let (kept, work) = rest.split_at_mut_checked(kept_len).ok_or(too_short)?;

    net.forward_pass(threads, mode, params, x, outputs, Room { between, kept }).map_err(
        |error| match error {
            Error::InputNotFinite { sample, input } => {
                Error::InputNotFinite { sample: part.first + sample, input }
            }
            Error::OutputNotFinite { .. } => Error::LossNotFinite,
            error => error,
        },
    )?;
    for (d_output, output) in d_outputs.iter_mut().zip(outputs.iter()) {
        *d_output = *output;
    }
    let (loss_sum, share) =
        objective.loss.gradient_of_part(d_outputs, labels, part.of, part.loss_before);
    let loss = loss_sum * share;
    if loss.is_finite() {
        let memory = Memory { between, d_between, kept, work };
        Ok(Pass { loss, loss_sum, mode, outputs, d_outputs, memory })
    } else {
        Err(Error::LossNotFinite)
    }
}

/// The second half: the gradient, to whoever takes it.
pub(crate) fn backward<N: Layer + ?Sized, T: Element>(
    threads: &impl Threads,
    net: &N,
    x: Batch<'_, T>,
    pass: &mut Pass<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let ends = Ends { x, y: pass.outputs, d_y: pass.d_outputs, d_x: None };
    let Memory { between, d_between, kept, work } = &mut pass.memory;
    let memory = Memory { between, d_between, kept, work };
    net.backward_pass(threads, pass.mode, sink, ends, memory)
}

/// The index of the largest value, the first of them if there are several; 0 if there is none.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0
}

/// Whether the processor computes as the numeric contract asks.
pub(crate) fn check_float_mode() -> Result<(), Error> {
    if math::rounds_to_nearest_and_keeps_subnormals() { Ok(()) } else { Err(Error::FloatMode) }
}

#[inline]
pub(crate) fn check_len<T>(what: &'static str, slice: &[T], expected: usize) -> Result<(), Error> {
    if slice.len() == expected {
        Ok(())
    } else {
        Err(Error::BufferLength { what, expected, got: slice.len() })
    }
}

#[inline]
pub(crate) fn check_room<T>(what: &'static str, slice: &[T], needed: usize) -> Result<(), Error> {
    if slice.len() >= needed {
        Ok(())
    } else {
        Err(Error::BufferTooShort { what, needed, got: slice.len() })
    }
}
