//! Optimizers by name, with their settings and defaults.

use picomlp::optim::{AdamBf16, AnyOptimizer, GroupRms};
use picomlp::{Adam, Momentum, RmsProp, Sgd, WeightDecay};

use crate::named;

use picomlp::blob::OptimizerKind as BlobKind;

named! {
    /// An optimizer.
    #[non_exhaustive]
    pub enum OptimizerKind {
        /// Adam.
        Adam = "adam",
        /// Adam with decoupled weight decay.
        AdamW = "adamw",
        /// Adam with its moments in bfloat16.
        AdamBf16 = "adam-bf16",
        /// Stochastic gradient descent.
        Sgd = "sgd",
        /// SGD with momentum.
        Momentum = "momentum",
        /// SGD with Nesterov's momentum.
        Nesterov = "nesterov",
        /// RMSprop.
        RmsProp = "rmsprop",
        /// RMSprop with one adaptive rate for all weights of a layer, and one for its bias.
        RmsGroup = "rms-group",
    }
}

/// What distinguishes the optimizers: the one place for it.
struct Entry {
    kind: OptimizerKind,
    in_blob: BlobKind,
    title: &'static str,
    learning_rate: f32,
    weight_decay: f32,
    /// The settings it has beside learning rate and weight decay.
    settings: &'static [&'static str],
}

const fn entry(
    kind: OptimizerKind,
    in_blob: BlobKind,
    title: &'static str,
    learning_rate: f32,
    settings: &'static [&'static str],
) -> Entry {
    Entry { kind, in_blob, title, learning_rate, weight_decay: 0.0, settings }
}

const ADAM: &[&str] = &["beta1", "beta2", "epsilon"];
const RMS: &[&str] = &["alpha", "epsilon"];

#[rustfmt::skip]
const TABLE: [Entry; 8] = [
    entry(OptimizerKind::Sgd, BlobKind::Sgd, "SGD", 0.1, &[]),
    entry(OptimizerKind::Momentum, BlobKind::Momentum, "SGD with momentum", 0.01, &["momentum"]),
    entry(OptimizerKind::Nesterov, BlobKind::Nesterov, "SGD with Nesterov momentum", 0.01, &["momentum"]),
    entry(OptimizerKind::RmsProp, BlobKind::RmsProp, "RMSprop", 1e-3, RMS),
    entry(OptimizerKind::RmsGroup, BlobKind::GroupRms, "RMSprop with one rate a group", 0.5, RMS),
    entry(OptimizerKind::Adam, BlobKind::Adam, "Adam", 1e-3, ADAM),
    Entry { weight_decay: 0.01, ..entry(OptimizerKind::AdamW, BlobKind::AdamW, "AdamW", 1e-3, ADAM) },
    entry(OptimizerKind::AdamBf16, BlobKind::AdamBf16, "Adam with moments in bfloat16", 1e-3, ADAM),
];

impl OptimizerKind {
    fn entry(self) -> &'static Entry {
        TABLE.iter().find(|entry| entry.kind == self).unwrap_or(&TABLE[0])
    }

    /// Returns its name in prose: `SGD with momentum`.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// Returns the kind that a model file records.
    #[must_use]
    pub fn in_blob(self) -> BlobKind {
        self.entry().in_blob
    }

    /// Returns the kind that a model file has recorded, or `None` if this version doesn't know it.
    #[must_use]
    pub fn from_blob(kind: BlobKind) -> Option<Self> {
        TABLE.iter().find(|entry| entry.in_blob == kind).map(|entry| entry.kind)
    }
}

/// An optimizer and its settings; `None` stands for the optimizer's default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OptimizerSpec {
    /// Which optimizer.
    pub kind: OptimizerKind,
    /// Learning rate: 0.1 (sgd), 0.01 (momentum, nesterov), 0.5 (rms-group), 0.001 (others).
    pub learning_rate: Option<f32>,
    /// Fraction of the velocity that is kept: 0.9.
    pub momentum: Option<f64>,
    /// Decay of the first moment: 0.9.
    pub beta1: Option<f64>,
    /// Decay of the second moment: 0.999.
    pub beta2: Option<f64>,
    /// Decay of the mean square: 0.99.
    pub alpha: Option<f64>,
    /// Added to the denominator: 1e-8 (adam, adamw, rmsprop), 1e-3 (rms-group).
    pub epsilon: Option<f32>,
    /// L2 penalty, or decoupled decay (adamw): 0, 0.01 (adamw).
    pub weight_decay: Option<f32>,
    /// Whether biases are exempt from the decay.
    pub decay_weights_only: bool,
}

/// An optimizer ready to train with.
#[derive(Clone, Copy, Debug)]
pub enum Built {
    /// Needs no gradient but the row at hand.
    Fused(WeightDecay<AnyOptimizer>),
    /// Needs the gradient of a whole batch first.
    Grouped(GroupRms),
}

impl OptimizerSpec {
    /// An optimizer with its defaults.
    #[must_use]
    pub fn new(kind: OptimizerKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Returns the learning rate.
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        self.learning_rate.unwrap_or(self.kind.entry().learning_rate)
    }

    /// Returns the weight decay.
    #[must_use]
    pub fn weight_decay(&self) -> f32 {
        self.weight_decay.unwrap_or(self.kind.entry().weight_decay)
    }

    /// Settings that are given, by name.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let settings = [
            ("momentum", self.momentum.is_some()),
            ("beta1", self.beta1.is_some()),
            ("beta2", self.beta2.is_some()),
            ("alpha", self.alpha.is_some()),
            ("epsilon", self.epsilon.is_some()),
        ];
        settings.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    /// Checks that the settings fit the optimizer and each other.
    ///
    /// # Errors
    ///
    /// What does not fit, in the names of the flags.
    pub fn check(&self) -> Result<(), String> {
        let entry = self.kind.entry();
        if let Some(name) = self.given().find(|name| !entry.settings.contains(name)) {
            let has = |entry: &&Entry| entry.settings.contains(&name);
            let of: Vec<_> = TABLE.iter().filter(has).map(|e| format!("`{}`", e.kind)).collect();
            return Err(format!("'--{name}' is for {}, not for `{}`", of.join(", "), self.kind));
        }
        if self.decay_weights_only && self.weight_decay() == 0.0 {
            return Err("'--decay-weights-only' needs a '--weight-decay' above 0".to_owned());
        }
        let decay = f64::from(self.learning_rate()) * f64::from(self.weight_decay());
        if self.kind == OptimizerKind::AdamW && decay >= 1.0 {
            return Err(format!(
                "'--weight-decay' times '--lr' is {decay}, expected less than 1: a step subtracts that fraction of \
                 each parameter"
            ));
        }
        Ok(())
    }

    /// Builds the optimizer.
    #[must_use]
    pub fn build(&self) -> Built {
        let rate = self.learning_rate();
        let momentum = self.momentum.unwrap_or(0.9) as f32;
        let optimizer = match self.kind {
            OptimizerKind::Sgd => AnyOptimizer::Sgd(Sgd::new(rate)),
            OptimizerKind::Momentum => AnyOptimizer::Momentum(Momentum::new(rate, momentum)),
            OptimizerKind::Nesterov => AnyOptimizer::Momentum(Momentum::nesterov(rate, momentum)),
            OptimizerKind::RmsProp => {
                let mut optimizer = RmsProp::new(rate);
                optimizer.alpha = self.alpha.unwrap_or(optimizer.alpha);
                optimizer.epsilon = self.epsilon.unwrap_or(optimizer.epsilon);
                AnyOptimizer::RmsProp(optimizer)
            }
            OptimizerKind::RmsGroup => {
                let mut optimizer = GroupRms::new(rate);
                optimizer.gamma = self.alpha.unwrap_or(optimizer.gamma);
                optimizer.epsilon = self.epsilon.unwrap_or(optimizer.epsilon);
                optimizer.decay = self.weight_decay();
                optimizer.decay_biases = !self.decay_weights_only;
                return Built::Grouped(optimizer);
            }
            OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::AdamBf16 => {
                let mut optimizer = Adam::new(rate);
                optimizer.beta1 = self.beta1.unwrap_or(optimizer.beta1);
                optimizer.beta2 = self.beta2.unwrap_or(optimizer.beta2);
                optimizer.epsilon = self.epsilon.unwrap_or(optimizer.epsilon);
                match self.kind {
                    OptimizerKind::AdamBf16 => AnyOptimizer::AdamBf16(AdamBf16 { adam: optimizer }),
                    _ => AnyOptimizer::Adam(optimizer),
                }
            }
        };
        Built::Fused(WeightDecay {
            optimizer,
            decay: self.weight_decay(),
            decoupled: self.kind == OptimizerKind::AdamW,
            biases: !self.decay_weights_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Named;

    #[test]
    fn every_optimizer_has_its_row() {
        for (name, kind) in OptimizerKind::NAMES {
            assert_eq!(kind.entry().kind, *kind, "{name}");
            assert_eq!(OptimizerKind::from_blob(kind.in_blob()), Some(*kind));
        }
    }

    #[test]
    fn a_setting_of_another_optimizer_is_refused() {
        let spec = OptimizerSpec { momentum: Some(0.9), ..OptimizerSpec::default() };
        assert_eq!(
            spec.check().unwrap_err(),
            "'--momentum' is for `momentum`, `nesterov`, not for `adam`"
        );
        let spec = OptimizerSpec { decay_weights_only: true, ..OptimizerSpec::default() };
        assert!(spec.check().unwrap_err().contains("above 0"));
        OptimizerSpec { kind: OptimizerKind::AdamW, ..spec }.check().unwrap();
    }
}
