//! A number that is part of a type, or a value known only at run time: [`Dim`](super::Dim) for `f32`.

/// A setting of a layer.
pub trait Real: Copy {
    /// The number.
    fn get(self) -> f32;
}

/// The number whose bits are `BITS`, known to the compiler and taking no memory.
///
/// A type cannot name an `f32`, but its bits: `Bits<{ 0.2f32.to_bits() }>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits<const BITS: u32>;

impl<const BITS: u32> Real for Bits<BITS> {
    #[inline(always)]
    fn get(self) -> f32 {
        f32::from_bits(BITS)
    }
}

/// A number known only at run time. Equal if the bits are, so that descriptions of layers can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(u32);

impl Number {
    /// This number.
    #[must_use]
    pub const fn new(number: f32) -> Self {
        Self(number.to_bits())
    }
}

impl Real for Number {
    #[inline(always)]
    fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}
