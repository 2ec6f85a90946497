//! The weight gradient of a dense layer, handed to an optimizer row by row: no gradient is ever stored.
//!
//! Row `i` of the gradient is `Σₛ x[s][i]·d_y[s]`. The samples in which input `i` is not zero are found 64
//! inputs by 64 samples at a time: the samples' masks over inputs, transposed, are the inputs' masks over
//! samples. The row is summed in registers and then given away.

use bytemuck::try_cast_slice_mut;

use super::columns::{Columns, ForEachBlock, for_each_block};
use super::{Batch, Element, TILE, transpose64};

/// Takes a gradient in pieces: an optimizer that updates the parameters at once, or a buffer.
pub trait GradientSink {
    /// The network's parameters as they are now.
    fn params(&self) -> &[f32];

    /// Called once, when the loss is known to be finite and the gradient is about to come.
    fn begin(&mut self) {}

    /// Takes the gradient of the parameters `at..at + gradient.len()`.
    fn take(&mut self, at: usize, gradient: &[f32]);

    /// Takes a gradient of `+0.0` for the parameters `at..at + len`.
    fn take_zeros(&mut self, at: usize, len: usize);
}

/// Length of the `work` slice of [`dense_update`], in `f32`s.
#[must_use]
pub const fn update_work(batch: usize) -> usize {
    // One mask of 64 bits for each of a tile's inputs and each 64 samples. A lone sample needs none.
    if batch > 1 { 2 * TILE * batch.div_ceil(TILE) } else { 0 }
}

/// Outputs whose gradient is handed over at once: 512 bytes of stack.
const PIECE: usize = 128;

/// Gives `sink` the gradient of `weights` and then of `bias`, from the gradient `d_y` at the outputs.
///
/// # Shapes
///
/// `x: [batch][IN]`, `d_y: [batch][OUT]`; the sink's parameters from `at` on: weights `[IN][OUT]`, bias
/// `[OUT]`. `work` is overwritten, its length is [`update_work`]`(batch)` or more.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_update<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    at: usize,
    sink: &mut impl GradientSink,
    work: &mut [f32],
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    assert!(d_y.len() == x.len() * outputs, "dense_update: d_y is not [batch][OUT]");
    assert!(work.len() >= update_work(x.len()), "dense_update: work is too short");
    if outputs == 0 {
        return;
    }
    let inputs = x.width();
    for first in (0..inputs).step_by(TILE) {
        let here = TILE.min(inputs - first);
        if x.len() == 1 {
            let sample = x.sample(0).get(first..).unwrap_or_default();
            let mask = T::nonzero_mask(sample);
            for i in 0..here {
                let samples = [mask >> i & 1];
                row(x, d_y, outputs, first + i, samples.into_iter(), at, sink);
            }
        } else {
            let tiles = mask_tiles(work, x.len());
            for (t, tile) in tiles.iter_mut().enumerate() {
                let mut rows = [0u64; TILE];
                for (s, mask) in rows.iter_mut().enumerate().take(x.len() - t * TILE) {
                    let sample = x.sample(t * TILE + s);
                    *mask = T::nonzero_mask(sample.get(first..).unwrap_or_default());
                }
                transpose64(&mut rows);
                for (to, mask) in tile.iter_mut().zip(rows) {
                    *to = [mask as u32, (mask >> 32) as u32];
                }
            }
            for i in 0..here {
                let samples = tiles.iter().map(|tile| {
                    let [low, high] = tile.get(i).copied().unwrap_or_default();
                    u64::from(low) | u64::from(high) << 32
                });
                row(x, d_y, outputs, first + i, samples, at, sink);
            }
        }
    }
    for_each_block(outputs, &mut Bias { d_y, outputs, at: at + inputs * outputs, sink });
}

/// `work` as one tile of masks for each 64 samples. Halves of a mask, since `work` is aligned for 32 bits.
#[inline]
fn mask_tiles(work: &mut [f32], batch: usize) -> &mut [[[u32; 2]; TILE]] {
    let (masks, _) = work.as_chunks_mut::<2>();
    let masks: &mut [[u32; 2]] = try_cast_slice_mut(masks).unwrap_or_default();
    masks.as_chunks_mut::<TILE>().0.get_mut(..batch.div_ceil(TILE)).unwrap_or_default()
}

/// One row of the weight gradient: that of input `i`, whose nonzero samples are the bits of `masks`.
#[inline(always)]
fn row<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    outputs: usize,
    i: usize,
    masks: impl Iterator<Item = u64> + Clone,
    at: usize,
    sink: &mut impl GradientSink,
) {
    let at = at + i * outputs;
    if masks.clone().all(|mask| mask == 0) {
        sink.take_zeros(at, outputs);
    } else {
        for_each_block(outputs, &mut Row { x, d_y, outputs, i, masks, at, sink });
    }
}

struct Row<'a, T, M, S> {
    x: Batch<'a, T>,
    d_y: &'a [f32],
    outputs: usize,
    i: usize,
    masks: M,
    at: usize,
    sink: &'a mut S,
}

impl<T: Element, M: Iterator<Item = u64> + Clone, S: GradientSink> ForEachBlock
    for Row<'_, T, M, S>
{
    #[inline(always)]
    fn block<C: Columns>(&mut self, at: usize) {
        let mut sums = C::zero();
        for (t, mut mask) in self.masks.clone().enumerate() {
            while mask != 0 {
                let s = t * TILE + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                let start = s * self.outputs + at;
                let x = self.x.value(s, self.i);
                let (Some(x), Some(d_y)) = (x, self.d_y.get(start..start + C::WIDTH)) else {
                    return;
                };
                sums.add_scaled(x.to_f32(), d_y);
            }
        }
        give(sums, self.at + at, self.sink);
    }
}

/// The bias gradient, `Σₛ d_y[s]`: that of an input which is 1 in every sample.
struct Bias<'a, S> {
    d_y: &'a [f32],
    outputs: usize,
    at: usize,
    sink: &'a mut S,
}

impl<S: GradientSink> ForEachBlock for Bias<'_, S> {
    #[inline(always)]
    fn block<C: Columns>(&mut self, at: usize) {
        let mut sums = C::zero();
        for row in self.d_y.chunks_exact(self.outputs) {
            sums.add_scaled(1.0, row.get(at..).unwrap_or_default());
        }
        give(sums, self.at + at, self.sink);
    }
}

#[inline(always)]
fn give<C: Columns>(sums: C, at: usize, sink: &mut impl GradientSink) {
    let mut gradient = [0.0; PIECE];
    sums.store(&mut gradient);
    if let Some(gradient) = gradient.get(..C::WIDTH) {
        sink.take(at, gradient);
    }
}

/// What [`dense_update`] must give, one product at a time, zeros not skipped.
///
/// # Panics
///
/// If a slice's length does not fit the shapes of [`dense_update`].
pub fn dense_update_scalar<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    at: usize,
    sink: &mut impl GradientSink,
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    for i in 0..x.width() {
        for o in 0..outputs {
            let mut sum = 0.0;
            for (s, x) in x.iter().enumerate() {
                sum += x[i].to_f32() * d_y[s * outputs + o];
            }
            sink.take(at + i * outputs + o, &[sum]);
        }
    }
    for o in 0..outputs {
        let mut sum = 0.0;
        for s in 0..x.len() {
            sum += d_y[s * outputs + o];
        }
        sink.take(at + x.width() * outputs + o, &[sum]);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::testing::{Case, assert_same_bits, cases};

    /// Remembers the gradient and how often each part of it came.
    struct Recorder {
        gradient: Vec<f32>,
        times: Vec<u32>,
    }

    impl Recorder {
        fn new(len: usize) -> Self {
            Self { gradient: vec![f32::NAN; len], times: vec![0; len] }
        }
    }

    impl GradientSink for Recorder {
        fn params(&self) -> &[f32] {
            &[]
        }

        fn take(&mut self, at: usize, gradient: &[f32]) {
            self.gradient[at..at + gradient.len()].copy_from_slice(gradient);
            self.times[at..at + gradient.len()].iter_mut().for_each(|times| *times += 1);
        }

        fn take_zeros(&mut self, at: usize, len: usize) {
            self.take(at, &vec![0.0; len]);
        }
    }

    fn compare<T: Element>(data: &[T], case: &Case) {
        let Case { batch, inputs, outputs } = *case;
        let x = Batch::rows(data, inputs).unwrap();
        let d_y = case.values(batch * outputs, 3);
        let params = inputs * outputs + outputs;
        let (mut simd, mut scalar) = (Recorder::new(7 + params), Recorder::new(7 + params));
        dense_update(x, &d_y, 7, &mut simd, &mut vec![f32::NAN; update_work(batch)]);
        dense_update_scalar(x, &d_y, 7, &mut scalar);
        assert_same_bits(&simd.gradient[7..], &scalar.gradient[7..], case);
        assert!(simd.times[7..].iter().all(|&times| times == 1), "{case:?}: not once each");
    }

    #[test]
    fn dense_update_equals_scalar_bit_for_bit_at_every_size() {
        for case in cases() {
            compare(&case.pixels(), &case);
            compare(&case.inputs(), &case);
        }
    }

    #[test]
    fn an_input_that_is_zero_in_every_sample_has_a_gradient_of_positive_zero() {
        let x = Batch::rows(&[0u8, 1, 0, 2], 2).unwrap();
        let mut sink = Recorder::new(6);
        dense_update(x, &[-1.0, 0.0, -1.0, -0.0], 0, &mut sink, &mut [0.0; update_work(2)]);
        assert_eq!(sink.gradient[..2].iter().map(|g| g.to_bits()).collect::<Vec<_>>(), [0, 0]);
    }
}
