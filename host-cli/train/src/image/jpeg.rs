//! Reads JPEG files.

use core::fmt;
use std::io::{BufRead, Read, Seek};

use anyhow::{Context, Result, anyhow, bail};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::exif::Orientation;
use super::gray::{Image, Sink, luma};
use super::{check_size, no_memory};

/// The first bytes of every JPEG: start of image, then another marker.
pub(super) const SIGNATURE: [u8; 3] = *b"\xff\xd8\xff";

/// Bytes of a file at most: 64 Mpixel at the best quality.
const FILE_BYTES: u64 = 64 << 20;

/// Decodes a JPEG, baseline or progressive, and turns it upright by its Exif data.
pub(super) fn decode<R: BufRead + Seek>(file: R, name: &impl fmt::Display) -> Result<Image> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > FILE_BYTES {
        bail!("{name} is too large: expected a JPEG of at most {FILE_BYTES} bytes");
    }
    let damaged = || format!("cannot decode {name}: the JPEG is damaged or cut short");
    // The decoder fills up what is missing; a whole file has its end marker (0xff 0xd9), perhaps with padding after it.
    if !bytes.windows(2).any(|marker| marker == [0xff, 0xd9]) {
        bail!("{}: it has no end marker", damaged());
    }
    let side = usize::from(u16::MAX);
    let options = DecoderOptions::default().set_max_width(side).set_max_height(side);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
    decoder.decode_headers().map_err(|error| anyhow!("{error:?}")).with_context(damaged)?;
    let info = decoder.info().with_context(damaged)?;
    let size = (u32::from(info.width), u32::from(info.height));
    check_size(name, size, 1)?;
    let (color, channels) = match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma) => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    check_size(name, size, channels)?;
    decoder.set_options(options.jpeg_set_out_colorspace(color));
    let pixels = decoder.decode().map_err(|error| anyhow!("{error:?}")).with_context(damaged)?;
    let orientation =
        decoder.exif().map_or_else(Orientation::default, |exif| Orientation::of_exif(exif));
    let mut sink = Sink::new(size, orientation, false).with_context(|| no_memory(name))?;
    let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
    for (place, pixel) in places.zip(pixels.chunks_exact(channels as usize)) {
        let level = match *pixel {
            [red, green, blue] => luma([red, green, blue].map(u16::from)) as u8,
            _ => pixel[0],
        };
        sink.set(place, level, u8::MAX);
    }
    Ok(sink.finish())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    use super::super::exif::tests::exif;
    use super::*;

    /// A bright quarter at the upper left of a dark image, as another library encodes it.
    fn encoded(color: ExtendedColorType) -> Vec<u8> {
        let channels = if color == ExtendedColorType::L8 { 1 } else { 3 };
        let level = |at: usize| if at / 48 < 16 && at % 48 < 24 { 230 } else { 20 };
        let pixels: Vec<u8> = (0..48 * 32).flat_map(|at| vec![level(at); channels]).collect();
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).write_image(&pixels, 48, 32, color).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Image> {
        decode(Cursor::new(bytes), &"some.jpg")
    }

    #[test]
    fn gray_and_color_are_read_as_they_were_drawn() {
        for color in [ExtendedColorType::L8, ExtendedColorType::Rgb8] {
            let gray = read(&encoded(color)).unwrap().on_white();
            assert_eq!((gray.width(), gray.height()), (48, 32));
            for (at, level) in gray.as_raw().iter().enumerate() {
                let expected = if at / 48 < 16 && at % 48 < 24 { 230 } else { 20 };
                assert!(level.abs_diff(expected) <= 4, "{at}: {level}, expected {expected}");
            }
        }
    }

    #[test]
    fn a_photograph_is_turned_upright() {
        let exif = [b"Exif\0\0", &exif(6, true)[..]].concat();
        let mut bytes = encoded(ExtendedColorType::L8);
        let segment = [b"\xff\xe1", &(exif.len() as u16 + 2).to_be_bytes()[..], &exif].concat();
        bytes.splice(2..2, segment);
        let gray = read(&bytes).unwrap().on_white();
        // The quarter has moved to the upper right.
        assert_eq!((gray.width(), gray.height()), (32, 48));
        let at = |x: usize, y: usize| gray.as_raw()[y * 32 + x];
        assert!(at(20, 5) > 220 && at(5, 5) < 30 && at(20, 30) < 30);
    }

    #[test]
    fn a_jpeg_that_is_cut_short_or_damaged_is_refused_or_read_but_never_panics() {
        let whole = encoded(ExtendedColorType::Rgb8);
        for len in 3..whole.len() - 1 {
            let error = format!("{:#}", read(&whole[..len]).unwrap_err());
            assert!(error.contains("some.jpg: the JPEG is damaged or cut short"), "{error}");
        }
        for at in 3..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _ = read(&damaged);
        }
    }
}
