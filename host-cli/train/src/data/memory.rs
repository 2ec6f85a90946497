//! Data sets out of arrays that are in memory already.

use anyhow::{Result, ensure};

use super::dataset::{Dataset, Feature, Targets, Values};
use super::source::Source;
use crate::shape::Shape;

/// What stands where another set's file would be named.
const SOURCE: &str = "arrays in memory";

impl Dataset {
    /// Makes a set of `inputs`, `[len][shape]`, and the targets of each sample. Bytes are pixels from 0 to 255. Features and values
    /// to predict are called 1, 2, 3 and so on, classes 0, 1, 2: other names are set afterwards.
    ///
    /// # Errors
    ///
    /// If there is no sample, a number is not finite, or there are more or fewer targets than samples.
    pub fn from_arrays(inputs: Values, shape: Shape, targets: Targets) -> Result<Self> {
        let (width, numbers) = (shape.pixels(), |count| (1..=count).map(|i: usize| i.to_string()));
        let samples = inputs.len().checked_div(width).unwrap_or(0);
        ensure!(samples > 0, "expected samples of {shape} values, got none");
        ensure!(
            samples * width == inputs.len() && u32::try_from(samples).is_ok(),
            "{} values are no whole number of samples of {shape}, of which there may be 2^32",
            inputs.len()
        );
        let is_finite = |values: &[f32], what: &str, width: usize| {
            let bad = values.iter().position(|value| !value.is_finite());
            ensure!(
                bad.is_none(),
                "sample {}: {what} {} is not a finite number",
                bad.unwrap_or(0) / width,
                bad.unwrap_or(0) % width
            );
            Ok(())
        };
        let mut data = Self { rows: shape.rows, cols: shape.cols, ..Self::default() };
        match &inputs {
            Values::Bytes(_) => data.max = u8::MAX,
            Values::Floats(values) => {
                is_finite(values, "feature", width)?;
                (data.rows, data.cols) = (1, width);
                let feature = |name| Feature { name, unit: String::new() };
                data.features = numbers(width).map(feature).collect();
            }
        }
        let count = match &targets {
            Targets::Classes(labels) => {
                data.classes = labels.iter().max().map_or(0, |last| usize::from(*last) + 1);
                labels.len()
            }
            Targets::Values(values) | Targets::Labels(values) => {
                let width = values.len() / samples;
                ensure!(width > 0, "{samples} samples have {} targets", values.len());
                is_finite(values, "target", width)?;
                data.target_names = numbers(width).collect();
                values.len() / width
            }
        };
        ensure!(count == samples, "{samples} samples have {count} targets");
        Ok(Self { inputs, targets, source: Source::Path(SOURCE.into()), ..data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_become_a_set_or_the_error_names_the_place() {
        let shape = Shape { rows: 1, cols: 2 };
        let make =
            |inputs: &[f32], targets| Dataset::from_arrays(inputs.to_vec().into(), shape, targets);
        let data = make(&[1.0, 2.0, 3.0, 4.0], vec![0u8, 2].into()).unwrap();
        assert_eq!((data.len(), data.classes, data.max), (2, 3, 0));
        assert_eq!(data.features[1].name, "2");
        let pixels = Values::Bytes((&[1u8, 2, 3, 4][..]).into());
        let targets = Targets::Values(vec![0.5, 1.5, 2.5, 3.5]);
        let data = Dataset::from_arrays(pixels, shape, targets).unwrap();
        assert_eq!((data.outputs(), data.max, data.features.len()), (2, 255, 0));
        let error = |inputs: &[f32], targets| make(inputs, targets).unwrap_err().to_string();
        assert_eq!(error(&[], vec![0u8].into()), "expected samples of 1x2 values, got none");
        assert_eq!(error(&[1.0; 4], vec![0u8, 1, 2].into()), "2 samples have 3 targets");
        let bad = [1.0, 2.0, 3.0, f32::NAN];
        let what = "sample 1: feature 1 is not a finite number";
        assert_eq!(error(&bad, vec![0u8, 1].into()), what);
    }
}
