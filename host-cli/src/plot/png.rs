//! A picture as PNG, and pixels as a picture in a picture.
//!
//! Drawn by resvg with the one font that is built in, so that no machine's fonts play a part.

use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::colour::Rgb;
use super::svg::Picture;

/// Pixels of a PNG for each unit of the picture: sharp on screens with 192 pixels to the inch, too.
pub(crate) const SCALE: u32 = 2;

/// The fonts of all pictures: DejaVu Sans, regular and bold.
static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Draws a picture, with [`SCALE`] pixels to a unit.
pub(crate) fn render(picture: &Picture) -> Result<Vec<u8>> {
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(&picture.svg, &options).context("the picture cannot be drawn")?;
    let (width, height) = (picture.width * SCALE, picture.height * SCALE);
    let mut pixels = Pixmap::new(width, height)
        .with_context(|| format!("a picture of {width}x{height} pixels cannot be drawn"))?;
    let scale = SCALE as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    // The paper is opaque: three channels say all.
    let rgb: Vec<u8> =
        pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    encode(&rgb, width, height, ExtendedColorType::Rgb8)
}

/// Pixels from 0 (paper) to `max` (ink), `[rows][cols]`, as the address of a picture.
pub(crate) fn digit(pixels: &[u8], cols: usize, max: u8) -> Result<String> {
    let level = |pixel: &u8| 255 - (u32::from(*pixel) * 255 / u32::from(max.max(1))).min(255) as u8;
    let levels: Vec<u8> = pixels.iter().map(level).collect();
    address(&levels, cols, pixels.len() / cols.max(1), ExtendedColorType::L8)
}

/// Colours, `[rows][cols]`, as the address of a picture.
pub(crate) fn colours(colours: &[Rgb], cols: usize) -> Result<String> {
    let bytes: Vec<u8> = colours.iter().flat_map(|Rgb(r, g, b)| [*r, *g, *b]).collect();
    address(&bytes, cols, colours.len() / cols.max(1), ExtendedColorType::Rgb8)
}

fn address(bytes: &[u8], cols: usize, rows: usize, form: ExtendedColorType) -> Result<String> {
    let (width, height) = (u32::try_from(cols)?, u32::try_from(rows)?);
    let png = encode(bytes, width, height, form)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

fn encode(bytes: &[u8], width: u32, height: u32, form: ExtendedColorType) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    // Flat colours: half as large as the encoder's default, and still written in a moment.
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(bytes, width, height, form)
        .context("cannot encode a PNG")?;
    Ok(png)
}
