//! Learning-rate schedules.

use core::fmt;
use core::str::FromStr;

use picomlp::optim::{Plateau, Schedule, Warmup};

use crate::number::not_negative;

/// How the learning rate changes from epoch to epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum ScheduleSpec {
    /// It does not.
    #[default]
    Constant,
    /// Multiplied by `factor` every `every` epochs.
    Step {
        /// Epochs between two changes.
        every: u32,
        /// Above 0 and below 1.
        factor: f64,
    },
    /// Annealed to `lowest` along half a cosine over all epochs.
    Cosine {
        /// The learning rate at the end.
        lowest: f32,
    },
    /// Multiplied by `factor` after more than `patience` epochs without a lower validation loss.
    Plateau {
        /// Epochs to wait.
        patience: u32,
        /// Above 0 and below 1.
        factor: f64,
    },
}

impl FromStr for ScheduleSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(':').collect();
        let epochs = |word: &str| {
            let epochs = word.parse().ok().filter(|&epochs: &u32| epochs > 0);
            epochs.ok_or_else(|| format!("invalid number of epochs '{word}': expected 1 or more"))
        };
        let factor = |word: &str| {
            let factor = word.parse().ok().filter(|&factor: &f64| factor > 0.0 && factor < 1.0);
            factor.ok_or_else(|| format!("invalid factor '{word}': expected above 0 and below 1"))
        };
        match words[..] {
            ["constant"] => Ok(Self::Constant),
            ["step", every, by] => Ok(Self::Step { every: epochs(every)?, factor: factor(by)? }),
            ["cosine"] => Ok(Self::Cosine { lowest: 0.0 }),
            ["cosine", lowest] => match not_negative(lowest) {
                Ok(lowest) => Ok(Self::Cosine { lowest }),
                Err(why) => Err(format!("invalid learning rate '{lowest}': {why}")),
            },
            ["plateau", patience, by] => {
                Ok(Self::Plateau { patience: epochs(patience)?, factor: factor(by)? })
            }
            _ => Err("expected constant, step:EPOCHS:FACTOR, cosine, cosine:LOWEST or \
                      plateau:EPOCHS:FACTOR"
                .to_owned()),
        }
    }
}

impl fmt::Display for ScheduleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => write!(f, "constant"),
            Self::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Self::Cosine { lowest: 0.0 } => write!(f, "cosine"),
            Self::Cosine { lowest } => write!(f, "cosine:{lowest}"),
            Self::Plateau { patience, factor } => write!(f, "plateau:{patience}:{factor}"),
        }
    }
}

/// The learning rate of each step of a run.
#[derive(Clone, Debug)]
pub struct LearningRate {
    initial: f64,
    schedule: Schedule,
    plateau: Option<Plateau>,
    warmup: Warmup,
}

impl LearningRate {
    /// Rates of a run of `epochs` epochs that rise to `initial` over `warmup` steps.
    ///
    /// # Errors
    ///
    /// If the schedule's numbers are out of range.
    pub fn new(
        initial: f32,
        spec: ScheduleSpec,
        warmup: u64,
        epochs: u32,
    ) -> Result<Self, picomlp::Error> {
        let (mut schedule, mut plateau) = (Schedule::Constant, None);
        match spec {
            ScheduleSpec::Constant => {}
            ScheduleSpec::Step { every, factor } => {
                schedule = Schedule::Step { every: every.into(), factor };
            }
            ScheduleSpec::Cosine { lowest } => {
                schedule = Schedule::Cosine { turns: epochs.into(), lowest: lowest.into() };
            }
            ScheduleSpec::Plateau { patience, factor } => {
                plateau = Some(Plateau::new(patience.into(), factor)?);
            }
        }
        schedule.check()?;
        let warmup = Warmup { turns: warmup };
        Ok(Self { initial: initial.into(), schedule, plateau, warmup })
    }

    /// Returns the rate of a step, counted from 0 over the whole run, in an epoch, counted from 1.
    #[must_use]
    pub fn at(&self, epoch: u32, step: u64) -> f32 {
        let left = self.plateau.map_or(1.0, |plateau| plateau.share());
        let rate = self.schedule.rate(self.initial, u64::from(epoch) - 1);
        (rate * left * self.warmup.share(step)) as f32
    }

    /// Takes note of the validation loss of an epoch.
    pub fn observe(&mut self, loss: f64) {
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(loss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_is_written_as_it_is_read() {
        for text in ["constant", "step:30:0.1", "cosine", "cosine:0.0001", "plateau:3:0.5"] {
            assert_eq!(text.parse::<ScheduleSpec>().unwrap().to_string(), text);
        }
        for text in ["", "step:0:0.1", "step:3:1", "step:3", "cosine:-1", "plateau:x:0.5", "linear"]
        {
            assert!(text.parse::<ScheduleSpec>().is_err(), "{text}");
        }
    }
}
