//! Reads any PNG row by row, and writes PNG files.

use std::{
    fmt,
    io::{BufRead, Cursor, Seek, SeekFrom},
};

use anyhow::{Context, Result, bail, ensure};
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Limits, Transformations};

use super::exif::Orientation;
use super::gray::{Image, Sink, luma};
use super::{check_size, no_memory};

/// The first eight bytes of every PNG (PNG specification, third edition, section 5.2).
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Memory for chunks other than pixels: palettes and Exif data are smaller by far.
const CHUNK_BYTES: usize = 4 << 20;

/// The first column and row of each pass of an interlaced PNG, and the steps between them (section 8.1).
const ADAM7: [[u32; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

/// Decodes a PNG of any color type and bit depth; of an animation, the default image.
///
/// One row is held beside the result, whatever the file announces: color profiles and texts are skipped, and chunks of more
/// than [`CHUNK_BYTES`] are refused.
pub(super) fn decode<R: BufRead + Seek>(mut file: R, name: &impl fmt::Display) -> Result<Image> {
    let damaged = || format!("cannot decode {name}: the PNG is damaged or cut short");
    let orientation = orientation(&mut file).unwrap_or_default();
    file.rewind().with_context(|| format!("cannot read {name}"))?;
    let mut decoder = Decoder::new_with_limits(file, Limits { bytes: CHUNK_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().with_context(damaged)?;
    let (size, interlaced) = ((header.width, header.height), header.interlaced);
    check_size(name, size, 1)?;
    let mut reader = decoder.read_info().with_context(damaged)?;
    let (color, depth) = reader.output_color_type();
    let has_alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
    check_size(name, size, 1 + u64::from(has_alpha))?;
    let mut sink = Sink::new(size, orientation, has_alpha).with_context(|| no_memory(name))?;
    let passes = if interlaced { &ADAM7[..] } else { &[[0, 0, 1, 1]] };
    for &[left, top, across, down] in passes {
        // A pass without columns has no rows, either.
        let rows = if left < size.0 { top..size.1 } else { 0..0 };
        for y in rows.step_by(down as usize) {
            let row = reader.next_row().with_context(damaged)?.with_context(damaged)?;
            let mut samples = samples(row.data(), depth);
            for x in (left..size.0).step_by(across as usize) {
                let (level, alpha) = pixel(color, &mut samples).with_context(damaged)?;
                sink.set((x, y), level, alpha);
            }
        }
    }
    reader.finish().with_context(damaged)?;
    Ok(sink.finish())
}

/// The samples of a row, those of 8 bits scaled to 16.
fn samples(row: &[u8], depth: BitDepth) -> impl Iterator<Item = u16> {
    let step = if depth == BitDepth::Sixteen { 2 } else { 1 };
    row.chunks_exact(step).map(|bytes| match *bytes {
        [high, low] => u16::from_be_bytes([high, low]),
        _ => u16::from(bytes[0]) * 257,
    })
}

/// Brightness and opacity of the next pixel.
fn pixel(color: ColorType, samples: &mut impl Iterator<Item = u16>) -> Option<(u8, u8)> {
    let to_u8 = |sample: u16| ((u32::from(sample) + 128) / 257) as u8;
    let level = match color {
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => {
            luma([samples.next()?, samples.next()?, samples.next()?])
        }
        ColorType::Grayscale | ColorType::GrayscaleAlpha => samples.next()?,
    };
    let alpha = match color {
        ColorType::GrayscaleAlpha | ColorType::Rgba => samples.next()?,
        _ => u16::MAX,
    };
    Some((to_u8(level), to_u8(alpha)))
}

/// Looks for Exif data, which may stand after the pixels: only the headers of other chunks are read.
fn orientation<R: BufRead + Seek>(file: &mut R) -> Option<Orientation> {
    file.seek(SeekFrom::Start(SIGNATURE.len() as u64)).ok()?;
    loop {
        let mut header = [0; 8];
        file.read_exact(&mut header).ok()?;
        let len = u32::from_be_bytes(header[..4].try_into().ok()?);
        match &header[4..] {
            b"eXIf" if len as usize <= CHUNK_BYTES => {
                let mut exif = vec![0; len as usize];
                file.read_exact(&mut exif).ok()?;
                return Some(Orientation::of_exif(&exif));
            }
            b"IEND" => return None,
            // The content and its checksum.
            _ => file.seek_relative(i64::from(len) + 4).ok()?,
        }
    }
}

/// Encodes gray levels or RGB, `[height][width]`, with 8 bits a channel.
///
/// # Errors
///
/// A side is 0, or the number of bytes does not fit.
pub fn encode(bytes: &[u8], width: u32, height: u32, color: ColorType) -> Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    // Flat colors: half as large as the encoder's default, and still written in a moment.
    encoder.set_compression(Compression::High);
    encoder.set_filter(Filter::Adaptive);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(bytes)?;
        writer.finish()
    });
    written.context("cannot encode a PNG")?;
    Ok(file.into_inner())
}

/// Encodes `pixels`, `[height][width]`, as an 8-bit gray PNG, 0 black to 255 white.
///
/// # Errors
///
/// A side is 0 or past what PNG can say; `pixels` is not `width * height` long.
pub fn encode_gray(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    let sides = (u32::try_from(width).ok(), u32::try_from(height).ok());
    let ((Some(columns), Some(lines)), true) = (sides, width > 0 && height > 0) else {
        bail!("a PNG cannot have {width}x{height} pixels");
    };
    ensure!(
        width.checked_mul(height) == Some(pixels.len()),
        "an image of {width}x{height} was announced, got {} pixels",
        pixels.len()
    );
    encode(pixels, columns, lines, ColorType::Grayscale)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        path::{Path, PathBuf},
    };

    use tempfile::TempDir;

    use super::*;

    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::super::exif::tests::exif;
    use super::super::gray::GrayImage;
    use super::super::read;

    /// As another library encodes it.
    fn encoded(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(pixels, width, height, color).unwrap();
        bytes
    }

    fn put(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.png");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn read_bytes(bytes: &[u8]) -> Result<GrayImage> {
        let (_folder, path) = put(bytes);
        read(&path).map(Image::on_white)
    }

    /// As `picomlp draw` writes a digit.
    fn write(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<()> {
        crate::output::write_file(path, &encode_gray(width, height, pixels)?)
    }

    fn message(bytes: &[u8]) -> String {
        let message = format!("{:#}", read_bytes(bytes).unwrap_err());
        assert!(message.contains("some.png"), "{message}");
        message
    }

    /// A PNG chunk: length, name, content, CRC-32.
    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(content);
        let len = (content.len() as u32).to_be_bytes();
        [&len[..], name, content, &crc.sum().to_be_bytes()].concat()
    }

    /// A PNG made by hand, for the forms that the encoder does not write.
    fn by_hand(
        width: u32,
        height: u32,
        depth: u8,
        color: u8,
        extra: &[u8],
        lines: &[u8],
    ) -> Vec<u8> {
        built((width, height), [depth, color, 0], [extra, &[]], lines)
    }

    /// A PNG of this depth, color type and interlacing, with chunks before and after its pixels.
    fn built(
        (width, height): (u32, u32),
        [depth, color, interlaced]: [u8; 3],
        [before, after]: [&[u8]; 2],
        lines: &[u8],
    ) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([depth, color, 0, 0, interlaced]);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(lines).unwrap();
        let data = chunk(b"IDAT", &zlib.finish().unwrap());
        let (header, end) = (chunk(b"IHDR", &header), chunk(b"IEND", b""));
        [&SIGNATURE[..], &header, before, &data, after, &end].concat()
    }

    #[test]
    fn read_returns_gray_levels_as_they_are() {
        let levels: Vec<u8> = (0..=255).collect();
        let gray = read_bytes(&encoded(&levels, 32, 8, ExtendedColorType::L8)).unwrap();
        assert_eq!(((gray.width(), gray.height()), gray.as_raw()), ((32, 8), &levels[..]));
        let opaque: Vec<u8> = levels.iter().flat_map(|level| [*level, 255]).collect();
        let gray = read_bytes(&encoded(&opaque, 32, 8, ExtendedColorType::La8)).unwrap();
        assert_eq!(gray.as_raw(), &levels);
    }

    #[test]
    fn read_turns_every_color_type_and_depth_into_gray() {
        let rgb16: Vec<u8> = [[0, 0xffff, 0x8080]; 3]
            .as_flattened()
            .iter()
            .flat_map(|level: &u16| level.to_ne_bytes())
            .collect();
        let [green_and_blue] = read_bytes(&encoded(&rgb16[..6], 1, 1, ExtendedColorType::Rgb16))
            .unwrap()
            .into_raw()[..]
        else {
            panic!("one pixel expected");
        };
        // Rec. 709: 0.7152 green, 0.0722 of half blue.
        assert!((186..=193).contains(&green_and_blue), "{green_and_blue}");

        let l16: Vec<u8> =
            [0_u16, 0x8080, 0xffff].iter().flat_map(|level| level.to_ne_bytes()).collect();
        let palette = [chunk(b"PLTE", &[0, 0, 0, 128, 128, 128, 255, 255, 255])].concat();
        let clear = [palette.clone(), chunk(b"tRNS", &[0, 255, 255])].concat();
        let rows: [(&str, Vec<u8>, &[u8]); 7] = [
            ("16-bit gray", encoded(&l16, 3, 1, ExtendedColorType::L16), &[0, 128, 255]),
            ("rgb", encoded(&[9, 9, 9, 255, 255, 255], 2, 1, ExtendedColorType::Rgb8), &[9, 255]),
            ("1-bit gray", by_hand(4, 1, 1, 0, &[], &[0, 0b0110_0000]), &[0, 255, 255, 0]),
            ("4-bit gray", by_hand(2, 1, 4, 0, &[], &[0, 0x0f]), &[0, 255]),
            ("8-bit palette", by_hand(3, 1, 8, 3, &palette, &[0, 2, 1, 0]), &[255, 128, 0]),
            ("2-bit palette", by_hand(3, 1, 2, 3, &palette, &[0, 0b1001_0000]), &[255, 128, 0]),
            ("clear palette entry", by_hand(3, 1, 8, 3, &clear, &[0, 2, 1, 0]), &[255, 128, 255]),
        ];
        for (what, bytes, expected) in rows {
            assert_eq!(read_bytes(&bytes).unwrap().as_raw(), expected, "{what}");
        }
    }

    #[test]
    fn read_lays_transparent_parts_on_white() {
        let rgba = [0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 0];
        let gray = read_bytes(&encoded(&rgba, 4, 1, ExtendedColorType::Rgba8)).unwrap();
        assert_eq!(gray.into_raw(), [0, 255, 127, 255]);
    }

    #[test]
    fn read_says_that_a_file_cannot_be_opened() {
        let error = format!("{:#}", read(Path::new("absent.png")).unwrap_err());
        assert!(error.starts_with("cannot read absent.png: "), "{error}");
    }

    #[test]
    fn an_interlaced_png_is_the_same_image() {
        let level = |x: u32, y: u32| (x * 40 + y * 7 + 3) as u8;
        for size in [(1, 1), (2, 5), (5, 2), (3, 9), (8, 8), (9, 17)] {
            let mut lines = Vec::new();
            for [left, top, across, down] in ADAM7 {
                for y in (top..size.1).step_by(down as usize).filter(|_| left < size.0) {
                    lines.push(0);
                    lines.extend((left..size.0).step_by(across as usize).map(|x| level(x, y)));
                }
            }
            let gray = read_bytes(&built(size, [8, 0, 1], [&[]; 2], &lines)).unwrap();
            assert_eq!(gray, GrayImage::from_fn(size.0, size.1, level), "{size:?}");
        }
    }

    #[test]
    fn an_image_is_turned_upright_by_its_exif_data_before_or_after_the_pixels() {
        // Stored as two columns, a camera turned it: 1 2 / 3 4 / 5 6 read from the lower left.
        let (lines, turned) = ([0, 1, 2, 0, 3, 4, 0, 5, 6], chunk(b"eXIf", &exif(6, false)));
        for around in [[&turned[..], &[]], [&[], &turned[..]]] {
            let gray = read_bytes(&built((2, 3), [8, 0, 0], around, &lines)).unwrap();
            assert_eq!(
                ((gray.width(), gray.height()), gray.as_raw()),
                ((3, 2), &[5, 3, 1, 6, 4, 2][..])
            );
        }
    }

    #[test]
    fn alpha_is_given_where_something_is_transparent() {
        let rgba = [255, 255, 255, 0, 255, 255, 255, 255];
        let (_folder, path) = put(&encoded(&rgba, 2, 1, ExtendedColorType::Rgba8));
        let image = read(&path).unwrap();
        assert_eq!((image.gray.as_raw(), image.alpha), (&[255, 255][..], Some(vec![0, 255])));
        let (_folder, path) = put(&encoded(&rgba[4..], 1, 1, ExtendedColorType::Rgba8));
        assert_eq!(read(&path).unwrap().alpha, None);
    }

    #[test]
    fn profiles_and_texts_of_any_size_are_skipped_and_other_large_chunks_refused() {
        let pixel = [0, 77];
        for name in [b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"prVt"] {
            let extra = chunk(name, &vec![7; 2 * CHUNK_BYTES]);
            let gray = read_bytes(&by_hand(1, 1, 8, 0, &extra, &pixel)).unwrap();
            assert_eq!(gray.as_raw(), [77]);
            // Announced as 4 GiB, of which 1 MB is there.
            let mut cut = by_hand(1, 1, 8, 0, &chunk(name, &vec![7; 1 << 20]), &pixel);
            cut[33..37].copy_from_slice(&[0xff; 4]);
            assert!(message(&cut).contains("the PNG is damaged or cut short: "));
        }
        let exif = chunk(b"eXIf", &vec![7; 2 * CHUNK_BYTES]);
        let message = message(&by_hand(1, 1, 8, 0, &exif, &pixel));
        assert!(message.ends_with("limits are exceeded"), "{message}");
    }

    #[test]
    fn an_image_with_too_many_pixels_is_refused_before_it_is_decoded() {
        // The data is that of one pixel: nothing is unpacked before the size is checked.
        for (width, height, color, expected) in [
            (10_000, 6401, 0, "10000x6401 are 64010000 pixels, expected at most 64000000"),
            (10_000, 3201, 6, "are 32010000 pixels, expected at most 32000000 with these channels"),
            (65_536, 1, 0, "65536x1 pixels, expected sides of at most 65535"),
            (0x7fff_ffff, 0x7fff_ffff, 6, "expected sides of at most 65535"),
        ] {
            let message = message(&by_hand(width, height, 8, color, &[], &[0, 0]));
            assert!(
                message.contains(" is too large: ") && message.ends_with(expected),
                "{message}"
            );
        }
    }

    #[test]
    fn read_says_that_a_png_is_damaged() {
        let levels: Vec<u8> = (0..=255).collect();
        let bytes = encoded(&levels, 16, 16, ExtendedColorType::L8);
        for len in [8, 20, bytes.len() / 2] {
            let message = message(&bytes[..len]);
            assert!(message.contains("the PNG is damaged or cut short: "), "{len}: {message}");
        }
        let mut bytes = bytes;
        bytes[20] ^= 1; // in the header, which has a checksum
        assert!(message(&bytes).contains("the PNG is damaged or cut short: "));
    }

    #[test]
    fn write_gives_what_read_returns_and_replaces_what_was_there() {
        let (folder, path) = put(b"old");
        let pixels: Vec<u8> = (0..6).map(|i| i * 40).collect();
        write(&path, 3, 2, &pixels).unwrap();
        let gray = read(&path).unwrap().on_white();
        assert_eq!(((gray.width(), gray.height()), gray.into_raw()), ((3, 2), pixels));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn write_gives_the_permissions_of_a_file_created_in_the_usual_way() {
        let (folder, usual) = put(b"");
        let path = folder.path().join("ours.png");
        write(&path, 1, 1, &[0]).unwrap();
        let permissions = |path: &Path| fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(&path), permissions(&usual));
    }

    #[test]
    fn write_refuses_pixels_that_do_not_fit_the_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.png");
        for (width, height, expected) in [
            (2, 2, "an image of 2x2 was announced, got 3 pixels"),
            (usize::MAX, 2, "pixels"),
            (0, 3, "a PNG cannot have 0x3 pixels"),
        ] {
            let message = format!("{:#}", write(&path, width, height, &[0; 3]).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn write_says_why_a_file_cannot_be_written_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        let absent = folder.path().join("absent").join("some.png");
        for (path, expected) in [
            (occupied.as_path(), "it is a folder"),
            (absent.as_path(), "there is no folder "),
            (Path::new(""), "it names no file"),
        ] {
            let message = format!("{:#}", write(path, 1, 1, &[0]).unwrap_err());
            let start = format!("cannot write {}: {expected}", path.display());
            assert!(message.starts_with(&start), "{message}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&occupied).unwrap().count(), 0);
    }
}
