//! A labeled data set in memory.

use anyhow::{Context, Result};
use picomlp::Threads;
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};

use super::schema::{LabelColumn, Schema};
use super::source::Source;
use crate::shape::Shape;

/// Labeled samples of one shape: first those to train on, then those that the source sets aside for validation, then those
/// that it sets aside for testing.
///
/// The set is never copied apart: a [`Split`](super::Split) holds indices into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Inputs, `[len][rows][cols]`, row-major, from 0 to `max`.
    pub images: Vec<u8>,
    /// Labels, `[len]`, each below `classes`.
    pub labels: Vec<u8>,
    /// Rows of a sample.
    pub rows: usize,
    /// Columns of a sample.
    pub cols: usize,
    /// Number of classes; labels run from 0 to `classes - 1`.
    pub classes: usize,
    /// Names of the classes, `[classes]`; empty if they are called 0, 1, 2 and so on.
    pub class_names: Vec<String>,
    /// Maximum value of an input.
    pub max: u8,
    /// Samples in front of the test samples that the source sets aside for validation.
    pub own_validation: usize,
    /// Samples at the end that the source sets aside for testing.
    pub own_test: usize,
    /// Where the samples come from.
    pub source: Source,
    /// Where the test samples come from, if not from `source`.
    pub test_source: Option<Source>,
    /// How the source was read.
    pub schema: Schema,
    /// Whether the source is a folder of image files.
    pub is_image_folder: bool,
    /// What was found in the source, one sentence each.
    pub notes: Vec<String>,
    /// The column of the labels where it was found by comparing the ends of the rows.
    pub label_end: Option<LabelColumn>,
}

/// Training and test samples of a source that has both, of one shape and with the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainTest {
    /// The training set.
    pub train: Dataset,
    /// The test set.
    pub test: Dataset,
}

impl Dataset {
    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns `true` if the set has no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the shape of a sample.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape { rows: self.rows, cols: self.cols }
    }

    /// Returns the number of inputs of a sample.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// Returns the inputs of a sample, `[rows][cols]`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..][..pixels]
    }

    /// Returns the indices of all samples.
    #[must_use]
    pub fn all(&self) -> Vec<u32> {
        (0..).take(self.len()).collect()
    }

    /// Copies some of the samples into a set of their own.
    ///
    /// # Panics
    ///
    /// If a sample is not below [`len`](Self::len).
    #[must_use]
    pub fn subset(&self, samples: &[u32]) -> Self {
        let samples = || samples.iter().map(|&sample| sample as usize);
        Self {
            images: samples().flat_map(|sample| self.image(sample)).copied().collect(),
            labels: samples().map(|sample| self.labels[sample]).collect(),
            class_names: self.class_names.clone(),
            rows: self.rows,
            cols: self.cols,
            classes: self.classes,
            max: self.max,
            ..Self::default()
        }
    }

    /// Copies the inputs of `samples` next to each other into `pixels`, on all threads.
    ///
    /// Shuffled samples lie all over the memory. Copied together, their cache misses overlap; left where they are, each would
    /// stop the kernels.
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

    /// Returns the name of a class: its number, if it has no other.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Adds the samples of another set of the same shape and classes.
    ///
    /// # Errors
    ///
    /// If there is no memory for both.
    pub(super) fn append(&mut self, other: Self) -> Result<()> {
        debug_assert!((self.rows, self.cols, self.max) == (other.rows, other.cols, other.max));
        let more = other.images.len();
        self.images.try_reserve_exact(more).with_context(|| {
            format!("no memory for {more} bytes of inputs beside {}", self.images.len())
        })?;
        self.images.extend(other.images);
        self.labels.extend(other.labels);
        self.classes = self.classes.max(other.classes);
        Ok(())
    }

    /// Describes the classes that have no sample, if some have none.
    pub(super) fn unseen_classes(&self) -> Option<String> {
        let trained = self.len() - self.own_validation - self.own_test;
        let mut is_seen = [false; 256];
        self.labels[..trained].iter().for_each(|&label| is_seen[usize::from(label)] = true);
        let unseen = (0..self.classes).filter(|&class| !is_seen[class]);
        let unseen: Vec<String> = unseen.map(|class| self.class_name(class)).collect();
        let range = match &unseen[..] {
            [] => return None,
            [only] => format!("class {only}"),
            [first, last] => format!("classes {first} and {last}"),
            [first, .., last] => format!("{} classes, {first} to {last}", unseen.len()),
        };
        Some(format!(
            "no training sample of {range}: the network has an output for it that is never trained to answer"
        ))
    }

    /// Returns a number that tells these samples from any others: the same inputs and labels, in the same order and shape.
    ///
    /// It is the 64-bit FNV-1a hash of `rows`, `cols` and the number of samples as little-endian `u32`, then the inputs, then
    /// the labels.
    ///
    /// # Panics
    ///
    /// If a sample is not below [`len`](Self::len).
    #[must_use]
    pub fn fingerprint(&self, samples: &[u32]) -> u64 {
        // No IDX header can say more than `u32::MAX`; past it the number would only be a weaker one.
        let sizes = [self.rows, self.cols, samples.len()];
        let state = sizes
            .iter()
            .fold(FNV_OFFSET, |state, size| fnv1a(state, &(*size as u32).to_le_bytes()));
        let samples = || samples.iter().map(|&sample| sample as usize);
        let state = samples().fold(state, |state, sample| fnv1a(state, self.image(sample)));
        samples().fold(state, |state, sample| fnv1a(state, &[self.labels[sample]]))
    }
}

/// Returns the largest label plus 1.
///
/// # Errors
///
/// If the labels name fewer than two classes.
pub(super) fn count_classes(labels: &[u8]) -> Result<usize> {
    let smallest = labels.iter().min().copied().unwrap_or(0);
    let largest = labels.iter().max().copied().unwrap_or(0);
    anyhow::ensure!(
        smallest < largest,
        "all {} training labels are {largest}, expected at least two classes",
        labels.len()
    );
    Ok(usize::from(largest) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_samples() -> Dataset {
        let images = (1..=12).collect();
        let labels = vec![0, 2];
        Dataset { images, labels, rows: 2, cols: 3, classes: 3, max: 255, ..Dataset::default() }
    }

    #[test]
    fn image_returns_the_pixels_of_one_sample() {
        let data = two_samples();
        assert_eq!((data.len(), data.pixels(), data.is_empty()), (2, 6, false));
        assert_eq!(data.image(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(data.image(1), [7, 8, 9, 10, 11, 12]);
    }

    #[test]
    #[should_panic = "out of range"]
    fn image_panics_past_the_last_sample() {
        let _ = two_samples().image(2);
    }

    #[test]
    fn append_puts_samples_behind_those_that_are_there() {
        let images: Vec<u8> = (0..30).collect();
        let part = |from: usize, to: usize| Dataset {
            images: images[6 * from..6 * to].to_vec(),
            labels: (from as u8..to as u8).collect(),
            classes: 5,
            max: 29,
            ..two_samples()
        };
        let mut whole = part(0, 3);
        whole.append(part(3, 5)).unwrap();
        assert_eq!(
            (whole.images.clone(), whole.labels.clone()),
            (images.clone(), vec![0, 1, 2, 3, 4])
        );
        assert_eq!((whole.classes, whole.max, whole.image(4)), (5, 29, &images[24..]));
        assert_eq!(whole.fingerprint(&[3, 4]), part(3, 5).fingerprint(&[0, 1]));
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
        assert_eq!(two_samples().fingerprint(&[0, 1]), expected);
    }

    #[test]
    fn fingerprint_changes_with_every_part() {
        let data = two_samples();
        let turned = Dataset { rows: 3, cols: 2, ..data.clone() };
        let mut other_pixel = data.clone();
        other_pixel.images[11] = 0;
        let mut other_label = data.clone();
        other_label.labels[0] = 1;
        for other in [turned, other_pixel, other_label] {
            assert_ne!(other.fingerprint(&[0, 1]), data.fingerprint(&[0, 1]), "{other:?}");
        }
    }
}
