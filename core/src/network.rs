//! What user code does with a network: run it, initialise it, ask for its gradient.

use crate::Error;
use crate::init::Init;
use crate::kernels::softmax::cross_entropy;
use crate::kernels::{Batch, Element, GradientSink, IntoBatch, Serial, Threads};
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
        self.forward_pass(&Serial, params, x, y, scratch)
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
        let pass = forward_and_loss(&Serial, self, params, x, labels, scratch)?;
        let loss = pass.loss;
        backward(&Serial, self, x, pass, &mut Keep { params, gradient })?;
        Ok(loss)
    }
}

impl<L: Layer + ?Sized> Network for L {}

/// What a forward pass leaves for the way back.
pub(crate) struct Pass<'a> {
    /// The mean loss of the batch; of a part, what it and the parts before it add to that.
    pub(crate) loss: f32,
    /// The sum of the losses, of the parts before too.
    pub(crate) loss_sum: f32,
    logits: &'a [f32],
    d_logits: &'a mut [f32],
    memory: Memory<'a>,
}

/// A part of a batch that is too large for the scratch.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Samples in the whole batch.
    pub(crate) of: usize,
    /// The sum of the losses of all samples before.
    pub(crate) loss_before: f32,
}

/// The first half of a training step. Nothing but the scratch has been written afterwards.
pub(crate) fn forward_and_loss<'a, N: Layer + ?Sized, T: Element>(
    threads: &impl Threads,
    net: &N,
    params: &[f32],
    x: Batch<'_, T>,
    labels: &[u8],
    scratch: &'a mut [f32],
) -> Result<Pass<'a>, Error> {
    let whole = Part { of: x.len(), loss_before: 0.0 };
    forward_and_loss_of(whole, threads, net, params, x, labels, scratch)
}

/// As [`forward_and_loss`], of a part of a batch.
pub(crate) fn forward_and_loss_of<'a, N: Layer + ?Sized, T: Element>(
    part: Part,
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
    check_len("labels", labels, batch)?;
    check_labels(labels, classes)?;
    let (needed, got) = (net.train_scratch_on(threads.count(), batch), scratch.len());
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

    net.forward_pass(threads, params, x, logits, between)?;
    for (d_logit, logit) in d_logits.iter_mut().zip(logits.iter()) {
        *d_logit = *logit;
    }
    let share = 1.0 / part.of as f32;
    let loss_sum = if part.of == batch {
        cross_entropy(d_logits, labels, share)
    } else {
        // One by one, since the sum over samples goes on from that of the parts before.
        let samples = d_logits.chunks_exact_mut(classes).zip(labels.chunks(1));
        samples.fold(part.loss_before, |sum, (d_logits, label)| {
            sum + cross_entropy(d_logits, label, share)
        })
    };
    let loss = loss_sum * share;
    if loss.is_finite() {
        Ok(Pass { loss, loss_sum, logits, d_logits, memory: Memory { between, d_between, work } })
    } else {
        Err(Error::LossNotFinite)
    }
}

/// The second half: the gradient, to whoever takes it.
pub(crate) fn backward<N: Layer + ?Sized, T: Element>(
    threads: &impl Threads,
    net: &N,
    x: Batch<'_, T>,
    pass: Pass<'_>,
    sink: &mut impl GradientSink,
) -> Result<(), Error> {
    let ends = Ends { x, y: pass.logits, d_y: pass.d_logits, d_x: None };
    net.backward_pass(threads, 0, sink, ends, pass.memory)
}

/// Keeps the gradient instead of using it.
struct Keep<'a> {
    params: &'a [f32],
    gradient: &'a mut [f32],
}

impl GradientSink for Keep<'_> {
    type Part<'p>
        = Keep<'p>
    where
        Self: 'p;

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

    fn split_at(&mut self, at: usize) -> (Keep<'_>, Keep<'_>) {
        let at = at.min(self.params.len()).min(self.gradient.len());
        let (params, gradient) = (self.params.split_at(at), self.gradient.split_at_mut(at));
        (
            Keep { params: params.0, gradient: gradient.0 },
            Keep { params: params.1, gradient: gradient.1 },
        )
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
