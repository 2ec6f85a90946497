//! `picomlp predict`: which digit a picture shows.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use picomlp::{Layer, Model, Sequential};
use serde_json::json;

use crate::text::percent;
use crate::{ModelFile, picture};

/// Classify pictures: PNG of any size and colour, dark on light or light on dark.
///
/// Each is brought into MNIST's form (the ink fitted into 20×20 of 28×28 pixels, centred by mass) and shown as the
/// network sees it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// PNG files, or folders of them.
    #[arg(required = true, value_name = "FILE.png")]
    pictures: Vec<PathBuf>,
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
/// If the model or a picture cannot be read. Pictures before that one have been reported.
pub fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let model = file.model()?;
    let shape = model.blob().input();
    let shape = shape.with_context(|| {
        format!("{}: the model does not say what shape its pictures have", file.path().display())
    })?;
    for path in files(&args.pictures)? {
        let pixels = picture::read_normalised(&path, shape.rows, shape.cols)?;
        let ranking = ranking(&model, &pixels)?;
        if args.json {
            let top = ranking.iter().take(TOP);
            let top: Vec<_> =
                top.map(|(name, p)| json!({"class": name, "probability": p})).collect();
            let line = json!({
                "event": "prediction",
                "file": path.display().to_string(),
                "class": ranking.first().map(|(name, _)| name),
                "top": top,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let (name, _) = ranking.first().context("the model has no classes")?;
        writeln!(out, "{}: {name}", path.display())?;
        if !args.quiet {
            write!(out, "{}", picture::terminal::show(&pixels, shape.rows, shape.cols))?;
        }
        let top = ranking.iter().take(TOP);
        let top: Vec<_> =
            top.map(|(name, p)| format!("{name}: {}", percent(f64::from(*p)))).collect();
        writeln!(out, "  {}", top.join("   "))?;
    }
    Ok(())
}

/// Class names and probabilities, most probable first.
fn ranking(model: &Model<'_, Sequential>, pixels: &[u8]) -> Result<Vec<(String, f32)>> {
    let mut probabilities = vec![0.0; model.net().outputs()];
    let mut scratch = vec![0.0; model.net().infer_scratch(1)];
    model.probabilities(pixels, &mut probabilities, &mut scratch)?;
    let names: Vec<&str> = model.blob().class_names().collect();
    let named = probabilities.into_iter().enumerate().map(|(class, p)| {
        let name = names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned());
        (name, p)
    });
    let mut ranking: Vec<_> = named.collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(ranking)
}

/// The files named, and the PNG files in the folders named, sorted by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let shown = path.display();
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {shown}"))? {
            let path = entry.with_context(|| format!("cannot read {shown}"))?.path();
            if is_png(&path) {
                inside.push(path);
            }
        }
        ensure!(!inside.is_empty(), "{shown}: no PNG file in this folder");
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}
