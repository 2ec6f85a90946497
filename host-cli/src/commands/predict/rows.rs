//! `predict --data`: every picture of a data file, and Kaggle's form of the answer.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use picomlp::{InputMap, Layer, Model, Sequential};
use serde_json::json;

use super::{Args, ranking, top_json, top_text};
use crate::data::Source;
use crate::model_file::ModelInput;
use crate::text::grouped;
use crate::{ModelFile, Pool, classify, output};

/// Classifies the pictures of `source`: into the file that `--submission` names, or onto `out`.
pub(super) fn run(
    args: &Args,
    source: &Source,
    file: &ModelFile,
    model: &Model<'_, Sequential>,
    out: &mut impl Write,
) -> Result<()> {
    if let Some(path) = &args.submission {
        output::check_writable(path)?;
    }
    let input = ModelInput::new(model.blob(), model.net());
    let images = source.load_pictures(&args.format, &input.known())?;
    let pixels = model.net().inputs();
    ensure!(
        images.len().is_multiple_of(pixels),
        "{source}: its pictures do not fit the {pixels} inputs of {}",
        file.path().display()
    );
    if let Some(path) = &args.submission {
        return submit(path, model, &images, args.json, out);
    }
    for (id, pixels) in (1..).zip(images.chunks_exact(pixels)) {
        let ranking = ranking(model, pixels)?;
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
    path: &Path,
    model: &Model<'_, Sequential>,
    images: &[u8],
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    let map = model.blob().input().map_or(InputMap::PIXELS, |input| input.map);
    let classes = classify(&Pool::new(None)?, model.net(), model.params(), images, map)?;
    let names: Vec<&str> = model.blob().class_names().collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["ImageId", "Label"])?;
    for (id, &class) in (1u64..).zip(&classes) {
        let number = class.to_string();
        csv.write_record([&id.to_string(), names.get(class).copied().unwrap_or(&number)])?;
    }
    output::write_file(path, &csv.into_inner()?)?;
    let shown = path.display().to_string();
    if as_json {
        let line = json!({"event": "submission", "file": shown, "samples": classes.len()});
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{shown}: {} predictions as ImageId,Label", grouped(classes.len()))?;
    }
    Ok(())
}
