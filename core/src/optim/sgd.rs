//! Stochastic gradient descent.

use super::{Optimizer, check_positive};
use crate::Error;
use core::ops::Range;

use crate::kernels::{GradientSink, Nonzeros, sgd};
use crate::network::check_len;

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

    type Step<'a> = SgdStep<'a>;

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)
    }

    #[inline]
    fn step<'a>(
        &'a mut self,
        params: &'a mut [f32],
        state: &'a mut [f32],
    ) -> Result<SgdStep<'a>, Error> {
        check_len("state", state, Self::state_len(params.len()))?;
        Ok(SgdStep { params, rate: self.learning_rate })
    }
}

/// One step of [`Sgd`].
#[derive(Debug)]
pub struct SgdStep<'a> {
    params: &'a mut [f32],
    rate: f32,
}

impl GradientSink for SgdStep<'_> {
    type Part<'p>
        = SgdStep<'p>
    where
        Self: 'p;

    #[inline]
    fn params(&self) -> &[f32] {
        self.params
    }

    #[inline]
    fn take(&mut self, at: usize, gradient: &[f32]) {
        if let Some(params) = self.params.get_mut(at..at + gradient.len()) {
            sgd::update(params, gradient, self.rate);
        }
    }

    /// `w - rate·0` is `w`, bit for bit.
    #[inline]
    fn take_zeros(&mut self, _at: usize, _len: usize) {}

    #[inline]
    fn take_rows(&mut self, at: usize, rows: &mut Nonzeros, _inputs: Range<usize>, d_y: &[f32]) {
        sgd::update_rows(self.params.get_mut(at..).unwrap_or_default(), rows, d_y, self.rate);
    }

    #[inline]
    fn split_at(&mut self, at: usize) -> (SgdStep<'_>, SgdStep<'_>) {
        let (a, b) = self.params.split_at_mut(at.min(self.params.len()));
        (SgdStep { params: a, rate: self.rate }, SgdStep { params: b, rate: self.rate })
    }
}
