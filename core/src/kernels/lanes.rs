//! Applies one vector operation to whole slices; the last, shorter piece is padded with zeros.

use wide::f32x16;

/// `x = f(x)` for all values. `f` must treat lanes alike and independently.
#[inline(always)]
pub(crate) fn map(values: &mut [f32], f: impl Fn(f32x16) -> f32x16) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = f(f32x16::new(*chunk)).to_array();
    }
    if !tail.is_empty() {
        let result = f(padded(tail)).to_array();
        put(tail, result);
    }
}

/// `x = f(x, a)` for all values of two slices of one length.
#[inline(always)]
pub(crate) fn map_with(values: &mut [f32], a: &[f32], f: impl Fn(f32x16, f32x16) -> f32x16) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    let (a_chunks, a_tail) = a.as_chunks::<16>();
    for (chunk, a) in chunks.iter_mut().zip(a_chunks) {
        *chunk = f(f32x16::new(*chunk), f32x16::new(*a)).to_array();
    }
    if !tail.is_empty() {
        let result = f(padded(tail), padded(a_tail)).to_array();
        put(tail, result);
    }
}

/// `[x, y] = f(x, y, a)` for all values of three slices of one length.
#[inline(always)]
pub(crate) fn map_two_with(
    xs: &mut [f32],
    ys: &mut [f32],
    a: &[f32],
    f: impl Fn(f32x16, f32x16, f32x16) -> [f32x16; 2],
) {
    let (x_chunks, x_tail) = xs.as_chunks_mut::<16>();
    let (y_chunks, y_tail) = ys.as_chunks_mut::<16>();
    let (a_chunks, a_tail) = a.as_chunks::<16>();
    for ((x, y), a) in x_chunks.iter_mut().zip(y_chunks).zip(a_chunks) {
        [*x, *y] = f(f32x16::new(*x), f32x16::new(*y), f32x16::new(*a)).map(f32x16::to_array);
    }
    if !x_tail.is_empty() {
        let [x, y] = f(padded(x_tail), padded(y_tail), padded(a_tail)).map(f32x16::to_array);
        put(x_tail, x);
        put(y_tail, y);
    }
}

/// `x = f(x, [a, b, …])` for all values of several slices of one length.
#[inline(always)]
pub(crate) fn map_with_all<const N: usize>(
    values: &mut [f32],
    others: [&[f32]; N],
    f: impl Fn(f32x16, [f32x16; N]) -> f32x16,
) {
    let (chunks, tail) = values.as_chunks_mut::<16>();
    for (i, chunk) in chunks.iter_mut().enumerate() {
        let others = others.map(|other| match other.as_chunks::<16>().0.get(i) {
            Some(chunk) => f32x16::new(*chunk),
            None => f32x16::ZERO,
        });
        *chunk = f(f32x16::new(*chunk), others).to_array();
    }
    if !tail.is_empty() {
        let others = others.map(|other| padded(other.as_chunks::<16>().1));
        let result = f(padded(tail), others).to_array();
        put(tail, result);
    }
}

/// A piece of fewer than 16 values, and zeros.
#[inline(always)]
pub(crate) fn padded(tail: &[f32]) -> f32x16 {
    let mut lanes = [0.0; 16];
    for (lane, value) in lanes.iter_mut().zip(tail) {
        *lane = *value;
    }
    f32x16::new(lanes)
}

/// The first lanes, as many as `tail` has room for.
#[inline(always)]
pub(crate) fn put(tail: &mut [f32], lanes: [f32; 16]) {
    for (value, lane) in tail.iter_mut().zip(lanes) {
        *value = lane;
    }
}
