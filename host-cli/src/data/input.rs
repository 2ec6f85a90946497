//! A file to read from first byte to last, plain or compressed with gzip.
//!
//! Whether a file is compressed is decided by its first two bytes, not by its name: browsers and
//! download scripts unpack files and keep the name, and the other way round.

use core::fmt;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use flate2::bufread::GzDecoder;

/// The first two bytes of every gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes that are read from the file at once, and unpacked at once.
const BUFFER: usize = 1 << 16;

/// An open file, unpacked on the way.
pub(super) struct Input {
    path: PathBuf,
    is_packed: bool,
    bytes: Box<dyn BufRead>,
}

impl Input {
    /// Opens the file and looks at its first bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or read, naming it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        // A file of one byte is not gzip, and whoever reads it will say what is wrong with it.
        let start = file.fill_buf().with_context(|| format!("cannot read {name}"))?;
        let is_packed = start.starts_with(&GZIP);
        let bytes: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::with_capacity(BUFFER, Members::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { path: path.to_owned(), is_packed, bytes })
    }

    /// Makes a sentence that names the file out of an error that reading it gave.
    pub(super) fn explain(&self, error: io::Error) -> anyhow::Error {
        let name = self.path.display();
        if self.is_packed {
            damaged_gzip(error).context(name.to_string())
        } else {
            anyhow!(error).context(format!("cannot read {name}"))
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Says in a sentence what is wrong with a gzip file.
fn damaged_gzip(error: io::Error) -> anyhow::Error {
    let what = if error.kind() == ErrorKind::UnexpectedEof {
        "the gzip data ends too early, as after a download cut short"
    } else {
        "the gzip data is damaged"
    };
    anyhow!(error).context(what)
}

/// Unpacks the members of a gzip file, one after the other, as gzip itself does.
///
/// Zero bytes after the last member are padding and are passed over; anything else there is an
/// error, where `flate2::bufread::GzDecoder` would stop without a word.
struct Members<R> {
    /// `None` after the last member.
    current: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(input: R) -> Self {
        Self { current: Some(GzDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.current.take() {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                self.current = Some(member);
                return Ok(read);
            }
            let mut rest = member.into_inner();
            match rest.fill_buf()?.first() {
                None => {}
                Some(first) if *first == GZIP[0] => self.current = Some(GzDecoder::new(rest)),
                Some(_) => skip_padding(rest)?,
            }
        }
        Ok(0)
    }
}

/// Reads `rest` to its end; an error if it has a byte that is not zero.
fn skip_padding(mut rest: impl BufRead) -> io::Result<()> {
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            let message = "bytes that are not gzip data follow its end";
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        let read = bytes.len();
        rest.consume(read);
    }
}
