//! Reads NumPy's arrays as a data set: samples `[count][…]`, and what is to be answered.
//!
//! In an archive, the samples are `X`, `x`, `data`, `images`, `features` or `inputs`, the targets `y`, `labels`, `label`, `target` or
//! `targets` (`--features` and `--target` name others), and those of a part have its name before or behind: `x_train`, `y_test`,
//! `val_images`. A lone array holds samples without targets.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::csv::{Labels, TargetReader, USUAL_MAX, check_training, constant_features};
use super::dataset::{Dataset, Feature, Targets, Values};
use super::expected::Expected;
use super::groups::Groups;
use super::schema::{Missing, Schema, Selection, Target};
use super::windows;
use crate::npy::{Npy, arrays};
use crate::shape::Shape;
use crate::text::grouped;

const INPUTS: [&str; 5] = ["x", "data", "images", "features", "inputs"];
const TARGETS: [&str; 5] = ["y", "labels", "label", "target", "targets"];

/// Bytes that any archive may unpack to; beyond it, 12 times its size.
const ALWAYS: u64 = 256 << 20;

/// A part of a set, and how arrays of it are called.
const PARTS: [&[&str]; 3] =
    [&["train", "training", ""], &["val", "valid", "validation"], &["test"]];

/// What a file holds: training, validation and test samples.
type Parts = [Option<Dataset>; 3];

/// The arrays of a file by name.
struct Arrays(Vec<(String, Vec<u8>)>);

impl Arrays {
    fn read(path: &Path) -> Result<Self> {
        crate::open::open(path)?;
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut found = Vec::new();
        if bytes.starts_with(b"PK") {
            let most = ALWAYS.max(12 * bytes.len() as u64);
            arrays(&bytes, most, |name, array| {
                found.push((name.to_owned(), array));
                Ok(())
            })
            .with_context(|| path.display().to_string())?;
        } else {
            found.push(("x".to_owned(), bytes));
        }
        Ok(Self(found))
    }

    /// Finds an array of a part by the usual names, or by the one that was said.
    fn find(&self, part: usize, usual: &[&str], said: &Selection) -> Option<&(String, Vec<u8>)> {
        if let ([name], 0) = (&said.0[..], part) {
            return self.0.iter().find(|(array, _)| array == name);
        }
        let parts = || PARTS[part].iter();
        let is_it = |array: &str, base: &str| {
            parts().any(|part| {
                array == format!("{base}_{part}")
                    || array == format!("{part}_{base}")
                    || part.is_empty() && array == base
            })
        };
        let find =
            |base: &&str| self.0.iter().find(|(array, _)| is_it(&array.to_ascii_lowercase(), base));
        let found = usual.iter().find_map(find);
        // The only array there is.
        let is_lone = part == 0 && usual == INPUTS && self.0.len() == 1;
        found.or_else(|| self.0.first().filter(|_| is_lone))
    }

    fn names(&self) -> String {
        self.0.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>().join(", ")
    }
}

/// Reads the parts of the set that are in a file. With `expected`, samples and targets must fit it.
///
/// # Errors
///
/// Each names the file and the array: it cannot be read or is none; there are no samples; samples and targets are not as many; an
/// element is missing or infinite; a label is none of the classes.
pub(super) fn read(
    path: &Path,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
    wanted: Labels,
) -> Result<Parts> {
    let (shown, all) = (path.display(), Arrays::read(path)?);
    let mut found: Parts = [None, None, None];
    for part in 0..PARTS.len() {
        let Some((name, inputs)) = all.find(part, &INPUTS, &schema.features) else { continue };
        let said = match &schema.target {
            Target::Columns(columns) => columns.clone(),
            Target::Auto | Target::None | Target::Inputs => Selection::default(),
            other => {
                bail!("{shown}: --target {other} is for columns, expected the name of an array")
            }
        };
        let targets = all.find(part, &TARGETS, &said).filter(|_| {
            wanted == Labels::Read && matches!(schema.target, Target::Auto | Target::Columns(_))
        });
        let groups = all.find(part, &[], &schema.group).filter(|_| !schema.group.0.is_empty());
        // Test and validation samples must fit those to train on.
        let (training, rest) = found.split_first_mut().context("no part")?;
        let training = training.as_ref().filter(|_| part > 0).map(Expected::training);
        let read = Reader { schema, expected: expected.or(training.as_ref()), wanted };
        let data = read.part(
            path,
            [Some((name, inputs)), targets.map(|(n, b)| (n, b)), groups.map(|(n, b)| (n, b))],
        );
        let data = data.with_context(|| shown.to_string())?;
        if part == 0 { found[0] = Some(data) } else { rest[part - 1] = Some(data) }
    }
    ensure!(
        found.iter().any(Option::is_some),
        "{shown}: no array is named X, data, images, features or inputs, with or without train or test: the file has {}; \
         name samples by --features and targets by --target",
        all.names()
    );
    Ok(found)
}

struct Reader<'a> {
    schema: &'a Schema,
    expected: Option<&'a Expected<'a>>,
    wanted: Labels,
}

type Array<'a> = Option<(&'a String, &'a Vec<u8>)>;

impl Reader<'_> {
    /// Reads samples, targets and groups.
    fn part(&self, path: &Path, [inputs, targets, groups]: [Array<'_>; 3]) -> Result<Dataset> {
        let (name, bytes) = inputs.context("no samples")?;
        let at = || format!("array `{name}`");
        let array = Npy::parse(bytes).with_context(at)?;
        let mut data = self.samples(&array).with_context(at)?;
        let count = data.len();
        ensure!(count > 0, "array `{name}` is empty: its shape is {:?}", array.shape);
        let mut what = "no labels".to_owned();
        if self.schema.target == Target::Inputs && self.wanted == Labels::Read {
            let Values::Floats(values) = &data.inputs else {
                bail!("--target inputs takes features, and `{name}` holds images");
            };
            data.targets = Targets::Values(values.to_vec());
            data.target_names = data.features.iter().map(|feature| feature.name.clone()).collect();
            "targets: the features".clone_into(&mut what);
        } else if let Some((name, bytes)) = targets {
            let array = Npy::parse(bytes).and_then(|array| self.targets(&array, count, &mut data));
            what = array.with_context(|| format!("array `{name}`"))? + &format!(" in `{name}`");
            match self.expected {
                Some(expected) => data.classes = expected.classes,
                None => check_training(path, &mut data)?,
            }
        }
        if let Some((name, bytes)) = groups {
            let words = Npy::parse(bytes).and_then(|array| array.words());
            let words = words.with_context(|| format!("array `{name}`"))?;
            ensure!(
                words.len() == count,
                "array `{name}` has {} groups of {count} samples",
                words.len()
            );
            let (mut groups, mut seen) = (Groups::default(), HashMap::new());
            words.iter().for_each(|word| groups.push(&mut seen, word));
            data.groups = groups;
        }
        let shape = match &data.inputs {
            Values::Bytes(_) => {
                format!("images of {}×{}, pixels from 0 to {}", data.rows, data.cols, data.max)
            }
            Values::Floats(_) => format!("{} features", data.pixels()),
        };
        data.notes.push(format!(
            "{}: {} samples in `{name}`, {what}, {shape}",
            path.display(),
            grouped(count)
        ));
        if self.schema.window.is_some() {
            let channels = match array.shape[..] {
                [_, _, channels] => channels,
                _ => self.schema.channels.map_or(data.cols, |channels| channels as usize),
            };
            ensure!(
                channels > 0 && data.cols.is_multiple_of(channels),
                "the {} values of a sample are no steps of {channels} channels",
                data.cols
            );
            let channels: Vec<Feature> = (1..=channels).map(feature).collect();
            data = windows::cut(data, &channels, &[], self.schema)?;
        }
        if self.expected.is_none() {
            data.notes.extend(constant_features(&data));
        }
        Ok(data)
    }

    /// Reads the samples: bytes if they are an image's pixels, else floats.
    fn samples(&self, array: &Npy<'_>) -> Result<Dataset> {
        // A side of 1 is a gray image's only channel.
        let mut shape = array.shape.clone();
        while shape.len() > 3 && shape.last() == Some(&1) {
            shape.pop();
        }
        if shape.len() == 4 && shape[1] == 1 {
            shape.remove(1);
        }
        let (&count, sides) = shape.split_first().context("it has no dimension")?;
        let width = sides.iter().product::<usize>();
        ensure!(width > 0, "its shape is {:?}: there are no values", array.shape);
        let known = self.expected.map(|expected| expected.shape).or(self.schema.image_shape);
        let image = match (known, sides) {
            (Some(shape), _) => Some(shape).filter(|shape| shape.pixels() == width),
            (None, [rows, cols]) => Some(Shape { rows: *rows, cols: *cols }),
            (None, _) => Shape::square(width),
        };
        let image = image.filter(|shape| shape.holds_an_image() && self.schema.window.is_none());
        let may_be_image = match self.expected {
            Some(expected) => expected.max > 0,
            None => image.is_some(),
        };
        let floats = match array.bytes() {
            Some(bytes) => Values::from(bytes?),
            None => Values::from(array.floats()?),
        };
        let is_pixel = |value: f32| value.fract() == 0.0 && (0.0..=255.0).contains(&value);
        let (mut largest, mut are_pixels) = (0.0f32, may_be_image);
        for at in 0..if are_pixels { floats.len() } else { 0 } {
            let value = floats.get(at);
            are_pixels &= is_pixel(value);
            largest = largest.max(value);
        }
        let max = self.expected.map(|expected| expected.max).or(self.schema.csv_max.0);
        let usual = USUAL_MAX.into_iter().find(|max| f32::from(*max) == largest);
        // What is stored as bytes and has rows and columns is an image, however dark.
        let bytes = matches!(floats, Values::Bytes(_)) && sides.len() > 1;
        let max = max.or(usual).or(bytes.then_some(u8::MAX));
        if let (Some(shape), Some(max), true) = (image, max, are_pixels) {
            ensure!(
                largest <= f32::from(max),
                "its largest pixel is {largest}, expected at most {max}"
            );
            let inputs = match floats {
                Values::Bytes(_) => floats,
                Values::Floats(values) => {
                    Values::Bytes(values.iter().map(|value| *value as u8).collect())
                }
            };
            return Ok(Dataset {
                inputs,
                rows: shape.rows,
                cols: shape.cols,
                max,
                ..Dataset::default()
            });
        }
        ensure!(
            self.expected.is_none_or(|expected| expected.max == 0),
            "expected whole numbers from 0 to 255, the pixels of an image of {}, in the shape {:?}",
            known.map_or_else(String::new, |shape| shape.to_string()),
            array.shape
        );
        let mut values = match floats {
            Values::Bytes(bytes) => bytes.iter().map(|&byte| f32::from(byte)).collect(),
            Values::Floats(values) => values.into_owned(),
        };
        self.check_finite(&mut values, width)?;
        let mut features: Vec<Feature> = (1..=width).map(feature).collect();
        if let Some(expected) = self.expected.filter(|_| self.schema.window.is_none()) {
            ensure!(
                expected.shape.pixels() == width,
                "its samples have {width} values, expected the {} of {}",
                expected.shape.pixels(),
                expected.of
            );
            features = expected.features.to_vec();
        }
        debug_assert_eq!(values.len(), count * width);
        Ok(Dataset { inputs: values.into(), rows: 1, cols: width, features, ..Dataset::default() })
    }

    /// Refuses infinities, and handles what is missing.
    fn check_finite(&self, values: &mut [f32], width: usize) -> Result<()> {
        for (at, value) in values.iter_mut().enumerate().filter(|(_, value)| !value.is_finite()) {
            let place = || format!("sample {}, feature {}", at / width + 1, at % width + 1);
            ensure!(value.is_nan(), "{}: expected a finite number, got {value}", place());
            match self.schema.missing {
                Missing::Zero => *value = 0.0,
                Missing::Mean => {}
                Missing::Refuse | Missing::Drop => bail!(
                    "{}: expected a number, got NaN (a missing value: --missing mean or zero fill it)",
                    place()
                ),
            }
        }
        Ok(())
    }

    /// Reads what is to be answered; returns what it is.
    fn targets(&self, array: &Npy<'_>, count: usize, data: &mut Dataset) -> Result<String> {
        let shape: Vec<usize> = array.shape.iter().copied().filter(|&side| side != 1).collect();
        let rows = array.shape.first().copied().unwrap_or(0);
        ensure!(rows == count, "it has {rows} targets, but there are {count} samples");
        let width = shape.get(usize::from(count > 1)).copied().unwrap_or(1);
        let words = array.words()?;
        let is_one_hot = width > 1
            && words.chunks_exact(width).all(|row| {
                row.iter().filter(|word| *word == "1").count() == 1
                    && row.iter().filter(|word| *word == "0").count() == width - 1
            });
        let mut reader = TargetReader::new(self.expected, b',');
        for (row, words) in words.chunks_exact(width).enumerate() {
            if is_one_hot {
                reader.push(words.iter().position(|word| word == "1").unwrap_or(0))?;
                continue;
            }
            for word in words {
                let read = match width {
                    1 => reader.read(word.as_bytes()),
                    _ => reader.value(word.as_bytes()),
                };
                read.map_err(|what| {
                    anyhow::anyhow!("sample {}: expected {what}, got `{word}`", row + 1)
                })?;
            }
        }
        let (width, is_image) = (if is_one_hot { 1 } else { width }, data.max > 0);
        let found = reader.finish(count, width, self.schema.target_type, is_image)?;
        (data.targets, data.class_names) = (found.targets, found.names);
        data.target_names = match width {
            1 => vec!["y".to_owned()],
            _ => (1..=width).map(|target| format!("y{target}")).collect(),
        };
        Ok(match data.targets {
            Targets::Classes(_) if is_one_hot => "one-hot labels".to_owned(),
            Targets::Classes(_) => "labels".to_owned(),
            Targets::Labels(_) => format!("labels{}", found.note),
            Targets::Values(_) => format!("values to predict{}", found.note),
        })
    }
}

/// A feature without a name of its own.
fn feature(number: usize) -> Feature {
    Feature { name: number.to_string(), unit: String::new() }
}
