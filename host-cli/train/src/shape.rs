//! The shape of a sample.

use core::fmt;
use core::str::FromStr;

/// Rows and columns of a sample, neither 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of pixels.
    pub rows: usize,
    /// Pixels in a row.
    pub cols: usize,
}

impl Shape {
    /// The longest side: 65,536 pixels make 4 Gpixel, more than any network here reads.
    const MAX_SIDE: usize = 65_536;

    /// Returns the square of N pixels, if N is a square.
    #[must_use]
    pub fn square(pixels: usize) -> Option<Self> {
        let side = pixels.isqrt();
        (pixels > 0 && side * side == pixels).then_some(Self { rows: side, cols: side })
    }

    /// Whether an image may have this shape: the smallest legible digits have 3×5 pixels.
    #[must_use]
    pub fn holds_an_image(&self) -> bool {
        self.rows >= 5 && self.cols >= 3
    }

    /// Returns the number of pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let side = |word: &str| word.trim().parse().ok();
        let is_side = |side: &usize| (1..=Self::MAX_SIDE).contains(side);
        word.split_once(['x', 'X', '×'])
            .and_then(|(rows, cols)| Some((side(rows)?, side(cols)?)))
            .filter(|(rows, cols)| is_side(rows) && is_side(cols))
            .map(|(rows, cols)| Self { rows, cols })
            .ok_or_else(|| "expected rows and columns of pixels, as in 28x28".to_owned())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.cols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_rows_and_columns_and_nothing_else() {
        assert_eq!("8x9".parse(), Ok(Shape { rows: 8, cols: 9 }));
        assert_eq!("8×9".parse::<Shape>().unwrap().to_string(), "8x9");
        for word in ["", "8", "8x", "x8", "0x8", "8x0", "8x8x8", "-1x8", "1x65537", "a"] {
            assert!(word.parse::<Shape>().is_err(), "{word}");
        }
    }

    #[test]
    fn square_finds_the_side_of_perfect_squares_only() {
        assert_eq!(Shape::square(784), Some(Shape { rows: 28, cols: 28 }));
        assert_eq!([0, 2, 63, 785].map(Shape::square), [None; 4]);
    }
}
