//! What a pass is for: training and use differ in some layers.

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To use the network.
    Infer,
    /// To train it: batch normalisation takes the batch's own statistics, dropout drops.
    Train(Draws),
}

/// Which random numbers a training pass draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The run's seed.
    pub seed: u64,
    /// Steps before this one.
    pub step: u64,
    /// Single layers before this one.
    pub layer: u64,
    /// Samples of the batch in the parts before, if this pass is through a part of it.
    pub first: u64,
}

impl Mode {
    /// A training pass through a whole network.
    #[must_use]
    pub const fn training(seed: u64, step: u64) -> Self {
        Self::Train(Draws { seed, step, layer: 0, first: 0 })
    }

    /// The same pass through the part of the batch that begins with this sample.
    #[inline]
    pub(crate) const fn starting_at(self, first: usize) -> Self {
        match self {
            Self::Infer => self,
            Self::Train(draws) => Self::Train(Draws { first: first as u64, ..draws }),
        }
    }

    /// The same pass, so many single layers further on.
    #[inline]
    #[must_use]
    pub(super) const fn after(self, layers: usize) -> Self {
        match self {
            Self::Infer => self,
            Self::Train(draws) => {
                Self::Train(Draws { layer: draws.layer + layers as u64, ..draws })
            }
        }
    }
}

/// What a layer's way back reads of its output, which a layer that works in place behind it would write over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputUse {
    /// Nothing.
    Nothing,
    /// Where the output is above zero; not where the gradient is zero.
    Sign,
    /// The values.
    Values,
}

impl OutputUse {
    /// Whether a layer may write over an output of which this is read; `keeps_sign` says whether it leaves the sign
    /// wherever it lets a gradient through.
    pub(super) const fn allows(self, keeps_sign: bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Sign => keeps_sign,
            Self::Values => false,
        }
    }

    /// What is read if two layers read the same output.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Values, _) | (_, Self::Values) => Self::Values,
            (Self::Sign, _) | (_, Self::Sign) => Self::Sign,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// `f32`s that a training pass keeps from the way forward for the way back, besides what lies between the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// For each sample.
    pub per_sample: usize,
    /// For the batch as a whole.
    pub per_batch: usize,
}

impl Kept {
    /// Nothing.
    pub const NOTHING: Self = Self { per_sample: 0, per_batch: 0 };

    /// Both layers'.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            per_sample: self.per_sample + other.per_sample,
            per_batch: self.per_batch + other.per_batch,
        }
    }

    /// For a batch of so many samples, if the pass is one that keeps something.
    #[inline]
    pub(crate) const fn len(self, mode: Mode, batch: usize) -> usize {
        match mode {
            Mode::Infer => 0,
            Mode::Train(_) => batch * self.per_sample + self.per_batch,
        }
    }
}
