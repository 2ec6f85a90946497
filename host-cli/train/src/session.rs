//! A training run: the loop over epochs and batches.

mod online;
mod run;
mod save;
mod threads;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Result, bail, ensure};
pub use online::Online;
use picomlp::blob::TargetKind;
use picomlp::rng::shuffle;
use picomlp::{
    Buffers, InputMap, Layer, Network, Optimizer, Sequential, Trainer, supports_micro_batches,
};
use run::{Ended, Run};

use crate::augment::Augmenter;
use crate::base::{Base, Frozen};
use crate::buffer::{Buffer, buffer};
use crate::checkpoint::{Checkpoint, Checkpoints, Progress};
use crate::classifier::Classifier;
use crate::config::{Built, TrainConfig};
use crate::data::{Dataset, Missing, Scale, Scaling, Split, Targets, VALIDATION_FRACTION, Values};
use crate::event::{Epoch, Event, Start};
use crate::measures::Evaluation;
use crate::pool::Pool;
use crate::text::widths;
use crate::trained::{Ending, Setup, Stopped, Trained, command, settings_json};
use crate::vote;

/// Samples of a large batch that are worked on together; the result does not depend on it. Their gradients at a layer stay in
/// L2.
const CHUNK: usize = 128;

/// How values are read that are inputs already.
const UNMAPPED: InputMap = InputMap { scale: 1.0, shift: 0.0 };

/// Watches a run.
pub trait Observer {
    /// A step on `samples` samples has been taken; `loss` is the mean over the epoch so far.
    fn step(&mut self, samples: usize, epoch: u32, loss: f64) {
        let _ = (samples, epoch, loss);
    }

    /// An epoch or a fold has ended.
    fn event(&mut self, event: &Event);

    /// A checkpoint has been written, or could not be: the run goes on all the same.
    fn checkpoint(&mut self, written: &Result<PathBuf>) {
        let _ = written;
    }

    /// Whether the run is to stop before the next step. It then ends as it was after the last finished epoch.
    fn stops(&mut self) -> bool {
        false
    }
}

/// Calls a function after each epoch.
struct EachEpoch<F>(F);

impl<F: FnMut(&Epoch)> Observer for EachEpoch<F> {
    fn event(&mut self, event: &Event) {
        if let Event::Epoch(epoch) = event {
            (self.0)(epoch);
        }
    }
}

/// A training run that has not begun: settings that fit the data and each other.
///
/// # Examples
///
/// ```no_run
/// use picomlp_train::config::TrainConfig;
/// use picomlp_train::data::{Dataset, Schema};
/// use picomlp_train::Session;
///
/// let data = Dataset::open("vibration.csv", &Schema::detect())?;
/// let trained = Session::new(TrainConfig::mlp([32]), &data)?.run(|epoch| println!("{epoch}"))?;
/// trained.save("m.pmlp")?; // the bytes that `picomlp train` writes
/// # anyhow::Ok(())
/// ```
#[derive(Debug)]
pub struct Session<'a> {
    pub(crate) setup: Setup<'a>,
    pub(crate) net: Sequential,
    pub(crate) pool: Arc<Pool>,
    /// Of a cross-validation, counted from 1.
    fold: Option<u32>,
    checkpoints: Option<Checkpoints>,
    /// What the run goes on from.
    resumed: Option<(Checkpoint, Progress)>,
    online: Option<&'a Mutex<Online>>,
}

impl<'a> Session<'a> {
    /// Splits the data, builds the network and checks the settings.
    ///
    /// # Errors
    ///
    /// If the settings do not fit the data or each other, in the names of the flags.
    pub fn new(mut config: TrainConfig, data: &'a Dataset) -> Result<Self> {
        let settled = config.settle(data);
        let mut split = Split::new(data, &config.split, config.seed)?;
        split.notes.extend(settled);
        let pool = Arc::new(Pool::new(config.threads)?);
        Self::of_split(config, data, split, pool, None)
    }

    pub(crate) fn of_split(
        config: TrainConfig,
        data: &'a Dataset,
        mut split: Split,
        pool: Arc<Pool>,
        fold: Option<u32>,
    ) -> Result<Self> {
        config.check().map_err(anyhow::Error::msg)?;
        if data.schema.vote.is_cast() {
            vote::units(data)?;
            if !split.validation.is_empty() {
                split.notes.push(format!(
                    "validation measures single samples, the test the answers of {} (--vote {})",
                    vote::answers(data),
                    data.schema.vote
                ));
            }
        }
        let loss = config.loss.build(data.target_kind())?;
        config.monitor.check(data).map_err(anyhow::Error::msg)?;
        let net = config.model.build(data.pixels(), config.outputs(data)?)?;
        if let Some(flag) = config.needs_validation() {
            ensure!(
                !split.validation.is_empty(),
                "--val-split {} holds out no sample of {}, and {flag} needs one",
                config.split.validation.unwrap_or(VALIDATION_FRACTION),
                split.train.len()
            );
        }
        let samples = split.train.len();
        let whole = if config.full_batch { usize::MAX } else { config.batch_size as usize };
        let batch_size = whole.min(samples);
        let last = match samples % batch_size {
            0 => batch_size,
            rest => rest,
        };
        let least = net.shape().min_batch;
        ensure!(
            last >= least,
            "--norm batch needs {least} samples in a batch: with --batch-size {batch_size}, the last of {samples} samples \
             make one of {last}"
        );
        let base = match &config.init_from {
            Some(path) => Some(Base::read(path, &config, data, &net)?),
            None => None,
        };
        let (map, features) = match &base {
            Some(base) => (base.map, base.features.clone()),
            None => {
                let map = config.inputs.map(data, &split.train)?;
                (map, scales_of_features(data, &split.train, config.scale)?)
            }
        };
        let (targets, outputs) = match (&data.targets, base.as_ref().and_then(Base::outputs)) {
            (Targets::Values(_), Some(outputs)) => (outputs.inverse(), outputs.clone()),
            (Targets::Values(values), None) => {
                let targets =
                    Scaling::fit(values, data.outputs(), &split.train, Scale::Standardize)?;
                let outputs = targets.inverse();
                (targets, outputs)
            }
            (Targets::Classes(_) | Targets::Labels(_), _) => Default::default(),
        };
        split.notes.extend(base.iter().flat_map(|base| base.notes.clone()));
        let class_weights = match &config.class_weight {
            None => Vec::new(),
            Some(weight) => {
                let weights = weight.of(data, &split.train)?;
                let named = (0..data.classes).zip(&weights);
                let named: Vec<_> =
                    named.map(|(class, w)| format!("{} {w:.4}", data.class_name(class))).collect();
                split.notes.push(format!("class weights: {}", named.join(", ")));
                weights
            }
        };
        // What the machine has no memory for is known before training.
        buffer(net.params(), "parameters")?;
        let fingerprint = OnceLock::new();
        let augmenter = match &config.augment {
            Some(augment) => Some(Augmenter::new(augment, data, config.seed)?),
            None => None,
        };
        let setup = Setup {
            data,
            config,
            split,
            map,
            features,
            targets,
            outputs,
            base,
            loss,
            augmenter,
            class_weights,
            batch_size,
            fingerprint,
        };
        Ok(Self { setup, net, pool, fold, checkpoints: None, resumed: None, online: None })
    }

    /// Returns how the data is split.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.setup.split
    }

    /// Returns the threads that train, which may be used when training is done.
    #[must_use]
    pub fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// Returns the number of samples that the run goes over, from its checkpoint on if it has one.
    #[must_use]
    pub fn samples(&self) -> u64 {
        let whole = u64::from(self.setup.config.epochs) * self.setup.split.train.len() as u64;
        let steps = self.setup.config.max_steps.unwrap_or(u64::MAX);
        let batch = self.setup.batch_size as u64;
        let done = self.resumed.as_ref().map_or(0, |(_, progress)| {
            let epochs = progress.epochs.len() * self.setup.split.train.len();
            epochs as u64 + progress.batches * batch
        });
        whole.min(steps.saturating_mul(batch)).saturating_sub(done)
    }

    /// Describes the run, which will write its model to `out`.
    #[must_use]
    pub fn start(&self, out: Option<&Path>, folds: Option<usize>) -> Start {
        let (data, config, split, net) =
            (self.setup.data, &self.setup.config, &self.setup.split, &self.net);
        let fingerprint = match folds {
            None => self.setup.data_fingerprint(),
            Some(_) => {
                let mut seen = [split.seen(), split.test.clone()].concat();
                seen.sort_unstable();
                data.fingerprint(&seen)
            }
        };
        Start {
            network: widths(net),
            layers: net.layers().iter().map(ToString::to_string).collect(),
            loss: config.loss.describe(data.target_kind()),
            parameters: net.params(),
            optimizer: config.optimizer.kind.to_string(),
            lr: config.optimizer.learning_rate(),
            batch_size: self.setup.batch_size,
            epochs: config.epochs,
            seed: config.seed,
            data: data.source.to_string(),
            data_notes: [&data.notes[..], &split.notes].concat(),
            data_fingerprint: format!("{fingerprint:016x}"),
            train_samples: split.train.len(),
            validation_samples: split.validation.len(),
            test_samples: split.test.len(),
            folds,
            resumed_epochs: self.resumed.as_ref().map(|(from, _)| from.epochs().len()),
            command: command(config, data, split, folds, out),
            settings: settings_json(config, data, split, folds),
        }
    }

    /// Trains; calls `on_epoch` after each epoch.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the loss stops being a finite number: the model of the best epoch until then is in it, if there is one. If
    /// memory is short.
    pub fn run(self, on_epoch: impl FnMut(&Epoch) + Send) -> Result<Trained> {
        self.run_with(&mut EachEpoch(on_epoch))
    }

    /// Trains under an observer.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run); [`Stopped`] if the observer stops the run.
    pub fn run_with(self, observer: &mut (dyn Observer + Send)) -> Result<Trained> {
        let (mut params, ended) = self.learn(observer)?;
        let (ending, split) = (ended.ending, &self.setup.split);
        let Some(kept) = ended.kept else {
            return Err(Stopped { ending, trained: None }.into());
        };
        let (folded, in_training) = self.net.fold(&mut params)?;
        let in_training = &*in_training;
        let (net, params) = self.setup.in_own_units(&folded, in_training)?;
        let gaps = self.setup.gaps();
        let classifier =
            Classifier::new(&net, &params, self.setup.map, self.setup.loss.kind()).scaled(&gaps);
        let threshold = if self.setup.data.target_kind() == TargetKind::Inputs {
            // Held-out samples, if there are some: what was trained on is rebuilt better than what comes.
            let held_out = !split.validation.is_empty();
            let samples = if held_out { &split.validation } else { &split.train };
            let quantile = self.setup.config.threshold_quantile;
            Some(classifier.threshold(&self.pool, self.setup.data, samples, quantile)?)
        } else {
            None
        };
        let classifier = classifier.with_threshold(threshold.map(|threshold| threshold.score));
        // Who stops a run wants it to end now; the model can be measured later.
        let test = if split.test.is_empty() || ending == Ending::Interrupted {
            None
        } else {
            let data = self.setup.data;
            Some(vote::evaluate(&classifier, &self.pool, data, &split.test)?)
        };
        let mut trained = Trained::new(&self.setup, net.clone(), params.clone(), kept, test)?;
        trained.threshold = threshold;
        trained.steps = ended.steps;
        trained.threads = ended.threads;
        trained.training = ended.training;
        trained.validation = ended.kept_validation;
        trained.ending = ending;
        if ending == Ending::Interrupted {
            trained.config.max_steps = Some(ended.steps);
        }
        match ending {
            Ending::Finished | Ending::Patience(_) => {
                // Who asks for a number of steps does not ask for a model that is done.
                if self.setup.config.max_steps.is_none() {
                    self.check_learned(&mut trained, &folded, in_training, ended.kept_loss)?;
                }
                Ok(trained)
            }
            ending => Err(Stopped { ending, trained: Some(Box::new(trained)) }.into()),
        }
    }

    /// Notes down if the model predicts one class for all samples, and if it is of no use: its loss on the training samples is
    /// above that of guessing, and the run has diverged (training has not lowered the loss) or collapsed (it predicts one class). A
    /// network that has just begun to learn is no failure.
    ///
    /// The loss of an epoch is a mean over parameters that change, so the samples are measured again where it is too high.
    fn check_learned(
        &self,
        trained: &mut Trained,
        net: &Sequential,
        params: &[f32],
        epoch_loss: f64,
    ) -> Result<()> {
        let evaluate =
            |net: &Sequential, params: &[f32]| self.evaluate(net, params, &self.setup.split.train);
        let measured = trained.test.as_ref().or(trained.validation.as_ref());
        let guessing = match self.setup.data.targets {
            Targets::Classes(_) | Targets::Labels(_) => {
                crate::classifier::guessing(self.setup.loss.kind(), net.outputs())
            }
            // The variance of standardized targets.
            Targets::Values(_) => 1.0,
        };
        let again = if epoch_loss <= guessing && measured.is_some() {
            None
        } else {
            Some(evaluate(net, params)?)
        };
        let cure = match self.setup.data.inputs {
            Values::Bytes(_) => "try another --lr, --init or --inputs",
            Values::Floats(_) => "try another --lr, --init or --scale",
        };
        let found = measured.or(again.as_ref());
        let name = |class| self.setup.data.class_name(class);
        let collapse = found.and_then(|found| found.collapse(name));
        if let Some(training) = again {
            let initial_loss =
                || Ok::<_, anyhow::Error>(evaluate(&self.net, &self.initial()?)?.loss);
            let is_guess = training.loss <= (1.0 + 1e-6) * training.guessing;
            if training.loss.is_nan()
                || !is_guess && (collapse.is_some() || training.loss >= initial_loss()?)
            {
                let what = training.worse_than_guessing();
                trained.failure = Some(format!("on the training samples, {what}: {cure}"));
            }
        }
        trained.collapse = collapse.map(|what| format!("{what}: {cure}"));
        Ok(())
    }

    /// Measures a network that reads and gives scaled values.
    fn evaluate(&self, net: &Sequential, params: &[f32], samples: &[u32]) -> Result<Evaluation> {
        let Setup { data, map, features, targets, loss, .. } = &self.setup;
        Classifier::new(net, params, *map, loss.kind())
            .scaled(features)
            .evaluate_scaled(&self.pool, data, samples, targets)
    }

    /// Trains from initial weights on; returns the parameters to keep, if there are some.
    pub(crate) fn learn(&self, observer: &mut (dyn Observer + Send)) -> Result<(Buffer, Ended)> {
        match self.setup.config.optimizer.build() {
            Built::Fused(any) => self.fit(any, observer),
            Built::Grouped(group) => self.fit(group, observer),
        }
    }

    fn fit<O: Optimizer + Send>(
        &self,
        optimizer: O,
        observer: &mut (dyn Observer + Send),
    ) -> Result<(Buffer, Ended)> {
        let (config, pool) = (&self.setup.config, &*self.pool);
        let mut params = self.initial()?;
        let mut kept = buffer(params.len(), "the best parameters")?;
        let (frozen, net) = self.parts()?;
        let (frozen_params, params) = params.split_at_mut(frozen.as_ref().map_or(0, Layer::params));
        kept[..frozen_params.len()].copy_from_slice(frozen_params);
        let frozen = frozen.map(|frozen| Frozen::new(frozen, frozen_params, pool));
        let map = if frozen.is_none() { self.setup.map } else { UNMAPPED };
        let mut state = buffer(optimizer.state_len_of(&net), "the optimizer's state")?;
        // Some steps need the gradient of a whole batch first.
        let buffered = O::NEEDS_GRADIENT || config.full_batch || config.clip_norm.is_some();
        let mut gradient = buffer(if buffered { net.params() } else { 0 }, "the gradient")?;
        let in_parts = buffered && supports_micro_batches(&net, map)?;
        let part = if in_parts { self.setup.batch_size.min(CHUNK) } else { self.setup.batch_size };
        let mut workspace = buffer(net.train_scratch_on(pool.threads(), part), "a batch")?;
        let buffers = Buffers { params, state: &mut state[..], workspace: &mut workspace[..] };
        let trainer = Trainer::new(net, optimizer, buffers)?
            .with_loss(self.setup.loss.with_class_weights(&self.setup.class_weights))?
            .with_seed(config.seed, 0)
            .with_threads(pool);
        let ended = if buffered {
            let mut trainer = trainer.with_gradient(&mut gradient)?;
            if let Some(norm) = config.clip_norm {
                trainer = trainer.clip_norm(norm)?;
            }
            pool.run(|| Run::new(self, trainer, frozen, &mut kept)?.run(observer))?
        } else {
            pool.run(|| Run::new(self, trainer, frozen, &mut kept)?.run(observer))?
        };
        Ok((kept, ended))
    }

    /// Returns the parameters that the run begins with.
    fn initial(&self) -> Result<Buffer> {
        let Setup { config, base, .. } = &self.setup;
        let mut params = buffer(self.net.params(), "parameters")?;
        self.net.init(&mut params, config.init.0, config.seed)?;
        if let Some(base) = base {
            params[..base.params.len()].copy_from_slice(&base.params);
        }
        Ok(params)
    }

    /// Returns the layers that stay as they are, and those that are trained.
    fn parts(&self) -> Result<(Option<Sequential>, Sequential)> {
        match &self.setup.base {
            Some(base) => base.cut(&self.net),
            None => Ok((None, self.net.clone())),
        }
    }

    /// Writes the samples of an epoch in their order into `order`.
    fn order(&self, epoch: u32, order: &mut [u32]) {
        if self.setup.config.shuffle && !self.setup.config.full_batch {
            shuffle(order, self.setup.config.seed, u64::from(epoch));
            for place in order {
                *place = self.setup.split.train[*place as usize];
            }
        } else {
            order.copy_from_slice(&self.setup.split.train);
        }
    }
}

/// What features are brought to, from the samples to train on.
fn scales_of_features(data: &Dataset, samples: &[u32], scale: Scale) -> Result<Scaling> {
    match (&data.inputs, scale) {
        (Values::Floats(_), Scale::None) if data.schema.missing != Missing::Mean => {
            Ok(Scaling::default())
        }
        (Values::Floats(values), scale) => Scaling::fit(values, data.pixels(), samples, scale),
        (Values::Bytes(_), Scale::Standardize) => Ok(Scaling::default()),
        (Values::Bytes(_), scale) => {
            bail!("--scale {scale} is for features, and {} holds images: see --inputs", data.source)
        }
    }
}

#[cfg(test)]
mod tests;
