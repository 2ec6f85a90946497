//! How deep the stack has been: the start-up code paints it, and what has lost its paint was used.

use cortex_m_rt::STACK_PAINT_VALUE;

#[allow(unsafe_code, reason = "the linker script's symbols are foreign")]
unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __sdata: u32;
    static __ebss: u32;
}

/// Bytes of stack that have been used since the start.
#[must_use]
pub fn high_water_mark() -> usize {
    let (top, bottom) = (&raw const _stack_start, &raw const _stack_end);
    let mut at = bottom;
    while at < top {
        #[allow(unsafe_code, reason = "the unused stack belongs to no object")]
        // SAFETY: between the linker's ends of the stack lies readable RAM; it was painted before `main`.
        let word = unsafe { at.read_volatile() };
        if word != STACK_PAINT_VALUE {
            break;
        }
        at = at.wrapping_add(1);
    }
    top as usize - at as usize
}

/// Bytes of static variables, with and without initial values.
#[must_use]
pub fn statics() -> usize {
    (&raw const __ebss) as usize - (&raw const __sdata) as usize
}
