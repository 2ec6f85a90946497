//! Standard output, whose reader may go away, and which may be a file on a full disk.
//!
//! A reader that has seen enough (`picomlp eval … | head`) ends a command, and that is no error. Any other failure is one. What
//! writes a model goes on in both cases, and prints nothing more, see `Lasting`.

use core::fmt;
use std::io::{self, ErrorKind, Stdout, Write};
use std::process;

/// Standard output, whose errors say whose they are.
#[derive(Debug)]
pub struct Printer(pub Stdout);

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(explain)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(explain)
    }
}

/// An error of standard output.
#[derive(Debug)]
struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl core::error::Error for Failed {}

fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::Interrupted => error, // the call is repeated
        kind => io::Error::new(kind, Failed(error)),
    }
}

/// Whether the reader of standard output has gone away, and nothing else is wrong.
#[must_use]
pub fn is_closed(error: &anyhow::Error) -> bool {
    let io = error.root_cause().downcast_ref::<io::Error>();
    let is_ours = |io: &io::Error| io.get_ref().is_some_and(|inner| inner.is::<Failed>());
    io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe && is_ours(io))
}

/// Prints what clap has to say, and ends the process with its exit code: 0 for help, if it could be printed, 2 for wrong usage.
pub fn say_and_exit(error: &clap::Error) -> ! {
    let code = match error.print() {
        Err(unprinted) if error.exit_code() == 0 && unprinted.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "picomlp: {}", Failed(unprinted));
            1
        }
        _ => error.exit_code(),
    };
    process::exit(code)
}

/// A writer that takes everything: after its first failure, which it keeps for the end, it writes nothing.
pub(crate) struct Lasting<'a> {
    out: &'a mut (dyn Write + Send),
    failed: Option<io::Error>,
}

impl<'a> Lasting<'a> {
    pub(crate) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, failed: None }
    }

    /// # Errors
    ///
    /// The failure, if there was one.
    pub(crate) fn end(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl Write for Lasting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_none() {
            self.failed = self.out.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes two bytes.
    struct Full(Vec<u8>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = 2 - self.0.len();
            self.0.extend(bytes.iter().take(room));
            if room == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(room.min(bytes.len())) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lasting_takes_everything_and_keeps_the_first_failure() {
        let mut full = Full(Vec::new());
        let mut out = Lasting::new(&mut full);
        for word in ["a", "bc", "d"] {
            out.write_all(word.as_bytes()).unwrap();
        }
        out.flush().unwrap();
        assert_eq!(out.end().unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(full.0, b"ab");
    }

    #[test]
    fn only_a_broken_pipe_of_standard_output_means_that_it_is_closed() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        let context = |error: io::Error| anyhow::Error::from(error).context("somewhere");
        assert!(is_closed(&context(explain(broken()))));
        assert!(!is_closed(&context(broken())));
        assert!(!is_closed(&context(explain(ErrorKind::StorageFull.into()))));
    }
}
