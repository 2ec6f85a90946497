//! What a model's inputs are: what data must fit, how image files are read for it, and how its training data was split.
//!
//! Whatever was done to the data before training is a property of the model. Each command takes it from here, and refuses a
//! flag that contradicts it.

use core::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{Blob, DataSplit, Input, InputKind, InputStats, Preparation};
use picomlp::{InputMap, Layer, Sequential};

use crate::ModelFile;
use crate::data::format::CsvMax;
use crate::data::split::{Amount, HeldOut, Part, Parting};
use crate::data::{DataArgs, Dataset, Format, Known, Shape, Source, Split, pixel_map};
use crate::picture;
use crate::text::warn;

/// What data must fit that a model is to be run on.
pub(crate) struct ModelInput {
    /// The model's path, for messages.
    model: String,
    pub(crate) shape: Shape,
    /// What image files go through before their pixels are read.
    pub(crate) preparation: Preparation,
    /// The largest raw value: that of gray level 255.
    pub(crate) max: u8,
    is_image: bool,
    pub(crate) stats: Option<InputStats>,
    classes: usize,
    names: Vec<String>,
    pub(crate) split: Option<DataSplit>,
    seed: u64,
    data_fingerprint: u64,
}

impl ModelInput {
    /// Of a sound blob and its network. A model that does not record its images' shape reads squares, or else one row.
    pub(crate) fn new(file: &ModelFile, blob: &Blob<'_>, net: &Sequential) -> Self {
        let square = Shape::square(net.inputs());
        let unknown = square.unwrap_or(Shape { rows: 1, cols: net.inputs() });
        let (input, provenance) = (blob.input(), blob.provenance().unwrap_or_default());
        let shape = input.map_or(unknown, |input| Shape { rows: input.rows, cols: input.cols });
        let mut names: Vec<String> = blob.class_names().map(str::to_owned).collect();
        if names.iter().enumerate().all(|(class, name)| *name == class.to_string()) {
            names.clear();
        }
        let command = if blob.version() == 1 { provenance.command } else { "" };
        let (said_max, said_preparation) = said_by_command(command);
        let preparation = input.map_or(Preparation::NotRecorded, |input| input.preparation);
        Self {
            model: file.path().display().to_string(),
            shape,
            preparation: match preparation {
                Preparation::NotRecorded => said_preparation,
                recorded => recorded,
            },
            max: match input.and_then(|input| input.max).or(said_max) {
                Some(max) => max,
                None => input.map_or(u8::MAX, |input| read_as_1(input.map)),
            },
            // Version 1 did not tell images from features.
            is_image: input.is_some_and(|input| input.kind == InputKind::Image)
                && (blob.version() > 1 || shape.holds_an_image()),
            stats: input.and_then(|input| input.stats),
            classes: net.outputs(),
            names,
            split: blob.split(),
            seed: provenance.seed,
            data_fingerprint: provenance.data_fingerprint,
        }
    }

    pub(crate) fn known(&self) -> Known<'_> {
        let Self { shape, max, classes, ref names, .. } = *self;
        Known { of: "the model", shape, max, classes, names }
    }

    /// The name of a class: its number, if it has no other.
    pub(crate) fn class_name(&self, class: usize) -> String {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// `given` completed by what the model records.
    ///
    /// # Errors
    ///
    /// If a flag contradicts the model.
    pub(crate) fn format(&self, given: &Format) -> Result<Format> {
        let Self { model, shape, max, .. } = self;
        ensure!(
            !given.normalize || self.preparation != Preparation::AsIs,
            "--normalize contradicts {model}, which was trained on images as they are: leave the flag out, or train with it"
        );
        if let Some(given) = given.image_shape
            && given != *shape
        {
            bail!(
                "--image-shape {given} contradicts {model}, which reads {shape}: leave the flag out"
            );
        }
        if let Some(given) = given.csv_max.0
            && given != *max
        {
            bail!(
                "--csv-max {given} contradicts {model}, whose pixels go to {max}: leave the flag out"
            );
        }
        Ok(Format {
            normalize: given.normalize || self.preparation == Preparation::MnistForm,
            image_shape: Some(*shape),
            csv_max: CsvMax(Some(*max)),
            ..given.clone()
        })
    }

    /// Loads what the model is to be measured on: all of a CSV file, else the test set. Warns where it differs from what
    /// the model was trained on.
    pub(crate) fn load_test(
        &self,
        source: &Source,
        format: &Format,
    ) -> Result<(Dataset, Option<String>)> {
        let (data, note) = source.load_test(&self.format(format)?, &self.known())?;
        self.check_fit(&data, source)?;
        self.warn_if_foreign(&data.images, source);
        Ok((data, note))
    }

    /// Whether the model can be run on a data set.
    pub(crate) fn check_fit(&self, data: &Dataset, source: &Source) -> Result<()> {
        let Self { model, shape, .. } = self;
        ensure!(
            shape.pixels() == data.pixels(),
            "{model} reads {} values, but the data's images have {}×{} = {}",
            shape.pixels(),
            data.rows,
            data.cols,
            data.pixels()
        );
        ensure!(
            self.classes >= data.classes,
            "{model} tells {} classes apart, but the data has {}",
            self.classes,
            data.classes
        );
        self.known().check_range(data, source)
    }

    /// Warns if the mean of raw values is far from that of training: the data is inverted, or of another range.
    ///
    /// Far is outside the means of single training samples, by more than a twentieth of the range or half the distance to
    /// its end, if that is less. The mean of a set, whatever its classes, lies between those of its samples. (MNIST: 6.5 to
    /// 101.4 in training, so far is below 3.2 or above 114.1. Test set: 33.8, its samples 7.2 to 83.4; inverted: 221.2; as
    /// 0 to 1: 0.1.)
    pub(crate) fn warn_if_foreign(&self, values: &[u8], of: &dyn Display) {
        let Some(InputStats { mean, lowest, highest, .. }) = self.stats else { return };
        if values.is_empty() {
            return;
        }
        let sum: u64 = values.iter().map(|&value| u64::from(value)).sum();
        let got = (sum as f64 / values.len() as f64) as f32;
        let max = f32::from(self.max);
        let least = lowest - (0.05 * max).min(0.5 * lowest);
        let most = highest + (0.05 * max).min(0.5 * (max - highest));
        if !(least..=most).contains(&got) {
            warn(&format!(
                "{of}: the mean of its values is {got:.1}, but {mean:.1} in the training data of {} ({lowest:.1} to {highest:.1} \
                 in single samples): are they inverted, or of another range?",
                self.model
            ));
        }
    }

    /// Whether image files can be read for the model.
    ///
    /// # Errors
    ///
    /// If its inputs are no images, or of an unknown shape.
    pub(crate) fn check_reads_images(&self) -> Result<()> {
        ensure!(
            self.is_image,
            "{} reads {} features, not images: give the values by --data, as rows of a CSV file",
            self.model,
            self.shape.pixels()
        );
        Ok(())
    }

    /// Reads an image file as training read its images: gray levels, `[rows][cols]`, and what speaks against one digit.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is taken as it is and has another size.
    pub(crate) fn read_image(&self, path: &Path) -> Result<(Vec<u8>, Option<&'static str>)> {
        let Shape { rows, cols } = self.shape;
        if self.preparation != Preparation::AsIs {
            return picture::read_normalised_with_note(path, rows, cols);
        }
        let image = picture::read(path)?.on_white();
        let got = Shape { rows: image.height() as usize, cols: image.width() as usize };
        ensure!(
            got == self.shape,
            "{}: the image is {got} (rows x columns), expected {}: {} was trained on images as they are; scale the image, or \
             train with --normalize, which brings images of any size into one form",
            path.display(),
            self.shape,
            self.model
        );
        Ok((image.into_raw(), None))
    }

    /// Repeats the split that training made: training samples (those of validation too) and test samples.
    ///
    /// # Errors
    ///
    /// If the model does not record it, or `source` is not the data that the model was trained on.
    pub(crate) fn split_again(&self, source: &Source, format: &Format) -> Result<Split> {
        let model = &self.model;
        let split = self
            .split
            .with_context(|| format!("{model} does not record how its training data was split"))?;
        let loaded = source.load(&self.format(format)?)?;
        let (mut train, mut test, mut validation) = (loaded.train, loaded.test, loaded.validation);
        if split.merged {
            for part in [validation.take(), test.take()].into_iter().flatten() {
                train.append(part)?;
            }
        }
        let validation = validation.filter(|_| split.own_validation);
        let found = train.len() + validation.as_ref().map_or(0, Dataset::len);
        let (samples, test_samples) = (split.samples as usize, split.test as usize);
        ensure!(
            found == samples,
            "{source} has {found} training samples, but {model} was trained on data with {samples}: its split can be repeated \
             on the same data alone"
        );
        if test_samples > 0 {
            let (_, held_out) = self.hold_out(Part::Test, &train, test_samples);
            test = Some(train.take_out(&held_out)?);
        }
        if let Some(validation) = validation {
            train.append(validation)?;
        }
        let got = train.fingerprint();
        ensure!(
            got == self.data_fingerprint,
            "{source} is not what {model} was trained on: the fingerprint of its training samples is {got:016x}, expected {:016x}",
            self.data_fingerprint
        );
        let test = match test {
            Some(test) => test,
            None => train.take_out(&[])?,
        };
        self.check_fit(&train, source)?;
        Ok(Split { train, test })
    }

    /// The samples of [`split_again`](Self::split_again)'s training set that were trained on, and those held out for
    /// validation.
    pub(crate) fn validation(&self, train: &Dataset) -> (Vec<u32>, Vec<u32>) {
        let Some(split) = self.split else { return Default::default() };
        let (all, count) = (train.len(), split.validation as usize);
        if split.own_validation {
            let samples: Vec<u32> = (0..).take(all).collect();
            let (train, validation) = samples.split_at(all.saturating_sub(count));
            return (train.to_vec(), validation.to_vec());
        }
        self.hold_out(Part::Validation, train, count)
    }

    /// Splits as `train --test-split` does with the model's seed.
    pub(crate) fn split_by(&self, mut data: Dataset, amount: Amount) -> Result<Split> {
        let count = amount.of(data.len());
        ensure!(
            (1..data.len()).contains(&count),
            "--test-split {amount} of {} samples leaves one part empty",
            data.len()
        );
        let (_, held_out) = self.hold_out(Part::Test, &data, count);
        let test = data.take_out(&held_out)?;
        Ok(Split { train: data, test })
    }

    fn hold_out(&self, part: Part, data: &Dataset, count: usize) -> (Vec<u32>, Vec<u32>) {
        let split = self.split.unwrap_or_default();
        let held_out = if split.last { HeldOut::Last } else { HeldOut::Random };
        let parting = Parting { seed: self.seed, stratified: split.stratified, held_out };
        let all: Vec<u32> = (0..).take(data.len()).collect();
        parting.hold_out(part, &all, &data.labels, count)
    }
}

/// What a model file records of the data that the model was trained on.
pub(crate) fn recorded(args: &DataArgs, data: &Dataset, samples: &[u32], map: InputMap) -> Input {
    let shape = Shape { rows: data.rows, cols: data.cols };
    let is_png = args.source.is_png_folder();
    let is_image = is_png || shape.holds_an_image();
    let preparation =
        if is_png && args.format.normalize || is_image && !is_png && in_mnist_form(data, samples) {
            Preparation::MnistForm
        } else {
            Preparation::AsIs
        };
    Input {
        kind: if is_image { InputKind::Image } else { InputKind::Features },
        preparation,
        max: Some(data.max),
        stats: Some(pixel_map::stats(data, samples)),
        ..Input::image(data.rows, data.cols, map)
    }
}

/// Whether nine of ten of the images are in MNIST's form, as MNIST's own are. A thousand are looked at.
fn in_mnist_form(data: &Dataset, samples: &[u32]) -> bool {
    let level = |&value: &u8| (u32::from(value) * 255 / u32::from(data.max)) as u8;
    let (mut checked, mut in_form) = (0, 0);
    for &sample in samples.iter().step_by(samples.len().div_ceil(1000)) {
        let levels: Vec<u8> = data.image(sample as usize).iter().map(level).collect();
        checked += 1;
        in_form += usize::from(picture::normalise::is_normalised(&levels, data.rows, data.cols));
    }
    10 * in_form >= 9 * checked
}

/// What version 1 of the format did not record, from the command that trained the model: the largest raw value, and
/// whether images were brought into MNIST's form.
fn said_by_command(command: &str) -> (Option<u8>, Preparation) {
    let mut words = command.split(' ').skip_while(|word| *word != "--csv-max");
    let max = words.nth(1).and_then(|word| word.parse().ok());
    let is_normalised = command.split(' ').any(|word| word == "--normalise");
    (max, if is_normalised { Preparation::MnistForm } else { Preparation::NotRecorded })
}

/// The value that a map reads as 1, if it reads 0 as 0 or as -1. It is 255 where the map does not tell, as with
/// standardized and raw inputs.
fn read_as_1(map: InputMap) -> u8 {
    let is_read_as_1 = |max: &u8| {
        let [unit, symmetric] = [1.0, 2.0].map(|span: f32| span / f32::from(*max));
        (map.shift == 0.0 && map.scale == unit) || (map.shift == -1.0 && map.scale == symmetric)
    };
    // A scale of 1 is that of raw inputs.
    (2..=u8::MAX).find(is_read_as_1).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_1_did_not_record_is_found_in_the_map_or_the_command() {
        let map = |scale, shift| InputMap { scale, shift };
        assert_eq!(read_as_1(InputMap::PIXELS), 255);
        assert_eq!(read_as_1(map(1.0 / 16.0, 0.0)), 16);
        assert_eq!(read_as_1(map(2.0 / 16.0, -1.0)), 16);
        assert_eq!(read_as_1(map(2.0 / 255.0, -1.0)), 255);
        assert_eq!([map(0.17, -0.4), map(1.0, 0.0)].map(read_as_1), [255, 255]);
        let unknown = Preparation::NotRecorded;
        assert_eq!(said_by_command("train --data a.csv --csv-max 16 --out b"), (Some(16), unknown));
        assert_eq!(said_by_command("train --data a.csv --csv-max"), (None, unknown));
        assert_eq!(said_by_command(""), (None, unknown));
        let normalised = said_by_command("train --data a --normalise --out b");
        assert_eq!(normalised, (None, Preparation::MnistForm));
    }
}
