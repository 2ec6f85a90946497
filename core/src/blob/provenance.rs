//! Where a model comes from.

use super::format::{u32_at, u64_at};
use crate::loss::LossKind;

/// How a model was made: enough to make it again, and to know what it was measured at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Provenance<'a> {
    /// The seed of initial weights and shuffling.
    pub seed: u64,
    /// Optimizer steps taken.
    pub steps: u64,
    /// FNV-1a of the training data.
    pub data_fingerprint: u64,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// The learning rate at the end.
    pub learning_rate: f32,
    /// Samples in a batch.
    pub batch_size: u32,
    /// The epoch at whose end these parameters stood, counted from 1.
    pub epochs: u32,
    /// Samples trained on.
    pub train_samples: u32,
    /// Samples tested on.
    pub test_samples: u32,
    /// What it reached on them: accuracy of classes and labels, R² of values.
    pub test_measure: f32,
    /// The loss.
    pub loss: LossKind,
    /// The command that repeats the run, in words for a shell.
    pub command: &'a str,
}

/// Which optimizer trained a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptimizerKind {
    /// Not known to this version.
    #[default]
    Unknown,
    /// [`Sgd`](crate::Sgd).
    Sgd,
    /// [`Adam`](crate::Adam).
    Adam,
    /// [`Momentum`](crate::Momentum).
    Momentum,
    /// [`Momentum`](crate::Momentum) with Nesterov's look ahead.
    Nesterov,
    /// [`RmsProp`](crate::RmsProp).
    RmsProp,
    /// [`GroupRms`](crate::optim::GroupRms).
    GroupRms,
    /// [`AdamW`](crate::AdamW).
    AdamW,
    /// [`AdamBf16`](crate::optim::AdamBf16).
    AdamBf16,
}

/// The optimizers with their numbers in the file.
const NUMBERS: [(u32, OptimizerKind); 8] = [
    (1, OptimizerKind::Sgd),
    (2, OptimizerKind::Adam),
    (3, OptimizerKind::Momentum),
    (4, OptimizerKind::Nesterov),
    (5, OptimizerKind::RmsProp),
    (6, OptimizerKind::GroupRms),
    (7, OptimizerKind::AdamW),
    (8, OptimizerKind::AdamBf16),
];

/// The losses in the order of their numbers in the file, from 0.
const LOSSES: [LossKind; 6] = [
    LossKind::CrossEntropy,
    LossKind::SquaredError,
    LossKind::MeanSquaredError,
    LossKind::MeanAbsoluteError,
    LossKind::Huber,
    LossKind::BinaryCrossEntropy,
];

/// Bytes before the command.
pub(super) const FIXED: usize = 56;

impl<'a> Provenance<'a> {
    pub(super) fn to_bytes(self) -> [u8; FIXED] {
        let mut bytes = [0; FIXED];
        let known = NUMBERS.iter().find(|(_, kind)| *kind == self.optimizer);
        let optimizer = known.map_or(0, |(number, _)| *number);
        let words = [self.seed, self.steps, self.data_fingerprint];
        let halves = [
            optimizer,
            self.learning_rate.to_bits(),
            self.batch_size,
            self.epochs,
            self.train_samples,
            self.test_samples,
            self.test_measure.to_bits(),
            LOSSES.iter().position(|kind| *kind == self.loss).unwrap_or(0) as u32,
        ];
        let words = words.into_iter().flat_map(u64::to_le_bytes);
        let halves = halves.into_iter().flat_map(u32::to_le_bytes);
        for (to, byte) in bytes.iter_mut().zip(words.chain(halves)) {
            *to = byte;
        }
        bytes
    }

    /// Nothing if the section is too short, its loss is unknown or its text is not UTF-8.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, command) = bytes.split_at_checked(FIXED)?;
        Some(Self {
            seed: u64_at(fixed, 0),
            steps: u64_at(fixed, 8),
            data_fingerprint: u64_at(fixed, 16),
            optimizer: {
                let known = NUMBERS.iter().find(|(number, _)| *number == u32_at(fixed, 24));
                known.map_or(OptimizerKind::Unknown, |(_, kind)| *kind)
            },
            learning_rate: f32::from_bits(u32_at(fixed, 28)),
            batch_size: u32_at(fixed, 32),
            epochs: u32_at(fixed, 36),
            train_samples: u32_at(fixed, 40),
            test_samples: u32_at(fixed, 44),
            test_measure: f32::from_bits(u32_at(fixed, 48)),
            loss: *LOSSES.get(u32_at(fixed, 52) as usize)?,
            command: core::str::from_utf8(command).ok()?,
        })
    }
}
