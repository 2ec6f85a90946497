//! Reads any PNG as grey levels, and writes grey levels as a PNG.

use std::{
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageDecoder, ImageEncoder, LumaA,
    codecs::png::{PngDecoder, PngEncoder},
};

use crate::file_kind;
use crate::open::open;
use crate::output::write_file;

/// Pixels that are decoded at most: 64 Mpixel, the resolution of a large phone camera.
///
/// With 16 bits a channel such a picture takes 512 MB to decode, while its file may be a few
/// kilobytes.
pub const MAX_PIXELS: u64 = 64_000_000;

/// The first eight bytes of every PNG (PNG specification, third edition, section 5.2).
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Reads the PNG at `path` as grey levels, 0 black to 255 white.
///
/// Any size up to [`MAX_PIXELS`], any colour type and bit depth; what is transparent is seen on
/// white paper. The first picture of an animation is read.
///
/// # Errors
///
/// Each names the file: it cannot be opened or read; it is not a PNG by its content, whatever its
/// name; it has more than [`MAX_PIXELS`]; it is damaged or cut short.
pub fn read(path: &Path) -> Result<GrayImage> {
    let name = path.display();
    let mut file = BufReader::new(open(path)?);
    let start = file.fill_buf().with_context(|| format!("cannot read {name}"))?;
    if !start.starts_with(&SIGNATURE) {
        bail!("{name} is not a PNG file: {}", describe(start));
    }

    let damaged = || format!("cannot decode {name}: the PNG is damaged or cut short");
    let decoder = PngDecoder::new(file).with_context(damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    ensure!(
        pixels <= MAX_PIXELS,
        "{name} is too large: {width}x{height} are {pixels} pixels, expected at most {MAX_PIXELS}"
    );
    let picture = DynamicImage::from_decoder(decoder).with_context(damaged)?;
    Ok(if picture.color().has_alpha() { on_white(picture) } else { picture.into_luma8() })
}

/// Says what a file that is not a PNG looks like.
fn describe(start: &[u8]) -> String {
    if start.is_empty() {
        return "it is empty".into();
    }
    match file_kind::detect(start) {
        Some(kind) => format!("it is {}", kind.instead_of("a PNG image")),
        None => "its first bytes are not a PNG's".into(),
    }
}

/// Lays a picture with transparent parts on white paper.
fn on_white(picture: DynamicImage) -> GrayImage {
    let picture = picture.into_luma_alpha16();
    const FULL: u64 = u16::MAX as u64;
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let LumaA([luma, alpha]) = *picture.get_pixel(x, y);
        let (luma, alpha) = (u64::from(luma), u64::from(alpha));
        let level = luma * alpha + FULL * (FULL - alpha);
        // Both factors run to 65535, the result to 255.
        let whole = FULL * 257;
        image::Luma([((level + whole / 2) / whole) as u8])
    })
}

/// Writes `pixels`, `[height][width]`, as an 8-bit grey PNG at `path`, 0 black to 255 white.
///
/// The file is written under another name in the same folder, synced, and renamed: whatever
/// happens, `path` holds either what it held before or the whole picture, and nothing is left
/// beside it.
///
/// # Errors
///
/// A side is 0 or past what PNG can say; `pixels` is not `width * height` long; the file cannot be
/// written, with its name.
pub fn write(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<()> {
    let name = path.display();
    let sides = (u32::try_from(width).ok(), u32::try_from(height).ok());
    let ((Some(columns), Some(lines)), true) = (sides, width > 0 && height > 0) else {
        bail!("cannot write {name}: a PNG cannot have {width}x{height} pixels");
    };
    ensure!(
        width.checked_mul(height) == Some(pixels.len()),
        "cannot write {name}: a picture of {width}x{height} was announced, got {} pixels",
        pixels.len()
    );
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, columns, lines, ExtendedColorType::L8)
        .with_context(|| format!("cannot write {name}"))?;
    write_file(path, &bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf};

    use tempfile::TempDir;

    use super::*;

    fn encode(pixels: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(pixels, width, height, colour).unwrap();
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
        read(&path)
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
        colour: u8,
        extra: &[u8],
        lines: &[u8],
    ) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([depth, colour, 0, 0, 0]);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(lines).unwrap();
        let data = chunk(b"IDAT", &zlib.finish().unwrap());
        [&SIGNATURE, &chunk(b"IHDR", &header)[..], extra, &data, &chunk(b"IEND", b"")].concat()
    }

    #[test]
    fn read_returns_grey_levels_as_they_are() {
        let levels: Vec<u8> = (0..=255).collect();
        let grey = read_bytes(&encode(&levels, 32, 8, ExtendedColorType::L8)).unwrap();
        assert_eq!((grey.dimensions(), grey.as_raw()), ((32, 8), &levels));
        let opaque: Vec<u8> = levels.iter().flat_map(|level| [*level, 255]).collect();
        let grey = read_bytes(&encode(&opaque, 32, 8, ExtendedColorType::La8)).unwrap();
        assert_eq!(grey.as_raw(), &levels);
    }

    #[test]
    fn read_turns_every_colour_type_and_depth_into_grey() {
        let rgb16: Vec<u8> = [[0, 0xffff, 0x8080]; 3]
            .as_flattened()
            .iter()
            .flat_map(|level: &u16| level.to_ne_bytes())
            .collect();
        let [green_and_blue] = read_bytes(&encode(&rgb16[..6], 1, 1, ExtendedColorType::Rgb16))
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
            ("16-bit grey", encode(&l16, 3, 1, ExtendedColorType::L16), &[0, 128, 255]),
            ("rgb", encode(&[9, 9, 9, 255, 255, 255], 2, 1, ExtendedColorType::Rgb8), &[9, 255]),
            ("1-bit grey", by_hand(4, 1, 1, 0, &[], &[0, 0b0110_0000]), &[0, 255, 255, 0]),
            ("4-bit grey", by_hand(2, 1, 4, 0, &[], &[0, 0x0f]), &[0, 255]),
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
        let grey = read_bytes(&encode(&rgba, 4, 1, ExtendedColorType::Rgba8)).unwrap();
        assert_eq!(grey.into_raw(), [0, 255, 127, 255]);
    }

    #[test]
    fn read_says_that_a_file_cannot_be_opened() {
        let error = format!("{:#}", read(Path::new("absent.png")).unwrap_err());
        assert!(error.starts_with("cannot read absent.png: "), "{error}");
    }

    #[test]
    fn read_says_that_a_file_is_not_a_png() {
        let rows: [(&[u8], &str); 3] = [
            (b"", "it is empty"),
            (b"\xff\xd8\xff\xe0 and so on", "it is a JPEG image, expected a PNG image: only PNG"),
            (b"hello", "its first bytes are not a PNG's"),
        ];
        for (bytes, expected) in rows {
            let message = message(bytes);
            assert!(message.contains("is not a PNG file: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn read_refuses_a_picture_with_too_many_pixels_before_decoding_it() {
        // The data is that of one pixel: nothing is unpacked before the size is checked.
        let message = message(&by_hand(100_000, 641, 8, 0, &[], &[0, 0]));
        let expected = "100000x641 are 64100000 pixels, expected at most 64000000";
        assert!(message.contains("is too large: ") && message.ends_with(expected), "{message}");
    }

    #[test]
    fn read_says_that_a_png_is_damaged() {
        let levels: Vec<u8> = (0..=255).collect();
        let bytes = encode(&levels, 16, 16, ExtendedColorType::L8);
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
        let picture = read(&path).unwrap();
        assert_eq!((picture.dimensions(), picture.into_raw()), ((3, 2), pixels));
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
            (2, 2, "a picture of 2x2 was announced, got 3 pixels"),
            (usize::MAX, 2, "pixels"),
            (0, 3, "a PNG cannot have 0x3 pixels"),
        ] {
            let message = format!("{:#}", write(&path, width, height, &[0; 3]).unwrap_err());
            assert!(message.contains("cannot write ") && message.contains("some.png: "));
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
