//! Words that commands share, and standard output for text that comes from anywhere.

use std::io::{self, Write, stderr};

use picomlp::LossKind;
use picomlp::blob::OptimizerKind as BlobOptimizer;
use picomlp_train::config::OptimizerKind;
use picomlp_train::text::{one_line, printable};

/// Writes a warning to standard error. One that nobody can read is no reason to fail.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(stderr(), "picomlp: warning: {}", one_line(text));
}

/// Returns what a user types to run this program: `cargo run` sets a variable by which it is known.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_PKG_NAME").is_some() {
        "cargo run --release -p picomlp-cli --"
    } else {
        "picomlp"
    }
}

/// Returns a command that the library names as a user types it.
pub(crate) fn typed(command: &str) -> String {
    command.replacen("picomlp", program(), 1)
}

/// Returns a loss in prose.
pub(crate) const fn loss_title(kind: LossKind) -> &'static str {
    match kind {
        LossKind::SquaredError => "squared error",
        LossKind::MeanSquaredError => "mean squared error",
        LossKind::MeanAbsoluteError => "mean absolute error",
        LossKind::Huber => "Huber's loss",
        LossKind::BinaryCrossEntropy => "binary cross-entropy",
        _ => "cross-entropy",
    }
}

/// Returns an optimizer in prose.
pub(crate) fn optimizer_title(kind: BlobOptimizer) -> &'static str {
    OptimizerKind::from_blob(kind).map_or("another optimizer", OptimizerKind::title)
}

/// Standard output for people and programs: all text that goes through is [`printable`], whatever file, device or model
/// it came from.
#[derive(Debug)]
pub struct Printable<W>(pub W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    // `write!` hands over whole strings; what is not UTF-8 is no text.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(printable(text).as_bytes()),
            Err(_) => self.0.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_moves_no_cursor_and_json_keeps_its_value() {
        let mut out = Printable(Vec::new());
        let name = "a\x1bb";
        writeln!(out, "{name}: {}", 1).unwrap();
        assert_eq!(out.0, b"a\\u001bb: 1\n");
        let mut out = Printable(Vec::new());
        write!(out, "{}", serde_json::json!("\u{85}\u{202e}\u{7f}")).unwrap();
        let value: String = serde_json::from_slice(&out.0).unwrap();
        assert_eq!(value, "\u{85}\u{202e}\u{7f}");
    }
}
