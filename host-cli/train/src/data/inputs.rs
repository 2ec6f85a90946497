//! How the values of a data set become the inputs of a network: the value of `--inputs`.

use anyhow::{Result, ensure};
use picomlp::InputMap;
use picomlp::blob::InputStats;

use super::dataset::Dataset;
use crate::named;

named! {
    /// The range that the values of a data set are scaled to.
    pub enum Inputs {
        /// 0 to 1.
        Unit = "unit",
        /// -1 to 1.
        Signed = "signed",
        /// Mean 0 and standard deviation 1 over all values of the training samples.
        Standardized = "standardized",
        /// The numbers that the file holds.
        Raw = "raw",
    }
}

impl Inputs {
    /// Returns the map that gives `samples` of `data` these inputs.
    ///
    /// # Errors
    ///
    /// If the samples' pixels are all alike, so that their standard deviation is 0, or a range is set for features.
    pub fn map(self, data: &Dataset, samples: &[u32]) -> Result<InputMap> {
        if data.max == 0 {
            ensure!(
                self == Self::default(),
                "--inputs {self} is for pixels, and {} holds features",
                data.source
            );
            return Ok(InputMap { scale: 1.0, shift: 0.0 });
        }
        match self.fixed(data.max) {
            Some(map) => Ok(map),
            None => standard(data, samples),
        }
    }

    /// Returns the map of values from 0 to `max`; nothing for one that depends on the data.
    pub(crate) fn fixed(self, max: u8) -> Option<InputMap> {
        let limit = f32::from(max);
        Some(match self {
            // Not 1 / max: the constant says what the kernels have a name for.
            Self::Unit if max == u8::MAX => InputMap::PIXELS,
            Self::Unit => InputMap { scale: 1.0 / limit, shift: 0.0 },
            Self::Signed => InputMap { scale: 2.0 / limit, shift: -1.0 },
            Self::Standardized => return None,
            Self::Raw => InputMap { scale: 1.0, shift: 0.0 },
        })
    }
}

/// The map that gives the values of these samples mean 0 and standard deviation 1.
fn standard(data: &Dataset, samples: &[u32]) -> Result<InputMap> {
    let [mean, deviation] = moments(data, samples);
    ensure!(deviation > 0.0, "--inputs standardized: all pixels of the training samples are alike");
    Ok(InputMap { scale: (1.0 / deviation) as f32, shift: (-mean / deviation) as f32 })
}

/// Mean and standard deviation of the pixels of these samples.
///
/// From counts of the 256 values: exact, whatever the order.
fn moments(data: &Dataset, samples: &[u32]) -> [f64; 2] {
    let mut counts = [0u64; 256];
    for &sample in samples {
        data.image(sample as usize).iter().for_each(|&pixel| counts[usize::from(pixel)] += 1);
    }
    let values = || (0u64..).zip(counts);
    let count = counts.iter().sum::<u64>() as f64;
    let mean = values().map(|(value, count)| value * count).sum::<u64>() as f64 / count;
    let square = values().map(|(value, count)| value * value * count).sum::<u64>() as f64 / count;
    [mean, (square - mean * mean).max(0.0).sqrt()]
}

/// What a model records of the raw values of these samples, of which there is at least one.
pub(crate) fn stats(data: &Dataset, samples: &[u32]) -> InputStats {
    let [mean, deviation] = moments(data, samples).map(|moment| moment as f32);
    let sums = samples.iter().map(|&sample| {
        data.image(sample as usize).iter().map(|&pixel| u64::from(pixel)).sum::<u64>()
    });
    let [lowest, highest] = [sums.clone().min(), sums.max()]
        .map(|sum| (sum.unwrap_or(0) as f64 / data.pixels() as f64) as f32);
    InputStats { mean, deviation, lowest, highest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pixels: &[u8], max: u8) -> Dataset {
        Dataset {
            inputs: pixels.to_vec().into(),
            targets: vec![0u8; pixels.len()].into(),
            rows: 1,
            cols: 1,
            max,
            classes: 1,
            ..Dataset::default()
        }
    }

    fn read(inputs: Inputs, pixels: &[u8], max: u8) -> Vec<f32> {
        let samples: Vec<u32> = (0..).take(pixels.len()).collect();
        let map = inputs.map(&data(pixels, max), &samples).unwrap();
        pixels.iter().map(|&pixel| f32::from(pixel) * map.scale + map.shift).collect()
    }

    #[test]
    fn inputs_reach_the_ends_of_their_range() {
        for max in 1..=255 {
            let ends = |inputs| <[f32; 2]>::try_from(read(inputs, &[0, max], max)).unwrap();
            // The scale is rounded once, its product once more: 2 half units in the last place of the span.
            let [low, high] = ends(Inputs::Unit);
            assert!(low == 0.0 && (high - 1.0).abs() <= f32::EPSILON, "{max}: {high}");
            let [low, high] = ends(Inputs::Signed);
            assert!(low == -1.0 && (high - 1.0).abs() <= 2.0 * f32::EPSILON, "{max}: {high}");
            assert_eq!(ends(Inputs::Raw), [0.0, f32::from(max)]);
        }
        assert_eq!(Inputs::Unit.map(&data(&[0], 255), &[0]).unwrap(), InputMap::PIXELS);
    }

    #[test]
    fn stats_are_those_of_the_samples_that_are_named() {
        let data = Dataset { cols: 2, ..data(&[2, 4, 6, 8, 200, 200], 255) };
        let expected =
            InputStats { mean: 5.0, deviation: 5.0_f32.sqrt(), lowest: 3.0, highest: 7.0 };
        assert_eq!(stats(&data, &[0, 1]), expected);
    }

    #[test]
    fn standardized_inputs_are_those_of_the_samples_that_are_named() {
        assert_eq!(read(Inputs::Standardized, &[2, 4, 2, 4], 255), [-1.0, 1.0, -1.0, 1.0]);
        let all = data(&[2, 4, 200], 255);
        let map = Inputs::Standardized.map(&all, &[0, 1]).unwrap();
        assert_eq!(map, InputMap { scale: 1.0, shift: -3.0 });
        let error = Inputs::Standardized.map(&all, &[2]).unwrap_err().to_string();
        assert_eq!(error, "--inputs standardized: all pixels of the training samples are alike");
    }
}
