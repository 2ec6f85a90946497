//! Figures of a training, a model and its data, as SVG, PNG or HTML.
//!
//! A figure is a list of marks ([`surface`]), which [`svg`] writes as text and [`pixels`] draws as PNG, both measured with the
//! one font that is built in ([`font`]). Each kind of figure is a function from data to a [`Figure`]; `files` chooses among
//! them for whole folders and reports.

mod axes;
mod color;
mod confusion;
mod curves;
mod eigen;
mod files;
mod findings;
mod font;
mod gallery;
mod history;
#[cfg(test)]
mod layout;
mod page;
mod pca;
mod pixels;
mod rotate;
mod surface;
mod svg;
mod weights;

use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum;

pub(crate) use confusion::{classes, confusion};
pub(crate) use curves::curves;
pub(crate) use files::{Show, files_of_folder, parts, write_folder};
pub(crate) use findings::{Findings, Subject};
pub(crate) use gallery::{mistakes, rotation, samples};
pub(crate) use history::History;
pub(crate) use page::{Part, pca as pca_page, report};
pub(crate) use pca::Pca;
pub(crate) use surface::Figure;
pub(crate) use weights::weights;

/// Misclassified digits in a gallery, unless said otherwise.
pub(crate) const MISTAKES: usize = 40;
/// Samples of each class, unless said otherwise.
pub(crate) const SAMPLES: usize = 10;
/// Units whose weights are shown, unless said otherwise.
pub(crate) const TILES: usize = 100;
/// Degrees from one picture of a turning digit to the next, unless said otherwise.
pub(crate) const STEP: u32 = 15;

/// What kind of file a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Pixels, two for each unit of length.
    Png,
    /// Lines and text.
    Svg,
    /// A page to be turned with the mouse; `pca` alone.
    Html,
}

/// `png` or `svg`.
pub(crate) fn parse_picture_format(word: &str) -> Result<FileFormat, String> {
    match FileFormat::from_str(word, false) {
        Ok(format) if format != FileFormat::Html => Ok(format),
        _ => Err("expected png or svg".to_owned()),
    }
}

impl FileFormat {
    /// What a file's ending says.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Self::from_str(path.extension()?.to_str()?, true).ok()
    }

    /// The file's ending.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }

    /// Width and height of the file's figure, in pixels or units.
    pub(crate) const fn size(self, figure: &Figure) -> (u32, u32) {
        let scale = match self {
            Self::Png => pixels::SCALE,
            Self::Svg | Self::Html => 1,
        };
        (figure.width.saturating_mul(scale), figure.height.saturating_mul(scale))
    }

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// If the figure has too many pixels, or is to be a page.
    pub(crate) fn encode(self, figure: &Figure) -> Result<Vec<u8>> {
        match self {
            Self::Png => pixels::render(figure),
            Self::Svg => Ok(svg::write(figure).into_bytes()),
            Self::Html => bail!("only pca is written as HTML"),
        }
    }
}
