//! Colors that people with any kind of color vision can tell apart.

use core::fmt;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

pub(crate) const PAPER: Rgb = Rgb(255, 255, 255);
pub(crate) const INK: Rgb = Rgb(26, 26, 26);
/// Of words that explain.
pub(crate) const FAINT: Rgb = Rgb(90, 90, 90);
/// Of lines to read values by.
pub(crate) const GRID: Rgb = Rgb(224, 224, 224);

/// Right, or the first of two series.
pub(crate) const BLUE: Rgb = Rgb(0, 114, 178);
/// Wrong, or the second of two series.
pub(crate) const VERMILION: Rgb = Rgb(213, 94, 0);

/// Ten for classes. The first eight are Okabe and Ito's "Color universal design" (2008), yellow darkened so that it shows on
/// white; then two of Tol's "muted" scheme (technical note SRON/EPS/TN/09-002, 2021).
const CLASSES: [u32; 10] = [
    0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0x56b4e9, 0xe69f00, 0x1a1a1a, 0xd6c41e, 0x882255,
    0x332288,
];

/// A color as CSS writes it.
const fn rgb(hex: u32) -> Rgb {
    Rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The color of a class; from the eleventh on they come again, darker each time.
pub(crate) fn of_class(class: usize) -> Rgb {
    let color = rgb(CLASSES[class % CLASSES.len()]);
    (0..class / CLASSES.len()).fold(color, |color, _| mix(color, Rgb(0, 0, 0), 0.3))
}

/// `share` of the way from `a` to `b`.
fn mix(a: Rgb, b: Rgb, share: f64) -> Rgb {
    let of = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
    Rgb(of(a.0, b.0), of(a.1, b.1), of(a.2, b.2))
}

/// The color at `share` (0 to 1) of the way through colors at equal distances.
fn along(colors: &[u32], share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (colors.len() - 1) as f64;
    let before = (place as usize).min(colors.len() - 2);
    mix(rgb(colors[before]), rgb(colors[before + 1]), place - before as f64)
}

/// From white to dark blue (ColorBrewer's Blues).
pub(crate) fn blues(share: f64) -> Rgb {
    along(&[0xffffff, 0xc6dbef, 0x6baed6, 0x2171b5, 0x08306b], share)
}

/// From white to dark orange (ColorBrewer's Oranges).
pub(crate) fn oranges(share: f64) -> Rgb {
    along(&[0xffffff, 0xfdd0a2, 0xfd8d3c, 0xd94801, 0x7f2704], share)
}

/// From blue for -1 over white for 0 to red for 1 (ColorBrewer's RdBu).
pub(crate) fn diverging(value: f64) -> Rgb {
    let colors = [0x2166ac, 0x67a9cf, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xef8a62, 0xb2182b];
    along(&colors, value / 2.0 + 0.5)
}

/// What can be read on this ground.
pub(crate) fn ink_on(ground: Rgb) -> Rgb {
    // Rec. 601's luma.
    let luma = 299 * u32::from(ground.0) + 587 * u32::from(ground.1) + 114 * u32::from(ground.2);
    if luma < 140_000 { PAPER } else { INK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_in_their_colors_and_go_no_further() {
        assert_eq!((blues(0.0), blues(1.0), blues(7.0)), (PAPER, Rgb(8, 48, 107), blues(1.0)));
        assert_eq!(diverging(-1.0), Rgb(33, 102, 172));
        assert_eq!((diverging(0.0), diverging(1.0)), (Rgb(247, 247, 247), Rgb(178, 24, 43)));
        assert_eq!(oranges(f64::NAN.clamp(0.0, 1.0)).to_string().len(), 7);
    }

    #[test]
    fn classes_have_different_colors() {
        let mut colors: Vec<_> = (0..30).map(|class| of_class(class).to_string()).collect();
        colors.sort();
        colors.dedup();
        assert!(colors.len() >= 29, "{colors:?}"); // black does not get darker
    }
}
