//! Measures of predictions: of classes, labels, values and anomaly scores. Each is defined here and nowhere else; names and
//! definitions are those of scikit-learn, unless a comment says otherwise.

/// From this number of samples on, one class for all of them says something about the network.
const COLLAPSE_SAMPLES: usize = 20;

/// The highest false positive rate of the partial area under the ROC curve: DCASE's and MLPerf's.
const PARTIAL_FPR: f64 = 0.1;

/// Bins of equal width over the confidence, of the calibration error: those of Guo and others, 2017.
const BINS: usize = 15;

/// What was measured of a network on samples with targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Samples whose class, or all of whose labels, are predicted correctly.
    pub correct: usize,
    /// Mean loss, without smoothing or class weights: cross-entropy in nats, or squared error summed over the classes.
    pub loss: f64,
    /// Counts, `[true class][predicted class]`; empty where the targets are no classes.
    pub confusion: Vec<Vec<usize>>,
    /// Counts of each label, where a sample may have several.
    pub labels: Vec<Counts>,
    /// Samples by the rank of their class among the outputs, the largest having rank 0; empty where the targets are no classes.
    pub ranks: Vec<usize>,
    /// The expected calibration error: how far confidence and accuracy are apart, as a mean over bins of confidence.
    pub calibration_error: Option<f64>,
    /// The area under the ROC curve, of two classes or of anomaly scores; of several labels, the mean of their areas.
    pub auc: Option<f64>,
    /// The same up to a false positive rate of 0.1, standardized: 0.5 for guessing.
    pub partial_auc: Option<f64>,
    /// Counts of anomalies, `predicted` being those above the threshold; `None` without a threshold, or where it is not known
    /// what an anomaly is.
    pub anomalies: Option<Counts>,
    /// Errors, where values are predicted.
    pub regression: Option<Regression>,
    /// The loss of guessing: of a network that holds all classes equally probable.
    pub guessing: f64,
}

/// Samples of one class or label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that are of it.
    pub samples: usize,
    /// Samples predicted to be of it.
    pub predicted: usize,
    /// Both.
    pub correct: usize,
}

/// What was measured of one class or label.
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

/// Precision, recall and F1 of all classes or labels together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Average {
    /// Undefined precisions count as 0.
    pub precision: f64,
    /// Undefined recalls count as 0.
    pub recall: f64,
    /// The mean F1, or that of the pooled counts.
    pub f1: f64,
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

impl Counts {
    /// Returns precision, recall and F1.
    #[must_use]
    pub fn measures(self) -> ClassMeasures {
        let fraction = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        let Self { samples, predicted, correct } = self;
        ClassMeasures {
            precision: fraction(correct, predicted),
            recall: fraction(correct, samples),
            f1: fraction(2 * correct, predicted + samples).unwrap_or(0.0),
            samples,
        }
    }
}

impl Evaluation {
    /// Returns the fraction of samples whose class, or all of whose labels, are predicted correctly.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// Returns R² of predicted values, else the accuracy.
    #[must_use]
    pub fn main_measure(&self) -> f64 {
        self.regression.as_ref().map_or_else(|| self.accuracy(), |values| values.r2)
    }

    /// Returns all measures that the targets have, by name.
    #[must_use]
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        let mut all = vec![("loss", self.loss)];
        if let Some(Regression { r2, mae, rmse, .. }) = self.regression {
            all.extend([("r2", r2), ("mae", mae), ("rmse", rmse)]);
        } else {
            let (plain, weighted) = (self.macro_average(), self.weighted_average());
            all.extend([
                ("accuracy", self.accuracy()),
                ("macro_precision", plain.precision),
                ("macro_recall", plain.recall),
                ("macro_f1", plain.f1),
                ("weighted_precision", weighted.precision),
                ("weighted_recall", weighted.recall),
                ("weighted_f1", weighted.f1),
            ]);
            all.push(if self.labels.is_empty() {
                ("balanced_accuracy", self.balanced_accuracy())
            } else {
                ("micro_f1", self.micro_average().f1)
            });
        }
        if let Some(ClassMeasures { precision, recall, f1, .. }) =
            self.anomalies.map(Counts::measures)
        {
            all.extend([
                ("anomaly_precision", precision.unwrap_or(0.0)),
                ("anomaly_recall", recall.unwrap_or(0.0)),
                ("anomaly_f1", f1),
            ]);
        }
        let some = [
            ("auc", self.auc),
            ("partial_auc", self.partial_auc),
            ("calibration_error", self.calibration_error),
        ];
        all.extend(some.into_iter().filter_map(|(name, value)| Some((name, value?))));
        all
    }

    /// Returns the measure of this name; NaN if the targets have none.
    #[must_use]
    pub fn measure(&self, name: &str) -> f64 {
        self.measures().iter().find(|(of, _)| *of == name).map_or(f64::NAN, |(_, value)| *value)
    }

    /// Returns the fraction of samples whose class is among the `k` largest outputs.
    #[must_use]
    pub fn top_k(&self, k: usize) -> f64 {
        self.ranks.iter().take(k).sum::<usize>() as f64 / self.samples as f64
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

    fn counts(&self) -> Vec<Counts> {
        if self.confusion.is_empty() {
            return self.labels.clone();
        }
        let mut counts = vec![Counts::default(); self.confusion.len()];
        for (class, row) in self.confusion.iter().enumerate() {
            counts.iter_mut().zip(row).for_each(|(counts, count)| counts.predicted += count);
            (counts[class].samples, counts[class].correct) = (row.iter().sum(), row[class]);
        }
        counts
    }

    /// Returns what was measured of each class or label.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassMeasures> {
        self.counts().into_iter().map(Counts::measures).collect()
    }

    /// Returns the mean over the classes that have samples or are predicted, or over all labels.
    #[must_use]
    pub fn macro_average(&self) -> Average {
        let present = |c: &Counts| !self.labels.is_empty() || c.samples + c.predicted > 0;
        average(self.counts().into_iter().filter(present).map(|counts| (counts, 1.0)))
    }

    /// Returns the mean F1 of the classes that have samples or are predicted, or of all labels.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        self.macro_average().f1
    }

    /// Returns the mean over classes or labels, by their samples.
    #[must_use]
    pub fn weighted_average(&self) -> Average {
        average(self.counts().into_iter().map(|counts| (counts, counts.samples as f64)))
    }

    /// Returns the measures of all labels' counts together. Of classes, all three are the accuracy.
    #[must_use]
    pub fn micro_average(&self) -> Average {
        let sum = |of: fn(&Counts) -> usize| self.counts().iter().map(of).sum();
        let counts = Counts {
            samples: sum(|c| c.samples),
            predicted: sum(|c| c.predicted),
            correct: sum(|c| c.correct),
        };
        average([(counts, 1.0)].into_iter())
    }

    /// Returns the mean recall of the classes that there are samples of.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls = self.classes().into_iter().filter_map(|class| class.recall);
        let (count, sum) =
            recalls.fold((0u32, 0.0), |(count, sum), recall| (count + 1, sum + recall));
        sum / f64::from(count)
    }
}

/// The mean by weights.
fn average(counts: impl Iterator<Item = (Counts, f64)>) -> Average {
    let (mut sums, mut all) = (Average::default(), 0.0);
    for (counts, weight) in counts {
        let ClassMeasures { precision, recall, f1, .. } = counts.measures();
        sums.precision += weight * precision.unwrap_or(0.0);
        sums.recall += weight * recall.unwrap_or(0.0);
        sums.f1 += weight * f1;
        all += weight;
    }
    let Average { precision, recall, f1 } = sums;
    Average { precision: precision / all, recall: recall / all, f1: f1 / all }
}

/// Returns the mean over [`BINS`] bins of confidence, by their samples, of the distance between accuracy and mean confidence.
/// `predictions` are confidence (the probability of the predicted class) and whether it is correct; `None` without any.
pub(crate) fn calibration_error(predictions: impl Iterator<Item = (f32, bool)>) -> Option<f64> {
    let (mut bins, mut all) = ([0.0; BINS], 0u64);
    for (confidence, is_correct) in predictions {
        let bin = ((confidence * BINS as f32).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin] += f64::from(u8::from(is_correct)) - f64::from(confidence);
        all += 1;
    }
    (all > 0).then(|| bins.iter().map(|sum| sum.abs()).sum::<f64>() / all as f64)
}

/// Returns the value that the fraction `q` of `values` does not exceed, between two of them on a straight line, as NumPy does.
///
/// # Panics
///
/// If there are no values.
pub(crate) fn quantile(values: &mut [f32], q: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    let place = f64::from(q) * (values.len() - 1) as f64;
    let below = place as usize;
    let [from, to] = [below, (below + 1).min(values.len() - 1)].map(|at| f64::from(values[at]));
    (from + (to - from) * (place - below as f64)) as f32
}

/// Returns the area under the ROC curve, and the area up to a false positive rate of 0.1 in McClish's standard form; `None` if
/// there are no samples of one kind. `scores` are higher for positive samples, which are those with `true`.
#[must_use]
pub fn roc_auc(scores: &mut [(f32, bool)]) -> Option<[f64; 2]> {
    let positives = scores.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
    let negatives = scores.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    // The curve goes from one distinct score to the next in a straight line; its axes count samples.
    let limit = PARTIAL_FPR * negatives;
    let (mut x, mut y, mut area, mut partial) = (0.0, 0.0, 0.0, 0.0);
    for ties in scores.chunk_by(|a, b| a.0 == b.0) {
        let dy = ties.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        let dx = ties.len() as f64 - dy;
        area += dx * (y + 0.5 * dy);
        let part = (limit - x).clamp(0.0, dx);
        if part > 0.0 {
            partial += part * (y + 0.5 * dy * part / dx);
        }
        (x, y) = (x + dx, y + dy);
    }
    let (all, least) = (positives * negatives, 0.5 * PARTIAL_FPR * PARTIAL_FPR);
    let partial = (partial / all - least) / (PARTIAL_FPR - least);
    Some([area / all, 0.5 * (1.0 + partial)])
}

#[cfg(test)]
mod tests;
