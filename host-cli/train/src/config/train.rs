//! All settings of a training run.

use core::fmt::Display;
use std::path::PathBuf;

use picomlp::blob::TargetKind;

use super::{
    ClassWeight, InitSpec, LossFunction, LossSpec, ModelSpec, OptimizerSpec, ScheduleSpec,
};
use crate::augment::Augment;
use crate::config::{DROPOUT_OF_FEW, Hidden, PerLayer};
use crate::data::{Amount, Dataset, Inputs, Scale, SplitSpec, VALIDATION_FRACTION};
use crate::measures::Evaluation;
use crate::named;

/// Fewer samples of features than these are few: a tenth of them tells accuracies apart by 5 points or more.
const FEW_SAMPLES: usize = 1000;

/// One false alarm in 200 normal samples.
const THRESHOLD_QUANTILE: f32 = 0.995;

/// All settings of a training run but for the data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// The network.
    pub model: ModelSpec,
    /// The loss to minimize.
    pub loss: LossSpec,
    /// Weights of the classes in it; 1 for each by default.
    pub class_weight: Option<ClassWeight>,
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
    /// Epochs without a better validation measure after which training stops.
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
    /// Saved model whose layers the run starts from, as far as the first ones are those of the network. Its inputs are
    /// prepared as the model's are.
    pub init_from: Option<PathBuf>,
    /// Dense layers of that model, counted from the first, that stay as they are, with what follows each of them.
    /// They run as at inference: without dropout.
    pub freeze: u32,
    /// The range that pixels are scaled to.
    pub inputs: Inputs,
    /// What features are brought to.
    pub scale: Scale,
    /// The measure that picks the best epoch.
    pub monitor: Monitor,
    /// The fraction of normal samples that score no higher than the threshold of an autoencoder: of the validation samples, or
    /// of the training samples without any.
    pub threshold_quantile: f32,
    /// How training samples are varied; not at all by default.
    pub augment: Option<Augment>,
    /// How the data is split.
    pub split: SplitSpec,
    /// Threads to use; the model does not depend on their number. By default as many as steps are fastest on, which
    /// is measured while it trains, and at most one for each core.
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
            class_weight: None,
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
            init_from: None,
            freeze: 0,
            inputs: Inputs::default(),
            scale: Scale::default(),
            monitor: Monitor::default(),
            threshold_quantile: THRESHOLD_QUANTILE,
            augment: None,
            split: SplitSpec::default(),
            threads: None,
            measure_training: false,
        }
    }
}

named! {
    /// The validation measure that chooses the epoch and ends training early.
    pub enum Monitor {
        /// Accuracy for classes and labels, R² for values.
        Auto = "auto",
        /// Fraction of the samples whose class, or all of whose labels, are predicted correctly.
        Accuracy = "val_acc",
        /// Loss.
        Loss = "val_loss",
        /// Mean F1 of the classes or labels.
        F1 = "val_f1",
        /// Mean F1 by samples.
        WeightedF1 = "val_weighted_f1",
        /// F1 of all labels together.
        MicroF1 = "val_micro_f1",
        /// Mean recall of the classes.
        BalancedAccuracy = "val_balanced_acc",
        /// Area under the ROC curve, for two classes, labels or an autoencoder.
        Auc = "val_auc",
        /// The same up to a false positive rate of 0.1.
        PartialAuc = "val_pauc",
        /// Expected calibration error.
        CalibrationError = "val_ece",
        /// Fraction of the variance that is predicted.
        R2 = "val_r2",
        /// Mean absolute error.
        Mae = "val_mae",
        /// Square root of the mean squared error.
        Rmse = "val_rmse",
    }
}

impl Monitor {
    /// Checks that this can be measured of the targets of `data`.
    pub(crate) fn check(self, data: &Dataset) -> Result<(), String> {
        use TargetKind::{Classes, Inputs, Labels, Values};
        let kind = data.target_kind();
        let (fits, what) = match self {
            Self::Auto | Self::Loss => return Ok(()),
            Self::R2 | Self::Mae | Self::Rmse => (matches!(kind, Values | Inputs), "values"),
            Self::Auc | Self::PartialAuc => (
                kind == Labels
                    || (kind == Classes && data.classes == 2)
                    || !data.anomalous.is_empty(),
                "two classes, of labels, or of an autoencoder that --normal names classes for",
            ),
            Self::MicroF1 => (kind == Labels, "labels"),
            Self::BalancedAccuracy | Self::CalibrationError => (kind == Classes, "classes"),
            Self::Accuracy | Self::F1 | Self::WeightedF1 => {
                (matches!(kind, Classes | Labels), "classes or labels")
            }
        };
        let are = match kind {
            Classes => "classes",
            Labels => "labels",
            _ => "values",
        };
        if fits {
            return Ok(());
        }
        Err(format!("'--monitor {self}' is measured of {what}, and the targets are {are}"))
    }

    /// Returns the score that a first epoch has to reach: any, but none correct is not progress.
    pub(crate) fn worst(self, are_classes: bool) -> f64 {
        match self {
            Self::Auto | Self::Accuracy if are_classes => 0.0,
            _ => f64::NEG_INFINITY,
        }
    }

    /// Returns the measure; higher is better.
    pub(crate) fn score(self, found: &Evaluation) -> f64 {
        let score = match self {
            Self::Auto => found.main_measure(),
            Self::Accuracy => found.accuracy(),
            Self::Loss => -found.loss,
            Self::F1 => found.measure("macro_f1"),
            Self::WeightedF1 => found.measure("weighted_f1"),
            Self::MicroF1 => found.measure("micro_f1"),
            Self::BalancedAccuracy => found.measure("balanced_accuracy"),
            Self::Auc => found.measure("auc"),
            Self::PartialAuc => found.measure("partial_auc"),
            Self::CalibrationError => -found.measure("calibration_error"),
            Self::R2 => found.measure("r2"),
            Self::Mae => -found.measure("mae"),
            Self::Rmse => -found.measure("rmse"),
        };
        if score.is_nan() { f64::NEG_INFINITY } else { score }
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

    /// Settles what depends on the data. Few samples of features are all trained on, with dropout: a validation set would be too
    /// small to tell epochs apart. Returns what was chosen, if it is not the usual.
    pub(crate) fn settle(&mut self, data: &Dataset) -> Option<String> {
        let samples = data.len() - data.own_test - data.own_validation;
        if data.max > 0 || samples >= FEW_SAMPLES {
            return None;
        }
        let mut chosen = Vec::new();
        if self.split.validation.is_none() && self.needs_validation().is_none() {
            self.split.validation = Some(Amount::NONE);
            chosen.push("--val-split 0");
        }
        if self.model.dropout.is_none() && !self.model.hidden.0.is_empty() {
            self.model.dropout = Some(PerLayer(vec![DROPOUT_OF_FEW]));
            chosen.push("--dropout 0.4");
        }
        (!chosen.is_empty()).then(|| {
            format!(
                "fewer than {FEW_SAMPLES} samples of features: {} unless said otherwise",
                chosen.join(" and ")
            )
        })
    }

    /// Returns the number of outputs that answer the targets of `data`: with binary cross-entropy, one for two classes.
    ///
    /// # Errors
    ///
    /// If there are more classes.
    pub(crate) fn outputs(&self, data: &Dataset) -> anyhow::Result<usize> {
        if self.loss.kind != LossFunction::Bce || data.target_kind() != TargetKind::Classes {
            return Ok(data.outputs());
        }
        anyhow::ensure!(
            data.classes == 2,
            "--loss bce has one output for two classes, and the targets are {} classes: leave it out",
            data.classes
        );
        Ok(1)
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
        match &self.init_from {
            None if self.freeze > 0 => return Err("'--freeze' needs '--init-from'".to_owned()),
            Some(_) if self.inputs != Inputs::default() || self.scale != Scale::default() => {
                return Err("'--inputs' and '--scale' are those of the model of '--init-from': leave them out".to_owned());
            }
            _ => {}
        }
        let validates = !self.split.validation.is_some_and(Amount::is_zero);
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
            _ if self.monitor != Monitor::Auto => Some("--monitor"),
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
            // A model to start from has its own in place of the defaults.
            let is_said = value != default || self.init_from.is_some();
            settings.extend(is_said.then_some((flag, Some(value))));
        };
        add("activation", &model.activation, &default.model.activation);
        add("output-activation", &model.output_activation, &default.model.output_activation);
        add("leaky-slope", &model.leaky_slope, &default.model.leaky_slope);
        add("norm", &model.norm, &default.model.norm);
        if let Some(dropout) = &model.dropout {
            add("dropout", dropout, &"");
        }
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
            ("monitor", text(Some(self.monitor).filter(|m| *m != Monitor::Auto))),
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
            ("val-split", value(&self.split.validation.unwrap_or(VALIDATION_FRACTION))),
            ("init", value(&self.init)),
        ];
        settings.extend(self.init_from.as_ref().map(|path| ("init-from", value(&path.display()))));
        settings.extend((self.freeze > 0).then(|| ("freeze", value(&self.freeze))));
        settings.extend(self.model_settings());
        settings.extend(self.class_weight.as_ref().map(|weight| ("class-weight", value(weight))));
        settings.extend(self.optimizer_settings());
        if self.inputs != Inputs::default() {
            settings.push(("inputs", value(&self.inputs)));
        }
        if self.scale != Scale::default() {
            settings.push(("scale", value(&self.scale)));
        }
        if self.threshold_quantile != THRESHOLD_QUANTILE {
            settings.push(("threshold-quantile", value(&self.threshold_quantile)));
        }
        settings.extend(self.augment.as_ref().map(|augment| ("augment", value(augment))));
        settings.extend((!self.shuffle).then_some(("no-shuffle", None)));
        settings.extend(self.max_steps.map(|steps| ("max-steps", value(&steps))));
        settings
    }
}
