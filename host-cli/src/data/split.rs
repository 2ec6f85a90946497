//! Parts a set: samples held out for validation or test, and folds of a cross-validation.
//!
//! Which samples are held out is a function of the seed, the purpose and the number of samples alone (and of their
//! labels where parts are stratified): the samples are put in a random order by [`Stream`], or from last to first, and taken
//! from its beginning.

use core::fmt;
use core::str::FromStr;

use clap::ValueEnum;
use picomlp::rng::{Purpose, Stream, permute};

/// Which parting: the turn of the stream of [`Purpose::Split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Samples held out of training to choose the epoch.
    Validation = 0,
    /// Samples held out to be measured on.
    Test = 1,
    /// The folds of a cross-validation.
    Folds = 2,
}

/// How many samples: a share of 1 (`0.1`), or a count (`5000`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// At least 0, below 1.
    Share(f64),
    /// Not 1, which may mean all.
    Count(usize),
}

impl Amount {
    /// None at all.
    pub const NONE: Self = Self::Count(0);

    /// Whether it is none, of however many samples.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self {
            Self::Share(share) => share == 0.0,
            Self::Count(count) => count == 0,
        }
    }

    /// The number of samples out of `samples`; may be more than there are.
    #[must_use]
    pub fn of(self, samples: usize) -> usize {
        match self {
            Self::Share(share) => (samples as f64 * share).round() as usize,
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
            Ok(share) if (0.0..1.0).contains(&share) => Ok(Self::Share(share)),
            _ => Err(
                "expected a share of 1, at least 0 and below 1, or a whole number of samples, at least 2"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

/// How a set is parted.
#[derive(Clone, Copy, Debug)]
pub struct Parting {
    /// Determines the random order.
    pub seed: u64,
    /// Whether every class gives the same share.
    pub stratified: bool,
    /// Which samples are held out.
    pub held_out: HeldOut,
}

/// Which samples are held out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HeldOut {
    /// Any, as the seed says.
    #[default]
    Random,
    /// The last ones.
    Last,
}

impl fmt::Display for HeldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "random",
            Self::Last => "last",
        })
    }
}

impl Parting {
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
        self,
        part: Part,
        samples: &[u32],
        labels: &[u8],
        count: usize,
    ) -> (Vec<u32>, Vec<u32>) {
        assert!(count <= samples.len(), "hold_out: {count} of {} samples", samples.len());
        let label = |place: u32| usize::from(labels[samples[place as usize] as usize]);
        let mut is_held_out = vec![false; samples.len()];
        let order = self.order(part, samples.len());
        if self.stratified {
            let mut sizes = [0; 256];
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

    /// Parts `samples` into `count` folds, each in the order of `samples`. Their sizes differ by one at most;
    /// stratified, so do the numbers of each class in them.
    ///
    /// # Panics
    ///
    /// If `count` is 0, or a sample has no label.
    #[must_use]
    pub fn folds(self, samples: &[u32], labels: &[u8], count: usize) -> Vec<Vec<u32>> {
        let mut order = self.order(Part::Folds, samples.len());
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
    fn order(self, part: Part, len: usize) -> Vec<u32> {
        if self.held_out == HeldOut::Last {
            let mut order: Vec<u32> = (0..).take(len).collect();
            order.reverse();
            return order;
        }
        let mut order = vec![0; len];
        permute(&mut order, &mut Stream::new(self.seed, Purpose::Split, part as u64));
        order
    }
}

/// Parts `count` among classes in the proportion of their `sizes`, by the largest remainder.
fn quotas(sizes: &[usize; 256], count: usize) -> [usize; 256] {
    let all = sizes.iter().sum::<usize>().max(1) as u128;
    let share = |class: usize| sizes[class] as u128 * count as u128;
    let mut quotas = core::array::from_fn(|class| (share(class) / all) as usize);
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| core::cmp::Reverse(share(class) % all));
    let missing = count - quotas.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|class| quotas[class] += 1);
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parting(stratified: bool) -> Parting {
        Parting { seed: 1, stratified, held_out: HeldOut::Random }
    }

    /// Labels of 0, 0, 0, 1, 0, 0, 0, 1, …
    fn labels(count: usize) -> Vec<u8> {
        (0..count).map(|i| u8::from(i % 4 == 3)).collect()
    }

    #[test]
    fn an_amount_is_a_share_or_a_count_and_1_is_neither() {
        assert_eq!("0.25".parse(), Ok(Amount::Share(0.25)));
        assert_eq!("0".parse(), Ok(Amount::NONE));
        assert_eq!("5000".parse(), Ok(Amount::Count(5000)));
        assert_eq!("5e-1".parse(), Ok(Amount::Share(0.5)));
        for word in ["1", "1.0", "1.5", "-1", "-0.1", "nan", "inf", "", "x", "10%"] {
            assert!(word.parse::<Amount>().is_err(), "{word}");
        }
        assert_eq!(Amount::Share(0.25).of(1797), 449);
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
    fn hold_out_parts_the_samples_and_keeps_their_order() {
        let samples: Vec<u32> = (0..400).filter(|i| i % 3 != 0).collect();
        for stratified in [false, true] {
            for count in [0, 1, 57, samples.len()] {
                let (stay, held_out) =
                    parting(stratified).hold_out(Part::Test, &samples, &labels(400), count);
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
        let held_out = |seed, part| {
            let held_out = HeldOut::Random;
            Parting { seed, stratified: false, held_out }
                .hold_out(part, &samples, &labels(100), 30)
                .1
        };
        assert_eq!(held_out(1, Part::Test), held_out(1, Part::Test));
        assert_ne!(held_out(1, Part::Test), held_out(2, Part::Test));
        assert_ne!(held_out(1, Part::Test), held_out(1, Part::Validation));
    }

    #[test]
    fn stratified_parts_have_every_class_in_the_proportion_of_the_whole() {
        let samples: Vec<u32> = (0..400).collect();
        let labels = labels(400); // 300 and 100
        let ones = |part: &[u32]| part.iter().filter(|&&i| labels[i as usize] == 1).count();
        for (count, expected) in [(40, 10), (41, 10), (42, 10), (43, 11), (399, 100), (1, 0)] {
            let (stay, held_out) =
                parting(true).hold_out(Part::Validation, &samples, &labels, count);
            assert_eq!((held_out.len(), ones(&held_out)), (count, expected), "{count}");
            assert_eq!(ones(&stay), 100 - expected);
        }
    }

    #[test]
    fn the_last_samples_are_held_out_of_all_or_of_each_class() {
        let samples: Vec<u32> = (0..8).collect();
        let held_out = |stratified, count| {
            let parting = Parting { seed: 7, stratified, held_out: HeldOut::Last };
            parting.hold_out(Part::Validation, &samples, &[0, 1, 0, 1, 1, 1, 1, 1], count).1
        };
        assert_eq!(held_out(false, 3), [5, 6, 7]);
        assert_eq!(held_out(true, 4), [2, 5, 6, 7]);
        assert!(held_out(false, 0).is_empty());
    }

    #[test]
    fn quotas_give_equal_fractions_to_the_lower_class_first() {
        let mut sizes = [0; 256];
        sizes[..4].fill(10);
        assert_eq!(quotas(&sizes, 6)[..5], [2, 2, 1, 1, 0]);
        assert_eq!(quotas(&[0; 256], 0), [0; 256]);
    }

    #[test]
    fn folds_hold_each_sample_once_and_are_of_one_size() {
        let samples: Vec<u32> = (0..103).collect();
        let labels = labels(103); // 78 and 25
        for stratified in [false, true] {
            let folds = parting(stratified).folds(&samples, &labels, 5);
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
