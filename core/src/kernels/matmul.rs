//! The matrix product behind all three passes of a dense layer: `out[r] += Σₖ a[r][k]·M[k]`.
//!
//! | pass | `a` | `M` | `out` |
//! |---|---|---|---|
//! | forward | inputs `x: [batch][IN]` | weights `[IN][OUT]` | outputs `y: [batch][OUT]` |
//! | weight gradient | `xᵀ: [IN][batch]` | `d_y: [batch][OUT]` | gradient `[IN][OUT]`, or the weights themselves |
//! | input gradient | `d_y: [batch][OUT]` | weights transposed, `[OUT][IN]` | `d_x: [batch][IN]` |
//!
//! # Order of summation
//!
//! Each output is one sum in one lane of a register: `k` ascends, one term at a time, a multiplication and an addition, each
//! rounded. Terms with `a[r][k] = 0` are skipped. So the blocking below can't change a bit, and neither can the width of the
//! vectors or the number of threads.
//!
//! # Sparse rows, and dense ones
//!
//! Whether a block of rows is sparse or dense shows in the masks of its zeros ([`Element::nonzero_mask`](super::Element::nonzero_mask)).
//! Dense rows are packed and go to [`gemm`](super::gemm). Sparse rows have a nonzero term each in other places, so they go one at a
//! time:
//!
//! ```text
//!                                     M
//!                    ┌─ panel ─┬─ panel ─┬ tail ┐
//!                  0 │ ░░░░░░░ │         │      │
//!                  1 │         │         │      │   1. Columns are cut into panels as wide as an
//!                k 2 │ ░░░░░░░ │         │      │      accumulator: WIDTH lanes in registers.
//!                  3 │         │         │      │   2. A panel visits all rows of `a` before the next
//!                  4 │ ░░░░░░░ │         │      │      one: its part of M stays in the cache.
//!                    └────│────┴─────────┴──────┘   3. k runs innermost, over the nonzero terms alone,
//!        a       k →      │ a[r][k]·M[k]               and is never cut: a sum doesn't leave its register
//!      0 1 2 3 4          ▼         out                until it is finished.
//!    ┌───────────┐   ┌─────────┬─────────┬──────┐
//!  r │ 5 · 8 · 1 │   │ ▓▓▓▓▓▓▓ │         │      │
//!    └───────────┘   └─────────┴─────────┴──────┘
//! ```
//!
//! Where registers are narrow (SSE2, NEON), a row of 128 columns is four panels, and finding the bits of a mask in each would take
//! as long as the arithmetic. There, a row's terms are gathered once into a [`SparseRow`] for four panels.

use super::accumulator::{Accumulator, ForEachPanel, for_each_panel};
use super::simd::Simd;

/// Terms of a row of `a`: which `k` count, and the values there.
pub(super) trait Terms {
    /// Calls `add` for each `k` in ascending order, until it returns `None`. Both must be `inline(always)`.
    fn for_each(&self, add: impl FnMut(usize, f32) -> Option<()>) -> Option<()>;
}

/// What becomes of a finished sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finish {
    /// The sum starts from `+0.0` and overwrites `out`.
    Write,
    /// The sum starts from `out` and overwrites it.
    Add,
    /// The sum starts from `+0.0`; `out` becomes `out - rate·sum`: a step of plain gradient descent.
    Move(f32),
}

/// A product whose rows of `a` are still open.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// `M`, or the part of it from its first column on.
    pub(super) matrix: &'a [f32],
    /// Values from a row of `M` to the next.
    pub(super) stride: usize,
    /// Columns of `M` that count.
    pub(super) width: usize,
    /// Values from a row of `out` to the next.
    pub(super) out_stride: usize,
    pub(super) finish: Finish,
}

impl<'a> Product<'a> {
    /// All columns of a matrix whose rows are contiguous, and so are those of `out`.
    #[inline(always)]
    pub(super) fn new(matrix: &'a [f32], width: usize, finish: Finish) -> Self {
        Self { matrix, stride: width, width, out_stride: width, finish }
    }

    /// Computes rows of `out`; `terms(r)` are those of row `r`. `C` is the widest accumulator.
    #[inline(always)]
    pub(super) fn run<S: Simd, C: Accumulator<S>, T: Terms>(
        self,
        simd: S,
        terms: impl Fn(usize) -> T,
        out: &mut [f32],
    ) {
        // Gathering pays where one row has several panels: its masks are then searched once, not once a panel.
        let gathers = const { C::WIDTH <= 32 } && self.width >= 2 * C::WIDTH;
        let step = if gathers { 4 * C::WIDTH } else { C::WIDTH };
        if !gathers {
            for first in (0..self.width).step_by(step) {
                let columns = first..self.width.min(first + step);
                for (row, out) in out.chunks_mut(self.out_stride).enumerate() {
                    let mut tile = Tile { of: self, terms: &terms(row), out };
                    for_each_panel::<S, C>(simd, columns.clone(), &mut tile);
                }
            }
            return;
        }
        let mut list = SparseRow { len: 0, terms: [(0, 0.0); GATHERED] };
        for first in (0..self.width).step_by(step) {
            let columns = first..self.width.min(first + step);
            for (row, out) in out.chunks_mut(self.out_stride).enumerate() {
                let mut of = self;
                terms(row).for_each(
                    #[inline(always)]
                    |k, x| {
                        if list.len == GATHERED {
                            // A full list is worked off; the sums continue from what they came to.
                            debug_assert!(
                                !matches!(of.finish, Finish::Move(_)),
                                "a sum would be cut"
                            );
                            let mut tile = Tile { of, terms: &list, out };
                            for_each_panel::<S, C>(simd, columns.clone(), &mut tile);
                            (list.len, of.finish) = (0, Finish::Add);
                        }
                        list.push(k, x)
                    },
                );
                let mut tile = Tile { of, terms: &list, out };
                for_each_panel::<S, C>(simd, columns.clone(), &mut tile);
                list.len = 0;
            }
        }
    }
}

/// A row of `a`, and the row of `out` where its sums go.
struct Tile<'a, T> {
    of: Product<'a>,
    terms: &'a T,
    out: &'a mut [f32],
}

impl<S: Simd, T: Terms> ForEachPanel<S> for Tile<'_, T> {
    #[inline(always)]
    fn panel<C: Accumulator<S>>(&mut self, simd: S, column: usize) {
        let Self { of, terms, out } = self;
        let columns = column..column + C::WIDTH;
        let out = out.get_mut(columns).unwrap_or_default();
        debug_assert!(out.len() == C::WIDTH, "a row of sums without its place");
        let mut sums = match of.finish {
            Finish::Add => C::load(simd, out),
            Finish::Write | Finish::Move(_) => C::zero(simd),
        };
        let matrix = of.matrix.get(column..).unwrap_or_default();
        let Some(last) = matrix.len().checked_sub(C::WIDTH) else {
            debug_assert!(false, "the matrix is narrower than its panel");
            return;
        };
        // The inner loop: `sums += a[r][k]·M[k]`, with all sums in registers.
        let complete = terms.for_each(
            #[inline(always)]
            |k, x| {
                #[cfg(feature = "frames")]
                crate::frames::stop_at(match of.finish {
                    Finish::Move(_) => "move",
                    Finish::Write | Finish::Add => "forward",
                });
                let start = k * of.stride;
                if start > last {
                    return None; // one comparison: the two of the next line follow from it
                }
                let row = matrix.get(start..start + C::WIDTH)?;
                sums.add_scaled(simd, x, row);
                Some(())
            },
        );
        debug_assert!(complete.is_some(), "a term without its row of the matrix");
        match of.finish {
            Finish::Move(rate) => C::load(simd, out).minus(simd, rate, sums).store(out),
            Finish::Write | Finish::Add => sums.store(out),
        }
    }
}

/// Every row of `M` once: the sum of its rows.
pub(super) struct Ones(pub(super) usize);

impl Terms for Ones {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, f32) -> Option<()>) -> Option<()> {
        for k in 0..self.0 {
            add(k, 1.0)?;
        }
        Some(())
    }
}

/// Indices of the set bits of a mask, in ascending order.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1; // clears the lowest set bit
        Some(bit)
    }
}

/// Capacity of a [`SparseRow`]: 2 KB of stack.
pub(super) const GATHERED: usize = 256;

/// A row's nonzero terms as a list.
struct SparseRow {
    len: usize,
    terms: [(u32, f32); GATHERED],
}

impl SparseRow {
    #[inline(always)]
    fn push(&mut self, k: usize, x: f32) -> Option<()> {
        *self.terms.get_mut(self.len)? = (k as u32, x);
        self.len += 1;
        Some(())
    }
}

impl Terms for SparseRow {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, f32) -> Option<()>) -> Option<()> {
        for (k, x) in self.terms.iter().take(self.len) {
            add(*k as usize, *x)?;
        }
        Some(())
    }
}
