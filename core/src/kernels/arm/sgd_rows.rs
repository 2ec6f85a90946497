//! `matrix[row] -= rate·(x·d_y)`: a sample's whole gradient of the weights, row by row.

use core::arch::asm;

use crate::kernels::Nonzeros;

/// `row[o] -= rate·(0 + x·d_y[o])` for the rows on the list, of a matrix whose rows are as long as `d_y`.
#[inline(never)] // one copy for all layers
pub(crate) fn sgd_rows(list: &mut Nonzeros, d_y: &[f32], rate: f32, matrix: &mut [f32]) {
    let fits = list.rows().checked_mul(d_y.len()).is_some_and(|len| len <= matrix.len());
    let (rows, values) = list.groups();
    if !fits || rows.is_empty() {
        return;
    }
    let mut of = Rows {
        from: matrix.as_mut_ptr(),
        stride: 4 * d_y.len(),
        rows: rows.as_ptr(),
        values: values.as_ptr(),
        count: rows.len(),
        rate: rate.to_bits(),
    };
    let (blocks, mut rest) = d_y.as_chunks::<16>();
    for block in blocks {
        // SAFETY: every row on the list is below `list.rows()`, so `fits` says that as many columns as `block` has lie in
        // it from `of.from` on; `of.count` is a multiple of 4 above 0.
        unsafe { of.sixteen(block) };
        of.from = of.from.wrapping_add(16);
    }
    macro_rules! narrow {
        ($($width:literal $kernel:ident),*) => {
            $(if let Some((block, after)) = rest.split_first_chunk::<$width>() {
                // SAFETY: as above.
                unsafe { of.$kernel(block) };
                of.from = of.from.wrapping_add($width);
                rest = after;
            })*
        };
    }
    narrow!(8 eight, 4 four, 2 two, 1 one);
    let _ = (rest, of);
}

/// A gradient begins as these, so that it is never `-0.0`.
static ZEROS: [f32; 8] = [0.0; 8];

/// Some columns of the listed rows.
struct Rows {
    /// The first of these columns in row 0.
    from: *mut f32,
    /// Bytes from a row to the next.
    stride: usize,
    rows: *const u32,
    values: *const f32,
    count: usize,
    /// The bits of the learning rate.
    rate: u32,
}

/// Updates 16 columns of a row: 7, 7 and 2.
macro_rules! row {
    ($row:literal) => {
        concat!(
            "vldmia {values}!, {{s17}}\n",
            "mla ", $row, ", ", $row, ", {stride}, {from}\n",
            columns!($row "!", "s25-s31" "s18-s24", [s25 s26 s27 s28 s29 s30 s31] [s18 s19 s20 s21 s22 s23 s24] [s0 s1 s2 s3 s4 s5 s6]),
            columns!($row "!", "s25-s31" "s18-s24", [s25 s26 s27 s28 s29 s30 s31] [s18 s19 s20 s21 s22 s23 s24] [s7 s8 s9 s10 s11 s12 s13]),
            columns!($row "", "s25-s26" "s18-s19", [s25 s26] [s18 s19] [s14 s15]),
        )
    };
}

/// Updates some columns of a row: their gradient, then the step.
macro_rules! columns {
    ($row:literal $advance:literal, $gs:literal $ws:literal, $g:tt $w:tt $d_y:tt) => {
        concat!(
            "vldmia {zeros}, {{", $gs, "}}\n",
            "vldmia ", $row, ", {{", $ws, "}}\n",
            each!("vmla.f32" $g s17 $d_y),
            each!("vmls.f32" $w s16 $g),
            "vstmia ", $row, $advance, ", {{", $ws, "}}\n",
        )
    };
}

impl Rows {
    /// # Safety
    ///
    /// `rows` and `values` must hold `count` elements, a multiple of 4 above 0; in each of the rows, 16 columns from
    /// `from` on must be readable and writable.
    #[inline(always)]
    unsafe fn sixteen(&self, d_y: &[f32; 16]) {
        // SAFETY: reads and writes what the caller says, reads `d_y` and `ZEROS`; all changed registers are declared.
        unsafe {
            asm!(
                "vldmia {d_y}, {{s0-s15}}",
                "vmov s16, {rate}",
                "2:",
                "ldmia {rows}!, {{r0-r3}}",
                row!("r0"),
                row!("r1"),
                row!("r2"),
                row!("r3"),
                "subs {count}, {count}, #4",
                "bne 2b",
                d_y = in(reg) d_y,
                zeros = in(reg) &ZEROS,
                rate = in(reg) self.rate,
                from = in(reg) self.from,
                stride = in(reg) self.stride,
                rows = inout(reg) self.rows => _,
                values = inout(reg) self.values => _,
                count = inout(reg) self.count => _,
                out("r0") _, out("r1") _, out("r2") _, out("r3") _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
                out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
                out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
                options(nostack),
            );
        }
    }
}

/// As [`Rows::sixteen`] for fewer columns.
macro_rules! kernel {
    ($name:ident, $width:literal, $d:literal, $w:literal, $g:literal,
     $($d_y:tt $weight:tt $gradient:tt),+) => {
        impl Rows {
            /// # Safety
            ///
            /// As for [`Rows::sixteen`], with this width.
            #[inline(always)]
            unsafe fn $name(&self, d_y: &[f32; $width]) {
                // SAFETY: as in `sixteen`.
                unsafe {
                    asm!(
                        concat!("vldmia {d_y}, {{", $d, "}}"),
                        "vmov s16, {rate}",
                        "2:",
                        "ldr r0, [{rows}], #4",
                        "vldmia {values}!, {{s17}}",
                        "mla r0, r0, {stride}, {from}",
                        concat!("vldmia {zeros}, {{", $g, "}}"),
                        concat!("vldmia r0, {{", $w, "}}"),
                        $(concat!("vmla.f32 ", $gradient, ", s17, ", $d_y),)+
                        $(concat!("vmls.f32 ", $weight, ", s16, ", $gradient),)+
                        concat!("vstmia r0, {{", $w, "}}"),
                        "subs {count}, {count}, #1",
                        "bne 2b",
                        d_y = in(reg) d_y,
                        zeros = in(reg) &ZEROS,
                        rate = in(reg) self.rate,
                        from = in(reg) self.from,
                        stride = in(reg) self.stride,
                        rows = inout(reg) self.rows => _,
                        values = inout(reg) self.values => _,
                        count = inout(reg) self.count => _,
                        out("r0") _,
                        $(out($d_y) _, out($weight) _, out($gradient) _,)+
                        out("s16") _, out("s17") _,
                        options(nostack),
                    );
                }
            }
        }
    };
}

kernel!(one, 1, "s0", "s8", "s24", "s0" "s8" "s24");
kernel!(two, 2, "s0-s1", "s8-s9", "s24-s25", "s0" "s8" "s24", "s1" "s9" "s25");
kernel!(four, 4, "s0-s3", "s8-s11", "s24-s27", "s0" "s8" "s24", "s1" "s9" "s25", "s2" "s10" "s26", "s3" "s11" "s27");
kernel!(eight, 8, "s0-s7", "s8-s15", "s24-s31", "s0" "s8" "s24", "s1" "s9" "s25", "s2" "s10" "s26", "s3" "s11" "s27", "s4" "s12" "s28", "s5" "s13" "s29", "s6" "s14" "s30", "s7" "s15" "s31");
