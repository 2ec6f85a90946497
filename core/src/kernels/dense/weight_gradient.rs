//! The weight gradient of a dense layer, handed to an optimizer block by block: no gradient is ever stored.
//!
//! Row `i` of the gradient is `Σₛ x[s][i]·d_y[s]`: the product of the transposed inputs with `d_y`. In which samples input `i` is not
//! zero is found 64 inputs × 64 samples at a time: the samples' masks over inputs, transposed as a matrix of bits, are the
//! inputs' masks over samples.
//!
//! ```text
//!        inputs i..i+64                 samples s..s+64
//!      s │ 1 0 0 1 … │               i │ 1 0 … │   input i is nonzero in sample s alone
//!    s+1 │ 0 0 1 1 … │  transpose  i+1 │ 0 0 … │   in none: its gradient is zero
//!     ⋮  │     ⋮     │  ────────▶  i+2 │ 0 1 … │
//! ```
//!
//! Rows are summed into a buffer that stays in the first-level cache, and handed over together: one call of the optimizer for
//! some thousand values. A plain gradient step does not even need the buffer: [`Finish::Move`].

use core::ops::Range;

use bytemuck::try_cast_slice_mut;

use super::add_rows;
use crate::kernels::gemm::{
    BLOCK_COLUMNS, DENSE_INPUTS, Factors, Gemm, MOST_ROWS, Matrix, Output, Packed, Rows, TERMS,
};
use crate::kernels::matmul::{Bits, Finish, GATHERED, Product, Terms};
use crate::kernels::scalar::{self, SCALAR};
use crate::kernels::simd::Simd;
use crate::kernels::threads::Split;
use crate::kernels::{
    Batch, Element, Gradient, MASK_BITS, Serial, Sink, Threads, add, copy, transpose64,
};

/// Values of a gradient that are handed over together: 16 KB of stack, half of a small first-level cache. With fewer,
/// rows of `d_y` are read from the second level more often (512 outputs: 2 % of an epoch).
const BLOCK: usize = 4096;

/// The same for a small layer: clearing a large block would take longer than its step.
const SMALL_BLOCK: usize = 512;

/// The same of rows that are dense: a tile's rows, and columns of a block of the product.
const DENSE_BLOCK: usize = MOST_ROWS * BLOCK_COLUMNS;

/// Length of the `work` slice of [`dense_update`], in `f32`s.
#[must_use]
pub const fn update_work(outputs: usize, batch: usize, threads: usize) -> usize {
    // The bias gradient, from which comes what a shift of the inputs adds to every row.
    outputs + if SCALAR { scalar::work_len(outputs, batch) } else { threads * masks_len(batch) }
}

/// One mask of 64 bits for each input of a tile and each 64 samples. A single sample needs none.
const fn masks_len(batch: usize) -> usize {
    if batch > 1 { 2 * MASK_BITS * batch.div_ceil(MASK_BITS) } else { 0 }
}

/// Gives `sink` the gradient of `weights` and of `bias`, from the gradient `d_y` at the outputs.
///
/// With inputs read as `x·scale + shift`, the gradient of a weight is `Σₛ (x[s][i]·scale)·d_y[s] + shift·Σₛ d_y[s]`:
/// the second term is the same for every input.
///
/// # Shapes
///
/// `x: [batch][IN]`, `d_y: [batch][OUT]`; the sink's parameters from `offset` on: weights `[IN][OUT]`, bias
/// `[OUT]`. `work` is overwritten, its length is [`update_work`]`(OUT, batch, threads)` or more.
///
/// # Panics
///
/// If a slice's length does not fit those shapes.
#[inline]
pub fn dense_update<T: Element>(
    threads: &dyn Threads,
    x: Batch<'_, T>,
    d_y: &[f32],
    offset: usize,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    assert!(d_y.len() == x.len() * outputs, "dense_update: d_y is not [batch][OUT]");
    assert!(
        work.len() >= update_work(outputs, x.len(), threads.count()),
        "dense_update: work is too short"
    );
    let (_, mut sink) = sink.split_at(offset);
    update(threads, x, d_y, &mut sink, work);
}

/// [`dense_update`] of slices that have been checked, for a sink of this layer's parameters.
#[inline]
pub(crate) fn update<T: Element>(
    threads: &dyn Threads,
    x: Batch<'_, T>,
    d_y: &[f32],
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let outputs = d_y.len().checked_div(x.len()).unwrap_or(0);
    if outputs == 0 {
        return;
    }
    debug_assert!(work.len() >= update_work(outputs, x.len(), 1), "work is too short");
    let Some((shifted, work)) = work.split_at_mut_checked(outputs) else { return };
    let is_shifted = bias_gradient(x.map().shift, d_y, x.width() * outputs, sink, shifted);
    let shifted = is_shifted.then_some(&*shifted);
    if SCALAR {
        return scalar::weight_gradient(x, d_y, outputs, shifted, sink, work);
    }
    let inputs = 0..x.width();
    let (sink, masks) = (sink.reborrow(), work);
    T::weight_gradient(threads, WeightGradient { x, d_y, outputs, shifted, inputs, sink, masks });
}

/// Hands over the bias gradient, `Σₛ d_y[s]`. Leaves in `shifted` what a shift of the inputs adds to every row of the weight
/// gradient, and returns whether it does.
#[inline(never)] // one copy for all layers
fn bias_gradient(
    shift: f32,
    d_y: &[f32],
    offset: usize,
    sink: &mut Sink<'_>,
    shifted: &mut [f32],
) -> bool {
    let range = offset..offset + shifted.len();
    let (first, rest) = d_y.split_at(shifted.len().min(d_y.len()));
    match sink.accumulated(range.clone()) {
        Some(before) => copy(before, shifted),
        None => shifted.fill(0.0),
    }
    add(first, shifted);
    if !rest.is_empty() {
        add_rows(rest, shifted);
    }
    sink.apply(range, Gradient::Dense(shifted), true);
    let is_shifted = shift != 0.0 && !sink.more_follows();
    if is_shifted {
        for sum in shifted.iter_mut() {
            scalar::keep_rolled();
            *sum *= shift;
        }
    }
    is_shifted
}

/// Some rows of the weight gradient, and where they go.
pub struct WeightGradient<'a, T> {
    pub(crate) x: Batch<'a, T>,
    pub(crate) d_y: &'a [f32],
    pub(crate) outputs: usize,
    /// `shift·Σₛ d_y[s]`, if there is a shift.
    pub(crate) shifted: Option<&'a [f32]>,
    /// The rows.
    pub(crate) inputs: Range<usize>,
    /// Takes the gradient of these rows, and no other.
    pub(crate) sink: Sink<'a>,
    /// Workspace for masks.
    pub(crate) masks: &'a mut [f32],
}

impl<T: Element> WeightGradient<'_, T> {
    /// Products, zeros counted.
    pub(super) fn products(&self) -> usize {
        self.d_y.len() * self.inputs.len()
    }
}

impl<T: Element> Split for WeightGradient<'_, T> {
    fn split(self, part: usize, of: usize) -> (Self, Self) {
        let Self { x, d_y, outputs, shifted, inputs, sink, masks } = self;
        let rows = inputs.len() * part / of;
        let middle = inputs.start + rows;
        let (sink_a, sink_b) = sink.into_halves(rows * outputs);
        let (masks_a, masks_b) = masks.split_at_mut(masks.len() / of * part);
        let (inputs_a, inputs_b) = (inputs.start..middle, middle..inputs.end);
        (
            Self { x, d_y, outputs, shifted, inputs: inputs_a, sink: sink_a, masks: masks_a },
            Self { x, d_y, outputs, shifted, inputs: inputs_b, sink: sink_b, masks: masks_b },
        )
    }

    fn run(self) {
        T::weight_gradient(&Serial, self);
    }
}

/// For 64 inputs: the samples in which each is not zero, 64 samples a mask. Halves of a mask, since the workspace is aligned for
/// 32 bits.
type Masks = [[u32; 2]; MASK_BITS];

/// Fills the masks of the 64 inputs from `first` on. Returns which inputs are nonzero in any sample.
fn find_samples<T: Element>(x: Batch<'_, T>, first: usize, tiles: &mut [Masks]) -> u64 {
    let mut any = 0;
    for (t, tile) in tiles.iter_mut().enumerate() {
        let mut masks = [0u64; MASK_BITS];
        let samples = MASK_BITS.min(x.len() - t * MASK_BITS);
        let mut all = u64::MAX;
        for (s, mask) in masks.iter_mut().enumerate().take(samples) {
            let sample = x.sample(t * MASK_BITS + s);
            *mask = T::nonzero_mask(sample.get(first..).unwrap_or_default());
            (any, all) = (any | *mask, all & *mask);
        }
        if all == u64::MAX {
            masks.fill(all >> (MASK_BITS - samples)); // transposed as it is
        } else if x.len() == 1 {
            let mut bits = any;
            masks.iter_mut().for_each(|mask| (*mask, bits) = (bits & 1, bits >> 1));
        } else {
            transpose64(&mut masks);
        }
        for (halves, mask) in tile.iter_mut().zip(masks) {
            *halves = [mask as u32, (mask >> 32) as u32];
        }
    }
    any
}

/// The workspace as one tile of masks for each 64 samples.
#[inline]
fn mask_tiles(masks: &mut [f32], batch: usize) -> &mut [Masks] {
    let (masks, _) = masks.as_chunks_mut::<2>();
    let masks: &mut [[u32; 2]] = try_cast_slice_mut(masks).unwrap_or_default();
    masks.as_chunks_mut::<MASK_BITS>().0.get_mut(..batch.div_ceil(MASK_BITS)).unwrap_or_default()
}

/// Sums the rows, run by run: inputs that are zero in every sample, in some, or in none.
#[inline(always)]
pub(super) fn weight_gradient_rows<S: Simd, T: Element>(simd: S, work: WeightGradient<'_, T>) {
    let WeightGradient { x, d_y, outputs, shifted, inputs, mut sink, masks } = work;
    let mut single = [[[0; 2]; MASK_BITS]];
    // A plain gradient step, and sums that are never cut: from the registers into the weights.
    let is_plain = shifted.is_none() && outputs >= 16 && x.len() <= GATHERED;
    let rate = if is_plain { sink.rate() } else { None };
    let (mut small, mut large);
    let buffer = match rate {
        Some(_) => &mut [][..],
        None if inputs.len() * outputs <= SMALL_BLOCK => {
            small = Buffer([0.0; SMALL_BLOCK]);
            &mut small.0
        }
        None => {
            large = Buffer([0.0; BLOCK]);
            &mut large.0
        }
    };
    let mut rows = SparseRows { d_y, outputs, shifted, rate, buffer };
    let tiles = if x.len() == 1 { &mut single } else { mask_tiles(masks, x.len()) };
    debug_assert!(!tiles.is_empty(), "work is too short for the masks");
    // Packing pays for several tiles of dense rows, or where there are no others.
    let least = (2 * MOST_ROWS).min(inputs.len());
    // Dense inputs that have been found, and wait for their neighbours.
    let mut dense_run = inputs.start..inputs.start;
    for first in inputs.clone().step_by(MASK_BITS) {
        let len = MASK_BITS.min(inputs.end - first);
        let any = find_samples(x, first, tiles);
        let dense = dense_inputs(x.len(), tiles, least) & u64::MAX >> (MASK_BITS - len);
        // With a shift, a row of zeros has a gradient as well.
        let zero = if shifted.is_some() { 0 } else { !any };
        let dense = long_runs(dense, least);
        let mut i = 0;
        while i < len {
            // From input `i` to the first whose bit is set.
            let run = |bits: u64| (len - i).min((bits >> i).trailing_zeros() as usize);
            let offset = (first - inputs.start + i) * outputs;
            let n = if zero >> i & 1 != 0 {
                let n = run(!zero);
                sink.apply(offset..offset + n * outputs, Gradient::Zero, false);
                n
            } else if dense >> i & 1 != 0 {
                let n = run(!dense);
                if dense_run.end != first + i {
                    let rows = dense_run.start - inputs.start..dense_run.end - inputs.start;
                    dense_rows(
                        x,
                        [d_y, shifted.unwrap_or_default()],
                        inputs.start,
                        rows,
                        &mut sink,
                    );
                    dense_run.start = first + i;
                }
                dense_run.end = first + i + n;
                n
            } else {
                let n = run(zero | dense);
                rows.sum(
                    n,
                    offset,
                    &mut sink,
                    #[inline(always)]
                    |product, row, out| {
                        product.run::<S, S::Accumulator, _>(
                            simd,
                            #[inline(always)]
                            |r| {
                                let row = row + r;
                                SparseInput { x, i: first + i + row, bit: i + row, tiles: &*tiles }
                            },
                            out,
                        );
                    },
                );
                n
            };
            i += n;
        }
    }
    let rows = dense_run.start - inputs.start..dense_run.end - inputs.start;
    dense_rows(x, [d_y, shifted.unwrap_or_default()], inputs.start, rows, &mut sink);
}

/// The set bits in runs of at least `least`.
fn long_runs(bits: u64, least: usize) -> u64 {
    let starts = (1..least).fold(bits, |starts, i| starts & bits >> i);
    (1..least).fold(starts, |runs, i| runs | starts << i)
}

/// Of 64 inputs, those few of whose samples are zero, one bit each; none if there can't be `least` beside each other.
fn dense_inputs(batch: usize, tiles: &[Masks], least: usize) -> u64 {
    let is_dense = |bit: usize| {
        let nonzeros = |tile: &Masks| {
            let [low, high] = tile.get(bit).copied().unwrap_or_default();
            (low.count_ones() + high.count_ones()) as usize
        };
        100 * tiles.iter().map(nonzeros).sum::<usize>() >= DENSE_INPUTS * batch
    };
    // One of `least` neighbours is a multiple of it.
    if !(0..MASK_BITS).step_by(least.max(1)).any(is_dense) {
        return 0;
    }
    (0..MASK_BITS).fold(0, |dense, bit| dense | u64::from(is_dense(bit)) << bit)
}

/// Sums `rows` of the gradient with all their terms; row 0 is that of the input `first`.
#[inline(never)]
fn dense_rows<T: Element>(
    x: Batch<'_, T>,
    [d_y, shifted]: [&[f32]; 2],
    first: usize,
    rows: Range<usize>,
    sink: &mut Sink<'_>,
) {
    if rows.is_empty() {
        return;
    }
    let outputs = d_y.len().checked_div(x.len()).unwrap_or(0);
    let matrix = Matrix { values: d_y, stride: outputs, transposed: false };
    let gemm = Gemm { matrix, rows: rows.len(), terms: x.len(), width: outputs };
    let inputs = Inputs { x, first: first + rows.start };
    let params = rows.start * outputs..rows.end * outputs;
    match sink.rate() {
        // A plain gradient step, and sums that are never cut: from the registers into the weights.
        Some(rate) if shifted.is_empty() && x.len() <= TERMS => {
            let values = sink.params_mut(params);
            gemm.run(&inputs, &mut Rows { values, stride: outputs, finish: Finish::Move(rate) });
        }
        _ => {
            let buffer = Buffer([0.0; DENSE_BLOCK]);
            let sink = sink.reborrow();
            gemm.run(&inputs, &mut Blocks { buffer, outputs, shifted, offset: params.start, sink });
        }
    }
}

/// Hands over blocks of the gradient.
struct Blocks<'a> {
    buffer: Buffer<DENSE_BLOCK>,
    outputs: usize,
    shifted: &'a [f32],
    offset: usize,
    sink: Sink<'a>,
}

impl Blocks<'_> {
    /// Where row `row` of the gradient lies among the parameters, from column `columns.start` to `columns.end`.
    fn range(&self, row: usize, columns: &Range<usize>) -> Range<usize> {
        let start = self.offset + row * self.outputs;
        start + columns.start..start + columns.end
    }
}

impl Output for Blocks<'_> {
    const FINISHES: bool = true;

    fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> (&mut [f32], usize, Finish) {
        let width = columns.len();
        let mut finish = Finish::Write;
        for (i, row) in rows.enumerate() {
            if let Some(before) = self.sink.accumulated(self.range(row, &columns)) {
                let sums = self.buffer.0.get_mut(i * width..(i + 1) * width).unwrap_or_default();
                copy(before, sums);
                finish = Finish::Add;
            }
        }
        (&mut self.buffer.0, width, finish)
    }

    fn finish(&mut self, rows: Range<usize>, columns: Range<usize>) {
        let ranges = [rows.start, rows.end - 1].map(|row| self.range(row, &columns));
        let Self { buffer, shifted, outputs, sink, offset } = self;
        let [first, last] = ranges;
        let width = columns.len();
        let block = buffer.0.get_mut(..rows.len() * width).unwrap_or_default();
        if let Some(shifted) = shifted.get(columns.clone()) {
            for sums in block.chunks_exact_mut(width) {
                sums.iter_mut().zip(shifted).for_each(|(sum, shifted)| *sum += shifted);
            }
        }
        if width == *outputs {
            return sink.apply(first.start..last.end, Gradient::Dense(block), false);
        }
        for (row, sums) in rows.zip(block.chunks_exact(width)) {
            let start = *offset + row * *outputs;
            sink.apply(start + columns.start..start + columns.end, Gradient::Dense(sums), false);
        }
    }
}

/// Aligned for the widest vectors.
#[repr(align(64))]
struct Buffer<const N: usize>([f32; N]);

/// What all rows have in common.
struct SparseRows<'a> {
    d_y: &'a [f32],
    outputs: usize,
    shifted: Option<&'a [f32]>,
    /// The learning rate, if the step is a plain gradient step.
    rate: Option<f32>,
    /// A block of the gradient, in any other step.
    buffer: &'a mut [f32],
}

impl SparseRows<'_> {
    /// Sums `rows` rows whose parameters begin at `offset`, and hands them over. `compute` writes the product of the rows from
    /// its second argument on.
    #[inline(always)]
    fn sum(
        &mut self,
        rows: usize,
        offset: usize,
        sink: &mut Sink<'_>,
        compute: impl Fn(Product<'_>, usize, &mut [f32]),
    ) {
        let Self { d_y, outputs, shifted, rate, ref mut buffer } = *self;
        // As many whole rows as the buffer holds; of rows that are longer, one a part at a time.
        let (most, widest) = match rate {
            Some(_) => (rows, outputs),
            None => ((buffer.len() / outputs).max(1), outputs.min(buffer.len())),
        };
        for first in (0..rows).step_by(most) {
            let rows = most.min(rows - first);
            for column in (0..outputs).step_by(widest) {
                let width = widest.min(outputs - column);
                let range = |row: usize| {
                    let start = offset + (first + row) * outputs + column;
                    start..start + width
                };
                let block = buffer.get_mut(..rows * width).unwrap_or_default();
                let mut finish = Finish::Write;
                for (row, sums) in block.chunks_exact_mut(width).enumerate() {
                    if let Some(before) = sink.accumulated(range(row)) {
                        copy(before, sums);
                        finish = Finish::Add;
                    }
                }
                let out = match rate {
                    Some(rate) => {
                        finish = Finish::Move(rate);
                        sink.params_mut(offset..offset + rows * outputs)
                    }
                    None => &mut *block,
                };
                let matrix = d_y.get(column..).unwrap_or_default();
                let product = Product { stride: outputs, ..Product::new(matrix, width, finish) };
                compute(product, first, out);
                if rate.is_some() {
                    return;
                }
                if let Some(shifted) = shifted.and_then(|shifted| shifted.get(column..)) {
                    for sums in block.chunks_exact_mut(width) {
                        sums.iter_mut().zip(shifted).for_each(|(sum, shifted)| *sum += shifted);
                    }
                }
                if width == outputs {
                    let all = range(0).start..range(rows - 1).end;
                    sink.apply(all, Gradient::Dense(block), false);
                } else {
                    for (row, sums) in block.chunks_exact(width).enumerate() {
                        sink.apply(range(row), Gradient::Dense(sums), false);
                    }
                }
            }
        }
    }
}

/// One input: the samples in which it is not zero are the set bits of masks.
struct SparseInput<'a, T> {
    x: Batch<'a, T>,
    i: usize,
    /// Its index among the 64 inputs of a tile.
    bit: usize,
    tiles: &'a [Masks],
}

impl<T: Element> Terms for SparseInput<'_, T> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, f32) -> Option<()>) -> Option<()> {
        for (tile, first) in self.tiles.iter().zip((0..).step_by(MASK_BITS)) {
            let [low, high] = tile.get(self.bit).copied().unwrap_or_default();
            for s in Bits(u64::from(low) | u64::from(high) << 32) {
                add(first + s, self.x.scaled(first + s, self.i)?)?;
            }
        }
        Some(())
    }
}

/// Neighbouring inputs as rows of `a`.
struct Inputs<'a, T> {
    x: Batch<'a, T>,
    first: usize,
}

impl<T: Element> Factors for Inputs<'_, T> {
    const BY_TERM: bool = true;

    fn pack(&self, rows: Range<usize>, terms: Range<usize>, to: &mut Packed) {
        let scale = self.x.map().scale;
        for (to, s) in to.terms().iter_mut().zip(terms) {
            let inputs = self.x.sample(s).get(self.first + rows.start..).unwrap_or_default();
            match inputs.first_chunk::<8>() {
                Some(inputs) => {
                    to.iter_mut().zip(inputs).for_each(|(to, x)| *to = x.to_f32() * scale);
                }
                None => to.iter_mut().zip(inputs).for_each(|(to, x)| *to = x.to_f32() * scale),
            }
        }
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
    offset: usize,
    sink: &mut Sink<'_>,
) {
    let Some(outputs) = d_y.len().checked_div(x.len()) else { return };
    let map = x.map();
    for o in 0..outputs {
        let first = |sink: &Sink<'_>, at| sink.accumulated(at..at + 1).map_or(0.0, |sum| sum[0]);
        let mut bias = first(sink, offset + x.width() * outputs + o);
        for s in 0..x.len() {
            bias += d_y[s * outputs + o];
        }
        for i in 0..x.width() {
            let mut sum = first(sink, offset + i * outputs + o);
            for (s, x) in x.iter().enumerate() {
                sum += x[i].to_f32() * map.scale * d_y[s * outputs + o];
            }
            if map.shift != 0.0 && !sink.more_follows() {
                sum += bias * map.shift;
            }
            let at = offset + i * outputs + o;
            sink.apply(at..at + 1, Gradient::Dense(&[sum]), false);
        }
        let at = offset + x.width() * outputs + o;
        sink.apply(at..at + 1, Gradient::Dense(&[bias]), true);
    }
}

#[cfg(test)]
mod tests;
