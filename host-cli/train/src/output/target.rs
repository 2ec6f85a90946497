//! Where an output lies, whatever leads there.

use core::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf, is_separator};

use anyhow::{Context, Result, bail, ensure};

/// Links that follow each other at most; the limit of Linux.
const LINKS: usize = 40;

/// A file to write. Shown as what begins every error about it: "cannot write " and the name that the user gave.
#[derive(Debug)]
pub(super) struct Target {
    shown: PathBuf,
    /// The folder, without links.
    folder: PathBuf,
    path: PathBuf,
}

impl Target {
    /// Follows `path` to a file, or to where one can be made.
    ///
    /// # Errors
    ///
    /// If there is something other than a file, or no folder for it.
    pub(super) fn resolve(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut place = path.to_owned();
        for _ in 0..=LINKS {
            let leads = match place == path {
                true => String::new(),
                false => format!("it leads to {}, and ", place.display()),
            };
            let fail = |why: &str| format!("cannot write {shown}: {leads}{why}");
            ensure!(!place.is_dir(), fail("it is a folder, a file name is needed"));
            // `Path` ignores a separator at the end, the rename does not.
            let ends = place.to_string_lossy().ends_with(is_separator);
            let Some(name) = place.file_name().filter(|_| !ends) else {
                bail!(fail("it names no file"));
            };
            let folder = match place.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            ensure!(folder.is_dir(), fail(&format!("there is no folder {}", folder.display())));
            let folder = folder.canonicalize().with_context(|| fail("cannot follow it"))?;
            ensure!(!is_virtual(&folder), fail("a device or an open file, a file is needed"));
            let at = folder.join(name);
            match fs::symlink_metadata(&at) {
                Ok(found) if found.is_symlink() => {
                    let link = fs::read_link(&at).with_context(|| fail("cannot follow it"))?;
                    place = folder.join(link);
                    continue;
                }
                // A rename would replace a device such as /dev/null by a file, and a file that is protected.
                Ok(found) if !found.is_file() => {
                    bail!(fail("it is a device or a pipe, a file is needed"))
                }
                Ok(found) => ensure!(!found.permissions().readonly(), fail("it is read-only")),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| fail("cannot look at it")),
            }
            return Ok(Self { shown: path.to_owned(), folder, path: at });
        }
        bail!("cannot write {shown}: its links lead in a circle")
    }

    pub(super) fn shown(&self) -> impl fmt::Display {
        self.shown.display()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file already.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// Whether both are one file, by its place or by another name of it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path
            || node(&self.path).is_some_and(|own| node(&other.path) == Some(own))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}", self.shown())
    }
}

/// Whether the system makes the files of this folder up: `/proc/self/fd/1` is whatever standard output is.
fn is_virtual(folder: &Path) -> bool {
    let within = |folder: &Path, root: &str| cfg!(unix) && folder.starts_with(root);
    ["/proc", "/sys", "/dev"].iter().any(|root| within(folder, root)) && !within(folder, "/dev/shm")
}

/// What two names of one file have in common: device and inode, or, where there are none, the whole path without links.
#[cfg(unix)]
pub(super) fn node(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn node(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}
