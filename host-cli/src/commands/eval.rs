//! `picomlp eval`: how well a model does on a test set.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use picomlp::{Model, QuantizedModel, Sequential};
use serde_json::json;

use crate::data::{Dataset, Format, Source, Split};
use crate::model_input::ModelInput;
use crate::text::{self, grouped, percent, warn};
use crate::{Evaluation, ModelFile, Pool, evaluate, evaluate_int8};

/// Measure a model on the test set: accuracy, loss, and which classes it takes for which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// `synthetic`, a folder with MNIST's test images and labels, a labelled CSV file, or a folder of PNG files by class
    /// (of which DIR/test is taken if it is there).
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    /// Measure on the samples that training took from DATA for this, instead of all of a CSV file or the test set. The
    /// model records the split; DATA must be what it was trained on.
    #[arg(long, value_enum, value_name = "PART")]
    split: Option<SplitPart>,
    #[command(flatten)]
    format: Format,
    /// Threads to use [default: one for each core].
    #[arg(long, value_parser = crate::pool::parse_threads, value_name = "N")]
    threads: Option<usize>,
    /// Run the model's int8 form, as `quantize` writes it.
    #[arg(long)]
    int8: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// A part of the training data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SplitPart {
    /// What was trained on.
    Train,
    /// The criterion that chose the epoch.
    Validation,
    /// What was held out.
    Test,
}

/// What is measured.
enum Form<'a> {
    F32(Model<'a, Sequential>),
    Int8(QuantizedModel<'a, Sequential>),
}

/// Evaluates and reports on `out`.
///
/// # Errors
///
/// If model or data cannot be read, or do not fit each other.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let blob = file.blob()?;
    let form = if args.int8 { Form::Int8(file.quantized()?) } else { Form::F32(file.model()?) };
    let net = blob.network()?;
    let input = ModelInput::new(&file, &blob, &net);
    let (data, order, note) = load(args, &input)?;
    ensure!(!order.is_empty(), "{}: there is no sample to measure on", args.data);
    let pool = Pool::new(args.threads)?;
    let loss = blob.loss_kind();
    let result = match &form {
        Form::Int8(model) => evaluate_int8(&pool, model, &data, &order, loss),
        Form::F32(model) => {
            evaluate(&pool, &net, model.params(), &data, blob.input_map(), &order, loss)
        }
    };
    let result = result.with_context(|| file.path().display().to_string())?;
    if args.json {
        let line = json!({
            "event": "eval",
            "model": file.path().display().to_string(),
            "data": args.data.to_string(),
            "test_accuracy": result.accuracy(),
            "test_loss": result.loss,
            "samples": result.samples,
            "confusion": result.confusion,
            "int8": args.int8,
            "fingerprint": format!("{:016x}", blob.fingerprint()),
        });
        writeln!(out, "{line}")?;
    } else {
        if let Some(note) = note {
            writeln!(out, "data           {note}")?;
        }
        write_result(out, &result)?;
        let names: Vec<&str> = blob.class_names().collect();
        write_confusion(out, &result, &names)?;
    }
    out.flush()?;
    let shown = file.path().display();
    if let Some(what) = result.collapse(|class| input.class_name(class)) {
        warn(&format!("{shown}: {what}"));
    }
    ensure!(result.loss.is_finite(), "{shown}: the loss is {}, no finite number", result.loss);
    // A network that has just begun to learn may be a little above.
    if result.loss > 2.0 * result.guessing {
        warn(&format!("{shown}: {}", result.worse_than_guessing()));
    }
    Ok(())
}

/// The data, the samples of it to measure on, and a sentence about them.
fn load(args: &Args, input: &ModelInput) -> Result<(Dataset, Vec<u32>, Option<String>)> {
    let all = |data: &Dataset| (0..).take(data.len()).collect::<Vec<u32>>();
    let Some(part) = args.split else {
        let (data, note) = input.load_test(&args.data, &args.format)?;
        let order = all(&data);
        return Ok((data, order, note));
    };
    let Split { train, test } = input.split_again(&args.data, &args.format)?;
    let (trained_on, validation) = input.validation(&train);
    let (data, order, name) = match part {
        SplitPart::Train => (train, trained_on, "training"),
        SplitPart::Validation => (train, validation, "validation"),
        SplitPart::Test => {
            let order = all(&test);
            (test, order, "test")
        }
    };
    let note = format!(
        "{}: the {} {name} samples of the model's training",
        args.data,
        grouped(order.len())
    );
    Ok((data, order, Some(note)))
}

/// The lines that `train` ends with, too.
pub(crate) fn write_result(out: &mut dyn Write, result: &Evaluation) -> Result<()> {
    writeln!(
        out,
        "test accuracy  {} ({} of {}), loss {:.4}",
        percent(result.accuracy()),
        grouped(result.correct),
        grouped(result.samples),
        result.loss
    )?;
    Ok(())
}

fn write_confusion(out: &mut dyn Write, result: &Evaluation, names: &[&str]) -> Result<()> {
    let numbers: Vec<String> = (0..result.confusion.len()).map(|class| class.to_string()).collect();
    let name = |class: usize| text::name(names.get(class).copied().unwrap_or(&numbers[class]));
    let counts = result.confusion.iter().flatten().map(|count| count.to_string().len());
    let labels = (0..numbers.len()).map(|class| name(class).chars().count());
    let width = counts.chain(labels).max().unwrap_or(1) + 2;
    writeln!(out, "\nconfusion      columns: the class found; rows: the true class")?;
    write!(out, "{:>width$}", "")?;
    for class in 0..numbers.len() {
        write!(out, "{:>width$}", name(class))?;
    }
    writeln!(out, "{:>10}", "found")?;
    for (class, row) in result.confusion.iter().enumerate() {
        write!(out, "{:>width$}", name(class))?;
        for count in row {
            match count {
                0 => write!(out, "{:>width$}", ".")?,
                _ => write!(out, "{count:>width$}")?,
            }
        }
        let samples: usize = row.iter().sum();
        match samples {
            0 => writeln!(out, "{:>10}", "-")?,
            _ => writeln!(out, "{:>10}", percent(row[class] as f64 / samples as f64))?,
        }
    }
    Ok(())
}
