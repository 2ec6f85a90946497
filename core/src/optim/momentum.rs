//! Gradient descent with momentum.

use super::{Gradient, Optimizer, State, check_positive, check_share, learning_rate_field};
use crate::Error;
use crate::kernels::{MomentumCoefficients, Update, momentum};

/// Gradient descent with momentum, `v = μ·v + g`, `w = w - rate·v`: PyTorch's definition, without dampening.
///
/// State: the velocity of each parameter, zeros to begin with.
///
/// # Source
///
/// Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    /// The learning rate.
    pub learning_rate: f32,
    /// `μ`, the share of the velocity that stays at each step.
    pub momentum: f32,
    /// Whether a step looks ahead, `w = w - rate·(g + μ·v)`: Nesterov's method.
    pub nesterov: bool,
}

impl Momentum {
    /// `f32`s of state for each parameter: the velocity.
    pub const STATE_PER_PARAM: usize = 1;

    /// Gradient descent with this learning rate and momentum, `μ`.
    #[must_use]
    pub const fn new(learning_rate: f32, momentum: f32) -> Self {
        Self { learning_rate, momentum, nesterov: false }
    }

    /// The same with Nesterov's look ahead.
    #[must_use]
    pub const fn nesterov(learning_rate: f32, momentum: f32) -> Self {
        Self { learning_rate, momentum, nesterov: true }
    }

    /// `f32`s of state for a network of `params` parameters.
    #[must_use]
    pub const fn state_len(params: usize) -> usize {
        Self::STATE_PER_PARAM * params
    }
}

impl Optimizer for Momentum {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    type Update = MomentumUpdate;

    #[inline]
    fn begin(&mut self) -> MomentumUpdate {
        MomentumUpdate(MomentumCoefficients {
            rate: self.learning_rate,
            momentum: self.momentum,
            nesterov: self.nesterov,
        })
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)?;
        check_share("momentum", f64::from(self.momentum))
    }

    learning_rate_field!();
}

/// One step of [`Momentum`].
#[derive(Clone, Copy, Debug)]
pub struct MomentumUpdate(MomentumCoefficients);

impl Update for MomentumUpdate {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _: bool) {
        gradient.for_each_dense(params, state, |params, [v, _], gradient| {
            momentum::update(params, gradient, v, &self.0);
        });
    }
}
