//! The products of listed inputs with eight outputs' weights, by `smlad` and `sxtb16` of the DSP extension.
//!
//! 17 instructions for 16 products. All fourteen registers are in use, which is why the whole loop is one piece of
//! assembly: eight sums, the list, the rows of weights, two inputs, a row's place, and two words of weights. The list
//! ends with the one entry whose place is negative ([`Nonzeros`]), so the addition that finds the row sets the flag
//! that ends the loop, and no counter is needed.
#![allow(unsafe_code, reason = "assembler, which the compiler cannot check")]

use core::arch::asm;

use crate::kernels::int8::{INT8_BLOCK, Int8Row, Nonzeros};

// Both instructions as numbers (Armv8-M Architecture Reference Manual, encodings T1): for an Armv8-M target the
// assembler knows them by name only if a flag says that the processor has the extension.

/// `smlad r$sum, r$weights, r10, r$sum`.
macro_rules! smlad {
    ($sum:literal, $weights:literal) => {
        concat!(
            ".inst.w 0xfb20000a + (",
            $weights,
            " << 16) + (",
            $sum,
            " << 12) + (",
            $sum,
            " << 8)"
        )
    };
}

/// `sxtb16 r$weights, r$weights`.
macro_rules! sxtb16 {
    ($weights:literal) => {
        concat!(".inst.w 0xfa2ff080 + (", $weights, " << 8) + ", $weights)
    };
}

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
            smlad!(3, 12), // 256 times the odd output, plus the even one
            sxtb16!(12),
            smlad!(2, 12), // the even output
            smlad!(5, 14),
            sxtb16!(14),
            smlad!(4, 14),
            "ldrd r12, lr, [r11, #8]",
            smlad!(7, 12),
            sxtb16!(12),
            smlad!(6, 12),
            smlad!(9, 14),
            sxtb16!(14),
            smlad!(8, 14),
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
