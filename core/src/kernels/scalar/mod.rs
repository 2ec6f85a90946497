//! A dense layer's passes for processors without vector registers: Cortex-M, Xtensa, small RISC-V.
//!
//! There, a mask of zeros is no cheaper to make than a list of nonzeros, and a list is cheaper to walk: [`Nonzeros`] is the source of
//! terms. The sums are computed by the functions of `rows`, which have the same names and meanings in plain Rust (`plain`) and in
//! assembler (`arm/`, where the compiler wouldn't keep sums in registers):
//!
//! * `add_rows`: `y += Σ x·M[row]` for the listed rows, the product of forward pass and weight gradient
//! * `sgd_rows`: `W[row] -= rate·x·d_y` for the listed rows, a single sample's gradient and step in one
//! * `dot_rows`: `y[row] = Σₒ x[o]·M[row][o]`, the input gradient
//! * `adam`, `adam_zeros`: one step of Adam

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
use nonzeros::for_each_list;

use super::dense::forward::Forward;
use super::dense::weight_gradient::WeightGradient;
use super::simd::Simd;
use super::{Batch, Element, Gradient, Native, Sink};

/// Whether the kernels of this folder are the ones to use: wherever the build has no vectors that `wide` knows.
pub(super) const SCALAR: bool = matches!(Native::NAME.as_bytes(), b"none");

/// Adds all products to outputs whose sums have been started.
#[inline]
pub(super) fn forward<T: Element>(work: Forward<'_, T>) {
    let Forward { x, weights, outputs, y } = work;
    let mut rest = y;
    for sample in x.iter() {
        let Some((y, after)) = rest.split_at_mut_checked(outputs) else { return };
        for_each_list(sample, x.map().scale, |list, _| {
            rows::add_rows(list, weights, outputs, 0, y);
        });
        rest = after;
    }
}

/// The rows of the weight gradient, to the sink.
#[inline]
pub(super) fn weight_gradient<T: Element>(work: WeightGradient<'_, T>) {
    let WeightGradient { x, d_y, outputs, shifted, mut sink, .. } = work;
    let weights = x.width() * outputs;
    // A single sample's gradient is an outer product: the update gets its two factors.
    if x.len() == 1 && shifted.is_none() && sink.accumulated(0..weights).is_none() {
        for_each_list(x.sample(0), x.map().scale, |rows, inputs| {
            sink.apply(0..weights, Gradient::OuterProduct { rows, inputs, d_y }, false);
        });
        return;
    }
    let mut row = [0.0; COLUMNS];
    let mut i = 0;
    while i < x.width() {
        // Inputs that are zero in all samples go four at a time.
        let four = |sample: &[T]| {
            sample.get(i..).and_then(<[T]>::first_chunk::<4>).is_some_and(T::all_zero)
        };
        if shifted.is_none() && x.iter().all(four) {
            sink.apply(i * outputs..(i + 4) * outputs, Gradient::Zero, false);
            i += 4;
        } else {
            sum_row(x, d_y, i, shifted, &mut row, &mut sink);
            i += 1;
        }
    }
}

/// Columns of a gradient row that are summed together: 512 bytes of stack.
const COLUMNS: usize = 128;

/// The gradient of the weights of input `i`, `Σₛ x[s][i]·d_y[s]`, [`COLUMNS`] at a time.
#[inline]
fn sum_row<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    i: usize,
    shifted: Option<&[f32]>,
    row: &mut [f32; COLUMNS],
    sink: &mut Sink<'_>,
) {
    let outputs = d_y.len() / x.len().max(1);
    let offset = i * outputs;
    let mut list = Nonzeros::new(x.len());
    let mut column = 0;
    while column < outputs {
        let gradient = row.get_mut(..COLUMNS.min(outputs - column)).unwrap_or_default();
        let range = offset + column..offset + column + gradient.len();
        match sink.accumulated(range.clone()) {
            Some(before) => gradient.iter_mut().zip(before).for_each(|(g, before)| *g = *before),
            None => gradient.fill(0.0),
        }
        let mut listed = list_samples(x, i, 0, &mut list);
        if listed == x.len() && list.is_empty() && shifted.is_none() {
            return sink.apply(offset..offset + outputs, Gradient::Zero, false);
        }
        rows::add_rows(&mut list, d_y, outputs, column, gradient);
        while listed < x.len() {
            listed = list_samples(x, i, listed, &mut list);
            rows::add_rows(&mut list, d_y, outputs, column, gradient);
        }
        if let Some(shifted) = shifted {
            let shifted = shifted.get(column..).unwrap_or_default();
            gradient.iter_mut().zip(shifted).for_each(|(g, s)| *g += s);
        }
        column += gradient.len();
        sink.apply(range, Gradient::Dense(gradient), false);
    }
}

/// Lists the samples from `first` on in which input `i` is not zero, as many as the list holds; returns the first
/// sample that it has not looked at.
#[inline]
fn list_samples<T: Element>(x: Batch<'_, T>, i: usize, first: usize, list: &mut Nonzeros) -> usize {
    list.clear();
    let mut s = first;
    while s < x.len() && !list.is_nearly_full() {
        if let Some(value) = x.scaled(s, i)
            && !f32::all_zero(&[value])
        {
            list.push(s as u32, value);
        }
        s += 1;
    }
    s
}
