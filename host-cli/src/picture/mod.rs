//! Pictures: from any PNG to the form that MNIST has, and from pixels to a PNG or to text.

pub mod normalise;
pub mod png;
pub mod terminal;

use std::path::Path;

use anyhow::{Context, Result};

pub use image::GrayImage;
pub use normalise::normalise;
pub use png::{read as read_png, write as write_png};
pub use terminal::show;

/// Tells whether a file's name is that of a PNG.
#[must_use]
pub fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}

/// Reads the PNG at `path` and brings its digit into MNIST's form, `[rows][cols]`.
///
/// # Errors
///
/// Those of [`png::read`] and of [`normalise()`], each naming the file.
pub fn read_normalised(path: &Path, rows: usize, cols: usize) -> Result<Vec<u8>> {
    let picture = png::read(path)?;
    normalise(&picture, rows, cols).with_context(|| format!("{}", path.display()))
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    #[test]
    fn read_normalised_returns_the_pixels_that_png_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("square.png");
        let mut pixels = [0; 784];
        for row in 4..24 {
            pixels[row * 28 + 4..][..20].fill(255);
        }
        png::write(&path, 28, 28, &pixels).unwrap();
        assert_eq!(read_normalised(&path, 28, 28).unwrap(), pixels);
    }

    #[test]
    fn read_normalised_names_the_file_that_is_blank() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blank.png");
        png::write(&path, 3, 3, &[255; 9]).unwrap();
        let message = format!("{:#}", read_normalised(&path, 28, 28).unwrap_err());
        assert!(message.contains("blank.png: no ink found"), "{message}");
    }

    /// Writes a bar on a page of 60x60, given its pixels as paper and ink of any colour type.
    fn bar(colour: ExtendedColorType, paper: &[u8], ink: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bar.png");
        let inside = |i: u32| (20..28).contains(&(i % 60)) && (10..50).contains(&(i / 60));
        let pixels: Vec<u8> =
            (0..3600).flat_map(|i| if inside(i) { ink } else { paper }).copied().collect();
        let file = std::fs::File::create(&path).unwrap();
        PngEncoder::new(file).write_image(&pixels, 60, 60, colour).unwrap();
        read_normalised(&path, 28, 28).unwrap()
    }

    #[test]
    fn read_normalised_sees_the_same_digit_in_every_colour_type() {
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
}
