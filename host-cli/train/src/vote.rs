//! Votes: one answer for all windows of a recording, or for all samples of a group.

use anyhow::{Result, bail, ensure};
use picomlp::argmax;

use crate::classifier::{Classifier, guessing};
use crate::data::{Dataset, Targets, Vote};
use crate::measures::Evaluation;
use crate::pool::Pool;

/// What the samples of a recording or a group answer together.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    /// The recording or the group.
    pub of: u32,
    /// The first of its samples.
    pub first: usize,
    /// Its samples.
    pub samples: usize,
    /// The class that is elected.
    pub class: usize,
    /// The mean probability of each class; or, of a majority, the fraction of the samples that vote for it.
    pub shares: Vec<f32>,
    /// The mean probability of each class.
    mean: Vec<f32>,
}

/// Counts the votes of samples, which are in the units `of` and have these `probabilities`, `[samples][classes]`. Units are in the
/// order of their first samples. Equal numbers of votes are decided by the mean probability.
#[must_use]
pub fn count(probabilities: &[f32], classes: usize, of: &[u32], how: Vote) -> Vec<Ballot> {
    let mut ballots: Vec<Ballot> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (first, (row, &of)) in probabilities.chunks_exact(classes).zip(of).enumerate() {
        let place = *places.entry(of).or_insert_with(|| {
            let zero = vec![0.0; classes];
            let shares = zero.clone();
            ballots.push(Ballot { of, first, samples: 0, class: 0, shares, mean: zero });
            ballots.len() - 1
        });
        let ballot = &mut ballots[place];
        ballot.samples += 1;
        ballot.shares[argmax(row)] += 1.0;
        ballot.mean.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    for ballot in &mut ballots {
        let samples = ballot.samples as f32;
        ballot.mean.iter_mut().chain(&mut ballot.shares).for_each(|sum| *sum /= samples);
        if how != Vote::Majority {
            ballot.shares.clone_from(&ballot.mean);
        }
        let (shares, mean) = (&ballot.shares, &ballot.mean);
        let best = (0..classes)
            .rev()
            .max_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(mean[a].total_cmp(&mean[b])));
        ballot.class = best.unwrap_or(0);
    }
    ballots
}

/// Returns what votes are counted over: recordings, or else groups.
///
/// # Errors
///
/// If the data has neither, or values to predict.
pub fn units(data: &Dataset) -> Result<&[u32]> {
    let are_classes = matches!(data.targets, Targets::Classes(_));
    ensure!(are_classes, "--vote is for classes, and the targets are labels or values");
    match (&data.recordings[..], &data.groups.of[..]) {
        ([], []) => bail!(
            "--vote needs samples that belong together: windows of recordings (--window), or groups (--group)"
        ),
        ([], groups) => Ok(groups),
        (recordings, _) => Ok(recordings),
    }
}

/// Measures a network on `samples` of a set with classes, a vote at a time.
///
/// # Errors
///
/// Those of [`units`] and [`Classifier::predict`]; if samples that vote together are of several classes.
pub fn evaluate(
    classifier: &Classifier<'_>,
    pool: &Pool,
    data: &Dataset,
    samples: &[u32],
    how: Vote,
) -> Result<Evaluation> {
    if !how.is_cast() {
        return classifier.evaluate(pool, data, samples);
    }
    let data = data.subset(samples);
    let of = units(&data)?;
    let probabilities = classifier.predict(pool, &data)?.probabilities;
    let classes = probabilities.len() / data.len().max(1);
    let mut labels = std::collections::HashMap::new();
    for (&of, &label) in of.iter().zip(data.labels()) {
        let first = *labels.entry(of).or_insert(label);
        ensure!(
            first == label,
            "--vote: samples of class {} and of class {} belong together, expected one class",
            data.class_name(first.into()),
            data.class_name(label.into())
        );
    }
    let ballots = count(&probabilities, classes, of, how);
    let mut found = Evaluation {
        samples: ballots.len(),
        confusion: vec![vec![0; classes]; classes],
        guessing: guessing(picomlp::LossKind::CrossEntropy, classes),
        ..Evaluation::default()
    };
    for ballot in &ballots {
        let label = usize::from(labels[&ballot.of]);
        found.confusion[label][ballot.class] += 1;
        found.loss -= f64::from(ballot.mean[label].max(f32::MIN_POSITIVE)).ln();
    }
    found.loss /= ballots.len().max(1) as f64;
    found.correct = (0..classes).map(|class| found.confusion[class][class]).sum();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_and_the_majority_may_elect_different_classes() {
        let probabilities = [0.6, 0.4, 0.6, 0.4, 0.0, 1.0, 0.3, 0.7, 0.8, 0.2];
        let classes = |how| {
            let ballots = count(&probabilities, 2, &[7, 7, 7, 2, 2], how);
            ballots
                .iter()
                .map(|ballot| (ballot.of, ballot.samples, ballot.class))
                .collect::<Vec<_>>()
        };
        assert_eq!(classes(Vote::Mean), [(7, 3, 1), (2, 2, 0)]);
        // Of two equal numbers of votes, the mean decides.
        assert_eq!(classes(Vote::Majority), [(7, 3, 0), (2, 2, 0)]);
    }
}
