//! Layer and batch normalisation: `y = x̂·gain + shift` with `x̂ = (x - mean)·deviation⁻¹`, in place, and the way back.
//!
//! Layer normalisation takes mean and variance over the values of each sample (Ba, Kiros and Hinton, arXiv:1607.06450),
//! batch normalisation over the samples for each value (Ioffe and Szegedy, ICML 2015). Both variances are the biased
//! ones. Sums over samples are lanes' own; a sum over the values of one sample is one chain of additions, so four samples
//! are summed side by side.

use wide::f32x16;

use super::Native;
use super::lanes::{map, map_with, map_with_all};
use super::scalar::SCALAR;
use crate::math;

/// Samples summed side by side, to hide the latency of an addition.
const SAMPLES: usize = 4;

/// Replaces each row of `x` by its normalised values; `rstd[s]` becomes `1/√(variance + ε)` of row `s`.
///
/// # Shapes
///
/// `x: [batch][width]`, `rstd: [batch]`.
#[inline]
pub fn normalise_rows(x: &mut [f32], rstd: &mut [f32], epsilon: f32) {
    if SCALAR {
        return normalise_rows_scalar(x, rstd, epsilon);
    }
    let Some(width @ 1..) = x.len().checked_div(rstd.len()) else { return };
    for (rows, rstd) in x.chunks_mut(SAMPLES * width).zip(rstd.chunks_mut(SAMPLES)) {
        let share = 1.0 / width as f32;
        let means = sums(rows, width, |_, _, x| x).map(|sum| sum * share);
        let squares = sums(rows, width, |s, _, x| {
            let d = x - means.get(s).copied().unwrap_or_default();
            d * d
        });
        for (((row, rstd), mean), square) in
            rows.chunks_exact_mut(width).zip(rstd).zip(means).zip(squares)
        {
            *rstd = 1.0 / math::sqrt(square * share + epsilon);
            let (mean, rstd) = (f32x16::splat(mean), f32x16::splat(*rstd));
            map(Native, row, |x| (x - mean) * rstd);
        }
    }
}

/// What [`normalise_rows`] must give, one value at a time.
pub fn normalise_rows_scalar(x: &mut [f32], rstd: &mut [f32], epsilon: f32) {
    let Some(width @ 1..) = x.len().checked_div(rstd.len()) else { return };
    let share = 1.0 / width as f32;
    for (row, rstd) in x.chunks_exact_mut(width).zip(rstd) {
        let mut mean = 0.0;
        for x in row.iter() {
            mean += x;
        }
        mean *= share;
        let mut square = 0.0;
        for x in row.iter() {
            square += (x - mean) * (x - mean);
        }
        *rstd = 1.0 / math::sqrt(square * share + epsilon);
        for x in row {
            *x = (*x - mean) * *rstd;
        }
    }
}

/// Turns the gradient at the output of layer normalisation into that at its input:
/// `d_x = rstd·((g - mean(g)) - x̂·mean(g·x̂))` with `g = d_y·gain`.
///
/// # Shapes
///
/// `normalised, d_y: [batch][width]`, `rstd: [batch]`, `gain: [width]`.
#[inline]
pub fn normalise_rows_gradient(normalised: &[f32], rstd: &[f32], gain: &[f32], d_y: &mut [f32]) {
    if SCALAR {
        return normalise_rows_gradient_scalar(normalised, rstd, gain, d_y);
    }
    let Some(width @ 1..) = d_y.len().checked_div(rstd.len()) else { return };
    let share = 1.0 / width as f32;
    let group = width * SAMPLES;
    let groups = d_y.chunks_mut(group).zip(normalised.chunks(group));
    for ((d_y, normalised), rstd) in groups.zip(rstd.chunks(SAMPLES)) {
        for d_y in d_y.chunks_exact_mut(width) {
            map_with(Native, d_y, gain, |d_y, gain| d_y * gain);
        }
        let means = sums(d_y, width, |_, _, g| g).map(|sum| sum * share);
        let along = sums(d_y, width, |s, o, g| {
            g * normalised.get(s * width + o).copied().unwrap_or_default()
        });
        let along = along.map(|sum| sum * share);
        let rows = d_y.chunks_exact_mut(width).zip(normalised.chunks_exact(width));
        for ((((d_y, normalised), rstd), mean), along) in rows.zip(rstd).zip(means).zip(along) {
            let [mean, along, rstd] = [mean, along, *rstd].map(f32x16::splat);
            map_with(Native, d_y, normalised, |g, x| (g - mean - x * along) * rstd);
        }
    }
}

/// What [`normalise_rows_gradient`] must give, one value at a time.
pub fn normalise_rows_gradient_scalar(
    normalised: &[f32],
    rstd: &[f32],
    gain: &[f32],
    d_y: &mut [f32],
) {
    let Some(width @ 1..) = d_y.len().checked_div(rstd.len()) else { return };
    let share = 1.0 / width as f32;
    let rows = d_y.chunks_exact_mut(width).zip(normalised.chunks_exact(width));
    for ((d_y, normalised), rstd) in rows.zip(rstd) {
        let (mut mean, mut along) = (0.0, 0.0);
        for ((d_y, x), gain) in d_y.iter().zip(normalised).zip(gain) {
            mean += d_y * gain;
            along += d_y * gain * x;
        }
        (mean, along) = (mean * share, along * share);
        for ((d_y, x), gain) in d_y.iter_mut().zip(normalised).zip(gain) {
            *d_y = (*d_y * gain - mean - x * along) * rstd;
        }
    }
}

/// Mean and variance of each column, and `1/√(variance + ε)`.
///
/// # Shapes
///
/// `x: [batch][width]`; `mean, variance, rstd: [width]`, overwritten.
#[inline]
pub fn column_statistics(
    x: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
    rstd: &mut [f32],
    epsilon: f32,
) {
    let width @ 1.. = mean.len() else { return };
    let share = f32x16::splat(1.0 / (x.len() / width) as f32);
    mean.fill(0.0);
    for row in x.chunks_exact(width) {
        map_with(Native, mean, row, |sum, x| sum + x);
    }
    map(Native, mean, |sum| sum * share);
    variance.fill(0.0);
    for row in x.chunks_exact(width) {
        map_with_all(Native, variance, [row, mean], |sum, [x, mean]| sum + (x - mean) * (x - mean));
    }
    map(Native, variance, |sum| sum * share);
    for (rstd, variance) in rstd.iter_mut().zip(variance.iter()) {
        *rstd = 1.0 / math::sqrt(variance + epsilon);
    }
}

/// What [`column_statistics`] must give, one value at a time.
pub fn column_statistics_scalar(
    x: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
    rstd: &mut [f32],
    epsilon: f32,
) {
    let width @ 1.. = mean.len() else { return };
    let share = 1.0 / (x.len() / width) as f32;
    for (o, ((mean, variance), rstd)) in mean.iter_mut().zip(variance).zip(rstd).enumerate() {
        let column = || x.iter().skip(o).step_by(width);
        *mean = column().fold(0.0, |sum, x| sum + x) * share;
        *variance = column().fold(0.0, |sum, x| sum + (x - *mean) * (x - *mean)) * share;
        *rstd = 1.0 / math::sqrt(*variance + epsilon);
    }
}

/// Replaces each value by `(x - mean)·factor`, the columns' own.
///
/// # Shapes
///
/// `x: [batch][width]`; `mean, factor: [width]`.
#[inline]
pub fn normalise_columns(x: &mut [f32], mean: &[f32], factor: &[f32]) {
    if SCALAR {
        return normalise_columns_scalar(x, mean, factor);
    }
    for row in x.chunks_exact_mut(mean.len().max(1)) {
        map_with_all(Native, row, [mean, factor], |x, [mean, factor]| (x - mean) * factor);
    }
}

/// What [`normalise_columns`] must give, one value at a time.
pub fn normalise_columns_scalar(x: &mut [f32], mean: &[f32], factor: &[f32]) {
    for row in x.chunks_exact_mut(mean.len().max(1)) {
        for ((x, mean), factor) in row.iter_mut().zip(mean).zip(factor) {
            *x = (*x - mean) * factor;
        }
    }
}

/// `y = x·gain + shift`, the columns' own.
///
/// # Shapes
///
/// `x: [batch][width]`; `gain, shift: [width]`.
#[inline]
pub fn scale_columns(x: &mut [f32], gain: &[f32], shift: &[f32]) {
    if SCALAR {
        return scale_columns_scalar(x, gain, shift);
    }
    for row in x.chunks_exact_mut(gain.len().max(1)) {
        map_with_all(Native, row, [gain, shift], |x, [gain, shift]| x * gain + shift);
    }
}

/// What [`scale_columns`] must give, one value at a time.
pub fn scale_columns_scalar(x: &mut [f32], gain: &[f32], shift: &[f32]) {
    for row in x.chunks_exact_mut(gain.len().max(1)) {
        for ((x, gain), shift) in row.iter_mut().zip(gain).zip(shift) {
            *x = *x * gain + shift;
        }
    }
}

/// The gradients of gain and shift: `d_gain = Σₛ d_y·x̂`, `d_shift = Σₛ d_y`.
///
/// # Shapes
///
/// `normalised, d_y: [batch][width]`; `d_gain, d_shift: [width]`, overwritten.
#[inline]
pub fn scale_gradient(normalised: &[f32], d_y: &[f32], d_gain: &mut [f32], d_shift: &mut [f32]) {
    d_gain.fill(0.0);
    d_shift.fill(0.0);
    add_scale_gradient(normalised, d_y, d_gain, d_shift);
}

/// As [`scale_gradient`], but the sums go on from what `d_gain` and `d_shift` hold.
#[inline]
pub(crate) fn add_scale_gradient(
    normalised: &[f32],
    d_y: &[f32],
    d_gain: &mut [f32],
    d_shift: &mut [f32],
) {
    let width = d_gain.len().max(1);
    for (x, d_y) in normalised.chunks_exact(width).zip(d_y.chunks_exact(width)) {
        map_with_all(Native, d_gain, [x, d_y], |sum, [x, d_y]| sum + d_y * x);
        map_with(Native, d_shift, d_y, |sum, d_y| sum + d_y);
    }
}

/// What [`scale_gradient`] must give, one value at a time.
pub fn scale_gradient_scalar(
    normalised: &[f32],
    d_y: &[f32],
    d_gain: &mut [f32],
    d_shift: &mut [f32],
) {
    let width = d_gain.len().max(1);
    for (o, (d_gain, d_shift)) in d_gain.iter_mut().zip(d_shift).enumerate() {
        let column = |from| <[f32]>::iter(from).skip(o).step_by(width);
        *d_gain = column(normalised).zip(column(d_y)).fold(0.0, |sum, (x, d_y)| sum + d_y * x);
        *d_shift = column(d_y).fold(0.0, |sum, d_y| sum + d_y);
    }
}

/// Turns the gradient at the output of batch normalisation into that at its input:
/// `d_x = (d_y - d_shift/batch - x̂·(d_gain/batch))·(gain·rstd)`.
///
/// # Shapes
///
/// `normalised, d_y: [batch][width]`; `rstd, gain: [width]`, and so `d_gain, d_shift`, which [`scale_gradient`] gives.
#[inline]
pub fn normalise_columns_gradient(
    normalised: &[f32],
    rstd: &[f32],
    gain: &[f32],
    d_gain: &[f32],
    d_shift: &[f32],
    d_y: &mut [f32],
) {
    let width = gain.len().max(1);
    let share = f32x16::splat(1.0 / (d_y.len() / width) as f32);
    let mut rows = normalised.chunks_exact(width);
    for d_y in d_y.chunks_exact_mut(width) {
        let Some(x) = rows.next() else { break };
        map_with_all(
            Native,
            d_y,
            [x, rstd, gain, d_gain, d_shift],
            |d_y, [x, rstd, gain, dg, ds]| (d_y - ds * share - x * (dg * share)) * (gain * rstd),
        );
    }
}

/// What [`normalise_columns_gradient`] must give, one value at a time.
pub fn normalise_columns_gradient_scalar(
    normalised: &[f32],
    rstd: &[f32],
    gain: &[f32],
    d_gain: &[f32],
    d_shift: &[f32],
    d_y: &mut [f32],
) {
    let width = gain.len().max(1);
    let share = 1.0 / (d_y.len() / width) as f32;
    for (x, d_y) in normalised.chunks_exact(width).zip(d_y.chunks_exact_mut(width)) {
        for (o, (d_y, x)) in d_y.iter_mut().zip(x).enumerate() {
            *d_y = (*d_y - d_shift[o] * share - x * (d_gain[o] * share)) * (gain[o] * rstd[o]);
        }
    }
}

/// `Σₒ term(s, o, row[o])` of up to four rows `s`, ascending `o`, from `+0.0`.
#[inline(always)]
fn sums(rows: &[f32], width: usize, term: impl Fn(usize, usize, f32) -> f32) -> [f32; SAMPLES] {
    let mut sums = [0.0; SAMPLES];
    if let (Some(first), true) = (rows.get(..width), rows.len() == SAMPLES * width) {
        for (o, &x) in first.iter().enumerate() {
            for (s, sum) in sums.iter_mut().enumerate() {
                let x = if s == 0 { x } else { rows.get(s * width + o).copied().unwrap_or(x) };
                *sum += term(s, o, x);
            }
        }
        return sums;
    }
    for (s, (row, sum)) in rows.chunks_exact(width).zip(&mut sums).enumerate() {
        for (o, &x) in row.iter().enumerate() {
            *sum += term(s, o, x);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const EPSILON: f32 = 1e-5;

    fn values(len: usize, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; len];
        picomlp_fixtures::fill(&mut values, seed);
        values
    }

    fn assert_same(got: &[f32], expected: &[f32], what: &str) {
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(got), bits(expected), "{what}");
    }

    /// Every width up to 67 with batches up to 9, and some larger ones. Fewer under Miri.
    fn sizes() -> impl Iterator<Item = (usize, usize)> {
        let all = (1..=67).map(|width| (1 + width % 9, width)).chain([(130, 33), (7, 300)]);
        all.step_by(if cfg!(miri) { 30 } else { 1 })
    }

    #[test]
    fn layer_normalisation_and_its_gradient_equal_scalar_bit_for_bit_at_every_size() {
        for (batch, width) in sizes() {
            let (mut a, mut b) = (values(batch * width, 1), values(batch * width, 1));
            let (mut rstd_a, mut rstd_b) = (vec![0.0; batch], vec![0.0; batch]);
            normalise_rows(&mut a, &mut rstd_a, EPSILON);
            normalise_rows_scalar(&mut b, &mut rstd_b, EPSILON);
            assert_same(&a, &b, "rows");
            assert_same(&rstd_a, &rstd_b, "rstd");
            let gain = values(width, 2);
            let (mut d_a, mut d_b) = (values(batch * width, 3), values(batch * width, 3));
            normalise_rows_gradient(&a, &rstd_a, &gain, &mut d_a);
            normalise_rows_gradient_scalar(&a, &rstd_a, &gain, &mut d_b);
            assert_same(&d_a, &d_b, "gradient");
        }
    }

    #[test]
    fn batch_normalisation_and_its_gradient_equal_scalar_bit_for_bit_at_every_size() {
        for (batch, width) in sizes() {
            let x = values(batch * width, 1);
            let [mut mean, mut variance, mut rstd] = [(); 3].map(|()| vec![9.0; width]);
            column_statistics(&x, &mut mean, &mut variance, &mut rstd, EPSILON);
            let [mut mean_b, mut variance_b, mut rstd_b] = [(); 3].map(|()| vec![9.0; width]);
            column_statistics_scalar(&x, &mut mean_b, &mut variance_b, &mut rstd_b, EPSILON);
            assert_same(&mean, &mean_b, "mean");
            assert_same(&variance, &variance_b, "variance");
            assert_same(&rstd, &rstd_b, "rstd");
            let (mut a, mut b) = (x.clone(), x);
            normalise_columns(&mut a, &mean, &rstd);
            normalise_columns_scalar(&mut b, &mean, &rstd);
            assert_same(&a, &b, "normalised");
            let normalised = a.clone();
            let (gain, shift) = (values(width, 4), values(width, 5));
            scale_columns(&mut a, &gain, &shift);
            scale_columns_scalar(&mut b, &gain, &shift);
            assert_same(&a, &b, "scaled");

            let d_y = values(batch * width, 6);
            let [mut dg, mut ds, mut dg_b, mut ds_b] = [(); 4].map(|()| vec![9.0; width]);
            scale_gradient(&normalised, &d_y, &mut dg, &mut ds);
            scale_gradient_scalar(&normalised, &d_y, &mut dg_b, &mut ds_b);
            assert_same(&dg, &dg_b, "gain");
            assert_same(&ds, &ds_b, "shift");
            let (mut d_a, mut d_b) = (d_y.clone(), d_y);
            normalise_columns_gradient(&normalised, &rstd, &gain, &dg, &ds, &mut d_a);
            normalise_columns_gradient_scalar(&normalised, &rstd, &gain, &dg, &ds, &mut d_b);
            assert_same(&d_a, &d_b, "gradient");
        }
    }

    #[test]
    fn rows_and_columns_without_deviation_become_zero() {
        let mut x = [3.0; 8];
        let mut rstd = [0.0; 2];
        normalise_rows(&mut x, &mut rstd, EPSILON);
        assert_eq!(x, [0.0; 8]);
        assert!(rstd.iter().all(|rstd| rstd.is_finite()));
    }
}
