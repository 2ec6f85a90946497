//! From i32 sums to the next layer's u8 inputs, or to logits of one scale.

use super::INT8_BLOCK;

/// Multiplies by `multiplier / 2³²` and rounds to the nearest integer, halves upwards (towards `+∞`).
///
/// The one rounding of int8 inference; `docs/numerics.md` refers to it.
#[inline]
#[must_use]
pub const fn rescale(sum: i32, multiplier: i32) -> i32 {
    ((sum as i64 * multiplier as i64 + (1 << 31)) >> 32) as i32
}

/// ReLU and [`rescale`]: `y[o]` becomes the nearest of 0 to 255.
///
/// # Shapes
///
/// `sums`, `multipliers` and `y`: blocks of eight outputs; blocks that one of them does not have are passed over.
#[inline]
pub fn requantize(
    sums: &[[i32; INT8_BLOCK]],
    multipliers: &[[i32; INT8_BLOCK]],
    y: &mut [[u8; INT8_BLOCK]],
) {
    for ((y, sums), multipliers) in y.iter_mut().zip(sums).zip(multipliers) {
        for ((y, sum), multiplier) in y.iter_mut().zip(sums).zip(multipliers) {
            *y = rescale(*sum, *multiplier).clamp(0, 255) as u8;
        }
    }
}

/// [`rescale`] in place.
///
/// # Shapes
///
/// As [`requantize`].
#[inline]
pub fn rescale_all(sums: &mut [[i32; INT8_BLOCK]], multipliers: &[[i32; INT8_BLOCK]]) {
    for (sums, multipliers) in sums.iter_mut().zip(multipliers) {
        for (sum, multiplier) in sums.iter_mut().zip(multipliers) {
            *sum = rescale(*sum, *multiplier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const EXTREMES: [i32; 14] = [
        i32::MIN,
        i32::MIN + 1,
        -(1 << 30),
        -32_385,
        -2,
        -1,
        0,
        1,
        2,
        255,
        32_385,
        1 << 30,
        i32::MAX - 1,
        i32::MAX,
    ];

    /// `sum·multiplier / 2³²` as a whole number and a rest in `0..2³²`, then the rest looked at.
    fn exact(sum: i32, multiplier: i32) -> i128 {
        let product = i128::from(sum) * i128::from(multiplier);
        let (whole, rest) = (product.div_euclid(1 << 32), product.rem_euclid(1 << 32));
        if rest >= 1 << 31 { whole + 1 } else { whole }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn rescale_is_the_exact_quotient_rounded_half_up() {
        let mut words = [0.0; 2000];
        picomlp_fixtures::fill(&mut words, 7);
        let random = words.iter().map(|value| (value * i32::MAX as f32) as i32);
        let values: Vec<i32> = EXTREMES.into_iter().chain(random).collect();
        for &sum in &values {
            for &multiplier in EXTREMES.iter().chain(&values[14..64]) {
                let got = i128::from(rescale(sum, multiplier));
                assert_eq!(got, exact(sum, multiplier), "{sum} times {multiplier}");
            }
        }
        // Halves, of either sign: 0.5, 1.5, -0.5, -1.5.
        assert_eq!([1, 3, -1, -3].map(|sum| rescale(sum, i32::MAX)), [0, 1, 0, -1]);
        assert_eq!([2, 6, -2, -6].map(|sum| rescale(sum, 1 << 30)), [1, 2, 0, -1]);
    }

    #[test]
    fn requantize_saturates_at_both_ends_and_cuts_negatives_off() {
        let quarter = 1 << 30;
        let sums =
            [[i32::MIN, -4, -2, 1, 2, 1017, 1018, 1019], [1021, 1022, i32::MAX, 0, 5, 6, 9, 10]];
        let mut y = [[7; 8]; 3];
        requantize(&sums, &[[quarter; 8]; 2], &mut y);
        assert_eq!(y, [[0, 0, 0, 0, 1, 254, 255, 255], [255, 255, 255, 0, 1, 2, 2, 3], [7; 8]]);
    }
}
