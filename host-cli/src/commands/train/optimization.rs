//! The flags of `train` that say how a gradient becomes a step, beyond `--optimizer` and `--lr`.

use core::fmt;
use core::str::FromStr;

use picomlp::optim::{AnyOptimizer, GroupRms, Plateau, Schedule, Warmup};
use picomlp::{Adam, Momentum, RmsProp, Sgd, WeightDecay};

use super::args::OptimizerName;

/// Momentum's `μ` unless it is given.
const MOMENTUM: f32 = 0.9;

/// AdamW's decay unless it is given: PyTorch's.
const ADAM_W_DECAY: f32 = 0.01;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct OptimizationArgs {
    /// Share of the velocity that stays [momentum, nesterov; default: 0.9].
    #[arg(long, value_parser = share, value_name = "SHARE")]
    momentum: Option<f64>,
    /// Share of the first moment that stays [adam, adamw; default: 0.9].
    #[arg(long, value_parser = share, value_name = "SHARE")]
    beta1: Option<f64>,
    /// Share of the second moment that stays [adam, adamw; default: 0.999].
    #[arg(long, value_parser = share, value_name = "SHARE")]
    beta2: Option<f64>,
    /// Share of the mean square that stays [rmsprop, rms-group; default: 0.99].
    #[arg(long, value_parser = share, value_name = "SHARE")]
    alpha: Option<f64>,
    /// What keeps a quotient finite [adam, adamw, rmsprop; default: 1e-8; rms-group: 1e-3].
    #[arg(long, value_parser = above_zero, value_name = "EPSILON")]
    epsilon: Option<f32>,
    /// L2: so much of each parameter is added to its gradient. With adamw, times the learning rate, it is taken off
    /// the parameter instead [default: 0; adamw: 0.01].
    #[arg(long, value_parser = not_negative, value_name = "DECAY")]
    weight_decay: Option<f32>,
    /// Biases do not decay.
    #[arg(long)]
    decay_weights_only: bool,
    /// Shorten gradients that are longer than this.
    #[arg(long, value_parser = above_zero, value_name = "NORM")]
    clip_norm: Option<f32>,
    /// How the learning rate goes on from epoch to epoch: `constant`; `step:EPOCHS:FACTOR` multiplies it after every so
    /// many; `cosine` or `cosine:LOWEST` lowers it over all; `plateau:EPOCHS:FACTOR` multiplies it when the validation
    /// loss has not fallen for more than so many.
    #[arg(long, default_value_t, value_name = "SCHEDULE")]
    pub(super) schedule: ScheduleName,
    /// Steps over which the learning rate rises to what the schedule says.
    #[arg(long, default_value_t = 0, value_name = "STEPS")]
    warmup: u64,
    /// Stop when the validation accuracy has not risen for so many epochs.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "EPOCHS")]
    pub(super) patience: Option<u32>,
    /// Take the whole training set as one batch, in the order of the file.
    #[arg(long, conflicts_with = "batch_size")]
    pub(super) full_batch: bool,
    /// Keep the parameters with the lowest training loss, not the last ones; with --full-batch and --val-split 0.
    #[arg(long, conflicts_with = "batch_size")]
    pub(super) keep_lowest_loss: bool,
}

/// What makes the steps.
pub(super) enum Chosen {
    /// The two that are compiled on their own, so that their epochs take no decision for each row of weights.
    Sgd(Sgd),
    Adam(Adam),
    Any(WeightDecay<AnyOptimizer>),
    Group(GroupRms),
}

impl OptimizationArgs {
    /// Whether the flags go together, with this optimizer and learning rate; `validates` says if there is a validation
    /// set.
    pub(super) fn check(
        &self,
        name: OptimizerName,
        rate: f32,
        validates: bool,
    ) -> Result<(), String> {
        use OptimizerName as N;
        for (flag, given, of) in [
            ("--momentum", self.momentum.is_some(), &[N::Momentum, N::Nesterov][..]),
            ("--beta1", self.beta1.is_some(), &[N::Adam, N::AdamW]),
            ("--beta2", self.beta2.is_some(), &[N::Adam, N::AdamW]),
            ("--alpha", self.alpha.is_some(), &[N::RmsProp, N::RmsGroup]),
            ("--epsilon", self.epsilon.is_some(), &[N::Adam, N::AdamW, N::RmsProp, N::RmsGroup]),
        ] {
            if given && !of.contains(&name) {
                let of: Vec<_> = of.iter().map(|name| format!("`{name}`")).collect();
                return Err(format!("'{flag}' is for {}, not for `{name}`", of.join(", ")));
            }
        }
        if self.decay_weights_only && self.decay(name) == 0.0 {
            return Err("'--decay-weights-only' needs a '--weight-decay' above 0".to_owned());
        }
        let decay_of_step = f64::from(rate) * f64::from(self.decay(name));
        if name == N::AdamW && decay_of_step >= 1.0 {
            return Err(format!(
                "'--weight-decay' times '--lr' is {decay_of_step}, expected less than 1: a step takes that share off \
                 each parameter"
            ));
        }
        if let ScheduleName::Cosine { lowest } = self.schedule
            && lowest >= rate
        {
            let schedule = self.schedule;
            return Err(format!("'--schedule {schedule}' does not end below the '--lr' of {rate}"));
        }
        if self.keep_lowest_loss && !self.full_batch {
            return Err("'--keep-lowest-loss' needs '--full-batch'".to_owned());
        }
        if self.keep_lowest_loss && validates {
            return Err(
                "'--keep-lowest-loss' needs '--val-split 0': a validation set chooses the epoch"
                    .to_owned(),
            );
        }
        match self.needs_validation() {
            Some(flag) if !validates => {
                Err(format!("'{flag}' needs a validation set: a '--val-split' above 0"))
            }
            _ => Ok(()),
        }
    }

    /// The flag that makes no sense without a validation set, if there is one.
    pub(super) fn needs_validation(&self) -> Option<&'static str> {
        match self.schedule {
            ScheduleName::Plateau { .. } => Some("--schedule plateau"),
            _ if self.patience.is_some() => Some("--patience"),
            _ => None,
        }
    }

    fn decay(&self, name: OptimizerName) -> f32 {
        let default = if name == OptimizerName::AdamW { ADAM_W_DECAY } else { 0.0 };
        self.weight_decay.unwrap_or(default)
    }

    /// The optimizer, and whether it needs the whole gradient of a batch in a buffer.
    pub(super) fn optimizer(&self, name: OptimizerName, rate: f32) -> (Chosen, bool) {
        let decay = self.decay(name);
        let momentum = self.momentum.map_or(MOMENTUM, |momentum| momentum as f32);
        let mut adam = Adam::new(rate);
        adam.beta1 = self.beta1.unwrap_or(adam.beta1);
        adam.beta2 = self.beta2.unwrap_or(adam.beta2);
        adam.epsilon = self.epsilon.unwrap_or(adam.epsilon);
        let mut rms_prop = RmsProp::new(rate);
        rms_prop.alpha = self.alpha.unwrap_or(rms_prop.alpha);
        rms_prop.epsilon = self.epsilon.unwrap_or(rms_prop.epsilon);
        let buffered = self.full_batch || self.clip_norm.is_some();
        let any = match name {
            OptimizerName::Sgd if decay == 0.0 && !buffered => {
                return (Chosen::Sgd(Sgd::new(rate)), false);
            }
            OptimizerName::Adam if decay == 0.0 && !buffered => return (Chosen::Adam(adam), false),
            OptimizerName::RmsGroup => {
                let mut group = GroupRms::new(rate);
                group.gamma = self.alpha.unwrap_or(group.gamma);
                group.epsilon = self.epsilon.unwrap_or(group.epsilon);
                (group.decay, group.decay_biases) = (decay, !self.decay_weights_only);
                return (Chosen::Group(group), true);
            }
            OptimizerName::Sgd => AnyOptimizer::Sgd(Sgd::new(rate)),
            OptimizerName::Momentum => AnyOptimizer::Momentum(Momentum::new(rate, momentum)),
            OptimizerName::Nesterov => AnyOptimizer::Momentum(Momentum::nesterov(rate, momentum)),
            OptimizerName::RmsProp => AnyOptimizer::RmsProp(rms_prop),
            OptimizerName::Adam | OptimizerName::AdamW => AnyOptimizer::Adam(adam),
        };
        let (optimizer, biases) = (any, !self.decay_weights_only);
        let decoupled = name == OptimizerName::AdamW;
        (Chosen::Any(WeightDecay { optimizer, decay, decoupled, biases }), buffered)
    }

    pub(super) fn clip_norm(&self) -> Option<f32> {
        self.clip_norm
    }

    /// The learning rates of a run of so many epochs.
    pub(super) fn rates(&self, rate: f32, epochs: u32) -> Result<Rates, picomlp::Error> {
        let (mut schedule, mut plateau) = (Schedule::Constant, None);
        match self.schedule {
            ScheduleName::Constant => {}
            ScheduleName::Step { every, factor } => {
                schedule = Schedule::Step { every: every.into(), factor };
            }
            ScheduleName::Cosine { lowest } => {
                schedule = Schedule::Cosine { turns: epochs.into(), lowest: lowest.into() };
            }
            ScheduleName::Plateau { patience, factor } => {
                plateau = Some(Plateau::new(patience.into(), factor)?);
            }
        }
        schedule.check()?;
        let warmup = Warmup { turns: self.warmup };
        Ok(Rates { rate: rate.into(), schedule, plateau, warmup })
    }

    /// The flags that repeat these settings, each after a space; those that change nothing are left out.
    pub(super) fn flags(&self) -> String {
        let mut flags = String::new();
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                flags.extend([" ", flag, if value.is_empty() { "" } else { " " }, &value]);
            }
        };
        let switch = |on: bool| on.then(String::new);
        add("--momentum", self.momentum.map(|share| share.to_string()));
        add("--beta1", self.beta1.map(|share| share.to_string()));
        add("--beta2", self.beta2.map(|share| share.to_string()));
        add("--alpha", self.alpha.map(|share| share.to_string()));
        add("--epsilon", self.epsilon.map(|epsilon| epsilon.to_string()));
        add("--weight-decay", self.weight_decay.map(|decay| decay.to_string()));
        add("--decay-weights-only", switch(self.decay_weights_only));
        add("--clip-norm", self.clip_norm.map(|norm| norm.to_string()));
        let changes = self.schedule != ScheduleName::Constant;
        add("--schedule", changes.then(|| self.schedule.to_string()));
        add("--warmup", (self.warmup > 0).then(|| self.warmup.to_string()));
        add("--patience", self.patience.map(|epochs| epochs.to_string()));
        add("--keep-lowest-loss", switch(self.keep_lowest_loss));
        flags
    }
}

/// The learning rate of each step.
pub(super) struct Rates {
    rate: f64,
    schedule: Schedule,
    plateau: Option<Plateau>,
    warmup: Warmup,
}

impl Rates {
    /// Of a step, counted from 0 over the whole run, in an epoch, counted from 1.
    pub(super) fn at(&self, epoch: u32, step: u64) -> f32 {
        let left = self.plateau.map_or(1.0, |plateau| plateau.share());
        let rate = self.schedule.rate(self.rate, u64::from(epoch) - 1);
        (rate * left * self.warmup.share(step)) as f32
    }

    /// Sees the validation loss of an epoch.
    pub(super) fn observe(&mut self, loss: f64) {
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(loss);
        }
    }
}

/// The value of `--schedule`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum ScheduleName {
    #[default]
    Constant,
    Step {
        every: u32,
        factor: f64,
    },
    Cosine {
        lowest: f32,
    },
    Plateau {
        patience: u32,
        factor: f64,
    },
}

impl FromStr for ScheduleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(':').collect();
        let epochs = |word: &str| {
            let epochs = word.parse().ok().filter(|&epochs: &u32| epochs > 0);
            epochs.ok_or_else(|| format!("'{word}' is no number of epochs: expected 1 or more"))
        };
        let factor = |word: &str| {
            let factor = word.parse().ok().filter(|&factor: &f64| factor > 0.0 && factor < 1.0);
            factor.ok_or_else(|| format!("'{word}' is no factor: expected above 0 and below 1"))
        };
        match words[..] {
            ["constant"] => Ok(Self::Constant),
            ["step", every, by] => Ok(Self::Step { every: epochs(every)?, factor: factor(by)? }),
            ["cosine"] => Ok(Self::Cosine { lowest: 0.0 }),
            ["cosine", lowest] => Ok(Self::Cosine {
                lowest: not_negative(lowest)
                    .map_err(|expected| format!("'{lowest}' is no learning rate: {expected}"))?,
            }),
            ["plateau", patience, by] => {
                Ok(Self::Plateau { patience: epochs(patience)?, factor: factor(by)? })
            }
            _ => Err("expected `constant`, `step:EPOCHS:FACTOR`, `cosine`, `cosine:LOWEST` or \
                      `plateau:EPOCHS:FACTOR`"
                .to_owned()),
        }
    }
}

impl fmt::Display for ScheduleName {
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

pub(super) fn above_zero(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a finite number above 0".to_owned()),
    }
}

fn not_negative(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a finite number, at least 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) && (share as f32) < 1.0 => Ok(share),
        _ => Err("expected a share of 1: at least 0 and below 1".to_owned()),
    }
}
