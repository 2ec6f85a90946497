//! Blobs that are sound, damaged, foreign or hostile, through the public API.

mod hostile;
mod int8;
mod layers;
mod mutations;
mod refused;
pub(crate) mod sample;
mod written;

pub(crate) use sample::crc32;
