//! A dense layer's passes for processors without vector registers: Cortex-M, Xtensa, small RISC-V.
//!
//! There, a mask of zeros is no cheaper to make than a list of nonzeros, and a list is cheaper to walk: [`Nonzeros`] is the source of
//! terms. The sums are computed by the functions of `rows`, which have the same names and meanings in plain Rust (`plain`) and in
//! assembler (`arm/`, where the compiler wouldn't keep sums in registers):
//!
//! * `add_rows`: `y += Σ x·M[row]` for the listed rows, the product of forward pass and weight gradient
//! * `sgd_rows`: `W[row] -= rate·x·d_y` for the listed rows, a single sample's gradient and step in one
//! * `add`: the sum of two rows
//! * `dot_rows`: `y[row] = Σₒ x[o]·M[row][o]`, the input gradient
//! * `adam`, `adam_zeros`: one step of Adam
//! * `with_list`: memory for a list
//! * `keep_rolled`: says of the loop that it stands in that small matters more than fast

mod nonzeros;
#[cfg_attr(
    picomlp_cortex_m,
    allow(dead_code, reason = "what the kernels in `arm/` are compared with")
)]
pub(super) mod plain;

#[cfg(picomlp_cortex_m)]
pub(super) use super::arm as rows;
#[cfg(not(picomlp_cortex_m))]
pub(super) use plain as rows;

pub use nonzeros::Nonzeros;
pub(super) use nonzeros::fill;
pub(crate) use rows::{add, keep_rolled};

use super::simd::Simd;
use super::{Batch, Element, Gradient, Native, Sink, copy};

/// Whether the kernels of this folder are the ones to use: wherever the build has no vectors that `wide` knows.
pub(super) const SCALAR: bool = matches!(Native::NAME.as_bytes(), b"none");

/// The inputs of a batch, of whatever type, so that the passes below are linked once.
pub(super) trait Inputs {
    /// Samples.
    fn samples(&self) -> usize;

    /// Values in one sample.
    fn width(&self) -> usize;

    /// Lists nonzero values of a sample from input `first` on; returns the first input that it has not looked at.
    fn list(&self, sample: usize, first: usize, list: &mut Nonzeros) -> usize;

    /// Lists the samples from `first` on in which an input is not zero, as many as the list holds; returns the first
    /// sample that it has not looked at.
    fn list_samples(&self, input: usize, first: usize, list: &mut Nonzeros) -> usize;

    /// Whether the four inputs from `input` on are there, and zero in all samples.
    fn four_are_zero(&self, input: usize) -> bool;
}

impl<T: Element> Inputs for Batch<'_, T> {
    fn samples(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.width()
    }

    fn list(&self, sample: usize, first: usize, list: &mut Nonzeros) -> usize {
        T::list(self.sample(sample), self.map().scale, first, list)
    }

    fn list_samples(&self, input: usize, first: usize, list: &mut Nonzeros) -> usize {
        list.clear();
        let (mut s, samples) = (first, self.len());
        while s < samples && !list.is_nearly_full() {
            if let Some(value) = self.scaled(s, input)
                && !f32::all_zero(&[value])
            {
                list.push(s as u32, value);
            }
            s += 1;
        }
        s
    }

    fn four_are_zero(&self, input: usize) -> bool {
        self.iter().all(|sample| {
            sample.get(input..).and_then(<[T]>::first_chunk::<4>).is_some_and(T::all_zero)
        })
    }
}

/// Adds all products to outputs whose sums have been started, `y: [samples][outputs]`.
pub(super) fn forward(x: &dyn Inputs, weights: &[f32], outputs: usize, y: &mut [f32]) {
    let width = x.width();
    rows::with_list(width, |list| {
        for (sample, y) in y.chunks_exact_mut(outputs.max(1)).enumerate() {
            let mut first = 0;
            while first < width {
                first = x.list(sample, first, list);
                rows::add_rows(list, weights, outputs, 0, y);
            }
        }
    });
}

/// Adds all rows of a matrix to `sums`.
pub(super) fn add_all_rows(matrix: &[f32], sums: &mut [f32]) {
    for row in matrix.chunks_exact(sums.len().max(1)) {
        rows::add(row, sums);
    }
}

/// Hands the rows of the weight gradient to the sink. Where the caller's batch is known to be a single sample, the other
/// function isn't linked.
#[inline]
pub(super) fn weight_gradient<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    outputs: usize,
    shifted: Option<&[f32]>,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let weights = x.width() * outputs;
    if x.len() == 1 && shifted.is_none() {
        outer_product(&x, d_y, weights, sink);
    } else {
        sum_rows(&x, d_y, outputs, shifted, sink, work);
    }
}

/// A single sample's gradient is an outer product: the update gets its two factors.
#[inline(never)] // the stack of `sum_rows` isn't needed
fn outer_product(x: &dyn Inputs, d_y: &[f32], weights: usize, sink: &mut Sink<'_>) {
    let width = x.width();
    rows::with_list(width, |list| {
        let mut first = 0;
        while first < width {
            let next = x.list(0, first, list);
            let gradient = Gradient::OuterProduct { rows: list, inputs: first..next, d_y };
            sink.apply(0..weights, gradient, false);
            first = next;
        }
    });
}

/// Values of a gradient that are handed over together, at most: 512 bytes.
pub const BLOCK: usize = 128;

/// Length of the weight gradient's workspace, in `f32`s. A single sample needs at most a row, and only if its inputs
/// have a shift.
pub(super) const fn work_len(outputs: usize, batch: usize) -> usize {
    if batch > 1 || outputs > BLOCK { BLOCK } else { outputs }
}

/// Neighbouring values of the gradient that wait to be handed over: those in the block, or zeros.
struct Waiting<'a> {
    block: &'a mut [f32],
    /// Where they begin among the layer's weights.
    start: usize,
    len: usize,
    zero: bool,
}

impl Waiting<'_> {
    /// Hands over what waits, unless `len` more values of this kind can wait with it.
    #[inline]
    fn make_room(&mut self, len: usize, zero: bool, sink: &mut Sink<'_>) {
        if self.zero == zero && (zero || self.len + len <= self.block.len()) {
            return;
        }
        self.hand_over(sink);
        self.zero = zero;
    }

    #[inline(never)] // the stack of what takes it isn't added to that of the sums
    fn hand_over(&mut self, sink: &mut Sink<'_>) {
        let Self { block, start, len, zero } = self;
        if *len > 0 {
            let gradient = match block.get(..*len) {
                Some(values) if !*zero => Gradient::Dense(values),
                _ => Gradient::Zero,
            };
            sink.apply(*start..*start + *len, gradient, false);
        }
        (self.start, self.len) = (*start + *len, 0);
    }
}

/// `Σₛ x[s][i]·d_y[s]` for each input `i`.
#[inline(never)] // its stack isn't that of a single sample's gradient
fn sum_rows(
    x: &dyn Inputs,
    d_y: &[f32],
    outputs: usize,
    shifted: Option<&[f32]>,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let (width, samples) = (x.width(), x.samples());
    debug_assert!(work.len() >= work_len(outputs, samples), "work is too short");
    let room = work.len().min(BLOCK);
    let Some(block) = work.get_mut(..room) else { return };
    let mut waiting = Waiting { block, start: 0, len: 0, zero: false };
    let mut list = Nonzeros::new(samples);
    let mut i = 0;
    while i < width {
        // Inputs that are zero in all samples go four at a time.
        if shifted.is_none() && x.four_are_zero(i) {
            waiting.make_room(4 * outputs, true, sink);
            waiting.len += 4 * outputs;
            i += 4;
            continue;
        }
        let mut listed = x.list_samples(i, 0, &mut list);
        if listed == samples && list.is_empty() && shifted.is_none() {
            waiting.make_room(outputs, true, sink);
            waiting.len += outputs;
            i += 1;
            continue;
        }
        let one_list = listed == samples;
        for column in (0..outputs).step_by(BLOCK) {
            let len = BLOCK.min(outputs - column);
            waiting.make_room(len, false, sink);
            let start = waiting.start + waiting.len;
            let sums = waiting.block.get_mut(waiting.len..waiting.len + len).unwrap_or_default();
            match sink.accumulated(start..start + len) {
                Some(before) => copy(before, sums),
                None => sums.fill(0.0),
            }
            if column > 0 && !one_list {
                listed = x.list_samples(i, 0, &mut list);
            }
            rows::add_rows(&mut list, d_y, outputs, column, sums);
            while listed < samples {
                listed = x.list_samples(i, listed, &mut list);
                rows::add_rows(&mut list, d_y, outputs, column, sums);
            }
            if let Some(shifted) = shifted {
                let shifted = shifted.get(column..).unwrap_or_default();
                sums.iter_mut().zip(shifted).for_each(|(g, s)| *g += s);
            }
            waiting.len += len;
        }
        i += 1;
    }
    waiting.hand_over(sink);
}
