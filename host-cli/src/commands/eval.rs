//! `picomlp eval`: how well a model does on a test set.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use picomlp::blob::TargetKind;
use picomlp_train::data::Dataset;
use picomlp_train::text::grouped;
use picomlp_train::{ClassMeasures, Measured, ModelFile, ModelInput, Pool, vote};
use serde_json::json;

use crate::args::count;
use crate::args::data::MeasureArgs;
use crate::render::evaluation::{write_classes, write_confusion, write_result};
use crate::text::warn;

/// Measure a model on the test set: accuracy, loss, precision and recall of each class, and which classes it takes for which; or R² and errors of values.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    of: MeasureArgs,
    /// Part of DATA to measure on, which must be what the model was trained on (the model records the split), or all of it
    /// [default: what training held out for testing, if DATA is that; else all of a file, or the test set].
    #[arg(long, value_enum, value_name = "PART")]
    split: Option<SplitPart>,
    /// Run the model's int8 form, as `quantize` writes it.
    #[arg(long)]
    int8: bool,
    /// Measure how often the true class is among the K most probable ones, too.
    #[arg(long, value_name = "K", value_parser = count(65_536))]
    top_k: Option<usize>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SplitPart {
    /// What was trained on.
    Train,
    /// The criterion that chose the epoch.
    Validation,
    /// What was held out.
    Test,
    /// All of a file, or the test set.
    All,
}

/// Evaluates and reports on `out`.
///
/// # Errors
///
/// If model or data cannot be read, or do not fit each other.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.of.model)?;
    let (blob, shown) = (file.blob()?, file.path().display());
    let input = ModelInput::new(&file, &blob, &blob.network()?);
    ensure!(
        args.top_k.is_none() || input.kind() == TargetKind::Classes,
        "--top-k is for classes, and {shown} predicts labels or values: leave it out"
    );
    let form = file.form(args.int8)?;
    let classifier = form.classifier();
    let (data, note) = load(args, &input)?;
    ensure!(!data.is_empty(), "{}: there is no sample to measure on", args.of.data);
    let (pool, how) = (Pool::new(args.of.threads)?, data.schema.vote);
    let result = vote::evaluate(&classifier, &pool, &data, &data.all());
    let result = result.with_context(|| shown.to_string())?;
    ensure!(
        args.top_k.is_none() || !result.ranks.is_empty(),
        "--top-k is of samples, not of votes: add --vote none"
    );
    if args.json {
        let mut line = json!({
            "event": "eval",
            "model": shown.to_string(),
            "data": args.of.data.to_string(),
            "note": note,
            "test_accuracy": null,
            "samples": result.samples,
            "confusion": result.confusion,
            "int8": args.int8,
            "vote": how.is_cast().then(|| how.to_string()),
            "fingerprint": format!("{:016x}", blob.fingerprint()),
        });
        for (name, value) in result.measures() {
            // The main measures have a name of their own each.
            let is_main = matches!(name, "loss" | "accuracy" | "r2" | "mae" | "rmse");
            line[format!("{}{name}", if is_main { "test_" } else { "" })] = value.into();
        }
        line["auc"] = json!(result.auc);
        let classes = result.classes();
        let of = |measure: fn(&ClassMeasures) -> Option<f64>| {
            classes.iter().map(measure).collect::<Vec<_>>()
        };
        if !classes.is_empty() {
            line["precision"] = json!(of(|class| class.precision));
            line["recall"] = json!(of(|class| class.recall));
            line["f1"] = json!(of(|class| Some(class.f1)));
            line["support"] = json!(classes.iter().map(|class| class.samples).collect::<Vec<_>>());
            line["top_k_accuracy"] = json!(args.top_k.map(|k| result.top_k(k)));
        }
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "data           {note}")?;
        if how.is_cast() {
            let (samples, votes) = (grouped(data.len()), grouped(result.samples));
            writeln!(out, "vote           {samples} samples give {votes} answers (--vote {how})")?;
        }
        write_result(out, &result)?;
        let names: Vec<&str> = blob.class_names().collect();
        if !result.confusion.is_empty() {
            write_confusion(out, &result, &names)?;
        }
        if result.regression.is_none() {
            let name = |class: usize| {
                names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned())
            };
            write_classes(out, &result, args.top_k, name)?;
        }
    }
    out.flush()?;
    if let Some(what) = result.collapse(|class| input.class_name(class)) {
        warn(&format!("{shown}: {what}"));
    }
    ensure!(result.loss.is_finite(), "{shown}: the loss is {}, no finite number", result.loss);
    // A network that has just begun to learn may be a little above.
    if result.loss > 2.0 * result.guessing && !input.is_autoencoder() {
        warn(&format!("{shown}: {}", result.worse_than_guessing()));
    }
    Ok(())
}

/// What to measure on, and a sentence about it.
fn load(args: &Args, input: &ModelInput) -> Result<(Dataset, String)> {
    let (source, schema) = (&args.of.data, args.of.schema.schema());
    let (part, name) = match args.split {
        None => {
            let Measured { data, is_held_out, note } = args.of.load(input)?;
            let hint = if is_held_out { " (all: --split all)" } else { "" };
            return Ok((data, note + hint));
        }
        Some(SplitPart::All) => {
            let data = input.load_test(source, &schema)?;
            let note = format!("{source}: all {} samples", grouped(data.len()));
            return Ok((data, note));
        }
        Some(SplitPart::Train) => (0, "training"),
        Some(SplitPart::Validation) => (1, "validation"),
        Some(SplitPart::Test) => (2, "test"),
    };
    let (data, split) = input.split_again(source, &schema)?;
    let samples = vec![split.train, split.validation, split.test].swap_remove(part);
    let note =
        format!("{source}: the {} {name} samples of the model's training", grouped(samples.len()));
    Ok((data.subset(&samples), note))
}
