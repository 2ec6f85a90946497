//! The sum of two rows, eight columns at a time.

use core::arch::asm;

/// Adds a row to another, as far as both go.
#[inline(never)] // one copy for all layers
pub(crate) fn add(row: &[f32], sums: &mut [f32]) {
    let columns = row.len().min(sums.len());
    // SAFETY: reads and writes as many values behind each address as both slices have. All changed registers are declared.
    unsafe {
        asm!(
            "lsrs {blocks}, {columns}, #3",
            "beq 3f",
            "2:",
            "vldmia {row}!, {{s0-s7}}",
            "vldmia {sums}, {{s8-s15}}",
            each!("vadd.f32" [s8 s9 s10 s11 s12 s13 s14 s15] [s8 s9 s10 s11 s12 s13 s14 s15] [s0 s1 s2 s3 s4 s5 s6 s7]),
            "vstmia {sums}!, {{s8-s15}}",
            "subs {blocks}, {blocks}, #1",
            "bne 2b",
            "3:",
            "ands {columns}, {columns}, #7",
            "beq 5f",
            "4:",
            "vldmia {row}!, {{s0}}",
            "vldr s8, [{sums}]",
            "vadd.f32 s8, s8, s0",
            "vstmia {sums}!, {{s8}}",
            "subs {columns}, {columns}, #1",
            "bne 4b",
            "5:",
            blocks = out(reg) _,
            columns = inout(reg) columns => _,
            row = inout(reg) row.as_ptr() => _,
            sums = inout(reg) sums.as_mut_ptr() => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            options(nostack),
        );
    }
}
