//! What user code does with a network: run it, initialise it, ask for its gradient.

use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, GradientSink, IntoBatch, softmax_cross_entropy};
use crate::layers::{Ends, Layer, Memory};

/// The checked calls, for every [`Layer`] and chain of layers.
pub trait Network: Layer {
    /// Sets `params` to initial values that depend on `seed` and the sizes alone.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params`.
    fn init(&self, params: &mut [f32], init: Init, seed: u64) -> Result<(), Error> {
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
    /// [`Error::BufferLength`], [`Error::BufferTooShort`] and [`Error::InputWidth`]; `y` is then unchanged.
    fn forward<'x>(
        &self,
        params: &[f32],
        x: impl IntoBatch<'x>,
        y: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        check_len("params", params, self.params())?;
        let x = x.into_batch(self.inputs())?;
        check_len("y", y, x.len() * self.outputs())?;
        check_room("scratch", scratch, x.len() * self.between())?;
        self.forward_pass(params, x, y, scratch)
    }

    /// The mean softmax cross-entropy of a batch in nats, and its gradient in `gradient`.
    ///
    /// The pass that an optimizer's step fuses with its update, kept: for gradient checks, and for whoever has a
    /// use for the gradient.
    ///
    /// # Shapes
    ///
    /// `gradient: [params]`, laid out as `params`; `scratch` as long as
    /// [`train_scratch`](Layer::train_scratch)`(batch)` or longer.
    ///
    /// # Errors
    ///
    /// Those of [`forward`](Self::forward), [`Error::EmptyBatch`], [`Error::LabelOutOfRange`], and
    /// [`Error::LossNotFinite`]; `gradient` is then unchanged.
    fn gradient<'x>(
        &self,
        params: &[f32],
        x: impl IntoBatch<'x>,
        labels: &[u8],
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<f32, Error> {
        check_len("params", params, self.params())?;
        check_len("gradient", gradient, self.params())?;
        let x = x.into_batch(self.inputs())?;
        loss_and_gradient(self, x, labels, scratch, Keep { params, gradient })
    }
}

impl<L: Layer + ?Sized> Network for L {}

/// Forward, loss, backward: the whole of a training step but for what the sink does with the gradient.
pub(crate) fn loss_and_gradient<N: Layer + ?Sized, T: Element>(
    net: &N,
    x: Batch<'_, T>,
    labels: &[u8],
    scratch: &mut [f32],
    mut sink: impl GradientSink,
) -> Result<f32, Error> {
    let batch = x.len();
    let classes = net.outputs();
    if batch == 0 {
        return Err(Error::EmptyBatch);
    }
    if labels.len() != batch {
        return Err(Error::BufferLength { what: "labels", expected: batch, got: labels.len() });
    }
    check_labels(labels, classes)?;
    let (needed, got) = (net.train_scratch(batch), scratch.len());
    let too_short = Error::BufferTooShort { what: "scratch", needed, got };
    if got < needed {
        return Err(too_short);
    }
    // The hidden layers' values come first: in an aligned scratch their rows are then aligned for vectors.
    let between_len = batch * net.between();
    let (between, rest) = scratch.split_at_mut_checked(between_len).ok_or(too_short)?;
    let (d_between, rest) = rest.split_at_mut_checked(between_len).ok_or(too_short)?;
    let (logits, rest) = rest.split_at_mut_checked(batch * classes).ok_or(too_short)?;
    let (d_logits, work) = rest.split_at_mut_checked(batch * classes).ok_or(too_short)?;

    net.forward_pass(sink.params(), x, logits, between)?;
    for (d_logit, logit) in d_logits.iter_mut().zip(logits.iter()) {
        *d_logit = *logit;
    }
    let share = 1.0 / batch as f32;
    let loss = softmax_cross_entropy(d_logits, labels, share) * share;
    if !loss.is_finite() {
        return Err(Error::LossNotFinite);
    }
    sink.begin();
    let ends = Ends { x, y: logits, d_y: d_logits, d_x: None };
    net.backward_pass(0, &mut sink, ends, Memory { between, d_between, work })?;
    Ok(loss)
}

/// Keeps the gradient instead of using it.
struct Keep<'a> {
    params: &'a [f32],
    gradient: &'a mut [f32],
}

impl GradientSink for Keep<'_> {
    fn params(&self) -> &[f32] {
        self.params
    }

    fn take(&mut self, at: usize, gradient: &[f32]) {
        if let Some(to) = self.gradient.get_mut(at..at + gradient.len()) {
            to.copy_from_slice(gradient);
        }
    }

    fn take_zeros(&mut self, at: usize, len: usize) {
        if let Some(to) = self.gradient.get_mut(at..at + len) {
            to.fill(0.0);
        }
    }
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

/// Whether every label names a class.
pub(crate) fn check_labels(labels: &[u8], classes: usize) -> Result<(), Error> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(index) => {
            let label = labels.get(index).map_or(0, |&label| usize::from(label));
            Err(Error::LabelOutOfRange { index, label, classes })
        }
        None => Ok(()),
    }
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
