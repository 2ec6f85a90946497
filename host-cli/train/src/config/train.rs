//! All settings of a training run.

use core::fmt::Display;

use super::{InitSpec, LossSpec, ModelSpec, OptimizerSpec, ScheduleSpec};
use crate::config::Hidden;
use crate::data::{Inputs, SplitSpec};

/// All settings of a training run but for the data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// The network.
    pub model: ModelSpec,
    /// The loss to minimize.
    pub loss: LossSpec,
    /// The optimizer.
    pub optimizer: OptimizerSpec,
    /// Learning-rate schedule.
    pub schedule: ScheduleSpec,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Norm that gradients are clipped to.
    pub clip_norm: Option<f32>,
    /// Epochs to train for.
    pub epochs: u32,
    /// Samples of a step; a last, smaller batch is trained on as well.
    pub batch_size: u32,
    /// Whether the whole training set is one batch, in file order.
    pub full_batch: bool,
    /// Epochs without a better validation accuracy after which training stops.
    pub patience: Option<u32>,
    /// Whether the parameters with the lowest training loss are kept instead of the last ones; needs `full_batch` and no
    /// validation set.
    pub keep_lowest_loss: bool,
    /// Steps after which training stops.
    pub max_steps: Option<u64>,
    /// Seed of initial weights, shuffling, dropout and splits.
    pub seed: u64,
    /// Whether samples are shuffled in every epoch.
    pub shuffle: bool,
    /// Initial weights.
    pub init: InitSpec,
    /// The range that inputs are scaled to.
    pub inputs: Inputs,
    /// How the data is split.
    pub split: SplitSpec,
    /// Threads to use; the model does not depend on their number. One for each core by default.
    pub threads: Option<usize>,
    /// Whether the accuracy on the training samples is measured after each epoch.
    pub measure_training: bool,
}

impl Default for TrainConfig {
    /// 128 hidden units, ten epochs of Adam in batches of 64.
    fn default() -> Self {
        Self {
            model: ModelSpec::default(),
            loss: LossSpec::default(),
            optimizer: OptimizerSpec::default(),
            schedule: ScheduleSpec::Constant,
            warmup: 0,
            clip_norm: None,
            epochs: 10,
            batch_size: 64,
            full_batch: false,
            patience: None,
            keep_lowest_loss: false,
            max_steps: None,
            seed: 1,
            shuffle: true,
            init: InitSpec::default(),
            inputs: Inputs::default(),
            split: SplitSpec::default(),
            threads: None,
            measure_training: false,
        }
    }
}

/// Settings by flag; a switch has no value.
pub type Settings = Vec<(&'static str, Option<String>)>;

impl TrainConfig {
    /// A network of these hidden widths, and the defaults.
    #[must_use]
    pub fn mlp(hidden: impl Into<Vec<usize>>) -> Self {
        let model = ModelSpec { hidden: Hidden(hidden.into()), ..ModelSpec::default() };
        Self { model, ..Self::default() }
    }

    /// Checks that the settings fit each other.
    ///
    /// # Errors
    ///
    /// What does not fit, in the names of the flags.
    pub fn check(&self) -> Result<(), String> {
        self.optimizer.check()?;
        let (rate, schedule) = (self.optimizer.learning_rate(), self.schedule);
        if matches!(schedule, ScheduleSpec::Cosine { lowest } if lowest >= rate) {
            return Err(format!("'--schedule {schedule}' does not end below the '--lr' of {rate}"));
        }
        if self.keep_lowest_loss && !self.full_batch {
            return Err("'--keep-lowest-loss' needs '--full-batch'".to_owned());
        }
        let validates = !self.split.validation.is_zero();
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

    /// Returns the flag that makes no sense without a validation set, if there is one.
    pub(crate) fn needs_validation(&self) -> Option<&'static str> {
        match self.schedule {
            ScheduleSpec::Plateau { .. } => Some("--schedule plateau"),
            _ if self.patience.is_some() => Some("--patience"),
            _ => None,
        }
    }

    /// Returns the settings of the network and the loss that are not at their defaults, the hidden widths aside.
    #[must_use]
    pub fn model_settings(&self) -> Settings {
        let (model, loss, default) = (&self.model, &self.loss, Self::default());
        let mut settings = Vec::new();
        let mut add = |flag, value: &dyn Display, default: &dyn Display| {
            let (value, default) = (value.to_string(), default.to_string());
            settings.extend((value != default).then_some((flag, Some(value))));
        };
        add("activation", &model.activation, &default.model.activation);
        add("output-activation", &model.output_activation, &default.model.output_activation);
        add("leaky-slope", &model.leaky_slope, &default.model.leaky_slope);
        add("norm", &model.norm, &default.model.norm);
        add("dropout", &model.dropout, &default.model.dropout);
        add("bias", &model.bias, &default.model.bias);
        add("loss", &loss.kind, &default.loss.kind);
        add("label-smoothing", &loss.label_smoothing, &default.loss.label_smoothing);
        settings
    }

    /// Returns the settings of the optimization that are not at their defaults, optimizer and learning rate aside.
    #[must_use]
    pub fn optimizer_settings(&self) -> Settings {
        fn text(value: Option<impl Display>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        let optimizer = &self.optimizer;
        let given = [
            ("momentum", text(optimizer.momentum)),
            ("beta1", text(optimizer.beta1)),
            ("beta2", text(optimizer.beta2)),
            ("alpha", text(optimizer.alpha)),
            ("epsilon", text(optimizer.epsilon)),
            ("weight-decay", text(optimizer.weight_decay)),
            ("decay-weights-only", optimizer.decay_weights_only.then(String::new)),
            ("clip-norm", text(self.clip_norm)),
            ("schedule", text(Some(self.schedule).filter(|s| *s != ScheduleSpec::Constant))),
            ("warmup", text(Some(self.warmup).filter(|steps| *steps > 0))),
            ("patience", text(self.patience)),
            ("keep-lowest-loss", self.keep_lowest_loss.then(String::new)),
        ];
        let given = given.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
        given.map(|(flag, value)| (flag, Some(value).filter(|value| !value.is_empty()))).collect()
    }

    /// Returns every setting that plays a part, in the order in which `picomlp train` is told to repeat a run.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let value = |value: &dyn Display| Some(value.to_string());
        let mut settings = vec![
            ("hidden", value(&self.model.hidden)),
            ("epochs", value(&self.epochs)),
            if self.full_batch {
                ("full-batch", None)
            } else {
                ("batch-size", value(&self.batch_size))
            },
            ("optimizer", value(&self.optimizer.kind)),
            ("lr", value(&self.optimizer.learning_rate())),
            ("seed", value(&self.seed)),
            ("val-split", value(&self.split.validation)),
            ("init", value(&self.init)),
        ];
        settings.extend(self.model_settings());
        settings.extend(self.optimizer_settings());
        if self.inputs != Inputs::default() {
            settings.push(("inputs", value(&self.inputs)));
        }
        settings.extend((!self.shuffle).then_some(("no-shuffle", None)));
        settings.extend(self.max_steps.map(|steps| ("max-steps", value(&steps))));
        settings
    }
}
