//! Optimizers: what is done with a gradient, piece by piece, while the backward pass makes it.
//!
//! [`Sgd`], [`Momentum`], [`RmsProp`], [`Adam`], [`AdamBf16`] and [`WeightDecay`] of any of them (so [`AdamW`]) are
//! [`Optimizer`]s: they need no gradient but the piece at hand, and a [`Trainer`](crate::Trainer) fuses them with the
//! backward pass. [`GroupRms`] and clipping need the whole gradient first, in a
//! [buffer](crate::Trainer::with_gradient). [`Schedule`], [`Warmup`] and [`Plateau`] give learning rates.

mod adam;
mod adam_bf16;
mod any;
mod group_rms;
mod momentum;
mod rms_prop;
mod schedule;
mod sgd;
mod weight_decay;

pub use adam::Adam;
pub use adam_bf16::AdamBf16;
pub use any::AnyOptimizer;
pub use group_rms::GroupRms;
pub use momentum::Momentum;
pub use rms_prop::RmsProp;
pub use schedule::{Plateau, Schedule, Warmup};
pub use sgd::Sgd;
pub use weight_decay::{AdamW, WeightDecay};

use crate::Error;
use core::ops::Range;

pub use crate::kernels::{Gradient, State, Update};
use crate::kernels::{Sink, Split, Threads, fork, parts};
use crate::layers::{Layer, for_each_group};

/// Turns gradients into changes of the parameters.
pub trait Optimizer {
    /// The most `f32`s of state for each parameter: 0, 1 or 2.
    const STATE_PER_PARAM: usize;

    /// Whether the optimizer must see the whole gradient before the first update: [`prepare`](Self::prepare).
    const NEEDS_GRADIENT: bool = false;

    /// What a step does to the parameters.
    type Update: Update;

    /// Begins a step: counts it, and says what it does.
    fn begin(&mut self) -> Self::Update;

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    fn check(&self) -> Result<(), Error>;

    /// The learning rate.
    fn learning_rate(&self) -> f32;

    /// Goes on as if this number of steps had been taken: for a run that is resumed with its state. Without effect on an
    /// optimizer that does not count them.
    fn set_steps(&mut self, steps: u64) {
        let _ = steps;
    }

    /// Sets the learning rate, from the next step on.
    fn set_learning_rate(&mut self, rate: f32);

    /// `f32`s of state for each parameter with these settings.
    fn state_per_param(&self) -> usize {
        Self::STATE_PER_PARAM
    }

    /// `f32`s of state for this network.
    fn state_len_of(&self, net: &impl Layer) -> usize {
        self.state_per_param() * net.params()
    }

    /// Sees, and may change, the whole gradient of a step before [`begin`](Self::begin). Called where it is kept in a buffer.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyLayers`]. Nothing has been changed then.
    fn prepare(
        &mut self,
        _net: &impl Layer,
        _params: &[f32],
        _gradient: &mut [f32],
        _state: &mut [f32],
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// Updates the parameters in `range` that gradients move.
pub(crate) fn apply_range(
    update: &dyn Update,
    threads: &dyn Threads,
    net: &impl Layer,
    params: &mut [f32],
    gradient: &[f32],
    state: &mut [f32],
    range: Range<usize>,
) -> Result<(), Error> {
    let mut step = Sink::new(params, state, update);
    for_each_group(net, |group| {
        let here = group.range.start.max(range.start)..group.range.end.min(range.end);
        let gradient = gradient.get(here.clone()).unwrap_or_default();
        if !gradient.is_empty() {
            let (_, sink) = step.split_at(here.start);
            let parts = parts(threads, gradient.len());
            fork(threads, parts, Apply { sink, gradient, bias: group.bias });
        }
    })
}

/// A gradient, and the sink of its parameters.
struct Apply<'a> {
    sink: Sink<'a>,
    gradient: &'a [f32],
    bias: bool,
}

impl Split for Apply<'_> {
    fn split(self, part: usize, of: usize) -> (Self, Self) {
        let offset = self.gradient.len() * part / of;
        let (sink_a, sink_b) = self.sink.into_halves(offset);
        let (a, b) = self.gradient.split_at(offset);
        (Self { sink: sink_a, gradient: a, ..self }, Self { sink: sink_b, gradient: b, ..self })
    }

    fn run(mut self) {
        self.sink.apply(0..self.gradient.len(), Gradient::Dense(self.gradient), self.bias);
    }
}

/// A finite number above zero.
fn check_positive(what: &'static str, value: f32) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(Error::Setting { what, expected: "a finite number above 0" })
    }
}

/// A finite number that is not below zero.
fn check_not_negative(what: &'static str, value: f32) -> Result<(), Error> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::Setting { what, expected: "a finite number, at least 0" })
    }
}

/// A share of 1 that is below 1.
fn check_share(what: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::Setting { what, expected: "at least 0 and below 1" })
    }
}

fn check_at_least_one(what: &'static str, value: u64) -> Result<(), Error> {
    if value > 0 { Ok(()) } else { Err(Error::Setting { what, expected: "at least 1" }) }
}

/// [`Optimizer`]'s learning rate is the field of that name.
macro_rules! learning_rate_field {
    () => {
        #[inline]
        fn learning_rate(&self) -> f32 {
            self.learning_rate
        }

        #[inline]
        fn set_learning_rate(&mut self, rate: f32) {
            self.learning_rate = rate;
        }
    };
}
use learning_rate_field;
