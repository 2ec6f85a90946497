//! Narrow pieces of a gradient that wait for their neighbours.
//!
//! A row of a last layer has 10 weights or so. An optimizer that was given them alone would fill less than a vector; twelve
//! rows together fill eight. What is as wide as a vector is handed on at once, out of the registers that hold it.

use super::GradientSink;
use super::columns::Columns;
use super::lean::PIECE;
use super::simd::{LANES, Simd};

/// A sink, and what has not been given to it yet.
pub(super) struct Pending<'a, G> {
    pub(super) sink: &'a mut G,
    /// Where the piece belongs.
    at: usize,
    len: usize,
    gradient: [f32; PIECE],
}

impl<'a, G: GradientSink> Pending<'a, G> {
    pub(super) fn new(sink: &'a mut G) -> Self {
        Self { sink, at: 0, len: 0, gradient: [0.0; PIECE] }
    }

    /// Gives the gradient of the parameters from `at` on, or lets it wait.
    #[inline(always)]
    pub(super) fn give<S: Simd, C: Columns<S>>(&mut self, simd: S, at: usize, sums: C) {
        if const { C::WIDTH >= LANES } {
            let mut gradient = [0.0; PIECE];
            sums.store(&mut gradient);
            self.sink.take(simd, at, gradient.get(..C::WIDTH).unwrap_or_default());
            return;
        }
        if at != self.at + self.len || self.len + C::WIDTH > PIECE {
            self.flush(simd);
            self.at = at;
        }
        sums.store(self.gradient.get_mut(self.len..).unwrap_or_default());
        self.len += C::WIDTH;
    }

    /// Gives what waits.
    #[inline(never)]
    pub(super) fn flush<S: Simd>(&mut self, simd: S) {
        let Self { sink, at, len, gradient } = self;
        let gradient = gradient.get(..*len).unwrap_or_default();
        if !gradient.is_empty() {
            simd.outlined(
                #[inline(always)]
                || sink.take(simd, *at, gradient),
            );
        }
        *len = 0;
    }
}
