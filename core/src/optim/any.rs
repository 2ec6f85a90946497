//! An optimizer of any kind, chosen at run time.

use super::{
    Adam, AdamRule, Momentum, MomentumRule, Optimizer, RmsProp, RmsPropRule, Rule, Settings, Sgd,
    SgdRule, State,
};
use crate::Error;
use crate::kernels::Simd;

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
}

/// The same call on whichever optimizer or rule it is.
macro_rules! each {
    ($type:ident, $any:expr, $one:ident => $call:expr) => {
        match $any {
            $type::Sgd($one) => $call,
            $type::Momentum($one) => $call,
            $type::RmsProp($one) => $call,
            $type::Adam($one) => $call,
        }
    };
}

impl Settings for AnyOptimizer {
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

impl Optimizer for AnyOptimizer {
    const STATE_PER_PARAM: usize = 2;

    type Rule = AnyRule;

    fn begin(&mut self) -> AnyRule {
        match self {
            Self::Sgd(optimizer) => AnyRule::Sgd(optimizer.begin()),
            Self::Momentum(optimizer) => AnyRule::Momentum(optimizer.begin()),
            Self::RmsProp(optimizer) => AnyRule::RmsProp(optimizer.begin()),
            Self::Adam(optimizer) => AnyRule::Adam(optimizer.begin()),
        }
    }

    fn state_per_param(&self) -> usize {
        each!(AnyOptimizer, self, optimizer => optimizer.state_per_param())
    }
}

/// One step of [`AnyOptimizer`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyRule {
    /// Of [`Sgd`].
    Sgd(SgdRule),
    /// Of [`Momentum`].
    Momentum(MomentumRule),
    /// Of [`RmsProp`].
    RmsProp(RmsPropRule),
    /// Of [`Adam`].
    Adam(AdamRule),
}

impl Rule for AnyRule {
    #[inline(always)]
    fn update<S: Simd>(&self, simd: S, params: &mut [f32], gradient: &[f32], state: State<'_>) {
        simd.outlined(
            #[inline(always)]
            || each!(AnyRule, self, rule => rule.update(simd, params, gradient, state)),
        );
    }

    #[inline(always)]
    fn update_zeros<S: Simd>(&self, simd: S, params: &mut [f32], state: State<'_>) {
        simd.outlined(
            #[inline(always)]
            || each!(AnyRule, self, rule => rule.update_zeros(simd, params, state)),
        );
    }
}
