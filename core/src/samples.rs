//! Training samples that come one at a time, so that the set need not be in RAM.

/// One picture and its class, lent by a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// As many pixels as the network has inputs.
    pub pixels: &'a [u8],
    /// The class.
    pub label: u8,
}

/// A source of samples: flash, an SD card, a wire.
///
/// A sample is lent until the next one is asked for: flash lends its own bytes, a card or a wire a buffer that it
/// fills again and again. [`Trainer::train_epoch`](crate::Trainer::train_epoch) trains on what comes.
///
/// ```
/// use picomlp::{Sample, Samples};
///
/// struct Card {
///     sector: [u8; 4],
///     left: u8,
/// }
///
/// impl Samples for Card {
///     fn next(&mut self) -> Option<Sample<'_>> {
///         self.left = self.left.checked_sub(1)?;
///         self.sector = [self.left; 4]; // read from the card
///         let [label, pixels @ ..] = &self.sector;
///         Some(Sample { pixels, label: *label })
///     }
/// }
/// # let mut card = Card { sector: [0; 4], left: 2 };
/// # assert_eq!(card.next(), Some(Sample { pixels: &[1, 1, 1], label: 1 }));
/// ```
pub trait Samples {
    /// The next sample, or nothing after the last one. A source that fails ends, and keeps the reason for its owner.
    fn next(&mut self) -> Option<Sample<'_>>;
}

/// Samples that lie in memory, in flash as a rule: read where they are, first to last.
#[derive(Clone, Copy, Debug)]
pub struct StoredSamples<'a, const N: usize> {
    images: &'a [[u8; N]],
    labels: &'a [u8],
}

impl<'a, const N: usize> StoredSamples<'a, N> {
    /// As many samples as there are both images and labels.
    #[must_use]
    pub const fn new(images: &'a [[u8; N]], labels: &'a [u8]) -> Self {
        Self { images, labels }
    }
}

impl<const N: usize> Samples for StoredSamples<'_, N> {
    fn next(&mut self) -> Option<Sample<'_>> {
        let ((image, images), (label, labels)) =
            (self.images.split_first()?, self.labels.split_first()?);
        (self.images, self.labels) = (images, labels);
        Some(Sample { pixels: image, label: *label })
    }
}
