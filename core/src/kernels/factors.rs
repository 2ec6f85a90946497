//! A row's nonzero factors, found once for several blocks of columns.
//!
//! Where registers are narrow, a row of 128 columns is four blocks, and looking for the bits of a mask in each takes as long as
//! the arithmetic (784-128-10, SSE2: 0.284 s an epoch; with the list 0.247 s). Where one or two blocks make the row, the
//! masks are faster (AVX2: 0.146 and 0.165 s).

use super::columns::widest_block;
use super::simd::Simd;

/// The most factors on a list: 3 KB of stack.
pub(super) const LEN: usize = 256;

/// Whether these vectors are so narrow that a list may be worth it.
pub(super) const fn lists<S: Simd>() -> bool {
    widest_block::<S>() <= 32
}

/// Whether a row of so many columns is worth a list.
#[inline(always)]
pub(super) const fn are_listed<S: Simd>(columns: usize) -> bool {
    lists::<S>() && columns >= 2 * widest_block::<S>()
}

/// Factors in ascending order, and where the rows begin that they are multiplied with.
pub(super) struct Factors {
    len: usize,
    starts: [usize; LEN],
    values: [f32; LEN],
}

impl Factors {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { len: 0, starts: [0; LEN], values: [0.0; LEN] }
    }

    /// Appends a factor, if there is [`room`](Self::room).
    #[inline(always)]
    pub(super) fn push(&mut self, start: usize, value: f32) {
        let (at, to) = (self.starts.get_mut(self.len), self.values.get_mut(self.len));
        if let (Some(at), Some(to)) = (at, to) {
            (*at, *to) = (start, value);
            self.len += 1;
        }
    }

    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        LEN - self.len
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let pairs = self.starts.iter().zip(&self.values).take(self.len);
        pairs.map(|(start, value)| (*start, *value))
    }
}
