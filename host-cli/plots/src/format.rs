//! What kind of file a figure is written as.

use std::path::Path;

use anyhow::{Result, bail};
use picomlp_train::named;

use crate::pixels;
use crate::surface::Figure;
use crate::svg;

named! {
    /// What kind of file a figure is written as.
    pub enum FileFormat {
        /// Pixels, two for each unit of length.
        Png = "png",
        /// Lines and text.
        Svg = "svg",
        /// An interactive page; principal components alone.
        Html = "html",
    }
}

impl FileFormat {
    /// Returns the format that a file's extension names.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        path.extension()?.to_str()?.to_ascii_lowercase().parse().ok()
    }

    /// Returns width and height of the file's figure, in pixels or units.
    #[must_use]
    pub const fn size(self, figure: &Figure) -> (u32, u32) {
        let scale = match self {
            Self::Png => pixels::SCALE,
            Self::Svg | Self::Html => 1,
        };
        (figure.width.saturating_mul(scale), figure.height.saturating_mul(scale))
    }

    /// Encodes a figure as a file.
    ///
    /// # Errors
    ///
    /// If the figure has too many pixels, or is to be a page.
    pub fn encode(self, figure: &Figure) -> Result<Vec<u8>> {
        match self {
            Self::Png => pixels::render(figure),
            Self::Svg => Ok(svg::write(figure).into_bytes()),
            Self::Html => bail!("only pca is written as HTML"),
        }
    }
}
