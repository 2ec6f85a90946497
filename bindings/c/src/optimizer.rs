//! The optimizers that C programs choose from: two, since a device carries the code of all.

use picomlp::optim::{Gradient, State, Update};
use picomlp::{Adam, Error, Optimizer, Sgd};

use crate::pico_error;

/// An optimizer: PICO_SGD or PICO_ADAM.
pub type pico_optimizer = i32;
/// Stochastic gradient descent; no state.
pub const PICO_SGD: pico_optimizer = 0;
/// Adam with the usual settings (0.9, 0.999, 1e-8); two floats of state for each parameter.
pub const PICO_ADAM: pico_optimizer = 1;

/// One of them.
pub(crate) enum Either<S, A> {
    Sgd(S),
    Adam(A),
}

/// The same call on whichever it is.
macro_rules! each {
    ($either:expr, $one:ident => $call:expr) => {
        match $either {
            Either::Sgd($one) => $call,
            Either::Adam($one) => $call,
        }
    };
}

impl Either<Sgd, Adam> {
    pub(crate) fn new(kind: pico_optimizer, learning_rate: f32) -> Result<Self, pico_error> {
        match kind {
            PICO_SGD => Ok(Self::Sgd(Sgd::new(learning_rate))),
            PICO_ADAM => Ok(Self::Adam(Adam::new(learning_rate))),
            _ => Err(pico_error::PICO_ERROR_SETTING),
        }
    }
}

impl Optimizer for Either<Sgd, Adam> {
    const STATE_PER_PARAM: usize = 2;

    type Update = Either<<Sgd as Optimizer>::Update, <Adam as Optimizer>::Update>;

    fn begin(&mut self) -> Self::Update {
        match self {
            Self::Sgd(sgd) => Either::Sgd(sgd.begin()),
            Self::Adam(adam) => Either::Adam(adam.begin()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        each!(self, one => one.check())
    }

    fn learning_rate(&self) -> f32 {
        each!(self, one => one.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: f32) {
        each!(self, one => one.set_learning_rate(rate));
    }

    fn set_steps(&mut self, steps: u64) {
        each!(self, one => one.set_steps(steps));
    }

    fn state_per_param(&self) -> usize {
        each!(self, one => one.state_per_param())
    }
}

impl<S: Update, A: Update> Update for Either<S, A> {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool) {
        each!(self, one => one.apply(params, state, gradient, bias));
    }

    fn rate(&self) -> Option<f32> {
        each!(self, one => one.rate())
    }
}
