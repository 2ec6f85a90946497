//! Checkpoints: model files from which training goes on, to the same bits as if it had never stopped.
//!
//! What a run is made of and what follows from it is not kept: the order of an epoch follows from the seed and the epoch, dropout's masks
//! and Adam's powers from the step, a schedule from the epoch and the validation losses, the best score from the best parameters.
//! What is kept: parameters in training and the best ones, the optimizer's state, the step, the epochs so far, and where the
//! epoch stands that is not done.

use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use picomlp::TrainingState;
use picomlp::blob::Provenance;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Settings;
use crate::event::Epoch;
use crate::history;
use crate::model_file::ModelFile;
use crate::output::write_file;

/// Flags with their values; `true` for a switch.
pub(crate) type Flags = BTreeMap<String, Value>;

/// Where a run stands, beside its [`TrainingState`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The epochs that are done.
    pub(crate) epochs: Vec<Epoch>,
    /// The epoch whose parameters are the best so far, and the step at its end.
    pub(crate) kept: Option<(u32, u64)>,
    /// Epochs without a better validation measure.
    pub(crate) epochs_since: u32,
    /// Batches of the epoch that is not done, and the sum of their samples' losses.
    pub(crate) batches: u64,
    pub(crate) loss_sum: f64,
    /// Seconds in training steps.
    pub(crate) seconds: f64,
    /// Fingerprint of the test samples.
    pub(crate) test_fingerprint: String,
    /// Fingerprint of the model that the run starts from; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) base_fingerprint: String,
    /// The settings that the run does not depend on, of the program that trains.
    pub(crate) outputs: Flags,
}

/// A checkpoint, read from a file.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    file: ModelFile,
    pub(crate) progress: Progress,
    pub(crate) settings: Flags,
    /// Newer checkpoints of its folder that cannot be resumed.
    damaged: Vec<PathBuf>,
    warning: Option<String>,
}

impl Checkpoint {
    /// Reads a checkpoint, or the latest one in a folder that can be resumed.
    ///
    /// # Errors
    ///
    /// If there is none. If the file is damaged, naming it.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Self::of_file(ModelFile::read(path)?);
        }
        let (shown, all) = (path.display(), list(path)?);
        ensure!(
            !all.is_empty(),
            "{shown}: no checkpoint in this folder: `picomlp train --checkpoint DIR` writes them"
        );
        let (mut damaged, mut why) = (Vec::new(), Vec::new());
        for (_, file) in all.into_iter().rev() {
            match ModelFile::read(&file).and_then(Self::of_file) {
                Ok(checkpoint) => {
                    let from = file.display();
                    let warning = (!why.is_empty())
                        .then(|| format!("{}; going on from {from}", why.join("; ")));
                    return Ok(Self { damaged, warning, ..checkpoint });
                }
                Err(error) => why.push(format!("{error:#}")),
            }
            damaged.push(file);
        }
        bail!("{shown}: no checkpoint in this folder can be resumed: {}", why.join("; "))
    }

    /// Whether a folder has a checkpoint.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn is_any_in(folder: &Path) -> Result<bool> {
        Ok(folder.is_dir() && !list(folder)?.is_empty())
    }

    /// Returns what is wrong with later checkpoints of the folder that it was read from.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Reads the checkpoint in a model file's bytes.
    ///
    /// # Errors
    ///
    /// If it is not a sound checkpoint, naming the file.
    pub fn of_file(file: ModelFile) -> Result<Self> {
        let cannot = || format!("{}: cannot be resumed", file.path().display());
        let read = || {
            file.model()?;
            let checkpoint = file.blob()?.checkpoint()?;
            let progress: Progress = serde_json::from_str(checkpoint.progress)
                .context("its progress of training is damaged")?;
            let settings: Flags = serde_json::from_str(checkpoint.settings)
                .context("its settings of training are damaged")?;
            let TrainingState { params, best, steps, .. } = checkpoint.training;
            check(&progress, !best.is_empty())?;
            // More than a run of centuries makes.
            ensure!(steps < 1 << 53, "it has {steps} steps");
            let is_word = |value: &Value| value.is_string() || *value == Value::Bool(true);
            ensure!(
                settings.values().chain(progress.outputs.values()).all(is_word),
                "a setting is neither a text nor true"
            );
            ensure!(
                [params, best].concat().iter().all(|value| value.is_finite()),
                "a parameter in training is not finite"
            );
            Ok((progress, settings))
        };
        let (progress, settings) = read().with_context(cannot)?;
        Ok(Self { file, progress, settings, damaged: Vec::new(), warning: None })
    }

    /// Returns the path that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the epochs that are done.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.progress.epochs
    }

    /// Returns the flags of the run, those of [`Checkpoints::outputs`] among them; a switch has no value.
    pub fn flags(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let all = self.settings.iter().chain(&self.progress.outputs);
        all.map(|(flag, value)| (flag.as_str(), value.as_str()))
    }

    /// Returns what the trainer goes on from.
    ///
    /// # Errors
    ///
    /// None: the file was found sound when it was read.
    pub(crate) fn training(&self) -> Result<TrainingState<'_>> {
        Ok(self.file.blob()?.checkpoint()?.training)
    }

    /// Returns where its model comes from.
    pub(crate) fn provenance(&self) -> Result<Provenance<'_>> {
        Ok(self.file.blob()?.provenance().unwrap_or_default())
    }

    /// Returns how `settings` differ from those of the run, in words.
    pub(crate) fn differences(&self, settings: &Flags) -> Vec<String> {
        let in_words = |flag: &str, flags: &Flags| match flags.get(flag) {
            None => "not set".to_owned(),
            Some(Value::String(value)) => value.clone(),
            Some(_) => "set".to_owned(),
        };
        let more = settings.keys().filter(|flag| !self.settings.contains_key(*flag));
        let all = self.settings.keys().chain(more);
        let differ = all.filter(|flag| self.settings.get(*flag) != settings.get(*flag));
        let words = |flag: &String| {
            let [there, here] = [&self.settings, settings].map(|flags| in_words(flag, flags));
            format!("--{flag} is {here}, but {there} in the checkpoint")
        };
        differ.map(words).collect()
    }
}

/// Checks what can be checked without the run.
fn check(progress: &Progress, has_best: bool) -> Result<()> {
    let Progress { epochs, kept, loss_sum, seconds, .. } = progress;
    for (number, epoch) in (1..).zip(epochs) {
        history::check(epoch)?;
        ensure!(epoch.epoch == number, "epoch {} stands where {number} belongs", epoch.epoch);
    }
    let is_done = |(epoch, _): &(u32, u64)| (1..=epochs.len()).contains(&(*epoch as usize));
    ensure!(
        kept.as_ref().is_none_or(is_done) && kept.is_some() == has_best,
        "its best epoch is not one of those that are done"
    );
    ensure!(
        loss_sum.is_finite() && Duration::try_from_secs_f64(*seconds).is_ok(),
        "its loss or its time is not a number from 0"
    );
    Ok(())
}

/// Settings as a checkpoint keeps them.
pub(crate) fn flags(settings: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Flags {
    let value = |value: Option<String>| value.map_or(Value::Bool(true), Value::String);
    settings.into_iter().map(|(flag, word)| (flag.to_owned(), value(word))).collect()
}

/// Interval between checkpoints: epochs, steps or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After this number of epochs.
    Epochs(NonZeroU64),
    /// After this number of steps.
    Steps(NonZeroU64),
    /// After this number of seconds.
    Seconds(NonZeroU64),
}

/// Reads `2epochs`, `500steps`, `90s`, `10min` or `1h`.
impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "expected a number and its unit: 1epoch, 500steps, 30s, 10min, 1h".to_owned();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: NonZeroU64 = number.parse().map_err(|_| expected())?;
        let seconds = |each| number.checked_mul(each).map(Self::Seconds).ok_or_else(expected);
        match unit {
            "epoch" | "epochs" => Ok(Self::Epochs(number)),
            "step" | "steps" => Ok(Self::Steps(number)),
            "s" => Ok(Self::Seconds(number)),
            "min" => seconds(const { NonZeroU64::new(60).unwrap() }),
            "h" => seconds(const { NonZeroU64::new(3600).unwrap() }),
            _ => Err(expected()),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epochs(number) => write!(f, "{number}epochs"),
            Self::Steps(number) => write!(f, "{number}steps"),
            Self::Seconds(number) => write!(f, "{number}s"),
        }
    }
}

/// The folder that a run's checkpoints go to, when, and how many stay.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// How often one is written; the last epoch and an interrupted run write one, too.
    pub every: Every,
    /// How many stay, the latest ones; 0 for all.
    pub keep_last: usize,
    /// Settings that the run does not depend on, which [`Checkpoint::flags`] gives back.
    pub outputs: Settings,
    written: Instant,
}

impl Checkpoints {
    /// Checkpoints after every epoch, of which three stay. Makes the folder.
    ///
    /// # Errors
    ///
    /// If there cannot be such a folder, or no file in it.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let shown = folder.display();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {shown}"))?;
        crate::output::check_folder(&folder)?;
        let every = Every::Epochs(NonZeroU64::MIN);
        Ok(Self { folder, every, keep_last: 3, outputs: Vec::new(), written: Instant::now() })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Refuses to write among checkpoints of later steps than that of `from`, but for damaged ones: they are of
    /// another run.
    pub(crate) fn check_later(&self, from: Option<&Checkpoint>) -> Result<()> {
        let steps = from.map(|from| Ok::<_, anyhow::Error>(from.training()?.steps)).transpose()?;
        let damaged = from.map_or(&[][..], |from| &from.damaged);
        let all = list(&self.folder)?;
        // The folder may be named in another way.
        let is_damaged =
            |path: &Path| damaged.iter().any(|one| one.file_name() == path.file_name());
        match all.iter().rev().find(|(_, path)| !is_damaged(path)) {
            Some((last, path)) if steps.is_none_or(|steps| *last > steps) => {
                let shown = path.display();
                let folder = self.folder.display();
                bail!(
                    "{shown} is in the folder already: go on from it with --resume {folder}, or name another folder, or delete it"
                )
            }
            // A run that was killed may not have removed the oldest ones.
            _ => self.remove_old(None),
        }
    }

    /// Whether a checkpoint is due after a step.
    pub(crate) fn is_due(&self, steps: u64) -> bool {
        match self.every {
            Every::Epochs(_) => false,
            Every::Steps(every) => steps.is_multiple_of(every.get()),
            Every::Seconds(every) => self.written.elapsed().as_secs() >= every.get(),
        }
    }

    /// Whether one is due after an epoch.
    pub(crate) fn is_due_after(&self, epoch: u32) -> bool {
        matches!(self.every, Every::Epochs(every) if u64::from(epoch).is_multiple_of(every.get()))
    }

    /// Returns the file of a checkpoint after `epochs` epochs and `steps` steps.
    pub(crate) fn file(&self, epochs: usize, steps: u64) -> PathBuf {
        self.folder.join(format!("{PREFIX}{epochs:04}{STEP}{steps:08}.{ENDING}"))
    }

    /// Writes a checkpoint, which appears whole or not at all, and removes the oldest ones.
    pub(crate) fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.written = Instant::now();
        write_file(path, bytes)?;
        self.remove_old(Some(path))
    }

    /// Removes all but the last checkpoints and `written`.
    fn remove_old(&self, written: Option<&Path>) -> Result<()> {
        let all = list(&self.folder)?;
        let stay = if self.keep_last == 0 { all.len() } else { self.keep_last };
        for (_, old) in all.iter().rev().skip(stay).filter(|(_, old)| Some(&**old) != written) {
            fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(())
    }
}

/// A checkpoint's name: `epoch-0003-step-00001500.pmlp`.
const PREFIX: &str = "epoch-";
const STEP: &str = "-step-";
const ENDING: &str = "pmlp";

/// The checkpoints in a folder by their steps, in order.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let step = |path: &Path| {
            let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?.strip_suffix('.')?;
            let (epoch, step) = name.strip_prefix(PREFIX)?.split_once(STEP)?;
            epoch.parse::<u32>().ok()?;
            step.parse().ok()
        };
        all.extend(step(&path).map(|step| (step, path)));
    }
    all.sort();
    Ok(all)
}
