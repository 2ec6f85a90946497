//! Sizes and values on which every dense kernel is compared with its scalar twin.

use std::vec;
use std::vec::Vec;

use super::simd::testing::with_all_vectors;
use super::{InputMap, Threads};

/// Ways of reading inputs besides an element's own: standardised, and shifted alone.
pub(super) const MAPS: [InputMap; 2] =
    [InputMap { scale: 0.0127, shift: -0.42 }, InputMap { scale: 1.0, shift: 0.25 }];

/// Reports N threads and runs the second half first.
pub(super) struct Halves(pub(super) usize);

impl Threads for Halves {
    fn count(&self) -> usize {
        self.0
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        b();
        a();
    }
}

/// One size of a dense layer and a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// Every number of outputs and of inputs up to 67, every batch up to 5 and around 64 and 128, batches around the length of a
/// list of factors, blocks of dense rows with all kinds of rests, and MNIST's sizes.
pub(super) fn cases() -> Vec<Case> {
    let outputs = (1..=67).map(|outputs| Case { batch: 1 + outputs % 5, inputs: 9, outputs });
    let inputs = (1..=67).map(|inputs| Case { batch: 1 + inputs % 5, inputs, outputs: 11 });
    let batches = [63, 64, 65, 127, 128, 129, 200];
    let batches = batches.map(|batch| Case { batch, inputs: 70, outputs: 18 });
    let wide = [100, 127, 128, 129, 200, 257, 300];
    let wide = wide.map(|outputs| Case { batch: 3, inputs: 130, outputs });
    let lists = [129, 256, 257].map(|batch| Case { batch, inputs: 9, outputs: 70 });
    let blocks = [1, 3, 7, 9, 10, 17, 33].into_iter().flat_map(|outputs| {
        [4, 8, 15, 33, 65].map(|batch| Case { batch, inputs: 2 * batch - 3, outputs })
    });
    let long = [(9, 263, 300), (5, 1027, 17), (300, 21, 33), (263, 17, 270)];
    let long = long.map(|(batch, inputs, outputs)| Case { batch, inputs, outputs });
    let blocks = blocks.chain(long);
    let mnist = [(1, 784, 128), (7, 784, 128), (1, 128, 10), (66, 128, 10), (2, 784, 10)];
    let mnist = mnist.map(|(batch, inputs, outputs)| Case { batch, inputs, outputs });
    let all =
        outputs.chain(inputs).chain(batches).chain(wide).chain(lists).chain(blocks).chain(mnist);
    // Miri takes a thousand times as long.
    let is_small = |case: &Case| case.batch * case.inputs * case.outputs < 300;
    all.filter(|case| !cfg!(miri) || is_small(case))
        .step_by(if cfg!(miri) { 11 } else { 1 })
        .collect()
}

impl Case {
    /// Values in [-1, 1), the same in every run.
    pub(super) fn values(&self, len: usize, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; len];
        picomlp_fixtures::fill(&mut values, seed + 10 * self.inputs as u64);
        values
    }

    /// A batch of pixels, most of them zero, one sample without any zero.
    pub(super) fn pixels(&self) -> Vec<u8> {
        let mut pixels = vec![0; self.batch * self.inputs];
        picomlp_fixtures::sparse_pixels(&mut pixels, self.outputs as u64, 200);
        pixels[..self.inputs].iter_mut().for_each(|pixel| *pixel |= 1);
        pixels
    }

    /// A batch of pixels without any zero.
    pub(super) fn full_pixels(&self) -> Vec<u8> {
        self.pixels().into_iter().map(|pixel| pixel.max(1)).collect()
    }

    /// A batch of f32 inputs, hardly any of them zero.
    pub(super) fn full_inputs(&self) -> Vec<f32> {
        self.values(self.batch * self.inputs, 98)
    }

    /// A batch of f32 inputs, half of them zeros of either sign.
    pub(super) fn inputs(&self) -> Vec<f32> {
        let mut values = self.values(self.batch * self.inputs, 99);
        for value in &mut values {
            if *value < 0.0 {
                *value = if *value < -0.5 { -0.0 } else { 0.0 };
            }
        }
        values
    }
}

/// Every length up to 67: whole vectors of all widths, with every tail. Fewer under Miri.
pub(super) fn lengths() -> impl Iterator<Item = usize> {
    (0..=67).step_by(if cfg!(miri) { 19 } else { 1 })
}

/// Equal bit for bit, or the first place where they are not.
pub(super) fn assert_same_bits(got: &[f32], expected: &[f32], case: &Case) {
    assert_eq!(got.len(), expected.len(), "{case:?}");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let bits = (got.to_bits(), expected.to_bits());
        assert!(bits.0 == bits.1, "{case:?}, element {i}: {got:e} is not {expected:e}");
    }
}

/// Holds two ways of updating parameters and their state to the same bits at every length up to 67.
pub(super) fn assert_updates_agree(
    simd: impl Fn(&mut [f32], &[f32], &mut [f32]),
    scalar: impl Fn(&mut [f32], &[f32], &mut [f32]),
) {
    with_all_vectors(|| {
        let mut parts = [[0.0; 67]; 3];
        for (seed, part) in parts.iter_mut().enumerate() {
            picomlp_fixtures::fill(part, seed as u64);
        }
        let [params, mut gradient, state] = parts;
        gradient[5] = 0.0;
        gradient[7] = 1e-30;
        for n in lengths() {
            let (mut w1, mut s1, mut w2, mut s2) = (params, state, params, state);
            simd(&mut w1[..n], &gradient[..n], &mut s1[..n]);
            scalar(&mut w2[..n], &gradient[..n], &mut s2[..n]);
            let bits = |values: [f32; 67]| values.map(f32::to_bits);
            assert_eq!(bits(w1), bits(w2), "params, length {n}");
            assert_eq!(bits(s1), bits(s2), "state, length {n}");
        }
    });
}
