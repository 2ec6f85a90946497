//! The dense layer's three passes for processors without vector registers: Cortex-M, Xtensa, small RISC-V.
//!
//! The nonzero inputs of a sample are listed once (`nonzeros`); then each block of outputs walks the list.
//! Walking is done by `rows`: in plain Rust (`plain`), or in assembler where sums would not stay in registers
//! otherwise (`arm/`, beside this folder).

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

use super::simd::Simd;
use super::sink::PIECE;
use super::{Baseline, Batch, Element, Gradient, Sink};

/// Whether the kernels of this folder are the ones to use: wherever the build has no vectors that `wide` knows.
pub(super) const LEAN: bool = matches!(Baseline::NAME.as_bytes(), b"none");

/// `y[s] = b + Σᵢ x[s][i]·W[i]`, as [`super::dense_forward`] says.
#[inline]
pub(super) fn forward<T: Element>(
    x: Batch<'_, T>,
    weights: &[f32],
    bias: &[f32],
    outputs: usize,
    y: &mut [f32],
) {
    let map = x.map();
    let mut rest = y;
    for sample in x.iter() {
        let Some((y, after)) = rest.split_at_mut_checked(outputs) else { return };
        begin(map.shift, weights, bias, y);
        for_each_list(sample, map.scale, |list, _| rows::add_rows(list, weights, outputs, 0, y));
        rest = after;
    }
}

/// `y = b`, or zeros without a bias, and `shift·Σᵢ W[i]` added if there is a shift.
#[inline(never)] // one copy for all layers
fn begin(shift: f32, weights: &[f32], bias: &[f32], y: &mut [f32]) {
    if shift == 0.0 {
        if bias.is_empty() {
            y.fill(0.0);
        }
        y.iter_mut().zip(bias).for_each(|(y, b)| *y = b + 0.0);
        return;
    }
    y.fill(0.0);
    let outputs = y.len();
    let inputs = weights.len() / outputs.max(1);
    let mut list = Nonzeros::new(inputs);
    for row in 0..inputs {
        list.push(row as u32, 1.0);
        if list.is_nearly_full() || row + 1 == inputs {
            rows::add_rows(&mut list, weights, outputs, 0, y);
            list.clear();
        }
    }
    if bias.is_empty() {
        y.iter_mut().for_each(|y| *y = 0.0 + *y * shift);
    }
    y.iter_mut().zip(bias).for_each(|(y, b)| *y = (b + 0.0) + *y * shift);
}

/// The gradients of weights and bias, to `sink`, as [`super::dense_update`] says.
#[inline]
pub(super) fn update<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    outputs: usize,
    sink: &mut Sink<'_>,
    work: &mut [f32],
) {
    let map = x.map();
    let weights = x.width() * outputs;
    let (shifted, _) = work.split_at_mut(outputs.min(work.len()));
    match sink.summed(weights..weights + outputs) {
        Some(before) => shifted.iter_mut().zip(before).for_each(|(sum, before)| *sum = *before),
        None => shifted.fill(0.0),
    }
    let mut rest = d_y;
    while let Some((d_y, after)) = rest.split_at_checked(outputs.max(1)) {
        shifted.iter_mut().zip(d_y).for_each(|(sum, d)| *sum += d);
        rest = after;
    }
    sink.take(weights..weights + outputs, Gradient::Dense(shifted), true);
    if x.len() == 1 && map.shift == 0.0 && sink.summed(0..weights).is_none() {
        for_each_list(x.sample(0), map.scale, |rows, inputs| {
            sink.take(0..weights, Gradient::OuterProduct { rows, inputs, d_y }, false);
        });
        return;
    }
    shifted.iter_mut().for_each(|sum| *sum *= map.shift);
    let shifted = if map.shift == 0.0 || sink.more_follows() { None } else { Some(&*shifted) };
    let mut i = 0;
    while i < x.width() {
        // Inputs that are zero in all samples go four at a time.
        let four = |sample: &[T]| {
            sample.get(i..).and_then(<[T]>::first_chunk::<4>).is_some_and(T::all_zero)
        };
        if shifted.is_none() && x.iter().all(four) {
            sink.take(i * outputs..(i + 4) * outputs, Gradient::Zero, false);
            i += 4;
        } else {
            sum_row(x, d_y, outputs, i, shifted, sink);
            i += 1;
        }
    }
}

/// The gradient of the weights of input `i`, `Σₛ x[s][i]·d_y[s]`.
#[inline]
fn sum_row<T: Element>(
    x: Batch<'_, T>,
    d_y: &[f32],
    outputs: usize,
    i: usize,
    shifted: Option<&[f32]>,
    sink: &mut Sink<'_>,
) {
    let at = i * outputs;
    let mut list = Nonzeros::new(x.len());
    let mut column = 0;
    while column < outputs {
        let mut gradient = [0.0; PIECE];
        let gradient = gradient.get_mut(..PIECE.min(outputs - column)).unwrap_or_default();
        let place = at + column..at + column + gradient.len();
        if let Some(before) = sink.summed(place.clone()) {
            gradient.iter_mut().zip(before).for_each(|(g, before)| *g = *before);
        }
        let mut listed = list_samples(x, i, 0, &mut list);
        if listed == x.len() && list.is_empty() && shifted.is_none() {
            return sink.take(at..at + outputs, Gradient::Zero, false);
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
        sink.take(place, Gradient::Dense(gradient), false);
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

/// `d_x[s][i] = Σₒ d_y[s][o]·W[i][o]`, as [`super::dense_input_gradient`] says.
#[inline(never)] // one copy for all layers
pub(super) fn input_gradient(
    [inputs, outputs]: [usize; 2],
    d_y: &[f32],
    weights: &[f32],
    d_x: &mut [f32],
) {
    let (mut d_y, mut d_x) = (d_y, d_x);
    while let (Some((d_y_one, d_y_rest)), Some((d_x_one, d_x_rest))) = (
        d_y.split_at_checked(outputs.max(1)),
        core::mem::take(&mut d_x).split_at_mut_checked(inputs),
    ) {
        rows::dot_rows(weights, d_y_one, d_x_one);
        (d_y, d_x) = (d_y_rest, d_x_rest);
    }
}
