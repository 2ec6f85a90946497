//! What a model's inputs are called, and what kind of answer its outputs are.

use super::format::u32_at;

/// The name of an input and the unit it is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feature<'a> {
    /// The name: a column of the training data.
    pub name: &'a str,
    /// The unit, or nothing.
    pub unit: &'a str,
}

/// What kind of answer the outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetKind {
    /// One of several classes, an output each; or with one output one of two.
    Classes,
    /// Numbers: regression.
    Values,
    /// A yes or no for each output: several labels at once.
    Labels,
    /// The inputs, rebuilt: an autoencoder.
    Inputs,
}

/// The kinds in the order of their numbers in the file, from 1.
const KINDS: [TargetKind; 4] =
    [TargetKind::Classes, TargetKind::Values, TargetKind::Labels, TargetKind::Inputs];

/// Bytes of the section.
pub(super) const TARGETS_LEN: usize = 16;

impl TargetKind {
    pub(super) fn to_bytes(self) -> [u8; TARGETS_LEN] {
        let number = KINDS.iter().position(|kind| *kind == self).map_or(0, |at| at as u8 + 1);
        let mut bytes = [0; TARGETS_LEN];
        bytes[0] = number;
        bytes
    }

    /// Nothing for a number that this version does not know, another length, or reserved bytes that are not 0.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, reserved) = bytes.split_at_checked(4)?;
        let is_sound = bytes.len() == TARGETS_LEN && reserved.iter().all(|byte| *byte == 0);
        let kind = KINDS.get((u32_at(number, 0) as usize).checked_sub(1)?)?;
        is_sound.then_some(*kind)
    }

    /// Returns the number of names that go with this many outputs: two for classes of one output, else as many.
    #[must_use]
    pub fn names(self, outputs: usize) -> usize {
        if self == Self::Classes && outputs == 1 { 2 } else { outputs }
    }
}
