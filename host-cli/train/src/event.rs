//! What happens in a training run, as values that are the lines of `train --json` and of a history file.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::measures::Evaluation;
use crate::text::{grouped, percent};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Training begins.
    #[serde(skip_deserializing)]
    Start(Start),
    /// An epoch has ended.
    Epoch(Epoch),
    /// A fold of a cross-validation has ended.
    #[serde(skip_deserializing)]
    Fold(Fold),
    /// Training has ended.
    Done(Done),
    /// A cross-validation has ended.
    #[serde(rename = "done", skip_deserializing)]
    FoldsDone(FoldsDone),
    /// Anything else; only read.
    #[serde(other)]
    Other,
}

impl Event {
    /// Formats the event as a line of JSON, without the line feed; names are in alphabetical order.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of strings and numbers has no key that is not text.
        serde_json::to_value(self).unwrap_or_default().to_string()
    }
}

/// What is trained, on what.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Start {
    /// Widths of the network: `784-128-10`.
    pub network: String,
    /// Each layer in words.
    pub layers: Vec<String>,
    /// The loss.
    pub loss: String,
    /// Number of parameters.
    pub parameters: usize,
    /// The optimizer.
    pub optimizer: String,
    /// The initial learning rate.
    pub lr: f32,
    /// Samples of a step.
    pub batch_size: usize,
    /// Epochs to train for.
    pub epochs: u32,
    /// The seed.
    pub seed: u64,
    /// Where the data comes from.
    pub data: String,
    /// What was found in the data and how it was split.
    pub data_notes: Vec<String>,
    /// Fingerprint of the samples that are trained on and validated on.
    pub data_fingerprint: String,
    /// Number of samples to train on.
    pub train_samples: usize,
    /// Number of samples to validate on.
    pub validation_samples: usize,
    /// Number of samples to measure on; of a cross-validation, those of the first fold.
    pub test_samples: usize,
    /// Number of folds of a cross-validation.
    pub folds: Option<usize>,
    /// Number of epochs that were done before, of a run that is resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_epochs: Option<usize>,
    /// The command that repeats the run.
    pub command: String,
    /// Its settings by flag; a switch is `true`.
    pub settings: Measures,
}

/// Measures by name, or other values.
pub type Measures = serde_json::Map<String, serde_json::Value>;

/// The results of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// The fold of a cross-validation, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// Mean training loss over the epoch.
    #[serde(default)]
    pub train_loss: Option<f64>,
    /// Accuracy on the training samples at the end of the epoch, if it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Mean validation loss.
    #[serde(default)]
    pub val_loss: Option<f64>,
    /// Validation accuracy.
    #[serde(default)]
    pub val_accuracy: Option<f64>,
    /// R² in validation, where values are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_r2: Option<f64>,
    /// All other measures of the validation, such as `val_macro_f1`.
    #[serde(flatten, skip_deserializing)]
    pub measures: Measures,
    /// Learning rate of the last step.
    #[serde(default)]
    pub lr: f32,
    /// Seconds in training steps.
    #[serde(default)]
    pub seconds: f64,
    /// Samples trained on.
    #[serde(skip)]
    pub samples: usize,
}

/// A row of a table under [`Epoch::heading`].
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, train_loss, val_accuracy, val_r2, samples, seconds, .. } = self;
        let measure = val_accuracy.map(percent).or_else(|| val_r2.map(|r2| format!("{r2:.4}")));
        write!(
            f,
            "{epoch:>5}   {:>10.4}   {:>19}   {:>9}   {seconds:>7.2}",
            train_loss.unwrap_or(f64::NAN),
            measure.unwrap_or_else(|| "-".to_owned()),
            grouped((*samples as f64 / seconds) as usize),
        )
    }
}

impl Epoch {
    /// The heading of a table of epochs, of a network that tells classes apart or predicts values.
    #[must_use]
    pub fn heading(are_values: bool) -> String {
        let measure = if are_values { "validation R²" } else { "validation accuracy" };
        format!("epoch   train loss   {measure:>19}   samples/s   seconds")
    }
}

/// An accuracy, or R² of predicted values, in words.
#[must_use]
pub fn measure(value: f64, is_r2: bool) -> String {
    if is_r2 { format!("{value:.4}") } else { percent(value) }
}

/// The results of a fold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fold {
    /// Counted from 1.
    pub fold: usize,
    /// What was measured on its samples: `test_accuracy`, or `test_r2` of values, and others.
    #[serde(flatten)]
    pub measures: Measures,
    /// Accuracy on the samples of the fold; R² where values are predicted.
    #[serde(skip)]
    pub main: f64,
    /// Whether values are predicted.
    #[serde(skip)]
    pub are_values: bool,
    /// Mean loss on them.
    #[serde(skip)]
    pub test_loss: f64,
    /// Their number.
    pub test_samples: usize,
    /// The epoch whose parameters were measured.
    pub kept_epoch: u32,
    /// Fingerprint of these parameters.
    pub fingerprint: String,
    /// Seconds from the first to the last step of each epoch, turns of other folds included.
    pub seconds: f64,
}

/// A row of a table under [`Fold::heading`].
impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fold, test_loss, test_samples, kept_epoch, seconds, .. } = self;
        let accuracy = measure(self.main, self.are_values);
        let samples = grouped(*test_samples);
        write!(
            f,
            "{fold:>5}   {accuracy:>13}   {test_loss:>9.4}   {samples:>7}   {kept_epoch:>10}   {seconds:>7.2}"
        )
    }
}

impl Fold {
    /// The heading of a table of folds.
    #[must_use]
    pub fn heading(are_values: bool) -> String {
        let name = if are_values { "test R²" } else { "test accuracy" };
        format!(" fold   {name:>13}   test loss   samples   kept epoch   seconds")
    }
}

/// The results of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// Accuracy on the test samples, if it was measured.
    pub test_accuracy: Option<f64>,
    /// Mean loss on them.
    pub test_loss: Option<f64>,
    /// Validation accuracy of the kept epoch.
    pub val_accuracy: Option<f64>,
    /// Validation loss of the kept epoch.
    pub val_loss: Option<f64>,
    /// All other measures, such as `test_macro_f1`, `test_r2` and `val_r2`.
    #[serde(flatten, skip_deserializing)]
    pub measures: Measures,
    /// Fingerprint of the parameters.
    pub fingerprint: String,
    /// Steps taken.
    pub steps: u64,
    /// Threads of the last step.
    pub threads: usize,
    /// Whether the validation accuracy ended the training.
    pub stopped_early: bool,
    /// Whether the training was interrupted.
    pub interrupted: bool,
    /// The epoch whose parameters were kept.
    pub kept_epoch: Option<u32>,
    /// Seconds in training steps.
    pub training_seconds: f64,
    /// Seconds of the whole run.
    pub seconds: f64,
    /// The model file.
    pub model: String,
    /// Its length.
    pub bytes: usize,
}

/// The results of a cross-validation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FoldsDone {
    /// Number of folds.
    pub folds: usize,
    /// `test_accuracy_mean` and `test_accuracy_deviation`, or `test_r2_mean` and so on.
    #[serde(flatten)]
    pub measures: Measures,
    /// Mean of the folds' accuracies; of R² where values are predicted.
    #[serde(skip)]
    pub mean: f64,
    /// Their standard deviation, as that of a sample.
    #[serde(skip)]
    pub deviation: f64,
    /// Seconds of the whole run.
    pub seconds: f64,
}

impl FoldsDone {
    /// Computes mean and standard deviation of at least two folds.
    #[must_use]
    pub fn new(folds: &[Fold], seconds: f64) -> Self {
        let main: Vec<f64> = folds.iter().map(|fold| fold.main).collect();
        let (mean, deviation) = mean_and_deviation(&main);
        let name = if folds[0].are_values { "test_r2" } else { "test_accuracy" };
        let measures = [("mean", mean), ("deviation", deviation)];
        let measures = measures.map(|(of, value)| (format!("{name}_{of}"), value.into()));
        let measures = measures.into_iter().collect();
        Self { folds: folds.len(), measures, mean, deviation, seconds }
    }
}

/// The mean, and the standard deviation of a sample (divided by one less than their number) of at least two values.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Accuracy and loss of an evaluation, if there is one.
pub(crate) fn measured(evaluation: Option<&Evaluation>) -> (Option<f64>, Option<f64>) {
    let of_classes = evaluation.filter(|evaluation| evaluation.regression.is_none());
    (of_classes.map(Evaluation::accuracy), evaluation.map(|evaluation| evaluation.loss))
}

/// R² of an evaluation of predicted values.
pub(crate) fn r2(evaluation: Option<&Evaluation>) -> Option<f64> {
    Some(evaluation?.regression?.r2)
}

/// All measures of an evaluation but those named, their names after `prefix`.
pub(crate) fn measures(
    evaluation: Option<&Evaluation>,
    prefix: &str,
    but: &[&str],
) -> impl Iterator<Item = (String, serde_json::Value)> {
    let all = evaluation.map(Evaluation::measures).unwrap_or_default().into_iter();
    let all = all.filter(|(name, _)| !but.contains(name));
    all.map(move |(name, value)| (format!("{prefix}{name}"), value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        // Squared distances from 5: 9, 1, 1, 1, 0, 0, 4, 16; their sum over 7.
        let (mean, deviation) = mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(mean, 5.0);
        assert_eq!(deviation, (32.0_f64 / 7.0).sqrt());
        assert_eq!(mean_and_deviation(&[0.5, 0.5]), (0.5, 0.0));
    }

    #[test]
    fn an_epoch_is_read_as_it_is_written() {
        let epoch = Event::Epoch(Epoch {
            epoch: 3,
            train_loss: Some(0.25),
            val_accuracy: Some(0.5),
            lr: 0.001,
            ..Epoch::default()
        });
        let line = epoch.to_json();
        assert!(line.starts_with(r#"{"epoch":3,"event":"epoch","lr":0.001"#), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), epoch);
        assert_eq!(serde_json::from_str::<Event>(r#"{"event":"start"}"#).unwrap(), Event::Other);
    }
}
