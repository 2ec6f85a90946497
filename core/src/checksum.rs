//! CRC-32 as in zip, PNG and Ethernet, of blobs and of frames.

use crc::{CRC_32_ISO_HDLC, Crc};

/// CRC-32/ISO-HDLC.
pub(crate) const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
