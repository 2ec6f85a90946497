//! Signs that the ink of an image is something else than one digit: it is read all the same, with a note.

use super::{Field, Frame};

/// Pixels of the longer side from which on an image is checked.
const LEAST_SIDE: usize = 28;

impl Field {
    /// Says what speaks against one digit, if something does. `is_ink` tells the pixels of the ink that was kept, `frame` lies
    /// around it, `blobs` are its connected pieces, each with its mass.
    pub(super) fn doubt(
        &self,
        frame: &Frame,
        is_ink: impl Fn(usize) -> bool,
        blobs: &[(f32, Frame)],
    ) -> Option<&'static str> {
        // In a tiny image, strokes are too coarse to tell.
        if self.longer_side() < LEAST_SIDE {
            return None;
        }
        let (width, height) = (frame.width(), frame.height());
        let ink = |x: usize, y: usize| is_ink((frame.top + y) * self.width + frame.left + x);
        let inked = (0..width * height).filter(|i| ink(i % width, i / width)).count();
        let rows = full_lines(height, width, |row, x| ink(x, row));
        let cols = full_lines(width, height, ink);
        // A thick stroke fills its box; a frame and a grid are mostly empty.
        let is_open = 5 * inked <= 3 * width * height;
        if is_open && rows.len() >= 3 && cols.len() >= 3 {
            return Some("the ink looks like a grid: use plain paper, or lines that are fainter");
        }
        let mut middle = (width / 4..width - width / 4)
            .flat_map(|x| (height / 4..height - height / 4).map(move |y| (x, y)));
        let sides = ends(&rows, height) + ends(&cols, width);
        if is_open && sides >= 3 && middle.any(|(x, y)| ink(x, y)) {
            return Some("the ink includes a frame: crop the image to what is inside");
        }
        let heaviest = blobs.iter().map(|(mass, _)| *mass).fold(0.0, f32::max);
        let tallest = blobs.iter().map(|(_, frame)| frame.height()).max().unwrap_or(0);
        let mut large: Vec<&Frame> = blobs
            .iter()
            .filter(|(mass, frame)| *mass >= 0.3 * heaviest && 2 * frame.height() >= tallest)
            .map(|(_, frame)| frame)
            .collect();
        large.sort_by_key(|frame| frame.left);
        let is_apart = |pair: &[&Frame]| pair[0].right < pair[1].left;
        large.windows(2).any(is_apart).then_some(
            "the ink has several pieces side by side, which are read as one: crop the image to one digit",
        )
    }
}

/// Runs of neighboring lines that are inked along four fifths of their length or more: first and last line of each.
fn full_lines(count: usize, length: usize, ink: impl Fn(usize, usize) -> bool) -> Vec<[usize; 2]> {
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for line in 0..count {
        if 5 * (0..length).filter(|i| ink(line, *i)).count() >= 4 * length {
            match runs.last_mut() {
                Some(run) if run[1] + 1 == line => run[1] = line,
                _ => runs.push([line, line]),
            }
        }
    }
    runs
}

/// How many of the two ends of `count` lines have a full line within a tenth.
fn ends(runs: &[[usize; 2]], count: usize) -> usize {
    let margin = count / 10;
    let at_start = runs.first().is_some_and(|run| run[0] <= margin);
    let at_end = runs.last().is_some_and(|run| run[1] + 1 + margin >= count);
    usize::from(at_start) + usize::from(at_end)
}

#[cfg(test)]
mod tests {
    use crate::image::GrayImage;
    use crate::image::normalize::normalize;

    fn note(ink: impl Fn(u32, u32) -> bool) -> &'static str {
        let image = GrayImage::from_fn(100, 100, |x, y| if ink(x, y) { 0 } else { 255 });
        normalize(&image, 28, 28).unwrap().1.unwrap_or_default()
    }

    fn is_seven(x: u32, y: u32, left: u32) -> bool {
        let (x, inside) = (x.wrapping_sub(left), (20..70).contains(&y));
        inside && (x < 25 && y < 26 || (19..25).contains(&x))
    }

    #[test]
    fn one_digit_gets_no_note_and_a_frame_a_grid_and_two_digits_do() {
        assert_eq!(note(|x, y| is_seven(x, y, 30)), "");
        assert_eq!(note(|x, y| (40..50).contains(&x) && (20..80).contains(&y)), "");
        assert!(note(|x, y| is_seven(x, y, 15) || is_seven(x, y, 60)).contains("side by side"));
        let is_frame = |x: u32, y: u32| {
            let edge = x.min(99 - x).min(y).min(99 - y);
            (8..11).contains(&edge)
        };
        assert!(note(|x, y| is_seven(x, y, 35) || is_frame(x, y)).contains("includes a frame"));
        let is_grid = |x: u32, y: u32| x % 20 == 10 || y % 20 == 10;
        assert!(note(|x, y| is_seven(x, y, 35) || is_grid(x, y)).contains("grid"));
    }
}
