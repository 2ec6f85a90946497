//! Finds frames in a stream of bytes.

use super::frame::{CRC_LEN, Frame, FrameError, HEADER, MAGIC, VERSION, at, header_crc};
use crate::CRC;

/// Takes bytes one at a time and gives frames, and what began like a frame and is none.
///
/// Whatever is no frame, such as a device's messages as it starts, is passed over until the next magic. The header
/// has a checksum of its own, so that a garbled length cannot make the receiver wait for bytes that nobody sends.
#[derive(Debug)]
pub struct Decoder<'b> {
    memory: &'b mut [u8],
    header: [u8; HEADER],
    tail: [u8; CRC_LEN],
    /// Bytes of the current frame that have come.
    filled: usize,
    /// Payload of the current frame, once its header has come.
    len: usize,
    skipped: usize,
}

impl<'b> Decoder<'b> {
    /// With room for payloads as long as `memory`.
    #[must_use]
    pub fn new(memory: &'b mut [u8]) -> Self {
        Self { memory, header: [0; HEADER], tail: [0; CRC_LEN], filled: 0, len: 0, skipped: 0 }
    }

    /// Takes the next byte. Nothing comes back as long as more are needed.
    ///
    /// # Errors
    ///
    /// [`FrameError`] with the byte that shows that this is no sound frame. The next frame is looked for from then on.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        let at = self.filled;
        self.filled += 1;
        if let Some(to) = self.header.get_mut(at) {
            *to = byte;
            self.drop_until_magic();
            return if self.filled == HEADER { self.check_header() } else { None };
        }
        let at = at - HEADER;
        if at < self.len {
            if let Some(to) = self.memory.get_mut(at) {
                *to = byte;
            }
            return None;
        }
        if let Some(to) = self.tail.get_mut(at - self.len) {
            *to = byte;
        }
        if at + 1 < self.len + CRC_LEN { None } else { Some(self.finish()) }
    }

    /// Bytes of an unfinished frame that have come.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.filled
    }

    /// Bytes that belonged to no frame, since the last one that was whole.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Shifts bytes out of the header until it is empty or begins like a magic.
    fn drop_until_magic(&mut self) {
        let begins_well =
            |header: &[u8], filled| MAGIC.iter().zip(header).take(filled).all(|(a, b)| a == b);
        while !begins_well(&self.header, self.filled) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        self.header.copy_within(1.., 0);
        self.filled = self.filled.saturating_sub(1);
        self.skipped = self.skipped.saturating_add(1);
    }

    fn check_header(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        let header = self.header;
        let [got, expected] = [header_crc(&header), u32_at(&header, at::CRC)];
        let [version, sequence] = [at::VERSION, at::SEQUENCE].map(|at| u32_at(&header, at));
        let (version, sequence) = (version as u8, sequence as u16);
        let len = u32_at(&header, at::LEN);
        let room = self.memory.len();
        let fits = usize::try_from(len).ok().filter(|len| *len <= room);
        let error = match fits {
            _ if expected != got => FrameError::HeaderCrc { expected, got },
            _ if version != VERSION => FrameError::Version { sequence, got: version },
            None => FrameError::TooLong { sequence, got: len, room },
            Some(len) => {
                self.len = len;
                return None;
            }
        };
        // What follows may hold the beginning of the next frame.
        self.drop_first();
        self.drop_until_magic();
        Some(Err(error))
    }

    fn finish(&mut self) -> Result<Frame<'_>, FrameError> {
        let arrived = self.filled;
        self.filled = 0;
        let payload = self.memory.get(..self.len).unwrap_or_default();
        let sequence = u32_at(&self.header, at::SEQUENCE) as u16;
        let [got, expected] = [CRC.checksum(payload), u32::from_le_bytes(self.tail)];
        if got != expected {
            self.skipped = self.skipped.saturating_add(arrived);
            return Err(FrameError::PayloadCrc { sequence, expected, got });
        }
        self.skipped = 0;
        let kind = u32_at(&self.header, at::KIND) as u8;
        Ok(Frame { kind, sequence, payload })
    }
}

/// The little-endian number at `at`, which lies in the header.
fn u32_at(header: &[u8; HEADER], at: usize) -> u32 {
    let four = header.get(at..).and_then(<[u8]>::first_chunk::<4>);
    four.map_or(0, |four| u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests;
