//! The frame around every message.

use core::fmt;

use super::message::{Message, MessageError};
use crate::CRC;

/// The first bytes of a frame. The first of them is no ASCII, so that text on the line cannot begin like a frame.
pub const MAGIC: [u8; 4] = [0xb5, b'P', b'M', b'D'];

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

/// Bytes before the payload.
pub const HEADER: usize = 16;

/// Bytes of a frame besides its payload: the header, and the checksum at the end.
pub const OVERHEAD: usize = HEADER + CRC_LEN;

pub(super) const CRC_LEN: usize = 4;

/// Where things stand in the header.
pub(super) mod at {
    pub(crate) const VERSION: usize = 4;
    pub(crate) const KIND: usize = 5;
    pub(crate) const SEQUENCE: usize = 6;
    pub(crate) const LEN: usize = 8;
    pub(crate) const CRC: usize = 12;
}

/// A frame that arrived whole: both of its checksums are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What its message is, as a number.
    pub kind: u8,
    /// The number of the request; an answer repeats it.
    pub sequence: u16,
    /// The message's bytes.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What the payload says.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the kind is unknown, or the payload is not as long as its kind has it.
    pub fn message(&self) -> Result<Message<'a>, MessageError> {
        Message::from_payload(self.kind, self.payload)
    }

    /// Hands over the frame of a message in pieces, first to last; returns its length.
    pub fn write_pieces(
        sequence: u16,
        message: &Message<'_>,
        mut take: impl FnMut(&[u8]),
    ) -> usize {
        let mut len = 0;
        message.payload(|piece| len += piece.len());
        take(&header(message.kind(), sequence, len as u32));
        let mut crc = CRC.digest();
        message.payload(|piece| {
            crc.update(piece);
            take(piece);
        });
        take(&crc.finalize().to_le_bytes());
        OVERHEAD + len
    }
}

/// Magic, version, kind, sequence, length, and the checksum of these.
fn header(kind: u8, sequence: u16, len: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(to) = header.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    };
    put(0, &MAGIC);
    put(at::VERSION, &[VERSION, kind]);
    put(at::SEQUENCE, &sequence.to_le_bytes());
    put(at::LEN, &len.to_le_bytes());
    let crc = header_crc(&header);
    if let Some(to) = header.last_chunk_mut::<4>() {
        *to = crc.to_le_bytes();
    }
    header
}

pub(super) fn header_crc(header: &[u8; HEADER]) -> u32 {
    CRC.checksum(header.get(..at::CRC).unwrap_or_default())
}

/// Why bytes that began like a frame are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The header is garbled; its length and the like say nothing.
    HeaderCrc {
        /// The checksum in the header.
        expected: u32,
        /// That of the header as it came.
        got: u32,
    },
    /// The payload is garbled.
    PayloadCrc {
        /// The frame's sequence number.
        sequence: u16,
        /// The checksum behind the payload.
        expected: u32,
        /// That of the payload as it came.
        got: u32,
    },
    /// The other end speaks another version of the protocol.
    Version {
        /// The frame's sequence number.
        sequence: u16,
        /// The version.
        got: u8,
    },
    /// The payload is longer than the receiver has room for.
    TooLong {
        /// The frame's sequence number.
        sequence: u16,
        /// The length that the header says.
        got: u32,
        /// Bytes there is room for.
        room: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HeaderCrc { expected, got } => write!(
                f,
                "CRC mismatch in a frame's header: it says {expected:08x}, its bytes give {got:08x}"
            ),
            Self::PayloadCrc { sequence, expected, got } => write!(
                f,
                "CRC mismatch in the payload of frame {sequence}: it says {expected:08x}, its bytes give {got:08x}"
            ),
            Self::Version { got, .. } => {
                write!(f, "protocol version {got}, expected {VERSION}")
            }
            Self::TooLong { sequence, got, room } => write!(
                f,
                "wrong length: frame {sequence} has a payload of {got} bytes, expected at most {room}"
            ),
        }
    }
}

impl core::error::Error for FrameError {}
