//! The weight gradient of a dense layer, handed to an optimizer row by row: no gradient is ever stored.
//!
//! Row `i` of the gradient is `Σₛ x[s][i]·d_y[s]`. The samples in which input `i` is not zero are found 64
//! inputs by 64 samples at a time: the samples' masks over inputs, transposed, are the inputs' masks over
//! samples. The row is summed in registers and then given away.

use core::ops::Range;

use bytemuck::try_cast_slice_mut;

use super::columns::{Columns, ForEachBlock, for_each_block, for_each_block_of_four};
use super::factors::{self, Factors, are_listed, lists};
use super::lean::{self, LEAN, PIECE};
use super::pending::Pending;
use super::simd::{Simd, Work, dispatch};
use super::threads::{parts, share};
use super::{Baseline, Batch, Element, GradientSink, TILE, Threads, transpose64};

/// Length of the `work` slice of [`dense_update`], in `f32`s.
#[must_use]
pub const fn update_work(outputs: usize, batch: usize, threads: usize) -> usize {
    // What a shift of the inputs adds to every row.
    outputs + threads * masks_work(batch)
}

/// One mask of 64 bits for each of a tile's inputs and each 64 samples. A lone sample needs none.
const fn masks_work(batch: usize) -> usize {
    if batch > 1 && !LEAN { 2 * TILE * batch.div_ceil(TILE) } else { 0 }
}

/// Gives `sink` the gradient of `weights` and of `bias`, from the gradient `d_y` at the outputs.
///
/// With inputs read as `x·scale + shift`, the gradient of a weight is `Σₛ (x[s][i]·scale)·d_y[s] + shift·Σₛ d_y[s]`:
/// the second term is the same for every input.
///
/// # Shapes
///
/// `x: [batch][IN]`, `d_y: [batch][OUT]`; the sink's parameters from `at` on: weights `[IN][OUT]`, bias
/// `[OUT]`. `work` is overwritten, its length is [`update_work`]`(OUT, batch, threads)` or more.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_update<T: Element>(
    threads: &impl Threads,
    x: Batch<'_, T>,
    d_y: &[f32],
    at: usize,
    sink: &mut impl GradientSink,
    work: &mut [f32],
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    assert!(d_y.len() == x.len() * outputs, "dense_update: d_y is not [batch][OUT]");
    assert!(
        work.len() >= update_work(outputs, x.len(), threads.count()),
        "dense_update: work is too short"
    );
    update(threads, x, d_y, at, sink, work);
}

/// [`dense_update`] of slices that have been checked.
#[inline]
pub(crate) fn update<T: Element>(
    threads: &impl Threads,
    x: Batch<'_, T>,
    d_y: &[f32],
    at: usize,
    sink: &mut impl GradientSink,
    work: &mut [f32],
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    if LEAN {
        return lean::update(x, d_y, outputs, at, sink, work);
    }
    let Some((shifted, work)) = work.split_at_mut_checked(outputs) else { return };
    if outputs == 0 {
        return;
    }
    let (_, mut sink) = sink.split_at(at);
    let (mut weights, mut bias) = sink.split_at(x.width() * outputs);
    let scale = x.map().shift;
    dispatch(Bias { d_y, outputs, scale, shifted, sink: &mut bias });
    let shifted = if scale == 0.0 || weights.more_follows() { None } else { Some(&*shifted) };
    let parts = parts(threads, d_y.len() * x.width());
    Rows { x, d_y, outputs, shifted }.over(threads, parts, 0..x.width(), &mut weights, work);
}

/// What the gradients of all rows are made from.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    x: Batch<'a, T>,
    d_y: &'a [f32],
    outputs: usize,
    /// `shift·Σₛ d_y[s]`, if there is a shift.
    shifted: Option<&'a [f32]>,
}

impl<T: Element> Rows<'_, T> {
    /// The rows of `inputs`, whose first is the first that `sink` knows, in so many parts.
    fn over<H: Threads, S: GradientSink>(
        self,
        threads: &H,
        parts: usize,
        inputs: Range<usize>,
        sink: &mut S,
        work: &mut [f32],
    ) {
        let cut = share(inputs.len(), parts);
        if cut == 0 {
            return dispatch(OneByOne { rows: self, inputs, sink, work });
        }
        let (mut sink_a, mut sink_b) = sink.split_at(cut * self.outputs);
        let (work_a, work_b) = work.split_at_mut(work.len() / parts * (parts / 2));
        let middle = inputs.start + cut;
        threads.join(
            || self.over(threads, parts / 2, inputs.start..middle, &mut sink_a, work_a),
            || self.over(threads, parts - parts / 2, middle..inputs.end, &mut sink_b, work_b),
        );
    }

    #[inline(always)]
    fn one_by_one<S: Simd>(
        self,
        simd: S,
        inputs: Range<usize>,
        sink: &mut impl GradientSink,
        work: &mut [f32],
    ) {
        let (mut at, to) = (0, &mut Pending::new(sink));
        for first in inputs.clone().step_by(TILE) {
            let here = TILE.min(inputs.end - first);
            if self.x.len() == 1 {
                let mask = T::nonzero_mask(self.x.sample(0).get(first..).unwrap_or_default());
                for i in 0..here {
                    self.row(simd, first + i, [mask >> i & 1].into_iter(), at, to);
                    at += self.outputs;
                }
                continue;
            }
            let tiles = mask_tiles(work, self.x.len());
            self.find_samples(first, tiles);
            let samples = |i: usize| {
                tiles.iter().map(move |tile| {
                    let [low, high] = tile.get(i).copied().unwrap_or_default();
                    u64::from(low) | u64::from(high) << 32
                })
            };
            let mut i = 0;
            while i < here {
                // Inputs that are zero in no sample go four at a time, so that one load of `d_y` serves four sums.
                let whole =
                    |i| samples(i).map(u64::count_ones).sum::<u32>() as usize == self.x.len();
                if i + 4 <= here && (i..i + 4).all(whole) {
                    let four = &mut Four { rows: self, i: first + i, at, to };
                    for_each_block_of_four(simd, self.outputs, four);
                    i += 4;
                    at += 4 * self.outputs;
                } else {
                    self.row(simd, first + i, samples(i), at, to);
                    i += 1;
                    at += self.outputs;
                }
            }
        }
        to.flush(simd);
    }

    /// For the 64 inputs from `first` on: the samples in which each is not zero.
    fn find_samples(self, first: usize, tiles: &mut [[[u32; 2]; TILE]]) {
        for (t, tile) in tiles.iter_mut().enumerate() {
            let mut masks = [0u64; TILE];
            for (s, mask) in masks.iter_mut().enumerate().take(self.x.len() - t * TILE) {
                let sample = self.x.sample(t * TILE + s);
                *mask = T::nonzero_mask(sample.get(first..).unwrap_or_default());
            }
            transpose64(&mut masks);
            for (to, mask) in tile.iter_mut().zip(masks) {
                *to = [mask as u32, (mask >> 32) as u32];
            }
        }
    }

    /// The row of input `i`, whose nonzero samples are the bits of `masks`.
    #[inline(always)]
    fn row<S: Simd>(
        self,
        simd: S,
        i: usize,
        masks: impl Iterator<Item = u64> + Clone,
        at: usize,
        to: &mut Pending<'_, impl GradientSink>,
    ) {
        if self.shifted.is_none() && masks.clone().all(|mask| mask == 0) {
            simd.outlined(
                #[inline(always)]
                || to.sink.take_zeros(simd, at, self.outputs),
            );
        } else if const { lists::<S>() }
            && are_listed::<S>(self.outputs)
            && self.x.len() <= factors::LEN
        {
            let mut factors = Factors::new();
            for (t, mut mask) in masks.enumerate() {
                while mask != 0 {
                    let s = t * TILE + mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    factors.push(s * self.outputs, self.x.scaled(s, i).unwrap_or_default());
                }
            }
            let listed = &mut Listed { rows: self, factors: &factors, at, to };
            for_each_block(simd, self.outputs, listed);
        } else {
            for_each_block(simd, self.outputs, &mut Row { rows: self, i, masks, at, to });
        }
    }

    /// Gives the finished sums of the columns from `column` on, of the row whose parameters lie at `at`.
    #[inline(always)]
    fn give<S: Simd, C: Columns<S>>(
        self,
        simd: S,
        mut sums: C,
        column: usize,
        at: usize,
        to: &mut Pending<'_, impl GradientSink>,
    ) {
        if let Some(shifted) = self.shifted {
            let Some(shifted) = shifted.get(column..column + C::WIDTH) else { return };
            sums.add(C::load(simd, shifted));
        }
        to.give(simd, at + column, sums);
    }
}

/// `work` as one tile of masks for each 64 samples. Halves of a mask, since `work` is aligned for 32 bits.
#[inline]
fn mask_tiles(work: &mut [f32], batch: usize) -> &mut [[[u32; 2]; TILE]] {
    let (masks, _) = work.as_chunks_mut::<2>();
    let masks: &mut [[u32; 2]] = try_cast_slice_mut(masks).unwrap_or_default();
    masks.as_chunks_mut::<TILE>().0.get_mut(..batch.div_ceil(TILE)).unwrap_or_default()
}

/// The rows of some inputs, given one after the other.
struct OneByOne<'a, T, G> {
    rows: Rows<'a, T>,
    inputs: Range<usize>,
    sink: &'a mut G,
    work: &'a mut [f32],
}

impl<T: Element, G: GradientSink> Work for OneByOne<'_, T, G> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.rows.one_by_one(simd, self.inputs, self.sink, self.work);
    }
}

struct Row<'a, 'p, T, M, G> {
    rows: Rows<'a, T>,
    i: usize,
    masks: M,
    at: usize,
    to: &'a mut Pending<'p, G>,
}

impl<S: Simd, T: Element, M: Iterator<Item = u64> + Clone, G: GradientSink> ForEachBlock<S>
    for Row<'_, '_, T, M, G>
{
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Rows { x, d_y, outputs, .. } = self.rows;
        let mut sums: C = start(simd, self.at + at, self.to.sink);
        for (t, mut mask) in self.masks.clone().enumerate() {
            while mask != 0 {
                let s = t * TILE + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                let start = s * outputs + at;
                let x = x.scaled(s, self.i);
                let (Some(x), Some(d_y)) = (x, d_y.get(start..start + C::WIDTH)) else { return };
                sums.add_scaled(simd, x, d_y);
            }
        }
        self.rows.give(simd, sums, at, self.at, self.to);
    }
}

/// A row, whose nonzero samples are on a list.
struct Listed<'a, 'p, T, G> {
    rows: Rows<'a, T>,
    factors: &'a Factors,
    at: usize,
    to: &'a mut Pending<'p, G>,
}

impl<S: Simd, T: Element, G: GradientSink> ForEachBlock<S> for Listed<'_, '_, T, G> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let d_y = self.rows.d_y;
        let mut sums: C = start(simd, self.at + at, self.to.sink);
        for (start, x) in self.factors.iter() {
            let Some(d_y) = d_y.get(start + at..start + at + C::WIDTH) else { return };
            sums.add_scaled(simd, x, d_y);
        }
        self.rows.give(simd, sums, at, self.at, self.to);
    }
}

/// The rows of four neighbouring inputs, side by side, all of whose products count.
struct Four<'a, 'p, T, G> {
    rows: Rows<'a, T>,
    i: usize,
    at: usize,
    to: &'a mut Pending<'p, G>,
}

impl<S: Simd, T: Element, G: GradientSink> ForEachBlock<S> for Four<'_, '_, T, G> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Rows { x, d_y, outputs, .. } = self.rows;
        let scale = x.map().scale;
        let mut sums = [C::zero(simd); 4];
        for (row, sums) in sums.iter_mut().enumerate() {
            *sums = start(simd, self.at + row * outputs + at, self.to.sink);
        }
        for (sample, d_y) in x.iter().zip(d_y.chunks_exact(outputs)) {
            let inputs = sample.get(self.i..).and_then(<[T]>::first_chunk::<4>);
            let (Some(inputs), Some(d_y)) = (inputs, d_y.get(at..at + C::WIDTH)) else { return };
            for (sums, x) in sums.iter_mut().zip(inputs) {
                sums.add_scaled(simd, x.to_f32() * scale, d_y);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            self.rows.give(simd, sums, at, self.at + row * outputs, self.to);
        }
    }
}

/// The bias gradient, `Σₛ d_y[s]`, and what it adds to every row.
struct Bias<'a, G> {
    d_y: &'a [f32],
    outputs: usize,
    scale: f32,
    shifted: &'a mut [f32],
    sink: &'a mut G,
}

impl<G: GradientSink> Work for Bias<'_, G> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for_each_block(simd, self.outputs, &mut { self });
    }
}

impl<S: Simd, G: GradientSink> ForEachBlock<S> for Bias<'_, G> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Self { d_y, outputs, scale, shifted, sink } = self;
        let mut sums: C = start(simd, at, *sink);
        for row in d_y.chunks_exact(*outputs) {
            let Some(d_y) = row.get(at..at + C::WIDTH) else { return };
            sums.add(C::load(simd, d_y));
        }
        sums.scaled(simd, *scale).store(shifted.get_mut(at..).unwrap_or_default());
        let mut gradient = [0.0; PIECE];
        sums.store(&mut gradient);
        sink.take_bias(simd, at, gradient.get(..C::WIDTH).unwrap_or_default());
    }
}

/// Where the sums of a block begin.
#[inline(always)]
fn start<S: Simd, C: Columns<S>>(simd: S, at: usize, sink: &impl GradientSink) -> C {
    match sink.summed(at, C::WIDTH) {
        Some(sums) => C::load(simd, sums),
        None => C::zero(simd),
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
    let map = x.map();
    for o in 0..outputs {
        let first = |sink: &mut _, at| GradientSink::summed(sink, at, 1).map_or(0.0, |sum| sum[0]);
        let mut bias = first(sink, at + x.width() * outputs + o);
        for s in 0..x.len() {
            bias += d_y[s * outputs + o];
        }
        for i in 0..x.width() {
            let mut sum = first(sink, at + i * outputs + o);
            for (s, x) in x.iter().enumerate() {
                sum += x[i].to_f32() * map.scale * d_y[s * outputs + o];
            }
            if map.shift != 0.0 && !sink.more_follows() {
                sum += bias * map.shift;
            }
            sink.take(Baseline, at + i * outputs + o, &[sum]);
        }
        sink.take_bias(Baseline, at + x.width() * outputs + o, &[bias]);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::Serial;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, MAPS, assert_same_bits, cases};

    /// Remembers the gradient and how often each part of it came.
    struct Recorder<'a> {
        gradient: &'a mut [f32],
        times: &'a mut [u32],
    }

    impl GradientSink for Recorder<'_> {
        type Part<'p>
            = Recorder<'p>
        where
            Self: 'p;

        fn params(&self) -> &[f32] {
            &[]
        }

        fn take<S: Simd>(&mut self, _: S, at: usize, gradient: &[f32]) {
            self.gradient[at..at + gradient.len()].copy_from_slice(gradient);
            self.times[at..at + gradient.len()].iter_mut().for_each(|times| *times += 1);
        }

        fn take_zeros<S: Simd>(&mut self, simd: S, at: usize, len: usize) {
            self.take(simd, at, &vec![0.0; len]);
        }

        fn split_at(&mut self, at: usize) -> (Recorder<'_>, Recorder<'_>) {
            let (gradient, times) = (self.gradient.split_at_mut(at), self.times.split_at_mut(at));
            (
                Recorder { gradient: gradient.0, times: times.0 },
                Recorder { gradient: gradient.1, times: times.1 },
            )
        }
    }

    /// What `update` gives, each part of it once.
    fn record(len: usize, update: impl Fn(&mut Recorder<'_>)) -> Vec<f32> {
        let (mut gradient, mut times) = (vec![f32::NAN; len], vec![0; len]);
        update(&mut Recorder { gradient: &mut gradient, times: &mut times });
        assert!(times[7..].iter().all(|&times| times == 1), "not once each: {times:?}");
        gradient.split_off(7)
    }

    fn compare<T: Element>(data: &[T], case: &Case) {
        let Case { batch, inputs, outputs } = *case;
        let d_y = case.values(batch * outputs, 3);
        let len = 7 + inputs * outputs + outputs;
        for map in [T::MAP].into_iter().chain(MAPS) {
            let x = Batch::rows(data, inputs).unwrap().with_map(map);
            let expected = record(len, |sink| dense_update_scalar(x, &d_y, 7, sink));
            let mut work = vec![f32::NAN; update_work(outputs, batch, 3)];
            let got =
                record(len, |sink| dense_update(&Serial, x, &d_y, 7, sink, &mut work.clone()));
            assert_same_bits(&got, &expected, case);
            work.fill(f32::NAN);
            let got =
                record(len, |sink| dense_update(&Halves(3), x, &d_y, 7, sink, &mut work.clone()));
            assert_same_bits(&got, &expected, case);
            let got =
                record(len, |sink| lean::update(x, &d_y, outputs, 7, sink, &mut work.clone()));
            assert_same_bits(&got, &expected, case);
        }
    }

    #[test]
    fn dense_update_equals_scalar_bit_for_bit_at_every_size() {
        with_all_vectors(|| {
            for case in cases() {
                compare(&case.pixels(), &case);
                compare(&case.full_pixels(), &case);
                compare(&case.inputs(), &case);
            }
        });
    }

    /// Adds to what is there, as a batch in parts asks for; remembers which parameters came as a bias.
    struct Adder<'a> {
        gradient: &'a mut [f32],
        bias: &'a mut [bool],
        more: bool,
    }

    impl GradientSink for Adder<'_> {
        type Part<'p>
            = Adder<'p>
        where
            Self: 'p;

        fn params(&self) -> &[f32] {
            &[]
        }

        fn take<S: Simd>(&mut self, _: S, at: usize, gradient: &[f32]) {
            self.gradient[at..at + gradient.len()].copy_from_slice(gradient);
        }

        fn take_bias<S: Simd>(&mut self, simd: S, at: usize, gradient: &[f32]) {
            self.take(simd, at, gradient);
            self.bias[at..at + gradient.len()].fill(true);
        }

        fn take_zeros<S: Simd>(&mut self, _: S, _at: usize, _len: usize) {}

        fn split_at(&mut self, at: usize) -> (Adder<'_>, Adder<'_>) {
            let (gradient, bias) = (self.gradient.split_at_mut(at), self.bias.split_at_mut(at));
            (
                Adder { gradient: gradient.0, bias: bias.0, more: self.more },
                Adder { gradient: gradient.1, bias: bias.1, more: self.more },
            )
        }

        fn summed(&self, at: usize, len: usize) -> Option<&[f32]> {
            self.gradient.get(at..at + len)
        }

        fn more_follows(&self) -> bool {
            self.more
        }
    }

    #[test]
    fn sums_go_on_from_those_of_the_samples_before_and_a_bias_is_given_as_one() {
        with_all_vectors(|| {
            for case in cases() {
                let Case { batch, inputs, outputs } = case;
                let (pixels, d_y) = (case.pixels(), case.values(batch * outputs, 3));
                let len = inputs * outputs + outputs;
                let (mut work, maps) = (vec![0.0; update_work(outputs, batch, 1)], MAPS);
                for (map, more) in maps.into_iter().chain([u8::MAP]).zip([true, false].repeat(9)) {
                    let x = Batch::rows(&pixels, inputs).unwrap().with_map(map);
                    let mut given = |update: &mut dyn FnMut(&mut Adder<'_>, &mut [f32])| {
                        let (mut gradient, mut bias) = (case.values(len, 4), vec![false; len]);
                        let mut sink = Adder { gradient: &mut gradient, bias: &mut bias, more };
                        update(&mut sink, &mut work);
                        let is_bias = bias.iter().position(|bias| *bias).unwrap_or(len);
                        assert_eq!(is_bias, len - outputs, "{case:?}");
                        gradient
                    };
                    let expected = given(&mut |sink, _| dense_update_scalar(x, &d_y, 0, sink));
                    let fast =
                        given(&mut |sink, work| dense_update(&Serial, x, &d_y, 0, sink, work));
                    assert_same_bits(&fast, &expected, &case);
                    let lean =
                        given(&mut |sink, work| lean::update(x, &d_y, outputs, 0, sink, work));
                    assert_same_bits(&lean, &expected, &case);
                }
            }
        });
    }

    #[test]
    fn an_input_that_is_zero_in_every_sample_has_a_gradient_of_positive_zero() {
        with_all_vectors(|| {
            let x = Batch::rows(&[0u8, 1, 0, 2], 2).unwrap();
            let d_y = [-1.0, 0.0, -1.0, -0.0];
            let mut work = [0.0; update_work(2, 2, 1)];
            let gradient =
                record(13, |sink| dense_update(&Serial, x, &d_y, 7, sink, &mut work.clone()));
            work.fill(0.0);
            assert_eq!(gradient[..2].iter().map(|g| g.to_bits()).collect::<Vec<_>>(), [0, 0]);
        });
    }
}
