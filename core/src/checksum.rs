//! CRC-32 as in zip, PNG and Ethernet, of blobs and of frames.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// CRC-32/ISO-HDLC.
pub(crate) const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Adds bytes to a checksum.
#[inline(never)] // one copy
pub(crate) fn update(digest: &mut Digest<'_, u32, Table<1>>, bytes: &[u8]) {
    digest.update(bytes);
}
