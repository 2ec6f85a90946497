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
    assert!(message(&bytes, Kind::Labels).contains("element 1 is 0.5, expected a whole number"));
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
    for len in [2, 5, 9, 10, 11, 20, 1000, packed.len() - 9, packed.len() - 8, packed.len() - 1] {
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
