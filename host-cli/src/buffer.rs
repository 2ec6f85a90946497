//! Memory for parameters, state and passes.

use aligned_vec::{AVec, ConstAlign};
use anyhow::{Result, bail};

/// `f32`s that begin at a multiple of a cache line: a vector that lies across two is read at half the speed.
pub type Buffer = AVec<f32, ConstAlign<64>>;

/// Allocates zeros, or gives an error where the machine has no room for them.
///
/// # Errors
///
/// If there is no room, naming `what`.
pub fn buffer(len: usize, what: &str) -> Result<Buffer> {
    let bytes = len.saturating_mul(4);
    let mut values = AVec::new(64);
    if bytes > isize::MAX as usize || values.try_reserve_exact(len).is_err() {
        bail!("no memory for {what} ({bytes} bytes): choose smaller --hidden widths");
    }
    values.resize(len, 0.0);
    Ok(values)
}
