//! Figures of a training, a model and its data, as SVG, PNG or HTML.
//!
//! A figure is a list of marks ([`surface`]), which [`svg`] writes as text and [`pixels`] draws as PNG, both measured with the
//! one font that is built in ([`font`]). Each kind of figure is a function from data to a [`Figure`]; [`parts`] chooses among
//! them for whole folders and reports.
#![expect(rustdoc::private_intra_doc_links, reason = "a map for who reads the sources")]

mod axes;
mod color;
mod confusion;
mod curves;
mod eigen;
mod font;
mod format;
mod gallery;
#[cfg(test)]
mod layout;
mod page;
mod parts;
mod pca;
mod pixels;
mod residuals;
mod rotate;
mod subject;
mod surface;
mod svg;
mod weights;

pub use confusion::{classes, confusion};
pub use curves::curves;
pub use format::FileFormat;
pub use gallery::{MISTAKES, SAMPLES, STEP, mistakes, rotation, samples};
pub use page::{Part, pca as pca_page, report};
pub use parts::{FIGURES, Section, Show, parts};
pub use pca::Pca;
pub use residuals::residuals;
pub use subject::Subject;
pub use surface::Figure;
pub use weights::{TILES, weights};
