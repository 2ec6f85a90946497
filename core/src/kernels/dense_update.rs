//! The weight gradient of a dense layer, handed to an optimizer block by block: no gradient is ever stored.
//!
//! Row `i` of the gradient is `Σₛ x[s][i]·d_y[s]`. The samples in which input `i` is not zero are found 64
//! inputs by 64 samples at a time: the samples' masks over inputs, transposed, are the inputs' masks over
//! samples. Some rows are summed into a buffer that stays in the nearest cache, and then given away together.

use core::ops::Range;

use bytemuck::try_cast_slice_mut;

use super::dense_forward::add_rows;
use super::lean::LEAN;
use super::product::{Bits, Product, Terms};
use super::simd::Simd;
use super::threads::{parts, share};
use super::{Batch, Element, Gradient, Sink, TILE, Threads, transpose64};

/// Values of a gradient that are given away at once: 4 KB of stack.
const BLOCK: usize = 1024;

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
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    assert!(d_y.len() == x.len() * outputs, "dense_update: d_y is not [batch][OUT]");
    assert!(
        work.len() >= update_work(outputs, x.len(), threads.count()),
        "dense_update: work is too short"
    );
    let (_, mut sink) = sink.split_at(at);
    update(threads, x, d_y, &mut sink, work);
}

/// [`dense_update`] of slices that have been checked, for a sink of this layer's parameters.
#[inline]
pub(crate) fn update<T: Element>(
    threads: &impl Threads,
    x: Batch<'_, T>,
    d_y: &[f32],
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let outputs = d_y.len().checked_div(x.len()).unwrap_or(0);
    if outputs == 0 {
        return;
    }
    if LEAN {
        return T::update(Rows { x, d_y, outputs, shifted: None }, 0..x.width(), sink, work);
    }
    let Some((shifted, work)) = work.split_at_mut_checked(outputs) else { return };
    let weights = x.width() * outputs;
    let is_shifted = bias(x.map().shift, d_y, weights, sink, shifted);
    let parts = parts(threads, d_y.len() * x.width());
    let shifted = is_shifted.then_some(&*shifted);
    Rows { x, d_y, outputs, shifted }.over(threads, parts, 0..x.width(), sink, work);
}

/// Gives the bias gradient, `Σₛ d_y[s]`; what it adds to every row, in `shifted`, and whether it does.
fn bias(shift: f32, d_y: &[f32], at: usize, sink: &mut Sink<'_>, shifted: &mut [f32]) -> bool {
    match sink.summed(at..at + shifted.len()) {
        Some(before) => shifted.copy_from_slice(before),
        None => shifted.fill(0.0),
    }
    add_rows(d_y, shifted.len(), shifted);
    sink.take(at..at + shifted.len(), Gradient::Dense(shifted), true);
    shifted.iter_mut().for_each(|sum| *sum *= shift);
    shift != 0.0 && !sink.more_follows()
}

/// Aligned for the widest vectors.
#[repr(align(64))]
struct Buffer([f32; BLOCK]);

/// What the gradients of all rows are made from.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    pub(super) x: Batch<'a, T>,
    pub(super) d_y: &'a [f32],
    pub(super) outputs: usize,
    /// `shift·Σₛ d_y[s]`, if there is a shift.
    shifted: Option<&'a [f32]>,
}

impl<T: Element> Rows<'_, T> {
    /// The rows of `inputs`, whose first is the first that `sink` knows, in so many parts.
    fn over<H: Threads>(
        self,
        threads: &H,
        parts: usize,
        inputs: Range<usize>,
        sink: &mut Sink<'_>,
        work: &mut [f32],
    ) {
        let cut = share(inputs.len(), parts);
        if cut == 0 {
            return T::update(self, inputs, sink, work);
        }
        let (mut sink_a, mut sink_b) = sink.split_at(cut * self.outputs);
        let (work_a, work_b) = work.split_at_mut(work.len() / parts * (parts / 2));
        let middle = inputs.start + cut;
        threads.join(
            || self.over(threads, parts / 2, inputs.start..middle, &mut sink_a, work_a),
            || self.over(threads, parts - parts / 2, middle..inputs.end, &mut sink_b, work_b),
        );
    }

    /// For the 64 inputs from `first` on: the samples in which each is not zero; and which are not zero in any sample,
    /// and in all.
    fn find_samples(self, first: usize, tiles: &mut [[[u32; 2]; TILE]]) -> [u64; 2] {
        let (mut any, mut all) = (0, u64::MAX);
        for (t, tile) in tiles.iter_mut().enumerate() {
            let mut masks = [0u64; TILE];
            for (s, mask) in masks.iter_mut().enumerate().take(self.x.len() - t * TILE) {
                let sample = self.x.sample(t * TILE + s);
                *mask = T::nonzero_mask(sample.get(first..).unwrap_or_default());
                (any, all) = (any | *mask, all & *mask);
            }
            if self.x.len() == 1 {
                let mut bits = any;
                masks.iter_mut().for_each(|mask| (*mask, bits) = (bits & 1, bits >> 1));
            } else {
                transpose64(&mut masks);
            }
            for (to, mask) in tile.iter_mut().zip(masks) {
                *to = [mask as u32, (mask >> 32) as u32];
            }
        }
        [any, all]
    }

    /// Sums the rows of `rows` inputs, whose parameters begin at `at`, and gives them away.
    #[inline(always)]
    fn sum<S: Simd, U: Terms<N>, const N: usize>(
        self,
        simd: S,
        terms: impl Fn(usize) -> U,
        rows: usize,
        at: usize,
        sink: &mut Sink<'_>,
        buffer: &mut Buffer,
    ) {
        let Self { d_y, outputs, shifted, .. } = self;
        // Plain gradient descent, and sums that fit one list: straight out of the registers.
        if shifted.is_none()
            && outputs >= 16
            && self.x.len() <= 256
            && let Some((rate, params)) = sink.moved(at..at + rows * outputs)
        {
            let (matrix, stride, width) = (d_y, outputs, outputs);
            let product = Product { matrix, stride, width, adds: false, rate: Some(rate) };
            return product.sum(simd, terms, params);
        }
        // Whole rows, as many as the buffer holds; or a part of `N` rows.
        let (most, widest) = ((BLOCK / outputs / N).max(1) * N, outputs.min(BLOCK / N));
        for first in (0..rows).step_by(most) {
            let rows = most.min(rows - first);
            for column in (0..outputs).step_by(widest) {
                let width = widest.min(outputs - column);
                let place = |row: usize| {
                    let start = at + (first + row) * outputs + column;
                    start..start + width
                };
                let block = buffer.0.get_mut(..rows * width).unwrap_or_default();
                let adds = sink.summed(place(0)).is_some();
                for (row, sums) in block.chunks_exact_mut(width).enumerate() {
                    if let Some(before) = sink.summed(place(row)) {
                        sums.copy_from_slice(before);
                    }
                }
                let matrix = d_y.get(column..).unwrap_or_default();
                Product { matrix, stride: outputs, width, adds, rate: None }.sum(
                    simd,
                    #[inline(always)]
                    |group| terms(first / N + group),
                    block,
                );
                if let Some(shifted) = shifted.and_then(|shifted| shifted.get(column..)) {
                    for sums in block.chunks_exact_mut(width) {
                        sums.iter_mut().zip(shifted).for_each(|(sum, shifted)| *sum += shifted);
                    }
                }
                if width == outputs {
                    let all = place(0).start..place(rows - 1).end;
                    sink.take(all, Gradient::Dense(block), false);
                } else {
                    for (row, sums) in block.chunks_exact(width).enumerate() {
                        sink.take(place(row), Gradient::Dense(sums), false);
                    }
                }
            }
        }
    }
}

/// The rows of `inputs`: those that are zero in no sample, in some, or in all.
#[inline(always)]
pub(super) fn sum_rows<S: Simd, T: Element>(
    simd: S,
    rows: Rows<'_, T>,
    inputs: Range<usize>,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let Rows { x, outputs, .. } = rows;
    let (mut lone, mut buffer) = ([[[0; 2]; TILE]], Buffer([0.0; BLOCK]));
    let tiles = if x.len() == 1 { &mut lone } else { mask_tiles(work, x.len()) };
    for first in inputs.clone().step_by(TILE) {
        let here = TILE.min(inputs.end - first);
        let [any, all] = rows.find_samples(first, tiles);
        let all = all & u64::MAX >> (TILE - here);
        let zero = if rows.shifted.is_some() { 0 } else { !any };
        // Where four inputs that are zero in no sample begin.
        let four = all & all >> 1 & all >> 2 & all >> 3;
        let mut i = 0;
        while i < here {
            let until = |bits: u64| (here - i).min((bits >> i).trailing_zeros() as usize);
            let at = (first - inputs.start + i) * outputs;
            let n = if zero >> i & 1 != 0 {
                let n = until(!zero);
                sink.take(at..at + n * outputs, Gradient::Zero, false);
                n
            } else if four >> i & 1 != 0 {
                let n = until(!all) / 4 * 4;
                rows.sum::<S, _, 4>(
                    simd,
                    #[inline(always)]
                    |group| Four { x, i: first + i + 4 * group },
                    n,
                    at,
                    sink,
                    &mut buffer,
                );
                n
            } else {
                let n = until(zero | four);
                rows.sum::<S, _, 1>(
                    simd,
                    #[inline(always)]
                    |row| Input { x, i: first + i + row, bit: i + row, tiles },
                    n,
                    at,
                    sink,
                    &mut buffer,
                );
                n
            };
            i += n;
        }
    }
}

/// `work` as one tile of masks for each 64 samples. Halves of a mask, since `work` is aligned for 32 bits.
#[inline]
fn mask_tiles(work: &mut [f32], batch: usize) -> &mut [[[u32; 2]; TILE]] {
    let (masks, _) = work.as_chunks_mut::<2>();
    let masks: &mut [[u32; 2]] = try_cast_slice_mut(masks).unwrap_or_default();
    masks.as_chunks_mut::<TILE>().0.get_mut(..batch.div_ceil(TILE)).unwrap_or_default()
}

/// One input: the samples in which it is not zero are the bits of masks.
struct Input<'a, T> {
    x: Batch<'a, T>,
    i: usize,
    /// Its place among the 64 inputs of a tile.
    bit: usize,
    tiles: &'a [[[u32; 2]; TILE]],
}

impl<T: Element> Terms<1> for Input<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 1]) -> Option<()>) -> Option<()> {
        for (tile, first) in self.tiles.iter().zip((0..).step_by(TILE)) {
            let [low, high] = tile.get(self.bit).copied().unwrap_or_default();
            for s in Bits(u64::from(low) | u64::from(high) << 32) {
                add(first + s, [self.x.scaled(first + s, self.i)?])?;
            }
        }
        Some(())
    }
}

/// Four neighbouring inputs, which are zero in no sample.
struct Four<'a, T> {
    x: Batch<'a, T>,
    i: usize,
}

impl<T: Element> Terms<4> for Four<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 4]) -> Option<()>) -> Option<()> {
        let scale = self.x.map().scale;
        for (s, sample) in self.x.iter().enumerate() {
            let [a, b, c, d] = sample.get(self.i..)?.first_chunk()?;
            let mut x = [a.to_f32(), b.to_f32(), c.to_f32(), d.to_f32()];
            x.iter_mut().for_each(|x| *x *= scale);
            add(s, x)?;
        }
        Some(())
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
    sink: &mut Sink<'_>,
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    let map = x.map();
    for o in 0..outputs {
        let first = |sink: &Sink<'_>, at| sink.summed(at..at + 1).map_or(0.0, |sum| sum[0]);
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
            let at = at + i * outputs + o;
            sink.take(at..at + 1, Gradient::Dense(&[sum]), false);
        }
        let at = at + x.width() * outputs + o;
        sink.take(at..at + 1, Gradient::Dense(&[bias]), true);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::simd::testing::with_all_vectors;
    use crate::kernels::testing::{Case, Halves, MAPS, assert_same_bits, cases};
    use crate::kernels::{Serial, State, Update, lean};

    /// Remembers the gradient and how often each part of it came.
    struct Recorder;

    impl Update for Recorder {
        fn apply(&self, to: &mut [f32], state: State<'_>, gradient: Gradient<'_>, _: bool) {
            gradient.for_each_dense(to, state, |to, [times, _], gradient| {
                to.copy_from_slice(gradient);
                times.iter_mut().for_each(|times| *times += 1.0);
            });
        }
    }

    /// What `update` gives, each part of it once.
    fn record(len: usize, update: impl Fn(&mut Sink<'_>)) -> Vec<f32> {
        let (mut gradient, mut times) = (vec![f32::NAN; len], vec![0.0; len]);
        update(&mut Sink::new(&mut gradient, &mut times, &Recorder));
        assert!(times[7..].iter().all(|&times| times == 1.0), "not once each: {times:?}");
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
            let got = record(len, |sink| {
                lean::update(x, &d_y, outputs, &mut sink.split_at(7).1, &mut work.clone())
            });
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
    struct Adder;

    impl Update for Adder {
        fn apply(&self, to: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool) {
            if matches!(gradient, Gradient::Zero) {
                return;
            }
            gradient.for_each_dense(to, state, |to, [is_bias, _], gradient| {
                to.copy_from_slice(gradient);
                is_bias.fill(f32::from(u8::from(bias)));
            });
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
                    let mut given = |update: &mut dyn FnMut(&mut Sink<'_>, &mut [f32])| {
                        let (mut gradient, mut bias) = (case.values(len, 4), vec![0.0; len]);
                        let mut sink = Sink::new(&mut gradient, &mut bias, &Adder);
                        sink.kept = Some((&[], more));
                        update(&mut sink, &mut work);
                        let is_bias = bias.iter().position(|bias| *bias != 0.0).unwrap_or(len);
                        assert_eq!(is_bias, len - outputs, "{case:?}");
                        gradient
                    };
                    let expected = given(&mut |sink, _| dense_update_scalar(x, &d_y, 0, sink));
                    let fast =
                        given(&mut |sink, work| dense_update(&Serial, x, &d_y, 0, sink, work));
                    assert_same_bits(&fast, &expected, &case);
                    let lean = given(&mut |sink, work| lean::update(x, &d_y, outputs, sink, work));
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
