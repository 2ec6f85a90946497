//! What is done with listed rows, in plain Rust: what the kernels in `arm/` must give.

use super::Nonzeros;
use crate::kernels::adam::{AdamCoefficients, adam_each, adam_one};

/// Calls `f` with an empty list for a matrix of `rows` rows.
#[inline]
pub(crate) fn with_list<R>(rows: usize, f: impl FnOnce(&mut Nonzeros) -> R) -> R {
    f(&mut Nonzeros::new(rows))
}

/// Keeps a loop from being unrolled on small processors; elsewhere the compiler decides.
#[inline(always)]
pub(crate) fn keep_rolled() {
    if cfg!(target_arch = "arm") {
        core::hint::black_box(());
    }
}

/// Adds a row to another, as far as both go.
#[inline]
pub(crate) fn add(row: &[f32], sums: &mut [f32]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

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
///
/// Four rows at a time: one sum waits for its additions while the other three go on.
#[inline]
pub(crate) fn dot_rows(matrix: &[f32], x: &[f32], y: &mut [f32]) {
    let columns = x.len();
    let mut groups = matrix.chunks_exact(4 * columns.max(1));
    let (fours, rest) = y.as_chunks_mut::<4>();
    for (rows, y) in (&mut groups).zip(fours) {
        let mut sums = [0.0; 4];
        let (ab, cd) = rows.split_at(2 * columns);
        let ((a, b), (c, d)) = (ab.split_at(columns), cd.split_at(columns));
        for ((((x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            for (sum, w) in sums.iter_mut().zip([a, b, c, d]) {
                *sum += x * w;
            }
        }
        *y = sums;
    }
    for (row, y) in groups.remainder().chunks_exact(columns.max(1)).zip(rest) {
        *y = row.iter().zip(x).fold(0.0, |sum, (w, x)| sum + x * w);
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
