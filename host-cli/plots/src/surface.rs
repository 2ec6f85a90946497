//! What figures are drawn on: a list of marks, which [`crate::svg`] writes as text and [`crate::pixels`] as a PNG.
//!
//! Lengths are in units of CSS, of which a screen has 96 to the inch; `x` grows to the right and `y` downwards.

use crate::color::{FAINT, INK, Rgb};
use crate::font;

/// A place: `x` and `y`.
pub(crate) type Point = (f64, f64);

/// The upper left corner of a rectangle, its width and its height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Where a text begins, ends or stands about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Font {
    pub(crate) size: f64,
    pub(crate) anchor: Anchor,
    pub(crate) color: Rgb,
    pub(crate) bold: bool,
    /// Upwards, turned by a quarter to the left.
    pub(crate) upwards: bool,
}

impl Font {
    pub(crate) const fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, anchor, color: INK, bold: false, upwards: false }
    }

    pub(crate) const fn color(self, color: Rgb) -> Self {
        Self { color, ..self }
    }

    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(crate) const fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    /// The length of a line of text.
    pub(crate) fn width(self, text: &str) -> f64 {
        self.size * font::layout(text, self.bold).width
    }

    /// A text, cut if it is longer than `most`.
    pub(crate) fn fit(self, text: &str, most: f64) -> String {
        let mut fitted = text.to_owned();
        let mut count = text.chars().count();
        while count > 1 && self.width(&fitted) > most {
            fitted = shorten(text, count - 1);
            count -= 1;
        }
        fitted
    }

    /// The place that a line of text takes, from its ascenders to its descenders.
    fn area(self, (x, y): Point, text: &str) -> Area {
        let (width, height) = (self.width(text), self.size);
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let above = 0.78 * height;
        if self.upwards {
            Area { x: x - above, y: y - width + before, width: height, height: width }
        } else {
            Area { x: x - before, y: y - above, width, height }
        }
    }
}

/// An image of few pixels, `[rows][columns]`, each shown as a sharp rectangle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tile {
    pub(crate) columns: usize,
    pub(crate) colors: Vec<Rgb>,
}

impl Tile {
    /// Pixels from 0 (paper) to `max` (ink).
    pub(crate) fn digit(pixels: &[u8], columns: usize, max: u8) -> Self {
        let level =
            |pixel: &u8| 255 - (u32::from(*pixel) * 255 / u32::from(max.max(1))).min(255) as u8;
        let colors = pixels.iter().map(level).map(|level| Rgb(level, level, level)).collect();
        Self { columns, colors }
    }

    pub(crate) fn rows(&self) -> usize {
        self.colors.len() / self.columns.max(1)
    }
}

/// One thing on a surface.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// A filled rectangle.
    Rect { area: Area, fill: Rgb },
    /// The outline of a rectangle.
    Frame { area: Area, stroke: Rgb, pen: f64 },
    /// A line through all points; `dash` is the length of pen down and then up, 0 without dashes.
    Line { points: Vec<Point>, stroke: Rgb, pen: f64, dash: f64 },
    /// A filled circle.
    Circle { center: Point, radius: f64, fill: Rgb, opacity: f64 },
    /// One line of text; `at` is where its base line begins, ends or has its middle.
    Text { at: Point, font: Font, text: String },
    /// An image that fills an area.
    Image { area: Area, tile: Tile },
}

/// Left margin of titles.
pub(crate) const MARGIN: f64 = 20.0;

/// Height that a title and a subtitle take.
pub(crate) const TITLE_HEIGHT: f64 = 66.0;

/// Collects marks, later ones over earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    marks: Vec<Mark>,
}

/// A finished figure of a known size.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(crate) title: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) marks: Vec<Mark>,
}

impl Surface {
    /// The first lines of every figure: what it shows, and of what.
    pub(crate) fn title(&mut self, title: &str, subtitle: &str) {
        self.text(MARGIN, 30.0, Font::new(17.0, Anchor::Start).bold(), title);
        self.text(MARGIN, 51.0, Font::new(12.5, Anchor::Start).color(FAINT), subtitle);
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Rgb) {
        self.marks.push(Mark::Rect { area: Area { x, y, width, height }, fill });
    }

    pub(crate) fn frame(&mut self, area: Area, stroke: Rgb, pen: f64) {
        self.marks.push(Mark::Frame { area, stroke, pen });
    }

    pub(crate) fn line(&mut self, from: Point, to: Point, stroke: Rgb, pen: f64) {
        self.polyline(&[from, to], stroke, pen, 0.0);
    }

    pub(crate) fn polyline(&mut self, points: &[Point], stroke: Rgb, pen: f64, dash: f64) {
        self.marks.push(Mark::Line { points: points.to_vec(), stroke, pen, dash });
    }

    pub(crate) fn circle(&mut self, center: Point, radius: f64, fill: Rgb, opacity: f64) {
        self.marks.push(Mark::Circle { center, radius, fill, opacity });
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, font: Font, text: &str) {
        self.marks.push(Mark::Text { at: (x, y), font, text: text.to_owned() });
    }

    pub(crate) fn image(&mut self, area: Area, tile: Tile) {
        self.marks.push(Mark::Image { area, tile });
    }

    /// The figure, wide enough for every text.
    pub(crate) fn finish(self, width: f64, height: f64, title: &str) -> Figure {
        let right = text_areas(&self.marks).map(|(area, _)| area.x + area.width);
        let width = right.fold(width - MARGIN, f64::max) + MARGIN;
        Figure {
            title: title.to_owned(),
            width: width.ceil() as u32,
            height: height.ceil() as u32,
            marks: self.marks,
        }
    }
}

/// The place of each text.
pub(crate) fn text_areas(marks: &[Mark]) -> impl Iterator<Item = (Area, &str)> {
    marks.iter().filter_map(|mark| match mark {
        Mark::Text { at, font, text } => Some((font.area(*at, text), text.as_str())),
        _ => None,
    })
}

/// A text cut to about `most` characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorten_keeps_what_fits() {
        assert_eq!(shorten("seven", 5), "seven");
        assert_eq!(shorten("seventeen", 5), "seve…");
        let font = Font::new(10.0, Anchor::Start);
        assert_eq!(
            (font.fit("seven", 100.0), font.fit("seven", 1.0)),
            ("seven".into(), "…".into())
        );
        let cut = font.fit("WWWWWWWW", 50.0);
        assert!(cut.ends_with("W…") && font.width(&cut) <= 50.0, "{cut}");
    }

    #[test]
    fn a_figure_is_wide_enough_for_its_texts() {
        let mut surface = Surface::default();
        surface.title("Title", &"a long subtitle ".repeat(20));
        let figure = surface.finish(100.0, 50.0, "Title");
        let (area, _) = text_areas(&figure.marks).nth(1).unwrap();
        assert!(area.width > 1000.0 && f64::from(figure.width) >= area.x + area.width);
    }
}
