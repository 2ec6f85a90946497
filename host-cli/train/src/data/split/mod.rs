//! How a set is split: samples held out for validation or testing, and the folds of a cross-validation.
//!
//! Which samples are held out is a function of the seed, the purpose and the number of samples alone (and of their labels
//! where the split is stratified, and of their groups): see [`SplitSpec::hold_out`].

mod choose;
mod spec;

use anyhow::{Result, bail, ensure};
use picomlp::blob::DataSplit;

pub use self::choose::Strata;
use self::spec::TEST_FRACTION;
pub(crate) use self::spec::VALIDATION_FRACTION;
pub use self::spec::{Amount, HeldOut, Part, SplitSpec};
use super::dataset::Dataset;
use crate::text::grouped;

/// The parts of a data set, each as ascending indices into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Samples to train on.
    pub train: Vec<u32>,
    /// Samples that choose the epoch; may be empty.
    pub validation: Vec<u32>,
    /// Samples to measure on; may be empty.
    pub test: Vec<u32>,
    /// What was held out for testing where the source sets nothing aside.
    pub test_amount: Option<Amount>,
    /// Whether the source itself sets the validation samples aside.
    pub own_validation: bool,
    /// What was done, one sentence each.
    pub notes: Vec<String>,
}

impl Split {
    /// Splits `data`.
    ///
    /// # Errors
    ///
    /// If an amount for testing is given and the source has a test set of its own; if nothing would be left to train on; if classes
    /// are asked for and the targets are values.
    pub fn new(data: &Dataset, spec: &SplitSpec, seed: u64) -> Result<Self> {
        let mut split = Self::without_test(data, spec, seed, false)?;
        if split.own_validation {
            let note = format!(
                "{} samples to validate on, instead of --val-split",
                grouped(split.validation.len())
            );
            split.notes.push(note);
        } else {
            split.hold_out_validation(data, spec, seed)?;
        }
        Ok(split)
    }

    /// Splits `data` into `count` folds: one split for each, whose test samples are that fold.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); if a fold would be empty.
    pub fn folds(data: &Dataset, spec: &SplitSpec, seed: u64, count: usize) -> Result<Vec<Self>> {
        let whole = Self::without_test(data, spec, seed, true)?;
        let samples = whole.train.len();
        ensure!(count <= samples, "--folds {count} of {samples} samples leaves a fold empty");
        let folds = spec.fold_samples(seed, &whole.train, strata(data, spec), count);
        ensure!(
            folds.iter().all(|fold| !fold.is_empty()),
            "--folds {count}: there are fewer groups, so that a fold is empty"
        );
        let split = |(number, fold): (usize, &Vec<u32>)| {
            let others = folds.iter().enumerate().filter(|(other, _)| *other != number);
            let mut train: Vec<u32> = others.flat_map(|(_, other)| other).copied().collect();
            train.sort_unstable();
            let mut split = Self { train, test: fold.clone(), ..whole.clone() };
            match split.hold_out_validation(data, spec, seed) {
                Ok(()) => Ok(split),
                Err(error) => Err(error.context(format!("fold {}", number + 1))),
            }
        };
        folds.iter().enumerate().map(split).collect()
    }

    /// Sets the test samples apart, and the validation samples if they are the source's own and no fold takes them.
    fn without_test(data: &Dataset, spec: &SplitSpec, seed: u64, folds: bool) -> Result<Self> {
        ensure!(
            !spec.stratified || !data.labels().is_empty(),
            "--stratified needs classes, and the targets are values"
        );
        let [all, validation, test] =
            [data.len(), data.own_validation, data.own_test].map(|count| count as u32);
        let mut split = Self { train: (0..all - validation - test).collect(), ..Self::default() };
        let (own, mut test) = (all - validation - test..all - test, all - test..all);
        if (spec.merge || folds) && !own.is_empty() {
            split.train.extend(own);
            split.notes.push("the validation set is part of the training set here".to_owned());
        } else {
            split.own_validation = !own.is_empty();
            split.validation = own.collect();
        }
        if spec.merge && !test.is_empty() {
            split.train.extend(&mut test);
            let samples = grouped(split.train.len());
            split
                .notes
                .push(format!("training and test set together: {samples} samples (--merge)"));
        }
        match spec.test {
            Some(amount) if !test.is_empty() => bail!(
                "--test-split {amount} was given, but {} has a test set of its own: leave it out, or pool both by --merge",
                data.source
            ),
            None if !test.is_empty() => split.test = test.collect(),
            amount => {
                let default = if folds { Amount::NONE } else { TEST_FRACTION };
                let amount = amount.unwrap_or(default);
                split.test_amount = Some(amount);
                split.test = split.hold_out(data, spec, Part::Test, amount, seed)?;
                if !split.test.is_empty() {
                    let groups = match strata(data, spec).groups {
                        [] => "",
                        groups if groups == data.recordings => ", whole recordings",
                        _ => ", whole groups",
                    };
                    split.notes.push(format!(
                        "{} samples held out for testing: --test-split {amount}, {}{groups}",
                        grouped(split.test.len()),
                        spec.how(seed)
                    ));
                }
            }
        }
        if folds && !split.test.is_empty() {
            let samples = grouped(split.test.len());
            let note =
                format!("{samples} test samples, which play no part in the cross-validation");
            split.notes.push(note);
        }
        Ok(split)
    }

    fn hold_out_validation(&mut self, data: &Dataset, spec: &SplitSpec, seed: u64) -> Result<()> {
        let amount = spec.validation.unwrap_or(VALIDATION_FRACTION);
        self.validation = self.hold_out(data, spec, Part::Validation, amount, seed)?;
        Ok(())
    }

    /// Takes samples out of those to train on.
    fn hold_out(
        &mut self,
        data: &Dataset,
        spec: &SplitSpec,
        part: Part,
        amount: Amount,
        seed: u64,
    ) -> Result<Vec<u32>> {
        let flag = if part == Part::Test { "--test-split" } else { "--val-split" };
        let (count, samples) = (amount.of(self.train.len()), self.train.len());
        ensure!(
            count < samples,
            "{flag} {amount} of {samples} training samples leaves none to train on"
        );
        let (train, held_out) = spec.hold_out(part, seed, &self.train, strata(data, spec), count);
        ensure!(
            !train.is_empty(),
            "{flag} {amount}: all {samples} training samples are of one group or recording, which stays whole: {flag} 0, or, for \
             the end of a long recording, --held-out last"
        );
        if !strata(data, spec).groups.is_empty() && data.classes > 0 {
            let mut is_left = vec![false; data.classes];
            train.iter().for_each(|&sample| is_left[data.label(sample as usize)] = true);
            let gone = held_out.iter().map(|&sample| data.label(sample as usize));
            if let Some(class) = gone.into_iter().find(|&class| !is_left[class]) {
                bail!(
                    "{flag} {amount} holds out every group or recording of class {}: try --stratified, another --seed or amount, {flag} 0, or the \
                     end of each recording by --held-out last --stratified",
                    data.class_name(class)
                );
            }
        }
        self.train = train;
        Ok(held_out)
    }

    /// Returns the samples that are trained on or validated on, ascending.
    #[must_use]
    pub fn seen(&self) -> Vec<u32> {
        let mut seen = [&self.train[..], &self.validation].concat();
        seen.sort_unstable();
        seen
    }

    /// Returns what a model file records of the split.
    #[must_use]
    pub fn record(&self, spec: &SplitSpec) -> DataSplit {
        let count = |samples: usize| u32::try_from(samples).unwrap_or(u32::MAX);
        let held_out = if self.test_amount.is_some() { self.test.len() } else { 0 };
        DataSplit {
            samples: count(self.train.len() + self.validation.len() + held_out),
            test: count(held_out),
            validation: count(self.validation.len()),
            merged: spec.merge,
            stratified: spec.stratified,
            last: spec.held_out == HeldOut::Last,
            own_validation: self.own_validation,
        }
    }
}

/// What a choice of samples of `data` goes by.
fn strata<'a>(data: &'a Dataset, spec: &SplitSpec) -> Strata<'a> {
    // The end of one long recording is no group.
    let by_sample = data.groups.are_runs && spec.held_out == HeldOut::Last;
    Strata { labels: data.labels(), groups: if by_sample { &[] } else { &data.groups.of } }
}
