//! Measures a network on samples with targets: batch by batch on all threads, then summed up in their order.

use anyhow::Result;
use picomlp::blob::{AnomalyThreshold, TargetKind, mean_square};
use picomlp::{AnyLayer, Layer, Loss, LossKind};

use super::{Classifier, Form};
use crate::data::{BatchTargets, Dataset, Scaling};
use crate::measures::{Counts, Evaluation, Regression, calibration_error, roc_auc};
use crate::pool::Pool;

impl Classifier<'_> {
    /// Scores of samples, whose targets have been scaled by `scaling`, or by the network.
    pub(super) fn scores_of(
        &self,
        outputs: &[f32],
        targets: &[f32],
        scaling: &Scaling,
    ) -> Vec<f32> {
        let width = self.net().outputs();
        let scales = match self.form {
            Form::F32(net, params) if scaling.scales.is_empty() => match net.layers()[0] {
                AnyLayer::Rescale(_) => params.get(..width).unwrap_or_default(),
                _ => &[],
            },
            _ => &[],
        };
        let rows = outputs.chunks_exact(width).zip(targets.chunks_exact(width));
        rows.map(|(y, t)| mean_square(y, t, scales)).collect()
    }

    /// Finds the score that the fraction `quantile` of `samples` does not exceed, those that are known to be anomalies aside.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data, or an output is not finite; if the inputs are images.
    pub(crate) fn threshold(
        &self,
        pool: &Pool,
        data: &Dataset,
        samples: &[u32],
        quantile: f32,
    ) -> Result<AnomalyThreshold> {
        let is_normal = |sample: &&u32| !data.anomalous.get(**sample as usize).unwrap_or(&false);
        let samples: Vec<u32> = samples.iter().filter(is_normal).copied().collect();
        let scores = self.run(pool, data, &samples, false, |samples, outputs| {
            let mut targets = BatchTargets::default();
            targets.take(data, samples, &Scaling::default());
            Ok(self.scores_of(outputs, targets.values(), &Scaling::default()))
        })?;
        let score = crate::measures::quantile(&mut scores.concat(), quantile);
        Ok(AnomalyThreshold { score, quantile, samples: samples.len() as u32 })
    }

    /// Measures the network on `samples` of a set with targets, which are scaled as the network's outputs are.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data. Outputs that are not finite are no error: the loss is not finite either.
    pub(crate) fn evaluate_scaled(
        &self,
        pool: &Pool,
        data: &Dataset,
        samples: &[u32],
        scaling: &Scaling,
    ) -> Result<Evaluation> {
        let outputs = self.net().outputs();
        let kind = data.target_kind();
        let batches = self.run(pool, data, samples, true, |samples, logits| {
            let mut targets = BatchTargets::default();
            targets.take(data, samples, scaling);
            let mut batch = Measured::default();
            match kind {
                TargetKind::Classes => self.measure_classes(&mut batch, logits, targets.labels()),
                TargetKind::Labels => {
                    let pairs = logits.iter().zip(targets.values());
                    batch.scores = pairs.map(|(z, label)| (*z, *label > 0.5)).collect();
                }
                _ => {
                    batch.errors = vec![[0.0; 2]; outputs];
                    for (i, (y, t)) in logits.iter().zip(targets.values()).enumerate() {
                        let (sums, error) =
                            (&mut batch.errors[i % outputs], f64::from(*y) - f64::from(*t));
                        *sums = [sums[0] + error * error, sums[1] + error.abs()];
                    }
                    if !data.anomalous.is_empty() {
                        let scores = self.scores_of(logits, targets.values(), scaling);
                        let anomalous =
                            samples.iter().map(|&sample| data.anomalous[sample as usize]);
                        batch.scores = scores.into_iter().zip(anomalous).collect();
                    }
                }
            }
            let loss = Loss::new(self.loss).sum(logits, targets.get(), outputs)?;
            batch.loss = f64::from(loss);
            batch.targets = targets;
            Ok(batch)
        })?;
        let classes = if kind == TargetKind::Classes { self.classes() } else { 0 };
        let labels = if kind == TargetKind::Labels { outputs } else { 0 };
        let mut found = Evaluation {
            samples: samples.len(),
            confusion: vec![vec![0; classes]; classes],
            labels: vec![Counts::default(); labels],
            ranks: vec![0; classes],
            guessing: guessing(self.loss, outputs),
            ..Evaluation::default()
        };
        let mut errors = vec![[0.0; 2]; outputs];
        let mut scores = vec![Vec::new(); labels.max(1)];
        let (mut values, mut confidence) = (Vec::new(), Vec::new());
        for batch in batches {
            for (label, predicted) in batch.targets.labels().iter().zip(batch.predicted) {
                found.confusion[usize::from(*label)][predicted.class] += 1;
                found.ranks[predicted.rank] += 1;
                confidence.push((predicted.confidence, predicted.rank == 0));
            }
            for row in batch.scores.chunks_exact(labels.max(1)) {
                let is_wrong = |(z, is): &(f32, bool)| (*z > 0.0) != *is;
                found.correct += usize::from(labels > 0 && !row.iter().any(is_wrong));
                for (counts, &(z, is)) in found.labels.iter_mut().zip(row) {
                    counts.samples += usize::from(is);
                    counts.predicted += usize::from(z > 0.0);
                    counts.correct += usize::from(is && z > 0.0);
                }
                scores.iter_mut().zip(row).for_each(|(scores, score)| scores.push(*score));
            }
            if let (Some(threshold), false) = (self.threshold, data.anomalous.is_empty()) {
                let counts = found.anomalies.get_or_insert_default();
                for (score, is_anomaly) in batch.scores {
                    counts.samples += usize::from(is_anomaly);
                    counts.predicted += usize::from(score > threshold);
                    counts.correct += usize::from(is_anomaly && score > threshold);
                }
            }
            for (sum, error) in errors.iter_mut().zip(batch.errors) {
                *sum = [sum[0] + error[0], sum[1] + error[1]];
            }
            if classes + labels == 0 {
                values.extend_from_slice(batch.targets.values());
            }
            found.loss += batch.loss;
        }
        found.loss /= samples.len() as f64;
        found.correct += (0..classes).map(|class| found.confusion[class][class]).sum::<usize>();
        found.calibration_error = calibration_error(confidence.into_iter());
        let areas: Vec<_> = scores.iter_mut().filter_map(|scores| roc_auc(scores)).collect();
        let mean = |which: usize| {
            let sum: f64 = areas.iter().map(|area| area[which]).sum();
            (!areas.is_empty()).then(|| sum / areas.len() as f64)
        };
        (found.auc, found.partial_auc) = (mean(0), mean(1));
        if classes + labels == 0 {
            let measured = Regression::new(&errors, &values, samples.len());
            found.guessing = match self.loss {
                LossKind::MeanSquaredError => measured.variance,
                _ => f64::INFINITY,
            };
            found.regression = Some(measured);
        }
        Ok(found)
    }

    /// Predicts the class of each sample of a batch.
    fn measure_classes(&self, batch: &mut Measured, logits: &[f32], labels: &[u16]) {
        let outputs = self.net().outputs();
        let mut probabilities = Vec::with_capacity(outputs);
        for (logits, &label) in logits.chunks_exact(outputs).zip(labels) {
            let (class, label) = (self.loss.class(logits), usize::from(label));
            self.extend_by_probabilities(logits, &mut probabilities);
            let rank = match logits.get(label).filter(|_| outputs > 1) {
                _ if class == label => 0,
                // Of equal outputs, the first one counts as larger.
                Some(own) => {
                    let before = |(at, z): (usize, &f32)| z > own || (z == own && at < label);
                    (0..).zip(logits).filter(|pair| before(*pair)).count().max(1)
                }
                None => 1,
            };
            batch.predicted.push(Prediction { class, rank, confidence: probabilities[class] });
            probabilities.clear();
            match logits {
                [z] => batch.scores.push((*z, label == 1)),
                [a, b] => batch.scores.push((b - a, label == 1)),
                _ => {}
            }
        }
    }
}

/// Returns the mean loss of a network that holds all classes equally probable: ln(classes), ln 2 for each of several labels, or
/// 1 - 1/classes for squared error.
pub(crate) fn guessing(kind: LossKind, outputs: usize) -> f64 {
    let logits = matches!(kind, LossKind::CrossEntropy | LossKind::BinaryCrossEntropy);
    let mut equal = vec![if logits { 0.0 } else { 1.0 / outputs as f32 }; outputs];
    // Without classes there is no loss to compare with.
    Loss::new(kind).sum(&mut equal, &[0], outputs).map_or(f64::INFINITY, f64::from)
}

/// What was measured of a batch.
#[derive(Default)]
struct Measured {
    targets: BatchTargets,
    predicted: Vec<Prediction>,
    /// Of the second of two classes, of each label, or of being an anomaly; and whether it is true.
    scores: Vec<(f32, bool)>,
    /// Sums of squared and absolute errors of each value.
    errors: Vec<[f64; 2]>,
    loss: f64,
}

/// What is predicted for a sample with a class.
struct Prediction {
    class: usize,
    /// Outputs that are larger than that of the true class; 0 if that is predicted.
    rank: usize,
    /// The probability of the predicted class.
    confidence: f32,
}
