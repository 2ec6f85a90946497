//! How a desktop asks a device what it computes, over any stream of bytes: a serial line, a pipe.
//!
//! `docs/device-protocol.md` has it byte by byte. [`Frame`]s carry [`Message`]s; a [`Decoder`] finds frames in what
//! comes in, one byte at a time; [`answer`] is all of a device but its serial port. Nothing here allocates.
//!
//! ```
//! use picomlp_link::{Decoder, Frame, Message};
//!
//! let mut wire = [0; 64];
//! let mut len = 0;
//! Frame::write_pieces(7, &Message::Classify { pixels: &[0, 255, 9] }, |piece| {
//!     wire[len..len + piece.len()].copy_from_slice(piece);
//!     len += piece.len();
//! });
//!
//! let mut memory = [0; 3];
//! let mut decoder = Decoder::new(&mut memory);
//! for byte in &wire[..len - 1] {
//!     assert!(decoder.push(*byte).is_none());
//! }
//! let frame = decoder.push(wire[len - 1]).unwrap().unwrap();
//! assert_eq!(frame.sequence, 7);
//! assert!(matches!(frame.message(), Ok(Message::Classify { pixels: [0, 255, 9] })));
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod decoder;
mod device;
mod frame;
mod message;

use crc::{CRC_32_ISO_HDLC, Crc};

pub use decoder::Decoder;
pub use device::{Device, ModelDevice, QuantizedDevice, answer};
pub use frame::{Frame, FrameError, HEADER, MAGIC, OVERHEAD, VERSION};
pub use message::{Arithmetic, ErrorCode, Info, MAX_NAME, Message, MessageError, Words};

/// CRC-32 as in zip, PNG and Ethernet.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
