//! One adaptive rate for each group of parameters.

use super::sgd::SgdUpdate;
use super::{Optimizer, check_not_negative, check_positive, check_share, learning_rate_field};
use crate::kernels::{add_scaled, scale, sum_of_squares};
use crate::layers::{Layer, for_each_group};
use crate::{Error, math};

/// RMSprop with one rate for a whole group of parameters, the weights of a layer or its bias.
///
/// For each group `s = γ·s + (1-γ)·Σg²` over all its gradient, then `w = w - (rate/√(s + ε))·g`, ε inside the root.
/// It needs a group's whole gradient before the first update, so it cannot be fused with the backward pass: a
/// [`Trainer`](crate::Trainer) steps with it that has a gradient buffer. State: `s` of each group, zeros to begin with; a network
/// of dense layers has two groups for each, the weights and the bias, so an [`Mlp`](crate::Mlp) has four.
///
/// `Σg²` is summed as [`sum_of_squares`] does it; the rate of a group is found in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupRms {
    /// The learning rate, over the root of `s + ε`.
    pub learning_rate: f32,
    /// `γ`, the share of `s` that stays at each step. In f64, so that `1 - γ` keeps its digits.
    pub gamma: f64,
    /// `ε`, added to `s`.
    pub epsilon: f32,
    /// Times `w`, what is added to the gradient first: L2. 0 for none.
    pub decay: f32,
    /// Whether biases decay too.
    pub decay_biases: bool,
}

impl GroupRms {
    /// With this learning rate, `γ = 0.99`, `ε = 1e-3`, no decay.
    #[must_use]
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, gamma: 0.99, epsilon: 1e-3, decay: 0.0, decay_biases: true }
    }
}

impl Optimizer for GroupRms {
    const STATE_PER_PARAM: usize = 0;

    const NEEDS_GRADIENT: bool = true;

    type Update = SgdUpdate;

    /// The rates are in the gradient already: [`prepare`](Self::prepare) multiplies each group by its own.
    fn begin(&mut self) -> SgdUpdate {
        SgdUpdate { rate: 1.0 }
    }

    fn check(&self) -> Result<(), Error> {
        check_positive("learning_rate", self.learning_rate)?;
        check_share("gamma", self.gamma)?;
        check_positive("epsilon", self.epsilon)?;
        check_not_negative("decay", self.decay)
    }

    learning_rate_field!();

    fn state_len_of(&self, net: &impl Layer) -> usize {
        let mut groups = 0;
        // Too many layers: none here; `prepare` returns the error.
        for_each_group(net, |_| groups += 1).map_or(0, |()| groups)
    }

    fn prepare(
        &mut self,
        net: &impl Layer,
        params: &[f32],
        gradient: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        let (kept, new) = (self.gamma as f32, (1.0 - self.gamma) as f32);
        let mut state = state.iter_mut();
        for_each_group(net, |group| {
            let params = params.get(group.range.clone()).unwrap_or_default();
            let gradient = gradient.get_mut(group.range).unwrap_or_default();
            if let Some(mean) = state.next() {
                if self.decay != 0.0 && (self.decay_biases || !group.bias) {
                    add_scaled(gradient, params, self.decay);
                }
                *mean = kept * *mean + new * sum_of_squares(gradient);
                scale(gradient, self.learning_rate / math::sqrt(*mean + self.epsilon));
            }
        })
    }
}
