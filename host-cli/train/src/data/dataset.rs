//! A labeled data set in memory.

use core::fmt;
use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::TargetKind;
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};

use super::groups::Groups;
use super::schema::{Schema, Target};
use super::source::Source;
use crate::shape::Shape;

/// The inputs of all samples, `[len][rows][cols]`: owned or lent.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels from 0 to [`max`](Dataset::max).
    Bytes(Cow<'static, [u8]>),
    /// Features in their own units.
    Floats(Cow<'static, [f32]>),
}

/// What the network is to answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class each, below [`classes`](Dataset::classes): `[len]`.
    Classes(Vec<u16>),
    /// Numbers, one for each of [`target_names`](Dataset::target_names): `[len][targets]`.
    Values(Vec<f32>),
    /// 0 or 1 for each of [`target_names`](Dataset::target_names), which a sample may have several of: `[len][labels]`.
    Labels(Vec<f32>),
}

/// A column of features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feature {
    /// From the header; a number counted from 1 where there is none.
    pub name: String,
    /// From a row of units below the header, or empty.
    pub unit: String,
}

/// Labeled samples of one shape: first those to train on, then those that the source sets aside for validation, then those
/// that it sets aside for testing.
///
/// The set is never copied apart: a [`Split`](super::Split) holds indices into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// Inputs, row-major.
    pub inputs: Values,
    /// Targets, as many as there are samples.
    pub targets: Targets,
    /// Whether each sample is of none of the normal classes; empty if that is not known.
    pub anomalous: Vec<bool>,
    /// Which samples belong together.
    pub groups: Groups,
    /// The recording that each sample is a window of; empty if the samples are no windows.
    pub recordings: Vec<u32>,
    /// Rows of a sample; 1 for features.
    pub rows: usize,
    /// Columns of a sample.
    pub cols: usize,
    /// The features, `[cols]`; empty for images.
    pub features: Vec<Feature>,
    /// Number of classes; labels run from 0 to `classes - 1`. 0 where the targets are no classes.
    pub classes: usize,
    /// Names of the classes, `[classes]`; empty if they are called 0, 1, 2 and so on.
    pub class_names: Vec<String>,
    /// Names of the columns of the targets, one for each value to predict; empty if they have none.
    pub target_names: Vec<String>,
    /// Maximum value of a pixel; 0 for features.
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
    pub label_end: Option<Target>,
}

/// Training and test samples of a source that has both, of one shape and with the same classes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainTest {
    /// The training set.
    pub train: Dataset,
    /// The test set.
    pub test: Dataset,
}

impl Default for Values {
    fn default() -> Self {
        Self::Bytes(Cow::default())
    }
}

impl Default for Targets {
    fn default() -> Self {
        Self::Classes(Vec::new())
    }
}

impl Values {
    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Returns `true` if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all but the first `len` values.
    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Bytes(values) => values.to_mut().truncate(len),
            Self::Floats(values) => values.to_mut().truncate(len),
        }
    }

    /// Returns a value as a number.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn get(&self, index: usize) -> f32 {
        match self {
            Self::Bytes(values) => f32::from(values[index]),
            Self::Floats(values) => values[index],
        }
    }
}

impl From<Vec<u8>> for Values {
    fn from(pixels: Vec<u8>) -> Self {
        Self::Bytes(pixels.into())
    }
}

impl From<Vec<f32>> for Values {
    fn from(features: Vec<f32>) -> Self {
        Self::Floats(features.into())
    }
}

impl From<Vec<u8>> for Targets {
    fn from(labels: Vec<u8>) -> Self {
        Self::Classes(labels.into_iter().map(u16::from).collect())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.unit.is_empty() { Ok(()) } else { write!(f, " [{}]", self.unit) }
    }
}

/// Copies the rows of `width` values that `samples` name.
fn picked<T: Copy>(values: &[T], width: usize, samples: &[u32]) -> Vec<T> {
    let row = |&sample: &u32| &values[sample as usize * width..][..width];
    samples.iter().flat_map(row).copied().collect()
}

/// The same for one value each, or none at all.
fn if_any<T: Copy>(values: &[T], samples: &[u32]) -> Vec<T> {
    if values.is_empty() { Vec::new() } else { picked(values, 1, samples) }
}

/// Appends `more` to `values`.
fn append<T>(values: &mut Vec<T>, more: Vec<T>, what: &str) -> Result<()> {
    values
        .try_reserve_exact(more.len())
        .with_context(|| format!("no memory for {} {what} beside {}", more.len(), values.len()))?;
    values.extend(more);
    Ok(())
}

impl Dataset {
    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.len().checked_div(self.pixels()).unwrap_or(0)
    }

    /// Returns `true` if the set has no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// Returns the number of targets: classes, labels or values.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.targets {
            Targets::Classes(_) => self.classes,
            Targets::Values(_) | Targets::Labels(_) => self.target_names.len(),
        }
    }

    /// Returns what the targets are.
    #[must_use]
    pub fn target_kind(&self) -> TargetKind {
        match self.targets {
            Targets::Classes(_) => TargetKind::Classes,
            Targets::Labels(_) => TargetKind::Labels,
            Targets::Values(_) if self.schema.target == Target::Inputs => TargetKind::Inputs,
            Targets::Values(_) => TargetKind::Values,
        }
    }

    /// Returns the pixels of all samples, `[len][rows][cols]`; none if the inputs are no bytes.
    #[must_use]
    pub fn images(&self) -> &[u8] {
        match &self.inputs {
            Values::Bytes(pixels) => pixels,
            Values::Floats(_) => &[],
        }
    }

    /// Returns the pixels of a sample, `[rows][cols]`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), or the inputs are no bytes.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images()[index * pixels..][..pixels]
    }

    /// Returns the class of each sample; none if the targets are no classes.
    #[must_use]
    pub fn labels(&self) -> &[u16] {
        match &self.targets {
            Targets::Classes(labels) => labels,
            Targets::Values(_) | Targets::Labels(_) => &[],
        }
    }

    /// Returns the class of each sample, for data of at most 256 classes.
    #[must_use]
    pub fn byte_labels(&self) -> Vec<u8> {
        self.labels().iter().map(|&label| label as u8).collect()
    }

    /// Returns the class of a sample.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len), or the targets are no classes.
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels()[index])
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
        Self {
            inputs: match &self.inputs {
                Values::Bytes(values) => picked(values, self.pixels(), samples).into(),
                Values::Floats(values) => picked(values, self.pixels(), samples).into(),
            },
            targets: match &self.targets {
                Targets::Classes(labels) => Targets::Classes(if_any(labels, samples)),
                Targets::Values(values) => Targets::Values(picked(values, self.outputs(), samples)),
                Targets::Labels(labels) => Targets::Labels(picked(labels, self.outputs(), samples)),
            },
            anomalous: if_any(&self.anomalous, samples),
            groups: Groups {
                of: if_any(&self.groups.of, samples),
                names: self.groups.names.clone(),
                are_runs: self.groups.are_runs,
            },
            recordings: if_any(&self.recordings, samples),
            features: self.features.clone(),
            class_names: self.class_names.clone(),
            target_names: self.target_names.clone(),
            rows: self.rows,
            cols: self.cols,
            classes: self.classes,
            max: self.max,
            schema: self.schema.clone(),
            ..Self::default()
        }
    }

    /// Puts `fill`, a value for each feature, in place of missing ones (NaN).
    pub fn fill(&mut self, fill: &[f32]) {
        if let Values::Floats(values) = &mut self.inputs
            && !fill.is_empty()
        {
            super::scaling::fill(values.to_mut(), fill);
        }
    }

    /// Takes classes or labels of features that are numbers for values to predict.
    pub fn predict_numbers(&mut self) {
        if let Targets::Labels(labels) = &mut self.targets {
            self.targets = Targets::Values(core::mem::take(labels));
        }
        if let (Targets::Classes(labels), 0, true) =
            (&self.targets, self.max, self.class_names.is_empty())
        {
            self.targets = Targets::Values(labels.iter().map(|&label| label.into()).collect());
            self.classes = 0;
        }
    }

    /// Drops all but the first `len` samples.
    pub(super) fn truncate(&mut self, len: usize) {
        self.inputs.truncate(len * self.pixels());
        self.anomalous.truncate(len);
        self.groups.of.truncate(len);
        self.recordings.truncate(len);
        let outputs = self.outputs();
        match &mut self.targets {
            Targets::Classes(labels) => labels.truncate(len),
            Targets::Values(values) | Targets::Labels(values) => values.truncate(len * outputs),
        }
    }

    /// Returns the name of a class: its number, if it has no other.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Adds the samples of another set of the same shape and targets.
    ///
    /// # Errors
    ///
    /// If there is no memory for both, or they are of another kind.
    pub(super) fn append(&mut self, other: Self) -> Result<()> {
        debug_assert!((self.rows, self.cols, self.max) == (other.rows, other.cols, other.max));
        self.groups.append(self.len(), &other.groups, other.len());
        let next = self.recordings.last().map_or(0, |last| last + 1);
        self.recordings.extend(other.recordings.iter().map(|of| next + of));
        match (&mut self.inputs, other.inputs) {
            (Values::Bytes(values), Values::Bytes(more)) => {
                append(values.to_mut(), more.into_owned(), "pixels")?
            }
            (Values::Floats(values), Values::Floats(more)) => {
                append(values.to_mut(), more.into_owned(), "features")?
            }
            _ => bail!("images and features do not go together"),
        }
        match (&mut self.targets, other.targets) {
            (Targets::Classes(labels), Targets::Classes(more)) => append(labels, more, "labels")?,
            (Targets::Values(values), Targets::Values(more))
            | (Targets::Labels(values), Targets::Labels(more)) => append(values, more, "targets")?,
            _ => bail!("classes, labels and values to predict do not go together"),
        }
        self.anomalous.extend(other.anomalous);
        self.classes = self.classes.max(other.classes);
        Ok(())
    }

    /// Describes the classes that have no sample, if some have none.
    pub(super) fn unseen_classes(&self) -> Option<String> {
        let labels = self.labels();
        let trained = labels.len().saturating_sub(self.own_validation + self.own_test);
        let mut is_seen = vec![false; self.classes];
        labels[..trained].iter().for_each(|&label| is_seen[usize::from(label)] = true);
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

    /// Returns a number that tells these samples from any others: the same inputs and targets, in the same order and shape.
    ///
    /// It is the 64-bit FNV-1a hash of `rows`, `cols` and the number of samples as little-endian `u32`, then the inputs, then
    /// the targets: bytes as they are (labels too, where there are at most 256 classes), others in little-endian order.
    ///
    /// # Panics
    ///
    /// If a sample is not below [`len`](Self::len).
    #[must_use]
    pub fn fingerprint(&self, samples: &[u32]) -> u64 {
        fn floats(state: u64, values: &[f32]) -> u64 {
            values.iter().fold(state, |state, value| fnv1a(state, &value.to_le_bytes()))
        }
        // No IDX header can say more than `u32::MAX`; past it the number would only be a weaker one.
        let sizes = [self.rows, self.cols, samples.len()];
        let state = sizes
            .iter()
            .fold(FNV_OFFSET, |state, size| fnv1a(state, &(*size as u32).to_le_bytes()));
        let samples = || samples.iter().map(|&sample| sample as usize);
        let (inputs, outputs) = (self.pixels(), self.outputs());
        let state = samples().fold(state, |state, sample| match &self.inputs {
            Values::Bytes(_) => fnv1a(state, self.image(sample)),
            Values::Floats(values) => floats(state, &values[sample * inputs..][..inputs]),
        });
        samples().fold(state, |state, sample| match &self.targets {
            Targets::Classes(labels) if self.classes <= 256 => {
                fnv1a(state, &[labels[sample] as u8])
            }
            Targets::Classes(labels) => fnv1a(state, &labels[sample].to_le_bytes()),
            Targets::Values(values) | Targets::Labels(values) => {
                floats(state, &values[sample * outputs..][..outputs])
            }
        })
    }
}

/// Returns the largest label plus 1.
///
/// # Errors
///
/// If the labels name fewer than two classes.
pub(super) fn count_classes(labels: &[u16]) -> Result<usize> {
    let smallest = labels.iter().min().copied().unwrap_or(0);
    let largest = labels.iter().max().copied().unwrap_or(0);
    ensure!(
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
        let (inputs, targets) = (Values::Bytes((1..=12).collect()), vec![0u8, 2].into());
        Dataset { inputs, targets, rows: 2, cols: 3, classes: 3, max: 255, ..Dataset::default() }
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
            inputs: images[6 * from..6 * to].to_vec().into(),
            targets: Targets::Classes((from as u16..to as u16).collect()),
            classes: 5,
            max: 29,
            ..two_samples()
        };
        let mut whole = part(0, 3);
        whole.append(part(3, 5)).unwrap();
        assert_eq!((whole.images(), whole.labels()), (&images[..], &[0, 1, 2, 3, 4][..]));
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
        other_pixel.inputs = Values::Bytes((1..=11).chain([0]).collect());
        let mut other_label = data.clone();
        other_label.targets = vec![1u8, 2].into();
        for other in [turned, other_pixel, other_label] {
            assert_ne!(other.fingerprint(&[0, 1]), data.fingerprint(&[0, 1]), "{other:?}");
        }
    }
}
