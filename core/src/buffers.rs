//! The memory of training, which belongs to the caller.

/// The memory of training, by name: owned, borrowed or static.
///
/// * `params: [params]`
/// * `state`: as long as [`Optimizer::state_len_of`](crate::Optimizer::state_len_of) says
/// * `workspace`: as long as [`train_scratch`](crate::Layer::train_scratch) of the largest batch,
///   or of the largest part of one
#[derive(Clone, Copy, Debug)]
pub struct Buffers<P, S, W> {
    /// The parameters.
    pub params: P,
    /// The optimizer's state.
    pub state: S,
    /// Activations, their gradients and scratch.
    pub workspace: W,
}

/// Where a trainer keeps the gradient of a batch: `()` for nowhere, or [a buffer](crate::Trainer::with_gradient).
///
/// A type, so that a program whose steps are all fused doesn't link the code that the others need.
pub trait GradientBuffer {
    /// The buffer, if there is one.
    fn buffer(&mut self) -> Option<&mut [f32]>;
}

impl GradientBuffer for () {
    #[inline]
    fn buffer(&mut self) -> Option<&mut [f32]> {
        None
    }
}

impl GradientBuffer for &mut [f32] {
    #[inline]
    fn buffer(&mut self) -> Option<&mut [f32]> {
        Some(self)
    }
}
