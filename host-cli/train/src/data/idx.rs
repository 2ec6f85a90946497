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
mod tests {
    use std::{fs, io::Write, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};
    use tempfile::TempDir;

    use super::*;

    /// Two images of 2x3.
    const IMAGES: [u8; 28] =
        [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255];
    /// Two labels.
    const LABELS: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 7, 9];

    fn write(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some-file");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn read_bytes(bytes: &[u8], what: Kind) -> Result<Idx> {
        let (_folder, path) = write(bytes);
        read(&path, what)
    }

    /// The message for `bytes`, which must name the file.
    fn message(bytes: &[u8], what: Kind) -> String {
        let message = format!("{:#}", read_bytes(bytes, what).unwrap_err());
        assert!(message.contains("some-file"), "{message}");
        message
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A pseudo-random image file large enough to be compressed in several blocks.
    fn large() -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 1, 0, 0, 0, 0, 28, 0, 0, 0, 28];
        let mut state = 1_u32;
        bytes.extend((0..256 * 784).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }));
        bytes
    }

    #[test]
    fn read_returns_images_and_labels_plain_and_compressed() {
        for pack in [<[u8]>::to_vec, gzip] {
            let images = read_bytes(&pack(&IMAGES), Kind::Images).unwrap();
            assert_eq!(
                images,
                Idx { dims: vec![2, 2, 3], data: IMAGES[16..].to_vec(), ..Idx::default() }
            );
            let labels = read_bytes(&pack(&LABELS), Kind::Labels).unwrap();
            assert_eq!(labels, Idx { dims: vec![2], data: vec![7, 9], ..Idx::default() });
            let large = large();
            assert_eq!(read_bytes(&pack(&large), Kind::Images).unwrap().data, large[16..]);
        }
    }

    #[test]
    fn elements_of_every_type_are_read_where_they_are_bytes() {
        type Write = fn(u8) -> Vec<u8>;
        let rows: [(u8, Write); 6] = [
            (0x08, |value| vec![value]),
            (0x09, |value| vec![value]),
            (0x0b, |value| i16::from(value).to_be_bytes().to_vec()),
            (0x0c, |value| i32::from(value).to_be_bytes().to_vec()),
            (0x0d, |value| f32::from(value).to_be_bytes().to_vec()),
            (0x0e, |value| f64::from(value).to_be_bytes().to_vec()),
        ];
        let values: Vec<u8> = (0..120).collect();
        for (code, bytes) in rows {
            let file = |dims: &[u8], values: &[u8]| {
                let mut file = vec![0, 0, code, dims.len() as u8];
                file.extend(dims.iter().flat_map(|dim| u32::from(*dim).to_be_bytes()));
                file.extend(values.iter().flat_map(|value| bytes(*value)));
                file
            };
            let idx = read_bytes(&file(&[120], &values), Kind::Labels).unwrap();
            assert_eq!(idx.data, values);
            for (dims, expected) in [
                (&[10, 4, 3][..], vec![10, 4, 3]),
                (&[30, 4], vec![30, 2, 2]),
                (&[10, 12], vec![10, 1, 12]),
                (&[5, 4, 6, 1], vec![5, 4, 6]),
                (&[5, 2, 2, 2, 3], vec![5, 1, 24]),
            ] {
                let idx = read_bytes(&file(dims, &values), Kind::Images).unwrap();
                let data = values.clone();
                assert_eq!(idx, Idx { dims: expected, data, ..Idx::default() });
            }
            let short = message(&file(&[120], &values[..119]), Kind::Labels);
            let size = bytes(0).len();
            let expected = format!(
                "expected {} bytes for 120 labels after the header, got {}",
                120 * size,
                119 * size
            );
            assert!(short.ends_with(&expected), "{short}");
        }
        let bytes = [&[0, 0, 0x0d, 1, 0, 0, 0, 2, 0, 0, 0, 0][..], &0.5f32.to_be_bytes()].concat();
        assert!(
            message(&bytes, Kind::Labels).contains("element 1 is 0.5, expected a whole number")
        );
        let bytes = [&[0, 0, 0x0c, 1, 0, 0, 0, 1][..], &(-1i32).to_be_bytes()].concat();
        assert!(message(&bytes, Kind::Labels).contains("element 0 is -1, expected a whole number"));
        // What is no byte makes floats of all.
        let values = [0i16, 4095, -7, 3].map(i16::to_be_bytes).concat();
        let bytes = [&[0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], &values].concat();
        let idx = read_bytes(&bytes, Kind::Images).unwrap();
        assert_eq!((idx.data.len(), &idx.floats[..]), (0, &[0.0, 4095.0, -7.0, 3.0][..]));
        let nan = [&[0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 1][..], &f32::NAN.to_be_bytes()].concat();
        assert!(message(&nan, Kind::Images).contains("element 0 is NaN, expected a finite number"));
        // QMNIST's labels are the first of eight numbers.
        let values = (0..16i32).map(|i| i.to_be_bytes()).collect::<Vec<_>>().concat();
        let bytes = [&[0, 0, 0x0c, 2, 0, 0, 0, 2, 0, 0, 0, 8][..], &values].concat();
        let idx = read_bytes(&bytes, Kind::Labels).unwrap();
        assert_eq!((idx.dims, idx.data), (vec![2], vec![0, 8]));
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        use picomlp::rng::{Purpose, Stream};
        let mut stream = Stream::new(1, Purpose::Split, 0);
        let mut below = |n: usize| stream.below(n as u32) as usize;
        let (_folder, path) = write(&[]);
        let packed = [gzip(&IMAGES), gzip(&LABELS)];
        for _ in 0..2000 {
            let from = [&IMAGES[..], &LABELS, &packed[0], &packed[1]][below(4)];
            let mut bytes = from[..from.len() - below(3)].to_vec();
            for _ in 0..1 + below(3) {
                let at = below(bytes.len());
                bytes[at] = [0, 1, 2, 3, 8, 9, 0x0c, 0x0e, 0x7f, 0xff][below(10)];
            }
            fs::write(&path, &bytes).unwrap();
            if let Err(error) = read(&path, [Kind::Images, Kind::Labels][below(2)]) {
                assert!(format!("{error:#}").contains("some-file"), "{error:#}: {bytes:?}");
            }
        }
    }

    #[test]
    fn gzip_data_that_unpacks_to_a_thousandfold_is_refused() {
        // Members of zeros one after the other: as large as is wanted, and quickly made.
        let member = gzip(&vec![0; 1 << 20]);
        let header = gzip(&[0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
        let mut bytes = header;
        (0..4).for_each(|_| bytes.extend(&member));
        let message = message(&bytes, Kind::Images);
        assert!(
            message.contains("bytes of gzip data unpack to") && message.contains("gunzip"),
            "{message}"
        );
    }

    #[test]
    fn read_keeps_one_buffer_of_the_payloads_size() {
        let idx = read_bytes(&large(), Kind::Images).unwrap();
        assert_eq!(idx.data.capacity(), idx.data.len());
    }

    #[test]
    fn read_says_that_a_file_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&folder.path().join("absent"), Kind::Images).unwrap_err();
        let message = format!("{error:#}");
        assert!(message.starts_with("cannot read ") && message.contains("absent"), "{message}");
    }

    #[test]
    fn read_says_that_a_folder_is_not_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = format!("{:#}", read(folder.path(), Kind::Images).unwrap_err());
        let path = folder.path().display().to_string();
        assert!(message.contains("cannot ") && message.contains(&path), "{message}");
    }

    #[test]
    fn read_says_that_a_file_is_empty() {
        for bytes in [vec![], gzip(&[])] {
            let message = message(&bytes, Kind::Labels);
            assert!(message.ends_with("the file is empty, expected an IDX file of labels"));
        }
    }

    #[test]
    fn read_says_that_a_file_is_shorter_than_its_header() {
        for len in 1..16 {
            let expected = format!("shorter than its header: expected 16 bytes, got {len}");
            for bytes in [IMAGES[..len].to_vec(), gzip(&IMAGES[..len])] {
                let message = message(&bytes, Kind::Images);
                assert!(message.ends_with(&expected), "{len}: {message}");
            }
        }
        let message = message(&LABELS[..7], Kind::Labels);
        assert!(message.ends_with("expected 8 bytes, got 7"), "{message}");
    }

    #[test]
    fn read_says_what_is_wrong_with_a_magic_number() {
        let rows: [(&[u8], Kind, &str); 5] = [
            (
                &LABELS,
                Kind::Images,
                "this is a label file, images were expected: \
                 expected the magic number 0x00000803, got 0x00000801",
            ),
            (
                &IMAGES,
                Kind::Labels,
                "this is an image file, labels were expected: \
                 expected the magic number 0x00000801, got 0x00000803",
            ),
            (
                b"PNG.....",
                Kind::Images,
                "this is not an IDX file of images: \
                 expected the magic number 0x00000803, got 0x504e472e",
            ),
            (&[0, 0, 0x77, 3], Kind::Images, "the elements are of an unknown type (0x77): "),
            (
                &[0, 0, 8, 4],
                Kind::Labels,
                "the file has 4 dimensions, 1 were expected for labels: \
                 expected the magic number 0x00000801, got 0x00000804",
            ),
        ];
        for (bytes, what, expected) in rows {
            let message = message(bytes, what);
            assert!(message.contains(expected), "{bytes:?}: {message}");
        }
    }

    #[test]
    fn read_says_that_a_dimension_is_zero() {
        for place in [7, 11, 15] {
            let mut bytes = IMAGES;
            bytes[place] = 0;
            let message = message(&bytes, Kind::Images);
            assert!(message.contains("the header has a dimension of 0: it says "), "{message}");
        }
        let message = message(&[0, 0, 8, 1, 0, 0, 0, 0], Kind::Labels);
        assert!(message.ends_with("it says 0 labels"), "{message}");
    }

    #[test]
    fn read_says_that_the_dimensions_overflow() {
        let mut bytes = IMAGES;
        bytes[4..16].fill(0xff);
        let message = message(&bytes, Kind::Images);
        assert!(message.contains("4294967295 images of 4294967295x4294967295"), "{message}");
        assert!(message.contains("more bytes than can be addressed"), "{message}");
    }

    #[test]
    fn read_does_not_believe_a_header_that_claims_gigabytes() {
        let mut bytes = IMAGES;
        bytes[4] = 0x7f; // 2 130 706 434 images: 12 GB
        for bytes in [bytes.to_vec(), gzip(&bytes)] {
            let message = message(&bytes, Kind::Images);
            assert!(message.contains("expected 12784238604 bytes"), "{message}");
            assert!(message.ends_with("after the header, got 12"), "{message}");
        }
    }

    #[test]
    fn read_says_how_many_bytes_are_missing() {
        for bytes in [IMAGES[..27].to_vec(), gzip(&IMAGES[..27])] {
            let message = message(&bytes, Kind::Images);
            let expected = "the file is too short: expected 12 bytes for 2 images of 2x3 \
                            after the header, got 11";
            assert!(message.ends_with(expected), "{message}");
        }
        let message = message(&LABELS[..8], Kind::Labels);
        assert!(message.contains("expected 2 bytes for 2 labels after the header, got 0"));
    }

    #[test]
    fn read_says_that_bytes_are_left_over() {
        let mut bytes = IMAGES.to_vec();
        bytes.push(0);
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let message = message(&bytes, Kind::Images);
            let expected = "the file is too long: expected 12 bytes for 2 images of 2x3 \
                            after the header, and more follow";
            assert!(message.ends_with(expected), "{message}");
        }
    }

    #[test]
    fn read_says_that_gzip_data_was_cut_short_wherever_that_was() {
        let packed = gzip(&large());
        for len in [2, 5, 9, 10, 11, 20, 1000, packed.len() - 9, packed.len() - 8, packed.len() - 1]
        {
            let message = message(&packed[..len], Kind::Images);
            assert!(message.contains("the gzip data ends too early"), "{len}: {message}");
        }
    }

    #[test]
    fn read_says_that_gzip_data_is_damaged() {
        let packed = gzip(&large());
        let end = packed.len();
        // A byte of the checksum, of the length, of the compressed data, of the header's method.
        for place in [end - 6, end - 2, end / 2, 2] {
            let mut bytes = packed.clone();
            bytes[place] ^= 0x55;
            let message = message(&bytes, Kind::Images);
            assert!(message.contains("the gzip data is damaged: "), "{place}: {message}");
        }
    }

    #[test]
    fn read_accepts_gzip_padding_and_members_and_refuses_garbage_after_them() {
        let mut bytes = gzip(&IMAGES[..20]);
        bytes.extend(gzip(&IMAGES[20..]));
        assert_eq!(read_bytes(&bytes, Kind::Images).unwrap().data, IMAGES[16..]);
        bytes.extend([0; 100_000]);
        assert_eq!(read_bytes(&bytes, Kind::Images).unwrap().data, IMAGES[16..]);
        bytes.push(b'x');
        let message = message(&bytes, Kind::Images);
        assert!(message.contains("bytes that are not gzip data follow its end"), "{message}");
    }
}
