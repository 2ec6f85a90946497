//! All kinds of pictures at once: as the files of a folder, as the parts of a report.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::page::{Part, pca as pca_page};
use super::pca::{MOST_PIXELS, Pca};
use super::{
    FileFormat, Findings, History, MISTAKES, SAMPLES, STEP, Subject, TILES, classes, confusion,
    curves, mistakes, rotation, samples, weights,
};
use crate::data::{Dataset, Shape};
use crate::{Pool, output};

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
        add("curves", "Training", Part::Picture(curves(history)));
    }
    add("confusion", "Which classes are confused", Part::Picture(confusion(subject, &findings)?));
    add("classes", "Precision and recall", Part::Picture(classes(subject, &findings)));
    let gallery = mistakes(subject, &findings, measured, MISTAKES)?;
    add("mistakes", "Mistakes", Part::Picture(gallery));
    add("weights", "Weights", Part::Picture(weights(subject, shape, TILES)?));
    add("samples", "Samples", Part::Picture(samples(shown, SAMPLES)?));
    add("rotation", "A digit that turns", Part::Picture(rotation(subject, measured, 0, STEP)?));
    if shown.pixels() > MOST_PIXELS {
        let note = format!(
            "Principal components are left out: pictures of {} pixels take too long, more than {MOST_PIXELS}.",
            shown.pixels()
        );
        add("pca", "Principal components", Part::Note(note));
    } else {
        let pca = Pca::new(pool, shown)?;
        add("pca", "Principal components", Part::Picture(pca.picture()));
        add("cloud", "Principal components, to be turned", Part::Cloud(Box::new(pca)));
    }
    Ok(parts)
}

/// Whether [`write_folder`] could write there, tried out; nothing is left behind.
///
/// # Errors
///
/// If it could not.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    if folder.is_dir() {
        return output::check_writable(&folder.join("curves.png"));
    }
    ensure!(!folder.exists(), "cannot write pictures to {shown}: it is no folder");
    // What a file of that name needs, a folder needs, too.
    let name = folder.file_name();
    let name =
        name.with_context(|| format!("cannot write pictures to {shown}: it names no folder"))?;
    output::check_writable(&folder.with_file_name(name))
}

/// Writes a file for each picture, making the folder if it is not there. Returns the files' names.
///
/// # Errors
///
/// If a picture cannot be drawn, before anything is written; if a file cannot be written.
pub(crate) fn write_folder(
    folder: &Path,
    format: FileFormat,
    parts: &[(&str, &str, Part)],
    history: &str,
) -> Result<Vec<String>> {
    let mut files = vec![("history.jsonl".to_owned(), history.as_bytes().to_vec())];
    for (id, _, part) in parts {
        match part {
            Part::Picture(picture) => {
                files.push((format!("{id}.{}", format.ending()), format.encode(picture)?));
            }
            Part::Cloud(pca) => files.push(("pca.html".to_owned(), pca_page(pca).into_bytes())),
            Part::Settings(_) | Part::Note(_) => {}
        }
    }
    if !folder.is_dir() {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for (name, bytes) in &files {
        output::write_file(&folder.join(name), bytes)?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
