//! Digits drawn by the program itself, so that the first run needs no download.

use picomlp_fixtures::digits::{CLASSES, PIXELS, SIDE, sample};

use super::dataset::{Dataset, TrainTest};

/// Training images of [`Source::Synthetic`](super::Source::Synthetic): as many as MNIST has.
pub const TRAIN: usize = 60_000;

/// Test images of [`Source::Synthetic`](super::Source::Synthetic): as many as MNIST has.
pub const TEST: usize = 10_000;

/// The seed of [`Source::Synthetic`](super::Source::Synthetic), whatever a run's own seed is.
pub const SEED: u64 = 1;

/// What the seed is combined with (exclusive or) for the test images, so that they are a stream
/// of their own.
///
/// Any constant with many bits set would do; these are the letters `test set` in ASCII.
pub const TEST_STREAM: u64 = u64::from_be_bytes(*b"test set");

/// Draws `train` training images and `test` test images; the same numbers give the same
/// images.
///
/// The first `n` images do not depend on how many are drawn, and those of the test set are drawn
/// from another stream: a larger training set never reaches into the test set.
///
/// # Examples
///
/// ```
/// let split = picomlp_train::data::synthetic::split(100, 20, 1);
/// assert_eq!((split.train.len(), split.test.len()), (100, 20));
/// assert_eq!((split.train.rows, split.train.cols, split.train.classes), (28, 28, 10));
/// ```
#[must_use]
pub fn split(train: usize, test: usize, seed: u64) -> TrainTest {
    TrainTest { train: draw(train, seed), test: draw(test, seed ^ TEST_STREAM) }
}

/// Draws samples 0 to `count - 1` of the stream `seed`.
fn draw(count: usize, seed: u64) -> Dataset {
    let mut images = vec![0; count * PIXELS];
    let (places, _) = images.as_chunks_mut::<PIXELS>();
    let labels: Vec<u8> =
        places.iter_mut().zip(0..).map(|(image, index)| sample(index, seed, image)).collect();
    let (inputs, targets) = (images.into(), labels.into());
    let (rows, cols) = (SIDE, SIDE);
    Dataset { inputs, targets, rows, cols, classes: CLASSES, max: u8::MAX, ..Dataset::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_gives_the_same_images_for_the_same_seed_only() {
        assert_eq!(split(30, 10, 7), split(30, 10, 7));
        let (a, b) = (split(30, 10, 7), split(30, 10, 8));
        assert_ne!(a.train.inputs, b.train.inputs);
        assert_ne!(a.test.inputs, b.test.inputs);
    }

    #[test]
    fn split_does_not_change_the_first_images_when_more_are_drawn() {
        let (few, many) = (split(10, 5, 3), split(40, 20, 3));
        assert_eq!(few.train.images(), &many.train.images()[..10 * PIXELS]);
        assert_eq!(few.test.labels(), &many.test.labels()[..5]);
    }

    #[test]
    fn split_tests_on_images_that_it_does_not_train_on() {
        let split = split(200, 200, 1);
        for test in 0..split.test.len() {
            let image = split.test.image(test);
            assert!(
                (0..split.train.len()).all(|train| split.train.image(train) != image),
                "{test}"
            );
        }
    }

    #[test]
    fn split_labels_every_image_below_the_class_count() {
        let split = split(500, 100, 5);
        assert!(split.train.labels().iter().all(|label| usize::from(*label) < split.train.classes));
        assert_eq!(split.train.images().len(), 500 * split.train.pixels());
        let seen = (0..10).filter(|class| split.train.labels().contains(class)).count();
        assert_eq!(seen, 10, "some class was never drawn in 500 images");
    }
}
