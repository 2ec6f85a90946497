//! How good predictions are: of classes, of values.

/// From this number of samples on, one class for all of them says something about the network.
const COLLAPSE_SAMPLES: usize = 20;

/// What was measured of a network on samples with targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Samples whose class is predicted correctly.
    pub correct: usize,
    /// Mean loss, without smoothing: cross-entropy in nats, or squared error summed over the classes.
    pub loss: f64,
    /// Counts, `[true class][predicted class]`; empty where values are predicted.
    pub confusion: Vec<Vec<usize>>,
    /// The area under the receiver operating characteristic, of two classes or of anomaly scores.
    pub auc: Option<f64>,
    /// Errors, where values are predicted.
    pub regression: Option<Regression>,
    /// The loss of guessing: of a network that holds all classes equally probable.
    pub guessing: f64,
}

/// What was measured of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMeasures {
    /// Of the samples predicted to be of this class, the fraction that are; `None` if none was predicted.
    pub precision: Option<f64>,
    /// Of the samples of this class, the fraction that were predicted; `None` if there is none.
    pub recall: Option<f64>,
    /// The harmonic mean of both; 0 if nothing was predicted correctly.
    pub f1: f64,
    /// Number of samples of this class.
    pub samples: usize,
}

/// What was measured of predicted values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression {
    /// The fraction of the variance that is predicted: 1 at best, 0 for the mean of the targets. The mean over several targets.
    pub r2: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Square root of the mean squared error.
    pub rmse: f64,
    /// The mean squared error of predicting the mean of the targets.
    pub variance: f64,
}

impl Regression {
    /// Measures from `errors`, the sums of squared and absolute errors of each target, and `targets`, rows of `samples`.
    pub(crate) fn new(errors: &[[f64; 2]], targets: &[f32], samples: usize) -> Self {
        let (width, count) = (errors.len(), samples as f64);
        let (mut r2, mut variance) = (0.0, 0.0);
        for (target, [squares, _]) in errors.iter().enumerate() {
            let values = || targets.iter().skip(target).step_by(width).map(|v| f64::from(*v));
            let mean = values().sum::<f64>() / count;
            let total: f64 = values().map(|value| (value - mean) * (value - mean)).sum();
            r2 += match () {
                () if total > 0.0 => 1.0 - squares / total,
                () if *squares == 0.0 => 1.0,
                () => 0.0,
            };
            variance += total;
        }
        let sum = |which: usize| errors.iter().map(|error| error[which]).sum::<f64>();
        let all = count * width as f64;
        Self {
            r2: r2 / width as f64,
            mae: sum(1) / all,
            rmse: (sum(0) / all).sqrt(),
            variance: variance / all,
        }
    }
}

impl Evaluation {
    /// Returns the fraction of samples whose class is predicted correctly.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// Returns R² of predicted values, else the accuracy.
    #[must_use]
    pub fn main_measure(&self) -> f64 {
        self.regression.as_ref().map_or_else(|| self.accuracy(), |values| values.r2)
    }

    /// Says so if one class is predicted for all samples, which are of several.
    #[must_use]
    pub fn collapse(&self, name: impl Fn(usize) -> String) -> Option<String> {
        let classes = self.confusion.len();
        let present = self.confusion.iter().filter(|row| row.iter().any(|count| *count > 0));
        let is_predicted = |class: &usize| self.confusion.iter().any(|row| row[*class] > 0);
        let mut predicted = (0..classes).filter(is_predicted);
        let (only, None) = (predicted.next()?, predicted.next()) else { return None };
        (present.count() > 1 && self.samples >= COLLAPSE_SAMPLES).then(|| {
            format!("class {} is predicted for all {} samples measured", name(only), self.samples)
        })
    }

    /// Says that the loss is above that of guessing.
    #[must_use]
    pub fn worse_than_guessing(&self) -> String {
        format!("the loss, {:.4}, is above that of guessing, {:.4}", self.loss, self.guessing)
    }

    /// Returns what was measured of each class.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassMeasures> {
        let classes = self.confusion.len();
        let mut predicted = vec![0usize; classes];
        for row in &self.confusion {
            predicted.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        let fraction = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        let measures = |(class, row): (usize, &Vec<usize>)| {
            let (correct, samples) = (row[class], row.iter().sum::<usize>());
            ClassMeasures {
                precision: fraction(correct, predicted[class]),
                recall: fraction(correct, samples),
                f1: fraction(2 * correct, predicted[class] + samples).unwrap_or(0.0),
                samples,
            }
        };
        self.confusion.iter().enumerate().map(measures).collect()
    }

    /// Returns the mean F1 of the classes that there are samples of.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        mean(self.classes().iter().filter(|class| class.samples > 0).map(|class| class.f1))
    }

    /// Returns the mean F1 of the samples' classes.
    #[must_use]
    pub fn weighted_f1(&self) -> f64 {
        let classes = self.classes();
        let sum: f64 = classes.iter().map(|class| class.f1 * class.samples as f64).sum();
        sum / self.samples as f64
    }

    /// Returns the mean recall of the classes that there are samples of.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        mean(self.classes().iter().filter_map(|class| class.recall))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / f64::from(count)
}

/// The area under the receiver operating characteristic: the probability that a positive sample has a higher score than a
/// negative one, a tie counting half. `None` if there are no samples of one kind.
#[must_use]
pub fn roc_auc(scores: &mut [(f32, bool)]) -> Option<f64> {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0.0, 0.0);
    for ties in scores.chunk_by(|a, b| a.0 == b.0) {
        let positive = ties.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        let negative = ties.len() as f64 - positive;
        wins += positive * (below + 0.5 * negative);
        below += negative;
    }
    let pairs = below * (scores.len() as f64 - below);
    (pairs > 0.0).then(|| wins / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_measured_as_scikit_learn_does() {
        // classification_report of [0,0,0,1,1,2] predicted as [0,0,1,1,0,1].
        let confusion = vec![vec![2, 1, 0], vec![1, 1, 0], vec![0, 1, 0]];
        let found = Evaluation { samples: 6, correct: 3, confusion, ..Evaluation::default() };
        let classes = found.classes();
        let values = classes.iter().map(|class| (class.precision, class.recall, class.samples));
        let third = 1.0 / 3.0;
        assert!(values.eq([
            (Some(2.0 * third), Some(2.0 * third), 3),
            (Some(third), Some(0.5), 2),
            (None, Some(0.0), 1)
        ]));
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-15;
        assert!(close(classes[0].f1, 2.0 * third) && close(classes[1].f1, 0.4));
        assert!(close(found.macro_f1(), (2.0 * third + 0.4) / 3.0));
        assert!(close(found.weighted_f1(), (2.0 + 0.8) / 6.0));
        assert!(close(found.balanced_accuracy(), (2.0 * third + 0.5) / 3.0));
    }

    #[test]
    fn values_are_measured_as_scikit_learn_does() {
        // r2_score([3, -0.5, 2, 7], [2.5, 0, 2, 8]), from its documentation; its MSE is 0.375 and its MAE 0.5.
        let found = Regression::new(&[[1.5, 2.0]], &[3.0, -0.5, 2.0, 7.0], 4);
        assert!((found.r2 - 0.948_608_137_044_967_9).abs() < 1e-12, "{found:?}");
        assert_eq!((found.mae, found.rmse), (0.5, 0.375_f64.sqrt()));
    }

    #[test]
    fn the_area_is_the_fraction_of_pairs_in_order() {
        let area = |scores: &[(f32, bool)]| roc_auc(&mut scores.to_vec());
        // roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), from scikit-learn's documentation.
        assert_eq!(area(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), Some(0.75));
        assert_eq!(area(&[(1.0, false), (1.0, true)]), Some(0.5));
        assert_eq!(area(&[(1.0, true), (2.0, true)]), None);
    }
}
