//! Adam with both moments in 16 bits.

use super::adam::AdamUpdate;
use super::{Adam, Gradient, Optimizer, State};
use crate::Error;
use crate::kernels::{PIECE, Update};

/// [`Adam`] with its moments in bfloat16: 8 bytes a parameter in place of 12, the parameter itself included.
///
/// State: a word for each parameter, `[params]`, zeros to begin with. Its upper half is the second moment, its lower half the first.
///
/// Rounded to nearest, the second moment would stand still: with `β₂ = 0.999` a step changes it by less than half of what
/// bfloat16 can tell apart. So both are rounded up or down by chance, up the more probably the nearer that is, and
/// are right in the mean. Chance is a hash of the step, the gradient and the moments before: the bits are the same everywhere.
///
/// ```
/// use picomlp::optim::AdamBf16;
///
/// assert_eq!(AdamBf16::state_len(1000), 1000); // words
/// ```
///
/// # Source
///
/// Gupta et al., "Deep learning with limited numerical precision", arXiv:1502.02551, section 2.2: stochastic rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamBf16 {
    /// Settings and steps.
    pub adam: Adam,
}

impl AdamBf16 {
    /// `f32`s of state for each parameter: both moments in one.
    pub const STATE_PER_PARAM: usize = 1;

    /// The settings of [`Adam::new`].
    #[must_use]
    pub const fn new(learning_rate: f32) -> Self {
        Self { adam: Adam::new(learning_rate) }
    }

    /// `f32`s of state for a network of `params` parameters.
    #[must_use]
    pub const fn state_len(params: usize) -> usize {
        params
    }
}

impl Optimizer for AdamBf16 {
    const STATE_PER_PARAM: usize = Self::STATE_PER_PARAM;

    type Update = AdamBf16Update;

    fn begin(&mut self) -> AdamBf16Update {
        let adam = self.adam.begin();
        AdamBf16Update { adam, salt: (self.adam.steps() as u32).wrapping_mul(0x9e37_79b9) }
    }

    fn check(&self) -> Result<(), Error> {
        self.adam.check()
    }

    fn learning_rate(&self) -> f32 {
        self.adam.learning_rate
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.adam.learning_rate = rate;
    }

    fn set_steps(&mut self, steps: u64) {
        self.adam.set_steps(steps);
    }
}

/// One step of [`AdamBf16`].
#[derive(Clone, Copy, Debug)]
pub struct AdamBf16Update {
    adam: AdamUpdate,
    salt: u32,
}

impl Update for AdamBf16Update {
    fn apply(&self, params: &mut [f32], [state, _]: State<'_>, gradient: Gradient<'_>, _: bool) {
        gradient.for_each_dense(params, [state, &mut []], |params, [state, _], gradient| {
            let pieces = params.chunks_mut(PIECE).zip(state.chunks_mut(PIECE));
            for ((params, state), gradient) in pieces.zip(gradient.chunks(PIECE)) {
                self.piece(params, state, gradient);
            }
        });
    }
}

impl AdamBf16Update {
    #[inline(never)] // one copy for all layers
    fn piece(&self, params: &mut [f32], state: &mut [f32], gradient: &[f32]) {
        // Zeros stay zeros.
        if state.iter().chain(gradient).all(|value| value.to_bits() << 1 == 0) {
            return;
        }
        let (mut m, mut v) = ([0.0; PIECE], [0.0; PIECE]);
        for ((m, v), word) in m.iter_mut().zip(&mut v).zip(&*state) {
            *m = f32::from_bits(word.to_bits() << 16);
            *v = f32::from_bits(word.to_bits() & UPPER);
        }
        let [m, v] = [&mut m, &mut v].map(|all| all.get_mut(..params.len()).unwrap_or_default());
        let (m, v): (&mut [f32], &mut [f32]) = (m, v);
        self.adam.update(params, gradient, m, v);
        for (((word, gradient), m), v) in state.iter_mut().zip(gradient).zip(m).zip(v) {
            let chance = hash(word.to_bits() ^ gradient.to_bits().rotate_left(16) ^ self.salt);
            let (m, v) = (rounded(*m, chance), rounded(*v, chance >> 16));
            *word = f32::from_bits(v | m >> 16);
        }
    }
}

/// The bits of an `f32` that a bfloat16 has.
const UPPER: u32 = 0xffff_0000;

/// A value as bfloat16, in the upper half: up if the lower half and 16 bits of chance overflow.
fn rounded(value: f32, chance: u32) -> u32 {
    value.to_bits().wrapping_add(chance & !UPPER) & UPPER
}

/// Mixes all bits with all others.
///
/// Source: Chris Wellons, "Prospecting for hash functions", nullprogram.com/blog/2018/07/31, lowbias32.
fn hash(mut x: u32) -> u32 {
    x = (x ^ x >> 16).wrapping_mul(0x7feb_352d);
    x = (x ^ x >> 15).wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too many steps for an interpreter")]
    fn moments_are_right_in_the_mean_and_do_not_stand_still() {
        let mut optimizer = AdamBf16::new(1e-3);
        let (mut params, mut state) = ([0.0f32; 500], [0.0f32; 500]);
        let gradient: [f32; 500] = core::array::from_fn(|i| 0.5 + i as f32 * 1e-3);
        for _ in 0..3000 {
            let update = optimizer.begin();
            update.apply(&mut params, [&mut state, &mut []], Gradient::Dense(&gradient), false);
        }
        let expected = 1.0 - 0.999f64.powi(3000);
        let ratios = state.iter().zip(gradient).map(|(v, g)| f64::from(*v) / f64::from(g * g));
        let mean = ratios.sum::<f64>() / 500.0 / expected;
        assert!((mean - 1.0).abs() < 0.01, "the second moments are off by {}", mean - 1.0);
        let first = state.map(|word| f32::from_bits(word.to_bits() << 16));
        let ratios = first.iter().zip(gradient).map(|(m, g)| f64::from(m / g));
        let mean = ratios.sum::<f64>() / 500.0;
        assert!((mean - 1.0).abs() < 0.01, "the first moments are off by {}", mean - 1.0);
    }

    #[test]
    fn parameters_without_a_gradient_stay_as_they_are() {
        let update = AdamBf16::new(1.0).begin();
        let (mut params, mut state) = ([1.5; 40], [0.0; 40]);
        update.apply(&mut params, [&mut state, &mut []], Gradient::Zero, false);
        assert_eq!((params, state), ([1.5; 40], [0.0; 40]));
    }
}
