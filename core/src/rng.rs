//! Random streams: one for each purpose and turn, derived from the seed alone.
//!
//! Nothing carries a generator from one epoch to the next, so a resumed run needs no history: the order of
//! epoch 7 is a function of the seed and the number 7.

use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::math;

/// What a random stream is for. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights; the turn is the number of the dense layer.
    Init = 1,
    /// The order of the samples; the turn is the epoch.
    Shuffle = 2,
    /// Which samples are held out: for validation (turn 0), for testing (turn 1), in which fold (turn 2).
    Split = 3,
    /// Which values dropout drops; the turns are the step, the layer and the sample in the batch.
    Dropout = 4,
    /// How a training sample is varied; the turns are the step and the sample.
    Augment = 5,
}

/// A stream of random numbers (Xoshiro128++, which is fast on 32-bit machines).
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro128PlusPlus);

impl Stream {
    /// The stream of this `seed`, `purpose` and `turn`.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, turn: u64) -> Self {
        Self::of(seed, purpose, &[turn])
    }

    /// The stream of this `seed`, `purpose` and several turns within turns.
    #[must_use]
    pub fn of(seed: u64, purpose: Purpose, turns: &[u64]) -> Self {
        let key = turns.iter().fold(mix(mix(seed) ^ purpose as u64), |key, turn| mix(key ^ turn));
        Self(Xoshiro128PlusPlus::seed_from_u64(key))
    }

    /// 32 random bits.
    #[inline]
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `[-1, 1)`: a multiple of 2⁻²³, made from integer bits, so that every machine agrees.
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 8_388_608.0) - 1.0
    }

    /// Two independent normal numbers of mean 0 and deviation 1, of magnitude below 8.
    ///
    /// The polar method: of uniform `u`, `v` with `0 < s = u² + v² < 1` (others are drawn again), `u·√(-2 ln s/s)` and
    /// `v·√(-2 ln s/s)`, each operation in f32, so that every machine agrees. They are within `2⁻²¹·(r + 1/r)` of what
    /// exact arithmetic makes of the same `u` and `v`, `r` being the root of the sum of their squares: where `r` is
    /// near 0, `s` is near 1, and its last bit tells.
    ///
    /// Marsaglia and Bray, "A convenient method for generating normal variables", SIAM Review 6(3), 1964.
    pub fn normals(&mut self) -> [f32; 2] {
        loop {
            let (u, v) = (self.uniform(), self.uniform());
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let factor = math::sqrt(-2.0 * math::ln(s) / s);
                return [u * factor, v * factor];
            }
        }
    }

    /// Uniform in `0..bound`, without bias; 0 if `bound` is 0.
    ///
    /// Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1), 2019.
    pub fn below(&mut self, bound: u32) -> u32 {
        // 2³² mod bound: products with a smaller low half would favour some results.
        let biased = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= biased {
                return (product >> 32) as u32;
            }
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): each input bit moves half of the output's.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Puts the numbers `0..order.len()` into `order`, in the random order of this `seed` and `epoch`.
///
/// Fisher and Yates's shuffle; depends on nothing else, so that any epoch can be repeated alone.
pub fn shuffle(order: &mut [u32], seed: u64, epoch: u64) {
    permute(order, &mut Stream::new(seed, Purpose::Shuffle, epoch));
}

/// Puts the numbers `0..order.len()` into `order`, in a random order.
pub fn permute(order: &mut [u32], stream: &mut Stream) {
    for (i, place) in (0..).zip(order.iter_mut()) {
        *place = i;
    }
    let mut end = order.len() as u32;
    while end > 1 {
        let other = stream.below(end) as usize;
        end -= 1;
        order.swap(other, end as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_seed_purpose_and_turn() {
        let first = |seed, purpose, turn| Stream::new(seed, purpose, turn).0.next_u32();
        let base = first(1, Purpose::Init, 0);
        assert_eq!(base, first(1, Purpose::Init, 0));
        assert_ne!(base, first(2, Purpose::Init, 0));
        assert_ne!(base, first(1, Purpose::Shuffle, 0));
        assert_ne!(base, first(1, Purpose::Init, 1));
    }

    #[test]
    fn uniform_stays_in_its_range_and_is_centred() {
        let mut stream = Stream::new(1, Purpose::Init, 0);
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let x = stream.uniform();
            assert!((-1.0..1.0).contains(&x));
            sum += f64::from(x);
        }
        // Five standard deviations of the mean of 10,000 uniform values, 5/√(3·10,000).
        assert!((sum / 10_000.0).abs() < 5.0 / 173.2, "mean {}", sum / 10_000.0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn normals_stay_within_their_bound_of_exact_arithmetic() {
        let mut stream = Stream::new(3, Purpose::Init, 0);
        let mut inner = 0;
        for _ in 0..100_000 {
            let mut same = stream.clone();
            let got = stream.normals();
            let exact = loop {
                let (u, v) = (f64::from(same.uniform()), f64::from(same.uniform()));
                let s = u * u + v * v;
                // What f32 rounds to 1 is drawn again.
                if s > 0.0 && (s as f32) < 1.0 {
                    let factor = libm::sqrt(-2.0 * libm::log(s) / s);
                    break [u * factor, v * factor];
                }
            };
            let r = libm::hypot(exact[0], exact[1]);
            inner += usize::from(r < 1.0);
            for (got, exact) in got.iter().zip(exact) {
                let error = (f64::from(*got) - exact).abs();
                assert!(error <= (r + 1.0 / r) / 2_097_152.0, "{got} is not {exact}, r = {r}");
            }
        }
        // r < 1 has the probability 1 - e^(-1/2); five deviations of a binomial.
        let expected = 100_000.0 * (1.0 - libm::exp(-0.5));
        assert!((inner as f64 - expected).abs() < 5.0 * 155.0, "{inner} instead of {expected}");
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut stream = Stream::new(1, Purpose::Shuffle, 0);
        let mut seen = [0; 7];
        for _ in 0..700 {
            seen[stream.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn shuffle_gives_each_number_once_and_another_order_each_epoch() {
        let (mut a, mut b) = ([0; 100], [7; 100]);
        shuffle(&mut a, 5, 1);
        shuffle(&mut b, 5, 1);
        assert_eq!(a, b, "what was in the buffer plays no part");
        shuffle(&mut b, 5, 2);
        assert_ne!(a, b);
        b.sort_unstable();
        assert!(b.iter().copied().eq(0..100));
    }

    #[test]
    fn shuffle_takes_an_empty_order_and_one_of_one() {
        shuffle(&mut [], 1, 1);
        let mut one = [9];
        shuffle(&mut one, 1, 1);
        assert_eq!(one, [0]);
    }
}
