//! Initial weights.

use crate::math;
use crate::rng::{Purpose, Stream};

/// How the weights of a dense layer begin; biases begin at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// Uniform in ±√(6/IN), which keeps the variance through ReLU: He et al., "Delving deep into rectifiers",
    /// ICCV 2015, equation 10 (a uniform distribution in ±a has the variance a²/3).
    #[default]
    He,
    /// Uniform in ±√(6/(IN + OUT)): Glorot and Bengio, "Understanding the difficulty of training deep feedforward
    /// neural networks", AISTATS 2010, equation 16.
    Xavier,
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
        let fans = match self {
            Self::He => inputs,
            Self::Xavier => inputs + outputs,
        };
        let limit = math::sqrt(6.0 / fans as f32);
        let mut stream = Stream::new(seed, Purpose::Init, index);
        let (weights, bias) = params.split_at_mut(params.len().min(inputs * outputs));
        for weight in weights {
            *weight = limit * stream.uniform();
        }
        bias.fill(0.0);
    }
}
