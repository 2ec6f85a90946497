//! Stochastic gradient descent.

use super::{Optimizer, Rule, Settings, State, check_positive, learning_rate_field};
use crate::Error;
use crate::kernels::{Nonzeros, Simd, sgd};

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

impl Settings for Sgd {
    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)
    }

    learning_rate_field!();
}

impl Optimizer for Sgd {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    type Rule = SgdRule;

    #[inline]
    fn begin(&mut self) -> SgdRule {
        SgdRule { rate: self.learning_rate }
    }
}

/// One step of [`Sgd`].
#[derive(Clone, Copy, Debug)]
pub struct SgdRule {
    rate: f32,
}

impl Rule for SgdRule {
    #[inline(always)]
    fn update<S: Simd>(&self, simd: S, params: &mut [f32], gradient: &[f32], _state: State<'_>) {
        sgd::update(simd, params, gradient, self.rate);
    }

    /// `w - rate·0` is `w`, bit for bit.
    #[inline(always)]
    fn update_zeros<S: Simd>(&self, _: S, _params: &mut [f32], _state: State<'_>) {}

    #[inline]
    fn update_rows(&self, params: &mut [f32], rows: &mut Nonzeros, d_y: &[f32]) -> bool {
        sgd::update_rows(params, rows, d_y, self.rate);
        true
    }
}
