//! How deep the stack has been: unused stack is painted, and what has lost its paint was used.

use core::arch::asm;

use cortex_m_rt::STACK_PAINT_VALUE;

#[allow(unsafe_code, reason = "the linker script's symbols are foreign")]
unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __sdata: u32;
    static __ebss: u32;
}

/// Bytes of stack that have been used since the start; the start-up code painted all of it.
#[must_use]
pub fn high_water_mark() -> usize {
    &raw const _stack_start as usize - deepest()
}

/// Bytes of stack that `work` takes from here on, and what it returns.
#[inline(never)]
pub fn used_by<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let here = paint();
    let result = call(work);
    (here.saturating_sub(deepest()), result)
}

/// Calls `work`, whose frame would else be part of [`used_by`]'s, above what is painted.
#[inline(never)]
fn call<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Paints what lies below the stack pointer, but for the frame of this function; returns the first painted address.
#[inline(never)]
fn paint() -> usize {
    let stack_pointer: usize;
    #[allow(unsafe_code, reason = "the unused stack belongs to no object")]
    // SAFETY: reads the stack pointer; then writes between the linker's end of the stack and below all frames: no
    // interrupt is enabled that could use it meanwhile.
    unsafe {
        asm!("mov {}, sp", out(reg) stack_pointer, options(nomem, nostack));
        let mut at = (&raw const _stack_end).cast_mut();
        while (at as usize) < stack_pointer - 64 {
            at.write_volatile(STACK_PAINT_VALUE);
            at = at.wrapping_add(1);
        }
        at as usize
    }
}

/// The lowest address of the stack that is not painted.
fn deepest() -> usize {
    let mut at = &raw const _stack_end;
    while at < &raw const _stack_start {
        #[allow(unsafe_code, reason = "the unused stack belongs to no object")]
        // SAFETY: readable RAM between the linker's ends of the stack.
        let word = unsafe { at.read_volatile() };
        if word != STACK_PAINT_VALUE {
            break;
        }
        at = at.wrapping_add(1);
    }
    at as usize
}

/// Bytes of static variables, with and without initial values.
#[must_use]
pub fn statics() -> usize {
    &raw const __ebss as usize - &raw const __sdata as usize
}
