//! How int8 weights lie in memory.

/// Outputs whose weights lie together.
pub const INT8_BLOCK: usize = 8;

/// Eight outputs' weights for a pair of neighbouring inputs, 16 bytes.
///
/// Word `k` belongs to the outputs `2k` and `2k + 1`, its lower half to the first input, its upper half to the second.
/// A half is `256·w[2k + 1] + w[2k]`: a multiplication of 16 bits, as Arm's DSP extension and SSE2 have it for two
/// inputs at once, sums the products of two outputs, and the half's lower byte, sign-extended, sums those of the even
/// one. The odd one's are the difference, divided by 256.
pub type Int8Row = [u32; 4];

/// The weights of one dense layer, `[outputs / 8][inputs / 2]` rows, both counts rounded up; what is not there is 0.
///
/// Block-major, so that the rows of a block whose inputs are not zero are picked by one index.
#[derive(Clone, Copy, Debug)]
pub struct Int8Weights<'a> {
    inputs: usize,
    rows: &'a [Int8Row],
}

impl<'a> Int8Weights<'a> {
    /// The weights in `rows`, or nothing if these are not as many as the sizes need.
    #[must_use]
    pub fn new(rows: &'a [Int8Row], inputs: usize, outputs: usize) -> Option<Self> {
        let fits = inputs > 0 && int8_rows(inputs, outputs) == Some(rows.len());
        fits.then_some(Self { inputs, rows })
    }

    /// Inputs of the layer.
    #[inline]
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs of the layer, with those that fill the last block.
    #[must_use]
    pub fn padded_outputs(&self) -> usize {
        INT8_BLOCK * self.rows.len() / self.pairs()
    }

    /// The weight between an input and an output, 0 if there is none.
    #[must_use]
    pub fn get(&self, input: usize, output: usize) -> i32 {
        let (block, of_block) = (output / INT8_BLOCK, output % INT8_BLOCK);
        let row = self.rows.get(block * self.pairs() + input / 2);
        let word = row.and_then(|row| row.get(of_block / 2)).copied().unwrap_or(0);
        let half = i32::from((word >> (16 * (input % 2))) as i16);
        let even = i32::from(half as i8);
        if of_block.is_multiple_of(2) { even } else { (half - even) >> 8 }
    }

    /// Rows of a block.
    #[inline]
    pub(super) fn pairs(&self) -> usize {
        self.inputs.div_ceil(2).max(1)
    }

    /// The rows of each block.
    #[inline]
    pub(super) fn blocks(&self) -> impl Iterator<Item = &'a [Int8Row]> {
        self.rows.chunks_exact(self.pairs())
    }
}

/// Rows of the weights of a layer, if this machine can count them.
#[must_use]
pub const fn int8_rows(inputs: usize, outputs: usize) -> Option<usize> {
    inputs.div_ceil(2).checked_mul(outputs.div_ceil(INT8_BLOCK))
}

/// Packs the weights of eight outputs for two inputs.
#[must_use]
pub fn pack_int8(first: [i8; INT8_BLOCK], second: [i8; INT8_BLOCK]) -> Int8Row {
    let half = |of: [i8; INT8_BLOCK], k: usize| {
        let at = |i: usize| of.get(i).map_or(0, |&w| i32::from(w));
        ((256 * at(2 * k + 1) + at(2 * k)) & 0xffff) as u32
    };
    core::array::from_fn(|k| half(first, k) | half(second, k) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too many values for an interpreter")]
    fn every_pair_of_weights_is_read_as_it_was_packed() {
        for even in -127..=127 {
            for odd in -127..=127 {
                let first = [even, odd, 1, -1, 0, 127, -127, odd];
                let second = [odd, even, -127, -127, 127, 127, even, 0];
                let rows = [pack_int8(first, second)];
                let weights = Int8Weights::new(&rows, 2, 8).unwrap();
                for o in 0..8 {
                    assert_eq!(weights.get(0, o), i32::from(first[o]), "{even} {odd}, output {o}");
                    assert_eq!(weights.get(1, o), i32::from(second[o]), "{even} {odd}, output {o}");
                }
            }
        }
    }

    #[test]
    fn weights_of_another_size_are_refused() {
        let rows = [[0; 4]; 6];
        assert!(Int8Weights::new(&rows, 5, 16).is_some());
        assert!(Int8Weights::new(&rows, 6, 9).is_some());
        assert!(Int8Weights::new(&rows, 7, 9).is_none());
        assert!(Int8Weights::new(&rows, 5, 17).is_none());
        assert!(Int8Weights::new(&rows[..0], 0, 8).is_none());
    }
}
