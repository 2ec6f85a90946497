//! The stack that a call takes: what lies below the stack pointer is painted, and what has lost its paint was used.

use core::arch::asm;

/// More than any call may take.
const DEPTH: usize = 16 << 10;

const PAINT: u32 = 0xcccc_cccc;

/// Bytes of stack that `call` takes.
#[inline(never)]
pub(crate) fn used_by(call: &mut dyn FnMut()) -> usize {
    let top = pointer() - 64;
    let words = || (top - DEPTH..top).step_by(4).map(|at| at as *mut u32);
    #[allow(unsafe_code, reason = "the unused stack belongs to no object")]
    // SAFETY: RAM below the stack pointer, of which megabytes are free; no interrupt is enabled that could use it.
    words().for_each(|word| unsafe { word.write_volatile(PAINT) });
    call();
    #[allow(unsafe_code, reason = "the unused stack belongs to no object")]
    // SAFETY: as above.
    let unused = words().take_while(|word| unsafe { word.read_volatile() } == PAINT).count();
    DEPTH - 4 * unused
}

/// The stack pointer.
#[inline(always)]
fn pointer() -> usize {
    let pointer: usize;
    #[allow(unsafe_code, reason = "no other way to read a register")]
    // SAFETY: reads a register.
    unsafe {
        asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack));
    }
    pointer
}
