//! The flags that say what to train on, what to test on, and how one file becomes both.

use anyhow::{Result, bail, ensure};

use super::format::CsvMax;
use super::split::{Amount, HeldOut, Part, Parting};
use super::{Dataset, Format, Known, Source, Split};
use crate::text::{grouped, shell_word};

/// The share that is held out for testing where the data has no test set and nothing is said.
const TEST_SHARE: Amount = Amount::Share(0.1);

/// Where the data comes from and how it is parted.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArgs {
    /// `synthetic`; a folder with MNIST's four IDX files; a CSV file with a picture in each row; or a folder of PNG
    /// files by class (DIR/train/0/*.png, DIR/test/0/*.png, or DIR/0/*.png). Files may be gzipped.
    #[arg(long = "data", default_value_t, value_name = "DATA")]
    pub source: Source,
    /// What to test on, in any of these forms, instead of the test set in --data.
    #[arg(long, value_name = "DATA", conflicts_with = "test_split")]
    pub test_data: Option<Source>,
    /// Put training and test set together before anything is held out.
    #[arg(long)]
    pub merge: bool,
    /// Held out for testing where there is no test set, or with --merge: a share of 1, or a number of samples; 0 for no
    /// test at all [default: 0.1, or 0 with --folds].
    #[arg(long, value_name = "AMOUNT")]
    pub test_split: Option<Amount>,
    /// Held out of training for validation: a share of 1, or a number of samples. The epoch that is best there is kept;
    /// with 0, the last one is.
    #[arg(long, default_value_t = Amount::Share(0.1), value_name = "AMOUNT")]
    pub val_split: Amount,
    /// Hold out the same share of every class.
    #[arg(long)]
    pub stratified: bool,
    /// Which samples are held out: any, as the seed says, or the last ones of the file (with --stratified, of each class).
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub held_out: HeldOut,
    /// Cross-validate: train so many times, each time measured on another part of the training samples. No model is
    /// written.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub folds: Option<u32>,
    /// The form of CSV files and PNG folders.
    #[command(flatten)]
    pub format: Format,
    /// The samples to validate on, the last of the training set, where the data has such; instead of `val_split`.
    #[arg(skip)]
    pub(crate) validation: usize,
}

/// Training and test data, and what there is to say about them.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The data; the test set is empty if there is none.
    pub split: Split,
    /// Sentences: what was found in the files, and what was done with it.
    pub notes: Vec<String>,
}

impl DataArgs {
    /// Reads and parts the data, and writes down in `self` what it chose where nothing was said.
    ///
    /// # Errors
    ///
    /// If data cannot be read or does not fit; if `test_split` is given for data with a test set of its own; if nothing
    /// would be left to train on.
    pub fn load(&mut self, seed: u64) -> Result<Prepared> {
        let loaded = self.source.load(&self.format)?;
        let (mut train, mut test, mut notes) = (loaded.train, loaded.test, loaded.notes);
        let mut validation = loaded.validation;
        notes.extend(train.unseen_classes());
        if train.max != u8::MAX {
            // Also for `predict`, to which it says how to bring a PNG to the model's range.
            self.format.csv_max = CsvMax(Some(train.max));
        }
        if let Some(source) = &self.test_data {
            let mut format = self.format.clone();
            if let Some(end) = loaded.label_end {
                format.label = end;
            }
            let known = Known::training(&train);
            let (data, note) = source.load_test(&format, &known)?;
            known.check(&data, source)?;
            notes.push(
                note.unwrap_or_else(|| format!("{source}: {} test samples", grouped(data.len()))),
            );
            test = Some(data);
        }
        if (self.merge || self.folds.is_some())
            && let Some(validation) = validation.take()
        {
            train.append(validation)?;
            notes.push("the validation set is part of the training set here".to_owned());
        }
        if self.merge {
            let had_test = test.is_some();
            if let Some(test) = test.take() {
                train.append(test)?;
            }
            if had_test {
                notes.push(format!(
                    "training and test set together: {} samples (--merge)",
                    grouped(train.len())
                ));
            }
        }
        let test = match (test, self.test_split) {
            (Some(_), Some(amount)) => bail!(
                "--test-split {amount} was given, but {} has a test set of its own: leave it out, or pool both by --merge",
                self.source
            ),
            (Some(test), None) => test,
            (None, amount) => {
                let default = if self.folds.is_some() { Amount::NONE } else { TEST_SHARE };
                let amount = amount.unwrap_or(default);
                self.test_split = Some(amount);
                let (rest, test) = self.split_test(train, amount, seed)?;
                train = rest;
                if !test.is_empty() {
                    notes.push(format!(
                        "{} samples held out for testing: --test-split {amount}, {}",
                        grouped(test.len()),
                        self.how(seed)
                    ));
                }
                test
            }
        };
        if let Some(validation) = validation {
            self.validation = validation.len();
            notes.push(format!(
                "{} samples to validate on, instead of --val-split",
                grouped(self.validation)
            ));
            train.append(validation)?;
        }
        if self.folds.is_some() && !test.is_empty() {
            notes.push(format!(
                "{} test samples, which play no part in the cross-validation",
                grouped(test.len())
            ));
        }
        Ok(Prepared { split: Split { train, test }, notes })
    }

    /// How samples are held out, in words.
    fn how(&self, seed: u64) -> String {
        match (self.held_out, self.stratified) {
            (HeldOut::Last, false) => "the last ones".to_owned(),
            (HeldOut::Last, true) => "the last ones of each class".to_owned(),
            (HeldOut::Random, true) => format!("stratified, seed {seed}"),
            (HeldOut::Random, false) => format!("at random, seed {seed}"),
        }
    }

    fn split_test(
        &self,
        mut data: Dataset,
        amount: Amount,
        seed: u64,
    ) -> Result<(Dataset, Dataset)> {
        let count = check_amount("--test-split", amount, data.len())?;
        let all: Vec<u32> = (0..).take(data.len()).collect();
        let (_, held_out) = self.parting(seed).hold_out(Part::Test, &all, &data.labels, count);
        let test = data.take_out(&held_out)?;
        Ok((data, test))
    }

    /// How samples are held out.
    #[must_use]
    pub fn parting(&self, seed: u64) -> Parting {
        Parting { seed, stratified: self.stratified, held_out: self.held_out }
    }

    /// Holds out of `samples` those to validate on. Returns those to train on, and those held out.
    ///
    /// # Errors
    ///
    /// If none would be left to train on.
    pub fn hold_out_validation(
        &self,
        data: &Dataset,
        samples: &[u32],
        seed: u64,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        if self.validation > 0 {
            let (train, validation) = samples.split_at(samples.len() - self.validation);
            return Ok((train.to_vec(), validation.to_vec()));
        }
        let count = check_amount("--val-split", self.val_split, samples.len())?;
        Ok(self.parting(seed).hold_out(Part::Validation, samples, &data.labels, count))
    }

    /// The flags but for `--val-split` that differ from the defaults, in words, each after a space.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        if let Some(source) = &self.test_data {
            words += &format!(" --test-data {}", shell_word(&source.to_string()));
        }
        if self.merge {
            words += " --merge";
        }
        if let Some(amount) = self.test_split {
            words += &format!(" --test-split {amount}");
        }
        if self.stratified {
            words += " --stratified";
        }
        if self.held_out != HeldOut::default() {
            words += &format!(" --held-out {}", self.held_out);
        }
        if let Some(folds) = self.folds {
            words += &format!(" --folds {folds}");
        }
        words + &self.format.words()
    }
}

/// The number of samples to hold out; an error if none would be left.
fn check_amount(flag: &str, amount: Amount, samples: usize) -> Result<usize> {
    let count = amount.of(samples);
    ensure!(
        count < samples,
        "{flag} {amount} of {samples} training samples leaves none to train on"
    );
    Ok(count)
}
