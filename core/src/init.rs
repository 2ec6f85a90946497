//! Initial weights.

use crate::math;
use crate::rng::{Purpose, Stream};

/// How the weights of a dense layer begin; biases begin at zero.
///
/// `IN` and `OUT` are the layer's sizes. He et al. is "Delving deep into rectifiers", ICCV 2015; Glorot and Bengio is
/// "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// Uniform in ±√(6/IN), which keeps the variance through ReLU: He et al., equation 10 (a uniform distribution in
    /// ±a has the variance a²/3).
    #[default]
    He,
    /// Normal with the deviation √(2/IN): He et al., equation 10.
    HeNormal,
    /// Uniform in ±√(6/(IN + OUT)): Glorot and Bengio, equation 16.
    Xavier,
    /// Normal with the deviation √(2/(IN + OUT)): Glorot and Bengio, equation 12.
    XavierNormal,
    /// Normal with this deviation, whatever the layer's size. [`Stream::normals`] is what is multiplied by it.
    Normal(f32),
    /// Zeros: for a network of one dense layer. Hidden units that begin alike stay alike.
    Zeros,
}

impl Init {
    /// Sets the parameters of dense layer `index`, `[IN][OUT]` weights and then `[OUT]` biases.
    pub(crate) fn fill(
        self,
        params: &mut [f32],
        inputs: usize,
        outputs: usize,
        seed: u64,
        index: u64,
    ) {
        let mut stream = Stream::new(seed, Purpose::Init, index);
        let (weights, bias) = params.split_at_mut(params.len().min(inputs * outputs));
        let (from, to) = (inputs as f32, (inputs + outputs) as f32);
        match self {
            Self::He => uniform(weights, math::sqrt(6.0 / from), &mut stream),
            Self::Xavier => uniform(weights, math::sqrt(6.0 / to), &mut stream),
            Self::HeNormal => normal(weights, math::sqrt(2.0 / from), &mut stream),
            Self::XavierNormal => normal(weights, math::sqrt(2.0 / to), &mut stream),
            Self::Normal(deviation) => normal(weights, deviation, &mut stream),
            Self::Zeros => weights.fill(0.0),
        }
        bias.fill(0.0);
    }
}

fn uniform(weights: &mut [f32], limit: f32, stream: &mut Stream) {
    for weight in weights {
        *weight = limit * stream.uniform();
    }
}

/// Two at a time; of the last two, one may have no place.
fn normal(weights: &mut [f32], deviation: f32, stream: &mut Stream) {
    for pair in weights.chunks_mut(2) {
        for (weight, normal) in pair.iter_mut().zip(stream.normals()) {
            *weight = deviation * normal;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// Of a layer with 300 inputs and 101 outputs: the weights' mean, deviation and largest magnitude.
    fn moments(init: Init) -> [f64; 3] {
        let mut params = vec![f32::NAN; 300 * 101 + 101];
        init.fill(&mut params, 300, 101, 1, 0);
        let (weights, bias) = params.split_at(300 * 101);
        assert!(bias.iter().all(|b| b.to_bits() == 0), "{init:?}");
        let n = weights.len() as f64;
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / n;
        let square = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / n;
        let largest = weights.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        [mean, (square - mean * mean).sqrt(), f64::from(largest)]
    }

    /// Within five standard errors: `σ/√n` of a mean, at most `σ/√(2n)` of a deviation.
    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn weights_have_the_mean_the_deviation_and_the_range_that_they_should() {
        let (n, from, both) = (300.0 * 101.0f64, 300.0f64, 401.0f64);
        for (init, deviation, uniform) in [
            (Init::He, (2.0 / from).sqrt(), true),
            (Init::Xavier, (2.0 / both).sqrt(), true),
            (Init::HeNormal, (2.0 / from).sqrt(), false),
            (Init::XavierNormal, (2.0 / both).sqrt(), false),
            (Init::Normal(0.1), 0.1, false),
        ] {
            let [mean, got, largest] = moments(init);
            assert!(mean.abs() < 5.0 * deviation / n.sqrt(), "{init:?}: mean {mean}");
            let error = (got - deviation).abs();
            assert!(error < 5.0 * deviation / (2.0 * n).sqrt(), "{init:?}: deviation {got}");
            // A uniform distribution ends at √3 deviations; 30,000 normals go beyond 3.5 (and not beyond 6).
            let largest = largest / deviation;
            let range = if uniform { 1.72..1.7321 } else { 3.5..6.0 };
            assert!(range.contains(&largest), "{init:?}: up to {largest} deviations");
        }
        assert_eq!(moments(Init::Zeros), [0.0; 3]);
    }
}
