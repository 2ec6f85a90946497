//! NumPy's files: an array (`.npy`), and a zip of arrays, stored (`np.savez`) or deflated (`np.savez_compressed`).

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

/// An array as it lies in a file.
#[derive(Clone, Debug)]
pub(crate) struct Npy<'a> {
    /// The type of its elements, as in `<f4`.
    pub(crate) kind: &'a str,
    pub(crate) shape: Vec<usize>,
    /// Whether the first index counts fastest.
    pub(crate) fortran: bool,
    pub(crate) data: &'a [u8],
}

/// Calls `take` with the name and the bytes of each array of an archive, which unpack to `most` bytes at most.
pub(crate) fn arrays(
    archive: &[u8],
    most: u64,
    mut take: impl FnMut(&str, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let archive = ZipArchive::from_slice(archive).context("it is no npz archive, or cut off")?;
    let (mut entries, mut left) = (archive.entries(), most);
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
        ensure!(left > 0, "{}: the archive unpacks to more than {most} bytes", at());
        take(name, array).with_context(at)?;
    }
    Ok(())
}

impl<'a> Npy<'a> {
    /// Reads the header: magic, version, length, and a Python dictionary such as
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let parts = || {
            let rest = bytes.strip_prefix(b"\x93NUMPY")?;
            let (version, rest) = rest.split_first_chunk::<2>()?;
            let (len, rest) = match version[0] {
                1 => rest
                    .split_first_chunk()
                    .map(|(n, rest)| (u16::from_le_bytes(*n).into(), rest))?,
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

    /// Returns the elements in C's order: the last index counts fastest. `read` makes one of its bytes, of which it has `size`.
    fn elements<T: Clone>(&self, size: usize, read: impl Fn(&[u8]) -> T) -> Result<Vec<T>> {
        let len = self.shape.iter().try_fold(size, |len: usize, side| len.checked_mul(*side));
        ensure!(
            len == Some(self.data.len()) && size > 0,
            "{} bytes of data do not fill its shape {:?} of {size}-byte elements",
            self.data.len(),
            self.shape
        );
        let stored = self.data.chunks_exact(size).map(read);
        if !self.fortran || self.shape.len() < 2 {
            return Ok(stored.collect());
        }
        let stored: Vec<T> = stored.collect();
        // The place of each element, counted up as an odometer is.
        let (mut at, mut place) = (vec![0; self.shape.len()], 0);
        let steps: Vec<usize> = self
            .shape
            .iter()
            .scan(1, |step, side| Some(core::mem::replace(step, *step * side)))
            .collect();
        let mut found = Vec::with_capacity(stored.len());
        for _ in 0..stored.len() {
            found.push(stored[place].clone());
            for axis in (0..at.len()).rev() {
                at[axis] += 1;
                place += steps[axis];
                if at[axis] < self.shape[axis] {
                    break;
                }
                place -= steps[axis] * self.shape[axis];
                at[axis] = 0;
            }
        }
        Ok(found)
    }

    /// Returns the elements if they are bytes, `[..]` in C's order.
    pub(crate) fn bytes(&self) -> Option<Result<Vec<u8>>> {
        matches!(self.kind, "|u1" | "|b1").then(|| self.elements(1, |b| b[0]))
    }

    /// Returns the elements as numbers; what is wider than `f32` is rounded.
    pub(crate) fn floats(&self) -> Result<Vec<f32>> {
        fn word<const N: usize>(bytes: &[u8]) -> [u8; N] {
            bytes.try_into().unwrap_or([0; N])
        }
        let (order, kind) = self.kind.split_at_checked(1).unwrap_or_default();
        let size = kind.get(1..).and_then(|size| size.parse().ok()).unwrap_or(0);
        let little: fn(&[u8]) -> f32 = match kind {
            "b1" | "u1" => |b| b[0].into(),
            "i1" => |b| (b[0] as i8).into(),
            "u2" => |b| u16::from_le_bytes(word(b)).into(),
            "i2" => |b| i16::from_le_bytes(word(b)).into(),
            "u4" => |b| u32::from_le_bytes(word(b)) as f32,
            "i4" => |b| i32::from_le_bytes(word(b)) as f32,
            "u8" => |b| u64::from_le_bytes(word(b)) as f32,
            "i8" => |b| i64::from_le_bytes(word(b)) as f32,
            "f2" => |b| half(u16::from_le_bytes(word(b))),
            "f4" => |b| f32::from_le_bytes(word(b)),
            "f8" => |b| f64::from_le_bytes(word(b)) as f32,
            _ => bail!(
                "its elements are of the type '{}', expected numbers (int8 to int64, float16 to float64, bool)",
                self.kind
            ),
        };
        if order != ">" {
            return self.elements(size, little);
        }
        self.elements(size, |bytes| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(bytes);
            word[..size].reverse();
            little(&word[..size])
        })
    }

    /// Returns the elements as text: words, or numbers as they are written.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        let (order, kind) = self.kind.split_at_checked(1).unwrap_or_default();
        let size: usize = kind.get(1..).and_then(|size| size.parse().ok()).unwrap_or(0);
        let text = |chars: Vec<char>| {
            chars.into_iter().collect::<String>().trim_end_matches('\0').to_owned()
        };
        match kind.get(..1) {
            Some("U") => self.elements(4 * size, |bytes| {
                let number = |b: &[u8; 4]| match order {
                    ">" => u32::from_be_bytes(*b),
                    _ => u32::from_le_bytes(*b),
                };
                let chars = bytes.as_chunks::<4>().0.iter().map(number);
                text(chars.map(|c| char::from_u32(c).unwrap_or('\u{fffd}')).collect())
            }),
            Some("S") => {
                self.elements(size, |bytes| text(String::from_utf8_lossy(bytes).chars().collect()))
            }
            Some("O") => bail!(
                "its elements are Python objects, expected numbers or words: write it by .astype(str)"
            ),
            _ => Ok(self.floats()?.iter().map(f32::to_string).collect()),
        }
    }
}

/// An IEEE 754 half as a float.
pub(crate) fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction as f32 / f32::from_bits(0x4b80_0000), // 2^24
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
