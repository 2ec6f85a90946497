//! The matrix product of dense blocks: all terms count, and what a block reads is packed beforehand.
//!
//! ```text
//!                          M: panels of 16 columns, packed [k][16]
//!                        ┌────┬────┬────┬────┐
//!                      k │    │    │    │    │ ≤ TERMS     A block of M, at most 64 KB, is packed once and
//!                        └────┴────┴────┴────┘             serves all rows of `a`; so its rows lie side by side,
//!      a: R rows, packed                                   whatever their stride in memory (at strides of 4 KB
//!        ┌──── k ────┐   ┌────┬────┬────┬────┐             all of them would fight for one set of the cache).
//!      R │           │ R │tile│    │    │    │             R rows of `a`, at most 8 KB, are packed for all
//!        └───────────┘   └────┴────┴────┴────┘             panels of the block: as f32, scaled.
//! ```
//!
//! A tile's R × 16 sums stay in registers while k runs: a row of the panel is loaded once for R products, and each factor is
//! broadcast. With AVX-512 a vector holds the 16 columns, and a factor that is used once is broadcast by the multiplication
//! itself; so R = 8 sums are enough to keep both units busy (two operations a step and sum, each with a latency of four
//! cycles). Longer sums than TERMS are carried from block to block in `out`, at the cost of 16 loads and stores in
//! 16·TERMS operations.

use core::ops::Range;

use wide::f32x4;

use super::matmul::Finish;
use super::simd::{Lanes, Simd, with_best_vectors};

/// Columns of a panel: the lanes of a vector of 16.
const COLUMNS: usize = 16;

/// The most rows of a tile.
pub(super) const MOST_ROWS: usize = 8;

/// Terms of a block: R rows of factors are 8 KB, and a panel 16 KB, of the first-level cache.
pub(super) const TERMS: usize = 256;

/// Rows of all panels of a block together: 64 KB of stack, in the second-level cache.
const PANEL_ROWS: usize = 1024;

/// Columns of a block at most.
pub(super) const BLOCK_COLUMNS: usize = 256;

/// Percentage of nonzero inputs from which on a forward pass computes with all of them. With zeros at random, both ways are as fast
/// at 25 % (1024 outputs), 30 % (10) and 42 % (128), with AVX-512 and AVX2.
pub(super) const DENSE_SAMPLES: usize = 40;

/// The same for the samples of an input and the weight gradient: as fast at 40 % (1024 outputs), 45 % (10) and 65 % (128).
pub(super) const DENSE_INPUTS: usize = 50;

/// Rows from which on packing pays.
pub(super) const FEW_ROWS: usize = 4;

/// The same for a small product: 16 KB.
const FEW_PANEL_ROWS: usize = 256;

/// Factors of a tile: `[rows][TERMS]`, or the same memory as `[k][8]`.
#[repr(align(64))]
pub(super) struct Packed([[f32; TERMS]; MOST_ROWS]);

impl Packed {
    /// Where row `row` of the tile lies if factors are packed row by row.
    pub(super) fn row(&mut self, row: usize) -> &mut [f32] {
        self.0.get_mut(row).map_or(&mut [], |row| &mut row[..])
    }

    /// Where the factors of each term lie if they are packed term by term.
    pub(super) fn terms(&mut self) -> &mut [[f32; MOST_ROWS]] {
        self.0.as_flattened_mut().as_chunks_mut().0
    }
}

/// The left-hand matrix `a`.
pub(super) trait Factors {
    /// Whether they are packed term by term.
    const BY_TERM: bool;

    /// Packs a tile of rows.
    fn pack(&self, rows: Range<usize>, terms: Range<usize>, to: &mut Packed);
}

/// The right-hand matrix `M`, `[terms][columns]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    /// Values from a row to the next.
    pub(super) stride: usize,
    /// Whether the values are those of the transposed matrix, `[columns][terms]`.
    pub(super) transposed: bool,
}

impl Matrix<'_> {
    /// Packs a block of panels `[terms][16]`. What stands behind the last column is summed as well, and dropped.
    fn pack(&self, terms: Range<usize>, columns: Range<usize>, panels: &mut [[f32; COLUMNS]]) {
        let Self { values, stride, transposed } = *self;
        let len = terms.len();
        if transposed {
            for (at, panel) in columns.step_by(COLUMNS).zip(panels.chunks_exact_mut(len)) {
                let rows = values.get(at * stride..).unwrap_or_default();
                transpose(rows, stride, terms.clone(), panel);
            }
            return;
        }
        // Row by row: its columns lie side by side, and each row on a page of its own if they are many.
        for (k, row) in terms.enumerate() {
            let row = values.get(row * stride..).unwrap_or_default();
            let pieces = columns.clone().step_by(COLUMNS);
            for (at, to) in pieces.zip(panels.iter_mut().skip(k).step_by(len)) {
                let from = row.get(at..).unwrap_or_default();
                match from.first_chunk() {
                    Some(from) => *to = *from,
                    None => to.iter_mut().zip(from).for_each(|(to, value)| *to = *value),
                }
            }
        }
    }
}

/// `panel[k][c] = rows[c][k]`, four by four.
fn transpose(rows: &[f32], stride: usize, terms: Range<usize>, panel: &mut [[f32; COLUMNS]]) {
    for c in (0..COLUMNS).step_by(4) {
        let row = |i: usize| {
            let row = rows.get((c + i) * stride..).unwrap_or_default();
            row.get(terms.clone()).unwrap_or_default()
        };
        let four = [row(0), row(1), row(2), row(3)];
        let [one, two, three, last] = four.map(|row| row.as_chunks::<4>().0);
        let (blocks, _) = panel.as_chunks_mut::<4>();
        let mut done = 0;
        for ((((to, a), b), c_), d) in blocks.iter_mut().zip(one).zip(two).zip(three).zip(last) {
            let block = f32x4::transpose([*a, *b, *c_, *d].map(f32x4::new));
            for (to, row) in to.iter_mut().zip(block) {
                if let Some(to) = to.get_mut(c..).and_then(<[f32]>::first_chunk_mut::<4>) {
                    *to = row.to_array();
                }
            }
            done += 4;
        }
        for (i, row) in four.iter().enumerate() {
            for (to, value) in panel.iter_mut().zip(*row).skip(done) {
                if let Some(to) = to.get_mut(c + i) {
                    *to = *value;
                }
            }
        }
    }
}

/// Where sums go.
pub(super) trait Output {
    /// Where a block of sums goes, values from a row of it to the next, and what becomes of them. Called again for each block of terms
    /// with `Finish::Add`, unless `finish` has been called.
    fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> (&mut [f32], usize, Finish);

    /// Whether `finish` must be called for R rows at a time.
    const FINISHES: bool;

    /// All terms of a block have been added.
    fn finish(&mut self, rows: Range<usize>, columns: Range<usize>);
}

/// Rows of a matrix.
pub(super) struct Rows<'a> {
    pub(super) values: &'a mut [f32],
    /// Values from a row to the next.
    pub(super) stride: usize,
    pub(super) finish: Finish,
}

impl Output for Rows<'_> {
    const FINISHES: bool = false;

    fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> (&mut [f32], usize, Finish) {
        let start = rows.start * self.stride + columns.start;
        (self.values.get_mut(start..).unwrap_or_default(), self.stride, self.finish)
    }

    fn finish(&mut self, _: Range<usize>, _: Range<usize>) {}
}

/// A product all of whose terms count.
pub(super) struct Gemm<'a> {
    pub(super) matrix: Matrix<'a>,
    pub(super) rows: usize,
    pub(super) terms: usize,
    /// Columns of `M` that count.
    pub(super) width: usize,
}

impl Gemm<'_> {
    /// Computes `out[r] += Σₖ a[r][k]·M[k]`.
    pub(super) fn run(self, factors: &impl Factors, out: &mut impl Output) {
        // A buffer is filled with zeros first; a small product doesn't pay for a large one.
        if self.terms.min(TERMS) * self.width.div_ceil(COLUMNS) <= FEW_PANEL_ROWS {
            self.run_with::<FEW_PANEL_ROWS>(factors, out);
        } else {
            self.run_with::<PANEL_ROWS>(factors, out);
        }
    }

    #[inline(never)] // no caller's stack is to be that large: it would be probed at each call
    fn run_with<const N: usize>(self, factors: &impl Factors, out: &mut impl Output) {
        self.run_in(factors, out, &mut Panels([[0.0; COLUMNS]; N]).0);
    }

    #[inline(never)] // once for both
    fn run_in<F: Factors, O: Output>(
        self,
        factors: &F,
        out: &mut O,
        panels: &mut [[f32; COLUMNS]],
    ) {
        let Self { matrix, rows, terms, width } = self;
        let tile_rows = tile_rows();
        let mut packed = Packed([[0.0; TERMS]; MOST_ROWS]);
        // Blocks of equal length.
        let len = terms.div_ceil(terms.div_ceil(TERMS).max(1)).max(1);
        let across = (panels.len() / len * COLUMNS).min(BLOCK_COLUMNS);
        // Rows that a block of M serves before the next one's turn.
        let down = if O::FINISHES && terms > len { tile_rows } else { rows };
        for first in (0..width).step_by(across) {
            let columns = first..width.min(first + across);
            for top in (0..rows).step_by(down) {
                for start in (0..terms).step_by(len) {
                    let block = start..terms.min(start + len);
                    matrix.pack(block.clone(), columns.clone(), panels);
                    for row in (top..rows.min(top + down)).step_by(tile_rows) {
                        let tile = row..rows.min(row + tile_rows);
                        factors.pack(tile.clone(), block.clone(), &mut packed);
                        let (out_rows, stride, mut finish) =
                            out.block(tile.clone(), columns.clone());
                        if start > 0 {
                            finish = Finish::Add;
                        }
                        let strip = Strip {
                            factors: &packed,
                            by_term: F::BY_TERM,
                            panels,
                            terms: block.len(),
                            out: out_rows,
                            stride,
                            finish,
                        };
                        strip.run(tile.len(), columns.len(), tile.len() == tile_rows);
                        if block.end == terms {
                            out.finish(tile, columns.clone());
                        }
                    }
                }
            }
        }
    }
}

/// Aligned for the widest vectors.
#[repr(align(64))]
struct Panels<const N: usize>([[f32; COLUMNS]; N]);

/// R rows of `out`: a tile for each panel.
struct Strip<'a> {
    factors: &'a Packed,
    by_term: bool,
    panels: &'a [[f32; COLUMNS]],
    /// Rows of a panel.
    terms: usize,
    out: &'a mut [f32],
    stride: usize,
    finish: Finish,
}

impl Strip<'_> {
    fn run(self, height: usize, width: usize, is_high: bool) {
        let Self { panels, terms, out, stride, .. } = self;
        let whole = if is_high { width / COLUMNS } else { 0 };
        let (panels, rest) = panels.split_at((whole * terms).min(panels.len()));
        if whole > 0 {
            run_strip(Strip { panels, out: &mut *out, ..self });
        }
        // Fewer rows or columns than a tile has are computed beside `out`.
        for (at, panels) in (whole * COLUMNS..width).step_by(COLUMNS).zip(rest.chunks(terms)) {
            let out = out.get_mut(at..).unwrap_or_default();
            let mut beside = Panels([[0.0; COLUMNS]; MOST_ROWS]);
            for (to, from) in beside.0.iter_mut().zip(out.chunks(stride)).take(height) {
                copy_first(from, to, width - at);
            }
            let block = beside.0.as_flattened_mut();
            run_strip(Strip { panels, out: block, stride: COLUMNS, ..self });
            for (from, to) in beside.0.iter().zip(out.chunks_mut(stride)).take(height) {
                copy_first(from, to, width - at);
            }
        }
    }
}

/// Copies the first `width` values, at most 16, without a call.
#[inline(always)]
fn copy_first(from: &[f32], to: &mut [f32], width: usize) {
    let width = width.min(COLUMNS);
    let mut at = 0;
    macro_rules! copy {
        ($($n:literal)*) => {$(
            if width & $n != 0
                && let Some(from) = from.get(at..).and_then(<[f32]>::first_chunk::<$n>)
                && let Some(to) = to.get_mut(at..).and_then(<[f32]>::first_chunk_mut::<$n>)
            {
                *to = *from;
                at += $n;
            }
        )*};
    }
    copy!(16 8 4 2 1);
    let _ = at;
}

/// Rows of a tile on this machine.
pub(super) fn tile_rows() -> usize {
    with_best_vectors!(tile_rows_with() -> usize)
}

#[inline(always)]
fn tile_rows_with<S: Simd>(_: S) -> usize {
    S::TILE_ROWS
}

#[inline(never)] // so that its pointers find registers
fn run_strip(strip: Strip<'_>) {
    with_best_vectors!(run_strip_with(strip: Strip<'_>));
}

#[inline(always)]
fn run_strip_with<S: Simd>(simd: S, strip: Strip<'_>) {
    match S::TILE_ROWS {
        8 => tiles::<S, 8>(simd, strip),
        5 => tiles::<S, 5>(simd, strip),
        4 => tiles::<S, 4>(simd, strip),
        _ => tiles::<S, 2>(simd, strip),
    }
}

#[inline(always)]
fn tiles<S: Simd, const R: usize>(simd: S, strip: Strip<'_>) {
    let Strip { factors, by_term, panels, terms, mut out, stride, finish } = strip;
    for panel in panels.chunks_exact(terms) {
        let mut sums = [S::F32x16::splat(simd, 0.0); R];
        if finish == Finish::Add {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = load(simd, out, r * stride);
            }
        }
        if by_term {
            for (a, b) in factors.0.as_flattened().as_chunks::<MOST_ROWS>().0.iter().zip(panel) {
                let b = S::F32x16::new(simd, b);
                for (sum, a) in sums.iter_mut().zip(a) {
                    *sum = *sum + S::F32x16::splat(simd, *a) * b;
                }
            }
        } else {
            for (k, b) in (0..TERMS).zip(panel) {
                let b = S::F32x16::new(simd, b);
                for (sum, a) in sums.iter_mut().zip(&factors.0) {
                    let a = a.get(k).copied().unwrap_or_default();
                    *sum = *sum + S::F32x16::splat(simd, a) * b;
                }
            }
        }
        if let Finish::Move(rate) = finish {
            let rate = S::F32x16::splat(simd, rate);
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = load::<S>(simd, out, r * stride) - rate * *sum;
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            if let Some(out) = out.get_mut(r * stride..).and_then(<[f32]>::first_chunk_mut) {
                *out = sum.to_array();
            }
        }
        out = out.get_mut(COLUMNS..).unwrap_or_default();
    }
}

#[inline(always)]
fn load<S: Simd>(simd: S, from: &[f32], at: usize) -> S::F32x16 {
    let from = from.get(at..).and_then(<[f32]>::first_chunk::<COLUMNS>);
    S::F32x16::new(simd, from.unwrap_or(&[0.0; COLUMNS]))
}
