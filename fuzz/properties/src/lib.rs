//! What must hold for any input of picomlp's readers.
//!
//! Each property is a plain function of bytes that panics where it fails, and returns whether the input was taken for sound. The fuzz targets in `fuzz/fuzz_targets` call one each;
//! `cargo test` replays the committed corpus through all of them without a fuzzer.
//!
//! Random bytes rarely get past a checksum. The structured properties therefore take the input as a description: they repair
//! lengths and checksums, or build a sound file from it, before they call the reader.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a property that fails panics: that is how a fuzzer finds out"
)]

mod blob;
mod checkpoint;
mod csv_file;
mod idx;
mod image;
mod interchange;
mod protocol;
mod self_test;
mod source;
mod text;

pub use blob::{blob, blob_int8};
pub use checkpoint::checkpoint;
pub use csv_file::csv;
pub use idx::idx;
pub use image::image;
pub use interchange::{npz, onnx, safetensors};
pub use protocol::{desktop, device};
pub use self_test::self_test;
pub use text::{history, recipe};

/// A property by the name of its fuzz target.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub const TARGETS: [Target; 14] = [
    ("blob", blob),
    ("blob_int8", blob_int8),
    ("checkpoint", checkpoint),
    ("csv", csv),
    ("desktop", desktop),
    ("device", device),
    ("history", history),
    ("idx", idx),
    ("image", image),
    ("npz", npz),
    ("onnx", onnx),
    ("recipe", recipe),
    ("safetensors", safetensors),
    ("self_test", self_test),
];
