//! Votes: one answer for all windows of a recording, or for all samples of a group.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail, ensure};
use picomlp::argmax;

use crate::classifier::{Classifier, Predictions, guessing};
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
    let mut places = HashMap::new();
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

/// Predicts the class of each sample of a labeled set, or of each recording or group where samples vote. The set that
/// is returned has a sample for each answer: the first of those that vote together.
///
/// # Errors
///
/// Those of [`Classifier::predict`]; where samples vote, those of [`units`], and if samples of several classes vote
/// together.
pub fn predict<'d>(
    classifier: &Classifier<'_>,
    pool: &Pool,
    data: &'d Dataset,
) -> Result<(Predictions, Cow<'d, Dataset>)> {
    let found = classifier.predict(pool, data)?;
    if !data.schema.vote.is_cast() {
        return Ok((found, Cow::Borrowed(data)));
    }
    let classes = found.confusion.len();
    let of = units(data)?;
    let ballots = count(&found.probabilities, classes, of, data.schema.vote);
    let firsts: Vec<u32> = ballots.iter().map(|ballot| ballot.first as u32).collect();
    let labels: HashMap<u32, u16> =
        ballots.iter().zip(&firsts).map(|(b, &i)| (b.of, data.labels()[i as usize])).collect();
    for (of, &label) in of.iter().zip(data.labels()) {
        let first = labels[of];
        ensure!(
            first == label,
            "--vote: samples of class {} and of class {} belong together, expected one class",
            data.class_name(first.into()),
            data.class_name(label.into())
        );
    }
    let mut voted = Predictions {
        probabilities: Vec::with_capacity(ballots.len() * classes),
        predicted: Vec::with_capacity(ballots.len()),
        confusion: vec![vec![0; classes]; classes],
    };
    for ballot in ballots {
        voted.confusion[usize::from(labels[&ballot.of])][ballot.class] += 1;
        voted.predicted.push(ballot.class);
        voted.probabilities.extend(ballot.mean);
    }
    Ok((voted, Cow::Owned(data.subset(&firsts))))
}

/// Measures a network on `samples` of a set with targets; where they vote, an answer at a time.
///
/// # Errors
///
/// Those of [`predict`].
pub fn evaluate(
    classifier: &Classifier<'_>,
    pool: &Pool,
    data: &Dataset,
    samples: &[u32],
) -> Result<Evaluation> {
    if !data.schema.vote.is_cast() {
        return classifier.evaluate(pool, data, samples);
    }
    let data = data.subset(samples);
    let (predictions, answers) = predict(classifier, pool, &data)?;
    let classes = predictions.confusion.len();
    let mut loss = 0.0;
    for (row, &label) in predictions.probabilities.chunks_exact(classes).zip(answers.labels()) {
        loss -= f64::from(row[usize::from(label)].max(f32::MIN_POSITIVE)).ln();
    }
    Ok(Evaluation {
        samples: answers.len(),
        correct: predictions.correct(),
        loss: loss / answers.len().max(1) as f64,
        guessing: guessing(picomlp::LossKind::CrossEntropy, classes),
        confusion: predictions.confusion,
        ..Evaluation::default()
    })
}

/// Counts the answers to samples: as many as there are samples, or recordings or groups where samples vote.
#[must_use]
pub fn count_answers(data: &Dataset) -> usize {
    match units(data) {
        Ok(of) if data.schema.vote.is_cast() => of.iter().collect::<HashSet<_>>().len(),
        _ => data.len(),
    }
}

/// What an answer is of: `samples`, or `recordings` or `groups` where samples vote.
#[must_use]
pub fn answers(data: &Dataset) -> &'static str {
    match data.schema.vote.is_cast() {
        false => "samples",
        true if data.recordings.is_empty() => "groups",
        true => "recordings",
    }
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
