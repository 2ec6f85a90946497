//! Neighbouring outputs that are summed side by side in registers, and the cutting of a row into them.

use core::ops::Range;

use wide::{f32x8, f32x16};

/// Accumulators for `WIDTH` neighbouring outputs.
///
/// Each lane is a sum of its own, so a row may be cut into blocks of any widths without changing a bit.
pub(crate) trait Columns: Copy {
    /// Outputs in the block.
    const WIDTH: usize;

    /// `+0.0` in every lane.
    fn zero() -> Self;

    /// The first `WIDTH` values of `from`; missing ones are `+0.0`.
    fn load(from: &[f32]) -> Self;

    /// Writes the lanes to the start of `to`.
    fn store(self, to: &mut [f32]);

    /// `lane += other` for each lane.
    fn add(&mut self, other: Self);

    /// `lane · x` for each lane.
    fn scaled(self, x: f32) -> Self;

    /// `lane += x · w` for each lane: one multiplication and one addition, each rounded.
    fn add_scaled(&mut self, x: f32, w: &[f32]);
}

/// Does something to each block of columns of a row.
pub(crate) trait ForEachBlock {
    /// Works on the columns `at..at + C::WIDTH`.
    fn block<C: Columns>(&mut self, at: usize);
}

/// Vectors in the widest block: accumulators that fit the register file beside the factors.
/// 8 of 32 `zmm`, 8 of 16 `ymm` (two a vector), 8 of 16 `xmm` or `v` registers (four a vector).
const WIDEST: usize = if cfg!(target_feature = "avx512f") {
    8
} else if cfg!(target_feature = "avx") {
    4
} else {
    2
};

/// Vectors in the widest block of which four are summed side by side.
const WIDEST_OF_FOUR: usize = if cfg!(target_feature = "avx512f") { 4 } else { 1 };

/// Columns of the widest block.
pub(super) const WIDEST_BLOCK: usize = 16 * WIDEST;

/// Cuts a row of `width` outputs into blocks, widest first.
#[inline]
pub(crate) fn for_each_block(width: usize, work: &mut impl ForEachBlock) {
    cut::<WIDEST>(0..width, work);
}

/// As [`for_each_block`], for these columns alone.
#[inline]
pub(super) fn for_each_block_in(columns: Range<usize>, work: &mut impl ForEachBlock) {
    cut::<WIDEST>(columns, work);
}

/// As [`for_each_block`], for work that keeps four blocks in registers at once.
#[inline]
pub(crate) fn for_each_block_of_four(width: usize, work: &mut impl ForEachBlock) {
    cut::<WIDEST_OF_FOUR>(0..width, work);
}

#[inline(always)]
fn cut<const WIDEST: usize>(columns: Range<usize>, work: &mut impl ForEachBlock) {
    let Range { start: mut at, end: width } = columns;
    while width - at >= 16 * WIDEST {
        work.block::<[f32x16; WIDEST]>(at);
        at += 16 * WIDEST;
    }
    while WIDEST > 2 && width - at >= 32 {
        work.block::<[f32x16; 2]>(at);
        at += 32;
    }
    if width - at >= 16 {
        work.block::<[f32x16; 1]>(at);
        at += 16;
    }
    // The rest in one block: each block walks over the inputs again.
    match width - at {
        8 => work.block::<f32x8>(at),
        9 => work.block::<Both<1>>(at),
        10 => work.block::<Both<2>>(at),
        11 => work.block::<Both<3>>(at),
        12 => work.block::<Both<4>>(at),
        13 => work.block::<Both<5>>(at),
        14 => work.block::<Both<6>>(at),
        15 => work.block::<Both<7>>(at),
        1 => work.block::<[f32; 1]>(at),
        2 => work.block::<[f32; 2]>(at),
        3 => work.block::<[f32; 3]>(at),
        4 => work.block::<[f32; 4]>(at),
        5 => work.block::<[f32; 5]>(at),
        6 => work.block::<[f32; 6]>(at),
        7 => work.block::<[f32; 7]>(at),
        _ => {}
    }
}

impl<const V: usize> Columns for [f32x16; V] {
    const WIDTH: usize = 16 * V;

    #[inline(always)]
    fn zero() -> Self {
        [f32x16::ZERO; V]
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let mut lanes = Self::zero();
        for (lane, chunk) in lanes.iter_mut().zip(from.as_chunks::<16>().0) {
            *lane = f32x16::new(*chunk);
        }
        lanes
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        for (lane, chunk) in self.iter().zip(to.as_chunks_mut::<16>().0) {
            *chunk = lane.to_array();
        }
    }

    #[inline(always)]
    fn add(&mut self, other: Self) {
        for (lane, other) in self.iter_mut().zip(other) {
            *lane += other;
        }
    }

    #[inline(always)]
    fn scaled(self, x: f32) -> Self {
        self.map(|lane| lane * f32x16::splat(x))
    }

    #[inline(always)]
    fn add_scaled(&mut self, x: f32, w: &[f32]) {
        let x = f32x16::splat(x);
        for (lane, chunk) in self.iter_mut().zip(w.as_chunks::<16>().0) {
            *lane += x * f32x16::new(*chunk);
        }
    }
}

impl Columns for f32x8 {
    const WIDTH: usize = 8;

    #[inline(always)]
    fn zero() -> Self {
        Self::ZERO
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        from.first_chunk::<8>().map_or(Self::ZERO, |chunk| Self::new(*chunk))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        if let Some(chunk) = to.first_chunk_mut::<8>() {
            *chunk = self.to_array();
        }
    }

    #[inline(always)]
    fn add(&mut self, other: Self) {
        *self += other;
    }

    #[inline(always)]
    fn scaled(self, x: f32) -> Self {
        self * Self::splat(x)
    }

    #[inline(always)]
    fn add_scaled(&mut self, x: f32, w: &[f32]) {
        *self += Self::splat(x) * Self::load(w);
    }
}

/// Eight outputs and a few more.
#[derive(Clone, Copy)]
pub(crate) struct Both<const N: usize>(f32x8, [f32; N]);

impl<const N: usize> Columns for Both<N> {
    const WIDTH: usize = 8 + N;

    #[inline(always)]
    fn zero() -> Self {
        Self(f32x8::ZERO, [0.0; N])
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let (a, b) = from.split_at(from.len().min(8));
        Self(f32x8::load(a), <[f32; N]>::load(b))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let (a, b) = to.split_at_mut(to.len().min(8));
        self.0.store(a);
        self.1.store(b);
    }

    #[inline(always)]
    fn add(&mut self, other: Self) {
        self.0.add(other.0);
        self.1.add(other.1);
    }

    #[inline(always)]
    fn scaled(self, x: f32) -> Self {
        Self(self.0.scaled(x), self.1.scaled(x))
    }

    #[inline(always)]
    fn add_scaled(&mut self, x: f32, w: &[f32]) {
        let (a, b) = w.split_at(w.len().min(8));
        self.0.add_scaled(x, a);
        self.1.add_scaled(x, b);
    }
}

impl<const N: usize> Columns for [f32; N] {
    const WIDTH: usize = N;

    #[inline(always)]
    fn zero() -> Self {
        [0.0; N]
    }

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        from.first_chunk::<N>().copied().unwrap_or([0.0; N])
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        if let Some(chunk) = to.first_chunk_mut::<N>() {
            *chunk = self;
        }
    }

    #[inline(always)]
    fn add(&mut self, other: Self) {
        for (lane, other) in self.iter_mut().zip(other) {
            *lane += other;
        }
    }

    #[inline(always)]
    fn scaled(self, x: f32) -> Self {
        self.map(|lane| lane * x)
    }

    #[inline(always)]
    fn add_scaled(&mut self, x: f32, w: &[f32]) {
        for (lane, w) in self.iter_mut().zip(w) {
            *lane += x * w;
        }
    }
}
