//! Memory for parameters, optimizer state and workspaces.

use core::ops::{Deref, DerefMut};

use anyhow::{Result, bail};
use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};

/// The unit of allocation: its alignment is what puts a [`Buffer`] at the start of a cache line.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C, align(64))]
struct CacheLine([f32; 16]);

/// A slice of `f32` that begins at a multiple of 64 bytes: a vector that straddles two cache lines loads at half the speed.
#[derive(Clone, Debug)]
pub struct Buffer {
    lines: Vec<CacheLine>,
    len: usize,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// Allocates zeros, or returns an error where the machine has too little memory for them.
///
/// # Errors
///
/// If there is too little memory, naming `what`.
pub fn buffer(len: usize, what: &str) -> Result<Buffer> {
    let count = len.div_ceil(16);
    let mut lines = Vec::new();
    if lines.try_reserve_exact(count).is_err() {
        bail!(
            "no memory for {what} ({} bytes): choose smaller --hidden widths",
            len.saturating_mul(4)
        );
    }
    lines.resize(count, CacheLine::zeroed());
    Ok(Buffer { lines, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zero_and_begins_at_a_cache_line_whatever_its_length() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut values = buffer(len, "test").unwrap();
            assert_eq!((values.len(), values.as_ptr().align_offset(64)), (len, 0));
            assert!(values.iter().all(|value| value.to_bits() == 0));
            values.fill(1.0);
            assert_eq!(values.clone()[..], vec![1.0; len]);
        }
    }

    #[test]
    fn a_buffer_that_no_machine_has_is_refused() {
        for len in [usize::MAX, usize::MAX / 4, 1 << 60] {
            let error = buffer(len, "the parameters").unwrap_err().to_string();
            assert!(error.starts_with("no memory for the parameters ("), "{error}");
        }
    }
}
