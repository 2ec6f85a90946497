//! Two models on the same samples: how sure their accuracies are, and whether they differ by more than chance.

use anyhow::Result;

use crate::classifier::Classifier;
use crate::data::Dataset;
use crate::pool::Pool;
use crate::vote;

/// The predictions of two models for samples whose classes are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Number of samples, or of recordings or groups where samples vote.
    pub samples: usize,
    /// Samples that each predicts correctly.
    pub correct: [usize; 2],
    /// Samples that each alone predicts correctly.
    pub alone: [usize; 2],
    /// The samples for which they predict different classes.
    pub disagreements: Vec<Disagreement>,
}

/// A sample for which two models predict different classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Its index.
    pub sample: usize,
    /// Its class.
    pub class: usize,
    /// The predicted classes.
    pub predicted: [usize; 2],
}

impl Comparison {
    /// Predicts the samples of a labeled set with both.
    ///
    /// # Errors
    ///
    /// If a network does not fit the data, or an output is not finite.
    pub fn new(models: [&Classifier<'_>; 2], pool: &Pool, data: &Dataset) -> Result<Self> {
        let [a, b] = models.map(|model| vote::predict(model, pool, data));
        let (a, data) = a?;
        let [a, b] = [a.predicted, b?.0.predicted];
        let mut found =
            Self { samples: a.len(), correct: [0; 2], alone: [0; 2], disagreements: Vec::new() };
        let classes = data.labels().iter().map(|label| usize::from(*label));
        for (sample, ((a, b), class)) in a.into_iter().zip(b).zip(classes).enumerate() {
            let (predicted, right) = ([a, b], [a == class, b == class]);
            for model in 0..2 {
                found.correct[model] += usize::from(right[model]);
                found.alone[model] += usize::from(right[model] && !right[1 - model]);
            }
            if a != b {
                found.disagreements.push(Disagreement { sample, class, predicted });
            }
        }
        Ok(found)
    }

    /// Returns the fraction of samples that each predicts correctly.
    #[must_use]
    pub fn accuracies(&self) -> [f64; 2] {
        self.correct.map(|correct| correct as f64 / self.samples as f64)
    }

    /// Returns the 95 % interval of each accuracy.
    #[must_use]
    pub fn intervals(&self) -> [[f64; 2]; 2] {
        self.correct.map(|correct| wilson(correct, self.samples))
    }

    /// Returns McNemar's exact p.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        mcnemar(self.alone)
    }
}

/// The 95 % score interval of a fraction: Wilson, "Probable inference, the law of succession, and statistical inference",
/// Journal of the American Statistical Association 22 (1927). Unlike the normal interval it stays between 0 and 1.
fn wilson(correct: usize, samples: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054; // 97.5 % of a normal distribution are below
    let (count, fraction) = (samples as f64, correct as f64 / samples as f64);
    let middle = fraction + Z * Z / (2.0 * count);
    let half = Z * ((fraction * (1.0 - fraction) + Z * Z / (4.0 * count)) / count).sqrt();
    [-1.0, 1.0].map(|side| ((middle + side * half) / (1.0 + Z * Z / count)).clamp(0.0, 1.0))
}

/// McNemar's test in its exact, two-sided form: how probable it is that one model alone is right at least as often as here, if
/// each of these samples were a toss of a coin.
fn mcnemar(alone: [usize; 2]) -> f64 {
    let (least, count) = (alone[0].min(alone[1]), alone[0] + alone[1]);
    // The binomial tail below `least`, relative to its last term, and the logarithm of that term.
    let (mut sum, mut term, mut ln_term) = (1.0, 1.0, -(count as f64) * core::f64::consts::LN_2);
    for k in (1..=least).rev() {
        let ratio = k as f64 / (count - k + 1) as f64;
        ln_term -= ratio.ln();
        term *= ratio;
        sum += term;
    }
    (2.0 * sum * ln_term.exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1e-300)
    }

    #[test]
    fn the_interval_is_wilson_s() {
        // statsmodels' proportion_confint(k, n, method="wilson").
        let [low, high] = wilson(9_510, 10_000);
        assert!(
            (low - 0.946_592_3).abs() < 1e-6 && (high - 0.955_061_1).abs() < 1e-6,
            "{low} {high}"
        );
        assert!(wilson(0, 10)[0] == 0.0 && 1.0 - wilson(10, 10)[1] < 1e-12);
        assert!((wilson(0, 10)[1] - 0.277_532_8).abs() < 1e-6);
    }

    #[test]
    fn the_test_is_mcnemar_s_exact_one() {
        // Two tails of a binomial distribution of 1/2: 2·(1 + 10 + 45)/1024, and so on.
        assert!(close(mcnemar([2, 8]), 2.0 * 56.0 / 1024.0));
        assert!(close(mcnemar([8, 2]), 2.0 * 56.0 / 1024.0));
        assert!(close(mcnemar([0, 5]), 2.0 / 32.0));
        assert_eq!([mcnemar([0, 0]), mcnemar([3, 3])], [1.0, 1.0]);
        // Large counts do not underflow.
        assert!((0.99..=1.0).contains(&mcnemar([50_000, 50_000])));
        assert!(mcnemar([0, 2000]) == 0.0 && mcnemar([49_000, 51_000]) > 1e-12);
    }
}
