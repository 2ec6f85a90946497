//! NumPy archives: a zip of arrays, stored (`np.savez`) or deflated (`np.savez_compressed`).

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};

use super::about::Metadata;
use super::tensors::{Dtype, Tensor, is_counter};

/// The array of our metadata: JSON.
const METADATA: &str = "picomlp";

/// Unpacked bytes at most: a small archive can hold many.
const MOST: u64 = 1 << 28;

/// The arrays of an archive, and its metadata.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<(String, Tensor)>, Metadata)> {
    let archive = ZipArchive::from_slice(bytes).context("it is no npz archive, or cut off")?;
    let (mut tensors, mut metadata, mut left) = (Vec::new(), Metadata::new(), MOST);
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().context("its list of arrays is damaged")? {
        let path = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        let Some(name) = path.strip_suffix(".npy") else { continue };
        let at = || format!("array '{name}'");
        let packed = archive.get_entry(entry.wayfinder()).with_context(at)?;
        let data: &mut dyn Read = match entry.compression_method() {
            CompressionMethod::STORE => &mut packed.data(),
            CompressionMethod::DEFLATE => &mut DeflateDecoder::new(packed.data()),
            other => bail!("{}: it is packed by {other:?}, expected numpy.savez's archive", at()),
        };
        let mut array = Vec::new();
        let read = packed.verifying_reader(data).take(left).read_to_end(&mut array);
        read.with_context(|| format!("{}: it cannot be unpacked", at()))?;
        left -= array.len() as u64;
        ensure!(left > 0, "{}: the archive unpacks to more than {MOST} bytes", at());
        if name == METADATA {
            let text = npy(&array).with_context(at)?.data;
            metadata = serde_json::from_slice(text).with_context(at)?;
        } else if !is_counter(name) {
            let Npy { kind, shape, fortran, data } = npy(&array).with_context(at)?;
            let dtype = match kind {
                "<f2" => Dtype::F16,
                "<f4" => Dtype::F32,
                "<f8" => Dtype::F64,
                _ => bail!("{}: its numbers are '{kind}', expected '<f4', '<f8' or '<f2'", at()),
            };
            // In Fortran's order the bytes are those of the transpose.
            let stored = if fortran { shape.iter().rev().copied().collect() } else { shape };
            let tensor = Tensor::decode(dtype, stored, data).with_context(at)?;
            let tensor = if fortran { tensor.transposed() } else { tensor };
            tensors.push((name.to_owned(), tensor));
        }
    }
    Ok((tensors, metadata))
}

/// An array as it lies in a file.
struct Npy<'a> {
    kind: &'a str,
    shape: Vec<usize>,
    fortran: bool,
    data: &'a [u8],
}

/// Reads the header: magic, version, length, and a Python dictionary such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn npy(bytes: &[u8]) -> Result<Npy<'_>> {
    let parts = || {
        let rest = bytes.strip_prefix(b"\x93NUMPY")?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (len, rest) = match version[0] {
            1 => rest.split_first_chunk().map(|(n, rest)| (u16::from_le_bytes(*n).into(), rest))?,
            _ => rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n), rest))?,
        };
        let (header, data) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        let header = str::from_utf8(header).ok()?;
        let value = |key: &str| Some(header.split_once(key)?.1.trim_start_matches([':', ' ']));
        let kind = value("'descr'")?.strip_prefix('\'')?.split_once('\'')?.0;
        let shape = value("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
        let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
        let shape = sides.map(|side| side.parse().ok()).collect::<Option<_>>()?;
        let fortran = value("'fortran_order'")?.starts_with("True");
        Some(Npy { kind, shape, fortran, data })
    };
    parts().context("it is no NumPy array, or its header is damaged")
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
