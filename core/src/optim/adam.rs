//! Adam.

use super::{Gradient, Optimizer, State, check_positive, check_share, learning_rate_field};
use crate::Error;
use crate::kernels::{AdamCoefficients, Update, adam};
use crate::math;

/// Adam with bias correction, ε outside the root: PyTorch's definition and default settings.
///
/// State: the first moments of all parameters, then the second moments, `[2][params]`, zeros to begin with.
///
/// # Source
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", arXiv:1412.6980, algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub learning_rate: f32,
    /// `β₁`, the share of the first moment that stays at each step. In f64, so that `1 - β` keeps its digits.
    pub beta1: f64,
    /// `β₂`, the share of the second moment that stays at each step.
    pub beta2: f64,
    /// `ε`, added to the root of the second moment.
    pub epsilon: f32,
    steps: u64,
    /// `β₁` and `β₂` to the power of `steps`.
    powers: [f64; 2],
}

impl Adam {
    /// `f32`s of state for each parameter: two moments.
    pub const STATE_PER_PARAM: usize = 2;

    /// Adam with this learning rate, `β₁ = 0.9`, `β₂ = 0.999`, `ε = 1e-8`.
    #[must_use]
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, steps: 0, powers: [1.0; 2] }
    }

    /// `f32`s of state for a network of `params` parameters.
    #[must_use]
    pub const fn state_len(params: usize) -> usize {
        Self::STATE_PER_PARAM * params
    }

    /// The same, as if `steps` steps had been taken: with the moments of a run that was stopped there, it goes on as if it
    /// had never been. Multiplies β once for each step, up to where its power is 0.
    ///
    /// ```
    /// # use picomlp::Adam;
    /// assert_eq!(Adam::new(1e-3).at_step(1000).steps(), 1000);
    /// ```
    #[must_use]
    pub const fn at_step(self, steps: u64) -> Self {
        let mut powers = [1.0; 2];
        let mut step = 0;
        while step < steps {
            let next = [powers[0] * self.beta1, powers[1] * self.beta2];
            if next[0].to_bits() == powers[0].to_bits() && next[1].to_bits() == powers[1].to_bits()
            {
                break;
            }
            powers = next;
            step += 1;
        }
        Self { steps, powers, ..self }
    }

    /// Steps taken so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }
}

impl Optimizer for Adam {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    fn set_steps(&mut self, steps: u64) {
        *self = self.at_step(steps);
    }

    type Update = AdamUpdate;

    #[inline]
    fn begin(&mut self) -> AdamUpdate {
        self.steps += 1;
        let [power1, power2] = &mut self.powers;
        *power1 *= self.beta1;
        *power2 *= self.beta2;
        let coefficients = AdamCoefficients {
            beta1: self.beta1 as f32,
            beta1_rest: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            beta2_rest: (1.0 - self.beta2) as f32,
            step: (f64::from(self.learning_rate) / (1.0 - *power1)) as f32,
            root_correction: (1.0 / math::sqrt_f64(1.0 - *power2)) as f32,
            epsilon: self.epsilon,
        };
        AdamUpdate(coefficients)
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)?;
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_positive("epsilon", self.epsilon)
    }

    learning_rate_field!();
}

/// One step of [`Adam`].
#[derive(Clone, Copy, Debug)]
pub struct AdamUpdate(AdamCoefficients);

impl AdamUpdate {
    /// Updates parameters and their moments.
    pub(super) fn update(
        &self,
        params: &mut [f32],
        gradient: &[f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        adam::update(params, gradient, m, v, &self.0);
    }
}

impl Update for AdamUpdate {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _: bool) {
        gradient.for_each_run(params, state, |params, [m, v], gradient| match gradient {
            Some(gradient) => self.update(params, gradient, m, v),
            None => adam::update_zeros(params, m, v, &self.0),
        });
    }
}
