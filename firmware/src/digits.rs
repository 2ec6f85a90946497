//! MNIST's first pictures, which `cargo xtask firmware` puts into flash. They are used where they lie.

/// Pixels of a picture.
pub const PIXELS: usize = 784;

/// Pictures and their labels.
#[derive(Clone, Copy)]
pub struct Digits {
    /// `[n][784]`.
    pub images: &'static [[u8; PIXELS]],
    /// `[n]`.
    pub labels: &'static [u8],
}

impl Digits {
    /// Reads the bytes of a pair of input files.
    #[must_use]
    pub const fn new(images: &'static [u8], labels: &'static [u8]) -> Self {
        Self { images: images.as_chunks().0, labels }
    }

    /// The first `n` of them.
    #[must_use]
    pub fn first(self, n: usize) -> Self {
        let images = self.images.get(..n).unwrap_or(self.images);
        Self { images, labels: self.labels.get(..n).unwrap_or(self.labels) }
    }

    /// Each picture with its label.
    pub fn iter(self) -> impl Iterator<Item = (&'static [u8; PIXELS], u8)> {
        self.images.iter().zip(self.labels.iter().copied())
    }
}

/// The test set's first 1,000.
#[macro_export]
macro_rules! test_digits {
    () => {
        $crate::digits::Digits::new(
            $crate::input!("test-images.bin"),
            $crate::input!("test-labels.bin"),
        )
    };
}

/// The training set's first 2,000.
#[macro_export]
macro_rules! training_digits {
    () => {
        $crate::digits::Digits::new(
            $crate::input!("train-images.bin"),
            $crate::input!("train-labels.bin"),
        )
    };
}
