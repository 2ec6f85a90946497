//! Files that appear whole or not at all.
//!
//! A command plans its outputs before it works, with [`Outputs::plan`], and writes them when it is done. Planning
//!
//! * follows symbolic links, so that the file that a link leads to is replaced, not the link;
//! * refuses devices, pipes and `/proc`, an output that is an input or another output, and a folder that takes no file;
//! * removes the temporary files of runs that were killed.
//!
//! Writing fills a temporary file beside each target and syncs it. The first rename comes when all of them are complete, so a
//! full disk costs no file that was there. Errors name the file as the user does, never the temporary one.
//!
//! **A file and what describes it** (a model and its certificate, [`Outputs::described`]): no file system renames two files in
//! one step. So the old description is set aside, then the file is renamed, then the new description. Whoever looks, and
//! whatever ends the process, finds the old pair, the new pair, or a file without a description, and never a description beside
//! a file that it is not of. If a step fails, what was there is put back.
//!
//! A program that answers signals should put them off until a write is done.

mod inputs;
mod target;
mod temporary;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};

pub use inputs::Inputs;
use target::Target;
use temporary::Temporary;

/// The files that a command will write, checked.
#[derive(Debug)]
pub struct Outputs {
    targets: Vec<Target>,
    /// Whether all but the first describe the first.
    described: bool,
}

impl Outputs {
    /// Checks that these paths can be written, each a file of its own and none of the `inputs`, so that nobody trains for an
    /// hour in vain.
    ///
    /// # Errors
    ///
    /// If one of them cannot, naming it.
    pub fn plan<P: AsRef<Path>>(
        inputs: &Inputs,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self> {
        let mut targets: Vec<Target> = Vec::new();
        for path in paths {
            let target = Target::resolve(path.as_ref())?;
            if let Some(input) = inputs.find(&target) {
                bail!("{target}: it is {input}, which would be lost; name another file");
            }
            if let Some(other) = targets.iter().find(|other| other.is_same(&target)) {
                bail!("{target}: it is the same file as {}; name another one", other.shown());
            }
            targets.push(target);
        }
        for target in &targets {
            check_folder(target.folder()).with_context(|| target.to_string())?;
        }
        Ok(Self { targets, described: false })
    }

    /// Drops all files but the first: the others were to be checked.
    #[must_use]
    pub fn first_alone(mut self) -> Self {
        self.targets.truncate(1);
        self
    }

    /// Says that the first file is described by the others: an old description never stands beside a new file.
    #[must_use]
    pub fn described(self) -> Self {
        Self { described: true, ..self }
    }

    /// Writes the files, in the order of the plan.
    ///
    /// # Errors
    ///
    /// If one cannot be written, naming it; and then none is replaced, unless a rename is what failed.
    pub fn write(self, contents: &[&[u8]]) -> Result<()> {
        debug_assert_eq!(contents.len(), self.targets.len(), "Outputs: a content for each file");
        let mut files = Vec::new();
        for (target, bytes) in self.targets.iter().zip(contents) {
            let file = Temporary::create(target.folder());
            let file = file.and_then(|file| file.filled(bytes, target.path()));
            files.push((file.with_context(|| target.to_string())?, target));
        }
        if self.described {
            rename_described(files)?;
        } else {
            for (file, target) in files {
                file.rename(target.path()).with_context(|| target.to_string())?;
            }
        }
        self.targets.iter().for_each(|target| sync_folder(target.folder()));
        Ok(())
    }
}

/// Writes one file, which is no input of the command.
///
/// # Errors
///
/// If it cannot be written, naming it.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    Outputs::plan(&Inputs::default(), [path])?.write(&[bytes])
}

/// Checks that files can be made in a folder.
///
/// # Errors
///
/// If they cannot, naming it.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    temporary::remove_stale(folder);
    let tried = Temporary::create(folder);
    tried.map(drop).with_context(|| format!("no file can be made in {}", folder.display()))
}

/// Renames the first file and those that describe it: all of them, or none.
fn rename_described(files: Vec<(Temporary, &Target)>) -> Result<()> {
    let mut undo = Undo(Vec::new());
    for (_, target) in files.iter().skip(1) {
        if target.is_there() {
            let old = Temporary::moved(target.path(), target.folder());
            undo.0.push((target, Some(old.with_context(|| target.to_string())?)));
        }
    }
    for (number, (file, target)) in files.into_iter().enumerate() {
        // The first file keeps its place until it is replaced, under a second name so that it can come back. Without hard
        // links, which a few file systems lack, it cannot.
        let old = match number == 0 && target.is_there() {
            true => Temporary::linked(target.path(), target.folder()).ok(),
            false => None,
        };
        let comes_back = old.is_some() || !target.is_there();
        file.rename(target.path()).with_context(|| target.to_string())?;
        if comes_back {
            undo.0.push((target, old));
        }
    }
    undo.0.clear(); // and removes the old files
    Ok(())
}

/// What brings back the files that were there, in the reverse order: the old file, or none.
struct Undo<'a>(Vec<(&'a Target, Option<Temporary>)>);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        for (target, old) in self.0.drain(..).rev() {
            // An error is on its way already; a second one would not help.
            let _ = match old {
                Some(old) => old.rename(target.path()),
                None => fs::remove_file(target.path()),
            };
        }
    }
}

/// Makes renames last. Some file systems cannot, and the files are whole without it.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests;
