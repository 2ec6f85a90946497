//! Files that appear whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, is_separator};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

/// Writes a file: to a temporary name beside it, synced, then renamed. On an error nothing is left behind.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary(path)?;
    let shown = path.display();
    file.write_all(bytes).with_context(|| format!("cannot write {shown}"))?;
    file.as_file().sync_all().with_context(|| format!("cannot write {shown}"))?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot write {shown}"))?;
    Ok(())
}

/// Whether [`write_file`] could write there, tried out, so that nobody trains for an hour in vain.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    temporary(path).map(drop)
}

fn temporary(path: &Path) -> Result<NamedTempFile> {
    let shown = path.display();
    ensure!(!path.is_dir(), "cannot write {shown}: it is a folder, a file name is needed");
    // The rename at the end would replace a device such as /dev/null by a file.
    ensure!(
        path.is_file() || !path.exists(),
        "cannot write {shown}: it is a device or a pipe, a file is needed"
    );
    // `Path` passes over a separator at the end, the rename does not.
    ensure!(
        path.file_name().is_some() && !path.to_string_lossy().ends_with(is_separator),
        "cannot write {shown}: it names no file"
    );
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    ensure!(folder.is_dir(), "cannot write {shown}: there is no folder {}", folder.display());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let readable = {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes away from these; tempfile's own choice is 0o600.
        fs::Permissions::from_mode(0o666)
    };
    #[cfg(unix)]
    builder.permissions(readable);
    builder.prefix(".picomlp-").tempfile_in(folder).with_context(|| {
        format!("cannot write {shown}: no file can be made in {}", folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn write_file_replaces_the_old_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_file(&path, b"old").unwrap();
        write_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn check_writable_leaves_nothing_behind_and_keeps_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        check_writable(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        fs::write(&path, b"old").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = check_writable(&folder.path().join("none/a.bin")).unwrap_err();
        assert!(format!("{error:#}").contains("none/a.bin: there is no folder"), "{error:#}");
        let error = check_writable(folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("it is a folder"), "{error:#}");
    }
}
