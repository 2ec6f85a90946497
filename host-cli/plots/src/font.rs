//! The one font of all figures, DejaVu Sans, which is built in: no machine's fonts play a part.
//!
//! Characters are placed one after the other with the font's kerning; ligatures and the joined forms of Arabic and Indic
//! scripts, which need a shaping engine, are left to the viewers of SVG files.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId};

/// Regular and bold; nothing if the font did not parse, which the tests rule out.
static FACES: LazyLock<[Option<Face<'static>>; 2]> = LazyLock::new(|| {
    [dejavu::sans::regular(), dejavu::sans::bold()].map(|bytes| Face::parse(bytes, 0).ok())
});

pub(crate) fn face(bold: bool) -> Option<&'static Face<'static>> {
    FACES[usize::from(bold)].as_ref()
}

/// The glyphs of a line of text, for a font of size 1.
pub(crate) struct Layout {
    /// Each with its distance from the line's beginning.
    pub(crate) glyphs: Vec<(GlyphId, f64)>,
    pub(crate) width: f64,
}

/// Places the glyphs of a line of text.
pub(crate) fn layout(text: &str, bold: bool) -> Layout {
    let mut layout = Layout { glyphs: Vec::new(), width: 0.0 };
    let Some(face) = face(bold) else { return layout };
    let unit = 1.0 / f64::from(face.units_per_em());
    for c in text.chars() {
        let glyph = face.glyph_index(c);
        // A viewer draws what this font lacks in another one, in which it is seldom wider than high.
        let advance =
            glyph.map_or(1.0, |glyph| unit * f64::from(face.glyph_hor_advance(glyph).unwrap_or(0)));
        let glyph = glyph.unwrap_or_default();
        if let Some((before, _)) = layout.glyphs.last() {
            layout.width += unit * f64::from(kerning(face, *before, glyph));
        }
        layout.glyphs.push((glyph, layout.width));
        layout.width += advance;
    }
    layout
}

/// What is added between two glyphs.
fn kerning(face: &Face<'_>, left: GlyphId, right: GlyphId) -> i16 {
    let tables = face.tables().kern.into_iter().flat_map(|kern| kern.subtables);
    let mut pairs = tables.filter(|table| table.horizontal && !table.variable);
    pairs.find_map(|table| table.glyphs_kerning(left, right)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_faces_have_the_characters_of_figures() {
        for bold in [false, true] {
            let face = face(bold).unwrap();
            for c in "0 Az % → × ° − … ≤ ≥ äß".chars() {
                assert!(face.glyph_index(c).is_some(), "{c}");
            }
        }
    }

    #[test]
    fn texts_are_as_wide_as_their_characters() {
        let width = |text: &str| layout(text, false).width;
        assert!((width("0000") - 4.0 * width("0")).abs() < 1e-12 && width("") == 0.0);
        assert!(width("AV") < width("A") + width("V"), "no kerning");
        assert!(layout("bold", true).width > width("bold"));
        assert!((width("語") - 1.0).abs() < 1e-12);
    }
}
