//! Forward pass, loss and backward pass of a training step, through a batch or a part of one.

use crate::Error;
use crate::kernels::{Batch, Element, Targets, Threads, copy};
use crate::layers::{Io, Layer, Mode, Pass, Shape};
use crate::loss::Objective;

/// The workspace of a training step, cut up.
pub(crate) struct Slices<'a> {
    activations: &'a mut [f32],
    d_activations: &'a mut [f32],
    outputs: &'a mut [f32],
    d_outputs: &'a mut [f32],
    pub(crate) saved: &'a mut [f32],
    workspace: &'a mut [f32],
}

impl<'a> Slices<'a> {
    /// Activations come first: in an aligned workspace, their rows are then aligned for vectors.
    pub(crate) fn of(shape: Shape, batch: usize, workspace: &'a mut [f32]) -> Option<Self> {
        let (between, outputs) = (batch * shape.activations, batch * shape.outputs);
        let (activations, rest) = workspace.split_at_mut_checked(between)?;
        let (d_activations, rest) = rest.split_at_mut_checked(between)?;
        let (outputs, rest) = rest.split_at_mut_checked(outputs)?;
        let (d_outputs, rest) = rest.split_at_mut_checked(outputs.len())?;
        let saved = shape.saved.len(Mode::training(0, 0), batch);
        let (saved, workspace) = rest.split_at_mut_checked(saved)?;
        Some(Self { activations, d_activations, outputs, d_outputs, saved, workspace })
    }
}

/// A batch, or a part of one that is too large for the workspace.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) threads: &'a dyn Threads,
    pub(crate) objective: &'a Objective<'a>,
    /// Samples in the whole batch.
    pub(crate) batch: usize,
    /// Samples in the parts before.
    pub(crate) first: usize,
    /// The sum of their losses.
    pub(crate) loss_before: f32,
}

impl<'a> Part<'a> {
    /// All of a batch.
    pub(crate) fn whole(
        threads: &'a dyn Threads,
        objective: &'a Objective<'a>,
        batch: usize,
    ) -> Self {
        Self { threads, objective, batch, first: 0, loss_before: 0.0 }
    }

    fn mode(self) -> Mode {
        Mode::training(self.objective.seed, self.objective.step).starting_at(self.first)
    }

    /// The first half of a training step. Nothing but the workspace has been written afterwards.
    #[inline(never)] // the backward pass doesn't need its stack
    pub(crate) fn forward_and_loss<'w, N: Layer + ?Sized, T: Element>(
        self,
        net: &N,
        params: &[f32],
        x: Batch<'_, T>,
        targets: Targets<'_>,
        workspace: &'w mut [f32],
    ) -> Result<Forward<'w>, Error>
    where
        'a: 'w,
    {
        let Self { threads, objective, batch, first, loss_before } = self;
        let shape = net.shape();
        if x.is_empty() {
            return Err(Error::EmptyBatch);
        }
        if batch < shape.min_batch {
            return Err(Error::BatchTooSmall { needed: shape.min_batch, got: x.len() });
        }
        objective.loss.check_targets(targets, x.len(), shape.outputs)?;
        let (needed, got) = (shape.train_scratch(threads.count(), x.len()), workspace.len());
        let too_short = Error::BufferTooShort { what: "scratch", needed, got };
        if got < needed {
            return Err(too_short);
        }
        let slices = Slices::of(shape, x.len(), workspace).ok_or(too_short)?;
        let pass = Pass {
            threads,
            mode: self.mode(),
            params,
            activations: &mut *slices.activations,
            d_activations: &mut [],
            saved: &mut *slices.saved,
            workspace: &mut [],
        };
        net.forward_pass(pass, x, slices.outputs).map_err(|error| match error {
            Error::InputNotFinite { sample, input } => {
                Error::InputNotFinite { sample: first + sample, input }
            }
            Error::OutputNotFinite { .. } => Error::LossNotFinite,
            error => error,
        })?;
        copy(slices.outputs, slices.d_outputs);
        let d_outputs = &mut *slices.d_outputs;
        let (loss_sum, scale) =
            objective.loss.gradient_of_part(d_outputs, targets, shape.outputs, batch, loss_before);
        let loss = loss_sum * scale;
        if loss.is_finite() {
            Ok(Forward { loss, loss_sum, part: self, slices })
        } else {
            Err(Error::LossNotFinite)
        }
    }
}

/// What a forward pass leaves for the backward pass.
pub(crate) struct Forward<'a> {
    /// The loss of the batch; of a part, what it and the parts before it add to that.
    pub(crate) loss: f32,
    /// The sum of the losses of the samples, of the parts before too.
    pub(crate) loss_sum: f32,
    part: Part<'a>,
    pub(crate) slices: Slices<'a>,
}

impl Forward<'_> {
    /// The arguments of the backward pass, the second half of a training step.
    pub(crate) fn backward<'x, T: Element>(&'x mut self, x: Batch<'x, T>) -> (Pass<'x>, Io<'x, T>) {
        let Slices { activations, d_activations, outputs, d_outputs, saved, workspace } =
            &mut self.slices;
        let pass = Pass {
            threads: self.part.threads,
            mode: self.part.mode(),
            params: &[],
            activations,
            d_activations,
            saved,
            workspace,
        };
        (pass, Io { x, y: outputs, d_y: d_outputs, d_x: None })
    }
}
