//! Transposes a 64×64 matrix of bits: 64 samples' masks over inputs become 64 inputs' masks over samples.
//!
//! Six rounds; round `k` swaps the off-diagonal quarters of every block of side `2^(k+1)`, all blocks of a
//! word at once (Warren, "Hacker's Delight", 2nd ed., section 7-3).

/// Transposes in place: afterwards bit `c` of word `r` is what bit `r` of word `c` was.
#[inline]
pub fn transpose64(rows: &mut [u64; 64]) {
    swap_quarters::<32>(rows, 0x0000_0000_ffff_ffff);
    swap_quarters::<16>(rows, 0x0000_ffff_0000_ffff);
    swap_quarters::<8>(rows, 0x00ff_00ff_00ff_00ff);
    swap_quarters::<4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
    swap_quarters::<2>(rows, 0x3333_3333_3333_3333);
    swap_quarters::<1>(rows, 0x5555_5555_5555_5555);
}

/// Swaps the high bits of the upper rows with the low bits of the lower rows in blocks of side `2·HALF`.
#[inline]
fn swap_quarters<const HALF: usize>(rows: &mut [u64; 64], low: u64) {
    for block in rows.chunks_exact_mut(2 * HALF) {
        let (upper, lower) = block.split_at_mut(HALF);
        for (a, b) in upper.iter_mut().zip(lower) {
            let swap = (*a >> HALF ^ *b) & low;
            *b ^= swap;
            *a ^= swap << HALF;
        }
    }
}

/// What [`transpose64`] must give, one bit at a time.
pub fn transpose64_scalar(rows: &mut [u64; 64]) {
    let from = *rows;
    for (r, row) in rows.iter_mut().enumerate() {
        *row = from.iter().rev().fold(0, |bits, word| bits << 1 | (word >> r & 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transpose64_equals_scalar() {
        let mut floats = picomlp_fixtures::values(7);
        let mut rows = [0u64; 64];
        for row in &mut rows {
            for value in floats.by_ref().take(64) {
                *row = *row << 1 | u64::from(value < 0.3);
            }
        }
        let mut expected = rows;
        transpose64_scalar(&mut expected);
        transpose64(&mut rows);
        assert_eq!(rows, expected);
    }

    #[test]
    fn transpose64_moves_one_bit_to_its_mirror_place() {
        for (r, c) in [(0, 63), (1, 0), (5, 40), (33, 33), (63, 62)] {
            let mut rows = [0u64; 64];
            rows[r] = 1 << c;
            transpose64(&mut rows);
            let mut expected = [0u64; 64];
            expected[c] = 1 << r;
            assert_eq!(rows, expected, "row {r}, bit {c}");
        }
    }
}
