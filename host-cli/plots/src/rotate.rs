//! Turns a small image about its center.

/// The image turned counter-clockwise by `degrees`, `[rows][cols]`; what comes in from outside is background.
///
/// Each pixel is taken from where it was, between four pixels linearly, and rounded.
pub(crate) fn rotated(pixels: &[u8], rows: usize, cols: usize, degrees: u32) -> Vec<u8> {
    let (sin, cos) = match degrees % 360 {
        // Exact, so that these move pixels and change none.
        0 => (0.0, 1.0),
        90 => (1.0, 0.0),
        180 => (0.0, -1.0),
        270 => (-1.0, 0.0),
        degrees => {
            let angle = f64::from(degrees).to_radians();
            // The same on every machine, which the system's own need not be.
            (libm::sin(angle), libm::cos(angle))
        }
    };
    let (middle_row, middle_col) = ((rows as f64 - 1.0) / 2.0, (cols as f64 - 1.0) / 2.0);
    let at = |row: f64, col: f64| {
        let inside = row >= 0.0 && col >= 0.0 && row < rows as f64 && col < cols as f64;
        if inside { f64::from(pixels[row as usize * cols + col as usize]) } else { 0.0 }
    };
    let mut turned = Vec::with_capacity(pixels.len());
    for row in 0..rows {
        for col in 0..cols {
            // Rows run downwards: seen so, counter-clockwise is clockwise for these axes.
            let (down, right) = (row as f64 - middle_row, col as f64 - middle_col);
            let from_row = middle_row + cos * down + sin * right;
            let from_col = middle_col - sin * down + cos * right;
            let (above, left) = (from_row.floor(), from_col.floor());
            let (v, u) = (from_row - above, from_col - left);
            let upper = at(above, left) * (1.0 - u) + at(above, left + 1.0) * u;
            let lower = at(above + 1.0, left) * (1.0 - u) + at(above + 1.0, left + 1.0) * u;
            turned.push((upper * (1.0 - v) + lower * v).round() as u8);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turns_counter_clockwise_and_four_are_none() {
        #[rustfmt::skip]
        let pixels = [1, 2, 3,
                      4, 5, 6,
                      7, 8, 9];
        #[rustfmt::skip]
        let quarter = [3, 6, 9,
                       2, 5, 8,
                       1, 4, 7];
        assert_eq!(rotated(&pixels, 3, 3, 90), quarter);
        assert_eq!(rotated(&quarter, 3, 3, 270), pixels);
        assert_eq!(rotated(&rotated(&pixels, 3, 3, 180), 3, 3, 180), pixels);
        assert_eq!(rotated(&pixels, 3, 3, 0), pixels);
        assert_eq!(rotated(&pixels, 3, 3, 360), pixels);
    }

    #[test]
    fn a_slanted_turn_keeps_the_center_and_brings_in_background() {
        let turned = rotated(&[255; 25], 5, 5, 45);
        // The corner comes from 2√2 - 2 outside, where 3 - 2√2 of the last pixel is left: 43.75 of 255.
        assert_eq!((turned[12], turned[0], turned.len()), (255, 44, 25));
        // Not square: what leaves the field is gone.
        assert_eq!(rotated(&[9, 9, 9, 9, 9, 9], 2, 3, 90).len(), 6);
    }
}
