//! Reads one IDX file, the format that MNIST is distributed in, plain or compressed with gzip.
//!
//! An IDX file is a header and the elements after it. The header is a magic number (two zero bytes,
//! a byte for the element type, a byte for the number of dimensions) and one big-endian `u32` a
//! dimension, outermost first. Images have the dimensions `[count][rows][cols]`, or `[count][pixels]`, and labels
//! `[count]`; QMNIST's labels are `[count][8]`, the class first. Further dimensions of images are flattened. Elements of any type are
//! read: pixels if all of them are whole numbers from 0 to 255, else features.
//!
//! Source: the format is described on the MNIST page, <http://yann.lecun.com/exdb/mnist/>, "FILE
//! FORMATS FOR THE MNIST DATABASE".

use core::fmt;
use std::{
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::input::Input;
use crate::file_kind::FileKind;
use crate::shape::Shape;

/// Bytes reserved at most on the header's word alone, enough for MNIST's 47 MB of training images.
///
/// A larger file makes the buffer grow as its bytes arrive, so a header that lies costs no memory.
const RESERVE: usize = 64 << 20;

/// Bytes that are read and converted at once; elements of every size fit without a rest.
const CHUNK: usize = 1 << 16;

/// What an IDX file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Images, dimensions `[count][rows][cols]`, magic number `0x00000803`.
    Images,
    /// One label an image, dimensions `[count]`, magic number `0x00000801`.
    Labels,
}

impl Kind {
    /// The magic number that a file of this kind begins with.
    #[must_use]
    pub const fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0000_0803,
            Self::Labels => 0x0000_0801,
        }
    }

    /// The number of dimensions in a header of this kind.
    #[must_use]
    pub const fn dimensions(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    /// Returns how many elements these dimensions hold, as a message names them.
    fn describe(self, dims: &[usize]) -> String {
        match (self, dims) {
            (Self::Images, [count, rows, cols]) => format!("{count} images of {rows}x{cols}"),
            (Self::Images, [count, pixels]) => format!("{count} images of {pixels} pixels"),
            (_, [count, ..]) => format!("{count} {self}"),
            (_, []) => self.to_string(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "images",
            Self::Labels => "labels",
        })
    }
}

/// A type of elements: the third byte of the magic number, the size, and how a value is read.
struct Element {
    code: u8,
    size: usize,
    value: fn(&[u8]) -> f64,
}

const fn element(code: u8, size: usize, value: fn(&[u8]) -> f64) -> Element {
    Element { code, size, value }
}

const ELEMENTS: [Element; 6] = [
    element(U8, 1, |b| f64::from(b[0])),
    element(0x09, 1, |b| f64::from(b[0] as i8)),
    element(0x0b, 2, |b| f64::from(i16::from_be_bytes(array(b)))),
    element(0x0c, 4, |b| f64::from(i32::from_be_bytes(array(b)))),
    element(0x0d, 4, |b| f64::from(f32::from_be_bytes(array(b)))),
    element(0x0e, 8, |b| f64::from_be_bytes(array(b))),
];

/// The code of bytes, which need no conversion.
const U8: u8 = 0x08;

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

impl Element {
    /// Appends elements to `idx`: to its bytes, or to its floats from the first on that is no byte.
    fn append(&self, bytes: &[u8], what: Kind, Idx { data, floats, .. }: &mut Idx) -> Result<()> {
        if self.code == U8 {
            data.extend_from_slice(bytes);
            return Ok(());
        }
        for element in bytes.chunks_exact(self.size) {
            let (value, at) = ((self.value)(element), data.len() + floats.len());
            let is_whole = value.fract() == 0.0;
            match what {
                Kind::Images => {
                    ensure!(value.is_finite(), "element {at} is {value}, expected a finite number");
                }
                Kind::Labels => ensure!(
                    is_whole && (0.0..=65_535.0).contains(&value),
                    "element {at} is {value}, expected a whole number from 0 to 65535"
                ),
            }
            if floats.is_empty() && is_whole && (0.0..=255.0).contains(&value) {
                data.push(value as u8);
                continue;
            }
            floats.extend(data.drain(..).map(f32::from));
            floats.push(value as f32);
        }
        Ok(())
    }
}

/// The content of an IDX file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Idx {
    /// The dimensions, outermost first: `[count, rows, cols]` for images, `[count]` for labels.
    /// None is 0.
    pub dims: Vec<usize>,
    /// The elements, row-major, if all are bytes: as many as the product of `dims`.
    pub data: Vec<u8>,
    /// The elements otherwise.
    pub floats: Vec<f32>,
}

/// Reads the IDX file at `path`, which must hold `what`.
///
/// # Errors
///
/// Each names the file: it cannot be opened or read; it is empty, or shorter than its header; it
/// begins with another magic number or holds another kind of data; a dimension is 0, or their product does not fit the
/// address space; an element is no whole number from 0 to 255; there are fewer or more bytes
/// than the header says; the gzip data is damaged, cut short, followed by something that is not
/// gzip data, or made to fill the memory.
pub fn read(path: &Path, what: Kind) -> Result<Idx> {
    let mut input = Input::open(path)?;
    input.check_kind(&format!("an IDX file of {what}"), FileKind::is_idx)?;
    parse(&mut input, what)
        // Reading errors become sentences that name the file; the format's do not name it.
        .map_err(|error| match error {
            Fault::Reading(error) => input.explain(error),
            Fault::Named(error) => error,
            Fault::Format(error) => error.context(format!("{}", path.display())),
        })
}

/// Why [`parse`] gave up.
enum Fault {
    /// The bytes could not be had.
    Reading(io::Error),
    /// The same, in a sentence that names the file.
    Named(anyhow::Error),
    /// The bytes are not what they should be.
    Format(anyhow::Error),
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Format(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

/// Reads header and elements from `input`.
fn parse(input: &mut Input, what: Kind) -> Result<Idx, Fault> {
    let mut magic = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut magic)?;
    let (element, dimensions) = match magic.first_chunk() {
        Some(&magic) => parse_magic(magic, what)?,
        None => (&ELEMENTS[0], what.dimensions()),
    };
    let mut header = magic;
    input.by_ref().take(4 * dimensions as u64).read_to_end(&mut header)?;
    let mut dims = parse_dims(&header, 4 + 4 * dimensions, what)?;

    let count = element_count(&dims, element.size, what)?;
    let (expected, described) = (count * element.size, what.describe(&dims));
    let bytes = if element.code == U8 { count.min(RESERVE) } else { 0 };
    let mut idx = Idx { data: Vec::with_capacity(bytes), ..Idx::default() };
    let mut chunk = Vec::with_capacity(CHUNK.min(expected));
    let mut left = expected;
    while left > 0 {
        chunk.clear();
        input.by_ref().take(left.min(CHUNK) as u64).read_to_end(&mut chunk)?;
        if chunk.len() < left.min(CHUNK) {
            return Err(Fault::Format(anyhow!(
                "the file is too short: expected {expected} bytes for {described} after the header, \
                 got {}",
                expected - left + chunk.len()
            )));
        }
        idx.data.try_reserve(chunk.len() / element.size).map_err(io::Error::from)?;
        element.append(&chunk, what, &mut idx)?;
        input.check_growth(idx.data.len() + idx.floats.len()).map_err(Fault::Named)?;
        left -= chunk.len();
    }
    // This last read also makes a compressed file check its checksum.
    if input.by_ref().take(1).read_to_end(&mut Vec::new())? != 0 {
        return Err(Fault::Format(anyhow!(
            "the file is too long: expected {expected} bytes for {described} after the header, \
             and more follow"
        )));
    }
    match (what, &dims[..]) {
        (Kind::Images, [count, pixels]) => {
            let shape = Shape::square(*pixels).unwrap_or(Shape { rows: 1, cols: *pixels });
            dims = vec![*count, shape.rows, shape.cols];
        }
        (Kind::Images, [count, rows, cols, rest @ ..]) if !rest.is_empty() => {
            dims = match rest.iter().product() {
                1 => vec![*count, *rows, *cols],
                more => vec![*count, 1, rows * cols * more],
            };
        }
        (Kind::Labels, [count, width]) => {
            idx.data = idx.data.into_iter().step_by(*width).collect();
            idx.floats = idx.floats.into_iter().step_by(*width).collect();
            dims = vec![*count];
        }
        _ => {}
    }
    Ok(Idx { dims, ..idx })
}

/// Returns the type of elements and the number of dimensions that a magic number announces.
fn parse_magic(magic: [u8; 4], what: Kind) -> Result<(&'static Element, usize)> {
    let (expected, got) = (what.magic(), u32::from_be_bytes(magic));
    let numbers = format!("expected the magic number 0x{expected:08x}, got 0x{got:08x}");
    let [0, 0, code, dimensions] = magic else {
        bail!("this is not an IDX file of {what}: {numbers}");
    };
    let element = ELEMENTS.iter().find(|element| element.code == code);
    let element = element.with_context(|| {
        format!("the elements are of an unknown type (0x{code:02x}): {numbers}")
    })?;
    match (what, dimensions) {
        (Kind::Images, 2..) | (Kind::Labels, 1) => Ok((element, usize::from(dimensions))),
        // QMNIST's.
        (Kind::Labels, 2) if code == 0x0c => Ok((element, 2)),
        (Kind::Images, 1) => bail!("this is a label file, images were expected: {numbers}"),
        (Kind::Labels, 2 | 3) => bail!("this is an image file, labels were expected: {numbers}"),
        _ => bail!(
            "the file has {dimensions} dimensions, {} were expected for {what}: {numbers}",
            what.dimensions()
        ),
    }
}

/// Returns the dimensions of a header that may be incomplete.
fn parse_dims(header: &[u8], needed: usize, what: Kind) -> Result<Vec<usize>> {
    ensure!(!header.is_empty(), "the file is empty, expected an IDX file of {what}");
    ensure!(
        header.len() == needed,
        "the file is shorter than its header: expected {needed} bytes, got {}",
        header.len()
    );
    let (words, _) = header.as_chunks::<4>();
    words
        .iter()
        .skip(1)
        .map(|word| {
            let dim = u32::from_be_bytes(*word);
            usize::try_from(dim).with_context(|| format!("a dimension of {dim} is too large here"))
        })
        .collect()
}

/// Multiplies the dimensions of a header.
fn element_count(dims: &[usize], size: usize, what: Kind) -> Result<usize> {
    let described = what.describe(dims);
    ensure!(!dims.contains(&0), "the header has a dimension of 0: it says {described}");
    dims.iter()
        .try_fold(1_usize, |product, dim| product.checked_mul(*dim))
        // `take` and `Vec` both stop at `isize::MAX` bytes.
        .filter(|product| product.checked_mul(size).is_some_and(|len| isize::try_from(len).is_ok()))
        .with_context(|| {
            format!("the header says {described}, which is more bytes than can be addressed")
        })
}

#[cfg(test)]
mod tests;
