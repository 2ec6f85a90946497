//! What an input may be made of, and how its zeros are found.

use wide::{f32x16, u8x64};

use super::TILE;

/// What one step of a `u8` pixel is worth: 0 stays 0.0, 255 becomes 1.0.
pub const PIXEL_SCALE: f32 = 1.0 / 255.0;

/// An input value: a `u8` pixel, scaled by [`PIXEL_SCALE`], or an `f32` taken as it is.
///
/// Sealed: the blob format and the kernels know exactly these two.
pub trait Element: Copy + 'static + sealed::Sealed {
    /// The value that the network computes with.
    fn to_f32(self) -> f32;

    /// Bit `i` is set where `values[i]` is not zero (both zeros are zero, NaN is not).
    ///
    /// Reads at most the first 64 values.
    fn nonzero_mask(values: &[Self]) -> u64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for f32 {}
}

impl Element for u8 {
    #[inline]
    fn to_f32(self) -> f32 {
        f32::from(self) * PIXEL_SCALE
    }

    #[inline]
    fn nonzero_mask(values: &[Self]) -> u64 {
        match values.first_chunk::<TILE>() {
            Some(&tile) => !u8x64::new(tile).simd_eq(u8x64::splat(0)).to_bitmask(),
            None => mask_by_value(values, |value| value != 0),
        }
    }
}

impl Element for f32 {
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline]
    fn nonzero_mask(values: &[Self]) -> u64 {
        let (chunks, tail) = values.as_chunks::<16>();
        let mut mask = 0;
        for (i, &chunk) in chunks.iter().take(TILE / 16).enumerate() {
            let bits = f32x16::new(chunk).simd_ne(f32x16::ZERO).to_bitmask();
            mask |= u64::from(bits) << (16 * i);
        }
        if chunks.len() < TILE / 16 {
            mask |= mask_by_value(tail, |value| value != 0.0) << (16 * chunks.len());
        }
        mask
    }
}

/// The obvious way, which also serves the last inputs of a row.
#[inline]
fn mask_by_value<T: Copy>(values: &[T], nonzero: impl Fn(T) -> bool) -> u64 {
    values.iter().take(TILE).rev().fold(0, |mask, &value| mask << 1 | u64::from(nonzero(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonzero_mask_equals_a_look_at_each_value_at_every_length() {
        let mut bytes = [0; 67];
        let mut floats = [0.0; 67];
        picomlp_fixtures::sparse_pixels(&mut bytes, 3, 128);
        picomlp_fixtures::fill(&mut floats, 4);
        for value in floats.iter_mut().step_by(3) {
            *value = -0.0;
        }
        for n in 0..=67 {
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
        assert_eq!(0u8.to_f32().to_bits(), 0);
        assert_eq!(255u8.to_f32(), 1.0);
    }
}
