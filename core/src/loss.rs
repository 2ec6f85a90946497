//! What training makes small.

use core::fmt;

use crate::kernels::{
    Targets, Terms, absolute_error, binary_cross_entropy, cross_entropy, huber, softmax,
    squared_error,
};
use crate::{Error, math};

/// A function of outputs and targets to minimize. [`LossKind`] names those that come with the crate; [`Loss::custom`] takes
/// one of your own.
///
/// ```
/// use picomlp::{Criterion, Error, Loss, LossKind, Targets, Terms};
///
/// /// The loss of quantile regression: an output that is too low costs 0.9 a unit, one that is too high 0.1.
/// struct Quantile;
///
/// impl Criterion for Quantile {
///     fn kind(&self) -> LossKind {
///         LossKind::MeanAbsoluteError // outputs are values
///     }
///
///     fn gradient(&self, outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
///         let mut total = terms.loss_before;
///         for (sample, outputs) in outputs.chunks_exact_mut(terms.outputs).enumerate() {
///             for (a, t) in outputs.iter_mut().zip(targets.values(sample, terms.outputs)) {
///                 let slope = if *a < *t { -0.9 } else { 0.1 };
///                 total += (*a - *t) * slope;
///                 *a = slope * terms.scale;
///             }
///         }
///         total
///     }
/// }
///
/// let loss = Loss::custom(&Quantile).sum(&mut [2.0, 1.0], &[1.0, 2.0], 1)?;
/// assert_eq!(loss, 0.1 + 0.9);
/// # Ok::<(), Error>(())
/// ```
pub trait Criterion: Sync {
    /// The loss of the crate's own that is most like it: its outputs are read alike, its targets are checked alike, and
    /// both are or are not means over the outputs.
    fn kind(&self) -> LossKind;

    /// Replaces outputs by `terms.scale` times the gradient of each sample's loss, a sum over its outputs. Returns the sum of
    /// the losses, starting from `terms.loss_before`.
    ///
    /// # Shapes
    ///
    /// `outputs: [batch][terms.outputs]`; `targets` are as many, and have been checked.
    fn gradient(&self, outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32;
}

/// A loss: of which kind, averaged or summed over the batch, against classes (smoothed or weighted) or values.
///
/// ```
/// use picomlp::Loss;
///
/// let loss = Loss::CROSS_ENTROPY; // the default, the mean over the batch
/// let summed = Loss::CROSS_ENTROPY.summed();
/// let smoothed = Loss::SQUARED_ERROR.with_smoothing(0.1);
/// let balanced = Loss::CROSS_ENTROPY.with_class_weights(&[0.6, 3.0]);
/// let robust = Loss::HUBER.with_delta(0.5);
/// ```
#[derive(Clone, Copy)]
pub struct Loss<'a> {
    /// By pointer, so that a program carries only the losses that it names.
    criterion: &'a dyn Criterion,
    summed: bool,
    smoothing: f32,
    delta: f32,
    class_weights: &'a [f32],
}

/// Which function of outputs and targets a loss is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossKind {
    /// `-Σⱼ tⱼ·ln softmax(z)ⱼ` in nats, the outputs being logits. PyTorch's `CrossEntropyLoss`.
    #[default]
    CrossEntropy,
    /// `Σⱼ (aⱼ - tⱼ)²`, a sum over the outputs and not their mean; the outputs are held against the targets as they are.
    SquaredError,
    /// The mean over the outputs of `(aⱼ - tⱼ)²`. PyTorch's `MSELoss`.
    MeanSquaredError,
    /// The mean over the outputs of `|aⱼ - tⱼ|`. PyTorch's `L1Loss`.
    MeanAbsoluteError,
    /// The mean over the outputs of half the square up to δ, and of a line of slope δ beyond. PyTorch's `HuberLoss`.
    Huber,
    /// The mean over the outputs of `-t·ln σ(z) - (1 - t)·ln(1 - σ(z))`: each output is the logit of a yes or no of its own.
    /// PyTorch's `BCEWithLogitsLoss`.
    BinaryCrossEntropy,
}

impl LossKind {
    /// Replaces the outputs of one sample by the probabilities of its classes.
    ///
    /// After training with cross-entropy, that is their softmax; with binary cross-entropy, each is a probability of its own.
    /// With the other losses, the output of a class is itself the estimate of its probability (the mean of a 0-or-1
    /// target); those below 0 count as 0, and each is divided by their sum. If none is above 0, all classes are equally
    /// probable. A single output becomes the probability of class 1.
    pub fn probabilities(self, outputs: &mut [f32]) {
        match (self, &mut *outputs) {
            (_, [z]) if !self.gives_logits() => *z = z.clamp(0.0, 1.0),
            (Self::CrossEntropy, [_, _, ..]) => softmax(outputs),
            (Self::CrossEntropy | Self::BinaryCrossEntropy, _) => {
                outputs.iter_mut().for_each(|z| *z = math::sigmoid(*z))
            }
            _ => {
                let sum = outputs.iter().fold(0.0, |sum: f32, a| sum + a.max(0.0));
                let equal = 1.0 / outputs.len() as f32;
                for a in outputs {
                    *a = if sum > 0.0 { a.max(0.0) / sum } else { equal };
                }
            }
        }
    }

    /// Whether the loss of a sample is the mean over its outputs.
    #[must_use]
    pub const fn averages_outputs(self) -> bool {
        !matches!(self, Self::CrossEntropy | Self::SquaredError)
    }

    /// Whether the outputs are logits, and not estimates of the targets themselves.
    pub(crate) const fn gives_logits(self) -> bool {
        matches!(self, Self::CrossEntropy | Self::BinaryCrossEntropy)
    }

    const fn criterion(self) -> &'static dyn Criterion {
        match self {
            Self::CrossEntropy => &BuiltIn(Self::CrossEntropy, cross_entropy),
            Self::SquaredError => &BuiltIn(Self::SquaredError, squared_error),
            Self::MeanSquaredError => &BuiltIn(Self::MeanSquaredError, squared_error),
            Self::MeanAbsoluteError => &BuiltIn(Self::MeanAbsoluteError, absolute_error),
            Self::Huber => &BuiltIn(Self::Huber, huber),
            Self::BinaryCrossEntropy => &BuiltIn(Self::BinaryCrossEntropy, binary_cross_entropy),
        }
    }

    /// Whether these are targets for such a loss, on `batch` samples of `outputs` outputs.
    fn check(self, targets: Targets<'_>, batch: usize, outputs: usize) -> Result<(), Error> {
        let (what, expected, got) = match targets {
            Targets::Classes(labels) => ("labels", batch, labels.len()),
            Targets::WideClasses(labels) => ("labels", batch, labels.len()),
            Targets::Values(values) => ("targets", batch.saturating_mul(outputs), values.len()),
        };
        if expected != got {
            return Err(Error::BufferLength { what, expected, got });
        }
        let Targets::Values(values) = targets else {
            let is_single = outputs == 1 && self != Self::CrossEntropy;
            return check_classes(targets, batch, if is_single { 2 } else { outputs });
        };
        let (most, expected) = match self {
            Self::CrossEntropy => return Err(Error::TargetKind { expected: "classes" }),
            Self::BinaryCrossEntropy => (1.0, "from 0 to 1"),
            _ => (f32::MAX, "a finite number"),
        };
        let least = if most > 1.0 { -most } else { 0.0 };
        match values.iter().position(|value| !(least..=most).contains(value)) {
            None => Ok(()),
            Some(at) => {
                let (sample, output) = (at / outputs.max(1), at % outputs.max(1));
                Err(Error::TargetOutOfRange { sample, output, expected })
            }
        }
    }
}

/// A loss that comes with the crate, and its kernel.
struct BuiltIn(LossKind, fn(&mut [f32], Targets<'_>, &Terms<'_>) -> f32);

impl Criterion for BuiltIn {
    fn kind(&self) -> LossKind {
        self.0
    }

    fn gradient(&self, outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
        (self.1)(outputs, targets, terms)
    }
}

/// By kind and settings. (The criterion need not be printable: a microcontroller would carry the code for it.)
impl fmt::Debug for Loss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { criterion: _, summed, smoothing, delta, class_weights } = self;
        let mut f = f.debug_struct("Loss");
        f.field("kind", &self.kind()).field("summed", summed).field("smoothing", smoothing);
        f.field("delta", delta).field("class_weights", class_weights).finish()
    }
}

impl Default for Loss<'_> {
    fn default() -> Self {
        Self::CROSS_ENTROPY
    }
}

/// By kind and settings: two losses of your own that name the same kind are equal.
impl PartialEq for Loss<'_> {
    fn eq(&self, other: &Self) -> bool {
        let settings = |loss: &Self| (loss.kind(), loss.summed, loss.smoothing, loss.delta);
        settings(self) == settings(other) && self.class_weights == other.class_weights
    }
}

impl<'a> Loss<'a> {
    /// Softmax cross-entropy, the mean over the batch.
    pub const CROSS_ENTROPY: Self = Self::new(LossKind::CrossEntropy);

    /// Squared error summed over the outputs, the mean over the batch: the gradient at output `a` is
    /// `2·(a - t)/batch`.
    pub const SQUARED_ERROR: Self = Self::new(LossKind::SquaredError);

    /// Squared error, the mean over outputs and batch.
    pub const MEAN_SQUARED_ERROR: Self = Self::new(LossKind::MeanSquaredError);

    /// Absolute error, the mean over outputs and batch.
    pub const MEAN_ABSOLUTE_ERROR: Self = Self::new(LossKind::MeanAbsoluteError);

    /// Huber's loss, the mean over outputs and batch: squares up to a difference of 1, or of [δ](Self::with_delta).
    pub const HUBER: Self = Self::new(LossKind::Huber);

    /// Binary cross-entropy of logits, the mean over outputs and batch.
    pub const BINARY_CROSS_ENTROPY: Self = Self::new(LossKind::BinaryCrossEntropy);

    /// The mean over the batch, no smoothing, no weights.
    #[must_use]
    pub const fn new(kind: LossKind) -> Self {
        Self::custom(kind.criterion())
    }

    /// A loss of your own.
    #[must_use]
    pub const fn custom(criterion: &'a dyn Criterion) -> Self {
        Self { criterion, summed: false, smoothing: 0.0, delta: 1.0, class_weights: &[] }
    }

    /// The same, summed over the batch (and the outputs) instead of averaged.
    #[must_use]
    pub const fn summed(self) -> Self {
        Self { summed: true, ..self }
    }

    /// The same with label smoothing: of the 1 of a class, the fraction `smoothing` is spread over all classes alike, its own
    /// among them. At least 0 and below 1. Values as targets are taken as they are.
    #[must_use]
    pub const fn with_smoothing(self, smoothing: f32) -> Self {
        Self { smoothing, ..self }
    }

    /// Where [`LossKind::Huber`] turns into a line. Above 0.
    #[must_use]
    pub const fn with_delta(self, delta: f32) -> Self {
        Self { delta, ..self }
    }

    /// Multiplies the loss of a sample by the weight of its class, `[classes]`.
    ///
    /// The mean is still over the samples, as in Keras. PyTorch divides by the sum of the batch's weights instead, so that at
    /// a batch of one sample they have no effect. Weights whose mean over the training samples is 1 (`balanced` in
    /// scikit-learn) leave the size of a step as it is.
    #[must_use]
    pub const fn with_class_weights(self, class_weights: &'a [f32]) -> Self {
        Self { class_weights, ..self }
    }

    /// Which function it is.
    #[must_use]
    pub fn kind(&self) -> LossKind {
        self.criterion.kind()
    }

    /// Whether it is summed over the batch.
    #[must_use]
    pub const fn is_summed(&self) -> bool {
        self.summed
    }

    /// The fraction of the target that is spread over all classes.
    #[must_use]
    pub const fn smoothing(&self) -> f32 {
        self.smoothing
    }

    /// Where Huber's loss turns into a line.
    #[must_use]
    pub const fn delta(&self) -> f32 {
        self.delta
    }

    /// The weights of the classes; empty if each is 1.
    #[must_use]
    pub const fn class_weights(&self) -> &'a [f32] {
        self.class_weights
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the one that does not.
    pub fn check(&self) -> Result<(), Error> {
        let is_weight = |weight: &f32| (0.0..f32::INFINITY).contains(weight);
        let (what, expected) = if !(0.0..1.0).contains(&self.smoothing) {
            ("smoothing", "at least 0 and below 1")
        } else if !(f32::MIN_POSITIVE..f32::INFINITY).contains(&self.delta) {
            ("delta", "a finite number above 0")
        } else if !self.class_weights.iter().all(is_weight) {
            ("class weights", "finite numbers, 0 or more")
        } else {
            return Ok(());
        };
        Err(Error::Setting { what, expected })
    }

    /// Whether these are the targets of `batch` samples with `outputs` outputs each.
    pub(crate) fn check_targets(
        &self,
        targets: Targets<'_>,
        batch: usize,
        outputs: usize,
    ) -> Result<(), Error> {
        let classes = if outputs == 1 { 2 } else { outputs };
        let (expected, got) = (classes, self.class_weights.len());
        if got > 0 && got != expected {
            return Err(Error::BufferLength { what: "class weights", expected, got });
        }
        if got > 0 && matches!(targets, Targets::Values(_)) {
            return Err(Error::TargetKind { expected: "classes, since they have weights" });
        }
        self.kind().check(targets, batch, outputs)
    }

    /// Replaces the outputs `[part][outputs]` of a part of a batch of `batch` samples by the gradient there. Returns the sum
    /// of the samples' losses, which continues that of the parts before, and what makes it the loss of the batch.
    pub(crate) fn gradient_of_part(
        &self,
        gradient: &mut [f32],
        targets: Targets<'_>,
        outputs: usize,
        batch: usize,
        loss_before: f32,
    ) -> (f32, f32) {
        let averaged = if self.kind().averages_outputs() { batch * outputs } else { batch };
        let scale = if self.summed { 1.0 } else { 1.0 / averaged as f32 };
        let terms = Terms { loss_before, ..self.terms(outputs).scaled(scale) };
        (self.criterion.gradient(gradient, targets, &terms), scale)
    }

    fn terms(&self, outputs: usize) -> Terms<'a> {
        let Self { smoothing, delta, class_weights, .. } = *self;
        Terms { smoothing, delta, class_weights, ..Terms::new(outputs) }
    }

    /// The sum of the samples' losses; the outputs are overwritten.
    ///
    /// # Shapes
    ///
    /// `values: [batch][outputs]`, `targets` for the same samples.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::BufferLength`] naming `values` or the targets, [`Error::LabelOutOfRange`],
    /// [`Error::TargetKind`], [`Error::TargetOutOfRange`], and [`Error::Setting`] for a loss that makes no sense. `values` is
    /// then unchanged.
    pub fn sum<'t>(
        &self,
        values: &mut [f32],
        targets: impl Into<Targets<'t>>,
        outputs: usize,
    ) -> Result<f32, Error> {
        self.check()?;
        let targets = targets.into();
        let batch = targets.samples(outputs);
        if batch == 0 {
            return Err(Error::EmptyBatch);
        }
        let (expected, got) = (batch.saturating_mul(outputs), values.len());
        if expected != got {
            return Err(Error::BufferLength { what: "values", expected, got });
        }
        self.check_targets(targets, batch, outputs)?;
        let sum = self.criterion.gradient(values, targets, &self.terms(outputs));
        Ok(if self.kind().averages_outputs() { sum / outputs as f32 } else { sum })
    }
}

/// Whether every class is below `classes`.
fn check_classes(targets: Targets<'_>, batch: usize, classes: usize) -> Result<(), Error> {
    for index in 0..batch {
        if let Some(label) = targets.class(index)
            && label >= classes
        {
            return Err(Error::LabelOutOfRange { index, label, classes });
        }
    }
    Ok(())
}

/// What the gradient of one training step is of: the loss, and the draws of dropout.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective<'a> {
    /// The loss.
    pub loss: Loss<'a>,
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
            let labels = Targets::Classes(&labels);
            let (total, share) = loss.gradient_of_part(&mut mean, labels, 2, 2, 0.0);
            assert_eq!(
                (total, share),
                (loss.summed().gradient_of_part(&mut sum, labels, 2, 2, 0.0).0, 0.5)
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
    fn a_single_output_is_the_probability_of_class_1() {
        let probability = |kind: LossKind, output: f32| {
            let mut outputs = [output];
            kind.probabilities(&mut outputs);
            (outputs[0], kind.class(&[output]))
        };
        for kind in [LossKind::BinaryCrossEntropy, LossKind::CrossEntropy] {
            assert_eq!(probability(kind, 0.0), (0.5, 0));
            assert_eq!([-2.0, 2.0].map(|z| kind.class(&[z])), [0, 1]);
        }
        assert_eq!(probability(LossKind::SquaredError, 0.75), (0.75, 1));
        assert_eq!(probability(LossKind::SquaredError, -3.0), (0.0, 0));
        assert_eq!(LossKind::BinaryCrossEntropy.class(&[-1.0, 2.0, 2.0]), 1);
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
