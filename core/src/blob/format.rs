//! The format's fixed numbers; `docs/blob-format.md` explains them.

pub(super) use crate::checksum::CRC;

/// The first eight bytes. The first is neither 0x00 nor 0xFF, so erased or zeroed flash cannot begin like a blob;
/// the line ends and the 0x1A show a transfer that took the file for text.
pub const MAGIC: [u8; 8] = [0x93, b'P', b'M', b'L', b'P', b'\r', b'\n', 0x1a];

/// The format version that this crate writes; it reads all from 1 to this one.
pub const VERSION: u16 = 2;

/// Bytes in the header, in a row of either table, and between two possible starts of a section.
pub(super) const HEADER: usize = 64;
pub(super) const ROW: usize = 16;
pub(super) const SECTION_ALIGN: usize = 16;

/// Where things stand in the header.
pub(super) mod at {
    pub(crate) const VERSION: usize = 8;
    pub(crate) const LAYERS: usize = 10;
    pub(crate) const TOTAL_LEN: usize = 12;
    pub(crate) const SECTIONS: usize = 16;
    pub(crate) const PAYLOAD_CRC: usize = 20;
    pub(crate) const ARCHITECTURE: usize = 24;
    pub(crate) const FINGERPRINT: usize = 32;
    pub(crate) const HEADER_CRC: usize = 60;
}

/// What a layer is, in the layer table.
pub(super) mod layer_kind {
    pub(crate) const DENSE: u32 = 1;
    pub(crate) const RELU: u32 = 2;
    pub(crate) const LEAKY_RELU: u32 = 3;
    pub(crate) const SIGMOID: u32 = 4;
    pub(crate) const TANH: u32 = 5;
    pub(crate) const LAYER_NORM: u32 = 6;
    pub(crate) const DENSE_NO_BIAS: u32 = 7;
    pub(crate) const RESCALE: u32 = 8;
}

/// What a section holds, in the section table.
pub(super) mod section {
    pub(crate) const PARAMS: u32 = 1;
    pub(crate) const INT8_PARAMS: u32 = 2;
    /// The input section of version 1.
    pub(crate) const INPUT_1: u32 = 3;
    pub(crate) const CLASSES: u32 = 4;
    pub(crate) const PROVENANCE: u32 = 5;
    pub(crate) const SELF_TEST: u32 = 6;
    pub(crate) const INT8_SELF_TEST: u32 = 7;
    pub(crate) const SELF_TEST_LAYERS: u32 = 8;
    pub(crate) const INPUT: u32 = 9;
    pub(crate) const SPLIT: u32 = 10;
    pub(crate) const FEATURES: u32 = 11;
    pub(crate) const TARGETS: u32 = 12;
    pub(crate) const TRAINING: u32 = 13;
    pub(crate) const PROGRESS: u32 = 14;
    pub(crate) const SETTINGS: u32 = 15;
    pub(crate) const THRESHOLD: u32 = 16;
    pub(crate) const INT8_INPUTS: u32 = 17;
    pub(crate) const READING: u32 = 18;
    pub(crate) const FILL: u32 = 19;
}

/// The little-endian number at `at`, 0 past the end: callers have checked the length.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    four.map_or(0, |four| u32::from_le_bytes(*four))
}

/// As [`u32_at`].
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u32_at(bytes, at) as u16
}

/// As [`u32_at`].
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
