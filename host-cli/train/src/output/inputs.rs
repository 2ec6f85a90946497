//! What a command reads, so that it does not write over it.

use std::fs;
use std::path::{Path, PathBuf};

use super::target::{Target, node};
use crate::image;

/// Folders in folders that are searched: `DIR/train/class/image.png`, and one more.
const DEPTH: usize = 4;

/// Files and folders, with the flag that names each.
#[derive(Debug, Default)]
pub struct Inputs(Vec<(&'static str, PathBuf)>);

impl Inputs {
    /// Adds paths, which need not exist.
    #[must_use]
    pub fn and<P: AsRef<Path>>(
        mut self,
        name: &'static str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.0.extend(paths.into_iter().map(|path| (name, path.as_ref().to_owned())));
        self
    }

    /// Which input the file is, in words.
    pub(super) fn find(&self, target: &Target) -> Option<String> {
        // Where there is no file yet, none is lost.
        let wanted = node(target.path())?;
        self.0.iter().find_map(|(name, path)| {
            let shown = path.display();
            if node(path).as_ref() == Some(&wanted) {
                return Some(format!("{name} {shown}"));
            }
            let files = files(path, DEPTH);
            let file = files.iter().find(|file| node(file).as_ref() == Some(&wanted))?;
            // A model may lie beside the data, and images of it, too.
            let is_sample = image::is_image(file)
                && file.parent() != Some(path)
                && !files.iter().any(|file| is_idx(file));
            (is_idx(file) || is_sample).then(|| format!("a file of {name} {shown}"))
        })
    }
}

/// Whether all the names of IDX files that are in use say what it is.
fn is_idx(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.contains("idx")
}

/// The files in a folder and, unless IDX files are among them, in its folders; none if it is no folder.
fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let (folders, mut found): (Vec<_>, Vec<_>) =
        entries.map(|entry| entry.path()).partition(|path| path.is_dir());
    if depth > 1 && !found.iter().any(|file| is_idx(file)) {
        found.extend(folders.iter().flat_map(|folder| files(folder, depth - 1)));
    }
    found
}
