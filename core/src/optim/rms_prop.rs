//! RMSprop.

use super::{Gradient, Optimizer, State, check_positive, check_share, learning_rate_field};
use crate::Error;
use crate::kernels::{RmsPropCoefficients, Update, rms_prop};

/// RMSprop, ε outside the root, without momentum and not centred: PyTorch's definition and default settings.
///
/// State: the mean square of each parameter's gradient, zeros to begin with.
///
/// # Source
///
/// Hinton, Srivastava and Swersky, "Neural networks for machine learning", lecture 6e, 2012.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// The learning rate.
    pub learning_rate: f32,
    /// `α`, the share of the mean square that stays at each step. In f64, so that `1 - α` keeps its digits.
    pub alpha: f64,
    /// `ε`, added to the root of the mean square.
    pub epsilon: f32,
}

impl RmsProp {
    /// `f32`s of state for each parameter: the mean square.
    pub const STATE_PER_PARAM: usize = 1;

    /// RMSprop with this learning rate, `α = 0.99`, `ε = 1e-8`.
    #[must_use]
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, alpha: 0.99, epsilon: 1e-8 }
    }

    /// `f32`s of state for a network of `params` parameters.
    #[must_use]
    pub const fn state_len(params: usize) -> usize {
        Self::STATE_PER_PARAM * params
    }
}

impl Optimizer for RmsProp {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    type Update = RmsPropUpdate;

    #[inline]
    fn begin(&mut self) -> RmsPropUpdate {
        RmsPropUpdate(RmsPropCoefficients {
            rate: self.learning_rate,
            alpha: self.alpha as f32,
            alpha_rest: (1.0 - self.alpha) as f32,
            epsilon: self.epsilon,
        })
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)?;
        check_share("alpha", self.alpha)?;
        check_positive("epsilon", self.epsilon)
    }

    learning_rate_field!();
}

/// One step of [`RmsProp`].
#[derive(Clone, Copy, Debug)]
pub struct RmsPropUpdate(RmsPropCoefficients);

impl Update for RmsPropUpdate {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _: bool) {
        gradient.for_each_dense(params, state, |params, [v, _], gradient| {
            rms_prop::update(params, gradient, v, &self.0);
        });
    }
}
