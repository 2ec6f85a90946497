//! A picture as SVG: what all kinds of pictures are put together from.
//!
//! Plain markup of few kinds (rectangles, lines, circles, text, pixels), which browsers, office programs and [`super::png`]
//! draw alike. Lengths are in units of CSS, of which a screen has 96 to the inch.

use core::fmt::{Display, Write};

use super::colour::{FAINT, INK, PAPER, Rgb};

/// A picture of a known size.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// The whole SVG file.
    pub(crate) svg: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
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
    pub(crate) colour: Rgb,
    pub(crate) bold: bool,
    /// Upwards, turned by a quarter to the left.
    pub(crate) upwards: bool,
}

impl Font {
    pub(crate) const fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, anchor, colour: INK, bold: false, upwards: false }
    }

    pub(crate) const fn colour(self, colour: Rgb) -> Self {
        Self { colour, ..self }
    }

    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// The font that PNG files are drawn with, and what a viewer without it takes: fonts of about the same widths.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Left margin of titles.
const MARGIN: f64 = 20.0;

/// Height that a title and a subtitle take.
pub(crate) const TITLE_HEIGHT: f64 = 66.0;

/// Collects the elements of a picture, later ones over earlier ones.
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    pub(crate) const fn new() -> Self {
        Self { body: String::new() }
    }

    /// The first lines of every picture: what it shows, and of what.
    pub(crate) fn title(&mut self, title: &str, subtitle: &str) {
        self.text(MARGIN, 30.0, Font::new(17.0, Anchor::Start).bold(), title);
        self.text(MARGIN, 51.0, Font::new(12.5, Anchor::Start).colour(FAINT), subtitle);
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Rgb) {
        self.element(format_args!(
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{fill}"/>"#,
            n(x),
            n(y),
            n(width),
            n(height)
        ));
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, stroke: Rgb, pen: f64) {
        self.element(format_args!(
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="none" stroke="{stroke}" stroke-width="{}"/>"#,
            n(x),
            n(y),
            n(width),
            n(height),
            n(pen)
        ));
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Rgb, pen: f64) {
        self.polyline(&[from, to], stroke, pen, "");
    }

    /// A line through all points; `dashes` are lengths of pen down and pen up, or nothing.
    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], stroke: Rgb, pen: f64, dashes: &str) {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{},{}", n(*x), n(*y))).collect();
        let dashes = match dashes {
            "" => String::new(),
            _ => format!(r#" stroke-dasharray="{dashes}""#),
        };
        self.element(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="{}" stroke-linejoin="round"{dashes}/>"#,
            points.join(" "),
            n(pen)
        ));
    }

    pub(crate) fn circle(&mut self, (x, y): (f64, f64), radius: f64, fill: Rgb, opacity: f64) {
        let opacity = match opacity {
            1.0 => String::new(),
            _ => format!(r#" fill-opacity="{}""#, n(opacity)),
        };
        self.element(format_args!(
            r#"<circle cx="{}" cy="{}" r="{}" fill="{fill}"{opacity}/>"#,
            n(x),
            n(y),
            n(radius)
        ));
    }

    /// One line of text; `y` is its base line.
    pub(crate) fn text(&mut self, x: f64, y: f64, font: Font, text: &str) {
        let (x, y) = (n(x), n(y));
        let anchor = match font.anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let weight = if font.bold { r#" font-weight="bold""# } else { "" };
        let turn = match font.upwards {
            true => format!(r#" transform="rotate(-90 {x} {y})""#),
            false => String::new(),
        };
        self.element(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{}" fill="{}"{anchor}{weight}{turn}>{}</text>"#,
            n(font.size),
            font.colour,
            escape(text)
        ));
    }

    /// A PNG file of `address` (a `data:` one), its pixels as sharp squares.
    pub(crate) fn image(&mut self, x: f64, y: f64, width: f64, height: f64, address: &str) {
        self.element(format_args!(
            r#"<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" style="image-rendering:pixelated" href="{address}"/>"#,
            n(x),
            n(y),
            n(width),
            n(height)
        ));
    }

    fn element(&mut self, element: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    /// The whole picture, on opaque paper, so that it can be read on a dark page, too.
    pub(crate) fn finish(self, width: f64, height: f64, title: &str) -> Picture {
        let (width, height) = (width.ceil() as u32, height.ceil() as u32);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\" role=\"img\" font-family=\"{FAMILY}\">\n<title>{}</title>\n<rect width=\"{width}\" \
             height=\"{height}\" fill=\"{PAPER}\"/>\n{}</svg>\n",
            escape(title),
            self.body
        );
        Picture { svg, width, height }
    }
}

/// A length, to a hundredth.
fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as it may stand in SVG and HTML, in attributes, too. Characters that XML does not have become `\u{fffd}`.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text cut to about `most` characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// About the width of a text, from the mean width of the font's letters and digits, rounded up.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    0.66 * size * text.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_leaves_nothing_that_markup_could_be_made_of() {
        assert_eq!(escape(r#"<b a="1">'&"#), "&lt;b a=&quot;1&quot;&gt;&#39;&amp;");
        assert_eq!(escape("a\u{1}b\nc"), "a\u{fffd}b c");
        assert_eq!(escape("zwölf"), "zwölf");
    }

    #[test]
    fn lengths_are_written_short() {
        assert_eq!([1.0, 1.5, 0.126, -0.001, 100.0].map(n), ["1", "1.5", "0.13", "0", "100"]);
    }

    #[test]
    fn shorten_keeps_what_fits() {
        assert_eq!(shorten("seven", 5), "seven");
        assert_eq!(shorten("seventeen", 5), "seve…");
    }
}
