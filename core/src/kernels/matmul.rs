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
//! # Blocking
//!
//! ```text
//!                                     M
//!                    ┌─ panel ─┬─ panel ─┬ tail ┐
//!                  0 │ ░░░░░░░ │         │      │
//!                  1 │         │         │      │   1. Columns are cut into panels as wide as an
//!                k 2 │ ░░░░░░░ │         │      │      accumulator: WIDTH lanes in registers.
//!                  3 │         │         │      │   2. A panel visits all rows of `a` before the next
//!                  4 │ ░░░░░░░ │         │      │      one: its part of M stays in the cache.
//!                    └────│────┴─────────┴──────┘   3. For N rows at a time (the register tile, N × WIDTH
//!        a       k →      │ a[r][k]·M[k]               sums), one load of M[k] serves N multiplications.
//!      0 1 2 3 4          ▼         out             4. k runs innermost, over the nonzero terms alone,
//!    ┌───────────┐   ┌─────────┬─────────┬──────┐      and is never cut: a sum doesn't leave its register
//!  r │ 5 · 8 · 1 │   │ ▓▓▓▓▓▓▓ │         │      │      until it is finished.
//!    │ · · 2 · · │   │         │         │      │
//!    └───────────┘   └─────────┴─────────┴──────┘
//! ```
//!
//! Sparse rows go one at a time (N = 1): each row has other nonzero terms. Dense rows go four at a time (N = 4), packed. Which of the two
//! a block of rows is shows in the masks of its zeros ([`Element::nonzero_mask`](super::Element::nonzero_mask)), which are made
//! anyway: callers choose [`Product::run`] or [`Product::run_in_fours`].
//!
//! Where registers are narrow (SSE2, NEON), a row of 128 columns is four panels, and finding the bits of a mask in each would take
//! as long as the arithmetic. There, a row's terms are gathered once into a [`SparseRow`] for four panels.
//!
//! # Seams
//!
//! `matrix` and `stride` may describe a packed copy of a panel, as the input gradient's transposed weights do: `stride` is then
//! the panel's width. The register tile is the pair of `N` and the [`Accumulator`] that a caller names.

use super::accumulator::{Accumulator, ForEachPanel, for_each_panel};
use super::simd::{Simd, with_best_vectors};

/// Terms of `N` rows of `a` side by side: which `k` count, and the rows' values there.
pub(super) trait Terms<const N: usize> {
    /// Calls `add` for each `k` in ascending order, until it returns `None`. Both must be `inline(always)`.
    fn for_each(&self, add: impl FnMut(usize, [f32; N]) -> Option<()>) -> Option<()>;
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

    /// Computes rows of `out`, `N` at a time; `terms(g)` are those of the rows from `N·g` on. `C` is the widest accumulator.
    #[inline(always)]
    pub(super) fn run<S: Simd, C: Accumulator<S>, T: Terms<N>, const N: usize>(
        self,
        simd: S,
        terms: impl Fn(usize) -> T,
        out: &mut [f32],
    ) {
        // Gathering pays where one row has several panels: its masks are then searched once, not once a panel.
        let gathers = const { N == 1 && C::WIDTH <= 32 } && self.width >= 2 * C::WIDTH;
        let step = if gathers { 4 * C::WIDTH } else { C::WIDTH };
        if !gathers {
            for first in (0..self.width).step_by(step) {
                let columns = first..self.width.min(first + step);
                for (group, out) in out.chunks_mut(N * self.out_stride).enumerate() {
                    let mut tile = Tile { of: self, terms: &terms(group), out };
                    for_each_panel::<S, C>(simd, columns.clone(), &mut tile);
                }
            }
            return;
        }
        let mut list = SparseRow { len: 0, terms: [(0, [0.0; N]); GATHERED] };
        for first in (0..self.width).step_by(step) {
            let columns = first..self.width.min(first + step);
            for (group, out) in out.chunks_mut(N * self.out_stride).enumerate() {
                let mut of = self;
                terms(group).for_each(
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

/// Columns for which four rows are packed once: their part of `M` stays in the second-level cache.
const PACKED_COLUMNS: usize = 128;

impl Product<'_> {
    /// Computes rows of `out`, all of whose `len` terms count, four at a time; `values(g, k)` are those of the rows from `4·g`
    /// on. `out` has a multiple of four rows.
    ///
    /// The rows' values lie in four places, and are numbers of any type. Packed side by side, they are read faster by each
    /// panel, and one kernel serves all types and passes.
    #[inline(always)]
    pub(super) fn run_in_fours(
        self,
        len: usize,
        values: impl Fn(usize, usize) -> [f32; 4],
        out: &mut [f32],
    ) {
        debug_assert!(
            len <= GATHERED || !matches!(self.finish, Finish::Move(_)),
            "a sum would be cut"
        );
        let mut packed = [[0.0; 4]; GATHERED];
        for column in (0..self.width).step_by(PACKED_COLUMNS) {
            let width = PACKED_COLUMNS.min(self.width - column);
            for (group, out) in out.chunks_mut(4 * self.out_stride).enumerate() {
                let out = out.get_mut(column..).unwrap_or_default();
                let mut finish = self.finish;
                for start in (0..len).step_by(GATHERED) {
                    let packed = packed.get_mut(..GATHERED.min(len - start)).unwrap_or_default();
                    for (k, to) in packed.iter_mut().enumerate() {
                        *to = values(group, start + k);
                    }
                    let matrix = self.matrix.get(start * self.stride + column..);
                    let matrix = matrix.unwrap_or_default();
                    four_rows(Product { matrix, width, finish, ..self }, packed, out);
                    finish = Finish::Add;
                }
            }
        }
    }
}

/// Four rows of `out`, whose terms are the first rows of the matrix.
#[inline(never)] // one copy for all passes
fn four_rows(product: Product<'_>, packed: &[[f32; 4]], out: &mut [f32]) {
    with_best_vectors!(four_rows_with(product: Product<'_>, packed: &[[f32; 4]], out: &mut [f32]));
}

#[inline(always)]
fn four_rows_with<S: Simd>(simd: S, product: Product<'_>, packed: &[[f32; 4]], out: &mut [f32]) {
    let mut tile = Tile { of: product, terms: &Packed(packed), out };
    for_each_panel::<S, S::Tile4>(simd, 0..product.width, &mut tile);
}

/// Four dense rows of `a`, side by side.
struct Packed<'a>(&'a [[f32; 4]]);

impl Terms<4> for Packed<'_> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 4]) -> Option<()>) -> Option<()> {
        for (k, x) in self.0.iter().enumerate() {
            add(k, *x)?;
        }
        Some(())
    }
}

/// The register tile: `N` rows of `a`, and the rows of `out` where their sums go.
struct Tile<'a, T, const N: usize> {
    of: Product<'a>,
    terms: &'a T,
    out: &'a mut [f32],
}

impl<S: Simd, T: Terms<N>, const N: usize> ForEachPanel<S> for Tile<'_, T, N> {
    #[inline(always)]
    fn panel<C: Accumulator<S>>(&mut self, simd: S, column: usize) {
        let Self { of, terms, out } = self;
        let mut sums = [C::zero(simd); N];
        if of.finish == Finish::Add {
            for (row, sums) in sums.iter_mut().enumerate() {
                let start = row * of.out_stride + column;
                *sums = C::load(simd, out.get(start..start + C::WIDTH).unwrap_or_default());
            }
        }
        let matrix = of.matrix.get(column..).unwrap_or_default();
        let Some(last) = matrix.len().checked_sub(C::WIDTH) else {
            debug_assert!(false, "the matrix is narrower than its panel");
            return;
        };
        // The inner loop: `sums[r] += a[r][k]·M[k]`, with all sums in registers.
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
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums.add_scaled(simd, x, row);
                }
                Some(())
            },
        );
        debug_assert!(complete.is_some(), "a term without its row of the matrix");
        for (row, sums) in sums.into_iter().enumerate() {
            let start = row * of.out_stride + column;
            let out = out.get_mut(start..start + C::WIDTH).unwrap_or_default();
            debug_assert!(out.len() == C::WIDTH, "a row of sums without its place");
            match of.finish {
                Finish::Move(rate) => C::load(simd, out).minus(simd, rate, sums).store(out),
                Finish::Write | Finish::Add => sums.store(out),
            }
        }
    }
}

/// Every row of `M` once: the sum of its rows.
pub(super) struct Ones(pub(super) usize);

impl Terms<1> for Ones {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 1]) -> Option<()>) -> Option<()> {
        for k in 0..self.0 {
            add(k, [1.0])?;
        }
        Some(())
    }
}

/// `N` dense rows of `a`, as they lie in memory.
pub(super) struct DenseRows<'a, const N: usize>(pub(super) [&'a [f32]; N]);

impl<const N: usize> Terms<N> for DenseRows<'_, N> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; N]) -> Option<()>) -> Option<()> {
        let len = self.0.first()?.len();
        for k in 0..len {
            let mut x = [0.0; N];
            for (x, row) in x.iter_mut().zip(self.0) {
                *x = *row.get(k)?;
            }
            add(k, x)?;
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
struct SparseRow<const N: usize> {
    len: usize,
    terms: [(u32, [f32; N]); GATHERED],
}

impl<const N: usize> SparseRow<N> {
    #[inline(always)]
    fn push(&mut self, k: usize, x: [f32; N]) -> Option<()> {
        *self.terms.get_mut(self.len)? = (k as u32, x);
        self.len += 1;
        Some(())
    }
}

impl<const N: usize> Terms<N> for SparseRow<N> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; N]) -> Option<()>) -> Option<()> {
        for (k, x) in self.terms.iter().take(self.len) {
            add(*k as usize, *x)?;
        }
        Some(())
    }
}
