//! Shows an image as text.

/// The shades from background to ink, in even steps.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Renders `pixels`, `[rows][cols]`, as lines of text in a frame, two characters a pixel.
///
/// The text holds no color codes, and dark terminals show it as it is: ink is bright. Rows without
/// ink above and below the digit are left out except for one; columns are all kept, so the frame
/// shows the field's width. Every line ends in a line feed.
///
/// # Panics
///
/// If `pixels` is not `rows * cols` long.
///
/// # Examples
///
/// ```
/// let text = picomlp_train::image::terminal::show(&[0, 255, 128, 0], 2, 2);
/// assert_eq!(text, "┌────┐\n│  ██│\n│▒▒  │\n└────┘\n");
/// ```
#[must_use]
pub fn show(pixels: &[u8], rows: usize, cols: usize) -> String {
    assert_eq!(pixels.len(), rows * cols, "show: `pixels` does not have {rows}x{cols} elements");
    let line = |row: usize| &pixels[row * cols..][..cols];
    let has_ink = |row: &usize| line(*row).iter().any(|pixel| shade(*pixel) != SHADES[0]);
    let first = (0..rows).find(has_ink).unwrap_or(0).saturating_sub(1);
    let last = (0..rows).rfind(has_ink).map_or(rows, |row| rows.min(row + 2));

    let edge = "─".repeat(2 * cols);
    let mut text = format!("┌{edge}┐\n");
    for row in first..last {
        text.push('│');
        text.extend(line(row).iter().flat_map(|pixel| [shade(*pixel); 2]));
        text.push_str("│\n");
    }
    text + &format!("└{edge}┘\n")
}

/// The shade nearest to `pixel`.
fn shade(pixel: u8) -> char {
    let steps = SHADES.len() - 1;
    SHADES[(usize::from(pixel) * steps + 127) / 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shade_rises_evenly_from_blank_to_full() {
        let row: String = [0, 31, 32, 95, 96, 159, 160, 223, 224, 255].map(shade).iter().collect();
        assert_eq!(row, "  ░░▒▒▓▓██");
    }

    #[test]
    fn show_leaves_out_blank_rows_but_one() {
        let mut pixels = [0; 10 * 3];
        pixels[4 * 3 + 1] = 255;
        let text = show(&pixels, 10, 3);
        assert_eq!(text, "┌──────┐\n│      │\n│  ██  │\n│      │\n└──────┘\n");
    }

    #[test]
    fn show_keeps_all_rows_of_a_blank_image() {
        assert_eq!(show(&[0; 4], 2, 2), "┌────┐\n│    │\n│    │\n└────┘\n");
        assert_eq!(show(&[], 0, 0), "┌┐\n└┘\n");
    }

    #[test]
    fn show_has_no_trailing_spaces() {
        let pixels: Vec<u8> = (0..784).map(|i| (i * 7 % 256) as u8).collect();
        assert!(show(&pixels, 28, 28).lines().all(|line| line.trim_end() == line));
    }

    #[test]
    #[should_panic = "show: `pixels` does not have 2x2 elements"]
    fn show_panics_when_the_pixels_do_not_fit_the_shape() {
        let _ = show(&[0; 5], 2, 2);
    }
}
