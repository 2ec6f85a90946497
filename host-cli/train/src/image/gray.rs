//! An image in gray levels.

use super::exif::Orientation;
use crate::shape::Shape;

/// Gray levels, row by row: 0 is black, 255 white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayImage {
    width: u32,
    height: u32,
    levels: Vec<u8>,
}

impl GrayImage {
    /// Wraps `levels`, `[height][width]`; nothing if their number is another.
    #[must_use]
    pub fn from_raw(width: u32, height: u32, levels: Vec<u8>) -> Option<Self> {
        let fits = (width as usize).checked_mul(height as usize) == Some(levels.len());
        fits.then_some(Self { width, height, levels })
    }

    /// Computes the level of each pixel from its column and row.
    #[must_use]
    pub fn from_fn(width: u32, height: u32, mut level: impl FnMut(u32, u32) -> u8) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let levels = places.map(|(x, y)| level(x, y)).collect();
        Self { width, height, levels }
    }

    /// Columns.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Rows and columns.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        Shape { rows: self.height as usize, cols: self.width as usize }
    }

    /// The levels, `[height][width]`.
    #[must_use]
    pub fn as_raw(&self) -> &[u8] {
        &self.levels
    }

    /// The levels, `[height][width]`.
    #[must_use]
    pub fn into_raw(self) -> Vec<u8> {
        self.levels
    }
}

/// An image file's contents, upright: its brightness, and what of it is opaque.
#[derive(Clone, Debug)]
pub struct Image {
    /// Brightness, regardless of [`alpha`](Self::alpha).
    pub gray: GrayImage,
    /// Opacity of each pixel, 0 transparent to 255 opaque; nothing if all are opaque.
    pub alpha: Option<Vec<u8>>,
}

impl Image {
    /// The image on white paper.
    #[must_use]
    pub fn on_white(self) -> GrayImage {
        self.on(255)
    }

    /// The image on paper that its ink stands out from: black where all that is opaque is light, as in a canvas' export of
    /// white strokes; else white.
    #[must_use]
    pub fn on_paper(self) -> GrayImage {
        let opaque = self.gray.levels.iter().zip(self.alpha.iter().flatten());
        let darkest = opaque.filter(|(_, alpha)| **alpha >= 128).map(|(level, _)| *level).min();
        self.on(if darkest.is_some_and(|level| level >= 192) { 0 } else { 255 })
    }

    fn on(self, paper: u32) -> GrayImage {
        let Self { mut gray, alpha } = self;
        for (level, alpha) in gray.levels.iter_mut().zip(alpha.iter().flatten()) {
            let alpha = u32::from(*alpha);
            *level = ((u32::from(*level) * alpha + paper * (255 - alpha) + 127) / 255) as u8;
        }
        gray
    }
}

/// Takes decoded pixels in any order and puts each where it belongs in the upright image.
pub(super) struct Sink {
    stored: (u32, u32),
    orientation: Orientation,
    width: u32,
    levels: Vec<u8>,
    alpha: Vec<u8>,
}

impl Sink {
    /// For a file that stores `width` x `height` pixels; nothing if there is no memory for them.
    pub(super) fn new(
        (width, height): (u32, u32),
        orientation: Orientation,
        has_alpha: bool,
    ) -> Option<Self> {
        let len = (width as usize).checked_mul(height as usize)?;
        let plane = |len| {
            let mut plane = Vec::new();
            plane.try_reserve_exact(len).ok()?;
            plane.resize(len, 0);
            Some(plane)
        };
        let alpha = plane(if has_alpha { len } else { 0 })?;
        let upright = if orientation.swaps_sides() { height } else { width };
        Some(Self {
            stored: (width, height),
            orientation,
            width: upright,
            levels: plane(len)?,
            alpha,
        })
    }

    /// Sets the pixel that the file stores at a place.
    pub(super) fn set(&mut self, place: (u32, u32), level: u8, alpha: u8) {
        let (x, y) = self.orientation.upright(place, self.stored);
        let at = y as usize * self.width as usize + x as usize;
        self.levels[at] = level;
        if let Some(to) = self.alpha.get_mut(at) {
            *to = alpha;
        }
    }

    pub(super) fn finish(self) -> Image {
        let (width, height) = self.stored;
        let height = if self.orientation.swaps_sides() { width } else { height };
        let gray = GrayImage { width: self.width, height, levels: self.levels };
        let alpha = Some(self.alpha).filter(|alpha| alpha.iter().any(|alpha| *alpha < 255));
        Image { gray, alpha }
    }
}

/// Brightness by Rec. 709, of levels up to 255 or 65535.
pub(super) fn luma([red, green, blue]: [u16; 3]) -> u16 {
    let sum = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    ((sum + 5000) / 10_000) as u16
}
