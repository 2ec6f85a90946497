//! Opens what commands read: regular files, and streams that are open already.
//!
//! A device has no end, and a named pipe that nobody writes to keeps whoever opens it waiting forever; both are refused by
//! name, also in a folder of images. A stream that the shell has opened, `<(command)` or `/dev/stdin`, is read to its end.

use std::fs::{self, File, FileType};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Opens a file.
///
/// # Errors
///
/// If it cannot be opened, or is a folder, a device, a socket or a named pipe, naming it.
pub fn open(path: &Path) -> Result<File> {
    let cannot = || format!("cannot read {}", path.display());
    let found = fs::metadata(path).with_context(cannot)?;
    if let Some(what) = other_than_file(path, found.file_type()) {
        bail!("{}: it is {what}, expected a file", cannot());
    }
    File::open(path).with_context(cannot)
}

/// Reads a text file of at most `most` bytes.
///
/// # Errors
///
/// Those of [`open`]; it is longer, or not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let mut text = String::new();
    let read = open(path)?.take(most + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read {}", path.display()))?;
    let shown = path.display();
    ensure!(text.len() as u64 <= most, "cannot read {shown}: it has more than {most} bytes");
    Ok(text)
}

/// What is at `path`, if it is not to be read.
fn other_than_file(path: &Path, kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let is_open =
            ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|at| path.starts_with(at));
        if kind.is_fifo() {
            return (!is_open)
                .then_some("a named pipe (a stream is read as <(command) or /dev/stdin)");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn message(path: &str) -> String {
        open(Path::new(path)).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let _socket = std::os::unix::net::UnixListener::bind(in_folder("socket")).unwrap();
        assert!(message(&in_folder("socket")).ends_with("it is a socket, expected a file"));
        let made = std::process::Command::new("mkfifo").arg(in_folder("pipe")).status().unwrap();
        assert!(made.success());
        assert!(message(&in_folder("pipe")).contains("it is a named pipe"));
        assert!(message(&in_folder("")).ends_with("it is a folder, expected a file"));
        assert_eq!(message("/dev/zero"), "cannot read /dev/zero: it is a device, expected a file");
    }

    #[test]
    fn text_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert!(read_text(&path, 3).unwrap_err().to_string().ends_with("more than 3 bytes"));
    }
}
