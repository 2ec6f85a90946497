//! Learning rates that change: functions of the turn, in f64, the same on every machine.
//!
//! A turn is an epoch or a step, as the caller counts, from 0. The rate of a turn is a function of its number alone,
//! so that a resumed run needs no history; only [`Plateau`], which watches the loss, has one.

use super::{check_at_least_one, check_share};
use crate::{Error, math};

/// How the learning rate goes on from turn to turn.
///
/// ```
/// use picomlp::optim::{Schedule, Warmup};
///
/// let (schedule, warmup) = (Schedule::Cosine { turns: 10, lowest: 0.0 }, Warmup { turns: 5 });
/// let rate = |turn| (warmup.share(turn) * schedule.rate(0.1, turn)) as f32; // for `set_learning_rate`
/// assert_eq!((rate(0), rate(5), rate(10)), (0.02, 0.05, 0.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// A constant rate.
    #[default]
    Constant,
    /// Multiplies the rate by `factor` every `every` turns.
    Step {
        /// Turns with the same rate, at least 1.
        every: u64,
        /// What the rate is then multiplied by, above 0 and below 1.
        factor: f64,
    },
    /// Half a cosine, `lowest + (rate - lowest)·(1 + cos(π·turn/turns))/2`, and `lowest` from `turns` on: Loshchilov and
    /// Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5, without restarts.
    Cosine {
        /// Turns until the lowest rate is reached, at least 1.
        turns: u64,
        /// The lowest rate.
        lowest: f64,
    },
}

impl Schedule {
    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every, factor } => {
                check_at_least_one("every", every)?;
                check_factor(factor)
            }
            Self::Cosine { turns, lowest } => {
                check_at_least_one("turns", turns)?;
                if lowest.is_finite() && lowest >= 0.0 {
                    Ok(())
                } else {
                    Err(Error::Setting { what: "lowest", expected: "a finite number, at least 0" })
                }
            }
        }
    }

    /// The learning rate of a turn, of a run that begins with `rate`.
    #[must_use]
    pub fn rate(&self, rate: f64, turn: u64) -> f64 {
        match *self {
            Self::Constant => rate,
            Self::Step { every, factor } => {
                rate * power(factor, turn.checked_div(every).unwrap_or(0))
            }
            Self::Cosine { turns, lowest } if turn < turns => {
                let share = turn as f64 / turns as f64;
                lowest
                    + (rate - lowest) * (1.0 + math::cos_f64(core::f64::consts::PI * share)) / 2.0
            }
            Self::Cosine { lowest, .. } => lowest,
        }
    }
}

/// `x` to the power of `n`, by squaring.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            product *= x;
        }
        x *= x;
        n >>= 1;
    }
    product
}

/// A linear rise of the rate over the first turns: `1/turns` of it, `2/turns`, and so on. 0 for none.
///
/// Its share multiplies the rate of any [`Schedule`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmup {
    /// Turns until the rate is whole.
    pub turns: u64,
}

impl Warmup {
    /// The share of the rate that counts in a turn, above 0 and at most 1.
    #[must_use]
    pub fn share(&self, turn: u64) -> f64 {
        if turn < self.turns { (turn + 1) as f64 / self.turns as f64 } else { 1.0 }
    }
}

/// Reduces the rate when the loss stops falling: PyTorch's `ReduceLROnPlateau` with its default threshold.
///
/// The loss must fall below 0.9999 of the lowest so far. When it has not for more than `patience` times in a row, the
/// rate is multiplied by `factor`, and the count begins anew. A loss that is NaN has not fallen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    patience: u64,
    factor: f64,
    lowest: f64,
    since: u64,
    share: f64,
}

impl Plateau {
    /// Multiplies by `factor` after more than `patience` losses that are no better than the best before them.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `factor` is not above 0 and below 1.
    pub fn new(patience: u64, factor: f64) -> Result<Self, Error> {
        check_factor(factor)?;
        Ok(Self { patience, factor, lowest: f64::INFINITY, since: 0, share: 1.0 })
    }

    /// Sees the loss of a turn.
    pub fn observe(&mut self, loss: f64) {
        if loss < self.lowest * (1.0 - 1e-4) {
            self.lowest = loss;
            self.since = 0;
        } else {
            self.since += 1;
        }
        if self.since > self.patience {
            self.share *= self.factor;
            self.since = 0;
        }
    }

    /// The share of the rate that is left.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }
}

fn check_factor(factor: f64) -> Result<(), Error> {
    check_share("factor", factor)?;
    if factor > 0.0 {
        Ok(())
    } else {
        Err(Error::Setting { what: "factor", expected: "above 0 and below 1" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_divides_after_every_so_many_turns() {
        let schedule = Schedule::Step { every: 3, factor: 0.5 };
        let rates: [f64; 7] = core::array::from_fn(|turn| schedule.rate(0.8, turn as u64));
        assert_eq!(rates, [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]);
        assert_eq!(Schedule::Constant.rate(0.8, 1_000_000), 0.8);
    }

    #[test]
    fn cosine_falls_from_the_rate_to_the_lowest_and_stays() {
        let schedule = Schedule::Cosine { turns: 8, lowest: 0.1 };
        assert_eq!(schedule.rate(0.9, 0), 0.9);
        assert!((schedule.rate(0.9, 4) - 0.5).abs() < 1e-15);
        assert_eq!([8, 9, u64::MAX].map(|turn| schedule.rate(0.9, turn)), [0.1; 3]);
        assert!((0..8).all(|turn| schedule.rate(0.9, turn + 1) < schedule.rate(0.9, turn)));
    }

    #[test]
    fn warmup_rises_to_the_whole() {
        let warmup = Warmup { turns: 4 };
        let shares: [f64; 6] = core::array::from_fn(|turn| warmup.share(turn as u64));
        assert_eq!(shares, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        assert_eq!(Warmup::default().share(0), 1.0);
    }

    #[test]
    fn plateau_reduces_after_more_bad_losses_than_its_patience() {
        let mut plateau = Plateau::new(1, 0.5).unwrap();
        let losses = [2.0, 1.0, 1.0, 0.99999, 0.5, f64::NAN, 0.5, 0.5, 0.6, 0.1];
        let shares = losses.map(|loss| {
            plateau.observe(loss);
            plateau.share()
        });
        assert_eq!(shares, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for factor in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(Schedule::Step { every: 1, factor }.check().is_err(), "{factor}");
            assert!(Plateau::new(1, factor).is_err(), "{factor}");
        }
        assert!(Schedule::Step { every: 0, factor: 0.5 }.check().is_err());
        assert!(Schedule::Cosine { turns: 0, lowest: 0.0 }.check().is_err());
        assert!(Schedule::Cosine { turns: 1, lowest: -1.0 }.check().is_err());
        assert!(Schedule::Cosine { turns: 1, lowest: 0.0 }.check().is_ok());
    }
}
