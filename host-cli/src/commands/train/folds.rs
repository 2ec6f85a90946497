//! Cross-validation: each fold in turn is what a run of `train` would have as its test set.

use anyhow::{Context, Result, ensure};
use picomlp::fingerprint::fingerprint;
use picomlp::{Network, Sequential};

use super::args::Args;
use super::learn;
use super::report::{Fold, Report};
use super::session::Plan;
use crate::data::Dataset;
use crate::{Pool, evaluate};

/// Trains `--folds` times, each time from the same initial weights and on all folds but one, of which `--val-split` is
/// held out to choose the epoch; returns the accuracies on that one fold.
pub(super) fn run(
    args: &Args,
    pool: &Pool,
    net: &Sequential,
    params: &mut [f32],
    data: &Dataset,
    report: &mut Report<'_>,
) -> Result<Vec<f64>> {
    let count = args.data.folds.unwrap_or_default() as usize;
    ensure!(count <= data.len(), "--folds {count} of {} samples leaves a fold empty", data.len());
    let all: Vec<u32> = (0..).take(data.len()).collect();
    let folds = args.data.parting(args.seed).folds(&all, &data.labels, count);
    let mut accuracies = Vec::with_capacity(count);
    let plan = |number: usize| {
        let others = (1..).zip(&folds).filter(|(other, _)| *other != number);
        let mut rest: Vec<u32> = others.flat_map(|(_, other)| other).copied().collect();
        rest.sort_unstable();
        Plan::new(args, data, &rest, net).with_context(|| format!("fold {number}"))
    };
    // What does not fit is known before the first fold is trained on.
    let plans = (1..=count).map(plan).collect::<Result<Vec<_>>>()?;
    for ((number, fold), plan) in (1..).zip(&folds).zip(&plans) {
        report.start_fold(net, data, plan, number, fold.len())?;
        let ending = learn(args, pool, net, params, data, plan, report)?;
        let (Some(kept), None, false) = (ending.kept, ending.diverged, ending.interrupted) else {
            return Err(ending.error("it was not finished").context(format!("fold {number}")));
        };
        let (net, params) = net.fold(params)?;
        let test = evaluate(pool, &net, params, data, plan.map, fold, plan.loss.kind())?;
        accuracies.push(test.accuracy());
        report.fold(&Fold {
            number,
            kept_epoch: kept.epoch,
            test,
            fingerprint: fingerprint(params),
            seconds: ending.training,
        })?;
    }
    Ok(accuracies)
}

/// The mean, and the standard deviation of a sample (divided by one less than their number) of at least two values.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (mean, (squares / (count - 1.0)).sqrt())
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
}
