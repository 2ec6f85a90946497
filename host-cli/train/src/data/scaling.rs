//! A scale and a shift for each feature or target.

use anyhow::{Result, ensure};

use crate::named;

named! {
    /// What features are brought to, each by itself.
    pub enum Scale {
        /// Mean 0 and standard deviation 1 over the training samples.
        Standardize = "standardize",
        /// 0 to 1 over the training samples.
        MinMax = "minmax",
        /// The numbers that the file holds.
        None = "none",
    }
}

/// Reads a value `x` of a column as `x·scale + shift`, each operation rounded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scaling {
    /// By column.
    pub scales: Vec<f32>,
    /// By column.
    pub shifts: Vec<f32>,
    /// What stands in for a missing value (NaN), by column; empty if none is missing.
    pub fill: Vec<f32>,
}

/// Puts the values of `fill` in place of NaN in rows.
pub(super) fn fill(values: &mut [f32], fill: &[f32]) {
    for row in values.chunks_exact_mut(fill.len()) {
        for (x, fill) in row.iter_mut().zip(fill).filter(|(x, _)| x.is_nan()) {
            *x = *fill;
        }
    }
}

impl Scaling {
    /// Finds the scales of `values`, rows of `width`, from the rows that `samples` name. A column that is the same in all of
    /// them is shifted alone. If values are missing anywhere, they are filled with the mean of these rows.
    ///
    /// # Errors
    ///
    /// If a scale or shift is beyond the range of f32, or a column is missing in all of these rows.
    pub fn fit(values: &[f32], width: usize, samples: &[u32], how: Scale) -> Result<Self> {
        let rows = || samples.iter().map(|&sample| &values[sample as usize * width..][..width]);
        // The offset of the values does not cost precision: moments are those around the first row.
        let mut first: Vec<f64> =
            rows().next().unwrap_or(&[]).iter().map(|x| f64::from(*x)).collect();
        let mut sums = vec![[0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY]; width];
        let mut missing = vec![0usize; width];
        for row in rows() {
            let columns = sums.iter_mut().zip(row).zip(&mut first).zip(&mut missing);
            for (((sums, x), first), missing) in columns {
                if x.is_nan() {
                    *missing += 1;
                    continue;
                }
                if first.is_nan() {
                    *first = f64::from(*x);
                }
                let x = f64::from(*x) - *first;
                *sums = [sums[0] + x, sums[1] + x * x, sums[2].min(x), sums[3].max(x)];
            }
        }
        let has_gaps = missing.iter().any(|&count| count > 0) || values.iter().any(|x| x.is_nan());
        let mut scaling = Self::default();
        for (column, ([sum, squares, low, high], first)) in sums.iter().zip(first).enumerate() {
            let count = samples.len() - missing[column];
            ensure!(
                count > 0 || samples.is_empty(),
                "column {} of the features is missing in every training sample: leave it out by --drop",
                column + 1
            );
            // What is filled with the mean counts, too.
            let known = count.max(1) as f64 / samples.len().max(1) as f64;
            let count = count.max(1) as f64;
            let mean = sum / count;
            if has_gaps {
                scaling.fill.push((first + mean) as f32);
            }
            let (from, span) = match how {
                Scale::Standardize => {
                    (mean, ((squares / count - mean * mean) * known).max(0.0).sqrt())
                }
                Scale::MinMax => (*low, high - low),
                Scale::None => (-first, 1.0),
            };
            let span = if high > low { span } else { 1.0 };
            let (scale, shift) = ((1.0 / span) as f32, (-(first + from) / span) as f32);
            ensure!(
                scale.is_normal() && shift.is_finite(),
                "column {} of the features cannot be scaled: its values range from {} to {}",
                column + 1,
                first + low,
                first + high
            );
            scaling.scales.push(scale);
            scaling.shifts.push(shift);
        }
        Ok(scaling)
    }

    /// Returns what takes scaled values back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let spans = || self.scales.iter().map(|scale| 1.0 / f64::from(*scale));
        let shifts = spans().zip(&self.shifts).map(|(span, shift)| -f64::from(*shift) * span);
        Self {
            scales: spans().map(|span| span as f32).collect(),
            shifts: shifts.map(|shift| shift as f32).collect(),
            fill: Vec::new(),
        }
    }

    /// Fills and scales rows of values; an empty scaling leaves them.
    pub fn apply(&self, values: &mut [f32]) {
        if !self.fill.is_empty() {
            fill(values, &self.fill);
        }
        if self.scales.is_empty() {
            return;
        }
        for row in values.chunks_exact_mut(self.scales.len()) {
            for ((x, scale), shift) in row.iter_mut().zip(&self.scales).zip(&self.shifts) {
                *x = *x * scale + shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(values: &[f32], how: Scale) -> Vec<f32> {
        let samples: Vec<u32> = (0..).take(values.len() / 2).collect();
        let mut scaled = values.to_vec();
        Scaling::fit(values, 2, &samples, how).unwrap().apply(&mut scaled);
        scaled
    }

    #[test]
    fn each_column_gets_its_own_scale() {
        let values = [1.0, 1024.0, 3.0, 3072.0, 1.0, 3072.0, 3.0, 1024.0];
        let standardized = [-1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0];
        assert_eq!(scaled(&values, Scale::Standardize), standardized);
        assert_eq!(scaled(&values, Scale::MinMax), standardized.map(|x: f32| x.max(0.0)));
        assert_eq!(scaled(&values, Scale::None), values);
    }

    #[test]
    fn scales_are_those_of_the_samples_that_are_named_and_constants_become_0() {
        let values = [1.0, 7.0, 3.0, 7.0, 100.0, 9.0];
        let scaling = Scaling::fit(&values, 2, &[0, 1], Scale::Standardize).unwrap();
        let expected = Scaling { scales: vec![1.0, 1.0], shifts: vec![-2.0, -7.0], fill: vec![] };
        assert_eq!(scaling, expected);
    }

    #[test]
    fn values_far_from_zero_keep_their_precision() {
        let values: Vec<f32> = (0..1000).map(|i| 101_325.0 + (i % 10) as f32).collect();
        let samples: Vec<u32> = (0..1000).collect();
        let scaling = Scaling::fit(&values, 1, &samples, Scale::Standardize).unwrap();
        let deviation = 8.25_f64.sqrt(); // of 0 to 9
        assert_eq!(scaling.scales, [(1.0 / deviation) as f32]);
    }

    #[test]
    fn missing_values_get_the_mean_of_the_training_samples() {
        let nan = f32::NAN;
        let values = [nan, 1.0, 2.0, nan, 4.0, 5.0, 100.0, 100.0, nan, nan];
        let scaling = Scaling::fit(&values, 2, &[0, 1, 2], Scale::Standardize).unwrap();
        assert_eq!(scaling.fill, [3.0, 3.0]);
        let mut scaled = values;
        scaling.apply(&mut scaled);
        let one = 1.5_f32.sqrt(); // of -1, 0 and 1
        let expected = [0.0, -one, -one, 0.0, one, one];
        assert!(expected.iter().zip(scaled).all(|(a, b)| (a - b).abs() < 1e-6), "{scaled:?}");
        assert!(scaled[8..].iter().all(|filled| filled.abs() < 1e-6), "{scaled:?}");
        let error = Scaling::fit(&values, 2, &[0, 4], Scale::Standardize).unwrap_err().to_string();
        assert!(error.starts_with("column 1 of the features is missing in every"), "{error}");
    }

    #[test]
    fn the_inverse_takes_values_back() {
        let scaling = Scaling { scales: vec![0.25, 4.0], shifts: vec![-1.0, 8.0], fill: vec![] };
        let mut values = [3.0, 0.5];
        scaling.apply(&mut values);
        scaling.inverse().apply(&mut values);
        assert_eq!(values, [3.0, 0.5]);
    }
}
