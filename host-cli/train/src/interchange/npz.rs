//! NumPy archives: a zip of arrays, stored (`np.savez`) or deflated (`np.savez_compressed`).

use std::io::Write;

use anyhow::{Result, bail};
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::about::Metadata;
use super::tensors::{Dtype, Tensor, is_counter};
use crate::npy::{Npy, arrays};

/// The array of our metadata: JSON.
const METADATA: &str = "picomlp";

/// Unpacked bytes at most: a small archive can hold many.
const MOST: u64 = 1 << 28;

/// The arrays of an archive, and its metadata.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<(String, Tensor)>, Metadata)> {
    let (mut tensors, mut metadata) = (Vec::new(), Metadata::new());
    arrays(bytes, MOST, |name, array| {
        if name == METADATA {
            metadata = serde_json::from_slice(Npy::parse(&array)?.data)?;
        } else if !is_counter(name) {
            let Npy { kind, shape, fortran, data } = Npy::parse(&array)?;
            let dtype = match kind {
                "<f2" => Dtype::F16,
                "<f4" => Dtype::F32,
                "<f8" => Dtype::F64,
                _ => bail!("its numbers are '{kind}', expected '<f4', '<f8' or '<f2'"),
            };
            // In Fortran's order the bytes are those of the transpose.
            let stored = if fortran { shape.iter().rev().copied().collect() } else { shape };
            let tensor = Tensor::decode(dtype, stored, data)?;
            let tensor = if fortran { tensor.transposed() } else { tensor };
            tensors.push((name.to_owned(), tensor));
        }
        Ok(())
    })?;
    Ok((tensors, metadata))
}

/// An archive of these arrays.
pub(super) fn write(tensors: &[(String, Tensor)], metadata: &Metadata) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(metadata)?;
    let mut arrays = vec![(METADATA, format!("|S{}", text.len()), String::new(), text)];
    for (name, tensor) in tensors {
        let shape: String = tensor.shape.iter().map(|side| format!("{side}, ")).collect();
        arrays.push((name, "<f4".to_owned(), shape, tensor.bytes().collect()));
    }
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, kind, shape, data) in arrays {
        let mut header =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
        // Magic, version, length and header fill a multiple of 64 bytes; the last one is a line feed.
        let len = (header.len() + 11).next_multiple_of(64) - 10;
        header = format!("{header:len$}", len = len - 1) + "\n";
        let path = format!("{name}.npy");
        let (mut entry, config) =
            archive.new_file(&path).compression_method(CompressionMethod::STORE).start()?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(b"\x93NUMPY\x01\0")?;
        writer.write_all(&(len as u16).to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        writer.write_all(&data)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
    }
    Ok(archive.finish()?)
}
