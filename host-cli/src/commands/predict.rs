//! `picomlp predict`: which digit a picture shows.

mod rows;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use picomlp::Layer;
use picomlp::blob::{Blob, Preparation};
use serde_json::json;

use crate::data::folder::entries;
use crate::data::{Format, Shape, Source};
use crate::evaluate::int8_logits;
use crate::model_input::ModelInput;
use crate::text::{percent, warn};
use crate::{ModelFile, picture};

/// Classify images: PNG files, or a whole data set.
///
/// PNG files are prepared as the model's training images were, which it records, and shown as the network sees them: taken as
/// they are, or brought into MNIST's form (the ink fitted into 20×20 of 28×28 pixels, centered by mass), for which any size
/// and color will do, dark on light or light on dark. A file that cannot be read is reported at the end. Probabilities are the softmax of the outputs, or, of a
/// model trained with squared error, the outputs above 0 as shares of their sum.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// PNG files, or folders of them.
    #[arg(required_unless_present = "data", conflicts_with = "data", value_name = "FILE.png")]
    pictures: Vec<PathBuf>,
    /// Classify the rows of a CSV file, with labels or without, or the test set of other data, as `train` takes it.
    #[arg(long, value_name = "DATA")]
    data: Option<Source>,
    /// Write the answers to this file in Kaggle's form: `ImageId,Label`, ids from 1.
    #[arg(long, value_name = "FILE.csv", requires = "data")]
    submission: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    /// Run the model's int8 form, as `quantize` writes it.
    #[arg(long)]
    int8: bool,
    /// Print one JSON object a picture instead of text.
    #[arg(long)]
    json: bool,
    /// Do not show the pictures.
    #[arg(long)]
    quiet: bool,
}

/// Classes named for each picture.
const TOP: usize = 3;

/// Classifies each picture and reports on `out`.
///
/// # Errors
///
/// If the model cannot be read, or an image cannot: all others have been reported then.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let blob = file.blob()?;
    let mut classify = if args.int8 { in_int8(&file)? } else { in_f32(&file)? };
    if let Some(source) = &args.data {
        return rows::run(args, source, &file, &blob, &mut classify, out);
    }
    let net = blob.network()?;
    let input = ModelInput::new(&file, &blob, &net);
    input.format(&args.format)?;
    input.check_reads_images()?;
    if input.preparation == Preparation::NotRecorded {
        warn(&format!(
            "{} does not record how its images were prepared: these are brought into MNIST's form",
            file.path().display()
        ));
    }
    let (mut bad, mut values) = (Vec::new(), Vec::new());
    let files = files(&args.pictures);
    for (path, found) in &files {
        let read = match found {
            Ok(()) => input.read_image(path),
            Err(why) => Err(anyhow!("{why:#}")),
        };
        match read {
            Ok((levels, note)) => {
                let inputs: Vec<u8> =
                    levels.iter().map(|&level| of_range(level, input.max)).collect();
                let ranking = ranking(&blob, classify(&inputs)?);
                show(args, path, &ranking, note, (&levels, input.shape), out)?;
                if let Some(note) = note {
                    warn(&format!("{}: {note}", path.display()));
                }
                values.extend(inputs);
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
    if input.preparation == Preparation::AsIs {
        input.warn_if_foreign(&values, &"the images");
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

/// Reports one prediction.
fn show(
    args: &Args,
    path: &Path,
    ranking: &[(String, f32)],
    note: Option<&str>,
    (levels, shape): (&[u8], Shape),
    out: &mut dyn Write,
) -> Result<()> {
    if args.json {
        let line = json!({
            "event": "prediction",
            "file": path.display().to_string(),
            "class": ranking.first().map(|(name, _)| name),
            "top": top_json(ranking),
            "note": note,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let (name, _) = ranking.first().context("the model has no classes")?;
    writeln!(out, "{}: {name}", path.display())?;
    if !args.quiet {
        write!(out, "{}", picture::terminal::show(levels, shape.rows, shape.cols))?;
    }
    writeln!(out, "  {}", top_text(ranking))?;
    Ok(())
}

/// A grey level out of 255 as a value out of `max`, rounded.
fn of_range(level: u8, max: u8) -> u8 {
    let value = (u32::from(level) * u32::from(max) * 2 + 255) / 510;
    value as u8 // at most `max`
}

/// From pixels to the outputs.
type Classify<'a> = Box<dyn FnMut(&[u8]) -> Result<Vec<f32>> + 'a>;

fn in_f32(file: &ModelFile) -> Result<Classify<'_>> {
    let model = file.model()?;
    let mut scratch = vec![0.0; model.net().infer_scratch(1)];
    Ok(Box::new(move |pixels| Ok(model.logits(pixels, &mut scratch)?.to_vec())))
}

fn in_int8(file: &ModelFile) -> Result<Classify<'_>> {
    let model = file.quantized()?;
    let mut scratch = vec![0; model.scratch_len()];
    Ok(Box::new(move |pixels| {
        let mut logits = vec![0.0; model.net().outputs()];
        int8_logits(&model, pixels, &mut logits, &mut scratch)?;
        Ok(logits)
    }))
}

/// Class names and probabilities, most probable first.
fn ranking(blob: &Blob<'_>, logits: Vec<f32>) -> Vec<(String, f32)> {
    let mut probabilities = logits;
    blob.loss_kind().probabilities(&mut probabilities);
    let names: Vec<&str> = blob.class_names().collect();
    let named = probabilities.into_iter().enumerate().map(|(class, p)| {
        let name = names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned());
        (name, p)
    });
    let mut ranking: Vec<_> = named.collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking
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
        let is_image = |path: &PathBuf| picture::is_image(path) && !path.is_dir();
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
