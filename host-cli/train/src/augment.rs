//! Random variations of training samples, drawn anew for every step: shifts, rotations, scales and elastic distortions of
//! images, and shifts, scales and noise of series.
//!
//! The variation of a sample depends on the seed, the step and the sample alone, and is computed in f32 by operations that are
//! exact or rounded alike everywhere (`libm` for sine and cosine): the same bits on any machine, with any number of threads.
//!
//! # Source
//!
//! Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document analysis",
//! ICDAR 2003 (images); Um and others, "Data augmentation of wearable sensor data", ICMI 2017 (series).

use core::fmt;
use core::str::FromStr;

use anyhow::{Result, bail, ensure};
use picomlp::rng::{Purpose, Stream};
use rayon::prelude::*;

use crate::data::{Dataset, Scaling, Values};
use crate::number::not_negative;

/// The kinds, in the order in which they are written, and whether they are for images and for features.
const KINDS: [(&str, bool, bool); 5] = [
    ("shift", true, true),
    ("rotate", true, false),
    ("scale", true, true),
    ("elastic", true, false),
    ("jitter", false, true),
];
const SHIFT: usize = 0;
const SCALE: usize = 2;

/// Points of the grid that an elastic distortion moves, in each direction.
const GRID: usize = 6;

/// How strongly training samples are varied; 0 is not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augment([f32; KINDS.len()]);

impl FromStr for Augment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for word in text.split(',') {
            let names = KINDS.map(|(name, ..)| name).join(", ");
            let wrong = || format!("'{word}': expected KIND=AMOUNT, the kind one of {names}");
            let (name, amount) = word.split_once('=').ok_or_else(wrong)?;
            let kind =
                KINDS.iter().position(|(kind, ..)| *kind == name.trim()).ok_or_else(wrong)?;
            let amount = not_negative(amount.trim()).map_err(|why| format!("'{word}': {why}"))?;
            let most = [f32::MAX, 180.0, 1.0, f32::MAX, f32::MAX][kind];
            if amount > most || kind == SCALE && amount >= 1.0 {
                return Err(match kind {
                    SCALE => format!("'{word}': expected a fraction from 0 to below 1"),
                    _ => format!("'{word}': expected 0 to 180 degrees"),
                });
            }
            all.0[kind] = amount;
        }
        Ok(all)
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = KINDS.iter().zip(self.0).filter(|(_, amount)| *amount > 0.0);
        let words: Vec<_> = given.map(|((name, ..), amount)| format!("{name}={amount}")).collect();
        f.write_str(if words.is_empty() { "shift=0" } else { "" })?;
        f.write_str(&words.join(","))
    }
}

/// Varies the samples of one data set.
#[derive(Debug)]
pub(crate) struct Augmenter {
    amounts: [f32; KINDS.len()],
    seed: u64,
    rows: usize,
    cols: usize,
    /// The columns of each series of features, in the order of its steps.
    channels: Vec<Vec<usize>>,
}

impl Augmenter {
    /// # Errors
    ///
    /// If a variation is not for such data.
    pub(crate) fn new(augment: &Augment, data: &Dataset, seed: u64) -> Result<Self> {
        let are_images = matches!(data.inputs, Values::Bytes(_));
        for ((name, images, features), amount) in KINDS.iter().zip(augment.0) {
            if amount > 0.0 && !(if are_images { *images } else { *features }) {
                let [is_for, holds] =
                    if are_images { ["features", "images"] } else { ["images", "features"] };
                bail!("--augment {name} is for {is_for}, and {} holds {holds}", data.source);
            }
        }
        let channels = if are_images { Vec::new() } else { channels(data) };
        let longest = channels.iter().map(Vec::len).max().unwrap_or(data.cols);
        ensure!(
            are_images || augment.0[SHIFT] == 0.0 || longest > 1,
            "--augment shift is for series, whose columns are named by channel and step as in acc_x_0, acc_x_1, …; {} has none",
            data.source
        );
        ensure!(
            augment.0[SHIFT] < longest as f32,
            "--augment shift={} is no less than the {longest} {} of a sample",
            augment.0[SHIFT],
            if are_images { "columns" } else { "steps" }
        );
        Ok(Self { amounts: augment.0, seed, rows: data.rows, cols: data.cols, channels })
    }

    fn stream(&self, step: u64, sample: u32) -> Stream {
        Stream::of(self.seed, Purpose::Augment, &[step, sample.into()])
    }

    /// Varies images, next to each other, of the samples `batch` in a step.
    pub(crate) fn images(&self, step: u64, batch: &[u32], images: &mut [u8]) {
        let images = images.par_chunks_exact_mut(self.rows * self.cols).zip(batch);
        images.for_each_init(Vec::new, |source, (image, sample)| {
            source.clear();
            source.extend_from_slice(image);
            self.image(&mut self.stream(step, *sample), source, image);
        });
    }

    /// Draws `image`, varied from `source`: each pixel is interpolated between the four around the place that it comes from.
    fn image(&self, stream: &mut Stream, source: &[u8], image: &mut [u8]) {
        let [shift, rotate, scale, elastic, _] = self.amounts;
        let (right, down) = (shift * stream.uniform(), shift * stream.uniform());
        let angle = rotate * stream.uniform() * (core::f32::consts::PI / 180.0);
        let size = 1.0 / (1.0 + scale * stream.uniform());
        let (sin, cos) = (libm::sinf(angle) * size, libm::cosf(angle) * size);
        let mut moved = [[[0.0f32; 2]; GRID]; GRID];
        if elastic > 0.0 {
            let points = moved.as_flattened_mut().iter_mut();
            points.for_each(|point| {
                *point = [elastic * stream.uniform(), elastic * stream.uniform()]
            });
        }
        let (rows, cols) = (self.rows, self.cols);
        let [middle_row, middle_col] = [rows, cols].map(|side| (side as f32 - 1.0) * 0.5);
        let at = |row: f32, col: f32| {
            let inside = row >= 0.0 && col >= 0.0 && row < rows as f32 && col < cols as f32;
            if inside { f32::from(source[row as usize * cols + col as usize]) } else { 0.0 }
        };
        for (row, line) in image.chunks_exact_mut(cols).enumerate() {
            for (col, pixel) in line.iter_mut().enumerate() {
                let (y, x) = (row as f32 - middle_row - down, col as f32 - middle_col - right);
                let mut from = [cos * y - sin * x + middle_row, sin * y + cos * x + middle_col];
                if elastic > 0.0 {
                    let place = [(row, rows), (col, cols)].map(|(at, side)| {
                        at as f32 * ((GRID - 1) as f32 / (side - 1).max(1) as f32)
                    });
                    let [i, j] = place.map(|place| (place as usize).min(GRID - 2));
                    let [u, v] = [place[0] - i as f32, place[1] - j as f32];
                    for (axis, from) in from.iter_mut().enumerate() {
                        let point = |i: usize, j: usize| moved[i][j][axis];
                        *from += between(
                            u,
                            between(v, point(i, j), point(i, j + 1)),
                            between(v, point(i + 1, j), point(i + 1, j + 1)),
                        );
                    }
                }
                let [top, left] = from.map(floor);
                let (u, v) = (from[0] - top, from[1] - left);
                let value = between(
                    u,
                    between(v, at(top, left), at(top, left + 1.0)),
                    between(v, at(top + 1.0, left), at(top + 1.0, left + 1.0)),
                );
                *pixel = (value + 0.5) as u8;
            }
        }
    }

    /// Varies features, rows next to each other, of the samples `batch` in a step, and scales them: series are shifted in their
    /// own units, their ends continuing each other; noise and scale are those of scaled features.
    pub(crate) fn features(&self, step: u64, batch: &[u32], rows: &mut [f32], scaling: &Scaling) {
        let [shift, _, scale, _, jitter] = self.amounts;
        let rows = rows.par_chunks_exact_mut(self.cols).zip(batch);
        rows.for_each_init(Vec::new, |source, (row, sample)| {
            let mut stream = self.stream(step, *sample);
            let most = shift as u32;
            let steps = stream.below(2 * most + 1);
            if steps != most {
                source.clear();
                source.extend_from_slice(row);
                for channel in &self.channels {
                    let by = i64::from(steps) - i64::from(most);
                    let by = by.rem_euclid(channel.len() as i64) as usize;
                    let from = channel.iter().cycle().skip(by);
                    channel.iter().zip(from).for_each(|(to, from)| row[*to] = source[*from]);
                }
            }
            scaling.apply(row);
            let factor = 1.0 + scale * stream.uniform();
            for pair in row.chunks_mut(2) {
                let noise = if jitter > 0.0 { stream.normals() } else { [0.0; 2] };
                pair.iter_mut().zip(noise).for_each(|(x, noise)| *x = *x * factor + jitter * noise);
            }
        });
    }
}

/// Of numbers that an `i32` holds; faster than a call where the processor has no instruction for it.
fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

fn between(share: f32, from: f32, to: f32) -> f32 {
    from + share * (to - from)
}

/// The columns of each channel: those whose names differ in a last number alone, in its order.
fn channels(data: &Dataset) -> Vec<Vec<usize>> {
    let mut channels: Vec<(&str, Vec<(u64, usize)>)> = Vec::new();
    for (column, feature) in data.features.iter().enumerate() {
        let name = feature.name.trim_end_matches(|c: char| c.is_ascii_digit());
        let step = feature.name[name.len()..].parse().unwrap_or(0);
        match channels.iter_mut().find(|(of, _)| *of == name) {
            Some((_, columns)) => columns.push((step, column)),
            None => channels.push((name, vec![(step, column)])),
        }
    }
    let sorted = |(_, mut columns): (_, Vec<(u64, usize)>)| {
        columns.sort_unstable();
        columns.into_iter().map(|(_, column)| column).collect()
    };
    channels.into_iter().map(sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Feature;

    fn series(names: &[&str]) -> Dataset {
        let features =
            names.iter().map(|name| Feature { name: (*name).into(), unit: String::new() });
        Dataset {
            inputs: vec![0.0f32; names.len()].into(),
            rows: 1,
            cols: names.len(),
            features: features.collect(),
            ..Dataset::default()
        }
    }

    fn images(rows: usize, cols: usize) -> Dataset {
        Dataset {
            inputs: vec![0u8; rows * cols].into(),
            rows,
            cols,
            max: 255,
            ..Dataset::default()
        }
    }

    fn augmenter(text: &str, data: &Dataset) -> Result<Augmenter> {
        Augmenter::new(&text.parse().unwrap(), data, 1)
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for text in ["shift=2,rotate=10,scale=0.1,elastic=4", "shift=5,scale=0.1,jitter=0.05"] {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), text);
        }
        for text in ["", "shift", "turn=3", "shift=-1", "scale=1", "rotate=181", "shift=x"] {
            assert!(text.parse::<Augment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_series_is_rolled_by_channel_wherever_its_columns_stand() {
        let data = series(&["x_0", "y_0", "x_1", "y_1", "x_2", "y_2"]);
        let augmenter = augmenter("shift=2", &data).unwrap();
        let rolls = [
            [0.0, 10.0, 1.0, 11.0, 2.0, 12.0],
            [1.0, 11.0, 2.0, 12.0, 0.0, 10.0],
            [2.0, 12.0, 0.0, 10.0, 1.0, 11.0],
        ];
        let mut seen = [0; 3];
        for step in 0..60 {
            let mut row = rolls[0];
            augmenter.features(step, &[7], &mut row, &Scaling::default());
            seen[rolls.iter().position(|roll| *roll == row).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| *count > 8), "{seen:?}");
    }

    #[test]
    fn noise_and_scale_are_those_of_scaled_features() {
        let data = series(&["a", "b"]);
        let scaling = Scaling { scales: vec![0.5, 0.5], shifts: vec![-1.0, -1.0], fill: vec![] };
        let augmenter = augmenter("jitter=0.1,scale=0.2", &data).unwrap();
        let (mut sum, mut squares) = (0.0, 0.0);
        for step in 0..2000 {
            let mut row = [2.0, 4.0];
            augmenter.features(step, &[0], &mut row, &scaling);
            sum += row[1];
            squares += row[0] * row[0];
        }
        assert!((sum / 2000.0 - 1.0).abs() < 0.02 && (squares / 2000.0 - 0.01).abs() < 0.001);
    }

    #[test]
    fn images_are_varied_to_the_same_bits_everywhere() {
        let image: Vec<u8> =
            (0..20 * 16).map(|i| if i % 16 > 5 && i / 16 > 8 { 200 } else { 0 }).collect();
        let augmenter =
            augmenter("shift=2,rotate=15,scale=0.1,elastic=1.5", &images(20, 16)).unwrap();
        let mut batch = [image.clone(), image.clone()].concat();
        augmenter.images(3, &[0, 1], &mut batch);
        let (a, b) = batch.split_at(image.len());
        assert!(a != b && a != image);
        let sum = |image: &[u8]| image.iter().map(|pixel| u32::from(*pixel)).sum::<u32>();
        assert!(sum(a).abs_diff(sum(&image)) < sum(&image) / 2);
        let again = picomlp::fingerprint::fnv1a(picomlp::fingerprint::FNV_OFFSET, &batch);
        assert_eq!(format!("{again:016x}"), "c32c09620615b1c0");
        // A whole shift moves pixels and changes none.
        let none = Augmenter::new(&"rotate=0".parse().unwrap(), &images(20, 16), 1).unwrap();
        let mut same = image.clone();
        none.images(3, &[0], &mut same);
        assert_eq!(same, image);
    }

    #[test]
    fn what_is_not_for_the_data_is_refused() {
        let error = |text: &str, data: &Dataset| augmenter(text, data).unwrap_err().to_string();
        assert!(error("rotate=5", &series(&["a"])).contains("--augment rotate is for images"));
        assert!(error("jitter=5", &images(4, 4)).contains("--augment jitter is for features"));
        assert!(error("shift=1", &series(&["a", "b"])).contains("named by channel and step"));
        assert!(error("shift=2", &series(&["a0", "a1"])).contains("no less than the 2 steps"));
    }
}
