//! Which samples of its data a model was not trained on.

use super::format::u32_at;

/// How training data was split: with the seed, enough to find the same samples again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSplit {
    /// Samples before any was held out.
    pub samples: u32,
    /// Samples held out for testing; 0 where the data has a test set of its own, or none.
    pub test: u32,
    /// Samples held out for validation, of those that testing left.
    pub validation: u32,
    /// Whether the data's own training and test set were put together first.
    pub merged: bool,
    /// Whether the same fraction of each class was held out.
    pub stratified: bool,
    /// Whether the last samples were held out, not random ones.
    pub last: bool,
    /// Whether the data has a validation set of its own, which follows the training samples.
    pub own_validation: bool,
}

/// Bytes of the section.
pub(super) const LEN: usize = 16;

impl DataSplit {
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let flags = [self.merged, self.stratified, self.last, self.own_validation];
        let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u32::from(*flag));
        let mut bytes = [0; LEN];
        let words = [self.samples, self.test, self.validation, flags];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// `None` if the section has another length, no sample to train on, or an unknown flag.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [samples, test, validation, flags] = [0, 4, 8, 12].map(|at| u32_at(bytes, at));
        let is_sound = bytes.len() == LEN
            && flags < 16
            && test.checked_add(validation).is_some_and(|held_out| held_out < samples);
        let [merged, stratified, last, own_validation] = [1, 2, 4, 8].map(|bit| flags & bit != 0);
        is_sound.then_some(Self {
            samples,
            test,
            validation,
            merged,
            stratified,
            last,
            own_validation,
        })
    }
}
