//! `picomlp plot`: one picture of a training, a model, or data.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::data::{Dataset, Format, Source};
use crate::model_input::ModelInput;
use crate::output::{Inputs, Outputs};
use crate::plot::{
    self, Figure, FileFormat, Findings, History, MISTAKES, Pca, SAMPLES, STEP, Subject, TILES,
};
use crate::{ModelFile, Pool};
use anyhow::{Context, Result, ensure};

/// Draw a picture, as PNG or SVG: how the training went, what the model confuses, what it looks at, what the data is like.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// Loss and accuracy over the epochs, of training and validation.
    Curves {
        /// What `train --json` printed, or history.jsonl of `train --plots`.
        history: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Which classes the model takes for which: a matrix of counts.
    Confusion {
        #[command(flatten)]
        of: OfModel,
        #[command(flatten)]
        output: Output,
    },
    /// Precision and recall of each class.
    Classes {
        #[command(flatten)]
        of: OfModel,
        #[command(flatten)]
        output: Output,
    },
    /// The samples whose class the model does not find, those that it is most certain of first.
    Mistakes {
        #[command(flatten)]
        of: OfModel,
        /// Samples to show at most.
        #[arg(long, default_value_t = MISTAKES, value_name = "N", value_parser = count)]
        count: usize,
        #[command(flatten)]
        output: Output,
    },
    /// The weights of the first layer, each unit's in the shape of the pictures that it sees.
    Weights {
        /// The model, as `train` writes it.
        model: PathBuf,
        /// Units to show at most.
        #[arg(long, default_value_t = TILES, value_name = "N", value_parser = count)]
        count: usize,
        #[command(flatten)]
        output: Output,
    },
    /// One digit turned in steps, and what the model takes each for.
    Rotation {
        #[command(flatten)]
        of: OfModel,
        /// Which sample, counted from 0.
        #[arg(long, default_value_t = 0, value_name = "INDEX")]
        sample: usize,
        /// Degrees from one picture to the next.
        #[arg(long, default_value_t = STEP, value_name = "DEGREES", value_parser = clap::value_parser!(u32).range(1..=180))]
        step: u32,
        #[command(flatten)]
        output: Output,
    },
    /// Some samples of each class.
    Samples {
        #[command(flatten)]
        of: OfData,
        /// Samples of each class at most.
        #[arg(long, default_value_t = SAMPLES, value_name = "N", value_parser = count)]
        count: usize,
        #[command(flatten)]
        output: Output,
    },
    /// The data in its first three principal components: a page to be turned with the mouse, or a picture of two.
    Pca {
        #[command(flatten)]
        of: OfData,
        #[command(flatten)]
        output: Output,
    },
}

/// Where the picture goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// The file to write [default: the picture's kind and its format, as in `confusion.png`].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The file's format [default: what the ending of --out says; png, and html for pca].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FileFormat>,
}

/// A model and what it is measured on.
#[derive(Debug, clap::Args)]
struct OfModel {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// What to measure the model on, as `eval` takes it.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    #[command(flatten)]
    format: Format,
    /// Threads to use [default: one for each core].
    #[arg(long, value_parser = crate::pool::parse_threads, value_name = "N")]
    threads: Option<usize>,
}

/// Data without a model.
#[derive(Debug, clap::Args)]
struct OfData {
    /// The data, as `train` takes it.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    /// Take the test set instead of the training set.
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    format: Format,
    /// Threads to use [default: one for each core].
    #[arg(long, value_parser = crate::pool::parse_threads, value_name = "N")]
    threads: Option<usize>,
}

/// The value of `--count`.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1000) => Ok(count),
        _ => Err("expected a whole number from 1 to 1000".to_owned()),
    }
}

impl Args {
    /// Whether the flags go together; if not, why.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub fn check(&self) -> Result<(), String> {
        self.kind.target().map(drop)
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Curves { .. } => "curves",
            Self::Confusion { .. } => "confusion",
            Self::Classes { .. } => "classes",
            Self::Mistakes { .. } => "mistakes",
            Self::Weights { .. } => "weights",
            Self::Rotation { .. } => "rotation",
            Self::Samples { .. } => "samples",
            Self::Pca { .. } => "pca",
        }
    }

    fn output(&self) -> &Output {
        match self {
            Self::Curves { output, .. }
            | Self::Confusion { output, .. }
            | Self::Classes { output, .. }
            | Self::Mistakes { output, .. }
            | Self::Weights { output, .. }
            | Self::Rotation { output, .. }
            | Self::Samples { output, .. }
            | Self::Pca { output, .. } => output,
        }
    }

    /// What is read.
    fn inputs(&self) -> Inputs {
        let (inputs, model, data) = (Inputs::default(), "the model", "--data");
        match self {
            Self::Curves { history, .. } => inputs.and("the history", [history]),
            Self::Weights { model: path, .. } => inputs.and(model, [path]),
            Self::Samples { of, .. } | Self::Pca { of, .. } => inputs.and(data, of.data.path()),
            Self::Confusion { of, .. }
            | Self::Classes { of, .. }
            | Self::Mistakes { of, .. }
            | Self::Rotation { of, .. } => inputs.and(model, [&of.model]).and(data, of.data.path()),
        }
    }

    /// The file and its format; or why there is none.
    fn target(&self) -> Result<(PathBuf, FileFormat), String> {
        let Output { out, format } = self.output();
        let is_pca = matches!(self, Self::Pca { .. });
        let endings = if is_pca { ".png, .svg or .html" } else { ".png or .svg" };
        let format = match (format, out) {
            (Some(format), _) => *format,
            (None, None) if is_pca => FileFormat::Html,
            (None, None) => FileFormat::Png,
            (None, Some(path)) => FileFormat::of(path).ok_or_else(|| {
                format!(
                    "the ending of --out {} does not tell a format: expected {endings}, or --format",
                    path.display()
                )
            })?,
        };
        if format == FileFormat::Html && !is_pca {
            return Err(format!("{} is written as png or svg; html is for pca alone", self.name()));
        }
        let default = || PathBuf::from(format!("{}.{}", self.name(), format.ending()));
        Ok((out.clone().unwrap_or_else(default), format))
    }
}

impl OfModel {
    /// Calls `draw` with the network and its data.
    fn draw(
        &self,
        draw: impl FnOnce(&Pool, &Subject<'_>, &Dataset) -> Result<Figure>,
    ) -> Result<Figure> {
        let file = ModelFile::read(&self.model)?;
        let model = file.model()?;
        let input = ModelInput::new(&file, model.blob(), model.net());
        let (data, _) = input.load_test(&self.data, &self.format)?;
        draw(&Pool::new(self.threads)?, &Subject::of_model(&model), &data)
    }
}

impl OfData {
    fn load(&self) -> Result<Dataset> {
        let loaded = self.data.load(&self.format)?;
        if !self.test {
            return Ok(loaded.train);
        }
        loaded.test.with_context(|| format!("{} has no test set: leave --test out", self.data))
    }
}

/// Draws and writes the picture, and says where it is.
///
/// # Errors
///
/// If model, data or history cannot be read or do not fit each other, or the file cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let (path, format) = args.kind.target().map_err(anyhow::Error::msg)?;
    let output = Outputs::plan(&args.kind.inputs(), [&path])?;
    let picture = match &args.kind {
        Kind::Curves { history, .. } => plot::curves(&History::read(history)?),
        Kind::Confusion { of, .. } => of.draw(|pool, subject, data| {
            Ok(plot::confusion(subject, &Findings::new(pool, subject, data)?))
        })?,
        Kind::Classes { of, .. } => of.draw(|pool, subject, data| {
            Ok(plot::classes(subject, &Findings::new(pool, subject, data)?))
        })?,
        Kind::Mistakes { of, count, .. } => of.draw(|pool, subject, data| {
            Ok(plot::mistakes(subject, &Findings::new(pool, subject, data)?, data, *count))
        })?,
        Kind::Rotation { of, sample, step, .. } => of.draw(|_, subject, data| {
            let samples = data.len();
            ensure!(*sample < samples, "--sample {sample} of {samples} samples, counted from 0");
            plot::rotation(subject, data, *sample, *step)
        })?,
        Kind::Weights { model, count, .. } => weights(model, *count)?,
        Kind::Samples { of, count, .. } => plot::samples(&of.load()?, *count),
        Kind::Pca { of, .. } => {
            let pca = Pca::new(&Pool::new(of.threads)?, &of.load()?)?;
            if format == FileFormat::Html {
                output.write(&[plot::pca_page(&pca).as_bytes()])?;
                writeln!(out, "{}: {}", path.display(), pca.note())?;
                return Ok(());
            }
            pca.figure()
        }
    };
    output.write(&[&format.encode(&picture)?])?;
    let (width, height) = format.size(&picture);
    writeln!(out, "{}: {width}×{height}, {}", path.display(), args.kind.name())?;
    Ok(())
}

fn weights(path: &Path, count: usize) -> Result<Figure> {
    let file = ModelFile::read(path)?;
    let model = file.model()?;
    let input = ModelInput::new(&file, model.blob(), model.net());
    plot::weights(&Subject::of_model(&model), input.shape, count)
}
