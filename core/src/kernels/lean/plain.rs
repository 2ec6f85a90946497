//! What is done with listed rows, in plain Rust: what the kernels in `arm/` must give.

use super::Nonzeros;
use crate::kernels::adam::{AdamCoefficients, adam_each, adam_one};

/// `y += Σ x·matrix[row][column..]` for the rows on the list, of a matrix whose rows are `stride` long.
#[inline]
pub(crate) fn add_rows(
    list: &mut Nonzeros,
    matrix: &[f32],
    stride: usize,
    column: usize,
    y: &mut [f32],
) {
    for (row, x) in list.iter() {
        let row = matrix.get(row * stride + column..).unwrap_or_default();
        y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
    }
}

/// `row[o] -= rate·(0 + x·d_y[o])` for the rows on the list, of a matrix whose rows are as long as `d_y`.
#[inline]
pub(crate) fn sgd_rows(list: &mut Nonzeros, d_y: &[f32], rate: f32, matrix: &mut [f32]) {
    for (row, x) in list.iter() {
        let row = matrix.get_mut(row * d_y.len()..).unwrap_or_default();
        row.iter_mut().zip(d_y).for_each(|(w, d)| *w -= rate * (0.0 + x * d));
    }
}

/// `y[row] = Σₒ x[o]·matrix[row][o]`, of a matrix whose rows are as long as `x`.
#[inline]
pub(crate) fn dot_rows(matrix: &[f32], x: &[f32], y: &mut [f32]) {
    let mut rest = matrix;
    for y in y {
        let Some((row, after)) = rest.split_at_checked(x.len()) else { return };
        *y = row.iter().zip(x).fold(0.0, |sum, (w, x)| sum + x * w);
        rest = after;
    }
}

/// One step of Adam.
#[inline]
pub(crate) fn adam(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients) {
    adam_each(w, g, m, v, c);
}

/// As [`adam`] with a gradient of zeros.
#[inline]
pub(crate) fn adam_zeros(w: &mut [f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients) {
    for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
        adam_one(w, 0.0, m, v, c);
    }
}
