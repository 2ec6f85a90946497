//! Optimizers: what is done with a gradient, piece by piece, while the backward pass makes it.
//!
//! [`Sgd`], [`Momentum`], [`RmsProp`], [`Adam`] and [`WeightDecay`] of any of them (so [`AdamW`]) are
//! [`Optimizer`]s: they need no gradient but the piece at hand, and a [`Trainer`](crate::Trainer) fuses them with the
//! backward pass. [`GroupRms`] and clipping need the whole gradient first; a
//! [`BufferedTrainer`](crate::BufferedTrainer) keeps it. [`Schedule`], [`Warmup`] and [`Plateau`] give learning rates.

mod adam;
mod any;
mod buffered;
mod group_rms;
mod momentum;
mod rms_prop;
mod schedule;
mod sgd;
mod weight_decay;

pub use adam::Adam;
pub use any::AnyOptimizer;
pub use buffered::BufferedOptimizer;
pub use group_rms::GroupRms;
pub use momentum::Momentum;
pub use rms_prop::RmsProp;
pub use schedule::{Plateau, Schedule, Warmup};
pub use sgd::Sgd;
pub use weight_decay::{AdamW, WeightDecay};

use crate::Error;
use crate::kernels::Update;
pub use crate::kernels::{Gradient, State};

/// What all optimizers have.
pub trait Settings {
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
}

/// Turns gradients into changes of the parameters, element by element.
pub trait Optimizer: Settings {
    /// The most `f32`s of state for each parameter: 0, 1 or 2.
    const STATE_PER_PARAM: usize;

    /// What a step does to the parameters.
    type Update: Update;

    /// Begins a step: counts it, and says what it does.
    fn begin(&mut self) -> Self::Update;

    /// `f32`s of state for each parameter with these settings.
    fn state_per_param(&self) -> usize {
        Self::STATE_PER_PARAM
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

/// [`Settings`]' learning rate is the field of that name.
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
