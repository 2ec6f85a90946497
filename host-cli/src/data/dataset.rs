//! Labelled pictures in memory.

use anyhow::{Context, Result};
use picomlp::Threads;
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};

/// Pictures of one shape, each with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The pixels, `[len][rows][cols]`, row-major; 0 is background, `max` is ink.
    pub images: Vec<u8>,
    /// The labels, `[len]`, each below `classes`.
    pub labels: Vec<u8>,
    /// Pixel rows of one picture.
    pub rows: usize,
    /// Pixel columns of one picture.
    pub cols: usize,
    /// The number of classes; labels run from 0 to `classes - 1`.
    pub classes: usize,
    /// The names of the classes, `[classes]`; empty if they are called 0, 1, 2 and so on.
    pub class_names: Vec<String>,
    /// The value of full ink: no pixel is above it.
    pub max: u8,
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

    /// Copies the pictures that `samples` names together, into `pixels`, on all threads.
    ///
    /// Shuffled samples lie all over the memory. Copied together, their cache misses overlap; left where they are, each
    /// would stop the kernels (784-32-10: 0.11 s an epoch instead of 0.06 s).
    ///
    /// # Panics
    ///
    /// If a sample is not below [`len`](Self::len).
    pub fn gather(&self, threads: &dyn Threads, samples: &[u32], pixels: &mut [u8]) {
        self.gather_in(threads.count(), threads, samples, pixels);
    }

    fn gather_in(&self, parts: usize, threads: &dyn Threads, samples: &[u32], pixels: &mut [u8]) {
        if parts < 2 || samples.len() < 2 {
            let places = pixels.chunks_exact_mut(self.pixels());
            for (place, &sample) in places.zip(samples) {
                place.copy_from_slice(self.image(sample as usize));
            }
            return;
        }
        let (samples_a, samples_b) = samples.split_at(samples.len() * (parts / 2) / parts);
        let (pixels_a, pixels_b) = pixels.split_at_mut(samples_a.len() * self.pixels());
        threads.join(&mut || self.gather_in(parts / 2, threads, samples_a, pixels_a), &mut || {
            self.gather_in(parts - parts / 2, threads, samples_b, pixels_b)
        });
    }

    /// The name of a class: its number, if it has no other.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Adds the pictures of another set, which has the same shape and names.
    ///
    /// # Errors
    ///
    /// If there is no memory for both.
    pub(crate) fn append(&mut self, other: Self) -> Result<()> {
        debug_assert!((self.rows, self.cols, self.max) == (other.rows, other.cols, other.max));
        reserve(&mut self.images, other.images.len())?;
        self.images.extend(other.images);
        self.labels.extend(other.labels);
        self.classes = self.classes.max(other.classes);
        Ok(())
    }

    /// Says which classes have no sample, if some have none.
    pub(super) fn unseen_classes(&self) -> Option<String> {
        let mut is_seen = [false; 256];
        self.labels.iter().for_each(|&label| is_seen[usize::from(label)] = true);
        let unseen = (0..self.classes).filter(|&class| !is_seen[class]);
        let unseen: Vec<String> = unseen.map(|class| self.class_name(class)).collect();
        let first = unseen.first()?;
        let last = if unseen.len() > 1 { unseen.last() } else { None };
        let range = match last {
            None => format!("class {first}"),
            Some(last) if unseen.len() == 2 => format!("classes {first} and {last}"),
            Some(last) => format!("{} classes, {first} to {last}", unseen.len()),
        };
        Some(format!(
            "no training sample of {range}: the network has an output for it that is never trained to answer"
        ))
    }

    /// Takes the pictures that `samples` names (ascending) out of the set, which closes up in its order.
    ///
    /// # Errors
    ///
    /// If there is no memory for them.
    pub(crate) fn take_out(&mut self, samples: &[u32]) -> Result<Self> {
        let pixels = self.pixels();
        let mut images = Vec::new();
        reserve(&mut images, samples.len() * pixels)?;
        let mut taken = Self {
            images,
            labels: Vec::with_capacity(samples.len()),
            class_names: self.class_names.clone(),
            ..*self
        };
        let mut samples = samples.iter().map(|&sample| sample as usize).peekable();
        let mut kept = 0;
        for from in 0..self.len() {
            if samples.next_if_eq(&from).is_some() {
                taken.images.extend_from_slice(self.image(from));
                taken.labels.push(self.labels[from]);
            } else {
                self.images.copy_within(from * pixels..(from + 1) * pixels, kept * pixels);
                self.labels[kept] = self.labels[from];
                kept += 1;
            }
        }
        self.images.truncate(kept * pixels);
        self.labels.truncate(kept);
        Ok(taken)
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

/// Makes room for so many bytes of pixels more.
fn reserve(images: &mut Vec<u8>, more: usize) -> Result<()> {
    let result = images.try_reserve_exact(more);
    result.with_context(|| format!("no memory for {more} bytes of pixels beside {}", images.len()))
}

/// Data to train on and data to test on, of one shape and with the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the network learns from.
    pub train: Dataset,
    /// What it is measured on; never trained on. Empty if there is none.
    pub test: Dataset,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_pictures() -> Dataset {
        let images = (1..=12).collect();
        let labels = vec![0, 2];
        Dataset { images, labels, rows: 2, cols: 3, classes: 3, class_names: vec![], max: 255 }
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
    fn take_out_parts_the_pictures_and_append_puts_them_together() {
        let images: Vec<u8> = (0..30).collect();
        let (labels, class_names) = (vec![0, 1, 2, 3, 4], vec![]);
        let whole = Dataset { images, labels, rows: 2, cols: 3, classes: 5, class_names, max: 29 };
        let mut rest = whole.clone();
        let taken = rest.take_out(&[1, 4]).unwrap();
        assert_eq!(
            (taken.labels.as_slice(), rest.labels.as_slice()),
            (&[1, 4][..], &[0, 2, 3][..])
        );
        assert_eq!((taken.image(1), rest.image(1)), (whole.image(4), whole.image(2)));
        assert_eq!((taken.classes, taken.max, rest.images.len()), (5, 29, 18));
        rest.append(taken).unwrap();
        assert_eq!(rest.labels, [0, 2, 3, 1, 4]);
        assert_eq!(rest.image(3), whole.image(1));
        assert!(rest.take_out(&[]).unwrap().is_empty());
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
