//! What an input may be made of, and how its zeros are found.

use wide::{f32x16, u8x64};

use super::dense::Compiled;
use super::scalar::fill;
use super::{MASK_BITS, Nonzeros};

/// What one step of a `u8` pixel is worth: 0 stays 0.0, 255 becomes 1.0.
pub const PIXEL_SCALE: f32 = 1.0 / 255.0;

/// How a value is read: as `value·scale + shift`.
///
/// A shift would turn every zero into something else, and no product could be skipped any more. So no value is ever
/// shifted: what the shift adds to the sums is the same for all samples, and is added once. `docs/numerics.md` has
/// the formulas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputMap {
    /// What a value is multiplied by.
    pub scale: f32,
    /// What is added to the product.
    pub shift: f32,
}

impl InputMap {
    /// Pixels from 0 to 255 as 0.0 to 1.0.
    pub const PIXELS: Self = Self { scale: PIXEL_SCALE, shift: 0.0 };
}

/// An input value: a `u8` pixel or an `f32`.
///
/// Sealed: the blob format and the kernels know exactly these two.
pub trait Element: Copy + Default + Send + Sync + 'static + Compiled {
    /// How the network reads such values unless it is told otherwise.
    const MAP: InputMap;

    /// Whether a value can be NaN or infinite.
    const HAS_NAN: bool;

    /// The number that it is.
    fn to_f32(self) -> f32;

    /// Bit `i` is set where `values[i]` is not zero (both zeros are zero, NaN is not).
    ///
    /// Reads at most the first 64 values.
    fn nonzero_mask(values: &[Self]) -> u64;

    /// Lists the nonzero values of a sample from `first` on, times `scale`, as many as the list holds; returns the first
    /// place that it has not looked at.
    fn list(sample: &[Self], scale: f32, first: usize, list: &mut Nonzeros) -> usize;

    /// Whether all values are zero, in one comparison or few.
    fn all_zero<const N: usize>(values: &[Self; N]) -> bool;
}

impl Element for u8 {
    const MAP: InputMap = InputMap::PIXELS;
    const HAS_NAN: bool = false;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from(self)
    }

    #[inline]
    fn nonzero_mask(values: &[Self]) -> u64 {
        match values.first_chunk::<MASK_BITS>() {
            Some(&tile) => !u8x64::new(tile).simd_eq(u8x64::splat(0)).to_bitmask(),
            None => mask_by_value(values, |value| value != 0),
        }
    }

    #[inline(never)] // inlined, its loop is short of registers
    fn list(sample: &[Self], scale: f32, first: usize, list: &mut Nonzeros) -> usize {
        fill::<_, 8>(sample, scale, first, list)
    }

    #[inline(always)]
    fn all_zero<const N: usize>(values: &[Self; N]) -> bool {
        let (words, rest) = values.as_chunks::<4>();
        let bits = words.iter().fold(0, |bits, word| bits | u32::from_ne_bytes(*word));
        rest.iter().fold(bits, |bits, value| bits | u32::from(*value)) == 0
    }
}

impl Element for f32 {
    const MAP: InputMap = InputMap { scale: 1.0, shift: 0.0 };
    const HAS_NAN: bool = true;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline]
    fn nonzero_mask(values: &[Self]) -> u64 {
        let (chunks, tail) = values.as_chunks::<16>();
        let mut mask = 0;
        for (i, &chunk) in chunks.iter().take(MASK_BITS / 16).enumerate() {
            let bits = f32x16::new(chunk).simd_ne(f32x16::ZERO).to_bitmask();
            mask |= u64::from(bits) << (16 * i);
        }
        if chunks.len() < MASK_BITS / 16 {
            mask |= mask_by_value(tail, |value| value != 0.0) << (16 * chunks.len());
        }
        mask
    }

    #[inline(never)] // inlined, its loop is short of registers
    fn list(sample: &[Self], scale: f32, first: usize, list: &mut Nonzeros) -> usize {
        fill::<_, 4>(sample, scale, first, list)
    }

    /// All bits but the sign.
    #[inline(always)]
    fn all_zero<const N: usize>(values: &[Self; N]) -> bool {
        values.iter().fold(0, |bits, value| bits | value.to_bits()) << 1 == 0
    }
}

/// The obvious way, which also serves the last inputs of a row.
#[inline]
fn mask_by_value<T: Copy>(values: &[T], nonzero: impl Fn(T) -> bool) -> u64 {
    values
        .iter()
        .take(MASK_BITS)
        .rev()
        .fold(0, |mask, &value| mask << 1 | u64::from(nonzero(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::lengths;

    #[test]
    fn nonzero_mask_equals_a_look_at_each_value_at_every_length() {
        let mut bytes = [0; 67];
        let mut floats = [0.0; 67];
        picomlp_fixtures::sparse_pixels(&mut bytes, 3, 128);
        picomlp_fixtures::fill(&mut floats, 4);
        for value in floats.iter_mut().step_by(3) {
            *value = -0.0;
        }
        for n in lengths() {
            let expected = mask_by_value(&bytes[..n], |v| v != 0);
            assert_eq!(u8::nonzero_mask(&bytes[..n]), expected, "{n} bytes");
            let expected = mask_by_value(&floats[..n], |v| v != 0.0);
            assert_eq!(f32::nonzero_mask(&floats[..n]), expected, "{n} floats");
        }
    }

    #[test]
    fn nan_counts_as_nonzero() {
        assert_eq!(f32::nonzero_mask(&[f32::NAN; 64]), u64::MAX);
        assert_eq!(f32::nonzero_mask(&[f32::NAN; 3]), 0b111);
    }

    #[test]
    fn pixels_run_from_zero_to_one() {
        assert_eq!((0u8.to_f32() * u8::MAP.scale).to_bits(), 0);
        assert_eq!(255u8.to_f32() * u8::MAP.scale, 1.0);
    }
}
