//! The pairs of inputs that are not both zero.

/// Pairs that are listed at once.
///
/// 256 inputs of at most 255 times weights of at most 128 in magnitude sum up to less than 2²³, for any weights: the
/// two outputs that share a sum (see [`Int8Row`](super::Int8Row)) can then always be told apart. 1 KiB.
pub const INT8_PAIRS: usize = 128;

/// Memory for the list of pairs.
pub type Int8Work = [[u32; 2]; INT8_PAIRS];

/// Bytes of one row of weights.
const ROW_BYTES: u32 = 16;

/// Some of a sample's pairs of inputs, at least one, none of them twice.
///
/// An entry is the two inputs (the second in the upper half) and where their row of weights is, in bytes after the row
/// that follows the lowest listed pair's. The lowest pair stands last, so it is the one whose place is negative, which
/// tells a loop that it is through.
pub(in crate::kernels) struct Nonzeros<'a> {
    entries: &'a [[u32; 2]],
    lowest: usize,
    /// All places are below it.
    pairs: usize,
}

impl Nonzeros<'_> {
    #[cfg(picomlp_dsp)]
    #[inline]
    pub(in crate::kernels) fn entries(&self) -> &[[u32; 2]] {
        self.entries
    }

    /// The lowest pair.
    #[cfg(picomlp_dsp)]
    #[inline]
    pub(in crate::kernels) fn lowest(&self) -> usize {
        self.lowest
    }

    /// Every pair is below this.
    #[inline]
    pub(in crate::kernels) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Each pair, and its two inputs as an entry has them.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        let base = (self.lowest as u32 + 1) * ROW_BYTES;
        self.entries.iter().map(move |[x, at]| ((base.wrapping_add(*at) / ROW_BYTES) as usize, *x))
    }
}

/// Lists the pairs of `x` that are not both zero and hands them to `take`, [`INT8_PAIRS`] at the most at a time.
#[inline]
pub(super) fn for_each_list(x: &[u8], work: &mut Int8Work, mut take: impl FnMut(&Nonzeros<'_>)) {
    let pairs = x.len().div_ceil(2);
    let (quads, tail) = x.as_chunks::<4>();
    let mut last = [0; 4];
    for (last, tail) in last.iter_mut().zip(tail) {
        *last = *tail;
    }
    let mut quad = 0;
    for quads in [quads, &[last]] {
        let mut rest = quads;
        while let Some(zeros) = rest.iter().position(|quad| *quad != [0; 4]) {
            quad += zeros;
            let (entries, lowest, after) = list(rest.get(zeros..).unwrap_or_default(), quad, work);
            take(&Nonzeros { entries, lowest, pairs });
            quad += rest.len() - zeros - after.len();
            rest = after;
        }
        quad = quads.len();
    }
}

/// Lists pairs until there is no room for another quad, whose first is not zero and stands at `quad`; returns the list,
/// its lowest pair, and the quads that it does not cover.
#[inline(never)] // two or three calls a picture; inlined, it would be there twice
fn list<'q, 'w>(
    quads: &'q [[u8; 4]],
    quad: usize,
    work: &'w mut Int8Work,
) -> (&'w [[u32; 2]], usize, &'q [[u8; 4]]) {
    let skips_one = quads.first().is_some_and(|[a, b, ..]| a | b == 0);
    let lowest = 2 * quad + usize::from(skips_one);
    let mut place =
        if skips_one { (ROW_BYTES * 2).wrapping_neg() } else { ROW_BYTES.wrapping_neg() };
    let mut free = &mut work[..];
    let mut quads = quads.iter();
    for quad in quads.by_ref() {
        let four = u32::from_le_bytes(*quad);
        let places = [place, place.wrapping_add(ROW_BYTES)];
        place = place.wrapping_add(2 * ROW_BYTES);
        if four == 0 {
            continue;
        }
        for (two, place) in [four & 0xffff, four >> 16].into_iter().zip(places) {
            if two != 0
                && let Some((entry, before)) = core::mem::take(&mut free).split_last_mut()
            {
                *entry = [(two | two << 8) & 0x00ff_00ff, place];
                free = before;
            }
        }
        if free.len() < 2 {
            break;
        }
    }
    let used = INT8_PAIRS - free.len();
    (work.get(INT8_PAIRS - used..).unwrap_or_default(), lowest, quads.as_slice())
}
