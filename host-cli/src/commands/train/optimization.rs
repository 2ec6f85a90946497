//! The flags of `train` that say how a gradient becomes a step, beyond `--optimizer` and `--lr`.

use picomlp_train::config::{
    LearningRate, OptimizerKind, OptimizerSpec, ScheduleSpec, above_zero, below_one, not_negative,
};

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct OptimizationArgs {
    /// Fraction of the velocity that is kept [momentum, nesterov; default: 0.9].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    momentum: Option<f64>,
    /// Decay of the first moment [adam, adamw; default: 0.9].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    beta1: Option<f64>,
    /// Decay of the second moment [adam, adamw; default: 0.999].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    beta2: Option<f64>,
    /// Decay of the mean square [rmsprop, rms-group; default: 0.99].
    #[arg(long, value_parser = below_one, value_name = "FRACTION")]
    alpha: Option<f64>,
    /// Added to the denominator [adam, adamw, rmsprop; default: 1e-8; rms-group: 1e-3].
    #[arg(long, value_parser = above_zero, value_name = "EPSILON")]
    epsilon: Option<f32>,
    /// L2 penalty: adds DECAY × w to each gradient. With adamw, decoupled: subtracts lr × DECAY × w from the weight
    /// [default: 0; adamw: 0.01].
    #[arg(long, value_parser = not_negative, value_name = "DECAY")]
    weight_decay: Option<f32>,
    /// Exempt biases from the decay.
    #[arg(long)]
    decay_weights_only: bool,
    /// Clip gradients to this norm.
    #[arg(long, value_parser = above_zero, value_name = "NORM")]
    clip_norm: Option<f32>,
    /// Learning-rate schedule: `constant`; `step:N:F` (multiply by F every N epochs); `cosine` or `cosine:MIN` (anneal to
    /// MIN); `plateau:N:F` (multiply by F after N epochs without a lower validation loss).
    #[arg(long, default_value_t, value_name = "SCHEDULE")]
    pub(super) schedule: ScheduleSpec,
    /// Steps of linear warm-up.
    #[arg(long, default_value_t = 0, value_name = "STEPS")]
    warmup: u64,
    /// Early stopping: stop after EPOCHS epochs without a better validation accuracy.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "EPOCHS")]
    pub(super) patience: Option<u32>,
    /// Take the whole training set as one batch, in file order.
    #[arg(long, conflicts_with = "batch_size")]
    pub(super) full_batch: bool,
    /// Keep the parameters with the lowest training loss instead of the last ones; needs --full-batch and --val-split 0.
    #[arg(long, conflicts_with = "batch_size")]
    pub(super) keep_lowest_loss: bool,
}

impl OptimizationArgs {
    /// Returns the optimizer with these settings.
    pub(super) fn optimizer(
        &self,
        kind: OptimizerKind,
        learning_rate: Option<f32>,
    ) -> OptimizerSpec {
        OptimizerSpec {
            kind,
            learning_rate,
            momentum: self.momentum,
            beta1: self.beta1,
            beta2: self.beta2,
            alpha: self.alpha,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            decay_weights_only: self.decay_weights_only,
        }
    }

    /// Checks that the flags fit each other; `validates` says if there is a validation set.
    pub(super) fn check(&self, optimizer: &OptimizerSpec, validates: bool) -> Result<(), String> {
        optimizer.check()?;
        let rate = optimizer.learning_rate();
        if let ScheduleSpec::Cosine { lowest } = self.schedule
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
            ScheduleSpec::Plateau { .. } => Some("--schedule plateau"),
            _ if self.patience.is_some() => Some("--patience"),
            _ => None,
        }
    }

    pub(super) fn clip_norm(&self) -> Option<f32> {
        self.clip_norm
    }

    /// Whether a step needs the gradient of a whole batch first.
    pub(super) fn needs_whole_gradient(&self) -> bool {
        self.full_batch || self.clip_norm.is_some()
    }

    /// Returns the learning rates of a run.
    pub(super) fn rates(&self, initial: f32, epochs: u32) -> Result<LearningRate, picomlp::Error> {
        LearningRate::new(initial, self.schedule, self.warmup, epochs)
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
        add("--momentum", self.momentum.map(|momentum| momentum.to_string()));
        add("--beta1", self.beta1.map(|decay| decay.to_string()));
        add("--beta2", self.beta2.map(|decay| decay.to_string()));
        add("--alpha", self.alpha.map(|decay| decay.to_string()));
        add("--epsilon", self.epsilon.map(|epsilon| epsilon.to_string()));
        add("--weight-decay", self.weight_decay.map(|decay| decay.to_string()));
        add("--decay-weights-only", switch(self.decay_weights_only));
        add("--clip-norm", self.clip_norm.map(|norm| norm.to_string()));
        let changes = self.schedule != ScheduleSpec::Constant;
        add("--schedule", changes.then(|| self.schedule.to_string()));
        add("--warmup", (self.warmup > 0).then(|| self.warmup.to_string()));
        add("--patience", self.patience.map(|epochs| epochs.to_string()));
        add("--keep-lowest-loss", switch(self.keep_lowest_loss));
        flags
    }
}
