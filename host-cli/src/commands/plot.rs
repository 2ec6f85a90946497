//! `picomlp plot`: one figure of a training, a model, or data.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use picomlp_plots::{
    Figure, FileFormat, MISTAKES, Pca, SAMPLES, STEP, Subject, TILES, classes, confusion, curves,
    mistakes, pca_page, residuals, rotation, samples, weights,
};
use picomlp_train::data::{Dataset, Source, Targets};
use picomlp_train::output::Inputs;
use picomlp_train::{History, ModelFile, ModelInput, Pool, vote};

use crate::args::data::{MeasureArgs, SchemaArgs};
use crate::args::{count, named};
use crate::files;

/// Draw a figure, as PNG or SVG: how the training went, what the model confuses, what it looks at, what the data is like.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
    /// File to write [default: the figure's kind and its format, as in `confusion.png`].
    #[arg(short, long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File format [default: by the extension of --out; png, and html for pca].
    #[arg(long, global = true, value_parser = named::<FileFormat>(), value_name = "FORMAT")]
    format: Option<FileFormat>,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// Loss and accuracy over the epochs, of training and validation.
    Curves {
        /// What `train --json` printed, or history.jsonl of `train --plots`.
        history: PathBuf,
    },
    /// True minus predicted values, over the predicted ones.
    Residuals {
        #[command(flatten)]
        of: MeasureArgs,
    },
    /// Confusion matrix: which classes the model takes for which.
    Confusion {
        #[command(flatten)]
        of: MeasureArgs,
    },
    /// Precision and recall of each class.
    Classes {
        #[command(flatten)]
        of: MeasureArgs,
    },
    /// Misclassified samples, the most certain predictions first.
    Mistakes {
        #[command(flatten)]
        of: MeasureArgs,
        /// Maximum number of samples.
        #[arg(long, default_value_t = MISTAKES, value_name = "N", value_parser = count(1000))]
        count: usize,
    },
    /// Weights of the first layer, each unit's in the shape of its input.
    Weights {
        /// Model file, as `train` writes it.
        model: PathBuf,
        /// Maximum number of units.
        #[arg(long, default_value_t = TILES, value_name = "N", value_parser = count(1000))]
        count: usize,
    },
    /// One image rotated in steps, with the predicted class of each.
    Rotation {
        #[command(flatten)]
        of: MeasureArgs,
        /// Index of the sample, from 0.
        #[arg(long, default_value_t = 0, value_name = "INDEX")]
        sample: usize,
        /// Degrees from one image to the next.
        #[arg(long, default_value_t = STEP, value_name = "DEGREES", value_parser = clap::value_parser!(u32).range(1..=180))]
        step: u32,
    },
    /// Samples of each class.
    Samples {
        #[command(flatten)]
        of: DataOnly,
        /// Maximum number of samples of each class.
        #[arg(long, default_value_t = SAMPLES, value_name = "N", value_parser = count(1000))]
        count: usize,
    },
    /// The first three principal components of the data: an interactive page, or a figure of two.
    Pca {
        #[command(flatten)]
        of: DataOnly,
    },
}

/// Data without a model.
#[derive(Debug, clap::Args)]
struct DataOnly {
    /// Data, as `train` takes it.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    /// Take the test set instead of the training set.
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    schema: SchemaArgs,
    /// Threads to use [default: one for each core].
    #[arg(long, value_parser = count(1024), value_name = "N")]
    threads: Option<usize>,
}

impl Args {
    /// Checks that the flags fit each other.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub fn check(&self) -> Result<(), String> {
        self.target().map(drop)
    }

    /// Returns the file and its format, or why there is none.
    fn target(&self) -> Result<(PathBuf, FileFormat), String> {
        let (name, is_pca) = (self.kind.name(), matches!(self.kind, Kind::Pca { .. }));
        let format = match (self.format, &self.out) {
            (Some(format), _) => format,
            (None, None) if is_pca => FileFormat::Html,
            (None, None) => FileFormat::Png,
            (None, Some(path)) => FileFormat::of(path).ok_or_else(|| {
                let expected = if is_pca { ".png, .svg or .html" } else { ".png or .svg" };
                format!(
                    "the extension of --out {} does not tell a format: expected {expected}, or --format",
                    path.display()
                )
            })?,
        };
        if format == FileFormat::Html && !is_pca {
            return Err(format!("{name} is written as png or svg; html is for pca alone"));
        }
        let default = || PathBuf::from(format!("{name}.{format}"));
        Ok((self.out.clone().unwrap_or_else(default), format))
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Curves { .. } => "curves",
            Self::Residuals { .. } => "residuals",
            Self::Confusion { .. } => "confusion",
            Self::Classes { .. } => "classes",
            Self::Mistakes { .. } => "mistakes",
            Self::Weights { .. } => "weights",
            Self::Rotation { .. } => "rotation",
            Self::Samples { .. } => "samples",
            Self::Pca { .. } => "pca",
        }
    }

    /// Returns what is read.
    fn inputs(&self) -> Inputs {
        match self {
            Self::Curves { history } => Inputs::default().and("the history", [history]),
            Self::Weights { model, .. } => Inputs::default().and("the model", [model]),
            Self::Samples { of, .. } | Self::Pca { of } => {
                Inputs::default().and("--data", of.data.path())
            }
            Self::Confusion { of }
            | Self::Residuals { of }
            | Self::Classes { of }
            | Self::Mistakes { of, .. }
            | Self::Rotation { of, .. } => of.inputs(),
        }
    }

    /// Returns the figure, and a sentence about the samples if they were held out.
    fn figure(&self) -> Result<(Figure, Option<String>)> {
        let figure = match self {
            Self::Curves { history } => curves(&History::read(history)?),
            Self::Residuals { of } => {
                return draw(of, |_, subject, data| residuals(subject, data));
            }
            Self::Confusion { of } => {
                return draw(of, |pool, subject, data| {
                    check_classes(data, &of.data)?;
                    Ok(confusion(subject, &vote::predict(&subject.classifier(), pool, data)?.0))
                });
            }
            Self::Classes { of } => {
                return draw(of, |pool, subject, data| {
                    let found = vote::evaluate(&subject.classifier(), pool, data, &data.all())?;
                    if found.regression.is_some() {
                        check_classes(data, &of.data)?;
                    }
                    Ok(classes(subject, &found.classes()))
                });
            }
            Self::Mistakes { of, count } => {
                return draw(of, |pool, subject, data| {
                    check_classes(data, &of.data)?;
                    let (predictions, answers) = vote::predict(&subject.classifier(), pool, data)?;
                    mistakes(subject, &predictions, &answers, *count)
                });
            }
            Self::Rotation { of, sample, step } => {
                return draw(of, |_, subject, data| {
                    check_images(data, &of.data)?;
                    let samples = data.len();
                    ensure!(
                        *sample < samples,
                        "--sample {sample} of {samples} samples, counted from 0"
                    );
                    rotation(subject, data, *sample, *step)
                });
            }
            Self::Weights { model, count } => {
                let file = ModelFile::read(model)?;
                let model = file.model()?;
                let input = ModelInput::new(&file, model.blob(), model.net());
                weights(&Subject::of_model(&model, &Dataset::default()), input.shape, *count)?
            }
            Self::Samples { of, count } => samples(&of.load()?, *count)?,
            Self::Pca { of } => of.pca()?.figure(),
        };
        Ok((figure, None))
    }
}

/// Refuses to count classes of values.
fn check_classes(data: &Dataset, source: &Source) -> Result<()> {
    let (are, see) = match data.targets {
        Targets::Labels(_) => ("labels", "classes"),
        _ => ("values", "residuals"),
    };
    ensure!(data.classes > 0, "{source} has {are} to predict, not classes: see `plot {see}`");
    Ok(())
}

/// Refuses to draw images of features.
fn check_images(data: &Dataset, source: &Source) -> Result<()> {
    ensure!(!data.images().is_empty(), "{source} holds features, and this figure shows images");
    Ok(())
}

/// Calls `draw` with the network and its data.
fn draw(
    of: &MeasureArgs,
    draw: impl FnOnce(&Pool, &Subject<'_>, &Dataset) -> Result<Figure>,
) -> Result<(Figure, Option<String>)> {
    let file = ModelFile::read(&of.model)?;
    let model = file.model()?;
    let measured = of.load(&ModelInput::new(&file, model.blob(), model.net()))?;
    let subject = Subject::of_model(&model, &measured.data);
    let figure = draw(&Pool::new(of.threads)?, &subject, &measured.data)?;
    Ok((figure, measured.is_held_out.then_some(measured.note)))
}

impl DataOnly {
    fn load(&self) -> Result<Dataset> {
        let data = Dataset::load(&self.data, &self.schema.schema())?;
        ensure!(!self.test || data.own_test > 0, "{} has no test set: leave --test out", self.data);
        let (all, test) = (data.all(), data.len() - data.own_test);
        let trained = test - data.own_validation;
        Ok(data.subset(if self.test { &all[test..] } else { &all[..trained] }))
    }

    fn pca(&self) -> Result<Pca> {
        Pca::new(&Pool::new(self.threads)?, &self.load()?)
    }
}

/// Draws and writes the figure, and says where it is.
///
/// # Errors
///
/// If model, data or history cannot be read or do not fit each other, or the file cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let (path, format) = args.target().map_err(anyhow::Error::msg)?;
    let output = files::plan(&args.kind.inputs(), [&path])?;
    let shown = path.display();
    if let (Kind::Pca { of }, FileFormat::Html) = (&args.kind, format) {
        let pca = of.pca()?;
        files::write(output, &[pca_page(&pca).as_bytes()])?;
        writeln!(out, "{shown}: {}", pca.note())?;
        return Ok(());
    }
    let (figure, note) = args.kind.figure()?;
    files::write(output, &[&format.encode(&figure)?])?;
    let (width, height) = format.size(&figure);
    writeln!(out, "{shown}: {width}×{height}, {}", args.kind.name())?;
    if let Some(note) = note {
        writeln!(out, "data           {note}")?;
    }
    Ok(())
}
