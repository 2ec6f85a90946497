//! Models of other tools.

use std::path::Path;

use picomlp_train::ModelFile;
use picomlp_train::interchange::{Format, Options, export, read_bytes};

/// Reads a model; what is read makes a sound model file, or one that the format refuses, and comes back from an export.
fn interchange(format: Format, data: &[u8]) -> bool {
    let options = Options { activation: "relu".parse().ok(), ..Options::default() };
    let Ok(model) = read_bytes(format, data, None, &options) else { return false };
    let Ok(bytes) = model.to_bytes() else { return false };
    let file = ModelFile::from_bytes(Path::new("m"), &bytes).unwrap();
    file.model().unwrap();
    let exported = export(&file, format, false, Path::new("m")).unwrap().files.remove(0).1;
    let again = read_bytes(format, &exported, None, &Options::default()).unwrap();
    // A graph may join two scalings into one.
    let is_same = again.to_bytes().unwrap() == bytes;
    assert!(is_same || format == Format::Onnx);
    true
}

/// An ONNX file is imported and comes back from its export.
pub fn onnx(data: &[u8]) -> bool {
    interchange(Format::Onnx, data)
}

/// As [`onnx`], a safetensors file.
pub fn safetensors(data: &[u8]) -> bool {
    interchange(Format::Safetensors, data)
}

/// As [`onnx`], an npz archive.
pub fn npz(data: &[u8]) -> bool {
    interchange(Format::Npz, data)
}
