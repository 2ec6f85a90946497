//! What a batch's outputs are held against, and what the kernels of losses have in common.

/// The targets of a batch: one class for each sample, or one value for each output.
///
/// ```
/// use picomlp::Targets;
///
/// let classes = Targets::from(&[2, 0, 1]);
/// let values = Targets::from(&[0.5, -1.0, 3.0]);
/// assert_eq!((classes.samples(3), values.samples(1)), (3, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Targets<'a> {
    /// A class for each sample, counted from 0.
    Classes(&'a [u8]),
    /// The same for networks of more than 256 classes.
    WideClasses(&'a [u16]),
    /// A value for each output, `[batch][outputs]`: regression, several labels at once.
    Values(&'a [f32]),
}

/// Arrays of `u16` are left out, so that `&[0, 1]` needs no type.
macro_rules! targets_from {
    ($($kind:ident: $slice:ty $(, $n:ident)?;)*) => {$(
        impl<'a $(, const $n: usize)?> From<&'a $slice> for Targets<'a> {
            fn from(targets: &'a $slice) -> Self {
                Self::$kind(targets)
            }
        }
    )*};
}
targets_from! {
    Classes: [u8];
    Classes: [u8; N], N;
    WideClasses: [u16];
    Values: [f32];
    Values: [f32; N], N;
}

impl<'a> Targets<'a> {
    /// Samples that these are the targets of, if a sample has this many outputs; of values, those that are whole.
    #[must_use]
    pub fn samples(&self, outputs: usize) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::WideClasses(classes) => classes.len(),
            Self::Values(values) => values.len() / outputs.max(1),
        }
    }

    /// The class of a sample; nothing for values, and past the end.
    #[inline]
    #[must_use]
    pub fn class(&self, sample: usize) -> Option<usize> {
        match self {
            Self::Classes(classes) => classes.get(sample).map(|class| usize::from(*class)),
            Self::WideClasses(classes) => classes.get(sample).map(|class| usize::from(*class)),
            Self::Values(_) => None,
        }
    }

    /// The values of a sample, `[outputs]`; empty for classes, and past the end.
    #[inline]
    #[must_use]
    pub fn values(&self, sample: usize, outputs: usize) -> &'a [f32] {
        match self {
            Self::Values(values) => {
                let start = sample.saturating_mul(outputs);
                values.get(start..start.saturating_add(outputs)).unwrap_or_default()
            }
            Self::Classes(_) | Self::WideClasses(_) => &[],
        }
    }

    /// The targets of the first `samples` samples, and the rest.
    pub(crate) fn split_at(self, samples: usize, outputs: usize) -> [Self; 2] {
        fn cut<'a, T>(all: &'a [T], at: usize, of: fn(&'a [T]) -> Targets<'a>) -> [Targets<'a>; 2] {
            let (a, b) = all.split_at(at.min(all.len()));
            [of(a), of(b)]
        }
        match self {
            Self::Classes(classes) => cut(classes, samples, Self::Classes),
            Self::WideClasses(classes) => cut(classes, samples, Self::WideClasses),
            Self::Values(values) => cut(values, samples.saturating_mul(outputs), Self::Values),
        }
    }
}

/// What the kernel of a loss is told besides outputs and targets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Terms<'a> {
    /// Outputs of one sample.
    pub outputs: usize,
    /// What each gradient is multiplied by: 1/N of what the loss is the mean of, or 1 if it is a sum.
    pub scale: f32,
    /// The sum of the losses of the samples before these, which the returned sum continues.
    pub loss_before: f32,
    /// The fraction of a class's target that is spread over all classes.
    pub smoothing: f32,
    /// Where [`huber`](super::huber) turns from a square into a line.
    pub delta: f32,
    /// What the loss of a sample of each class is multiplied by; empty for 1.
    pub class_weights: &'a [f32],
}

impl<'a> Terms<'a> {
    /// A sum over samples of this many outputs, without smoothing or weights.
    #[must_use]
    pub const fn new(outputs: usize) -> Self {
        Self {
            outputs,
            scale: 1.0,
            loss_before: 0.0,
            smoothing: 0.0,
            delta: 1.0,
            class_weights: &[],
        }
    }

    /// The same with another [`scale`](Self::scale).
    #[must_use]
    pub const fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// What the loss of a sample is multiplied by: the weight of its class.
    #[inline]
    #[must_use]
    pub fn weight(&self, class: Option<usize>) -> f32 {
        class.and_then(|class| self.class_weights.get(class)).copied().unwrap_or(1.0)
    }
}
