//! An optimizer of any kind, chosen at run time.

use super::adam::AdamUpdate;
use super::adam_bf16::AdamBf16Update;
use super::momentum::MomentumUpdate;
use super::rms_prop::RmsPropUpdate;
use super::sgd::SgdUpdate;
use super::{Adam, AdamBf16, Gradient, Momentum, Optimizer, RmsProp, Sgd, State};
use crate::Error;
use crate::kernels::Update;

/// One of the optimizers, for programs that learn which one when they run. The bits are those of the one that it is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyOptimizer {
    /// [`Sgd`].
    Sgd(Sgd),
    /// [`Momentum`], with Nesterov's look ahead or without.
    Momentum(Momentum),
    /// [`RmsProp`].
    RmsProp(RmsProp),
    /// [`Adam`].
    Adam(Adam),
    /// [`AdamBf16`].
    AdamBf16(AdamBf16),
}

/// The same call on whichever optimizer or rule it is.
macro_rules! each {
    ($type:ident, $any:expr, $one:ident => $call:expr) => {
        match $any {
            $type::Sgd($one) => $call,
            $type::Momentum($one) => $call,
            $type::RmsProp($one) => $call,
            $type::Adam($one) => $call,
            $type::AdamBf16($one) => $call,
        }
    };
}

impl Optimizer for AnyOptimizer {
    const STATE_PER_PARAM: usize = 2;

    fn set_steps(&mut self, steps: u64) {
        each!(AnyOptimizer, self, optimizer => optimizer.set_steps(steps));
    }

    type Update = AnyUpdate;

    fn begin(&mut self) -> AnyUpdate {
        match self {
            Self::Sgd(optimizer) => AnyUpdate::Sgd(optimizer.begin()),
            Self::Momentum(optimizer) => AnyUpdate::Momentum(optimizer.begin()),
            Self::RmsProp(optimizer) => AnyUpdate::RmsProp(optimizer.begin()),
            Self::Adam(optimizer) => AnyUpdate::Adam(optimizer.begin()),
            Self::AdamBf16(optimizer) => AnyUpdate::AdamBf16(optimizer.begin()),
        }
    }

    fn state_per_param(&self) -> usize {
        each!(AnyOptimizer, self, optimizer => optimizer.state_per_param())
    }

    fn check(&self) -> Result<(), Error> {
        each!(AnyOptimizer, self, optimizer => optimizer.check())
    }

    fn learning_rate(&self) -> f32 {
        each!(AnyOptimizer, self, optimizer => optimizer.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: f32) {
        each!(AnyOptimizer, self, optimizer => optimizer.set_learning_rate(rate));
    }
}

/// One step of [`AnyOptimizer`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyUpdate {
    /// Of [`Sgd`].
    Sgd(SgdUpdate),
    /// Of [`Momentum`].
    Momentum(MomentumUpdate),
    /// Of [`RmsProp`].
    RmsProp(RmsPropUpdate),
    /// Of [`Adam`].
    Adam(AdamUpdate),
    /// Of [`AdamBf16`].
    AdamBf16(AdamBf16Update),
}

impl Update for AnyUpdate {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool) {
        each!(AnyUpdate, self, update => update.apply(params, state, gradient, bias));
    }

    fn rate(&self) -> Option<f32> {
        each!(AnyUpdate, self, update => update.rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightDecay;

    #[test]
    fn a_plain_step_stays_one_as_one_of_several_kinds_and_without_decay() {
        let rate = |any, decay| WeightDecay::l2(any, decay).begin().rate();
        let sgd = AnyOptimizer::Sgd(Sgd::new(0.5));
        assert_eq!(rate(sgd, 0.0), Some(0.5));
        assert_eq!(rate(sgd, 0.1), None);
        assert_eq!(rate(AnyOptimizer::Adam(Adam::new(0.5)), 0.0), None);
    }
}
