//! The processor's float mode: rounding, and what becomes of subnormals.

use core::arch::asm;

/// Bits of FPSCR that round down, round up, round to zero, and flush subnormals to zero (ARMv7-M Architecture Reference
/// Manual, section A2.5.3).
pub const OTHER_MODES: [u32; 4] = [2 << 22, 1 << 22, 3 << 22, 1 << 24];

/// Calls `work` in the mode that these bits of FPSCR set, and goes back to the one before.
#[inline(never)]
pub fn with<R>(bits: u32, work: impl FnOnce() -> R) -> R {
    let before = get();
    set(before | bits);
    let result = work();
    set(before);
    result
}

fn get() -> u32 {
    let mode;
    #[allow(unsafe_code, reason = "no other way to read the register")]
    // SAFETY: reads a register.
    unsafe {
        asm!("vmrs {}, fpscr", out(reg) mode);
    }
    mode
}

fn set(mode: u32) {
    #[allow(unsafe_code, reason = "no other way to write the register")]
    // SAFETY: what is computed meanwhile is compared and nothing else.
    unsafe {
        asm!("vmsr fpscr, {}", in(reg) mode);
    }
}
