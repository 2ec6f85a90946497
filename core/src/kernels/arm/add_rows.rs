//! `y += Σ x·matrix[row]`: up to 16 columns at a time keep their sums in registers.

use core::arch::asm;
use core::mem::take;

use crate::kernels::Nonzeros;

/// `y += Σ x·matrix[row][column..]` for the rows on the list, of a matrix whose rows are `stride` long.
#[inline(never)] // one copy for all layers
pub(crate) fn add_rows(
    list: &mut Nonzeros,
    matrix: &[f32],
    stride: usize,
    column: usize,
    y: &mut [f32],
) {
    let fits = column.checked_add(y.len()).is_some_and(|end| end <= stride)
        && list.rows().checked_mul(stride).is_some_and(|len| len <= matrix.len());
    let (rows, values) = list.groups();
    if !fits || rows.is_empty() {
        return;
    }
    let mut of = Rows {
        from: matrix.as_ptr().wrapping_add(column),
        stride: 4 * stride,
        rows: rows.as_ptr(),
        values: values.as_ptr(),
        count: rows.len(),
    };
    let (blocks, mut rest) = y.as_chunks_mut::<16>();
    for block in blocks {
        // SAFETY: every row on the list is below `list.rows()`, so `fits` says that as many columns as `block` has lie in
        // it from `of.from` on; `of.count` is a multiple of 4 above 0.
        unsafe { of.sixteen(block) };
        of.from = of.from.wrapping_add(16);
    }
    macro_rules! narrow {
        ($($width:literal $kernel:ident),*) => {
            $(if rest.len() >= $width
                && let Some((block, after)) = take(&mut rest).split_first_chunk_mut::<$width>()
            {
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

/// Some columns of the listed rows.
struct Rows {
    /// The first of these columns in row 0.
    from: *const f32,
    /// Bytes from a row to the next.
    stride: usize,
    rows: *const u32,
    values: *const f32,
    count: usize,
}

/// Adds 16 columns of a row, 12 and 4.
macro_rules! row {
    ($row:literal $x:ident) => {
        concat!(
            "mla ", $row, ", ", $row, ", {stride}, {from}\n",
            "vldmia ", $row, "!, {{s20-s31}}\n",
            add_products!([s0 s1 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11] $x [s20 s21 s22 s23 s24 s25 s26 s27 s28 s29 s30 s31]),
            "vldmia ", $row, ", {{s20-s23}}\n",
            add_products!([s12 s13 s14 s15] $x [s20 s21 s22 s23]),
        )
    };
}

impl Rows {
    /// # Safety
    ///
    /// `rows` and `values` must hold `count` elements, a multiple of 4 above 0; in each of the rows, 16 columns from
    /// `from` on must be readable.
    #[inline(always)]
    unsafe fn sixteen(&self, y: &mut [f32; 16]) {
        // SAFETY: reads what the caller says is readable, and reads and writes `y`; all changed registers are declared.
        unsafe {
            asm!(
                "vldmia {y}, {{s0-s15}}",
                "2:",
                "ldmia {rows}!, {{r0-r3}}",
                "vldmia {values}!, {{s16-s19}}",
                row!("r0" s16),
                row!("r1" s17),
                row!("r2" s18),
                row!("r3" s19),
                "subs {count}, {count}, #4",
                "bne 2b",
                "vstmia {y}, {{s0-s15}}",
                y = in(reg) y,
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

/// As [`Rows::sixteen`] for fewer columns, two rows a round.
macro_rules! kernel {
    ($name:ident, $width:literal, $y:literal, $w:literal, $($sum:tt $weight:tt),+) => {
        impl Rows {
            /// # Safety
            ///
            /// As for [`Rows::sixteen`], with this width.
            #[inline(always)]
            unsafe fn $name(&self, y: &mut [f32; $width]) {
                // SAFETY: as in `sixteen`.
                unsafe {
                    asm!(
                        concat!("vldmia {y}, {{", $y, "}}"),
                        "2:",
                        "ldmia {rows}!, {{r0, r1}}",
                        "vldmia {values}!, {{s16, s17}}",
                        "mla r0, r0, {stride}, {from}",
                        concat!("vldmia r0, {{", $w, "}}"),
                        add_products!([$($sum)+] s16 [$($weight)+]),
                        "mla r1, r1, {stride}, {from}",
                        concat!("vldmia r1, {{", $w, "}}"),
                        add_products!([$($sum)+] s17 [$($weight)+]),
                        "subs {count}, {count}, #2",
                        "bne 2b",
                        concat!("vstmia {y}, {{", $y, "}}"),
                        y = in(reg) y,
                        from = in(reg) self.from,
                        stride = in(reg) self.stride,
                        rows = inout(reg) self.rows => _,
                        values = inout(reg) self.values => _,
                        count = inout(reg) self.count => _,
                        out("r0") _, out("r1") _,
                        $(out($sum) _, out($weight) _,)+
                        out("s16") _, out("s17") _,
                        options(nostack),
                    );
                }
            }
        }
    };
}

kernel!(one, 1, "s0", "s20", "s0" "s20");
kernel!(two, 2, "s0-s1", "s20-s21", "s0" "s20", "s1" "s21");
kernel!(four, 4, "s0-s3", "s20-s23", "s0" "s20", "s1" "s21", "s2" "s22", "s3" "s23");
kernel!(
    eight, 8, "s0-s7", "s20-s27", "s0" "s20", "s1" "s21", "s2" "s22", "s3" "s23", "s4" "s24", "s5" "s25", "s6" "s26",
    "s7" "s27"
);
