//! What says that a slot holds something whole.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// Bytes that a header takes, and that are read or written at once: a multiple of any flash's words.
pub(crate) const HEADER: usize = 32;

/// CRC-32 as in zip and PNG.
pub(crate) static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub(crate) type Checksum = Digest<'static, u32, Table<1>>;

/// The beginning of a header: `pmST` in ASCII.
const MAGIC: u32 = u32::from_le_bytes(*b"pmST");

/// Something that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Which save it was, counted from 1.
    pub generation: u32,
    /// Its bytes.
    pub len: u32,
}

impl Saved {
    /// Where each block of the payload begins, and how many of its bytes are the payload's.
    pub(crate) fn blocks(self) -> impl Iterator<Item = (u32, usize)> {
        let starts = (0..self.len).step_by(HEADER);
        starts.map(move |at| (at, HEADER.min((self.len - at) as usize)))
    }
}

/// The header of a slot: five words, little-endian, the last one the checksum of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) saved: Saved,
    pub(crate) payload_crc: u32,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let Self { saved: Saved { generation, len }, payload_crc } = self;
        let mut bytes = [0xff; HEADER];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (bytes, word) in words.iter_mut().zip([MAGIC, generation, len, payload_crc]) {
            *bytes = word.to_le_bytes();
        }
        let (fields, rest) = bytes.split_at_mut(16);
        if let Some(crc) = rest.first_chunk_mut() {
            *crc = CRC.checksum(fields).to_le_bytes();
        }
        bytes
    }

    /// The header in these bytes, if they are one and its payload fits into `room`.
    pub(crate) fn from_bytes(bytes: &[u8; HEADER], room: u32) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<4>();
        let [_, generation, len, payload_crc] = words.first_chunk::<4>()?.map(u32::from_le_bytes);
        let header = Self { saved: Saved { generation, len }, payload_crc };
        (len <= room && header.to_bytes() == *bytes).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_7: Header = Header { saved: Saved { generation: 7, len: 100 }, payload_crc: 9 };

    #[test]
    fn a_header_is_read_as_it_was_written() {
        assert_eq!(Header::from_bytes(&HEADER_7.to_bytes(), 100), Some(HEADER_7));
        assert_eq!(Header::from_bytes(&HEADER_7.to_bytes(), 99), None);
    }

    #[test]
    fn a_header_with_any_other_bit_is_none() {
        for bit in 0..8 * HEADER {
            let mut bytes = HEADER_7.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::from_bytes(&bytes, u32::MAX), None, "bit {bit}");
        }
        assert_eq!(Header::from_bytes(&[0xff; HEADER], u32::MAX), None);
        assert_eq!(Header::from_bytes(&[0; HEADER], u32::MAX), None);
    }

    #[test]
    fn blocks_are_all_of_the_payload() {
        let of = |len| Saved { generation: 1, len }.blocks().map(|(_, len)| len).sum::<usize>();
        assert_eq!([0, 1, 32, 33, 100].map(of), [0, 1, 32, 33, 100]);
    }
}
