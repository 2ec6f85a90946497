//! From which score on a sample is an anomaly.

use super::format::u32_at;

/// The threshold of an autoencoder's scores, as it was calibrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnomalyThreshold {
    /// Samples with a higher score are anomalies.
    pub score: f32,
    /// The fraction of the normal samples it was calibrated on that have no higher score; 0 if it was set by hand.
    pub quantile: f32,
    /// Samples it was calibrated on.
    pub samples: u32,
}

/// Bytes of the section.
pub(super) const LEN: usize = 16;

impl AnomalyThreshold {
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let words = [self.score.to_bits(), self.quantile.to_bits(), self.samples, 0];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// Nothing for another length, a score that is no finite number of 0 or more, or a quantile outside 0 to 1.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [score, quantile] = [0, 4].map(|at| f32::from_bits(u32_at(bytes, at)));
        let is_sound = bytes.len() == LEN
            && u32_at(bytes, 12) == 0
            && (0.0..=f32::MAX).contains(&score)
            && (0.0..=1.0).contains(&quantile);
        is_sound.then_some(Self { score, quantile, samples: u32_at(bytes, 8) })
    }
}
