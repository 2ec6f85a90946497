//! One step of Adam, four parameters at a time.
//!
//! Moments below 2⁻¹⁰⁰ become zero without a comparison, which this FPU makes dear: multiplied by 2⁻²⁶ while it flushes
//! results below 2⁻¹²⁶ to zero, and then by 2²⁶. Both are exact for what is left. A negative moment would leave `-0.0`;
//! so the second product is added to `+0.0`.
//!
//! Erratum 776924 of the Cortex-M4F: an interrupt handler of a few cycles may find `vdiv` or `vsqrt` still writing to `s0` to
//! `s15`. Both write above those here, and must continue to.

use core::arch::asm;

use crate::kernels::adam::{AdamCoefficients, adam_each};

/// 2⁻²⁶ and 2²⁶: what makes of the smallest moment the smallest normal number, and back.
static SCALES: [f32; 2] = [f32::from_bits((127 - 26) << 23), f32::from_bits((127 + 26) << 23)];

static ZEROS: [f32; 4] = [0.0; 4];

/// Four parameters a round. `$gradient` adds the gradient's share to the moments, from the operands that follow it.
macro_rules! step {
    ($w:ident $m:ident $v:ident $c:ident $count:ident $gradient:expr $(, $g:ident)?) => {
        asm!(
            "vldmia {c}, {{s0-s5}}",
            "vldmia {scales}, {{s6-s7}}",
            "vmrs {normal}, fpscr",
            "orr {flush}, {normal}, #0x1000000",
            "2:",
            "vldmia {m}, {{s8-s11}}",
            "vldmia {v}, {{s12-s15}}",
            "vldmia {w}, {{s16-s19}}",
            each!("vmul.f32" [s8 s9 s10 s11] s0 [s8 s9 s10 s11]),
            each!("vmul.f32" [s12 s13 s14 s15] s2 [s12 s13 s14 s15]),
            $gradient,
            "vldmia {zeros}, {{s20-s23}}",
            "vmsr fpscr, {flush}",
            each!("vmul.f32" [s8 s9 s10 s11 s12 s13 s14 s15] [s8 s9 s10 s11 s12 s13 s14 s15] s6),
            "vmsr fpscr, {normal}",
            each!("vmla.f32" [s20 s21 s22 s23] [s8 s9 s10 s11] s7),
            each!("vmul.f32" [s12 s13 s14 s15] [s12 s13 s14 s15] s7),
            "vldmia {epsilons}, {{s24-s27}}",
            each!("vsqrt.f32" [s28 s29 s30 s31] [s12 s13 s14 s15]),
            "vstmia {m}!, {{s20-s23}}",
            "vstmia {v}!, {{s12-s15}}",
            each!("vmla.f32" [s24 s25 s26 s27] [s28 s29 s30 s31] s5),
            each!("vdiv.f32" [s24 s25 s26 s27] [s20 s21 s22 s23] [s24 s25 s26 s27]),
            each!("vmls.f32" [s16 s17 s18 s19] s4 [s24 s25 s26 s27]),
            "vstmia {w}!, {{s16-s19}}",
            "subs {count}, {count}, #1",
            "bne 2b",
            c = in(reg) $c,
            scales = in(reg) &SCALES,
            zeros = in(reg) &ZEROS,
            epsilons = in(reg) &[$c.epsilon; 4],
            normal = out(reg) _,
            flush = out(reg) _,
            w = inout(reg) $w.as_mut_ptr() => _,
            m = inout(reg) $m.as_mut_ptr() => _,
            v = inout(reg) $v.as_mut_ptr() => _,
            count = inout(reg) $count => _,
            $(g = inout(reg) $g.as_ptr() => _,)?
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
        )
    };
}

/// Updates `w`, `m` and `v` with the gradient `g`, as far as the shortest of them goes. No `v` is below zero.
#[inline(never)] // one copy for all layers
pub(crate) fn adam(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients) {
    let (w, w_rest) = w.as_chunks_mut::<4>();
    let (g, g_rest) = g.as_chunks::<4>();
    let (m, m_rest) = m.as_chunks_mut::<4>();
    let (v, v_rest) = v.as_chunks_mut::<4>();
    let count = w.len().min(g.len()).min(m.len()).min(v.len());
    if count > 0 {
        // SAFETY: reads and writes `count` groups of four of each slice and reads the constants; all changed registers
        // are declared, and `fpscr` ends as it began but for the flags that tell of rounding.
        unsafe {
            step!(w m v c count concat!(
                "vldmia {g}!, {{s20-s23}}\n",
                each!("vmla.f32" [s8 s9 s10 s11] s1 [s20 s21 s22 s23]),
                each!("vmul.f32" [s24 s25 s26 s27] s3 [s20 s21 s22 s23]),
                each!("vmla.f32" [s12 s13 s14 s15] [s24 s25 s26 s27] [s20 s21 s22 s23]),
            ), g);
        }
    }
    adam_each(w_rest, g_rest, m_rest, v_rest, c);
}

/// As [`adam`] with a gradient of zeros, which moves on what the moments remember.
#[inline(never)] // one copy for all layers
pub(crate) fn adam_zeros(w: &mut [f32], m: &mut [f32], v: &mut [f32], c: &AdamCoefficients) {
    let (w, w_rest) = w.as_chunks_mut::<4>();
    let (m, m_rest) = m.as_chunks_mut::<4>();
    let (v, v_rest) = v.as_chunks_mut::<4>();
    let count = w.len().min(m.len()).min(v.len());
    if count > 0 {
        // SAFETY: as in `adam`.
        unsafe { step!(w m v c count "") };
    }
    adam_each(w_rest, &[0.0; 3], m_rest, v_rest, c);
}
