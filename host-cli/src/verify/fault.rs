//! What can be wrong with an answer, apart from what it says.

use core::fmt;
use core::time::Duration;

use picomlp_link::{ErrorCode, FrameError, MAGIC, MessageError};

/// Why there is no answer that could be compared.
#[derive(Debug)]
pub(super) enum Fault {
    /// The device's output ended.
    Ended {
        /// Its exit status, or what else is known.
        how: String,
        /// Bytes of an unfinished frame that had come.
        pending: usize,
    },
    /// Nothing, or not enough, came in time.
    Stalled { timeout: Duration, pending: usize, skipped: usize },
    /// A frame that is not sound.
    Frame(FrameError),
    /// Something else than a frame.
    Magic { got: Vec<u8> },
    /// The answer to another request.
    Sequence { expected: u16, got: u16 },
    /// A sound frame that says nothing that can be understood.
    Message(MessageError),
    /// A message that is no answer to the request.
    Kind { expected: &'static str, got: u8 },
    /// Another number of logits than the model has outputs.
    Logits { expected: usize, got: usize },
    /// The device says that it cannot.
    Refused { code: ErrorCode, text: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { how, pending: 0 } => {
                write!(f, "the device ended before it answered ({how})")
            }
            Self::Ended { how, pending } => write!(
                f,
                "the device ended in the middle of an answer, after {pending} bytes of it ({how})"
            ),
            Self::Stalled { timeout, pending, skipped } => {
                write!(f, "no answer within {} s", timeout.as_secs_f64())?;
                match (pending, skipped) {
                    (0, 0) => Ok(()),
                    (0, skipped) => write!(f, ": {skipped} bytes came, none of them a frame"),
                    (pending, _) => write!(f, ": it stopped after {pending} bytes of a frame"),
                }
            }
            Self::Frame(error) => write!(f, "garbled answer: {error}"),
            Self::Magic { got } => {
                write!(f, "garbled answer: bad magic: expected")?;
                hex(f, &MAGIC)?;
                f.write_str(", got")?;
                hex(f, got)
            }
            Self::Sequence { expected, got } => {
                write!(f, "garbled answer: wrong sequence number: expected {expected}, got {got}")
            }
            Self::Message(error) => write!(f, "garbled answer: {error}"),
            Self::Kind { expected, got } => {
                write!(f, "garbled answer: expected {expected}, got a message of kind {got}")
            }
            Self::Logits { expected, got } => {
                write!(f, "garbled answer: wrong length: expected {expected} logits, got {got}")
            }
            Self::Refused { code, text } => {
                let reason = match code {
                    ErrorCode::Garbled => "the request came garbled",
                    ErrorCode::Unsupported => "it does not know what it was asked",
                    ErrorCode::Length => "the request has the wrong length",
                    ErrorCode::NoModel => "it has no model that it can run",
                    _ => "it failed",
                };
                write!(f, "the device refuses: {reason}")?;
                if text.is_empty() { Ok(()) } else { write!(f, " ({})", text.escape_debug()) }
            }
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
}

impl core::error::Error for Fault {}
