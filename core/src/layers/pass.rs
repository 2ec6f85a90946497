//! What a pass through a network works with.

use super::{Mode, Shape, split_mut};
use crate::Error;
use crate::kernels::{Batch, Threads};

/// What a pass through a layer works with, besides its input and output. Inference needs no gradients, nothing saved and no
/// workspace: those slices are then empty.
pub struct Pass<'a> {
    /// Who does what can be done at once.
    pub threads: &'a dyn Threads,
    /// Training or inference.
    pub mode: Mode,
    /// The layer's parameters. A backward pass finds them in its [`Sink`](crate::kernels::Sink).
    pub params: &'a [f32],
    /// Activations between the layers of a chain, `[batch][activations]`.
    pub activations: &'a mut [f32],
    /// Their gradients.
    pub d_activations: &'a mut [f32],
    /// What the forward pass saves for the backward pass, as long as [`Shape::saved`] says.
    pub saved: &'a mut [f32],
    /// Scratch of a backward pass, sized for the largest layer. Not preserved between calls.
    pub workspace: &'a mut [f32],
}

/// Input and output of a layer, and their gradients.
#[derive(Debug)]
pub struct Io<'a, T> {
    /// The input of the forward pass.
    pub x: Batch<'a, T>,
    /// Its output, `[batch][outputs]`.
    pub y: &'a [f32],
    /// The gradient at the output, `[batch][outputs]`; may be overwritten.
    pub d_y: &'a mut [f32],
    /// Where the gradient at the input goes, `[batch][inputs]`, if it is wanted.
    pub d_x: Option<&'a mut [f32]>,
}

/// A pass through two layers, cut between them.
pub(super) struct Halves<'a> {
    /// The pass through the first layer, without a workspace.
    pub(super) first: Pass<'a>,
    /// The activations between the two; empty if the second layer overwrites them.
    pub(super) middle: &'a mut [f32],
    /// Their gradients.
    pub(super) d_middle: &'a mut [f32],
    /// The pass through the second layer, without a workspace.
    pub(super) second: Pass<'a>,
    /// The workspace, which both use in turn.
    pub(super) workspace: &'a mut [f32],
}

impl<'a> Pass<'a> {
    /// A pass of inference on this thread.
    pub(crate) fn inference(
        threads: &'a dyn Threads,
        params: &'a [f32],
        activations: &'a mut [f32],
    ) -> Self {
        Self {
            threads,
            mode: Mode::Infer,
            params,
            activations,
            d_activations: &mut [],
            saved: &mut [],
            workspace: &mut [],
        }
    }

    /// Cuts a pass of `batch` samples between two layers: activations are those of the first layer, those between the two, and
    /// those of the second.
    #[inline(always)] // sizes are mostly constants
    pub(super) fn split(self, a: Shape, b: Shape, batch: usize) -> Result<Halves<'a>, Error> {
        let Self { threads, mode, params, activations, d_activations, saved, workspace } = self;
        let middle = if a.is_overwritten_by(b) { 0 } else { batch * a.outputs };
        let (params_a, params_b) = params.split_at(a.params.min(params.len()));
        let (activations_a, rest) = split_mut(activations, batch * a.activations)?;
        let (middle_values, activations_b) = split_mut(rest, middle)?;
        // Without a backward pass there are no gradients.
        let cut = |slice: &'a mut [f32], at: usize| slice.split_at_mut(at.min(slice.len()));
        let (d_activations_a, rest) = cut(d_activations, batch * a.activations);
        let (d_middle, d_activations_b) = cut(rest, middle);
        let (saved_a, saved_b) = split_mut(saved, a.saved.len(mode, batch))?;
        let first = Pass {
            threads,
            mode,
            params: params_a,
            activations: activations_a,
            d_activations: d_activations_a,
            saved: saved_a,
            workspace: &mut [],
        };
        let second = Pass {
            threads,
            mode: mode.after(a.layers),
            params: params_b,
            activations: activations_b,
            d_activations: d_activations_b,
            saved: saved_b,
            workspace: &mut [],
        };
        Ok(Halves { first, middle: middle_values, d_middle, second, workspace })
    }
}
