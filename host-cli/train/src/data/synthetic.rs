//! Digits and movements drawn by the program itself, so that the first run needs no download.

use picomlp_fixtures::digits::{CLASSES, PIXELS, SIDE, sample};
use picomlp_fixtures::motion::{self, AXES, NAMES, VALUES};

use super::dataset::{Dataset, Feature, TrainTest};

/// Training images of [`Source::Synthetic`](super::Source::Synthetic): as many as MNIST has.
pub const TRAIN: usize = 60_000;

/// Test images of [`Source::Synthetic`](super::Source::Synthetic): as many as MNIST has.
pub const TEST: usize = 10_000;

/// Training windows of [`Source::Motion`](super::Source::Motion).
pub const MOTION_TRAIN: usize = 2000;

/// Test windows of [`Source::Motion`](super::Source::Motion).
pub const MOTION_TEST: usize = 1000;

/// The seed of all synthetic sources, whatever a run's own seed is.
pub const SEED: u64 = 1;

/// What the seed is combined with (exclusive or) for the test samples, so that they are a stream
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

/// As [`split`], but windows of two seconds of a wrist's accelerometer ([`picomlp_fixtures::motion`]): 50 readings of 3 axes, of
/// people who stand, walk, run or cycle.
///
/// # Examples
///
/// ```
/// let split = picomlp_train::data::synthetic::motion(8, 4, 1);
/// assert_eq!((split.train.len(), split.train.pixels()), (8, 150));
/// assert_eq!(split.train.features[3].to_string(), "acc_x_1 [g]");
/// assert_eq!(split.test.class_names[2], "running");
/// ```
#[must_use]
pub fn motion(train: usize, test: usize, seed: u64) -> TrainTest {
    TrainTest { train: record(train, seed), test: record(test, seed ^ TEST_STREAM) }
}

/// Records windows 0 to `count - 1` of the stream `seed`.
fn record(count: usize, seed: u64) -> Dataset {
    let mut readings = vec![0.0; count * VALUES];
    let (windows, _) = readings.as_chunks_mut::<VALUES>();
    let labels: Vec<u8> =
        windows.iter_mut().zip(0..).map(|(x, i)| motion::sample(i, seed, x)).collect();
    let name = |value: usize| format!("acc_{}_{}", ["x", "y", "z"][value % AXES], value / AXES);
    Dataset {
        inputs: readings.into(),
        targets: labels.into(),
        rows: 1,
        cols: VALUES,
        features: (0..VALUES).map(|i| Feature { name: name(i), unit: "g".to_owned() }).collect(),
        classes: NAMES.len(),
        class_names: NAMES.map(str::to_owned).to_vec(),
        ..Dataset::default()
    }
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
    use crate::data::Values;

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
    fn motion_tests_on_windows_that_it_does_not_train_on_and_draws_the_same_first_ones() {
        let (few, many) = (motion(8, 4, 1), motion(40, 40, 1));
        let floats = |data: &Dataset| match &data.inputs {
            Values::Floats(values) => values.clone(),
            Values::Bytes(_) => panic!("windows are no bytes"),
        };
        let (train, test) = (floats(&many.train), floats(&many.test));
        assert_eq!(
            (floats(&few.train), floats(&few.test)),
            (train[..8 * VALUES].into(), test[..4 * VALUES].into())
        );
        assert!(test.chunks(VALUES).all(|test| train.chunks(VALUES).all(|train| train != test)));
        assert_eq!(few.test.labels(), [0, 1, 2, 3]);
        assert_ne!(motion(8, 4, 2).train.inputs, few.train.inputs);
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
