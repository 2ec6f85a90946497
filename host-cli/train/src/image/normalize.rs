//! Brings an image of one digit into the form that MNIST's images have.
//!
//! MNIST's digits are light on dark, scaled to fit a box of 20x20 pixels with their proportions
//! kept, anti-aliased, and placed in a field of 28x28 so that their center of mass is the field's
//! center. A network trained on them reads other images well only if they look the same. The way
//! there:
//!
//! 1. An image that has this form already is returned as it is.
//! 2. A large image is shrunk to 512 pixels along its longer side, by averaging.
//! 3. The paper is found: a surface of second degree, fitted to the pixels that differ little from
//!    the border's level. Ink is what differs much from it. Thus uneven light and paper that is not
//!    quite white do no harm; a sharp shadow across the paper does.
//! 4. Ink is either darker or lighter than the paper, whichever stands out more.
//! 5. Connected ink is gathered into blobs; tiny ones, and those much smaller than the largest, are
//!    specks and are left out.
//! 6. The box around the rest is scaled to fit, its strongest ink stretched to 255, and placed by
//!    its center of mass.
//!
//! # Source
//!
//! LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
//! <http://yann.lecun.com/exdb/mnist/>: box, field and center of mass. Which pixel is the center,
//! and how exactly, was counted in MNIST's 10 000 test images: all but three have a box of 20
//! pixels (those three 19), and their centers of mass are within half a pixel of column and row 14
//! (counted from 0).

use anyhow::{Result, bail, ensure};

use super::gray::GrayImage;
use super::resample::{mean, resample};

/// Pixels of the longer side to which larger images are shrunk first; 25 times what the result
/// needs.
const WORKING_SIDE: usize = 512;

/// Gray levels by which ink must differ from the paper.
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
/// 300 of MNIST's test images, enlarged and drawn on larger paper, came back with these mean
/// differences in gray levels (`Catrom` / `Triangle`): clean paper 6.5 / 7.3, noisy 6.5 / 7.3,
/// uneven light 6.7 / 7.7, thin strokes 14.3 / 13.8. Enlarging 150 of them in two other ways gave
/// the same order. How many of them a nearest neighbour among 10 000 training images named
/// rightly did not tell the two apart. `Gaussian`, tried on 100 only, was further away on all but
/// thin strokes.
const FILTER: resize::Type = resize::Type::Catrom;

/// Brings the digit in `image` into MNIST's form, `[rows][cols]`, light on dark; returns what speaks against one digit, too, if
/// something does.
///
/// For another field than 28x28 the box is scaled likewise, to 20/28 of the shorter side.
/// The image should hold one digit: several are treated as one.
///
/// # Errors
///
/// `rows` or `cols` is 0; there is no ink, or nothing but specks.
///
/// # Examples
///
/// ```
/// use picomlp_train::image::{GrayImage, normalize};
///
/// // A black bar of 10x40 pixels in a corner of a white page.
/// let page = GrayImage::from_fn(100, 80, |x, y| {
///     if (5..15).contains(&x) && (5..45).contains(&y) { 0 } else { 255 }
/// });
/// let (digit, _) = normalize(&page, 28, 28)?;
/// let ink = |row: usize| digit[row * 28..][..28].iter().filter(|pixel| **pixel == 255).count();
/// assert_eq!([ink(3), ink(4), ink(23), ink(24)], [0, 5, 5, 0]);
/// # anyhow::Ok(())
/// ```
pub fn normalize(
    image: &GrayImage,
    rows: usize,
    cols: usize,
) -> Result<(Vec<u8>, Option<&'static str>)> {
    ensure!(rows > 0 && cols > 0, "cannot make an image of {rows}x{cols} pixels");
    let size = (image.width() as usize, image.height() as usize);
    ensure!(size.0 > 0 && size.1 > 0, "no ink found: the image has no pixels");

    if size == (cols, rows) {
        let inverted = image.as_raw().iter().map(|level| 255 - level).collect();
        if let Some(ready) = [image.as_raw().to_vec(), inverted]
            .into_iter()
            .find(|pixels| is_normalized(pixels, rows, cols))
        {
            return Ok((ready, None));
        }
    }

    let ink = Field::shrunk(image)?.into_ink()?;
    let (digit, note) = ink.digit()?;
    Ok((place(&scale(&digit, box_side(rows, cols))?, rows, cols), note))
}

/// The side of the box that a digit is scaled to, in pixels.
fn box_side(rows: usize, cols: usize) -> usize {
    (rows.min(cols) * 20 + 14).div_euclid(28).max(1)
}

/// Tells whether an image is in MNIST's form, up to one pixel of size and place.
pub(crate) fn is_normalized(pixels: &[u8], rows: usize, cols: usize) -> bool {
    let field = Field {
        width: cols,
        height: rows,
        values: pixels.iter().map(|level| f32::from(*level)).collect(),
    };
    let Some(frame) = Frame::around(&field, |index| pixels[index] > 0) else { return false };
    let (x, y) = field.center_of_mass();
    let near = |center: f32, side: usize| (center - (side / 2) as f32).abs() <= 1.0;
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
    /// The gray levels of `image`, averaged down to [`WORKING_SIDE`] where it is larger.
    fn shrunk(image: &GrayImage) -> Result<Self> {
        let size = (image.width() as usize, image.height() as usize);
        let longer = size.0.max(size.1);
        if longer <= WORKING_SIDE {
            let values = image.as_raw().iter().map(|level| f32::from(*level)).collect();
            return Ok(Self { width: size.0, height: size.1, values });
        }
        let side = |side: usize| (side * WORKING_SIDE / longer).max(1);
        let (width, height) = (side(size.0), side(size.1));
        let values = resample(image.as_raw(), size, (width, height), mean())?;
        Ok(Self { width, height, values })
    }

    fn longer_side(&self) -> usize {
        self.width.max(self.height)
    }

    /// Turns gray levels into ink: 0 is paper, 1 the usual ink, on either side of them noise.
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

    /// Cuts the digit out of a field of ink and clears everything around it; says what speaks against one digit.
    fn digit(&self) -> Result<(Self, Option<&'static str>)> {
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
        let kept_blobs = masses.iter().zip(&frames).zip(&is_digit);
        let kept_blobs: Vec<(f32, Frame)> = kept_blobs
            .filter(|(_, is_digit)| **is_digit)
            .filter_map(|((mass, frame), _)| Some((*mass, (*frame)?)))
            .collect();
        let note = self.doubt(&frame, |index| is_ink[index] && kept(index), &kept_blobs);
        let values = (frame.top..=frame.bottom)
            .flat_map(|y| (frame.left..=frame.right).map(move |x| y * self.width + x))
            .map(|index| if kept(index) { self.values[index].min(1.0) } else { 0.0 })
            .collect();
        Ok((Self { width: frame.width(), height: frame.height(), values }, note))
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
    /// Taken over the border too, because a bold digit may cover more than half of the image.
    fn noise(&self) -> f32 {
        let all = median(self.values.iter().map(|value| value.abs()));
        let border = median(self.border().map(|index| self.values[index].abs()));
        // The quartile of the normal distribution is 1 / 1.4826.
        1.4826 * all.min(border)
    }

    /// Column and row of the center of mass, counted from 0 at the middle of the first pixel.
    fn center_of_mass(&self) -> (f32, f32) {
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
fn scale(digit: &Field, side: usize) -> Result<Field> {
    let longer = digit.longer_side();
    let scaled = |length: usize| ((length * side + longer / 2) / longer).max(1);
    let (width, height) = (scaled(digit.width), scaled(digit.height));
    let ink: Vec<f32> = digit.values.iter().map(|value| value.max(0.0)).collect();
    let mut values = resample(&ink, (digit.width, digit.height), (width, height), FILTER)?;
    // The filter overshoots at edges.
    values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));

    // A stroke thinner than a pixel comes out faint all over; the top tenth of the ink sets the
    // scale.
    let highest = values.iter().copied().fold(0.0, f32::max);
    let mut ink: Vec<f32> = values.iter().copied().filter(|value| *value > highest / 8.0).collect();
    if !ink.is_empty() {
        let rank = ink.len() * 9 / 10;
        let peak = *ink.select_nth_unstable_by(rank, f32::total_cmp).1;
        values.iter_mut().for_each(|value| *value = (*value / peak).min(1.0));
    }
    Ok(Field { width, height, values })
}

/// Places a digit in a dark field with its center of mass in the center, as far as it fits.
fn place(digit: &Field, rows: usize, cols: usize) -> Vec<u8> {
    let (x, y) = digit.center_of_mass();
    let offset = |center: f32, length: usize, field: usize| {
        let offset = ((field / 2) as f32 - center - 0.5).ceil().max(0.0) as usize;
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

mod doubt;
#[cfg(test)]
mod tests;
