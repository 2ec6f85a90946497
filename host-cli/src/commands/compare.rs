//! `picomlp compare`: two models on the same samples.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use picomlp::Layer;
use picomlp::blob::Blob;
use picomlp_train::text::{grouped, one_line, percent, widths};
use picomlp_train::{Comparison, Evaluation, ModelFile, ModelInput, Pool, vote};
use serde_json::json;

use crate::args::data::MeasureArgs;
use crate::text::warn;

/// Below this, a difference is called more than chance.
const SIGNIFICANT: f64 = 0.05;

/// Compare two models: settings that differ, accuracy with its 95 % interval (Wilson), whether the difference is more than chance
/// (McNemar's exact test), and the samples on which they disagree; or R² and errors of values.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    of: MeasureArgs,
    /// Model file to compare it with.
    #[arg(help_heading = None::<&str>)]
    other: PathBuf,
    /// Disagreements to list.
    #[arg(long, default_value_t = 10, value_name = "N", help_heading = None::<&str>)]
    list: usize,
    /// Print one JSON object instead of text.
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

/// Compares and reports on `out`.
///
/// # Errors
///
/// If a model or the data cannot be read, or do not fit each other.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let files = [ModelFile::read(&args.of.model)?, ModelFile::read(&args.other)?];
    let blobs = [files[0].blob()?, files[1].blob()?];
    let forms = [files[0].form(false)?, files[1].form(false)?];
    let nets = [blobs[0].network()?, blobs[1].network()?];
    let inputs = [0, 1].map(|i| ModelInput::new(&files[i], &blobs[i], &nets[i]));
    let shown = [0, 1].map(|i| files[i].path().display().to_string());
    let [a, b] = &inputs;
    ensure!(
        a.preparation == b.preparation && a.max == b.max && a.features() == b.features(),
        "{} and {} read different inputs: they cannot be compared on the same data",
        shown[0],
        shown[1]
    );
    let names = |i: usize| (0..nets[i].outputs()).map(move |class| (i, class));
    ensure!(
        a.target_names() == b.target_names()
            && names(0)
                .map(|(i, c)| inputs[i].class_name(c))
                .eq(names(1).map(|(i, c)| inputs[i].class_name(c))),
        "{} and {} have different classes or values to predict",
        shown[0],
        shown[1]
    );
    let measured = args.of.load(a)?;
    b.check_fit(&measured.data, &args.of.data)?;
    ensure!(!measured.data.is_empty(), "{}: there is no sample to measure on", args.of.data);
    let trained_on = |i: usize| blobs[i].provenance().map(|p| (p.data_fingerprint, p.seed));
    if measured.is_held_out && trained_on(0) != trained_on(1) {
        warn(&format!(
            "{} was trained on other samples than {}: it may have seen some of those that are measured",
            shown[1], shown[0]
        ));
    }
    let (data, pool) = (&measured.data, Pool::new(args.of.threads)?);
    let classifiers = forms.each_ref().map(|form| form.classifier());
    let results = [0, 1].map(|i| vote::evaluate(&classifiers[i], &pool, data, &data.all()));
    let [first, second] = results;
    let results = [first?, second?];
    let found = match results[0].regression {
        Some(_) => None,
        None => Some(Comparison::new([&classifiers[0], &classifiers[1]], &pool, data)?),
    };
    let settings = [0, 1].map(|i| settings(&blobs[i], &widths(&nets[i])));
    let differences: Vec<_> = settings[0]
        .keys()
        .chain(settings[1].keys().filter(|flag| !settings[0].contains_key(*flag)))
        .map(|flag| (flag, [0, 1].map(|i| settings[i].get(flag))))
        .filter(|(_, [a, b])| a != b)
        .collect();
    if args.json {
        let model = |i: usize| {
            let (result, values) = (&results[i], results[i].regression);
            json!({
                "model": shown[i],
                "fingerprint": format!("{:016x}", blobs[i].fingerprint()),
                "accuracy": found.as_ref().map(|found| found.accuracies()[i]),
                "interval": found.as_ref().map(|found| found.intervals()[i]),
                "alone_correct": found.as_ref().map(|found| found.alone[i]),
                "loss": result.loss,
                "r2": values.map(|values| values.r2),
                "mae": values.map(|values| values.mae),
                "rmse": values.map(|values| values.rmse),
                "auc": result.auc,
            })
        };
        let list = found.iter().flat_map(|found| found.disagreements.iter().take(args.list));
        let list: Vec<_> = list
            .map(|d| {
                let [class, a, b] =
                    [d.class, d.predicted[0], d.predicted[1]].map(|c| inputs[0].class_name(c));
                json!({ "sample": d.sample, "class": class, "predicted": [a, b] })
            })
            .collect();
        let line = json!({
            "event": "compare",
            "data": args.of.data.to_string(),
            "note": measured.note,
            "samples": results[0].samples,
            "models": [model(0), model(1)],
            "settings": differences.iter().map(|(flag, values)| (flag.to_string(), json!(values))).collect::<serde_json::Map<_, _>>(),
            "p_value": found.as_ref().map(Comparison::p_value),
            "disagreements": found.as_ref().map(|found| found.disagreements.len()),
            "first_disagreements": list,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    writeln!(out, "data           {}", measured.note)?;
    writeln!(out, "A              {}", one_line(&shown[0]))?;
    writeln!(out, "B              {}", one_line(&shown[1]))?;
    let mut rows: Vec<[String; 3]> = Vec::new();
    for (flag, values) in &differences {
        let [a, b] = values.map(|value| value.map_or("-", String::as_str));
        rows.push([
            one_line(flag).into_owned(),
            one_line(a).into_owned(),
            one_line(b).into_owned(),
        ]);
    }
    match &found {
        Some(found) => {
            let (accuracies, intervals) = (found.accuracies().map(percent), found.intervals());
            let within =
                intervals.map(|[low, high]| format!("{} to {}", percent(low), percent(high)));
            rows.push(row("accuracy", accuracies));
            rows.push(row("95 % interval", within));
        }
        None => {
            let of = |measure: fn(&Evaluation) -> f64| {
                [0, 1].map(|i| format!("{:.4}", measure(&results[i])))
            };
            rows.push(row("R²", of(Evaluation::main_measure)));
            rows.push(row("mean abs. error", of(|r| r.regression.map_or(f64::NAN, |v| v.mae))));
            rows.push(row("root mean sq.", of(|r| r.regression.map_or(f64::NAN, |v| v.rmse))));
        }
    }
    rows.push(row("loss", [0, 1].map(|i| format!("{:.4}", results[i].loss))));
    write_table(out, "", &["A", "B"], &rows)?;
    if let Some(found) = &found {
        write_disagreements(out, found, args.list, |class| inputs[0].class_name(class))?;
    }
    Ok(())
}

fn row(name: &str, [a, b]: [String; 2]) -> [String; 3] {
    [name.to_owned(), a, b]
}

fn write_disagreements(
    out: &mut dyn Write,
    found: &Comparison,
    most: usize,
    name: impl Fn(usize) -> String,
) -> Result<()> {
    let ([a, b], p) = (found.alone, found.p_value());
    let better = if a > b { "A" } else { "B" };
    let verdict = if p < SIGNIFICANT {
        format!("{better} is better by more than chance")
    } else {
        "the difference may be chance".to_owned()
    };
    let count = found.disagreements.len();
    writeln!(
        out,
        "\ndisagree       {} of {} samples: A alone is right in {}, B alone in {}, neither in {}",
        grouped(count),
        grouped(found.samples),
        grouped(a),
        grouped(b),
        grouped(count - a - b)
    )?;
    writeln!(
        out,
        "McNemar        p = {}: {verdict}",
        if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") }
    )?;
    if count > 0 && most > 0 {
        let rows: Vec<[String; 4]> = found
            .disagreements
            .iter()
            .take(most)
            .map(|d| {
                let [class, a, b] = [d.class, d.predicted[0], d.predicted[1]]
                    .map(|c| one_line(&name(c)).into_owned());
                [d.sample.to_string(), class, a, b]
            })
            .collect();
        write_table(out, "sample", &["class", "A", "B"], &rows)?;
        if count > most {
            writeln!(out, "and {} more: --list {count}", grouped(count - most))?;
        }
    }
    Ok(())
}

/// Writes rows in columns of the width that they need, after a free line.
fn write_table<const N: usize>(
    out: &mut dyn Write,
    corner: &str,
    heading: &[&str],
    rows: &[[String; N]],
) -> Result<()> {
    let chars = |text: &str| text.chars().count();
    let heading = || core::iter::once(corner).chain(heading.iter().copied());
    let widths: Vec<usize> = (0..N)
        .map(|i| {
            rows.iter()
                .map(|row| chars(&row[i]))
                .chain(heading().nth(i).map(chars))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate();
        let cells: Vec<_> = cells
            .map(|(i, (cell, width))| {
                format!("{cell:<0$}", if i == 0 { (*width).max(14) } else { *width })
            })
            .collect();
        cells.join("   ").trim_end().to_owned()
    };
    writeln!(out, "\n{}", line(&mut heading()))?;
    for row in rows {
        writeln!(out, "{}", line(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}

/// What a model says of its training, by flag: the command that repeats it has every setting that plays a part.
fn settings(blob: &Blob<'_>, network: &str) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([("network".to_owned(), network.to_owned())]);
    let provenance = blob.provenance().unwrap_or_default();
    let words = shell_words::split(provenance.command).unwrap_or_default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let value =
            words.next_if(|next| !next.starts_with("--")).unwrap_or_else(|| "set".to_owned());
        if flag != "out" {
            settings.insert(format!("--{flag}"), value);
        }
    }
    settings
}
