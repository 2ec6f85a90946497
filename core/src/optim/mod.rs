//! Optimizers: what is done with a gradient, piece by piece, while the backward pass makes it.

mod adam;
mod sgd;

pub use adam::{Adam, AdamStep};
pub use sgd::{Sgd, SgdStep};

use crate::Error;
use crate::kernels::GradientSink;

/// Turns gradients into changes of the parameters.
pub trait Optimizer {
    /// `f32`s of state for each parameter.
    const STATE_PER_PARAM: usize;

    /// One step, as the backward pass sees it: holds the parameters and takes their gradient.
    type Step<'a>: GradientSink
    where
        Self: 'a;

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    fn check(&self) -> Result<(), Error>;

    /// Begins a step on `params`, with `state: [STATE_PER_PARAM][params]`.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `state`.
    fn step<'a>(
        &'a mut self,
        params: &'a mut [f32],
        state: &'a mut [f32],
    ) -> Result<Self::Step<'a>, Error>;
}

/// A finite number above zero.
fn check_positive(what: &'static str, value: f32) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(Error::Setting { what, expected: "a finite number above 0" })
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
