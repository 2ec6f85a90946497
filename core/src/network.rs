//! What user code does with a network: run it, initialise it, ask for its gradient.

use core::hint::black_box;

use crate::Error;
use crate::init::Init;
use crate::kernels::{IntoBatch, Serial, Sink, Targets, keep_rolled};
use crate::layers::{Layer, Pass, Sequential, first_not_finite, fold};
use crate::loss::{LossKind, Objective};
use crate::math;
use crate::step::Part;

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
    /// `x: [batch][inputs]`, as flat slices, arrays of arrays or a [`Batch`](crate::Batch); `y: [batch][outputs]`; `scratch` as
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
        let shape = self.shape();
        shape.check()?;
        check_len("params", params, shape.params)?;
        let x = x.into_batch(shape.inputs)?;
        check_len("y", y, x.len() * shape.outputs)?;
        check_room("scratch", scratch, x.len() * shape.activations)?;
        self.forward_pass(Pass::inference(&Serial, params, scratch), x, y)?;
        match first_not_finite(y) {
            None => Ok(()),
            Some(at) => Err(Error::OutputNotFinite { sample: at / shape.outputs.max(1) }),
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
    fn gradient<'x, 't>(
        &self,
        params: &[f32],
        x: impl IntoBatch<'x>,
        targets: impl Into<Targets<'t>>,
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<f32, Error> {
        self.gradient_of(&Objective::default(), params, x, targets, gradient, scratch)
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
    /// [`Error::LabelOutOfRange`], [`Error::TargetKind`], [`Error::TargetOutOfRange`], [`Error::LossNotFinite`], and
    /// [`Error::Setting`] for a loss that makes no sense; `gradient` is then unchanged.
    fn gradient_of<'x, 't>(
        &self,
        objective: &Objective<'_>,
        params: &[f32],
        x: impl IntoBatch<'x>,
        targets: impl Into<Targets<'t>>,
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<f32, Error> {
        self.shape().check()?;
        check_len("params", params, self.params())?;
        check_len("gradient", gradient, self.params())?;
        let x = x.into_batch(self.inputs())?;
        objective.loss.check()?;
        let part = Part::whole(&Serial, objective, x.len());
        let mut forward = part.forward_and_loss(self, params, x, targets.into(), scratch)?;
        gradient.fill(0.0);
        let (pass, io) = forward.backward(x);
        self.backward_pass(pass, &mut Sink::keep(params, gradient, false), io)?;
        Ok(forward.loss)
    }
}

impl<L: Layer + ?Sized> Network for L {}

/// The index of the largest value, the first of them if there are several; 0 if there is none.
#[must_use]
#[inline(never)] // one copy, whatever the number of values
pub fn argmax(values: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &value) in black_box(values).iter().enumerate() {
        keep_rolled();
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0
}

impl LossKind {
    /// Returns the class that the outputs of one sample predict: that of the largest, the first of them if there are several.
    ///
    /// A single output tells two classes apart: class 1 if its probability is above one half, else class 0. After training
    /// with (binary) cross-entropy that is a logit above 0, with the other losses an output above 0.5.
    #[must_use]
    pub fn class(self, outputs: &[f32]) -> usize {
        match outputs {
            [output] => usize::from(*output > if self.gives_logits() { 0.0 } else { 0.5 }),
            _ => argmax(outputs),
        }
    }
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
