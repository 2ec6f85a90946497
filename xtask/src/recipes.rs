//! `cargo xtask recipes`: trains the published networks by their names, and compares what they reach with what was published;
//! one thread with two; and the desktop with a Cortex-M4F.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::device;
use crate::firmware::{CORTEX_M4, build};
use crate::inputs::{self, PIXELS, idx_bytes};
use crate::mnist::{data, empty_folder, number, picomlp};
use crate::run::{read, root};

/// What `cargo xtask recipes` may be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Try this recipe alone.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Train each with so many seeds, from 1 on; the median must reach what was published.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    seeds: u32,
}

/// The data of a recipe.
#[derive(Clone, Copy, PartialEq)]
enum Data {
    /// MNIST's four files.
    Mnist,
    /// MNIST in the form of Kaggle's digit recognizer.
    Kaggle,
    /// `fixtures/data/digits8x8.csv.gz`.
    Digits,
}

/// What was published: an accuracy, in hundredths of a per cent, or a loss in ten-thousandths.
enum Published {
    Test(u32),
    /// The same as the mean over four quarters of the data, each of which is the test set of a run that is trained on the
    /// other three: one quarter of the small digits has 449 pictures, and its accuracy a standard deviation of 1.2 points
    /// over seeds.
    Quarters(u32),
    /// Of the epoch that is kept.
    Validation(u32),
    /// On all training samples at the end.
    Training(u32),
    /// As [`Training`](Self::Training).
    TrainingLoss(u32),
}

/// A recipe, or a variant of it.
struct Row {
    recipe: &'static str,
    flags: &'static [&'static str],
    data: Data,
    published: &'static [Published],
    /// Whether a Cortex-M4F with 4 MB of flash holds the model.
    fits: bool,
    /// Whether it is trained in so few seconds that every CI run tries it.
    quick: bool,
}

use Published::{Quarters, Test, Training, TrainingLoss, Validation};

const ROWS: [Row; 7] = [
    Row {
        recipe: "digits8x8",
        flags: &[],
        data: Data::Digits,
        published: &[Quarters(9530)],
        fits: true,
        quick: true,
    },
    Row {
        recipe: "digits8x8",
        flags: &["--hidden", "32", "--loss", "cross-entropy", "--inputs", "raw"],
        data: Data::Digits,
        published: &[Quarters(9380)],
        fits: true,
        quick: true,
    },
    Row {
        recipe: "sigmoid-mse",
        flags: &[],
        data: Data::Mnist,
        published: &[Test(9439)],
        fits: true,
        quick: true,
    },
    Row {
        recipe: "sigmoid-mse",
        flags: &["--activation", "relu"],
        data: Data::Mnist,
        published: &[Test(9609)],
        fits: true,
        quick: true,
    },
    Row {
        recipe: "deep-relu",
        flags: &[],
        data: Data::Mnist,
        published: &[Test(9706), Validation(9722)],
        fits: true,
        quick: true,
    },
    Row {
        recipe: "batchnorm-dropout",
        flags: &[],
        data: Data::Mnist,
        published: &[Test(9802)],
        fits: false,
        quick: false,
    },
    Row {
        recipe: "rms-fullbatch",
        flags: &[],
        data: Data::Kaggle,
        published: &[Training(9946), TrainingLoss(246)],
        fits: true,
        quick: false,
    },
];

/// Trains all of them.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |row: &&Row| args.only.as_ref().is_none_or(|only| only == row.recipe);
    let rows: Vec<_> = ROWS.iter().filter(wanted).collect();
    ensure!(!rows.is_empty(), "no recipe of that name; `picomlp recipes` lists them");
    // Half the time, the same bits.
    try_all("-C target-cpu=native", &rows, args.seeds)
}

/// Trains those that take seconds, with one seed.
pub(crate) fn quick() -> Result<()> {
    try_all("", &ROWS.iter().filter(|row| row.quick).collect::<Vec<_>>(), 1)
}

fn try_all(rustflags: &str, rows: &[&Row], seeds: u32) -> Result<()> {
    let program = picomlp(rustflags, &["--release"])?;
    let folder = empty_folder("recipes")?;
    inputs::make()?;
    let mut failed = Vec::new();
    for row in rows {
        let name = [&[row.recipe], row.flags].concat().join(" ");
        println!("\n== {name} ==");
        if let Err(error) = try_one(&program, &folder, row, seeds) {
            println!("{error:#}");
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn try_one(program: &Path, folder: &Path, row: &Row, seeds: u32) -> Result<()> {
    let data = row.data.path()?;
    let model = folder.join("model.pmlp");
    let mut reached = vec![Vec::new(); row.published.len()];
    for seed in (1..=seeds).rev() {
        let run = train(program, row, &data, seed, 2, &model)?;
        for (published, reached) in row.published.iter().zip(&mut reached) {
            reached.push(published.of(program, row, &run, &model, &data)?);
        }
        let (seconds, epochs) = (run.seconds, run.epochs);
        println!(
            "seed {seed}: {}; this run: test accuracy {}, {seconds:.1} s in training passes, {:.4} s an epoch, two threads",
            row.published
                .iter()
                .zip(&reached)
                .filter_map(|(published, reached)| Some(published.shown(*reached.last()?)))
                .collect::<Vec<_>>()
                .join(", "),
            run.done["test_accuracy"]
                .as_f64()
                .map_or("none".to_owned(), |share| format!("{:.2} %", 1e2 * share)),
            seconds / epochs
        );
        // The last one, seed 1, is compared.
        if seed == 1 {
            let alone = train(program, row, &data, seed, 1, &folder.join("one-thread.pmlp"))?;
            println!("seed 1, one thread: {:.1} s; {}", alone.seconds, alone.fingerprint);
            ensure!(
                alone.fingerprint == run.fingerprint,
                "two threads end in {}, one in {}",
                run.fingerprint,
                alone.fingerprint
            );
        }
    }
    if row.data == Data::Kaggle {
        submit(program, &model, folder)?;
    }
    if row.fits {
        on_the_device(program, row, &model, &data)?;
    }
    for (published, reached) in row.published.iter().zip(reached) {
        published.compare(reached)?;
    }
    Ok(())
}

/// A run of `train`.
struct Run {
    seed: u32,
    epochs_of: Vec<Value>,
    done: Value,
    seconds: f64,
    epochs: f64,
    fingerprint: String,
}

fn train(
    program: &Path,
    row: &Row,
    data: &Path,
    seed: u32,
    threads: u32,
    model: &Path,
) -> Result<Run> {
    let mut train = command(program, row, data, seed, threads);
    train.arg("--out").arg(model);
    let printed = read(train)?;
    let lines: Result<Vec<Value>, _> = printed.lines().map(serde_json::from_str).collect();
    let mut lines = lines.context("not lines of JSON")?;
    let done = lines.pop().context("no output")?;
    let seconds = number(&done, "training_seconds")?;
    let epochs = lines.last().context("no epoch")?;
    let epochs = number(epochs, "epoch")?;
    let fingerprint = done["fingerprint"].as_str().context("no fingerprint")?.to_owned();
    Ok(Run { seed, epochs_of: lines, done, seconds, epochs, fingerprint })
}

fn command(program: &Path, row: &Row, data: &Path, seed: u32, threads: u32) -> Command {
    let mut train = Command::new(program);
    train.args(["train", "--json", "--recipe", row.recipe]).args(row.flags);
    train.arg("--data").arg(data);
    train.args(["--seed", &seed.to_string(), "--threads", &threads.to_string()]);
    train
}

impl Published {
    /// What a run has reached, in the same unit.
    fn of(&self, program: &Path, row: &Row, run: &Run, model: &Path, data: &Path) -> Result<f64> {
        let on_training = || -> Result<Value> {
            let mut eval = Command::new(program);
            eval.arg("eval").arg(model).arg("--data").arg(data).arg("--json");
            Ok(serde_json::from_str(&read(eval)?)?)
        };
        Ok(match self {
            Test(_) => 1e4 * number(&run.done, "test_accuracy")?,
            Quarters(_) => {
                let mut train = command(program, row, data, run.seed, 2);
                train.args(["--folds", "4", "--test-split", "0"]);
                let printed = read(train)?;
                let done = printed.lines().last().context("no output")?;
                1e4 * number(&serde_json::from_str(done)?, "test_accuracy_mean")?
            }
            Validation(_) => {
                let kept = &run.done["kept_epoch"];
                let line = run.epochs_of.iter().find(|line| line["epoch"] == *kept);
                1e4 * number(line.context("the epoch that is kept is not there")?, "val_accuracy")?
            }
            Training(_) => 1e4 * number(&on_training()?, "test_accuracy")?,
            TrainingLoss(_) => 1e4 * number(&on_training()?, "test_loss")?,
        })
    }

    fn shown(&self, value: f64) -> String {
        match self {
            Test(_) => format!("test accuracy {:.2} %", value / 1e2),
            Quarters(_) => format!("mean test accuracy {:.2} %", value / 1e2),
            Validation(_) => format!("validation accuracy {:.2} %", value / 1e2),
            Training(_) => format!("training accuracy {:.2} %", value / 1e2),
            TrainingLoss(_) => format!("training loss {:.4}", value / 1e4),
        }
    }

    /// Whether the median of what was reached is as good as what was published.
    fn compare(&self, mut reached: Vec<f64>) -> Result<()> {
        reached.sort_by(f64::total_cmp);
        let median = reached[reached.len() / 2];
        let (Test(published)
        | Quarters(published)
        | Validation(published)
        | Training(published)
        | TrainingLoss(published)) = self;
        let published = f64::from(*published);
        let is_as_good = match self {
            TrainingLoss(_) => median <= published,
            _ => median >= published,
        };
        let (median, published) = (self.shown(median), self.shown(published));
        println!("median of {}: {median}; published: {published}", reached.len());
        ensure!(is_as_good, "the median is {median}, published was {published}");
        Ok(())
    }
}

impl Data {
    fn path(self) -> Result<PathBuf> {
        match self {
            Self::Mnist => data(),
            Self::Kaggle => Ok(kaggle()?.join("train.csv")),
            Self::Digits => Ok(root().join("fixtures/data/digits8x8.csv.gz")),
        }
    }
}

/// Rows of Kaggle's files.
const KAGGLE: [(&str, usize); 2] = [("train", 42_000), ("test", 28_000)];

/// MNIST's 70,000 digits in the form of Kaggle's files, and the labels that Kaggle keeps to itself; the folder they are in.
fn kaggle() -> Result<PathBuf> {
    let folder = root().join("target/xtask/kaggle");
    let done = folder.join("labels.csv");
    if done.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    let mnist = data()?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for (set, count) in [("train", 60_000), ("t10k", 10_000)] {
        images.extend(idx_bytes(&mnist, &format!("{set}-images-idx3-ubyte"), 16, count * PIXELS)?);
        labels.extend(idx_bytes(&mnist, &format!("{set}-labels-idx1-ubyte"), 8, count)?);
    }
    let mut samples = images.chunks_exact(PIXELS).zip(&labels);
    let pixel_names: Vec<_> = (0..PIXELS).map(|pixel| format!("pixel{pixel}")).collect();
    let mut kept = String::from("ImageId,Label\n");
    for (name, rows) in KAGGLE {
        let mut csv = BufWriter::new(File::create(folder.join(format!("{name}.csv")))?);
        let label_name = if name == "train" { "label," } else { "" };
        writeln!(csv, "{label_name}{}", pixel_names.join(","))?;
        for (id, (pixels, label)) in samples.by_ref().take(rows).enumerate() {
            let pixels: Vec<_> = pixels.iter().map(u8::to_string).collect();
            if name == "train" {
                write!(csv, "{label},")?;
            } else {
                kept += &format!("{},{label}\n", id + 1);
            }
            writeln!(csv, "{}", pixels.join(","))?;
        }
        csv.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    }
    fs::write(done, kept)?;
    Ok(folder)
}

/// Answers Kaggle's test file, and counts the right answers.
fn submit(program: &Path, model: &Path, folder: &Path) -> Result<()> {
    let submission = folder.join("submission.csv");
    let mut predict = Command::new(program);
    predict.arg("predict").arg(model).arg("--data").arg(kaggle()?.join("test.csv"));
    read({
        predict.arg("--submission").arg(&submission).arg("--quiet");
        predict
    })?;
    let (answers, labels) =
        (fs::read_to_string(&submission)?, fs::read_to_string(kaggle()?.join("labels.csv"))?);
    let rows = KAGGLE[1].1;
    ensure!(
        answers.lines().count() == labels.lines().count() && answers.lines().count() == rows + 1,
        "{} has {} lines, expected {}",
        submission.display(),
        answers.lines().count(),
        rows + 1
    );
    ensure!(answers.starts_with("ImageId,Label\n1,"), "{} has another form", submission.display());
    let right = answers.lines().zip(labels.lines()).skip(1).filter(|(a, b)| a == b).count();
    println!("submission: {right} of {rows} right");
    Ok(())
}

/// Compares what a Cortex-M4F makes of the model with what this machine does.
fn on_the_device(program: &Path, row: &Row, model: &Path, data: &Path) -> Result<()> {
    fs::copy(model, inputs::folder().join("any.pmlp"))?;
    let image = build("device_any", &CORTEX_M4)?;
    let form: &[&str] = match row.data {
        Data::Digits => &["--target", "last", "--csv-max", "16"],
        _ => &[],
    };
    device::verify_once(program, CORTEX_M4.name, &image, model, data, form)
}
