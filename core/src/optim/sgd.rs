//! Stochastic gradient descent.

use super::{Gradient, Optimizer, State, check_positive, learning_rate_field};
use crate::Error;
use crate::kernels::{Update, sgd};

/// Plain gradient descent, `w = w - rate·∂loss/∂w`. Needs no state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate.
    pub learning_rate: f32,
}

impl Sgd {
    /// `f32`s of state for each parameter: none.
    pub const STATE_PER_PARAM: usize = 0;

    /// Gradient descent with this learning rate.
    #[must_use]
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate }
    }

    /// `f32`s of state for a network of `params` parameters: none.
    #[must_use]
    pub const fn state_len(params: usize) -> usize {
        Self::STATE_PER_PARAM * params
    }
}

impl Optimizer for Sgd {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    type Update = SgdUpdate;

    #[inline]
    fn begin(&mut self) -> SgdUpdate {
        SgdUpdate { rate: self.learning_rate }
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)
    }

    learning_rate_field!();
}

/// One step of [`Sgd`].
#[derive(Clone, Copy, Debug)]
pub struct SgdUpdate {
    pub(super) rate: f32,
}

impl Update for SgdUpdate {
    fn apply(&self, params: &mut [f32], _: State<'_>, gradient: Gradient<'_>, _: bool) {
        match gradient {
            Gradient::Dense(gradient) => sgd::update(params, gradient, self.rate),
            // `w - rate·0` is `w`, bit for bit.
            Gradient::Zero => {}
            Gradient::OuterProduct { rows, d_y, .. } => {
                sgd::update_rows(params, rows, d_y, self.rate);
            }
        }
    }

    fn rate(&self) -> Option<f32> {
        Some(self.rate)
    }
}
