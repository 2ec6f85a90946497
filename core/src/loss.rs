//! What training makes small.

use crate::Error;
use crate::kernels::softmax::cross_entropy;
use crate::kernels::{softmax, squared_error};

/// A loss: of which kind, averaged or summed over the batch, against one-hot targets or smoothed ones.
///
/// ```
/// use picomlp::Loss;
///
/// let loss = Loss::CROSS_ENTROPY; // the default, the mean over the batch
/// let summed = Loss::CROSS_ENTROPY.summed();
/// let smoothed = Loss::SQUARED_ERROR.with_smoothing(0.1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    kind: LossKind,
    summed: bool,
    smoothing: f32,
}

/// Which function of outputs and label a loss is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossKind {
    /// `-Σⱼ tⱼ·ln softmax(z)ⱼ` in nats, the outputs being logits.
    #[default]
    CrossEntropy,
    /// `Σⱼ (aⱼ - tⱼ)²`, a sum over the classes and not their mean; the outputs are held against the targets as they are.
    SquaredError,
}

impl LossKind {
    /// Replaces the outputs of one sample by the probabilities of its classes, which add up to 1.
    ///
    /// After training with cross-entropy, that is their softmax. With squared error, the output of a class is itself
    /// the estimate of its probability (the mean of a 0-or-1 target); those below 0 count as 0, and each is divided by
    /// their sum. If none is above 0, all classes are equally probable.
    pub fn probabilities(self, outputs: &mut [f32]) {
        match self {
            Self::CrossEntropy => softmax(outputs),
            Self::SquaredError => {
                let sum = outputs.iter().fold(0.0, |sum: f32, a| sum + a.max(0.0));
                let equal = 1.0 / outputs.len() as f32;
                for a in outputs {
                    *a = if sum > 0.0 { a.max(0.0) / sum } else { equal };
                }
            }
        }
    }
}

impl Loss {
    /// Softmax cross-entropy, the mean over the batch.
    pub const CROSS_ENTROPY: Self = Self::new(LossKind::CrossEntropy);

    /// Squared error summed over the classes, the mean over the batch: the gradient at output `a` is
    /// `2·(a - t)/batch`. (PyTorch's `mse_loss` also divides by the number of classes.)
    pub const SQUARED_ERROR: Self = Self::new(LossKind::SquaredError);

    /// The mean over the batch, no smoothing.
    #[must_use]
    pub const fn new(kind: LossKind) -> Self {
        Self { kind, summed: false, smoothing: 0.0 }
    }

    /// The same, summed over the batch instead of averaged.
    #[must_use]
    pub const fn summed(self) -> Self {
        Self { summed: true, ..self }
    }

    /// The same with label smoothing: of the target's 1, the share `smoothing` is spread over all classes alike, the
    /// label among them. At least 0 and below 1.
    #[must_use]
    pub const fn with_smoothing(self, smoothing: f32) -> Self {
        Self { smoothing, ..self }
    }

    /// Which function it is.
    #[must_use]
    pub const fn kind(&self) -> LossKind {
        self.kind
    }

    /// Whether it is summed over the batch.
    #[must_use]
    pub const fn is_summed(&self) -> bool {
        self.summed
    }

    /// The share of the target that is spread over all classes.
    #[must_use]
    pub const fn smoothing(&self) -> f32 {
        self.smoothing
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    pub fn check(&self) -> Result<(), Error> {
        if (0.0..1.0).contains(&self.smoothing) {
            Ok(())
        } else {
            Err(Error::Setting { what: "smoothing", expected: "at least 0 and below 1" })
        }
    }

    /// Replaces the outputs `[part][classes]` of a part of a batch of `of` samples by the gradient there. Returns the sum
    /// of the samples' losses, which goes on from that of the parts before, and what makes it the loss of the batch.
    pub(crate) fn gradient_of_part(
        &self,
        outputs: &mut [f32],
        labels: &[u8],
        of: usize,
        before: f32,
    ) -> (f32, f32) {
        let share = if self.summed { 1.0 } else { 1.0 / of as f32 };
        if labels.len() == of {
            return (self.total(outputs, labels, share), share);
        }
        let classes = outputs.len().checked_div(labels.len()).unwrap_or(0).max(1);
        let mut sum = before;
        for (outputs, label) in outputs.chunks_exact_mut(classes).zip(labels.chunks(1)) {
            sum += self.total(outputs, label, share);
        }
        (sum, share)
    }

    /// The sum of the samples' losses; the outputs are overwritten.
    ///
    /// # Shapes
    ///
    /// `outputs: [batch][classes]` with `batch = labels.len()`.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::BufferLength`] naming `outputs`, [`Error::LabelOutOfRange`], and
    /// [`Error::Setting`] for a loss that makes no sense. `outputs` is then unchanged.
    pub fn sum(&self, outputs: &mut [f32], labels: &[u8]) -> Result<f32, Error> {
        self.check()?;
        let classes = outputs.len().checked_div(labels.len()).ok_or(Error::EmptyBatch)?;
        let (expected, got) = (labels.len() * classes.max(1), outputs.len());
        if expected != got {
            return Err(Error::BufferLength { what: "outputs", expected, got });
        }
        check_labels(labels, classes)?;
        Ok(self.total(outputs, labels, 1.0))
    }

    fn total(&self, outputs: &mut [f32], labels: &[u8], scale: f32) -> f32 {
        match self.kind {
            LossKind::CrossEntropy => cross_entropy(outputs, labels, scale, self.smoothing),
            LossKind::SquaredError => squared_error(outputs, labels, scale, self.smoothing),
        }
    }
}

/// Whether every label names a class.
pub(crate) fn check_labels(labels: &[u8], classes: usize) -> Result<(), Error> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(index) => {
            let label = labels.get(index).map_or(0, |&label| usize::from(label));
            Err(Error::LabelOutOfRange { index, label, classes })
        }
        None => Ok(()),
    }
}

/// What the gradient of one training step is of: the loss, and the draws of dropout.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// The loss.
    pub loss: Loss,
    /// The seed of dropout's draws.
    pub seed: u64,
    /// Steps before this one: each step draws others.
    pub step: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_the_sum_divided_by_the_batch() {
        for loss in [Loss::CROSS_ENTROPY, Loss::SQUARED_ERROR] {
            let (mut mean, mut sum) = ([1.0, 2.0, 4.0, 0.5], [1.0, 2.0, 4.0, 0.5]);
            let labels = [1, 0];
            let (total, share) = loss.gradient_of_part(&mut mean, &labels, 2, 0.0);
            assert_eq!(
                (total, share),
                (loss.summed().gradient_of_part(&mut sum, &labels, 2, 0.0).0, 0.5)
            );
            assert_eq!(mean, sum.map(|g| g * 0.5));
        }
    }

    #[test]
    fn probabilities_after_squared_error_are_the_outputs_shares() {
        let mut outputs = [3.0, -1.0, 1.0, 0.0];
        LossKind::SquaredError.probabilities(&mut outputs);
        assert_eq!(outputs, [0.75, 0.0, 0.25, 0.0]);
        let mut outputs = [-3.0, -1.0];
        LossKind::SquaredError.probabilities(&mut outputs);
        assert_eq!(outputs, [0.5, 0.5]);
    }

    #[test]
    fn check_refuses_smoothing_outside_its_range() {
        for smoothing in [-0.1, 1.0, f32::NAN] {
            let loss = Loss::CROSS_ENTROPY.with_smoothing(smoothing);
            assert!(matches!(loss.check(), Err(Error::Setting { what: "smoothing", .. })));
        }
        assert_eq!(Loss::SQUARED_ERROR.with_smoothing(0.9).check(), Ok(()));
    }
}
