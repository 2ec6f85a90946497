//! Images: from a PNG or JPEG to the form that MNIST has, and from pixels to a PNG or to text.

pub mod normalize;
pub mod png;
pub mod terminal;

mod exif;
mod gray;
mod jpeg;
mod resample;

use core::fmt;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

pub use gray::{GrayImage, Image};
pub use normalize::normalize;
pub use terminal::show;

use crate::file_kind;
use crate::open::open;

/// Bytes of decoded pixels at most, and so the pixels of an opaque image: 64 Mpixel, the resolution of a large phone camera.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Pixels of a side at most: JPEG's limit.
const MAX_SIDE: u32 = 65_535;

/// Tells whether a file's name is that of an image that can be read.
#[must_use]
pub fn is_image(path: &Path) -> bool {
    let endings = ["png", "jpg", "jpeg"];
    path.extension().is_some_and(|extension| {
        endings.into_iter().any(|ending| extension.eq_ignore_ascii_case(ending))
    })
}

/// Reads the image at `path` and brings its digit into MNIST's form, `[rows][cols]`; returns what speaks against one digit, too,
/// if something does.
///
/// # Errors
///
/// Those of [`read`] and of [`normalize()`], each naming the file.
pub fn read_normalized(
    path: &Path,
    rows: usize,
    cols: usize,
) -> Result<(Vec<u8>, Option<&'static str>)> {
    let image = read(path)?.on_paper();
    normalize(&image, rows, cols).with_context(|| path.display().to_string())
}

/// Reads the image at `path`: a PNG or JPEG by its content, whatever its name, upright by its Exif data.
///
/// # Errors
///
/// Each names the file: it cannot be opened or read, or is no regular file; it has another format; its sides or its decoded pixels exceed the
/// limits; it is damaged or cut short.
pub fn read(path: &Path) -> Result<Image> {
    let name = path.display();
    let mut file = open(path)?;
    if file.stream_position().is_ok() {
        return decode(BufReader::new(file), &name);
    }
    // A stream that the shell has opened.
    let mut bytes = Vec::new();
    file.take(MAX_PIXELS).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    decode(Cursor::new(bytes), &name)
}

fn decode(mut file: impl BufRead + Seek, name: &impl fmt::Display) -> Result<Image> {
    let start = file.fill_buf().with_context(|| format!("cannot read {name}"))?;
    if start.starts_with(&png::SIGNATURE) {
        png::decode(file, name)
    } else if start.starts_with(&jpeg::SIGNATURE) {
        jpeg::decode(file, name)
    } else {
        bail!("{name} is not a PNG or JPEG file: {}", describe(start))
    }
}

/// Refuses an image that takes more memory than [`MAX_PIXELS`], at `planes` bytes a pixel.
fn check_size(name: &impl fmt::Display, (width, height): (u32, u32), planes: u64) -> Result<()> {
    ensure!(
        width <= MAX_SIDE && height <= MAX_SIDE,
        "{name} is too large: {width}x{height} pixels, expected sides of at most {MAX_SIDE}"
    );
    let (pixels, most) = (u64::from(width) * u64::from(height), MAX_PIXELS / planes);
    ensure!(
        pixels <= most,
        "{name} is too large: {width}x{height} are {pixels} pixels, expected at most {most}{}",
        if planes > 1 { " with these channels" } else { "" }
    );
    Ok(())
}

fn no_memory(name: &impl fmt::Display) -> String {
    format!("no memory for the pixels of {name}")
}

/// Says what a file that cannot be read looks like.
fn describe(start: &[u8]) -> String {
    if start.is_empty() {
        return "it is empty".into();
    }
    match file_kind::detect(start) {
        Some(kind) => format!("it is {}", kind.instead_of("a PNG or JPEG image")),
        None => "its first bytes are not an image's".into(),
    }
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    #[test]
    fn read_normalized_returns_the_pixels_that_png_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("square.png");
        let mut pixels = [0; 784];
        for row in 4..24 {
            pixels[row * 28 + 4..][..20].fill(255);
        }
        std::fs::write(&path, png::encode_gray(28, 28, &pixels).unwrap()).unwrap();
        assert_eq!(read_normalized(&path, 28, 28).unwrap().0, pixels);
    }

    #[test]
    fn read_normalized_names_the_file_that_is_blank() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blank.png");
        std::fs::write(&path, png::encode_gray(3, 3, &[255; 9]).unwrap()).unwrap();
        let message = format!("{:#}", read_normalized(&path, 28, 28).unwrap_err());
        assert!(message.contains("blank.png: no ink found"), "{message}");
    }

    /// Writes a bar on a page of 60x60, given its pixels as paper and ink of any color type.
    fn bar(color: ExtendedColorType, paper: &[u8], ink: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bar.png");
        let inside = |i: u32| (20..28).contains(&(i % 60)) && (10..50).contains(&(i / 60));
        let pixels: Vec<u8> =
            (0..3600).flat_map(|i| if inside(i) { ink } else { paper }).copied().collect();
        let file = std::fs::File::create(&path).unwrap();
        PngEncoder::new(file).write_image(&pixels, 60, 60, color).unwrap();
        read_normalized(&path, 28, 28).unwrap().0
    }

    #[test]
    fn read_normalized_sees_the_same_digit_in_every_color_type() {
        let expected = bar(ExtendedColorType::L8, &[255], &[0]);
        assert_eq!(expected.iter().filter(|pixel| **pixel == 255).count(), 4 * 20);
        for (what, pixels) in [
            ("light on dark", bar(ExtendedColorType::L8, &[0], &[255])),
            ("16-bit", bar(ExtendedColorType::L16, &[255, 255], &[9, 9])),
            ("black on transparent", bar(ExtendedColorType::La8, &[0, 0], &[0, 255])),
            ("blue on yellow", bar(ExtendedColorType::Rgb8, &[250, 240, 90], &[10, 20, 200])),
            ("half transparent", bar(ExtendedColorType::Rgba8, &[9, 9, 9, 0], &[0, 0, 0, 128])),
        ] {
            assert_eq!(pixels, expected, "{what}");
        }
    }

    #[test]
    fn read_says_what_a_file_is_that_it_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.png");
        let rows: [(&[u8], &str); 5] = [
            (b"", "it is empty"),
            (b"GIF89a\x01\0", "it is a GIF image, expected a PNG or JPEG image: "),
            (b"II*\0", "it is a TIFF image, expected a PNG or JPEG image: "),
            (b"hello", "its first bytes are not an image's"),
            (b"\x89PN", "its first bytes are not an image's"),
        ];
        for (bytes, expected) in rows {
            std::fs::write(&path, bytes).unwrap();
            let message = format!("{:#}", read(&path).unwrap_err());
            assert!(message.contains("some.png is not a PNG or JPEG file: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}
