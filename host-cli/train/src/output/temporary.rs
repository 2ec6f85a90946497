//! Temporary files, which no run leaves behind for good.
//!
//! A run holds an exclusive lock on each of its own, and the system takes the lock away when the process ends, however it does.
//! So a later run knows which ones nobody needs: those that it can lock. Process ids could not tell, where containers or
//! machines share a folder. Where a file system has no locks, nothing is removed.

use core::hash::{BuildHasher, Hasher};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::RandomState;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What their names begin with; six letters or digits follow.
const PREFIX: &str = ".picomlp-";

/// A name that is taken, or a file that another run takes for stale before it is locked, is an accident; this many are not.
const ATTEMPTS: usize = 100;

/// A file of a temporary name, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    /// Locked, if it is one that is being written.
    file: Option<File>,
}

impl Temporary {
    /// An empty file, locked, with the permissions that the user's mask leaves to any new file.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            step()?;
            let path = folder.join(name());
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let locked = file.try_lock();
            let created = Self { path, file: Some(file) };
            // Another run may have found the file before it was locked, and removes it, or has.
            if !matches!(locked, Err(TryLockError::WouldBlock)) && created.path.exists() {
                return Ok(created);
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "every temporary name is taken"))
    }

    /// The file with these bytes, synced, with the permissions of the file that it will replace.
    pub(super) fn filled(mut self, bytes: &[u8], replaces: &Path) -> io::Result<Self> {
        if let Some(file) = &mut self.file {
            step()?;
            if let Ok(old) = fs::metadata(replaces) {
                file.set_permissions(old.permissions())?;
            }
            file.write_all(bytes)?;
            step()?;
            file.sync_all()?;
        }
        Ok(self)
    }

    /// The file at `path`, under a temporary name instead of its own.
    pub(super) fn moved(path: &Path, folder: &Path) -> io::Result<Self> {
        step()?;
        let aside = folder.join(name());
        fs::rename(path, &aside)?;
        Ok(Self { path: aside, file: None })
    }

    /// The file at `path`, under a temporary name beside its own.
    pub(super) fn linked(path: &Path, folder: &Path) -> io::Result<Self> {
        step()?;
        let second = folder.join(name());
        fs::hard_link(path, &second)?;
        Ok(Self { path: second, file: None })
    }

    /// Takes the place of `path`.
    pub(super) fn rename(self, path: &Path) -> io::Result<()> {
        step()?;
        fs::rename(&self.path, path)
        // What is dropped now has no file any more, or is removed.
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A name that no other file has, as far as chance goes.
fn name() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut letter = || {
        let letter = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
        char::from(letter)
    };
    let letters: String = (0..6).map(|_| letter()).collect();
    format!("{PREFIX}{letters}")
}

/// Whether [`name`] makes such names.
fn is_temporary(name: &str) -> bool {
    let letters = name.strip_prefix(PREFIX).unwrap_or_default();
    letters.len() == 6 && letters.bytes().all(|letter| letter.is_ascii_alphanumeric())
}

/// Removes the temporary files in `folder` whose run has ended. What cannot be removed stays: it is in nobody's way.
pub(super) fn remove_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !entry.file_name().to_str().is_some_and(is_temporary) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        // Locked until it is removed, so that a run that has just made it finds that out.
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where the system may fail; in tests, it does.
fn step() -> io::Result<()> {
    #[cfg(test)]
    failing::step()?;
    Ok(())
}

/// A failure at a chosen step of this thread.
#[cfg(test)]
pub(super) mod failing {
    use core::cell::Cell;
    use std::io;

    thread_local! {
        /// Up to and with the one that fails; 0 if none does.
        static STEPS_LEFT: Cell<usize> = const { Cell::new(0) };
    }

    /// Runs `work`, one step of which fails after so many that do not. Returns what it returned, and whether one has failed.
    pub(in super::super) fn after<R>(steps: usize, work: impl FnOnce() -> R) -> (R, bool) {
        STEPS_LEFT.set(steps + 1);
        let result = work();
        (result, STEPS_LEFT.replace(0) == 0)
    }

    pub(super) fn step() -> io::Result<()> {
        let left = STEPS_LEFT.get();
        STEPS_LEFT.set(left.saturating_sub(1));
        if left == 1 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}
