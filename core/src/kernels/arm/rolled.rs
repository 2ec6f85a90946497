//! Loops that are to stay loops.

use core::arch::asm;

/// Keeps the compiler from unrolling the loop that this stands in, which quadruples its code.
///
/// For loops over a few values, and those that run once in a while. No instruction comes of it.
#[inline(always)]
pub(crate) fn keep_rolled() {
    // SAFETY: there is no instruction.
    unsafe { asm!("", options(nomem, nostack, preserves_flags)) };
}
