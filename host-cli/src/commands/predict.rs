//! `picomlp predict`: the class of images, or of the rows of a data file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use picomlp::Layer;
use picomlp::blob::{Blob, Preparation, TargetKind};
use picomlp_train::data::{Dataset, Source, Values, Vote, entries};
use picomlp_train::output::{Inputs, Outputs};
use picomlp_train::text::{grouped, percent};
use picomlp_train::{Classifier, ModelFile, ModelInput, Shape, image, vote};
use serde_json::json;

use crate::args::data::SchemaArgs;
use crate::files;
use crate::text::warn;

/// Predict the class of images or of the rows of a CSV file, or the values that a model was trained for.
///
/// PNG files are prepared as the model's training images were, which it records, and shown as the network sees them: taken as
/// they are, or brought into MNIST's form (the ink fitted into 20×20 of 28×28 pixels, centered by mass), for which any size
/// and color will do, dark on light or light on dark. A file that cannot be read is reported at the end. Probabilities are the softmax of the outputs, or, of a
/// model trained with squared error, the outputs above 0 as shares of their sum.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// PNG or JPEG files, or folders of them; for a model of features, a CSV file.
    #[arg(required_unless_present = "data", conflicts_with = "data", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// Classify the rows of a CSV file, with labels or without, or the test set of other data, as `train` takes it.
    #[arg(long, value_name = "DATA")]
    data: Option<Source>,
    /// Write the answers to this file in Kaggle's form: `ImageId,Label`, ids from 1.
    #[arg(long, value_name = "FILE.csv", requires = "data")]
    submission: Option<PathBuf>,
    #[command(flatten)]
    schema: SchemaArgs,
    /// Score of an autoencoder above which a sample is an anomaly [default: the model's threshold]. The score is the mean squared error over the features, each
    /// in standard deviations.
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f32>,
    /// Reject answers below this probability: no class is named then. Of labels, name those from P up instead of 0.5.
    #[arg(long, value_name = "P", value_parser = probability)]
    min_probability: Option<f32>,
    /// Run the model's int8 form, as `quantize` writes it.
    #[arg(long)]
    int8: bool,
    /// Print one JSON object an image instead of text.
    #[arg(long)]
    json: bool,
    /// Do not show the images.
    #[arg(long)]
    quiet: bool,
}

/// Classes named for each image.
const TOP: usize = 3;

/// In place of a class that is not probable enough.
const REJECTED: &str = "rejected";

/// Classifies each image and reports on `out`.
///
/// # Errors
///
/// If the model cannot be read, or an image cannot: all others have been reported then.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let blob = file.blob()?;
    let form = file.form(args.int8)?;
    let classifier = form.classifier();
    let input = ModelInput::new(&file, &blob, &blob.network()?);
    ensure!(
        args.min_probability.is_none()
            || matches!(input.kind(), TargetKind::Classes | TargetKind::Labels),
        "--min-probability is for classes and labels, and {} predicts values: leave it out",
        file.path().display()
    );
    let model = Loaded { classifier, input, blob, least: args.min_probability };
    let rows = match &args.images[..] {
        [path] if model.input.reads_features() => Some(Source::Path(path.clone())),
        _ => args.data.clone(),
    };
    match &rows {
        Some(source) => run_rows(args, source, &file, &model, out),
        None => run_images(args, &file, &model, out),
    }
}

/// A model and what runs it.
struct Loaded<'a> {
    blob: Blob<'a>,
    input: ModelInput,
    classifier: Classifier<'a>,
    /// The probability below which an answer is rejected.
    least: Option<f32>,
}

impl Loaded<'_> {
    /// Returns class names and these probabilities, most probable first.
    fn ranking(&self, probabilities: &[f32]) -> Vec<(String, f32)> {
        let names: Vec<&str> = self.blob.class_names().collect();
        let name = |class: usize| names.get(class).map_or(class.to_string(), |n| (*n).to_owned());
        let row = probabilities.iter().enumerate();
        let mut ranking: Vec<_> = row.map(|(class, p)| (name(class), *p)).collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranking
    }

    /// Returns the most probable class, unless it is rejected.
    fn answer<'r>(&self, ranking: &'r [(String, f32)]) -> Option<&'r str> {
        let (name, probability) = ranking.first()?;
        self.least.is_none_or(|least| *probability >= least).then_some(name)
    }

    /// Returns the labels of a sample, the most probable first.
    fn labels<'r>(&self, ranking: &'r [(String, f32)]) -> Vec<&'r str> {
        let is_on = |p: f32| self.least.map_or(p > 0.5, |least| p >= least);
        ranking.iter().filter(|(_, p)| is_on(*p)).map(|(name, _)| name.as_str()).collect()
    }
}

fn run_images(
    args: &Args,
    file: &ModelFile,
    model: &Loaded<'_>,
    out: &mut dyn Write,
) -> Result<()> {
    let input = &model.input;
    input.schema(&args.schema.schema())?;
    input.check_reads_images()?;
    if input.preparation == Preparation::NotRecorded {
        warn(&format!(
            "{} does not record how its images were prepared: these are brought into MNIST's form",
            file.path().display()
        ));
    }
    let (mut bad, mut all) = (Vec::new(), Vec::new());
    let files = files(&args.images);
    for (path, found) in &files {
        let read = match found {
            Ok(()) => input.read_image(path),
            Err(why) => Err(anyhow!("{why:#}")),
        };
        match read {
            Ok((levels, note)) => {
                let inputs: Vec<u8> =
                    levels.iter().map(|&level| of_range(level, input.max)).collect();
                all.extend_from_slice(&inputs);
                let values = Values::from(inputs);
                let ranking = model.ranking(&model.classifier.probabilities(&values)?);
                show(
                    args,
                    path,
                    (model.answer(&ranking), &ranking),
                    note,
                    (&levels, input.shape),
                    out,
                )?;
                if let Some(note) = note {
                    warn(&format!("{}: {note}", path.display()));
                }
            }
            Err(error) => {
                if args.json {
                    let (file, error) = (path.display().to_string(), format!("{error:#}"));
                    let line = json!({"event": "prediction", "file": file, "error": error});
                    writeln!(out, "{line}")?;
                }
                bad.push(error);
            }
        }
    }
    out.flush()?;
    // What was brought into one form cannot be inverted or of another range.
    if input.preparation == Preparation::AsIs
        && let Some(what) = input.foreign(&all, &"the images")
    {
        warn(&what);
    }
    match (bad.pop(), files.len()) {
        (None, _) => Ok(()),
        (Some(error), 1) => Err(error),
        (Some(last), all) => {
            let count = bad.len() + 1;
            bad.iter().chain([&last]).for_each(|error| warn(&format!("{error:#}")));
            bail!("{count} of {all} files could not be classified")
        }
    }
}

/// Classifies the samples of `source`: into the file that `--submission` names, or onto `out`.
fn run_rows(
    args: &Args,
    source: &Source,
    file: &ModelFile,
    model: &Loaded<'_>,
    out: &mut dyn Write,
) -> Result<()> {
    let reads = Inputs::default().and("the model", [&args.model]).and("--data", source.path());
    let submission = args.submission.as_deref();
    let submission = submission.map(|path| anyhow::Ok((path, files::plan(&reads, [path])?)));
    let submission = submission.transpose()?;
    let input = &model.input;
    let schema = input.schema(&args.schema.schema())?;
    let data = input.load_inputs(source, &schema)?;
    if let Some(what) = input.foreign(data.images(), source) {
        warn(&what);
    }
    let images = &data.inputs;
    let width = model.blob.network()?.inputs();
    ensure!(
        images.len().is_multiple_of(width),
        "{source}: its images do not fit the {width} inputs of {}",
        file.path().display()
    );
    if let Some(submission) = submission {
        ensure!(
            !schema.vote.is_cast(),
            "--submission has an answer for each sample: add --vote none"
        );
        return submit(submission, model, images, args.json, out);
    }
    if input.is_autoencoder() {
        let stored = model.blob.anomaly_threshold().map(|threshold| threshold.score);
        let threshold = args.threshold.or(stored);
        for (id, score) in (1..).zip(model.classifier.scores(images)?) {
            let is_anomaly = threshold.map(|threshold| score > threshold);
            if args.json {
                let line =
                    json!({"event": "prediction", "id": id, "score": score, "anomaly": is_anomaly});
                writeln!(out, "{line}")?;
            } else {
                let word = is_anomaly.map_or("", |is| if is { "   anomaly" } else { "   normal" });
                writeln!(out, "{id}: score {score}{word}")?;
            }
        }
        return Ok(());
    }
    let names = input.target_names();
    if !names.is_empty() && input.kind() != TargetKind::Labels {
        let values = model.classifier.logits(images)?;
        for (id, row) in (1..).zip(values.chunks_exact(names.len())) {
            if args.json {
                let values: serde_json::Map<_, _> =
                    names.iter().cloned().zip(row.iter().map(|value| json!(value))).collect();
                let line = json!({"event": "prediction", "id": id, "values": values});
                writeln!(out, "{line}")?;
            } else {
                let row: Vec<String> =
                    names.iter().zip(row).map(|(name, value)| format!("{name} {value}")).collect();
                writeln!(out, "{id}: {}", row.join("   "))?;
            }
        }
        return Ok(());
    }
    let probabilities = model.classifier.probabilities(images)?;
    let outputs = input.kind().names(model.blob.network()?.outputs());
    if schema.vote.is_cast() {
        return write_votes(args, &data, model, &probabilities, schema.vote, out);
    }
    for (id, row) in (1..).zip(probabilities.chunks_exact(outputs)) {
        let ranking = model.ranking(row);
        let are_labels = input.kind() == TargetKind::Labels;
        let mut line = json!({"event": "prediction", "id": id});
        let text = if are_labels {
            let labels = model.labels(&ranking);
            line["labels"] = json!(labels);
            line["probabilities"] =
                names.iter().cloned().zip(row.iter().map(|p| json!(p))).collect();
            if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }
        } else {
            let answer = model.answer(&ranking);
            line["class"] = json!(answer);
            line["top"] = json!(top_json(&ranking));
            answer.unwrap_or(REJECTED).to_owned()
        };
        if args.json {
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{id}: {text}   ({})", top_text(&ranking))?;
        }
    }
    Ok(())
}

/// Writes an answer for each recording, or for each group.
fn write_votes(
    args: &Args,
    data: &Dataset,
    model: &Loaded<'_>,
    probabilities: &[f32],
    how: Vote,
    out: &mut dyn Write,
) -> Result<()> {
    let outputs = model.blob.network()?.outputs();
    let ballots = vote::count(probabilities, outputs, vote::units(data)?, how);
    for (id, ballot) in (1..).zip(ballots) {
        let mut ranking = model.ranking(&ballot.shares);
        let name = model.input.class_name(ballot.class);
        // Of equal shares, the elected one is first.
        ranking.sort_by_key(|(class, share)| (core::cmp::Reverse(share.to_bits()), *class != name));
        let group = data.groups.of.get(ballot.first).map(|&group| data.groups.name(group));
        let group = group.filter(|_| !data.groups.names.is_empty());
        if args.json {
            let (top, samples) = (top_json(&ranking), ballot.samples);
            let line = json!({
                "event": "prediction", "id": id, "group": group, "samples": samples, "class": name, "top": top,
            });
            writeln!(out, "{line}")?;
        } else {
            let group = group.map_or_else(String::new, |group| format!(" {group}"));
            writeln!(
                out,
                "{id}{group}: {name}   ({}; {} samples)",
                top_text(&ranking),
                ballot.samples
            )?;
        }
    }
    Ok(())
}

/// Writes `ImageId,Label`, ids from 1 in the order of the samples.
fn submit(
    (path, output): (&Path, Outputs),
    model: &Loaded<'_>,
    images: &Values,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let (kind, outputs) = (model.input.kind(), model.blob.network()?.outputs());
    let targets: Vec<String> = model.input.target_names().iter().map(|name| field(name)).collect();
    let header = if targets.is_empty() {
        "ImageId,Label".to_owned()
    } else {
        format!("Id,{}", targets.join(","))
    };
    let are_values = !matches!(kind, TargetKind::Classes | TargetKind::Labels);
    let rows = match are_values {
        true => model.classifier.logits(images)?,
        false => model.classifier.probabilities(images)?,
    };
    let mut csv = format!("{header}\n");
    let width = kind.names(outputs);
    for (id, row) in (1u64..).zip(rows.chunks_exact(width)) {
        let answer = if kind == TargetKind::Classes {
            model.answer(&model.ranking(row)).map(field).unwrap_or_default()
        } else {
            row.iter().map(f32::to_string).collect::<Vec<_>>().join(",")
        };
        csv += &format!("{id},{answer}\n");
    }
    files::write(output, &[csv.as_bytes()])?;
    let (shown, samples) = (path.display().to_string(), rows.len() / width);
    if as_json {
        let line = json!({"event": "submission", "file": shown, "samples": samples});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{shown}: {} predictions as {header}", grouped(samples))?;
    }
    Ok(())
}

/// Quotes a field of a CSV file where it needs that.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Reports one prediction.
fn show(
    args: &Args,
    path: &Path,
    (answer, ranking): (Option<&str>, &[(String, f32)]),
    note: Option<&str>,
    (levels, shape): (&[u8], Shape),
    out: &mut dyn Write,
) -> Result<()> {
    if args.json {
        let line = json!({
            "event": "prediction",
            "file": path.display().to_string(),
            "class": answer,
            "top": top_json(ranking),
            "note": note,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    writeln!(out, "{}: {}", path.display(), answer.unwrap_or(REJECTED))?;
    if !args.quiet {
        write!(out, "{}", image::terminal::show(levels, shape.rows, shape.cols))?;
    }
    writeln!(out, "  {}", top_text(ranking))?;
    Ok(())
}

/// The value of `--min-probability`.
fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a probability from 0 to 1".to_owned()),
    }
}

/// A gray level out of 255 as a value out of `max`, rounded.
fn of_range(level: u8, max: u8) -> u8 {
    let value = (u32::from(level) * u32::from(max) * 2 + 255) / 510;
    value as u8 // at most `max`
}

/// The most probable classes, as JSON.
fn top_json(ranking: &[(String, f32)]) -> Vec<serde_json::Value> {
    let top = ranking.iter().take(TOP);
    top.map(|(name, p)| json!({"class": name, "probability": p})).collect()
}

/// The most probable classes, for people.
fn top_text(ranking: &[(String, f32)]) -> String {
    let top = ranking.iter().take(TOP);
    let top: Vec<_> = top.map(|(name, p)| format!("{name}: {}", percent(f64::from(*p)))).collect();
    top.join("   ")
}

/// The files named, and the PNG files in the folders named, sorted by name; or why a folder has none.
fn files(paths: &[PathBuf]) -> Vec<(PathBuf, Result<()>)> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push((path.clone(), Ok(())));
            continue;
        }
        let is_image = |path: &PathBuf| image::is_image(path) && !path.is_dir();
        match entries(path) {
            Ok(inside) if inside.iter().any(is_image) => {
                files.extend(inside.into_iter().filter(is_image).map(|path| (path, Ok(()))));
            }
            Ok(_) => {
                let why = anyhow!("{}: no PNG or JPEG file in this folder", path.display());
                files.push((path.clone(), Err(why)));
            }
            Err(why) => files.push((path.clone(), Err(why))),
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_range_takes_0_to_0_and_255_to_the_largest_value() {
        for max in 1..=255 {
            assert_eq!((of_range(0, max), of_range(255, max)), (0, max));
        }
        assert!((0..=255).all(|level| of_range(level, 255) == level));
        assert_eq!([7, 8, 127, 128].map(|level| of_range(level, 16)), [0, 1, 8, 8]);
    }
}
