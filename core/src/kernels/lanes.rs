//! Applies one vector operation to whole slices; the last, shorter piece is padded with zeros.

use super::simd::{Lanes, Simd};

/// `x = f(x)` for all values. `f` must treat lanes alike and independently.
#[inline(always)]
pub(crate) fn map<S: Simd>(simd: S, values: &mut [f32], f: impl Fn(S::F32x16) -> S::F32x16) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = f(S::F32x16::new(simd, chunk)).to_array();
    }
    if !tail.is_empty() {
        let result = f(padded(simd, tail)).to_array();
        put(tail, result);
    }
}

/// `x = f(x, a)` for all values of two slices of one length.
#[inline(always)]
pub(crate) fn map_with<S: Simd>(
    simd: S,
    values: &mut [f32],
    a: &[f32],
    f: impl Fn(S::F32x16, S::F32x16) -> S::F32x16,
) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    let (a_chunks, a_tail) = a.as_chunks::<16>();
    for (chunk, a) in chunks.iter_mut().zip(a_chunks) {
        *chunk = f(S::F32x16::new(simd, chunk), S::F32x16::new(simd, a)).to_array();
    }
    if !tail.is_empty() {
        let result = f(padded(simd, tail), padded(simd, a_tail)).to_array();
        put(tail, result);
    }
}

/// `[x, y] = f(x, y, a)` for all values of three slices of one length.
#[inline(always)]
pub(crate) fn map_two_with<S: Simd>(
    simd: S,
    xs: &mut [f32],
    ys: &mut [f32],
    a: &[f32],
    f: impl Fn(S::F32x16, S::F32x16, S::F32x16) -> [S::F32x16; 2],
) {
    let (x_chunks, x_tail) = xs.as_chunks_mut::<16>();
    let (y_chunks, y_tail) = ys.as_chunks_mut::<16>();
    let (a_chunks, a_tail) = a.as_chunks::<16>();
    for ((x, y), a) in x_chunks.iter_mut().zip(y_chunks).zip(a_chunks) {
        let [next_x, next_y] =
            f(S::F32x16::new(simd, x), S::F32x16::new(simd, y), S::F32x16::new(simd, a));
        (*x, *y) = (next_x.to_array(), next_y.to_array());
    }
    if !x_tail.is_empty() {
        let [x, y] = f(padded(simd, x_tail), padded(simd, y_tail), padded(simd, a_tail));
        put(x_tail, x.to_array());
        put(y_tail, y.to_array());
    }
}

/// `x = f(x, [a, b, …])` for all values of several slices of one length.
#[inline(always)]
pub(crate) fn map_with_all<S: Simd, const N: usize>(
    simd: S,
    values: &mut [f32],
    others: [&[f32]; N],
    f: impl Fn(S::F32x16, [S::F32x16; N]) -> S::F32x16,
) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    for (i, chunk) in chunks.iter_mut().enumerate() {
        let others = others.map(|other| match other.as_chunks::<16>().0.get(i) {
            Some(chunk) => S::F32x16::new(simd, chunk),
            None => S::F32x16::splat(simd, 0.0),
        });
        *chunk = f(S::F32x16::new(simd, chunk), others).to_array();
    }
    if !tail.is_empty() {
        let others = others.map(|other| padded(simd, other.as_chunks::<16>().1));
        let result = f(padded(simd, tail), others).to_array();
        put(tail, result);
    }
}

/// A piece of fewer than 16 values, and zeros.
#[inline(always)]
pub(crate) fn padded<S: Simd>(simd: S, tail: &[f32]) -> S::F32x16 {
    let mut lanes = [0.0; 16];
    for (lane, value) in lanes.iter_mut().zip(tail) {
        *lane = *value;
    }
    S::F32x16::new(simd, &lanes)
}

/// The first lanes, as many as `tail` has room for.
#[inline(always)]
pub(crate) fn put(tail: &mut [f32], lanes: [f32; 16]) {
    for (value, lane) in tail.iter_mut().zip(lanes) {
        *value = lane;
    }
}
