//! The flags that say what to train on, what to test on, and how a set is split.

use std::path::PathBuf;

use anyhow::Result;
use picomlp_train::config::LossFunction;
use picomlp_train::data::{
    Amount, CsvDelimiter, CsvHeader, CsvMax, Dataset, HeldOut, Missing, Schema, Selection, Source,
    SplitSpec, Target, TargetType, Transpose, Vote,
};
use picomlp_train::output::Inputs;
use picomlp_train::{Measured, ModelInput, Shape};

use super::{count, named};
use crate::text::warn;

/// How CSV files and folders of images are read.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Data files")]
pub(crate) struct SchemaArgs {
    /// Whether a CSV file's first line names its columns; `auto` detects a header: no numbers in it, or a column named label,
    /// class or target.
    #[arg(long, value_parser = named::<CsvHeader>(), default_value_t, value_name = "WHETHER")]
    csv_header: CsvHeader,
    /// Separator of the fields in a CSV file; `auto`: the first of semicolon, tab, comma and space in the first line.
    #[arg(long, value_parser = named::<CsvDelimiter>(), default_value_t, value_name = "SEPARATOR")]
    csv_delimiter: CsvDelimiter,
    /// CSV column to predict: its name or number, `first`, `last` or `none`; several columns of numbers separated by commas;
    /// `first:N` or `last:N` for one-hot labels; `inputs` for an autoencoder. `auto`: label, class or target, or the one column
    /// of words.
    #[arg(long, alias = "label", default_value_t, value_name = "COLUMN")]
    target: Target,
    /// What numbers in the target columns are: classes, values to predict, or labels (0 or 1 in each of several columns); `auto`:
    /// classes if they are whole and few, labels if all columns of several are 0 or 1.
    #[arg(long, value_parser = named::<TargetType>(), default_value_t, value_name = "TYPE")]
    target_type: TargetType,
    /// CSV columns with the features, by name, pattern, number or range: `acc_*,temp,7-9` [default: all others].
    #[arg(long, value_name = "COLUMNS")]
    features: Option<Selection>,
    /// CSV columns to leave out, likewise. Columns named id or index, or not at all, are left out anyway.
    #[arg(long, value_name = "COLUMNS")]
    drop: Option<Selection>,
    /// Missing values in a CSV file (empty, NA, NaN, null, ?): refuse the file, drop the row, or fill in the column's mean or
    /// zero.
    #[arg(long, value_parser = named::<Missing>(), default_value_t, value_name = "WHAT")]
    missing: Missing,
    /// Classes that an autoencoder (--target inputs) is trained on; the rest of the test data are anomalies.
    #[arg(long, value_name = "CLASSES")]
    normal: Option<Selection>,
    /// Maximum value of a pixel in a CSV file, read as 1; `auto`: the largest value if that is 1, 16 or 255.
    #[arg(long, alias = "pixel-max", default_value_t, value_name = "VALUE")]
    csv_max: CsvMax,
    /// Rows and columns of an image, as in 8x8. By default a CSV file's images are square, and image files have the size of
    /// the first one.
    #[arg(long, value_name = "RxC")]
    image_shape: Option<Shape>,
    /// Bring images of any size into MNIST's form (the ink in 20x20 of 28x28 pixels, or in proportion of --image-shape, light
    /// on dark, centered by mass). A model records it, and all commands that read the model do the same.
    #[arg(long, alias = "normalise")]
    normalize: bool,
    /// CSV column that says which rows belong together, such as a person or a recording: no split separates them.
    #[arg(long, value_name = "COLUMN")]
    group: Option<Selection>,
    /// Cut time series into samples of N steps. A row is a step, or a whole recording whose columns are numbered (acc_x_0,
    /// acc_x_1 …). No window crosses a recording, which ends where --group or the class changes. A model records this.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000), value_name = "N")]
    window: Option<u32>,
    /// Steps from one window to the next [default: half a window].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "M")]
    stride: Option<u32>,
    /// Values of a step, where a row is a recording without numbered columns: one channel after the other.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536), value_name = "C")]
    channels: Option<u32>,
    /// One answer for all windows of a recording, or all samples of a group: `mean` probability, or `majority`; `auto`: as the
    /// model records, else `none`.
    #[arg(long, value_parser = named::<Vote>(), default_value_t, value_name = "HOW")]
    vote: Vote,
    /// Whether to swap rows and columns of IDX images; `auto`: those of EMNIST, known by their names.
    #[arg(long, value_parser = named::<Transpose>(), default_value_t, value_name = "WHETHER")]
    transpose: Transpose,
}

impl SchemaArgs {
    /// Returns the library's form of the flags.
    pub(crate) fn schema(&self) -> Schema {
        Schema {
            csv_header: self.csv_header,
            csv_delimiter: self.csv_delimiter,
            target: self.target.clone(),
            target_type: self.target_type,
            features: self.features.clone().unwrap_or_default(),
            drop: self.drop.clone().unwrap_or_default(),
            missing: self.missing,
            normal: self.normal.clone().unwrap_or_default(),
            csv_max: self.csv_max,
            image_shape: self.image_shape,
            normalize: self.normalize,
            group: self.group.clone().unwrap_or_default(),
            window: self.window,
            stride: self.stride,
            channels: self.channels,
            vote: self.vote,
            transpose: self.transpose,
        }
    }
}

/// A model and what it is measured on.
#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    /// Model file, as `train` writes it.
    pub(crate) model: PathBuf,
    /// Data to measure the model on, as `train` takes it: its test set, or what training held out of it if it is the training
    /// data (the model records that), or else all of it.
    #[arg(long, default_value_t, value_name = "DATA")]
    pub(crate) data: Source,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
    /// Threads to use [default: one for each core].
    #[arg(long, value_parser = count(1024), value_name = "N")]
    pub(crate) threads: Option<usize>,
}

impl MeasureArgs {
    /// Loads what the model is measured on; warns if it differs from what the model was trained on.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the model.
    pub(crate) fn load(&self, input: &ModelInput) -> Result<Measured> {
        let measured = input.load_measured(&self.data, &self.schema.schema())?;
        if let Some(what) = input.foreign(measured.data.images(), &self.data) {
            warn(&what);
        }
        Ok(measured)
    }

    /// Returns what is read.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs::default().and("the model", [&self.model]).and("--data", self.data.path())
    }
}

/// Where the data comes from and how it is split.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Training data: `synthetic` (digits) or `synthetic:motion` (an accelerometer); a folder with MNIST's four IDX files; a CSV file with a sample in each row; or a folder of
    /// images by class (DIR/train/0/*.png, DIR/test/0/*.png, or DIR/0/*.png). Files may be gzipped.
    #[arg(long = "data", default_value_t, value_name = "DATA")]
    pub(crate) source: Source,
    /// Test data in any of these forms, instead of the test set in --data.
    #[arg(long, value_name = "DATA", conflicts_with = "test_split")]
    pub(crate) test_data: Option<Source>,
    /// Pool training and test set before anything is held out.
    #[arg(long)]
    merge: bool,
    /// Samples to hold out for testing where there is no test set, or with --merge: a fraction, or a number of samples; 0 for
    /// no test at all [default: 0.1, or 0 with --folds].
    #[arg(long, value_name = "AMOUNT")]
    test_split: Option<Amount>,
    /// Samples to hold out of training for validation: a fraction, or a number of samples. The epoch that is best there is
    /// kept; with 0, the last one is [default: 0.1, or 0 for fewer than 1000 samples of features].
    #[arg(long, value_name = "AMOUNT")]
    val_split: Option<Amount>,
    /// Hold out the same fraction of every class.
    #[arg(long)]
    stratified: bool,
    /// Samples to hold out: a random subset (seeded by --seed), or the last ones of the file (with --stratified, of each
    /// class).
    #[arg(long, alias = "holdout", value_parser = named::<HeldOut>(), default_value_t, value_name = "WHICH")]
    held_out: HeldOut,
    /// Cross-validate: train K times, each time measured on another fold of the training samples, as many folds at a
    /// time as there are --threads. Writes no model.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) folds: Option<u32>,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
}

impl DataArgs {
    /// Loads the data, to be trained on with `loss`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or the test data does not fit it.
    pub(crate) fn load(&self, loss: LossFunction) -> Result<Dataset> {
        let schema = self.schema.schema();
        let mut data = Dataset::load(&self.source, &schema)?;
        let is_of_values =
            matches!(loss, LossFunction::Mse | LossFunction::Mae | LossFunction::Huber);
        if is_of_values && schema.target_type == TargetType::Auto {
            data.predict_numbers();
        }
        if let Some(source) = &self.test_data {
            data.set_test(source)?;
        }
        Ok(data)
    }

    /// Returns how the data is split.
    pub(crate) fn split(&self) -> SplitSpec {
        SplitSpec {
            merge: self.merge,
            test: self.test_split,
            validation: self.val_split,
            stratified: self.stratified,
            held_out: self.held_out,
        }
    }
}
