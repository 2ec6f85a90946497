//! Files that a command writes: a signal waits until a write is done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use picomlp_plots::{FIGURES, FileFormat, Part, Section, pca_page};
use picomlp_train::output::{Inputs, Outputs};

use crate::interrupt;

/// The names of the other files beside figures in a folder.
const HISTORY: &str = "history.jsonl";
const CLOUD: &str = "pca.html";

/// Checks that these paths can be written, each a file of its own and none of the `inputs`.
///
/// # Errors
///
/// If one of them cannot, naming it.
pub(crate) fn plan<P: AsRef<Path>>(
    inputs: &Inputs,
    paths: impl IntoIterator<Item = P>,
) -> Result<Outputs> {
    let _uninterrupted = interrupt::defer();
    Outputs::plan(inputs, paths)
}

/// Writes the planned files.
///
/// # Errors
///
/// If one cannot be written, naming it.
pub(crate) fn write(outputs: Outputs, contents: &[&[u8]]) -> Result<()> {
    let _uninterrupted = interrupt::defer();
    outputs.write(contents)
}

/// Returns the files that [`write_figures`] may write; or, instead of a folder that is not there yet, a file in its place,
/// which needs what the folder needs.
///
/// # Errors
///
/// If there cannot be such a folder.
pub(crate) fn figures_of(folder: &Path, format: FileFormat) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    if folder.is_dir() {
        let names = FIGURES.map(|id| format!("{id}.{format}"));
        let others = [HISTORY, CLOUD].map(str::to_owned);
        return Ok(names.into_iter().chain(others).map(|name| folder.join(name)).collect());
    }
    ensure!(!folder.exists(), "cannot write figures to {shown}: it is no folder");
    let name = folder.file_name();
    let name =
        name.with_context(|| format!("cannot write figures to {shown}: it names no folder"))?;
    Ok(vec![folder.with_file_name(name)])
}

/// Writes a file for each figure and the history, making the folder if it is not there. Returns the files' names.
///
/// # Errors
///
/// If a figure cannot be drawn, before anything is written; if a file cannot be written.
pub(crate) fn write_figures(
    inputs: &Inputs,
    folder: &Path,
    format: FileFormat,
    sections: &[Section],
    history: &str,
) -> Result<Vec<String>> {
    let mut files = vec![(HISTORY.to_owned(), history.as_bytes().to_vec())];
    for (id, _, part) in sections {
        match part {
            Part::Figure(figure) => {
                files.push((format!("{id}.{format}"), format.encode(figure)?));
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
    let outputs = plan(inputs, files.iter().map(|(name, _)| folder.join(name)));
    let written = outputs.and_then(|outputs| write(outputs, &bytes));
    if is_new && written.is_err() {
        let _ = fs::remove_dir(folder); // which it could, being empty
    }
    written?;
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
