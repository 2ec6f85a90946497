//! Chooses samples: which are held out, and which fold each is in.
//!
//! What is chosen are units: single samples, or whole groups of them. They are put in a random order by [`Stream`], or from last
//! to first, and taken from its beginning.

use std::collections::HashMap;

use picomlp::rng::{Purpose, Stream, permute};

use super::spec::{HeldOut, Part, SplitSpec};

/// What a choice goes by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strata<'a> {
    /// The class of each sample; empty where the targets are no classes.
    pub labels: &'a [u16],
    /// The group of each sample; empty if every sample is on its own.
    pub groups: &'a [u32],
}

/// What is chosen as a whole: single samples, or groups.
struct Units {
    /// The unit of each of the samples; `None` if it is the sample's own place.
    of: Option<Vec<u32>>,
    /// Samples in each unit, and their class: of a group, the most frequent one. All are of class 0 if classes play no part.
    units: Vec<(usize, usize)>,
}

impl Units {
    fn new(samples: &[u32], strata: Strata<'_>, stratified: bool) -> Self {
        let label = |sample: u32| match stratified {
            true => usize::from(strata.labels[sample as usize]),
            false => 0,
        };
        if strata.groups.is_empty() {
            let units = samples.iter().map(|&sample| (1, label(sample))).collect();
            return Self { of: None, units };
        }
        let (mut unit_of_group, mut of) = (HashMap::new(), Vec::with_capacity(samples.len()));
        let mut counts: Vec<HashMap<usize, usize>> = Vec::new();
        for &sample in samples {
            let next = unit_of_group.len() as u32;
            let unit = *unit_of_group.entry(strata.groups[sample as usize]).or_insert(next);
            counts.resize_with(unit_of_group.len(), HashMap::new);
            *counts[unit as usize].entry(label(sample)).or_default() += 1;
            of.push(unit);
        }
        let unit = |counts: HashMap<usize, usize>| {
            let most =
                counts.iter().max_by_key(|&(class, count)| (count, core::cmp::Reverse(class)));
            (counts.values().sum(), most.map_or(0, |(class, _)| *class))
        };
        Self { of: Some(of), units: counts.into_iter().map(unit).collect() }
    }

    /// Samples of each class.
    fn class_sizes(&self) -> Vec<usize> {
        let classes = self.units.iter().map(|(_, class)| class + 1).max().unwrap_or(0);
        let mut sizes = vec![0; classes];
        self.units.iter().for_each(|&(size, class)| sizes[class] += size);
        sizes
    }

    fn of(&self, place: usize) -> usize {
        self.of.as_ref().map_or(place, |of| of[place] as usize)
    }
}

impl SplitSpec {
    /// Holds out `count` of `samples`. Returns those that stay and those held out, each in the order of `samples`.
    ///
    /// Stratified, each class gives the whole part of its share; what is missing to `count` comes one each from the
    /// classes with the largest fractions (of equals, the lower class). Groups are held out as long as they do not exceed
    /// that, so there may be fewer samples; if none is small enough, it is the smallest.
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
        strata: Strata<'_>,
        count: usize,
    ) -> (Vec<u32>, Vec<u32>) {
        assert!(count <= samples.len(), "hold_out: {count} of {} samples", samples.len());
        let units = Units::new(samples, strata, self.stratified);
        let order = self.order(part, seed, units.units.len());
        let mut left = quotas(&units.class_sizes(), count);
        let mut is_held_out = vec![false; units.units.len()];
        for &unit in &order {
            let (size, class) = units.units[unit as usize];
            if size <= left[class] {
                left[class] -= size;
                is_held_out[unit as usize] = true;
            }
        }
        if count > 0
            && !is_held_out.contains(&true)
            && let Some(&smallest) = order.iter().min_by_key(|&&unit| units.units[unit as usize].0)
        {
            is_held_out[smallest as usize] = true;
        }
        let mut parts = (Vec::with_capacity(samples.len() - count), Vec::with_capacity(count));
        for (place, &sample) in samples.iter().enumerate() {
            let part = if is_held_out[units.of(place)] { &mut parts.1 } else { &mut parts.0 };
            part.push(sample);
        }
        parts
    }

    /// Cuts `samples` into `count` folds, each in the order of `samples`. Their sizes differ by one at most; stratified, so do
    /// the numbers of each class in them. Groups, the largest first, go where the fewest samples are (stratified: of the class).
    ///
    /// # Panics
    ///
    /// If `count` is 0, or a sample has no label.
    #[must_use]
    pub fn fold_samples(
        &self,
        seed: u64,
        samples: &[u32],
        strata: Strata<'_>,
        count: usize,
    ) -> Vec<Vec<u32>> {
        let units = Units::new(samples, strata, self.stratified);
        let mut order = self.order(Part::Folds, seed, units.units.len());
        // Stable, so that units alike stay in their random order.
        order.sort_by_key(|&unit| {
            let (size, class) = units.units[unit as usize];
            (class, core::cmp::Reverse(size))
        });
        let mut fold_of = vec![0; units.units.len()];
        // Samples of the class at hand, and all.
        let (mut sizes, mut now) = (vec![(0, 0); count], None);
        for unit in order {
            let (size, class) = units.units[unit as usize];
            if now.replace(class) != Some(class) {
                sizes.iter_mut().for_each(|(of_class, _)| *of_class = 0);
            }
            let fold = (0..count).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
            fold_of[unit as usize] = fold;
            sizes[fold] = (sizes[fold].0 + size, sizes[fold].1 + size);
        }
        let mut folds = vec![Vec::with_capacity(samples.len().div_ceil(count)); count];
        for (place, &sample) in samples.iter().enumerate() {
            folds[fold_of[units.of(place)]].push(sample);
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

    fn strata(labels: &[u16]) -> Strata<'_> {
        Strata { labels, groups: &[] }
    }

    /// Labels of 0, 0, 0, 1, 0, 0, 0, 1, …
    fn labels(count: usize) -> Vec<u16> {
        (0..count).map(|i| u16::from(i % 4 == 3)).collect()
    }

    #[test]
    fn hold_out_splits_the_samples_and_keeps_their_order() {
        let samples: Vec<u32> = (0..400).filter(|i| i % 3 != 0).collect();
        for stratified in [false, true] {
            for count in [0, 1, 57, samples.len()] {
                let (stay, held_out) =
                    spec(stratified).hold_out(Part::Test, 1, &samples, strata(&labels(400)), count);
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
        let held_out =
            |seed, part| spec(false).hold_out(part, seed, &samples, strata(&labels(100)), 30).1;
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
                spec(true).hold_out(Part::Validation, 1, &samples, strata(&labels), count);
            assert_eq!((held_out.len(), ones(&held_out)), (count, expected), "{count}");
            assert_eq!(ones(&stay), 100 - expected);
        }
    }

    #[test]
    fn the_last_samples_are_held_out_of_all_or_of_each_class() {
        let samples: Vec<u32> = (0..8).collect();
        let held_out = |stratified, count| {
            let spec = SplitSpec { held_out: HeldOut::Last, ..spec(stratified) };
            spec.hold_out(Part::Validation, 7, &samples, strata(&[0, 1, 0, 1, 1, 1, 1, 1]), count).1
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
            let folds = spec(stratified).fold_samples(1, &samples, strata(&labels), 5);
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

    #[test]
    fn groups_stay_whole_and_the_same_are_chosen_again_by_what_was_held_out() {
        let samples: Vec<u32> = (0..103).collect();
        let groups: Vec<u32> = (0..103).map(|i| (i * i) % 17).collect();
        let labels: Vec<u16> = groups.iter().map(|group| (group % 2) as u16).collect();
        let strata = Strata { labels: &labels, groups: &groups };
        let of = |part: &[u32]| part.iter().map(|&i| groups[i as usize]).collect::<Vec<_>>();
        for stratified in [false, true] {
            for (count, seed) in (1..60).zip(0..) {
                let hold_out =
                    |count| spec(stratified).hold_out(Part::Test, seed, &samples, strata, count);
                let (stay, held_out) = hold_out(count);
                assert!(!held_out.is_empty() && stay.len() + held_out.len() == 103);
                assert!(of(&stay).iter().all(|group| !of(&held_out).contains(group)));
                assert!(held_out.len() <= count.max(13), "{count}: {}", held_out.len());
                if !stratified {
                    assert_eq!(hold_out(held_out.len()).1, held_out, "{count}");
                }
            }
            let folds = spec(stratified).fold_samples(3, &samples, strata, 4);
            for (i, fold) in folds.iter().enumerate() {
                assert!((18..=35).contains(&fold.len()), "{}", fold.len());
                for other in &folds[i + 1..] {
                    assert!(of(fold).iter().all(|group| !of(other).contains(group)));
                }
            }
        }
        let last = SplitSpec { held_out: HeldOut::Last, ..spec(false) };
        let groups: Vec<u32> = (0..103).map(|i| i / 10).collect();
        let strata = Strata { labels: &[], groups: &groups };
        let held_out = last.hold_out(Part::Test, 1, &samples, strata, 15).1;
        assert_eq!(held_out, (90..103).collect::<Vec<_>>());
    }
}
