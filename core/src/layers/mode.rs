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
    pub layer: usize,
    /// Samples of the batch in the parts before, if this pass is through a part of it.
    pub first: usize,
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
            Self::Train(draws) => Self::Train(Draws { first, ..draws }),
        }
    }

    /// The same pass, starting N layers later.
    #[inline]
    #[must_use]
    pub(super) const fn after(self, layers: usize) -> Self {
        match self {
            Self::Infer => self,
            Self::Train(draws) => Self::Train(Draws { layer: draws.layer + layers, ..draws }),
        }
    }
}
