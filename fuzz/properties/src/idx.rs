//! IDX files, plain and compressed.

use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use picomlp_train::data::idx::{Idx, Kind, read};

use crate::source::{Source, with_file};

/// Bytes that a compressed file may unpack to.
const MOST: u64 = 1 << 20;

/// Reads the file as images or labels: as it is; compressed, with the same outcome; and with the input as the compressed data of
/// a gzip file whose length and checksum are right.
pub fn idx(data: &[u8]) -> bool {
    let mut from = Source(data);
    let kind = if from.below(2) == 0 { Kind::Images } else { Kind::Labels };
    let file = from.0;
    let plain = read_bytes(file, kind);
    if let Some(idx) = &plain {
        assert_eq!(idx.dims.len(), kind.dimensions());
        assert_eq!(idx.dims.iter().product::<usize>(), idx.data.len() + idx.floats.len());
    }
    // What is written again is bytes.
    if let Some(idx) = plain.as_ref().filter(|idx| idx.floats.is_empty()) {
        let header = kind.magic().to_be_bytes().into_iter();
        let dims = idx.dims.iter().flat_map(|dim| (*dim as u32).to_be_bytes());
        let again: Vec<u8> = header.chain(dims).chain(idx.data.iter().copied()).collect();
        assert_eq!(read_bytes(&again, kind).as_ref(), plain.as_ref());
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        packed.write_all(&again).unwrap();
        let mut packed = packed.finish().unwrap();
        assert_eq!(read_bytes(&packed, kind), plain);
        packed.extend([0; 9]); // padding
        assert_eq!(read_bytes(&packed, kind), plain);
        packed.push(1);
        assert_eq!(read_bytes(&packed, kind), None);
    }

    let mut unpacked = vec![];
    let mut taken = plain.is_some();
    if DeflateDecoder::new(file).take(MOST).read_to_end(&mut unpacked).is_ok() {
        let mut crc = Crc::new();
        crc.update(&unpacked);
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let end = [crc.sum().to_le_bytes(), (unpacked.len() as u32).to_le_bytes()].concat();
        taken |= read_bytes(&[&header, file, &end].concat(), kind).is_some();
    }
    taken
}

fn read_bytes(bytes: &[u8], kind: Kind) -> Option<Idx> {
    with_file(bytes, |path| match read(path, kind) {
        Ok(idx) => Some(idx),
        Err(error) => {
            assert!(format!("{error:#}").contains(&*path.to_string_lossy()), "{error:#}");
            None
        }
    })
}
