//! Neighbouring outputs that are summed side by side in registers, and the cutting of a row into them.

use core::ops::Range;

use super::simd::{Lanes, Simd};

/// Accumulators for `WIDTH` neighbouring outputs.
///
/// Each lane is a sum of its own, so a row may be cut into blocks of any widths without changing a bit.
pub(crate) trait Accumulator<S>: Copy {
    /// Outputs in the block.
    const WIDTH: usize;

    /// `+0.0` in every lane.
    fn zero(simd: S) -> Self;

    /// The first `WIDTH` values of `from`, which is as long or longer, or empty: then zeros. Where the compiler knows the length, there is
    /// no check.
    fn load(simd: S, from: &[f32]) -> Self;

    /// Writes the lanes to the start of `to`.
    fn store(self, to: &mut [f32]);

    /// `lane - x · other` for each lane.
    fn minus(self, simd: S, x: f32, other: Self) -> Self;

    /// `lane += x · w` for each lane: one multiplication and one addition, each rounded.
    fn add_scaled(&mut self, simd: S, x: f32, w: &[f32]);
}

/// Does something to each block of columns of a row.
pub(super) trait ForEachPanel<S: Simd> {
    /// Works on the columns `at..at + C::WIDTH`. Must be `inline(always)`.
    fn panel<C: Accumulator<S>>(&mut self, simd: S, at: usize);
}

/// Cuts columns into blocks, widest first; `C` is the widest.
#[inline(always)]
pub(super) fn for_each_panel<S: Simd, C: Accumulator<S>>(
    simd: S,
    columns: Range<usize>,
    work: &mut impl ForEachPanel<S>,
) {
    let Range { start: mut at, end: width } = columns;
    while width - at >= C::WIDTH {
        work.panel::<C>(simd, at);
        at += C::WIDTH;
    }
    while C::WIDTH > 32 && width - at >= 32 {
        work.panel::<Full<S, 2>>(simd, at);
        at += 32;
    }
    if width - at >= 16 {
        work.panel::<Full<S, 1>>(simd, at);
        at += 16;
    }
    // The rest in one block: each block walks over the inputs again.
    match width - at {
        8 => work.panel::<Vec8Tail<S, 0>>(simd, at),
        9 => work.panel::<Vec8Tail<S, 1>>(simd, at),
        10 => work.panel::<Vec8Tail<S, 2>>(simd, at),
        11 => work.panel::<Vec8Tail<S, 3>>(simd, at),
        12 => work.panel::<Vec8Tail<S, 4>>(simd, at),
        13 => work.panel::<Vec8Tail<S, 5>>(simd, at),
        14 => work.panel::<Vec8Tail<S, 6>>(simd, at),
        15 => work.panel::<Vec8Tail<S, 7>>(simd, at),
        1 => work.panel::<Tail<1>>(simd, at),
        2 => work.panel::<Tail<2>>(simd, at),
        3 => work.panel::<Tail<3>>(simd, at),
        4 => work.panel::<Tail<4>>(simd, at),
        5 => work.panel::<Tail<5>>(simd, at),
        6 => work.panel::<Tail<6>>(simd, at),
        7 => work.panel::<Tail<7>>(simd, at),
        _ => {}
    }
}

/// `16·V` outputs.
#[derive(Clone, Copy)]
pub(crate) struct Full<S: Simd, const V: usize>([S::F32x16; V]);

impl<S: Simd, const V: usize> Accumulator<S> for Full<S, V> {
    const WIDTH: usize = 16 * V;

    #[inline(always)]
    fn zero(simd: S) -> Self {
        Self([S::F32x16::splat(simd, 0.0); V])
    }

    #[inline(always)]
    fn load(simd: S, from: &[f32]) -> Self {
        let mut lanes = Self::zero(simd);
        for (lane, chunk) in lanes.0.iter_mut().zip(from.as_chunks::<16>().0) {
            *lane = S::F32x16::new(simd, chunk);
        }
        lanes
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        for (lane, chunk) in self.0.iter().zip(to.as_chunks_mut::<16>().0) {
            *chunk = lane.to_array();
        }
    }

    #[inline(always)]
    fn minus(mut self, simd: S, x: f32, other: Self) -> Self {
        let x = S::F32x16::splat(simd, x);
        for (lane, other) in self.0.iter_mut().zip(other.0) {
            *lane = *lane - x * other;
        }
        self
    }

    #[inline(always)]
    fn add_scaled(&mut self, simd: S, x: f32, w: &[f32]) {
        let x = S::F32x16::splat(simd, x);
        for (lane, chunk) in self.0.iter_mut().zip(w.as_chunks::<16>().0) {
            *lane = *lane + x * S::F32x16::new(simd, chunk);
        }
    }
}

/// Eight outputs and a few more.
#[derive(Clone, Copy)]
struct Vec8Tail<S: Simd, const N: usize>(S::F32x8, Tail<N>);

impl<S: Simd, const N: usize> Accumulator<S> for Vec8Tail<S, N> {
    const WIDTH: usize = 8 + N;

    #[inline(always)]
    fn zero(simd: S) -> Self {
        Self(S::F32x8::splat(simd, 0.0), Tail([0.0; N]))
    }

    #[inline(always)]
    fn load(simd: S, from: &[f32]) -> Self {
        let (a, b) = from.split_at(from.len().min(8));
        Self(load8(simd, a), Tail::load(simd, b))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let (a, b) = to.split_at_mut(to.len().min(8));
        if let Some(chunk) = a.first_chunk_mut::<8>() {
            *chunk = self.0.to_array();
        }
        Accumulator::<S>::store(self.1, b);
    }

    #[inline(always)]
    fn minus(self, simd: S, x: f32, other: Self) -> Self {
        Self(self.0 - S::F32x8::splat(simd, x) * other.0, self.1.minus(simd, x, other.1))
    }

    #[inline(always)]
    fn add_scaled(&mut self, simd: S, x: f32, w: &[f32]) {
        let (a, b) = w.split_at(w.len().min(8));
        self.0 = self.0 + S::F32x8::splat(simd, x) * load8(simd, a);
        self.1.add_scaled(simd, x, b);
    }
}

#[inline(always)]
fn load8<S: Simd>(simd: S, from: &[f32]) -> S::F32x8 {
    S::F32x8::new(simd, from.first_chunk::<8>().unwrap_or(&[0.0; 8]))
}

/// Fewer than eight outputs.
#[derive(Clone, Copy)]
struct Tail<const N: usize>([f32; N]);

impl<S, const N: usize> Accumulator<S> for Tail<N> {
    const WIDTH: usize = N;

    #[inline(always)]
    fn zero(_: S) -> Self {
        Self([0.0; N])
    }

    #[inline(always)]
    fn load(_: S, from: &[f32]) -> Self {
        Self(from.first_chunk::<N>().copied().unwrap_or([0.0; N]))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        if let Some(chunk) = to.first_chunk_mut::<N>() {
            *chunk = self.0;
        }
    }

    #[inline(always)]
    fn minus(mut self, _: S, x: f32, other: Self) -> Self {
        for (lane, other) in self.0.iter_mut().zip(other.0) {
            *lane -= x * other;
        }
        self
    }

    #[inline(always)]
    fn add_scaled(&mut self, _: S, x: f32, w: &[f32]) {
        for (lane, w) in self.0.iter_mut().zip(w) {
            *lane += x * w;
        }
    }
}
