//! `predict --data`: every picture of a data file, and Kaggle's form of the answer.

use core::slice::ChunksExact;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use picomlp::blob::Blob;
use picomlp::{Layer, argmax};
use serde_json::json;

use super::{Args, Classify, ranking, top_json, top_text};
use crate::ModelFile;
use crate::data::Source;
use crate::model_input::ModelInput;
use crate::output::{Inputs, Outputs};
use crate::text::grouped;

/// Classifies the pictures of `source`: into the file that `--submission` names, or onto `out`.
pub(super) fn run(
    args: &Args,
    source: &Source,
    file: &ModelFile,
    blob: &Blob<'_>,
    classify: &mut Classify<'_>,
    out: &mut dyn Write,
) -> Result<()> {
    let inputs = Inputs::default().and("the model", [&args.model]).and("--data", source.path());
    let submission = args.submission.as_deref();
    let submission = submission.map(|path| anyhow::Ok((path, Outputs::plan(&inputs, [path])?)));
    let submission = submission.transpose()?;
    let net = blob.network()?;
    let input = ModelInput::new(file, blob, &net);
    let images = source.load_pictures(&input.format(&args.format)?, &input.known())?;
    input.warn_if_foreign(&images, source);
    let pixels = net.inputs();
    ensure!(
        images.len().is_multiple_of(pixels),
        "{source}: its pictures do not fit the {pixels} inputs of {}",
        file.path().display()
    );
    if let Some(submission) = submission {
        return submit(submission, blob, images.chunks_exact(pixels), classify, args.json, out);
    }
    for (id, pixels) in (1..).zip(images.chunks_exact(pixels)) {
        let ranking = ranking(blob, classify(pixels)?);
        let (name, _) = ranking.first().context("the model has no classes")?;
        if args.json {
            let top = top_json(&ranking);
            let line = json!({"event": "prediction", "id": id, "class": name, "top": top});
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{id}: {name}   ({})", top_text(&ranking))?;
        }
    }
    Ok(())
}

/// Writes `ImageId,Label`, ids from 1 in the order of the pictures.
fn submit(
    (path, output): (&Path, Outputs),
    blob: &Blob<'_>,
    images: ChunksExact<'_, u8>,
    classify: &mut Classify<'_>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let names: Vec<&str> = blob.class_names().collect();
    let samples = images.len();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["ImageId", "Label"])?;
    for (id, pixels) in (1u64..).zip(images) {
        let class = argmax(&classify(pixels)?);
        let number = class.to_string();
        csv.write_record([&id.to_string(), names.get(class).copied().unwrap_or(&number)])?;
    }
    output.write(&[&csv.into_inner()?])?;
    let shown = path.display().to_string();
    if as_json {
        let line = json!({"event": "submission", "file": shown, "samples": samples});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{shown}: {} predictions as ImageId,Label", grouped(samples))?;
    }
    Ok(())
}
