//! How a set is split: samples held out for validation or testing, and the folds of a cross-validation.
//!
//! Which samples are held out is a function of the seed, the purpose and the number of samples alone (and of their labels
//! where the split is stratified): the samples are put in a random order by [`Stream`], or from last to first, and taken from
//! its beginning.

use core::fmt;
use core::str::FromStr;

use anyhow::{Result, bail, ensure};
use picomlp::blob::DataSplit;
use picomlp::rng::{Purpose, Stream, permute};

use super::dataset::Dataset;
use crate::named;
use crate::text::grouped;

/// The fraction that is held out for testing where the data has no test set and nothing is said.
const TEST_FRACTION: Amount = Amount::Fraction(0.1);

/// The fraction that is held out for validation if nothing is said.
pub(crate) const VALIDATION_FRACTION: Amount = Amount::Fraction(0.1);

/// What samples are set apart for: the turn of the stream of [`Purpose::Split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Held out of training to choose the epoch.
    Validation = 0,
    /// Held out to be measured on.
    Test = 1,
    /// The folds of a cross-validation.
    Folds = 2,
}

/// A number of samples: a fraction (`0.1`), or a count (`5000`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// At least 0, below 1.
    Fraction(f64),
    /// Not 1, which may mean all.
    Count(usize),
}

impl Amount {
    /// None at all.
    pub const NONE: Self = Self::Count(0);

    /// Returns `true` if the amount selects no samples.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self {
            Self::Fraction(fraction) => fraction == 0.0,
            Self::Count(count) => count == 0,
        }
    }

    /// Returns the number of samples out of `samples`; may be more than there are.
    #[must_use]
    pub fn of(self, samples: usize) -> usize {
        match self {
            Self::Fraction(fraction) => (samples as f64 * fraction).round() as usize,
            Self::Count(count) => count,
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if let Ok(count) = word.parse()
            && count != 1
        {
            return Ok(Self::Count(count));
        }
        match word.parse::<f64>() {
            Ok(fraction) if (0.0..1.0).contains(&fraction) => Ok(Self::Fraction(fraction)),
            _ => Err(
                "expected a fraction, at least 0 and below 1, or a whole number of samples, at least 2"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(fraction) => fraction.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

named! {
    /// Which samples are held out.
    pub enum HeldOut {
        /// A random subset, drawn by the seed.
        Random = "random",
        /// The last ones.
        Last = "last",
    }
}

/// How a set is split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitSpec {
    /// Whether the parts that the source sets aside are put together with the rest before anything is held out.
    pub merge: bool,
    /// Samples held out for testing; by default those that the source sets aside, or else a tenth.
    pub test: Option<Amount>,
    /// Samples held out for validation, if the source sets none aside; a tenth by default.
    pub validation: Option<Amount>,
    /// Whether every class gives the same fraction.
    pub stratified: bool,
    /// Which samples are held out.
    pub held_out: HeldOut,
}

impl Default for SplitSpec {
    /// A tenth for validation; for testing what the source sets aside, or a tenth.
    fn default() -> Self {
        Self {
            merge: false,
            test: None,
            validation: None,
            stratified: false,
            held_out: HeldOut::Random,
        }
    }
}

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
        let folds = spec.fold_samples(seed, &whole.train, data.labels(), count);
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
                let count = check_amount("--test-split", amount, split.train.len())?;
                (split.train, split.test) =
                    spec.hold_out(Part::Test, seed, &split.train, data.labels(), count);
                if count > 0 {
                    split.notes.push(format!(
                        "{} samples held out for testing: --test-split {amount}, {}",
                        grouped(count),
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
        let count = check_amount("--val-split", amount, self.train.len())?;
        let labels = data.labels();
        (self.train, self.validation) =
            spec.hold_out(Part::Validation, seed, &self.train, labels, count);
        Ok(())
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

/// Returns the number of samples to hold out; an error if none would be left.
fn check_amount(flag: &str, amount: Amount, samples: usize) -> Result<usize> {
    let count = amount.of(samples);
    ensure!(
        count < samples,
        "{flag} {amount} of {samples} training samples leaves none to train on"
    );
    Ok(count)
}

impl SplitSpec {
    /// How samples are held out, in words.
    fn how(&self, seed: u64) -> String {
        match (self.held_out, self.stratified) {
            (HeldOut::Last, false) => "the last ones".to_owned(),
            (HeldOut::Last, true) => "the last ones of each class".to_owned(),
            (HeldOut::Random, true) => format!("stratified, seed {seed}"),
            (HeldOut::Random, false) => format!("at random, seed {seed}"),
        }
    }

    /// Holds out `count` of `samples`, whose labels are in `labels` by sample. Returns those that stay and those held
    /// out, each in the order of `samples`.
    ///
    /// Stratified, each class gives the whole part of its share; what is missing to `count` comes one each from the
    /// classes with the largest fractions (of equals, the lower class).
    ///
    /// # Panics
    ///
    /// If `count` is more than there are, or a sample has no label.
    #[must_use]
    pub fn hold_out(
        &self,
        part: Part,
        seed: u64,
        samples: &[u32],
        labels: &[u16],
        count: usize,
    ) -> (Vec<u32>, Vec<u32>) {
        assert!(count <= samples.len(), "hold_out: {count} of {} samples", samples.len());
        let label = |place: u32| usize::from(labels[samples[place as usize] as usize]);
        let mut is_held_out = vec![false; samples.len()];
        let order = self.order(part, seed, samples.len());
        if self.stratified {
            let classes = order.iter().map(|&place| label(place) + 1).max().unwrap_or(0);
            let mut sizes = vec![0; classes];
            order.iter().for_each(|&place| sizes[label(place)] += 1);
            let mut left = quotas(&sizes, count);
            for place in order {
                let left = &mut left[label(place)];
                if *left > 0 {
                    *left -= 1;
                    is_held_out[place as usize] = true;
                }
            }
        } else {
            order[..count].iter().for_each(|&place| is_held_out[place as usize] = true);
        }
        let mut parts = (Vec::with_capacity(samples.len() - count), Vec::with_capacity(count));
        for (&sample, is_held_out) in samples.iter().zip(is_held_out) {
            if is_held_out { &mut parts.1 } else { &mut parts.0 }.push(sample);
        }
        parts
    }

    /// Cuts `samples` into `count` folds, each in the order of `samples`. Their sizes differ by one at most; stratified, so do
    /// the numbers of each class in them.
    ///
    /// # Panics
    ///
    /// If `count` is 0, or a sample has no label.
    #[must_use]
    pub fn fold_samples(
        &self,
        seed: u64,
        samples: &[u32],
        labels: &[u16],
        count: usize,
    ) -> Vec<Vec<u32>> {
        let mut order = self.order(Part::Folds, seed, samples.len());
        if self.stratified {
            // Stable, so each class stays in its random order.
            order.sort_by_key(|&place| labels[samples[place as usize] as usize]);
        }
        let mut fold_of = vec![0; samples.len()];
        for (turn, place) in order.into_iter().enumerate() {
            fold_of[place as usize] = turn % count;
        }
        let mut folds = vec![Vec::with_capacity(samples.len().div_ceil(count)); count];
        for (&sample, fold) in samples.iter().zip(fold_of) {
            folds[fold].push(sample);
        }
        folds
    }

    /// The numbers `0..len` in the order in which they are held out.
    fn order(&self, part: Part, seed: u64, len: usize) -> Vec<u32> {
        if self.held_out == HeldOut::Last {
            let mut order: Vec<u32> = (0..).take(len).collect();
            order.reverse();
            return order;
        }
        let mut order = vec![0; len];
        permute(&mut order, &mut Stream::new(seed, Purpose::Split, part as u64));
        order
    }
}

/// Distributes `count` among classes in the proportion of their `sizes`, by the largest remainder.
fn quotas(sizes: &[usize], count: usize) -> Vec<usize> {
    let all = sizes.iter().sum::<usize>().max(1) as u128;
    let share = |class: usize| sizes[class] as u128 * count as u128;
    let mut quotas: Vec<usize> =
        (0..sizes.len()).map(|class| (share(class) / all) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| core::cmp::Reverse(share(class) % all));
    let missing = count - quotas.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|class| quotas[class] += 1);
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(stratified: bool) -> SplitSpec {
        SplitSpec { stratified, ..SplitSpec::default() }
    }

    /// Labels of 0, 0, 0, 1, 0, 0, 0, 1, …
    fn labels(count: usize) -> Vec<u16> {
        (0..count).map(|i| u16::from(i % 4 == 3)).collect()
    }

    #[test]
    fn an_amount_is_a_fraction_or_a_count_and_1_is_neither() {
        assert_eq!("0.25".parse(), Ok(Amount::Fraction(0.25)));
        assert_eq!("0".parse(), Ok(Amount::NONE));
        assert_eq!("5000".parse(), Ok(Amount::Count(5000)));
        assert_eq!("5e-1".parse(), Ok(Amount::Fraction(0.5)));
        for word in ["1", "1.0", "1.5", "-1", "-0.1", "nan", "inf", "", "x", "10%"] {
            assert!(word.parse::<Amount>().is_err(), "{word}");
        }
        assert_eq!(Amount::Fraction(0.25).of(1797), 449);
        assert_eq!(Amount::Count(450).of(1797), 450);
        assert_eq!(
            ["0", "0.0", "0.1", "2"].map(|word| word.parse::<Amount>().unwrap().is_zero()),
            [true, true, false, false]
        );
        for word in ["0.25", "5000", "0"] {
            assert_eq!(word.parse::<Amount>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn hold_out_splits_the_samples_and_keeps_their_order() {
        let samples: Vec<u32> = (0..400).filter(|i| i % 3 != 0).collect();
        for stratified in [false, true] {
            for count in [0, 1, 57, samples.len()] {
                let (stay, held_out) =
                    spec(stratified).hold_out(Part::Test, 1, &samples, &labels(400), count);
                assert_eq!(held_out.len(), count);
                assert!(stay.is_sorted() && held_out.is_sorted());
                let mut all = [stay, held_out].concat();
                all.sort_unstable();
                assert_eq!(all, samples);
            }
        }
    }

    #[test]
    fn hold_out_depends_on_seed_and_part() {
        let samples: Vec<u32> = (0..100).collect();
        let held_out = |seed, part| spec(false).hold_out(part, seed, &samples, &labels(100), 30).1;
        assert_eq!(held_out(1, Part::Test), held_out(1, Part::Test));
        assert_ne!(held_out(1, Part::Test), held_out(2, Part::Test));
        assert_ne!(held_out(1, Part::Test), held_out(1, Part::Validation));
    }

    #[test]
    fn stratified_splits_have_every_class_in_the_proportion_of_the_whole() {
        let samples: Vec<u32> = (0..400).collect();
        let labels = labels(400); // 300 and 100
        let ones = |part: &[u32]| part.iter().filter(|&&i| labels[i as usize] == 1).count();
        for (count, expected) in [(40, 10), (41, 10), (42, 10), (43, 11), (399, 100), (1, 0)] {
            let (stay, held_out) =
                spec(true).hold_out(Part::Validation, 1, &samples, &labels, count);
            assert_eq!((held_out.len(), ones(&held_out)), (count, expected), "{count}");
            assert_eq!(ones(&stay), 100 - expected);
        }
    }

    #[test]
    fn the_last_samples_are_held_out_of_all_or_of_each_class() {
        let samples: Vec<u32> = (0..8).collect();
        let held_out = |stratified, count| {
            let spec = SplitSpec { held_out: HeldOut::Last, ..spec(stratified) };
            spec.hold_out(Part::Validation, 7, &samples, &[0, 1, 0, 1, 1, 1, 1, 1], count).1
        };
        assert_eq!(held_out(false, 3), [5, 6, 7]);
        assert_eq!(held_out(true, 4), [2, 5, 6, 7]);
        assert!(held_out(false, 0).is_empty());
    }

    #[test]
    fn quotas_give_equal_fractions_to_the_lower_class_first() {
        assert_eq!(quotas(&[10, 10, 10, 10, 0], 6), [2, 2, 1, 1, 0]);
        assert_eq!(quotas(&[0; 3], 0), [0; 3]);
    }

    #[test]
    fn folds_hold_each_sample_once_and_are_of_one_size() {
        let samples: Vec<u32> = (0..103).collect();
        let labels = labels(103); // 78 and 25
        for stratified in [false, true] {
            let folds = spec(stratified).fold_samples(1, &samples, &labels, 5);
            let sizes: Vec<usize> = folds.iter().map(Vec::len).collect();
            assert_eq!(sizes, [21, 21, 21, 20, 20]);
            assert!(folds.iter().all(|fold| fold.is_sorted()));
            let mut all = folds.concat();
            all.sort_unstable();
            assert_eq!(all, samples);
            let ones = |fold: &Vec<u32>| fold.iter().filter(|&&i| labels[i as usize] == 1).count();
            if stratified {
                assert!(folds.iter().all(|fold| ones(fold) == 5));
            }
        }
    }
}
