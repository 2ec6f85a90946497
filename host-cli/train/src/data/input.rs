//! A file to read from first byte to last, plain or compressed with gzip.
//!
//! Whether a file is compressed is decided by its first two bytes, not by its name: browsers and
//! download scripts unpack files and keep the name, and the other way round.

use core::cell::Cell;
use core::fmt;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Result, anyhow, bail, ensure};
use flate2::bufread::GzDecoder;

use crate::file_kind::{self, FileKind};
use crate::open::open;

/// The first two bytes of every gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes that are read from the file at once, and unpacked at once.
const BUFFER: usize = 1 << 16;

/// Bytes of data that any gzip file may unpack to; few in unit tests, which would take long otherwise.
const ALWAYS_KEPT: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// Bytes of data that each byte of a gzip file may unpack to, beyond [`ALWAYS_KEPT`].
///
/// MNIST's images are packed to a fifth, images of bits to a thirteenth; a file made to fill the memory, to a thousandth.
const MOST_GROWTH: u64 = 12;

/// An open file, unpacked on the way.
pub(super) struct Input {
    path: PathBuf,
    is_packed: bool,
    /// Bytes read from the file so far.
    taken: Rc<Cell<u64>>,
    /// The first bytes, unpacked.
    start: Vec<u8>,
    bytes: Box<dyn BufRead>,
}

impl Input {
    /// Opens the file and reads its first bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or read, naming it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let taken = Rc::new(Cell::new(0));
        let counted = Counted { file: open(path)?, taken: Rc::clone(&taken) };
        let mut file = BufReader::with_capacity(BUFFER, counted);
        let path = path.to_owned();
        let mut input =
            Self { path, is_packed: false, taken, start: Vec::new(), bytes: Box::new(io::empty()) };
        // A file of one byte is not gzip, and whoever reads it will say what is wrong with it.
        let start = file.fill_buf().map_err(|error| input.explain(error))?;
        input.is_packed = start.starts_with(&GZIP);
        let mut bytes: Box<dyn BufRead> = if input.is_packed {
            Box::new(BufReader::with_capacity(BUFFER, Members::new(file)))
        } else {
            Box::new(file)
        };
        let mut start = Vec::new();
        let read = bytes.by_ref().take(file_kind::START as u64).read_to_end(&mut start);
        read.map_err(|error| input.explain(error))?;
        input.bytes = Box::new(Cursor::new(start.clone()).chain(bytes));
        input.start = start;
        Ok(input)
    }

    /// The first [`file_kind::START`] bytes, or all of them.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Reads a line with its end, of at most `most` bytes; an empty one at the end of the file.
    pub(super) fn line(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.bytes.by_ref().take(most as u64).read_until(b'\n', &mut line)?;
        if read == most && line.last() != Some(&b'\n') {
            let what = format!("a line has more than {} MiB: no end of it was found", most >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, what));
        }
        Ok(line)
    }

    /// Puts bytes back in front of those that are read next.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        let rest = core::mem::replace(&mut self.bytes, Box::new(io::empty()));
        self.bytes = Box::new(Cursor::new(bytes.to_vec()).chain(rest));
    }

    /// Refuses a file that is known to be of another kind than `expected`.
    ///
    /// # Errors
    ///
    /// If it is, naming it, its kind and what to do with it.
    pub(super) fn check_kind(
        &self,
        expected: &str,
        is_fine: impl Fn(FileKind) -> bool,
    ) -> Result<()> {
        let name = self.path.display();
        match file_kind::detect(&self.start) {
            Some(kind) if is_fine(kind) => Ok(()),
            Some(kind) if self.is_packed => {
                bail!("{name} is gzip data that holds {}", kind.instead_of(expected))
            }
            Some(kind) => bail!("{name} is {}", kind.instead_of(expected)),
            None => Ok(()),
        }
    }

    /// Checks that `kept` bytes are no more than data can be packed into what was read of the file so far.
    ///
    /// # Errors
    ///
    /// If they are: the file was made to fill the memory.
    pub(super) fn check_growth(&self, kept: usize) -> Result<()> {
        let taken = self.taken.get();
        ensure!(
            !self.is_packed || kept <= ALWAYS_KEPT || kept as u64 <= MOST_GROWTH * taken,
            "{}: {taken} bytes of gzip data unpack to {kept} bytes of data and more, which data does not; \
             if it is yours, unpack it first (gunzip)",
            self.path.display()
        );
        Ok(())
    }

    /// Makes a sentence that names the file out of an error that reading it gave.
    pub(super) fn explain(&self, error: io::Error) -> anyhow::Error {
        let name = self.path.display();
        match error.kind() {
            ErrorKind::OutOfMemory => anyhow!("{name}: there is no memory for its data"),
            ErrorKind::FileTooLarge => anyhow!("{name}: {error}"),
            _ if self.is_packed => damaged_gzip(error).context(name.to_string()),
            _ => anyhow!(error).context(format!("cannot read {name}")),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Counts the bytes that are read of a file.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
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
/// Zero bytes after the last member are padding and are ignored; anything else there is an
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
