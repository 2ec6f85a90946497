//! The products of listed inputs with eight outputs' weights, by `smlad` and `sxtb16` of the DSP extension.
//!
//! 17 instructions for 16 products. All fourteen registers are in use, which is why the whole loop is one piece of
//! assembly: eight sums, the list, the rows of weights, two inputs, a row's place, and two words of weights. The list
//! ends with the one entry whose place is negative ([`Nonzeros`]), so the addition that finds the row sets the flag
//! that ends the loop, and no counter is needed.
#![allow(unsafe_code, reason = "assembler, which the compiler cannot check")]

use core::arch::asm;

use crate::kernels::int8::{INT8_BLOCK, Int8Row, Nonzeros};

/// Adds the products to `y`, unless the list is of a layer with more inputs than the block has.
#[inline]
pub(in crate::kernels) fn add_products(
    nonzeros: &Nonzeros<'_>,
    block: &[Int8Row],
    y: &mut [i32; INT8_BLOCK],
) {
    if block.len() < nonzeros.pairs() {
        return;
    }
    let after_lowest = block.as_ptr().wrapping_add(nonzeros.lowest() + 1);
    // SAFETY: a list holds at least one entry; the last one is its lowest pair, whose place is -16 bytes, and no other
    // place is negative, so the loop ends with the list: the row after another stands at address 16 at the least, and no
    // slice passes the end of the address space. All pairs are below `nonzeros.pairs()`, so every row read is
    // one of `block`'s. `y` is written whole, r6 and r7 are restored from the stack, all other registers are named.
    unsafe {
        asm!(
            "push {{r2, r6, r7}}",
            "movs r2, #0",
            "movs r3, #0",
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r2",
            "mov r9, r2",
            "2:",
            "ldrd r10, r11, [r0], #8", // two inputs; where their row is
            "adds r11, r11, r1",       // carries for the last entry only
            "ldrd r12, lr, [r11]",
            "smlad r3, r12, r10, r3", // 256 times the odd output, plus the even one
            "sxtb16 r12, r12",
            "smlad r2, r12, r10, r2", // the even output
            "smlad r5, lr, r10, r5",
            "sxtb16 lr, lr",
            "smlad r4, lr, r10, r4",
            "ldrd r12, lr, [r11, #8]",
            "smlad r7, r12, r10, r7",
            "sxtb16 r12, r12",
            "smlad r6, r12, r10, r6",
            "smlad r9, lr, r10, r9",
            "sxtb16 lr, lr",
            "smlad r8, lr, r10, r8",
            "bcc 2b",
            "subs r3, r3, r2",
            "subs r5, r5, r4",
            "subs r7, r7, r6",
            "sub r9, r9, r8",
            "ldr r0, [sp]",
            "ldm r0, {{r1, r10, r11, r12}}",
            "add r1, r1, r2",
            "add r10, r10, r3, asr #8",
            "add r11, r11, r4",
            "add r12, r12, r5, asr #8",
            "stm r0!, {{r1, r10, r11, r12}}",
            "ldm r0, {{r1, r10, r11, r12}}",
            "add r1, r1, r6",
            "add r10, r10, r7, asr #8",
            "add r11, r11, r8",
            "add r12, r12, r9, asr #8",
            "stm r0, {{r1, r10, r11, r12}}",
            "pop {{r1, r6, r7}}",
            inout("r0") nonzeros.entries().as_ptr() => _,
            inout("r1") after_lowest => _,
            inout("r2") y.as_mut_ptr() => _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
            out("r12") _,
            out("lr") _,
        );
    }
}
