//! Labelled pictures in memory.

use picomlp::fingerprint::{FNV_OFFSET, fnv1a};

/// Pictures of one shape, each with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The pixels, `[len][rows][cols]`, row-major; 0 is background, 255 is ink.
    pub images: Vec<u8>,
    /// The labels, `[len]`, each below `classes`.
    pub labels: Vec<u8>,
    /// Pixel rows of one picture.
    pub rows: usize,
    /// Pixel columns of one picture.
    pub cols: usize,
    /// The number of classes; labels run from 0 to `classes - 1`.
    pub classes: usize,
}

impl Dataset {
    /// The number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Tells whether there is no picture at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of pixels in one picture, which is the number of inputs of a network that reads
    /// it.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// The pixels of picture `index`, `[rows][cols]`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..][..pixels]
    }

    /// Computes a number that tells this data from any other: the same pictures and labels, in the
    /// same order and shape.
    ///
    /// It is the 64-bit FNV-1a hash of `rows`, `cols` and `len` as little-endian `u32`, then the
    /// pixels, then the labels.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        // No IDX header can say more than `u32::MAX`; past it the number would only be a weaker
        // one.
        let state = [self.rows, self.cols, self.len()]
            .iter()
            .fold(FNV_OFFSET, |state, size| fnv1a(state, &(*size as u32).to_le_bytes()));
        fnv1a(fnv1a(state, &self.images), &self.labels)
    }
}

/// Data to train on and data to test on, of one shape and with the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the network learns from.
    pub train: Dataset,
    /// What it is measured on; never trained on.
    pub test: Dataset,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_pictures() -> Dataset {
        let images = (1..=12).collect();
        Dataset { images, labels: vec![0, 2], rows: 2, cols: 3, classes: 3 }
    }

    #[test]
    fn image_returns_the_pixels_of_one_picture() {
        let data = two_pictures();
        assert_eq!((data.len(), data.pixels(), data.is_empty()), (2, 6, false));
        assert_eq!(data.image(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(data.image(1), [7, 8, 9, 10, 11, 12]);
    }

    #[test]
    #[should_panic = "out of range"]
    fn image_panics_past_the_last_picture() {
        let _ = two_pictures().image(2);
    }

    #[test]
    fn fingerprint_is_fnv_1a_over_shape_pixels_and_labels() {
        let mut bytes = vec![2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0];
        bytes.extend(1..=12_u8);
        bytes.extend([0, 2]);
        // The definition, written out: <http://www.isthe.com/chongo/tech/comp/fnv/>.
        let expected = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        assert_eq!(two_pictures().fingerprint(), expected);
    }

    #[test]
    fn fingerprint_changes_with_every_part() {
        let data = two_pictures();
        let turned = Dataset { rows: 3, cols: 2, ..data.clone() };
        let mut other_pixel = data.clone();
        other_pixel.images[11] = 0;
        let mut other_label = data.clone();
        other_label.labels[0] = 1;
        for other in [turned, other_pixel, other_label] {
            assert_ne!(other.fingerprint(), data.fingerprint(), "{other:?}");
        }
    }
}
