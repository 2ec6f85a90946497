//! A figure as SVG.
//!
//! Plain markup of few kinds (rectangles, lines, circles, text, pixels), which browsers and office programs draw alike.

use core::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::ColorType;

use crate::color::{PAPER, Rgb};
use crate::surface::{Anchor, Area, Figure, Font, Mark, Tile};
use picomlp_train::image::png::encode;

/// The font that PNG files are drawn with, and what a viewer without it takes: fonts of about the same widths.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// The whole SVG file, on opaque paper, so that it can be read on a dark page, too.
pub(crate) fn write(figure: &Figure) -> String {
    let Figure { title, width, height, marks } = figure;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\" role=\"img\" font-family=\"{FAMILY}\">\n<title>{}</title>\n<rect width=\"{width}\" \
         height=\"{height}\" fill=\"{PAPER}\"/>\n",
        escape(title)
    );
    for mark in marks {
        // Writing to a string cannot fail.
        let _ = element(&mut svg, mark);
        svg.push('\n');
    }
    svg + "</svg>\n"
}

fn element(svg: &mut String, mark: &Mark) -> fmt::Result {
    match mark {
        Mark::Rect { area, fill } => {
            write!(svg, r#"<rect {} fill="{fill}"/>"#, place(area))
        }
        Mark::Frame { area, stroke, pen } => write!(
            svg,
            r#"<rect {} fill="none" stroke="{stroke}" stroke-width="{}"/>"#,
            place(area),
            n(*pen)
        ),
        Mark::Line { points, stroke, pen, dash } => {
            let points: Vec<String> =
                points.iter().map(|(x, y)| format!("{},{}", n(*x), n(*y))).collect();
            write!(
                svg,
                r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="{}" stroke-linejoin="round""#,
                points.join(" "),
                n(*pen)
            )?;
            if *dash > 0.0 {
                write!(svg, r#" stroke-dasharray="{0} {0}""#, n(*dash))?;
            }
            svg.write_str("/>")
        }
        Mark::Circle { center: (x, y), radius, fill, opacity } => {
            let (x, y, radius) = (n(*x), n(*y), n(*radius));
            write!(svg, r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}""#)?;
            if *opacity < 1.0 {
                write!(svg, r#" fill-opacity="{}""#, n(*opacity))?;
            }
            svg.write_str("/>")
        }
        Mark::Text { at: (x, y), font, text } => self::text(svg, (n(*x), n(*y)), font, text),
        Mark::Image { area, tile } => write!(
            svg,
            r#"<image {} preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,{}"/>"#,
            place(area),
            STANDARD.encode(png(tile))
        ),
    }
}

fn text(svg: &mut String, (x, y): (String, String), font: &Font, text: &str) -> fmt::Result {
    write!(svg, r#"<text x="{x}" y="{y}" font-size="{}" fill="{}""#, n(font.size), font.color)?;
    svg.write_str(match font.anchor {
        Anchor::Start => "",
        Anchor::Middle => r#" text-anchor="middle""#,
        Anchor::End => r#" text-anchor="end""#,
    })?;
    if font.bold {
        svg.write_str(r#" font-weight="bold""#)?;
    }
    if font.upwards {
        write!(svg, r#" transform="rotate(-90 {x} {y})""#)?;
    }
    write!(svg, ">{}</text>", escape(text))
}

/// The attributes of a rectangle.
fn place(Area { x, y, width, height }: &Area) -> String {
    let [x, y, width, height] = [x, y, width, height].map(|length| n(*length));
    format!(r#"x="{x}" y="{y}" width="{width}" height="{height}""#)
}

/// A tile as a PNG file, with one channel if that is enough.
fn png(tile: &Tile) -> Vec<u8> {
    let (columns, rows) = (tile.columns as u32, tile.rows() as u32);
    let is_gray = tile.colors.iter().all(|Rgb(r, g, b)| r == g && g == b);
    let (bytes, color) = if is_gray {
        (tile.colors.iter().map(|Rgb(level, ..)| *level).collect(), ColorType::Grayscale)
    } else {
        let channels = tile.colors.iter().flat_map(|Rgb(r, g, b)| [*r, *g, *b]);
        (channels.collect::<Vec<u8>>(), ColorType::Rgb)
    };
    // Nothing but an image without pixels is refused, and then there is nothing to see.
    encode(&bytes, columns, rows, color).unwrap_or_default()
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
}
