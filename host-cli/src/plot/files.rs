//! All kinds of pictures at once: as the files of a folder, as the parts of a report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::page::{Part, pca as pca_page};
use super::pca::{MOST_PIXELS, Pca};
use super::{
    FileFormat, Findings, History, MISTAKES, SAMPLES, STEP, Subject, TILES, classes, confusion,
    curves, mistakes, rotation, samples, weights,
};
use crate::Pool;
use crate::data::{Dataset, Shape};
use crate::output::{Inputs, Outputs};

/// The names of the pictures of [`parts`].
const PICTURES: [&str; 8] =
    ["curves", "confusion", "classes", "mistakes", "weights", "samples", "rotation", "pca"];

/// The names of the other files in a folder.
const HISTORY: &str = "history.jsonl";
const CLOUD: &str = "pca.html";

/// What pictures are drawn of.
pub(crate) struct Show<'a> {
    pub(crate) subject: Subject<'a>,
    /// What the network is measured on.
    pub(crate) measured: &'a Dataset,
    /// What samples and principal components are shown of.
    pub(crate) shown: &'a Dataset,
    pub(crate) history: Option<&'a History>,
}

/// All parts: a name for files and links, a heading, and what there is to see.
///
/// # Errors
///
/// If the data does not fit the network.
pub(crate) fn parts(
    pool: &Pool,
    show: &Show<'_>,
) -> Result<Vec<(&'static str, &'static str, Part)>> {
    let Show { subject, measured, shown, history } = show;
    let findings = Findings::new(pool, subject, measured)?;
    let shape = Shape { rows: measured.rows, cols: measured.cols };
    let mut parts = Vec::new();
    let mut add = |id, heading, part| parts.push((id, heading, part));
    if let Some(history) = history {
        add("curves", "Training", Part::Figure(curves(history)));
    }
    add("confusion", "Which classes are confused", Part::Figure(confusion(subject, &findings)));
    add("classes", "Precision and recall", Part::Figure(classes(subject, &findings)));
    let gallery = mistakes(subject, &findings, measured, MISTAKES);
    add("mistakes", "Mistakes", Part::Figure(gallery));
    add("weights", "Weights", Part::Figure(weights(subject, shape, TILES)?));
    add("samples", "Samples", Part::Figure(samples(shown, SAMPLES)));
    add("rotation", "A digit that turns", Part::Figure(rotation(subject, measured, 0, STEP)?));
    if shown.pixels() > MOST_PIXELS {
        let note = format!(
            "Principal components are left out: pictures of {} pixels take too long, more than {MOST_PIXELS}.",
            shown.pixels()
        );
        add("pca", "Principal components", Part::Note(note));
    } else {
        let pca = Pca::new(pool, shown)?;
        add("pca", "Principal components", Part::Figure(pca.figure()));
        add("cloud", "Principal components, to be turned", Part::Cloud(Box::new(pca)));
    }
    Ok(parts)
}

/// The files that [`write_folder`] may write; or, instead of a folder that is not there yet, a file in its place, which
/// needs what the folder needs.
///
/// # Errors
///
/// If there cannot be such a folder.
pub(crate) fn files_of_folder(folder: &Path, format: FileFormat) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    if folder.is_dir() {
        let names = PICTURES.map(|id| format!("{id}.{}", format.ending()));
        let others = [HISTORY, CLOUD].map(str::to_owned);
        return Ok(names.into_iter().chain(others).map(|name| folder.join(name)).collect());
    }
    ensure!(!folder.exists(), "cannot write pictures to {shown}: it is no folder");
    let name = folder.file_name();
    let name =
        name.with_context(|| format!("cannot write pictures to {shown}: it names no folder"))?;
    Ok(vec![folder.with_file_name(name)])
}

/// Writes a file for each picture, making the folder if it is not there. Returns the files' names.
///
/// # Errors
///
/// If a figure cannot be drawn, before anything is written; if a file cannot be written.
pub(crate) fn write_folder(
    inputs: &Inputs,
    folder: &Path,
    format: FileFormat,
    parts: &[(&str, &str, Part)],
    history: &str,
) -> Result<Vec<String>> {
    let mut files = vec![(HISTORY.to_owned(), history.as_bytes().to_vec())];
    for (id, _, part) in parts {
        match part {
            Part::Figure(figure) => {
                files.push((format!("{id}.{}", format.ending()), format.encode(figure)?));
            }
            Part::Cloud(pca) => files.push((CLOUD.to_owned(), pca_page(pca).into_bytes())),
            Part::Settings(_) | Part::Note(_) => {}
        }
    }
    let is_new = !folder.is_dir();
    if is_new {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let bytes: Vec<_> = files.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let outputs = Outputs::plan(inputs, files.iter().map(|(name, _)| folder.join(name)));
    let written = outputs.and_then(|outputs| outputs.write(&bytes));
    if is_new && written.is_err() {
        let _ = fs::remove_dir(folder); // which it could, being empty
    }
    written?;
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
