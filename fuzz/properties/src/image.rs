//! PNG files, and bringing them into MNIST's form.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use picomlp_train::image::{normalize, read};

use crate::source::{Source, with_file};

/// The longest side of an image that is built: what is slow about larger ones is not new.
const SIDE: u32 = 40;

/// Reads a file as it is; or a PNG with the chunks that the input describes, under right checksums.
pub fn image(data: &[u8]) -> bool {
    let mut from = Source(data);
    let built;
    let kind = from.byte();
    let size = [(28, 28), (8, 8), (5, 9)][usize::from(kind / 4 % 3)];
    let file = match kind % 4 {
        0 => from.0,
        1 => {
            built = chunks(from);
            &built
        }
        _ => {
            built = png(from);
            &built
        }
    };
    with_file(file, |path| {
        let image = match read(path) {
            Ok(image) => image.on_white(),
            Err(error) => {
                let text = format!("{error:#}");
                assert!(text.contains(&*path.to_string_lossy()), "{text}");
                return false;
            }
        };
        let (rows, cols) = size;
        let Ok((pixels, _)) = normalize(&image, rows, cols) else { return false };
        assert_eq!(pixels.len(), rows * cols);
        assert!(pixels.iter().any(|pixel| *pixel > 0));
        true
    })
}

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

fn chunk(file: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(name);
    file.extend_from_slice(content);
    let crc = crc32fast::hash(&file[start..]);
    file.extend(crc.to_be_bytes());
}

/// A header, and then any chunks in any order, each with its checksum.
fn chunks(mut from: Source<'_>) -> Vec<u8> {
    const NAMES: [[u8; 4]; 8] =
        [*b"IDAT", *b"PLTE", *b"tRNS", *b"acTL", *b"fcTL", *b"fdAT", *b"gAMA", *b"IEND"];
    let mut file = SIGNATURE.to_vec();
    let mut header = from.bytes(13);
    // Up to 255 pixels a side; what a header of gigapixels does is known before anything is decoded.
    if from.below(4) > 0 {
        header[..3].fill(0);
        header[4..7].fill(0);
    }
    chunk(&mut file, *b"IHDR", &header);
    while !from.is_empty() {
        let name = NAMES[from.below(8)];
        let len = from.below(256);
        chunk(&mut file, name, from.take(len));
    }
    file
}

/// A sound PNG of any color type and depth whose pixels are the input, repeated.
fn png(mut from: Source<'_>) -> Vec<u8> {
    const KINDS: [(u8, &[u8], u32); 5] = [
        (0, &[1, 2, 4, 8, 16], 1),
        (2, &[8, 16], 3),
        (3, &[1, 2, 4, 8], 1),
        (4, &[8, 16], 2),
        (6, &[8, 16], 4),
    ];
    let (color, depths, channels) = KINDS[from.below(5)];
    let depth = depths[from.below(depths.len())];
    let [width, height] = [0; 2].map(|_| 1 + u32::from(from.byte()) % SIDE);
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, *b"IHDR", &header);
    if color == 3 {
        chunk(&mut file, *b"PLTE", &from.bytes(3 << depth));
    }
    let line = (width * channels * u32::from(depth)).div_ceil(8) as usize;
    let paper = from.byte();
    let mut ink = from.0.iter().copied().cycle();
    let mut zlib = ZlibEncoder::new(vec![], Compression::fast());
    for row in 0..height {
        // Ink in the middle half, so that there is often something to find.
        let filter = if paper & 1 == 0 { 0 } else { ink.next().unwrap_or(0) % 5 };
        let inside = row >= height / 4 && row <= 3 * height / 4;
        let pixels = (0..line).map(|at| {
            let inside = inside && at >= line / 4 && at <= 3 * line / 4;
            if inside { ink.next().unwrap_or(0) } else { paper }
        });
        let pixels: Vec<u8> = [filter].into_iter().chain(pixels).collect();
        zlib.write_all(&pixels).unwrap();
    }
    chunk(&mut file, *b"IDAT", &zlib.finish().unwrap());
    chunk(&mut file, *b"IEND", &[]);
    file
}
