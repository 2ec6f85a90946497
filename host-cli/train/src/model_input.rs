//! What a model's inputs are: what data must fit, and how image files are read for it.
//!
//! Whatever was done to the data before training is a property of the model. Each command takes it from here, and refuses a
//! setting that contradicts it.

use core::fmt::Display;
use core::str::FromStr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{Blob, DataSplit, InputKind, InputStats, Preparation, TargetKind};
use picomlp::{InputMap, Layer, Sequential};

use crate::data::{
    CsvMax, Dataset, Expected, Feature, Missing, Schema, Source, Target, TargetType,
};
use crate::image;
use crate::model_file::ModelFile;
use crate::shape::Shape;

/// What data must fit that a model is run on.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// The model's path, for messages.
    model: String,
    /// The shape of a sample.
    pub shape: Shape,
    /// How image files are prepared before their pixels are read.
    pub preparation: Preparation,
    /// The maximum value of an input: that of gray level 255.
    pub max: u8,
    is_image: bool,
    /// Statistics of the training data.
    pub stats: Option<InputStats>,
    kind: TargetKind,
    classes: usize,
    names: Vec<String>,
    /// Of the labels or values that it predicts; empty if these are classes.
    target_names: Vec<String>,
    /// In the order in which they are read; empty if they have no names.
    features: Vec<Feature>,
    /// What stands in for a missing feature; empty if none may be missing.
    fill: Vec<f32>,
    /// How the training data was read and split: settings by flag.
    reading: Vec<(String, String)>,
    /// How the training data was split.
    pub split: Option<DataSplit>,
    pub(crate) seed: u64,
    pub(crate) data_fingerprint: u64,
}

impl ModelInput {
    /// Reads what a sound blob records. A model that does not record its images' shape reads squares, or else one row.
    #[must_use]
    pub fn new(file: &ModelFile, blob: &Blob<'_>, net: &Sequential) -> Self {
        let square = Shape::square(net.inputs());
        let unknown = square.unwrap_or(Shape { rows: 1, cols: net.inputs() });
        let (input, provenance) = (blob.input(), blob.provenance().unwrap_or_default());
        let shape = input.map_or(unknown, |input| Shape { rows: input.rows, cols: input.cols });
        let mut names: Vec<String> = blob.class_names().map(str::to_owned).collect();
        if names.iter().enumerate().all(|(class, name)| *name == class.to_string()) {
            names.clear();
        }
        let mut target_names = Vec::new();
        let targets = blob.targets().unwrap_or(TargetKind::Classes);
        if targets != TargetKind::Classes {
            target_names = blob.class_names().map(str::to_owned).collect();
            names.clear();
        }
        let command = if blob.version() == 1 { provenance.command } else { "" };
        let (said_max, said_preparation) = said_by_command(command);
        let preparation = input.map_or(Preparation::NotRecorded, |input| input.preparation);
        let is_features = input.is_some_and(|input| input.kind == InputKind::Features);
        Self {
            model: file.path().display().to_string(),
            shape,
            preparation: match preparation {
                Preparation::NotRecorded => said_preparation,
                recorded => recorded,
            },
            max: match input.and_then(|input| input.max).or(said_max) {
                Some(max) => max,
                // Only bytes have a maximum value.
                None if is_features && blob.version() > 1 => 0,
                None => input.map_or(u8::MAX, |input| read_as_1(input.map)),
            },
            // Version 1 did not tell images from features.
            is_image: input.is_some_and(|input| input.kind == InputKind::Image)
                && (blob.version() > 1 || shape.holds_an_image()),
            stats: input.and_then(|input| input.stats),
            kind: targets,
            classes: if target_names.is_empty() { targets.names(net.outputs()) } else { 0 },
            names,
            target_names,
            features: blob
                .features()
                .map(|feature| Feature { name: feature.name.into(), unit: feature.unit.into() })
                .collect(),
            fill: blob.fill().unwrap_or_default().to_vec(),
            reading: blob.reading().map(|(flag, value)| (flag.into(), value.into())).collect(),
            split: blob.split(),
            seed: provenance.seed,
            data_fingerprint: provenance.data_fingerprint,
        }
    }

    /// Returns what data must fit.
    #[must_use]
    pub fn expected(&self) -> Expected<'_> {
        let Self { shape, max, kind, classes, ref names, .. } = *self;
        let (features, target_names) = (&self.features[..], &self.target_names[..]);
        Expected { of: "the model", shape, max, features, target_names, kind, classes, names }
    }

    /// Returns what the model's outputs are.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        self.kind
    }

    /// Returns the names of the labels or values that the model predicts; none if these are classes.
    #[must_use]
    pub fn target_names(&self) -> &[String] {
        &self.target_names
    }

    /// Whether the model predicts its own inputs: an autoencoder, whose answer is how far off it is.
    #[must_use]
    pub fn is_autoencoder(&self) -> bool {
        self.kind == TargetKind::Inputs
    }

    /// Returns names and units of the features; none if they have no names.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Whether the model reads features, which are rows of a file.
    #[must_use]
    pub fn reads_features(&self) -> bool {
        self.max == 0
    }

    /// Returns the name of a class: its number, if it has no other.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Completes `given` by what the model records.
    ///
    /// # Errors
    ///
    /// If a flag contradicts the model.
    pub fn schema(&self, given: &Schema) -> Result<Schema> {
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
        ensure!(
            given.missing != Missing::Mean || !self.fill.is_empty(),
            "{model} records no means of its features: leave --missing mean out, or train with it"
        );
        if let Some(window) = given.window {
            let recorded = self.reading("window");
            ensure!(
                recorded == Some(window),
                "--window {window} contradicts {model}, which {}: leave the flag out",
                recorded.map_or("reads no windows".to_owned(), |recorded| format!(
                    "reads windows of {recorded} steps"
                ))
            );
        }
        let (mut schema, said) = (given.clone(), given.settings());
        for (flag, value) in &self.reading {
            if !said.iter().any(|(said, _)| said == flag) {
                let set = schema.set(flag, value).map_err(anyhow::Error::msg);
                set.with_context(|| format!("{model} records --{flag} {value}"))?;
            }
        }
        match self.kind {
            TargetKind::Inputs => schema.target = Target::Inputs,
            TargetKind::Labels => schema.target_type = TargetType::Label,
            TargetKind::Values => schema.target_type = TargetType::Value,
            _ => {}
        }
        schema.normalize |= self.preparation == Preparation::MnistForm;
        schema.image_shape = (*max > 0).then_some(*shape);
        schema.csv_max = CsvMax(Some(*max).filter(|max| *max > 0));
        Ok(schema)
    }

    /// Returns the value of a recorded setting of how the training data was read or split.
    pub(crate) fn reading<T: FromStr>(&self, flag: &str) -> Option<T> {
        let (_, value) = self.reading.iter().find(|(recorded, _)| recorded == flag)?;
        value.parse().ok()
    }

    /// Returns the model's path, for messages.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Loads what the model is to be measured on: all of a CSV file, else the test set.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the model.
    pub fn load_test(&self, source: &Source, schema: &Schema) -> Result<Dataset> {
        let mut data = self.load_gapped(source, schema)?;
        data.fill(&self.fill);
        Ok(data)
    }

    /// As [`load_test`](Self::load_test), with what is missing still missing.
    pub(crate) fn load_gapped(&self, source: &Source, schema: &Schema) -> Result<Dataset> {
        let schema = self.schema(schema)?;
        let data = Dataset::load_test(source, &schema, &self.expected())?;
        self.check_fit(&data, source)?;
        Ok(Dataset { schema, ..data })
    }

    /// Loads samples to predict, by the settings that [`schema`](Self::schema) returned.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or do not fit the model.
    pub fn load_inputs(&self, source: &Source, schema: &Schema) -> Result<Dataset> {
        let mut data = Dataset::load_inputs(source, schema, &self.expected())?;
        data.fill(&self.fill);
        Ok(data)
    }

    /// Puts the means of the training samples in place of missing features.
    pub fn fill(&self, data: &mut Dataset) {
        data.fill(&self.fill);
    }

    /// Checks that the model can be run on a data set.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn check_fit(&self, data: &Dataset, source: &Source) -> Result<()> {
        let Self { model, shape, .. } = self;
        ensure!(
            shape.pixels() == data.pixels(),
            "{model} reads {} values, but the data's samples have {}×{} = {}",
            shape.pixels(),
            data.rows,
            data.cols,
            data.pixels()
        );
        let values = data.target_names.len() * usize::from(data.classes == 0);
        ensure!(
            self.target_names.len() == values,
            "{model} predicts {} labels or values, but the data has {values}",
            self.target_names.len()
        );
        ensure!(
            self.classes >= data.classes,
            "{model} tells {} classes apart, but the data has {}",
            self.classes,
            data.classes
        );
        self.expected().check_range(data, source)
    }

    /// Returns a warning if the mean of raw values is far from that of training: the data is inverted, or of another range.
    ///
    /// Far is outside the means of single training samples, by more than a twentieth of the range or half the distance to
    /// its end, if that is less. The mean of a set, whatever its classes, lies between those of its samples. (MNIST: 6.5 to
    /// 101.4 in training, so far is below 3.2 or above 114.1. Test set: 33.8, its samples 7.2 to 83.4; inverted: 221.2; as
    /// 0 to 1: 0.1.)
    #[must_use]
    pub fn foreign(&self, values: &[u8], of: &dyn Display) -> Option<String> {
        let InputStats { mean, lowest, highest, .. } = self.stats?;
        if values.is_empty() {
            return None;
        }
        let sum: u64 = values.iter().map(|&value| u64::from(value)).sum();
        let got = (sum as f64 / values.len() as f64) as f32;
        let max = f32::from(self.max);
        let least = lowest - (0.05 * max).min(0.5 * lowest);
        let most = highest + (0.05 * max).min(0.5 * (max - highest));
        (!(least..=most).contains(&got)).then(|| {
            format!(
                "{of}: the mean of its values is {got:.1}, but {mean:.1} in the training data of {} ({lowest:.1} to {highest:.1} \
                 in single samples): are they inverted, or of another range?",
                self.model
            )
        })
    }

    /// Whether image files can be read for the model.
    ///
    /// # Errors
    ///
    /// If its inputs are no images, or of an unknown shape.
    pub fn check_reads_images(&self) -> Result<()> {
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
    pub fn read_image(&self, path: &Path) -> Result<(Vec<u8>, Option<&'static str>)> {
        let Shape { rows, cols } = self.shape;
        if self.preparation != Preparation::AsIs {
            return image::read_normalized(path, rows, cols);
        }
        let image = image::read(path)?.on_white();
        let got = image.shape();
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
}

/// What version 1 of the format did not record, from the command that trained the model: the maximum value, and whether images
/// were brought into MNIST's form.
fn said_by_command(command: &str) -> (Option<u8>, Preparation) {
    let mut words = command.split(' ').skip_while(|word| *word != "--csv-max");
    let max = words.nth(1).and_then(|word| word.parse().ok());
    let is_normalized = command.split(' ').any(|word| word == "--normalise");
    (max, if is_normalized { Preparation::MnistForm } else { Preparation::NotRecorded })
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
        let normalized = said_by_command("train --data a --normalise --out b");
        assert_eq!(normalized, (None, Preparation::MnistForm));
    }
}
