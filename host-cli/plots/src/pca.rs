//! A set in its first three principal components.
//!
//! The covariance of the pixels is summed in whole numbers, so it is exact and does not depend on the order of the samples;
//! features are standardized first and rounded to multiples of 1/4096;
//! [`eigen`](crate::eigen) finds its largest eigenvectors. The sign of a component, which is free, is such that its largest
//! coordinate is positive.
//!
//! # Source
//!
//! Jolliffe, "Principal Component Analysis", 2nd edition, Springer 2002, section 1.1.

use anyhow::{Result, ensure};
use rayon::prelude::*;

use crate::axes::{Panel, Scale};
use crate::color::of_class;
use crate::eigen;
use crate::surface::{Anchor, Figure, Font, Surface, TITLE_HEIGHT, shorten};
use picomlp_train::Pool;
use picomlp_train::data::{Dataset, Scale as Brought, Scaling, Values};
use picomlp_train::text::grouped;

/// Components that are computed.
pub(crate) const COMPONENTS: usize = 3;

/// Pixels of an image at most: time and memory for the covariance grow with their square (some seconds at this number).
pub(crate) const MOST_PIXELS: usize = 48 * 48;

/// Points that are drawn at most.
const MOST_POINTS: usize = 4000;

/// Samples that are summed together.
const PART: usize = 4096;

/// Samples of a set, in coordinates of its principal components.
pub struct Pca {
    /// The share of the variance that each component holds.
    pub(crate) shares: [f64; COMPONENTS],
    /// Samples evenly from the whole set: coordinates, in units of the maximum value, and label.
    pub(crate) points: Vec<([f64; COMPONENTS], u16)>,
    /// The samples that the components were computed from.
    samples: usize,
    names: Vec<String>,
}

/// Exact sums over samples: of each pixel, and of each product of two (the upper triangle).
struct Sums {
    values: Vec<i64>,
    products: Vec<i64>,
}

/// What 1 standard deviation of a feature is, as a whole number.
const UNIT: f32 = 4096.0;

/// The inputs of a sample as whole numbers.
fn whole(data: &Dataset, scaling: &Scaling, sample: usize) -> Vec<i64> {
    match &data.inputs {
        Values::Bytes(_) => data.image(sample).iter().map(|pixel| i64::from(*pixel)).collect(),
        Values::Floats(values) => {
            let mut row = values[sample * data.pixels()..][..data.pixels()].to_vec();
            scaling.apply(&mut row);
            // Not beyond 16 deviations, so that no sum overflows.
            row.iter().map(|x| (x.clamp(-16.0, 16.0) * UNIT).round() as i64).collect()
        }
    }
}

impl Sums {
    fn new(pixels: usize) -> Self {
        Self { values: vec![0; pixels], products: vec![0; pixels * pixels] }
    }

    fn add_sample(&mut self, image: &[i64]) {
        let inked = (0..).zip(image.iter().copied()).filter(|(_, value)| *value != 0);
        let inked: Vec<(usize, i64)> = inked.collect();
        for (i, &(at, value)) in inked.iter().enumerate() {
            self.values[at] += value;
            let row = &mut self.products[at * image.len()..][..image.len()];
            for &(other, factor) in &inked[i..] {
                row[other] += value * factor;
            }
        }
    }

    fn add(mut self, other: Self) -> Self {
        let add = |to: &mut [i64], from: &[i64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut self.values, &other.values);
        add(&mut self.products, &other.products);
        self
    }
}

impl Pca {
    /// Of all samples of a set.
    ///
    /// # Errors
    ///
    /// If there is no sample, or its images have more than [`MOST_PIXELS`].
    pub fn new(pool: &Pool, data: &Dataset) -> Result<Self> {
        let pixels = data.pixels();
        ensure!(!data.is_empty(), "there is no sample to find principal components of");
        let what = if data.images().is_empty() { "features" } else { "pixels" };
        ensure!(
            pixels <= MOST_PIXELS,
            "principal components of {pixels} {what} take too long, expected at most {MOST_PIXELS}"
        );
        let scaling = match &data.inputs {
            Values::Bytes(_) => Scaling::default(),
            Values::Floats(values) => {
                Scaling::fit(values, pixels, &data.all(), Brought::Standardize)?
            }
        };
        let samples = data.all();
        let part = |samples: &[u32]| {
            let mut sums = Sums::new(pixels);
            samples.iter().for_each(|s| sums.add_sample(&whole(data, &scaling, *s as usize)));
            sums
        };
        let parts = || samples.par_chunks(PART).map(part);
        let sums = pool.run(|| parts().reduce(|| Sums::new(pixels), Sums::add));
        let count = data.len() as f64;
        let mean: Vec<f64> = sums.values.iter().map(|sum| *sum as f64 / count).collect();
        // In whole numbers up to the division: nothing cancels.
        let covariance = |row: usize, col: usize| {
            let (row, col) = (row.min(col), row.max(col));
            let products = i128::from(sums.products[row * pixels + col]) * data.len() as i128;
            let of_sums = i128::from(sums.values[row]) * i128::from(sums.values[col]);
            (products - of_sums) as f64 / (count * count)
        };
        let matrix: Vec<f64> =
            (0..pixels * pixels).map(|at| covariance(at / pixels, at % pixels)).collect();
        let variance: f64 = (0..pixels).map(|at| matrix[at * pixels + at]).sum();
        let mut shares = [0.0; COMPONENTS];
        let mut components = eigen::largest(&matrix, pixels, COMPONENTS);
        for (share, (value, vector)) in shares.iter_mut().zip(&mut components) {
            if variance > 0.0 {
                *share = *value / variance;
            }
            let larger = |most: f64, v: &f64| if v.abs() > most.abs() { *v } else { most };
            if vector.iter().fold(0.0, larger) < 0.0 {
                vector.iter_mut().for_each(|v| *v = -*v);
            }
        }
        let step = data.len().div_ceil(MOST_POINTS);
        let ink =
            if data.images().is_empty() { f64::from(UNIT) } else { f64::from(data.max.max(1)) };
        let place = |sample: usize| {
            let (row, mut place) = (whole(data, &scaling, sample), [0.0; COMPONENTS]);
            for (place, (_, component)) in place.iter_mut().zip(&components) {
                let terms = row.iter().zip(&mean).zip(component);
                *place = terms.fold(0.0, |sum, ((p, mean), c)| sum + (*p as f64 - mean) * c) / ink;
            }
            (place, data.labels().get(sample).copied().unwrap_or(0))
        };
        let points = (0..data.len()).step_by(step).map(place).collect();
        let names = (0..data.classes).map(|class| data.class_name(class)).collect();
        Ok(Self { shares, points, samples: data.len(), names })
    }

    /// The names of the classes.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What is drawn, in words.
    #[must_use]
    pub fn note(&self) -> String {
        let points = match self.points.len() {
            all if all == self.samples => format!("{} samples", grouped(all)),
            some => format!("{} of {} samples", grouped(some), grouped(self.samples)),
        };
        let shares = self.shares.map(|share| format!("{:.1}", 100.0 * share)).join(", ");
        format!("{points}; the first three components hold {shares} % of the variance")
    }

    /// The first two components.
    pub fn figure(&self) -> Figure {
        const SIDE: f64 = 520.0;
        let mut surface = Surface::default();
        surface.title("Principal components", &self.note());
        let axis = |component: usize| {
            let values = self.points.iter().map(|(place, _)| place[component]);
            Scale::around(values, 6.0)
        };
        let (left, top) = (106.0, TITLE_HEIGHT + 10.0);
        let panel = Panel { left, top, width: SIDE, height: SIDE, x: axis(0), y: axis(1) };
        let name = |component: usize| {
            format!("component {} ({:.1} %)", component + 1, 100.0 * self.shares[component])
        };
        panel.draw(&mut surface, [&name(0), &name(1)], "");
        for (place, label) in &self.points {
            let at = panel.place((place[0], place[1]));
            surface.circle(at, 2.2, of_class(usize::from(*label)), 0.65);
        }
        let names: Vec<String> = self.names.iter().map(|name| shorten(name, 16)).collect();
        let font = Font::new(13.0, Anchor::Start);
        let widest = names.iter().map(|name| font.width(name)).fold(30.0, f64::max);
        let rows = ((SIDE / 22.0) as usize).max(1);
        for (class, name) in names.iter().enumerate() {
            let x = left + SIDE + 26.0 + (widest + 30.0) * (class / rows) as f64;
            let y = top + 10.0 + 22.0 * (class % rows) as f64;
            surface.circle((x, y), 5.0, of_class(class), 1.0);
            surface.text(x + 13.0, y + 4.7, font, name);
        }
        let columns = names.len().div_ceil(rows) as f64;
        let width = left + SIDE + 26.0 + (widest + 30.0) * columns;
        surface.finish(width, top + SIDE + 56.0, "Principal components")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg;
    use picomlp_train::data::Targets;

    fn set(images: Vec<u8>, pixels: usize) -> Dataset {
        let labels = vec![0; images.len() / pixels];
        Dataset {
            inputs: images.into(),
            targets: Targets::Classes(labels),
            rows: 1,
            cols: pixels,
            classes: 1,
            max: 255,
            ..Dataset::default()
        }
    }

    #[test]
    fn components_are_those_of_a_set_that_lies_on_a_line() {
        // Along (3, 4), three steps of 5: deviations from the mean of -5, 0 and 5.
        let data = set(vec![10, 10, 13, 14, 16, 18], 2);
        let pca = Pca::new(&Pool::new(Some(1)).unwrap(), &data).unwrap();
        assert!((pca.shares[0] - 1.0).abs() < 1e-12 && pca.shares[2] == 0.0, "{:?}", pca.shares);
        for ((place, _), expected) in pca.points.iter().zip([-5.0, 0.0, 5.0]) {
            assert!((place[0] * 255.0 - expected).abs() < 1e-9, "{place:?}");
            assert!(place[1].abs() < 1e-9 && place[2] == 0.0, "{place:?}");
        }
    }

    /// Values of scikit-learn's PCA of its StandardScaler: two features that rise together, and one beside them.
    #[test]
    fn components_of_features_are_those_of_standardized_ones() {
        let rows = [[1.0f32, 10.0, -3.0], [2.0, 30.0, 1.0], [3.0, 20.0, 4.0], [4.0, 50.0, -1.0]];
        let mut data = set(vec![0; 12], 3);
        data.inputs = rows.as_flattened().to_vec().into();
        let pca = Pca::new(&Pool::new(Some(1)).unwrap(), &data).unwrap();
        for (share, expected) in pca.shares.iter().zip([0.641_470, 0.329_152, 0.029_378]) {
            assert!((share - expected).abs() < 1e-3, "{:?}", pca.shares);
        }
    }

    #[test]
    fn components_have_the_variance_that_their_share_says() {
        let images =
            picomlp_fixtures::values(7).take(400 * 9).map(|v| (v * 60.0 + 120.0) as u8).collect();
        let data = set(images, 9);
        let pool = |threads| Pool::new(Some(threads)).unwrap();
        let pca = Pca::new(&pool(1), &data).unwrap();
        let count = data.len() as f64;
        let total: f64 = (0..9)
            .map(|pixel| {
                let values = || (0..400).map(|sample| f64::from(data.image(sample)[pixel]) / 255.0);
                let mean = values().sum::<f64>() / count;
                values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count
            })
            .sum();
        for component in 0..COMPONENTS {
            let of =
                |f: fn(f64) -> f64| pca.points.iter().map(|(p, _)| f(p[component])).sum::<f64>();
            assert!(of(|v| v).abs() < 1e-9);
            let share = of(|v| v * v) / count / total;
            assert!((share - pca.shares[component]).abs() < 1e-9);
        }
        let again = Pca::new(&pool(3), &data).unwrap();
        assert_eq!(again.points, pca.points);
    }

    #[test]
    fn a_set_without_variance_or_samples_or_with_large_images_is_told_apart() {
        let pool = Pool::new(Some(1)).unwrap();
        let pca = Pca::new(&pool, &set(vec![7; 12], 4)).unwrap();
        assert_eq!((pca.shares, pca.points[2].0), ([0.0; 3], [0.0; 3]));
        assert!(svg::write(&pca.figure()).contains("component 1 (0.0 %)"));
        let error = |data: Dataset| Pca::new(&pool, &data).err().unwrap().to_string();
        assert!(error(set(vec![], 4)).contains("no sample"));
        assert!(error(set(vec![0; 2305], 2305)).contains("expected at most 2304"));
    }
}
