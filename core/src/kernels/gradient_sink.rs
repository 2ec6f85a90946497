//! Where a gradient goes, piece by piece.

use core::ops::Range;

use super::lean::PIECE;
use super::simd::{Work, dispatch};
use super::{Baseline, Nonzeros, Simd};

/// Takes a gradient in pieces: an optimizer that updates the parameters at once, or a buffer.
pub trait GradientSink: Send {
    /// A sink for some of the parameters, counted from the first of them.
    type Part<'p>: GradientSink
    where
        Self: 'p;

    /// The parameters as they are now.
    fn params(&self) -> &[f32];

    /// Takes the gradient of the parameters `at..at + gradient.len()`; `simd` are the vectors that may be used for it.
    fn take<S: Simd>(&mut self, simd: S, at: usize, gradient: &[f32]);

    /// As [`take`](Self::take), for parameters that are a bias, or the gain or shift of a normalisation.
    #[inline]
    fn take_bias<S: Simd>(&mut self, simd: S, at: usize, gradient: &[f32]) {
        self.take(simd, at, gradient);
    }

    /// Takes a gradient of `+0.0` for the parameters `at..at + len`.
    fn take_zeros<S: Simd>(&mut self, simd: S, at: usize, len: usize);

    /// Takes the gradient of a dense layer's weights from one sample: for the inputs on the list, `x·d_y`; for the others
    /// in the range `inputs`, zeros. The weights begin at `at`, `d_y.len()` of them for each input.
    ///
    /// Only processors without vector registers ask for this.
    #[inline]
    fn take_rows(&mut self, at: usize, rows: &mut Nonzeros, inputs: Range<usize>, d_y: &[f32]) {
        take_row_by_row(self, at, rows, inputs, d_y);
    }

    /// A sink for the parameters before `at`, and one for the rest: they may be used at once.
    fn split_at(&mut self, at: usize) -> (Self::Part<'_>, Self::Part<'_>);

    /// What the samples before these have summed to, for the parameters `at..at + len`: the sums over samples go on from
    /// there. Nothing, if these are all the samples; the sums then start from `+0.0`.
    #[inline]
    fn summed(&self, at: usize, len: usize) -> Option<&[f32]> {
        let _ = (at, len);
        None
    }

    /// Whether more samples follow, whose gradient will be added. What is added once, after all samples, then waits.
    #[inline]
    fn more_follows(&self) -> bool {
        false
    }
}

/// Gives `sink` the gradient of all its parameters, which are a bias or not.
#[inline]
pub(crate) fn give_whole(sink: &mut impl GradientSink, gradient: &[f32], bias: bool) {
    struct Give<'a, G> {
        sink: &'a mut G,
        gradient: &'a [f32],
        bias: bool,
    }
    impl<G: GradientSink> Work for Give<'_, G> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            if self.bias {
                self.sink.take_bias(simd, 0, self.gradient);
            } else {
                self.sink.take(simd, 0, self.gradient);
            }
        }
    }
    dispatch(Give { sink, gradient, bias });
}

/// [`GradientSink::take_rows`], a row at a time.
#[inline]
pub(crate) fn take_row_by_row<S: GradientSink + ?Sized>(
    sink: &mut S,
    at: usize,
    rows: &Nonzeros,
    inputs: Range<usize>,
    d_y: &[f32],
) {
    let outputs = d_y.len();
    let mut gradient = [0.0; PIECE];
    let mut next = inputs.start;
    for (row, x) in rows.iter() {
        if row > next {
            sink.take_zeros(Baseline, at + next * outputs, (row - next) * outputs);
        }
        for (p, d_y) in d_y.chunks(PIECE).enumerate() {
            gradient.iter_mut().zip(d_y).for_each(|(g, d)| *g = 0.0 + x * d);
            let gradient = gradient.get(..d_y.len()).unwrap_or_default();
            sink.take(Baseline, at + row * outputs + p * PIECE, gradient);
        }
        next = row + 1;
    }
    if inputs.end > next {
        sink.take_zeros(Baseline, at + next * outputs, (inputs.end - next) * outputs);
    }
}
