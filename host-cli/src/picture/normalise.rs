//! Brings a picture of one digit into the form that MNIST's pictures have.
//!
//! MNIST's digits are light on dark, scaled to fit a box of 20x20 pixels with their proportions
//! kept, anti-aliased, and placed in a field of 28x28 so that their centre of mass is the field's
//! centre. A network trained on them reads other pictures well only if they look the same. The way
//! there:
//!
//! 1. A picture that has this form already is returned as it is.
//! 2. A large picture is shrunk to 512 pixels along its longer side, by averaging.
//! 3. The paper is found: a surface of second degree, fitted to the pixels that differ little from
//!    the border's level. Ink is what differs much from it. Thus uneven light and paper that is not
//!    quite white do no harm; a sharp shadow across the paper does.
//! 4. Ink is either darker or lighter than the paper, whichever stands out more.
//! 5. Connected ink is gathered into blobs; tiny ones, and those much smaller than the largest, are
//!    specks and are left out.
//! 6. The box around the rest is scaled to fit, its strongest ink stretched to 255, and placed by
//!    its centre of mass.
//!
//! # Source
//!
//! LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
//! <http://yann.lecun.com/exdb/mnist/>: box, field and centre of mass. Which pixel is the centre,
//! and how exactly, was counted in MNIST's 10 000 test pictures: all but three have a box of 20
//! pixels (those three 19), and their centres of mass are within half a pixel of column and row 14
//! (counted from 0).

use anyhow::{Result, bail, ensure};
use image::{
    GrayImage, ImageBuffer, Luma,
    imageops::{self, FilterType},
};

/// Pixels of the longer side to which larger pictures are shrunk first; 25 times what the result
/// needs.
const WORKING_SIDE: u32 = 512;

/// Grey levels by which ink must differ from the paper.
const LEAST_CONTRAST: f32 = 16.0;

/// How many times the noise's standard deviation ink must differ from the paper.
const LEAST_SIGNAL: f32 = 6.0;

/// The share of the full ink level at which a pixel belongs to a blob.
const INK_SHARE: f32 = 0.3;

/// Blobs with less than this share of the largest one's ink are specks.
const SPECK_SHARE: f32 = 0.06;

/// Blobs no larger than this are specks, in pixels: the smallest legible digits have 3x5 pixels.
const SPECK_SIDE: usize = 2;

/// How the digit is scaled.
///
/// 300 of MNIST's test pictures, enlarged and drawn on larger paper, came back with these mean
/// differences in grey levels (`CatmullRom` / `Triangle`): clean paper 6.5 / 7.3, noisy 6.5 / 7.3,
/// uneven light 6.7 / 7.7, thin strokes 14.3 / 13.8. Enlarging 150 of them in two other ways gave
/// the same order. How many of them a nearest neighbour among 10 000 training pictures named
/// rightly did not tell the two apart. `Gaussian`, tried on 100 only, was further away on all but
/// thin strokes.
const FILTER: FilterType = FilterType::CatmullRom;

/// Brings the digit in `picture` into MNIST's form, `[rows][cols]`, light on dark.
///
/// For another field than 28x28 the box is scaled likewise, to 20/28 of the shorter side.
/// The picture should hold one digit: several are treated as one.
///
/// # Errors
///
/// `rows` or `cols` is 0; there is no ink, or nothing but specks.
///
/// # Examples
///
/// ```
/// use picomlp_cli::picture::{GrayImage, normalise};
///
/// // A black bar of 10x40 pixels in a corner of a white page.
/// let page = GrayImage::from_fn(100, 80, |x, y| {
///     image::Luma([if (5..15).contains(&x) && (5..45).contains(&y) { 0 } else { 255 }])
/// });
/// let digit = normalise(&page, 28, 28)?;
/// let ink = |row: usize| digit[row * 28..][..28].iter().filter(|pixel| **pixel == 255).count();
/// assert_eq!([ink(3), ink(4), ink(23), ink(24)], [0, 5, 5, 0]);
/// # anyhow::Ok(())
/// ```
pub fn normalise(picture: &GrayImage, rows: usize, cols: usize) -> Result<Vec<u8>> {
    ensure!(rows > 0 && cols > 0, "cannot make a picture of {rows}x{cols} pixels");
    let size = (picture.width() as usize, picture.height() as usize);
    ensure!(size.0 > 0 && size.1 > 0, "no ink found: the picture has no pixels");

    if size == (cols, rows) {
        let inverted = picture.iter().map(|level| 255 - level).collect();
        if let Some(ready) = [picture.as_raw().clone(), inverted]
            .into_iter()
            .find(|pixels| is_normalised(pixels, rows, cols))
        {
            return Ok(ready);
        }
    }

    let ink = Field::shrunk(picture).into_ink()?;
    let digit = ink.digit()?;
    Ok(place(&scale(&digit, box_side(rows, cols)), rows, cols))
}

/// The side of the box that a digit is scaled to, in pixels.
fn box_side(rows: usize, cols: usize) -> usize {
    (rows.min(cols) * 20 + 14).div_euclid(28).max(1)
}

/// Tells whether a picture is in MNIST's form, up to one pixel of size and place.
fn is_normalised(pixels: &[u8], rows: usize, cols: usize) -> bool {
    let field = Field {
        width: cols,
        height: rows,
        values: pixels.iter().map(|level| f32::from(*level)).collect(),
    };
    let Some(frame) = Frame::around(&field, |index| pixels[index] > 0) else { return false };
    let (x, y) = field.centre_of_mass();
    let near = |centre: f32, side: usize| (centre - (side / 2) as f32).abs() <= 1.0;
    let side = box_side(rows, cols);
    (side.saturating_sub(1)..=side).contains(&frame.longer_side())
        && near(x, cols)
        && near(y, rows)
        && pixels.iter().any(|level| *level >= 240)
}

/// A grid of numbers, row-major.
#[derive(Clone, Debug)]
struct Field {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// A rectangle of pixels, both ends included.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Frame {
    /// The smallest frame around all pixels of `field` that are `inside`, by index; `None` if none
    /// is.
    fn around(field: &Field, inside: impl Fn(usize) -> bool) -> Option<Self> {
        (0..field.values.len())
            .filter(|index| inside(*index))
            .fold(None, |frame, index| Some(Self::joined(frame, index, field.width)))
    }

    /// The smallest frame around `frame` and the pixel `index` of a field `width` wide.
    fn joined(frame: Option<Self>, index: usize, width: usize) -> Self {
        let (x, y) = (index % width, index / width);
        let frame = frame.unwrap_or(Self { left: x, right: x, top: y, bottom: y });
        Self {
            left: frame.left.min(x),
            right: frame.right.max(x),
            top: frame.top.min(y),
            bottom: frame.bottom.max(y),
        }
    }

    fn width(&self) -> usize {
        self.right - self.left + 1
    }

    fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    fn longer_side(&self) -> usize {
        self.width().max(self.height())
    }
}

impl Field {
    /// The grey levels of `picture`, averaged down to [`WORKING_SIDE`] where it is larger.
    fn shrunk(picture: &GrayImage) -> Self {
        let (width, height) = picture.dimensions();
        let longer = width.max(height);
        let shrunk;
        let picture = if longer > WORKING_SIDE {
            let side = |side: u32| {
                let scaled = u64::from(side) * u64::from(WORKING_SIDE) / u64::from(longer);
                (scaled as u32).max(1)
            };
            shrunk = imageops::thumbnail(picture, side(width), side(height));
            &shrunk
        } else {
            picture
        };
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values: picture.iter().map(|level| f32::from(*level)).collect(),
        }
    }

    fn longer_side(&self) -> usize {
        self.width.max(self.height)
    }

    /// Turns grey levels into ink: 0 is paper, 1 the usual ink, on either side of them noise.
    fn into_ink(mut self) -> Result<Self> {
        subtract_paper(&mut self);
        // Ink stands out further than noise and light; cubes let what stands out decide.
        if self.values.iter().map(|value| f64::from(*value).powi(3)).sum::<f64>() < 0.0 {
            self.values.iter_mut().for_each(|value| *value = -*value);
        }

        let smooth = self.smoothed();
        let highest = smooth.high_value(|value| value);
        ensure!(
            highest >= LEAST_CONTRAST.max(LEAST_SIGNAL * smooth.noise()),
            "no ink found: nothing stands out from the paper"
        );
        let full = median(smooth.values.iter().copied().filter(|value| *value >= highest / 2.0));
        self.values.iter_mut().for_each(|value| *value /= full);
        Ok(self)
    }

    /// Cuts the digit out of a field of ink and clears everything around it.
    fn digit(&self) -> Result<Self> {
        let smooth = self.smoothed();
        // Above four standard deviations lies one pixel of noise in 30 000.
        let threshold = INK_SHARE.max(4.0 * smooth.noise());
        let is_ink: Vec<bool> = smooth.values.iter().map(|value| *value >= threshold).collect();
        // Widened, so that the pieces of a broken stroke meet and soft edges belong to their
        // stroke.
        let blobs =
            label(&widen(&is_ink, self.width, (self.longer_side() / 64).max(1)), self.width);

        let count = blobs.iter().max().map_or(0, |last| last + 1);
        let (mut masses, mut frames) = (vec![0.0_f32; count], vec![None; count]);
        for (index, blob) in blobs.iter().enumerate().filter(|(index, _)| is_ink[*index]) {
            masses[*blob] += smooth.values[index].min(1.0);
            frames[*blob] = Some(Frame::joined(frames[*blob], index, self.width));
        }
        let largest = masses.iter().copied().fold(0.0, f32::max);
        let least = SPECK_SIDE.max(self.longer_side() / 50);
        let is_digit: Vec<bool> = masses
            .iter()
            .zip(&frames)
            .map(|(mass, frame)| {
                *mass >= SPECK_SHARE * largest
                    && frame.is_some_and(|frame| frame.longer_side() > least)
            })
            .collect();
        let kept = |index: usize| is_digit[blobs[index]];
        let Some(frame) = Frame::around(self, |index| is_ink[index] && kept(index)) else {
            bail!("no ink found: nothing but specks stands out from the paper");
        };
        let values = (frame.top..=frame.bottom)
            .flat_map(|y| (frame.left..=frame.right).map(move |x| y * self.width + x))
            .map(|index| if kept(index) { self.values[index].min(1.0) } else { 0.0 })
            .collect();
        Ok(Self { width: frame.width(), height: frame.height(), values })
    }

    /// The mean of each pixel's surroundings, which are wider in a larger field.
    fn smoothed(&self) -> Self {
        let radius = self.longer_side() / 256;
        let mut field = self.clone();
        for vertical in [false, true] {
            field.values = along(&field.values, self.width, vertical, radius, |window| {
                window.iter().sum::<f32>() / window.len() as f32
            });
        }
        field
    }

    /// The indices of the pixels at the border.
    fn border(&self) -> impl Iterator<Item = usize> {
        let (width, height) = (self.width, self.height);
        let margin = (width.min(height) / 40).max(1);
        (0..width * height).filter(move |index| {
            let (x, y) = (index % width, index / width);
            x.min(width - 1 - x).min(y).min(height - 1 - y) < margin
        })
    }

    /// The largest value of `measure`, save for a pixel in 5000.
    fn high_value(&self, measure: impl Fn(f32) -> f32) -> f32 {
        let mut values: Vec<f32> = self.values.iter().map(|value| measure(*value)).collect();
        let rank = values.len() - 1 - values.len() / 5000;
        *values.select_nth_unstable_by(rank, f32::total_cmp).1
    }

    /// The standard deviation of the paper's noise about 0, from the middle one of the absolute
    /// values.
    ///
    /// Taken over the border too, because a bold digit may cover more than half of the picture.
    fn noise(&self) -> f32 {
        let all = median(self.values.iter().map(|value| value.abs()));
        let border = median(self.border().map(|index| self.values[index].abs()));
        // The quartile of the normal distribution is 1 / 1.4826.
        1.4826 * all.min(border)
    }

    /// Column and row of the centre of mass, counted from 0 at the middle of the first pixel.
    fn centre_of_mass(&self) -> (f32, f32) {
        let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
        for (row, line) in self.values.chunks_exact(self.width).enumerate() {
            for (col, value) in line.iter().enumerate() {
                mass += value;
                x += value * col as f32;
                y += value * row as f32;
            }
        }
        (x / mass, y / mass)
    }
}

/// The middle one of `values`; 0 if there are none.
fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f32::total_cmp).1 }
}

/// The terms of a surface of second degree.
const TERMS: usize = 6;

/// Takes the paper's level away from every pixel.
///
/// The level is a surface of second degree. It starts as the border's median and is then fitted by
/// weighted least squares again and again; pixels far from the last surface weigh nothing
/// (Tukey's biweight), and what counts as far shrinks from half the contrast to a fifth.
fn subtract_paper(field: &mut Field) {
    let paper = median(field.border().map(|index| field.values[index]));
    field.values.iter_mut().for_each(|value| *value -= paper);

    // Twenty thousand pixels determine six numbers well enough.
    let step = (field.values.len() as f64 / 20_000.0).sqrt().ceil() as usize;
    for far in [0.5, 0.4, 0.3, 0.25, 0.2, 0.2] {
        let far = far * f64::from(field.high_value(f32::abs));
        if far < 1.0 {
            return;
        }
        let mut normal = [[0.0; TERMS + 1]; TERMS];
        for y in (0..field.height).step_by(step) {
            for x in (0..field.width).step_by(step) {
                let value = f64::from(field.values[y * field.width + x]);
                let weight = (1.0 - (value / far).powi(2)).max(0.0).powi(2);
                let terms = surface_terms(field, x, y);
                for (row, term) in normal.iter_mut().zip(terms) {
                    for (sum, factor) in row.iter_mut().zip(terms.into_iter().chain([value])) {
                        *sum += weight * term * factor;
                    }
                }
            }
        }
        let surface = solve(normal);
        for y in 0..field.height {
            for x in 0..field.width {
                let level: f64 =
                    surface.iter().zip(surface_terms(field, x, y)).map(|(a, term)| a * term).sum();
                field.values[y * field.width + x] -= level as f32;
            }
        }
    }
}

/// The terms of the surface at a pixel, with coordinates from -1 to 1.
fn surface_terms(field: &Field, x: usize, y: usize) -> [f64; TERMS] {
    let u = (2 * x + 1) as f64 / field.width as f64 - 1.0;
    let v = (2 * y + 1) as f64 / field.height as f64 - 1.0;
    [1.0, u, v, u * u, u * v, v * v]
}

/// Solves the normal equations by elimination; the last column is the right-hand side.
///
/// A small share of the first diagonal element is added to the diagonal, so that the matrix is
/// regular even where pixels are too few or lie on one line; undetermined terms come out as 0.
fn solve(mut rows: [[f64; TERMS + 1]; TERMS]) -> [f64; TERMS] {
    let ridge = 1e-6 * rows[0][0] + f64::MIN_POSITIVE;
    for (i, row) in rows.iter_mut().enumerate() {
        row[i] += ridge;
    }
    for i in 0..TERMS {
        let pivot = rows[i];
        for (_, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != i) {
            let factor = row[i] / pivot[i];
            row.iter_mut().zip(pivot).for_each(|(value, above)| *value -= factor * above);
        }
    }
    core::array::from_fn(|i| rows[i][TERMS] / rows[i][i])
}

/// Replaces each value by `summary` of those up to `radius` away in its row, or in its column.
fn along<T: Copy>(
    values: &[T],
    width: usize,
    vertical: bool,
    radius: usize,
    summary: impl Fn(&[T]) -> T,
) -> Vec<T> {
    let height = values.len() / width;
    let (lines, length) = if vertical { (width, height) } else { (height, width) };
    let place = |line, i| if vertical { i * width + line } else { line * width + i };
    let mut result = values.to_vec();
    for line in 0..lines {
        let window: Vec<T> = (0..length).map(|i| values[place(line, i)]).collect();
        for i in 0..length {
            let end = length.min(i + radius + 1);
            result[place(line, i)] = summary(&window[i.saturating_sub(radius)..end]);
        }
    }
    result
}

/// Sets every pixel that is at most `radius` columns and rows away from a set one.
fn widen(mask: &[bool], width: usize, radius: usize) -> Vec<bool> {
    [false, true].into_iter().fold(mask.to_vec(), |mask, vertical| {
        along(&mask, width, vertical, radius, |window| window.contains(&true))
    })
}

/// Numbers connected pixels from 1, diagonal neighbours included; pixels that are not set get 0.
fn label(mask: &[bool], width: usize) -> Vec<usize> {
    let height = mask.len() / width;
    let mut labels = vec![0; mask.len()];
    let mut count = 0;
    let mut pending = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || labels[start] != 0 {
            continue;
        }
        count += 1;
        labels[start] = count;
        pending.push(start);
        while let Some(index) = pending.pop() {
            let (x, y) = (index % width, index / width);
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let neighbour = y * width + x;
                    if mask[neighbour] && labels[neighbour] == 0 {
                        labels[neighbour] = count;
                        pending.push(neighbour);
                    }
                }
            }
        }
    }
    labels
}

/// Scales a digit to `side` along its longer side, and stretches its ink to 1.
fn scale(digit: &Field, side: usize) -> Field {
    let longer = digit.longer_side();
    let scaled = |length: usize| ((length * side + longer / 2) / longer).max(1);
    let (width, height) = (scaled(digit.width), scaled(digit.height));
    let source =
        ImageBuffer::<Luma<f32>, _>::from_fn(digit.width as u32, digit.height as u32, |x, y| {
            Luma([digit.values[y as usize * digit.width + x as usize].max(0.0)])
        });
    let mut values = imageops::resize(&source, width as u32, height as u32, FILTER).into_raw();

    // A stroke thinner than a pixel comes out faint all over; the top tenth of the ink sets the
    // scale.
    let highest = values.iter().copied().fold(0.0, f32::max);
    let mut ink: Vec<f32> = values.iter().copied().filter(|value| *value > highest / 8.0).collect();
    if !ink.is_empty() {
        let rank = ink.len() * 9 / 10;
        let peak = *ink.select_nth_unstable_by(rank, f32::total_cmp).1;
        values.iter_mut().for_each(|value| *value = (*value / peak).min(1.0));
    }
    Field { width, height, values }
}

/// Places a digit in a dark field with its centre of mass in the centre, as far as it fits.
fn place(digit: &Field, rows: usize, cols: usize) -> Vec<u8> {
    let (x, y) = digit.centre_of_mass();
    let offset = |centre: f32, length: usize, field: usize| {
        let offset = ((field / 2) as f32 - centre - 0.5).ceil().max(0.0) as usize;
        offset.min(field - length)
    };
    let (left, top) = (offset(x, digit.width, cols), offset(y, digit.height, rows));
    let mut pixels = vec![0; rows * cols];
    for (row, line) in digit.values.chunks_exact(digit.width).enumerate() {
        let target = &mut pixels[(top + row) * cols + left..][..digit.width];
        for (pixel, value) in target.iter_mut().zip(line) {
            *pixel = (255.0 * value).round() as u8;
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The strokes of a 5 as lines between points, in a box of 1x1; it has no symmetry.
    const FIVE: [[(f32, f32); 2]; 6] = [
        [(0.85, 0.08), (0.2, 0.08)],
        [(0.2, 0.08), (0.15, 0.45)],
        [(0.15, 0.45), (0.6, 0.4)],
        [(0.6, 0.4), (0.85, 0.65)],
        [(0.85, 0.65), (0.6, 0.92)],
        [(0.6, 0.92), (0.1, 0.85)],
    ];

    /// Pseudo-random numbers in [0, 1), the same in every run.
    struct Random(u32);

    impl Random {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) as f32 / (1 << 24) as f32
        }

        /// Mean 0, standard deviation 1, by the sum of twelve.
        fn normal(&mut self) -> f32 {
            (0..12).map(|_| self.next()).sum::<f32>() - 6.0
        }
    }

    /// Where a 5 lies in a picture, and how thick its strokes are, all in pixels.
    #[derive(Clone, Copy)]
    struct Five {
        x: f32,
        y: f32,
        side: f32,
        pen: f32,
    }

    impl Five {
        /// The share of the pixel that is covered by ink.
        fn covers(&self, x: u32, y: u32) -> f32 {
            let u = (x as f32 + 0.5 - self.x) / self.side;
            let v = (y as f32 + 0.5 - self.y) / self.side;
            let distance = FIVE.iter().map(|[(ax, ay), (bx, by)]| {
                let (dx, dy) = (bx - ax, by - ay);
                let t = (((u - ax) * dx + (v - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                (u - ax - t * dx).hypot(v - ay - t * dy)
            });
            let distance = self.side * distance.fold(f32::INFINITY, f32::min);
            ((self.pen + 1.0) / 2.0 - distance).clamp(0.0, self.pen.min(1.0))
        }

        /// Draws on `paper`, where `ink` is the share of light that full ink sends back.
        fn on(
            &self,
            width: u32,
            height: u32,
            ink: f32,
            mut paper: impl FnMut(u32, u32) -> f32,
        ) -> GrayImage {
            GrayImage::from_fn(width, height, |x, y| {
                let level = paper(x, y) * (1.0 - (1.0 - ink) * self.covers(x, y));
                Luma([level.round().clamp(0.0, 255.0) as u8])
            })
        }
    }

    const USUAL: Five = Five { x: 40.0, y: 30.0, side: 120.0, pen: 14.0 };

    /// A black 5 on white paper, in MNIST's form.
    fn reference() -> Vec<u8> {
        normalise(&USUAL.on(200, 200, 0.0, |_, _| 255.0), 28, 28).unwrap()
    }

    fn inverted(picture: &GrayImage) -> GrayImage {
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
            Luma([255 - picture.get_pixel(x, y)[0]])
        })
    }

    /// The mean of the absolute differences, in grey levels.
    fn difference(a: &[u8], b: &[u8]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
    }

    /// Asserts that `pixels` are the reference, up to a mean of `tolerance` grey levels.
    ///
    /// A shift by one pixel is allowed: places are whole pixels, and a centre of mass may lie
    /// half-way between two.
    #[track_caller]
    fn assert_is_five(pixels: &[u8], tolerance: f64) {
        let reference = reference();
        let difference = [27, 28, 29, 55, 56, 57, 83, 84, 85]
            .map(|shift| {
                // Two lines of blank pixels on both ends make room for the shift.
                let padded = [&[0; 56], pixels, &[0; 56]].concat();
                difference(&padded[shift..][..784], &reference)
            })
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        let text = crate::picture::terminal::show(pixels, 28, 28);
        assert!(difference <= tolerance, "the difference is {difference}:\n{text}");
    }

    fn message(picture: &GrayImage) -> String {
        normalise(picture, 28, 28).unwrap_err().to_string()
    }

    #[test]
    fn normalise_gives_a_box_of_20_with_its_centre_of_mass_in_the_centre() {
        let pixels = reference();
        assert!(is_normalised(&pixels, 28, 28));
        assert_eq!((pixels.iter().max(), pixels[0]), (Some(&255), 0));
        // What the tolerances of the other tests must be small against.
        let mirrored: Vec<u8> =
            pixels.chunks(28).flat_map(|row| row.iter().rev()).copied().collect();
        assert!(difference(&mirrored, &pixels) > 30.0, "{}", difference(&mirrored, &pixels));
        // The reference must be a 5 and not a mirrored one: ink at its points, none off them.
        for (row, col, ink) in [(5, 10, true), (8, 8, true), (8, 18, false), (18, 21, true)] {
            let text = crate::picture::terminal::show(&pixels, 28, 28);
            assert_eq!(pixels[row * 28 + col] > 100, ink, "row {row}, column {col}:\n{text}");
        }
    }

    #[test]
    fn normalise_returns_a_picture_in_mnists_form_unchanged_light_or_dark() {
        let pixels = reference();
        let picture = GrayImage::from_raw(28, 28, pixels.clone()).unwrap();
        assert_eq!(normalise(&picture, 28, 28).unwrap(), pixels);
        assert_eq!(normalise(&inverted(&picture), 28, 28).unwrap(), pixels);
    }

    #[test]
    fn normalise_restores_a_form_that_was_moved_within_a_larger_field() {
        let pixels = reference();
        let moved = GrayImage::from_fn(40, 34, |x, y| {
            let inside = (9..37).contains(&x) && (2..30).contains(&y);
            Luma([if inside { 255 - pixels[(y as usize - 2) * 28 + x as usize - 9] } else { 255 }])
        });
        assert_is_five(&normalise(&moved, 28, 28).unwrap(), 3.0);
    }

    #[test]
    fn normalise_does_not_depend_on_which_of_ink_and_paper_is_darker() {
        let picture = USUAL.on(200, 200, 0.0, |_, _| 255.0);
        assert_is_five(&normalise(&inverted(&picture), 28, 28).unwrap(), 0.1);
    }

    #[test]
    fn normalise_does_not_depend_on_place_and_size() {
        for (x, y, side, width, height) in [
            (5.0, 100.0, 120.0, 500, 240),
            (150.0, 10.0, 60.0, 240, 400),
            (900.0, 1500.0, 400.0, 2000, 3000),
            (2.0, 2.0, 40.0, 44, 44),
            (100.0, 60.0, 30.0, 150, 150),
        ] {
            let five = Five { x, y, side, pen: side * USUAL.pen / USUAL.side };
            let picture = five.on(width, height, 0.0, |_, _| 255.0);
            assert_is_five(&normalise(&picture, 28, 28).unwrap(), 12.0);
        }
    }

    #[test]
    fn normalise_reads_a_photo_with_uneven_light_noise_and_specks() {
        for seed in 0..5 {
            let mut random = Random(seed);
            let five = Five { x: 200.0, y: 420.0, side: 240.0, pen: 28.0 };
            let picture = five.on(600, 800, 0.35, |x, y| {
                let (u, v) = (x as f32 / 300.0 - 1.0, y as f32 / 400.0 - 1.0);
                let speck = if random.next() < 0.001 { 90.0 } else { 0.0 };
                180.0 + 35.0 * u - 25.0 * v - 20.0 * (u * u + v * v) + 6.0 * random.normal() - speck
            });
            assert_is_five(&normalise(&picture, 28, 28).unwrap(), 6.0);
        }
    }

    #[test]
    fn normalise_ignores_a_blob_of_dirt_far_from_the_digit() {
        let picture = USUAL.on(300, 300, 0.0, |x, y| {
            if (270..276).contains(&x) && (260..266).contains(&y) { 20.0 } else { 240.0 }
        });
        assert_is_five(&normalise(&picture, 28, 28).unwrap(), 2.0);
    }

    #[test]
    fn normalise_stretches_faint_pencil() {
        let picture = USUAL.on(200, 200, 0.8, |_, _| 200.0);
        assert_is_five(&normalise(&picture, 28, 28).unwrap(), 1.0);
    }

    #[test]
    fn normalise_keeps_strokes_of_one_pixel_bright() {
        for (side, pen) in [(120.0, 1.0), (300.0, 1.5), (300.0, 4.0)] {
            let five = Five { x: 20.0, y: 30.0, side, pen };
            let pixels = normalise(&five.on(400, 360, 0.0, |_, _| 255.0), 28, 28).unwrap();
            let bright = pixels.iter().filter(|pixel| **pixel > 120).count();
            let text = crate::picture::terminal::show(&pixels, 28, 28);
            assert!(bright >= 40, "{side} {pen}: {bright} bright pixels\n{text}");
            assert!(is_normalised(&pixels, 28, 28), "{side} {pen}:\n{text}");
        }
    }

    #[test]
    fn normalise_reads_a_bold_digit_cut_out_without_a_margin() {
        let five = Five { x: 1.0, y: 2.0, side: 60.0, pen: 14.0 };
        let pixels = normalise(&five.on(59, 64, 0.0, |_, _| 255.0), 28, 28).unwrap();
        let bold = Five { x: 50.0, y: 50.0, ..five };
        let expected = normalise(&bold.on(160, 160, 0.0, |_, _| 255.0), 28, 28).unwrap();
        let difference = difference(&pixels, &expected);
        assert!(difference < 8.0, "{difference}");
    }

    #[test]
    fn normalise_makes_pictures_of_any_shape() {
        let picture = USUAL.on(200, 200, 0.0, |_, _| 255.0);
        for (rows, cols) in [(8, 8), (16, 16), (20, 40), (56, 28), (200, 200), (2, 3), (1, 1)] {
            let pixels = normalise(&picture, rows, cols).unwrap();
            assert_eq!(pixels.len(), rows * cols);
            assert!(pixels.contains(&255), "{rows}x{cols}: {pixels:?}");
            if rows.min(cols) >= 8 {
                assert!(is_normalised(&pixels, rows, cols), "{rows}x{cols}");
            }
        }
        assert_eq!([28, 8, 56, 1, 2].map(|side| box_side(side, 100)), [20, 6, 40, 1, 1]);
    }

    #[test]
    fn normalise_refuses_a_shape_without_pixels() {
        let picture = USUAL.on(200, 200, 0.0, |_, _| 255.0);
        let error = normalise(&picture, 0, 28).unwrap_err().to_string();
        assert_eq!(error, "cannot make a picture of 0x28 pixels");
        assert!(message(&GrayImage::new(0, 0)).starts_with("no ink found"));
    }

    #[test]
    fn normalise_finds_no_ink_in_a_blank_picture() {
        let mut random = Random(1);
        for (width, height) in [(1, 1), (2, 1), (1, 300), (3, 3), (28, 28), (700, 40)] {
            let level = |level: u8| GrayImage::from_pixel(width, height, Luma([level]));
            let slope = GrayImage::from_fn(width, height, |x, y| {
                Luma([(200 - 80 * x / width - 60 * y / height) as u8])
            });
            let noise = GrayImage::from_fn(width, height, |_, _| {
                Luma([(200.0 + 3.0 * random.normal()) as u8])
            });
            for picture in [level(255), level(0), level(130), slope, noise] {
                let message = message(&picture);
                assert!(message.starts_with("no ink found: "), "{width}x{height}: {message}");
            }
        }
    }

    #[test]
    fn normalise_finds_no_ink_in_specks() {
        let specks = GrayImage::from_fn(200, 200, |x, y| {
            Luma([if x % 40 == 7 && y % 40 == 11 { 0 } else { 255 }])
        });
        let expected = "no ink found: nothing but specks stands out from the paper";
        assert_eq!(message(&specks), expected);
    }

    #[test]
    fn normalise_never_panics_on_tiny_and_odd_pictures() {
        let mut random = Random(3);
        let sizes =
            [(1, 1), (1, 2), (2, 2), (3, 2), (5, 5), (7, 1), (1, 2000), (2000, 3), (28, 28)];
        for (width, height) in sizes {
            for share in [0.02, 0.2, 0.5, 0.9] {
                let picture = GrayImage::from_fn(width, height, |_, _| {
                    Luma([if random.next() < share { (255.0 * random.next()) as u8 } else { 255 }])
                });
                if let Ok(pixels) = normalise(&picture, 28, 28) {
                    assert_eq!(pixels.len(), 784);
                    assert!(pixels.contains(&255), "{width}x{height} {share}");
                }
            }
        }
    }

    #[test]
    fn solve_finds_the_surface_that_made_the_values() {
        let expected = [5.0, -1.0, 2.0, 0.5, -3.0, 0.25];
        let field = Field { width: 9, height: 7, values: vec![0.0; 63] };
        let mut normal = [[0.0; TERMS + 1]; TERMS];
        for (x, y) in (0..7).flat_map(|y| (0..9).map(move |x| (x, y))) {
            let terms = surface_terms(&field, x, y);
            let value: f64 = terms.iter().zip(expected).map(|(term, a)| term * a).sum();
            for (row, term) in normal.iter_mut().zip(terms) {
                row.iter_mut().zip(terms.into_iter().chain([value])).for_each(|(sum, factor)| {
                    *sum += term * factor;
                });
            }
        }
        // The ridge is 1e-6 of the first diagonal element; the least eigenvalue is about 0.1 of it.
        for (got, expected) in solve(normal).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }
}
