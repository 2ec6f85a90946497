//! The one matrix product: `out[r] += Σₖ a[r][k]·M[k]`.
//!
//! Forward, `a` is a batch of inputs and `M` the weights; for the weight gradient, `a` is the same batch transposed and
//! `M` the gradient at the outputs. Either way `k` ascends, terms that are zero are left out, and lanes lie over the
//! columns of `M`, so that the order of a sum is the contract's whatever the blocks are.
//!
//! A panel of columns as wide as the registers hold passes over all rows before the next panel's turn: its part of `M`
//! stays in the cache. Where registers are narrow, a row of 128 columns is four blocks, and looking for the bits of a mask
//! in each would take as long as the arithmetic: there a row's terms are listed once for a panel of four blocks.

use super::columns::{Columns, ForEachBlock, for_each_block};
use super::simd::Simd;

/// The nonzero terms of `N` rows of `a`, side by side.
pub(super) trait Terms<const N: usize> {
    /// Calls `add` with each `k` and the rows' values there, in ascending order, until it gives nothing. Both must be
    /// `inline(always)`.
    fn for_each(&self, add: impl FnMut(usize, [f32; N]) -> Option<()>) -> Option<()>;
}

/// A product of which the rows of `a` are not known yet.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// `M`: rows `stride` apart, of which the first `width` columns count.
    pub(super) matrix: &'a [f32],
    pub(super) stride: usize,
    pub(super) width: usize,
    /// Whether the sums go on from what `out` holds, or start from `+0.0`.
    pub(super) adds: bool,
    /// If there is a rate, `out` is not overwritten, but moved against the sums by it.
    pub(super) rate: Option<f32>,
}

impl Product<'_> {
    /// Writes the sums to `out: [rows][width]`; `terms(g)` are those of the rows from `N·g` on.
    #[inline(always)]
    pub(super) fn sum<S: Simd, T: Terms<N>, const N: usize>(
        self,
        simd: S,
        terms: impl Fn(usize) -> T,
        out: &mut [f32],
    ) {
        match N {
            1 => self.sum_panels::<S, S::Widest, T, N>(simd, terms, out),
            _ => self.sum_panels::<S, S::WidestOfFour, T, N>(simd, terms, out),
        }
    }

    #[inline(always)]
    fn sum_panels<S: Simd, C: Columns<S>, T: Terms<N>, const N: usize>(
        self,
        simd: S,
        terms: impl Fn(usize) -> T,
        out: &mut [f32],
    ) {
        let is_listed = const { N == 1 && C::WIDTH <= 32 } && self.width >= 2 * C::WIDTH;
        let panel = if is_listed { 4 * C::WIDTH } else { C::WIDTH };
        let mut list = List { len: 0, terms: [(0, [0.0; N]); LIST] };
        for at in (0..self.width).step_by(panel) {
            let columns = at..self.width.min(at + panel);
            for (group, out) in out.chunks_exact_mut(N * self.width).enumerate() {
                let terms = terms(group);
                if !is_listed {
                    let mut rows = Rows { of: self, terms: &terms, out };
                    for_each_block::<S, C>(simd, columns.clone(), &mut rows);
                    continue;
                }
                let mut of = self;
                terms.for_each(
                    #[inline(always)]
                    |k, x| {
                        if list.len == LIST {
                            let mut rows = Rows { of, terms: &list, out };
                            for_each_block::<S, C>(simd, columns.clone(), &mut rows);
                            (list.len, of.adds) = (0, true);
                        }
                        list.push(k, x)
                    },
                );
                let mut rows = Rows { of, terms: &list, out };
                for_each_block::<S, C>(simd, columns.clone(), &mut rows);
                list.len = 0;
            }
        }
    }
}

/// `N` rows, and where their sums go.
struct Rows<'a, T, const N: usize> {
    of: Product<'a>,
    terms: &'a T,
    out: &'a mut [f32],
}

impl<S: Simd, T: Terms<N>, const N: usize> ForEachBlock<S> for Rows<'_, T, N> {
    #[inline(always)]
    fn block<C: Columns<S>>(&mut self, simd: S, at: usize) {
        let Self { of, terms, out } = self;
        let mut sums = [C::zero(simd); N];
        if of.adds {
            for (row, sums) in sums.iter_mut().enumerate() {
                let start = row * of.width + at;
                *sums = C::load(simd, out.get(start..start + C::WIDTH).unwrap_or_default());
            }
        }
        let whole = terms.for_each(
            #[inline(always)]
            |k, x| {
                let start = k * of.stride + at;
                let row = of.matrix.get(start..start + C::WIDTH)?;
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums.add_scaled(simd, x, row);
                }
                Some(())
            },
        );
        debug_assert!(whole.is_some(), "a term without its row of the matrix");
        for (row, sums) in sums.into_iter().enumerate() {
            let start = row * of.width + at;
            let out = out.get_mut(start..start + C::WIDTH).unwrap_or_default();
            match of.rate {
                Some(rate) => C::load(simd, out).minus(simd, rate, sums).store(out),
                None => sums.store(out),
            }
        }
    }
}

/// Sums all rows, each once.
pub(super) struct Ones(pub(super) usize);

impl Terms<1> for Ones {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; 1]) -> Option<()>) -> Option<()> {
        (0..self.0).try_for_each(
            #[inline(always)]
            |k| add(k, [1.0]),
        )
    }
}

/// The places of the bits that are set, in ascending order.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

/// The most terms on a list: 3 KB of stack.
const LIST: usize = 256;

struct List<const N: usize> {
    len: usize,
    terms: [(usize, [f32; N]); LIST],
}

impl<const N: usize> List<N> {
    #[inline(always)]
    fn push(&mut self, k: usize, x: [f32; N]) -> Option<()> {
        *self.terms.get_mut(self.len)? = (k, x);
        self.len += 1;
        Some(())
    }
}

impl<const N: usize> Terms<N> for List<N> {
    #[inline(always)]
    fn for_each(&self, mut add: impl FnMut(usize, [f32; N]) -> Option<()>) -> Option<()> {
        for (k, x) in self.terms.iter().take(self.len) {
            add(*k, *x)?;
        }
        Some(())
    }
}
