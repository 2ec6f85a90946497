//! A trained model: what `picomlp train` writes.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use picomlp::blob::{
    self, AnomalyThreshold, Contents, DataSplit, Input, InputKind, Preparation, Provenance,
    TargetKind,
};
use picomlp::fingerprint::fingerprint;
use picomlp::layers::trace;
use picomlp::{Batch, Element, Error, InputMap, Layer, Loss, LossKind, Network, Sequential};

use crate::augment::Augmenter;
use crate::base::Base;
use crate::classifier::Classifier;
use crate::config::{Settings, TrainConfig};
use crate::data::{
    Dataset, Feature, HeldOut, Scaling, Split, Targets, VALIDATION_FRACTION, Values, stats,
};
use crate::event::{Done, Measures, measured, measures};
use crate::image::normalize::is_normalized;
use crate::measures::Evaluation;
use crate::output::write_file;
use crate::scaled::in_own_units;
use crate::text::shell_word;

/// Samples of the test set (or of the training set if there is none) that travel in the model as self-test vectors.
const SELF_TESTS: usize = 4;

/// What a run is made of.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) config: TrainConfig,
    pub(crate) split: Split,
    /// How inputs are read.
    pub(crate) map: InputMap,
    /// What features are brought to; empty for pixels.
    pub(crate) features: Scaling,
    /// What values to predict are brought to; empty for classes.
    pub(crate) targets: Scaling,
    /// What takes outputs back to their own units.
    pub(crate) outputs: Scaling,
    /// The model that the run starts from.
    pub(crate) base: Option<Base>,
    pub(crate) loss: Loss<'static>,
    /// What varies training samples.
    pub(crate) augmenter: Option<Augmenter>,
    /// Weights of the classes in the loss; none if each is 1.
    pub(crate) class_weights: Vec<f32>,
    /// Samples of a step: all, if there are fewer than the settings ask for.
    pub(crate) batch_size: usize,
    /// Of the samples that are seen, when it is asked for first: it takes a while.
    pub(crate) fingerprint: OnceLock<u64>,
}

impl Setup<'_> {
    /// Returns the fingerprint of the samples that are trained or validated on.
    pub(crate) fn data_fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| self.data.fingerprint(&self.split.seen()))
    }

    /// Returns a trained network that reads features and gives values in their own units, and its parameters.
    pub(crate) fn in_own_units(
        &self,
        net: &Sequential,
        params: &[f32],
    ) -> Result<(Sequential, Vec<f32>)> {
        in_own_units(net, params, &self.features, &self.outputs)
    }

    /// Returns what such a network still needs of its features' scaling: values in place of missing ones.
    pub(crate) fn gaps(&self) -> Scaling {
        Scaling { fill: self.features.fill.clone(), ..Scaling::default() }
    }
}

/// A step and its epoch, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The step.
    pub step: u64,
    /// Its epoch.
    pub epoch: u32,
    /// The learning rate of that step.
    pub rate: f32,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs or steps were done.
    Finished,
    /// The validation accuracy had not risen for this number of epochs.
    Patience(u32),
    /// The observer stopped it.
    Interrupted,
    /// The loss became NaN or infinite at this step of this epoch.
    Diverged {
        /// Counted from 1.
        step: u64,
        /// Counted from 1.
        epoch: u32,
    },
}

/// The error of a run that was stopped or diverged.
#[derive(Debug)]
pub struct Stopped {
    /// Why it ended.
    pub ending: Ending,
    /// The model of the best epoch until then; `None` if no epoch was finished.
    pub trained: Option<Box<Trained>>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged { step, epoch } => write!(
                f,
                "the loss became NaN or infinite at step {step} (epoch {epoch}): try a smaller --lr"
            ),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Finished | Self::Patience(_) => f.write_str("training stopped early"),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trained {
            None => write!(f, "{}; it was not finished", self.ending),
            Some(trained) => {
                write!(f, "{}; epoch {} was the best", self.ending, trained.kept.epoch)
            }
        }
    }
}

impl core::error::Error for Stopped {}

/// A trained model and what there is to say of it.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network, with batch normalization folded into its dense layers.
    pub net: Sequential,
    /// Its parameters.
    pub params: Vec<f32>,
    /// How it reads inputs.
    pub map: InputMap,
    /// What it was trained with, which says what its outputs are.
    pub loss: LossKind,
    /// Names of the classes or of the values to predict, one for each output.
    pub class_names: Vec<String>,
    /// Names and units of the features; empty for images.
    pub features: Vec<Feature>,
    /// What the outputs are.
    pub targets: TargetKind,
    /// The settings that repeat the run.
    pub config: TrainConfig,
    /// Where the parameters were taken.
    pub kept: Place,
    /// What they reach on the test samples, if there are some.
    pub test: Option<Evaluation>,
    /// What they reached in validation, if that was measured.
    pub validation: Option<Evaluation>,
    /// From which score on a sample is an anomaly, of an autoencoder.
    pub threshold: Option<AnomalyThreshold>,
    /// Steps taken.
    pub steps: u64,
    /// Threads of the last step.
    pub threads: usize,
    /// Time in training steps alone.
    pub training: Duration,
    /// Why the run ended.
    pub ending: Ending,
    /// A warning if one class is predicted for all samples.
    pub collapse: Option<String>,
    /// What is wrong with a model that is of no use: it has learned nothing.
    pub failure: Option<String>,
    /// What is recorded of the inputs.
    pub input: Input,
    /// What stands in for a missing feature; empty if none may be missing.
    pub fill: Vec<f32>,
    record: Record,
}

/// What the file records beside the network.
#[derive(Clone, Debug)]
struct Record {
    source: String,
    data_settings: Settings,
    /// Flags and values by which the data was read and split.
    reading: Vec<[String; 2]>,
    split: DataSplit,
    data_fingerprint: u64,
    batch_size: usize,
    train_samples: usize,
    self_test: SelfTest,
}

/// Inputs, and what each layer makes of them.
#[derive(Clone, Debug, Default)]
struct SelfTest {
    inputs: Vec<u8>,
    /// In place of `inputs`, where these are features.
    features: Vec<f32>,
    logits: Vec<f32>,
    layers: Vec<f32>,
}

impl Trained {
    pub(crate) fn new(
        setup: &Setup<'_>,
        net: Sequential,
        params: Vec<f32>,
        kept: Place,
        test: Option<Evaluation>,
    ) -> Result<Self> {
        let Setup { data, config, split, map, loss, batch_size, .. } = setup;
        let self_test = SelfTest::of(setup, &net, &params)?;
        Ok(Self {
            map: *map,
            loss: loss.kind(),
            class_names: match data.targets {
                Targets::Classes(_) => (0..data.classes).map(|c| data.class_name(c)).collect(),
                Targets::Values(_) | Targets::Labels(_) => data.target_names.clone(),
            },
            net,
            params,
            features: data.features.clone(),
            targets: data.target_kind(),
            config: config.clone(),
            kept,
            test,
            validation: None,
            threshold: None,
            steps: kept.step,
            threads: 1,
            training: Duration::ZERO,
            ending: Ending::Finished,
            collapse: None,
            failure: None,
            fill: setup.features.fill.clone(),
            input: describe_input(data, &split.train, *map),
            record: Record {
                source: data.source.to_string(),
                data_settings: data_settings(config, data, split, None),
                reading: reading(config, data, split),
                split: split.record(&config.split),
                data_fingerprint: setup.data_fingerprint(),
                batch_size: *batch_size,
                train_samples: split.train.len(),
                self_test,
            },
        })
    }

    /// Takes other parameters of the network.
    pub(crate) fn update(
        &mut self,
        setup: &Setup<'_>,
        params: Vec<f32>,
        kept: Place,
    ) -> Result<()> {
        self.record.self_test = SelfTest::of(setup, &self.net, &params)?;
        (self.params, self.kept) = (params, kept);
        Ok(())
    }

    /// Returns the fingerprint of the parameters.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.params)
    }

    /// Returns the network as it is used.
    #[must_use]
    pub fn classifier(&self) -> Classifier<'_> {
        Classifier::new(&self.net, &self.params, self.map, self.loss)
    }
    /// Returns the command that repeats the run and writes its model to `out`.
    #[must_use]
    pub fn command(&self, out: &Path) -> String {
        let Record { source, data_settings, .. } = &self.record;
        command_of(&self.config, source, data_settings, Some(out))
    }

    /// Returns the model file: parameters, input, class names, provenance and self-test vectors. `out` is its path, which the
    /// command in the provenance names.
    ///
    /// # Errors
    ///
    /// If the network or its names do not fit into the format.
    pub fn to_bytes(&self, out: &Path) -> Result<Vec<u8>> {
        self.to_bytes_with(out, None)
    }

    /// As [`to_bytes`](Self::to_bytes), with what training goes on from.
    pub(crate) fn to_bytes_with(
        &self,
        out: &Path,
        checkpoint: Option<blob::Checkpoint<'_>>,
    ) -> Result<Vec<u8>> {
        let Record { split, data_fingerprint, batch_size, train_samples, self_test, .. } =
            &self.record;
        let names: Vec<&str> = self.class_names.iter().map(String::as_str).collect();
        let features = self.features.iter();
        let features: Vec<_> =
            features.map(|f| blob::Feature { name: &f.name, unit: &f.unit }).collect();
        let command = self.command(out);
        let reading: Vec<[&str; 2]> =
            self.record.reading.iter().map(|[flag, value]| [&flag[..], &value[..]]).collect();
        let count = |samples: usize| u32::try_from(samples).unwrap_or(u32::MAX);
        let config = &self.config;
        let contents = Contents {
            input: Some(self.input),
            split: Some(*split),
            reading: &reading,
            fill: &self.fill,
            threshold: self.threshold,
            class_names: &names,
            features: &features,
            targets: (self.targets != TargetKind::Classes).then_some(self.targets),
            provenance: Some(Provenance {
                seed: config.seed,
                steps: self.kept.step,
                data_fingerprint: *data_fingerprint,
                optimizer: config.optimizer.kind.in_blob(),
                learning_rate: self.kept.rate,
                batch_size: if config.full_batch { count(*batch_size) } else { config.batch_size },
                epochs: self.kept.epoch,
                train_samples: count(*train_samples),
                test_samples: count(self.test.as_ref().map_or(0, |test| test.samples)),
                test_measure: self.test.as_ref().map_or(0.0, Evaluation::main_measure) as f32,
                loss: self.loss,
                command: &command,
            }),
            self_test_inputs: &self_test.inputs,
            self_test_features: &self_test.features,
            self_test_logits: &self_test.logits,
            self_test_layers: &self_test.layers,
            checkpoint,
            ..Contents::new(&self.net, &self.params)
        };
        written(&contents).with_context(|| format!("cannot write {}", out.display()))
    }

    /// Writes the model file, which appears whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes); if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_file(path.as_ref(), &self.to_bytes(path.as_ref())?)
    }

    /// Describes the end of the run, whose model file of `bytes` bytes is `model`.
    #[must_use]
    pub fn done(&self, model: &Path, bytes: usize, elapsed: Duration) -> Done {
        let (test_accuracy, test_loss) = measured(self.test.as_ref());
        let (val_accuracy, val_loss) = measured(self.validation.as_ref());
        let threshold = self.threshold.map(|t| ("threshold".to_owned(), t.score.into()));
        let but = ["accuracy", "loss"];
        let test = measures(self.test.as_ref(), "test_", &but);
        Done {
            measures: test
                .chain(measures(self.validation.as_ref(), "val_", &but))
                .chain(threshold)
                .collect(),
            test_accuracy,
            test_loss,
            val_accuracy,
            val_loss,
            fingerprint: format!("{:016x}", self.fingerprint()),
            steps: self.steps,
            threads: self.threads,
            stopped_early: matches!(self.ending, Ending::Patience(_)),
            interrupted: self.ending == Ending::Interrupted,
            kept_epoch: Some(self.kept.epoch),
            training_seconds: self.training.as_secs_f64(),
            seconds: elapsed.as_secs_f64(),
            model: model.display().to_string(),
            bytes,
        }
    }
}

impl SelfTest {
    fn of(setup: &Setup<'_>, net: &Sequential, params: &[f32]) -> Result<Self> {
        let Setup { data, split, map, .. } = setup;
        let samples = if split.test.is_empty() { split.seen() } else { split.test.clone() };
        let samples = &samples[..SELF_TESTS.min(samples.len())];
        let mut test = match data.subset(samples).inputs {
            Values::Bytes(inputs) => {
                Self { inputs: inputs.to_vec(), ..Self::run(net, params, *map, &inputs)? }
            }
            Values::Floats(features) => {
                Self { features: features.to_vec(), ..Self::run(net, params, *map, &features)? }
            }
        };
        if test.logits.is_empty() {
            test = Self::default();
        }
        Ok(test)
    }

    /// Computes what is expected of inputs; nothing if an output is not finite.
    fn run<T: Element>(
        net: &Sequential,
        params: &[f32],
        map: InputMap,
        inputs: &[T],
    ) -> Result<Self> {
        let x = Batch::rows(inputs, net.inputs())?.with_map(map);
        let mut logits = vec![0.0; x.len() * net.outputs()];
        match net.forward(params, x, &mut logits, &mut vec![0.0; net.infer_scratch(x.len())]) {
            Ok(()) => {}
            // Bits of NaN differ from machine to machine: nothing to compare with.
            Err(Error::OutputNotFinite { .. }) => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        }
        // What every layer but the last gives, sample by sample.
        let (mut layers, mut scratch) = (Vec::new(), vec![0.0; net.infer_scratch(1)]);
        for sample in x.iter() {
            let x = Batch::rows(sample, net.inputs())?.with_map(map);
            trace(net, params, x, &mut scratch, |_, outputs| layers.extend_from_slice(outputs))?;
            layers.truncate(layers.len() - net.outputs());
        }
        Ok(Self { logits, layers, ..Self::default() })
    }
}

/// Writes a blob into memory.
pub(crate) fn written(contents: &Contents<'_, Sequential>) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(contents.byte_len()?);
    contents.write_pieces(|piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

/// What a model file records of the samples that the model was trained on.
fn describe_input(data: &Dataset, samples: &[u32], map: InputMap) -> Input {
    let is_bytes = !data.images().is_empty();
    let is_image = is_bytes && (data.is_image_folder || data.shape().holds_an_image());
    let in_form = if data.is_image_folder {
        data.schema.normalize
    } else {
        is_image && in_mnist_form(data, samples)
    };
    Input {
        kind: if is_image { InputKind::Image } else { InputKind::Features },
        preparation: if in_form { Preparation::MnistForm } else { Preparation::AsIs },
        max: is_bytes.then_some(data.max),
        stats: is_bytes.then(|| stats(data, samples)),
        ..Input::image(data.rows, data.cols, map)
    }
}

/// Whether nine of ten of the images are in MNIST's form, as MNIST's own are. At most a thousand are checked.
fn in_mnist_form(data: &Dataset, samples: &[u32]) -> bool {
    let level = |&value: &u8| (u32::from(value) * 255 / u32::from(data.max)) as u8;
    let (mut checked, mut in_form) = (0, 0);
    for &sample in samples.iter().step_by(samples.len().div_ceil(1000)) {
        let levels: Vec<u8> = data.image(sample as usize).iter().map(level).collect();
        checked += 1;
        in_form += usize::from(is_normalized(&levels, data.rows, data.cols));
    }
    10 * in_form >= 9 * checked
}

/// Returns the command that repeats a run: every setting that plays a part, in words for a shell.
pub(crate) fn command(
    config: &TrainConfig,
    data: &Dataset,
    split: &Split,
    folds: Option<usize>,
    out: Option<&Path>,
) -> String {
    let settings = data_settings(config, data, split, folds);
    command_of(config, &data.source.to_string(), &settings, out)
}

/// Returns the settings of a run by flag.
pub(crate) fn settings_json(
    config: &TrainConfig,
    data: &Dataset,
    split: &Split,
    folds: Option<usize>,
) -> Measures {
    let all = [config.settings(), data_settings(config, data, split, folds)].concat();
    let json = |value: Option<String>| value.map_or(true.into(), Into::into);
    all.into_iter().map(|(flag, value)| (flag.to_owned(), json(value))).collect()
}

fn command_of(
    config: &TrainConfig,
    source: &str,
    data_settings: &Settings,
    out: Option<&Path>,
) -> String {
    let mut command = format!("picomlp train --data {}", shell_word(source));
    let out = out.map(|out| ("out", Some(out.display().to_string())));
    for (flag, value) in config.settings().iter().chain(data_settings).chain(&out) {
        command += &format!(" --{flag}");
        if let Some(value) = value {
            command += &format!(" {}", shell_word(value));
        }
    }
    command
}

/// What a model records of how its data was read and split.
fn reading(config: &TrainConfig, data: &Dataset, split: &Split) -> Vec<[String; 2]> {
    // Of groups, the number of samples held out does not tell how many were asked for.
    let validation = config.split.validation.unwrap_or(VALIDATION_FRACTION).to_string();
    let validation = (!data.groups.of.is_empty()).then_some(("val-split", Some(validation)));
    let settings = data_settings(config, data, split, None).into_iter();
    let settings = settings.filter(|(flag, _)| *flag != "test-data").chain(validation);
    settings.map(|(flag, value)| [flag.to_owned(), value.unwrap_or_default()]).collect()
}

/// Every setting that plays a part in a run.
pub(crate) fn all_settings(config: &TrainConfig, data: &Dataset, split: &Split) -> Settings {
    let source = ("data", Some(data.source.to_string()));
    let data = data_settings(config, data, split, None);
    config.settings().into_iter().chain(data).chain([source]).collect()
}

/// The settings of the data that differ from the defaults.
fn data_settings(
    config: &TrainConfig,
    data: &Dataset,
    split: &Split,
    folds: Option<usize>,
) -> Settings {
    let spec = &config.split;
    let mut settings = Vec::new();
    settings.extend(data.test_source.as_ref().map(|data| ("test-data", Some(data.to_string()))));
    settings.extend(spec.merge.then_some(("merge", None)));
    settings.extend(split.test_amount.map(|amount| ("test-split", Some(amount.to_string()))));
    settings.extend(spec.stratified.then_some(("stratified", None)));
    if spec.held_out != HeldOut::default() {
        settings.push(("held-out", Some(spec.held_out.to_string())));
    }
    settings.extend(folds.map(|folds| ("folds", Some(folds.to_string()))));
    settings.extend(data.schema.settings());
    settings
}
