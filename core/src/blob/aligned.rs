//! Bytes at an address that floats can be read from.

use core::ops::Deref;

/// A value at a 16-byte aligned address, as a blob's sections expect it.
///
/// A plain `include_bytes!` may lie at any address, which faults on some microcontrollers and is refused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

impl<T: ?Sized> Deref for Aligned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Includes a blob in the program, aligned: a `&'static Aligned<[u8]>`, which stays in flash.
///
/// ```ignore (needs a model file)
/// static DIGITS: &Aligned<[u8]> = include_model!("digits.pmlp");
/// let model = Model::<Net>::from_blob(DIGITS)?;
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        const MODEL: &$crate::blob::Aligned<[u8]> =
            &$crate::blob::Aligned(*::core::include_bytes!($path));
        MODEL
    }};
}
