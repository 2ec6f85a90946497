//! `y[row] = Σₒ x[o]·matrix[row][o]`, some columns of all rows at a time.

use core::arch::asm;

/// `y[row] = Σₒ x[o]·matrix[row][o]`, of a matrix whose rows are as long as `x`.
#[inline(never)] // one copy for all layers
pub(crate) fn dot_rows(matrix: &[f32], x: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    let fits = y.len().checked_mul(x.len()).is_some_and(|len| len <= matrix.len());
    if !fits || y.is_empty() {
        return;
    }
    let mut of = Rows { from: matrix.as_ptr(), stride: 4 * x.len(), y };
    let (blocks, mut rest) = x.as_chunks::<8>();
    for block in blocks {
        // SAFETY: there are as many rows as `y` is long, in each of which `fits` says that as many columns as `block` has
        // lie from `of.from` on.
        unsafe { of.eight(block) };
        of.from = of.from.wrapping_add(8);
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
    narrow!(4 four, 2 two, 1 one);
    let _ = (rest, of);
}

/// Some columns of all rows.
struct Rows<'a> {
    /// The first of these columns in row 0.
    from: *const f32,
    /// Bytes from a row to the next.
    stride: usize,
    /// The sums, one for each row; not empty.
    y: &'a mut [f32],
}

macro_rules! kernel {
    ($name:ident, $width:literal, $x:literal, $w:literal, $($factor:tt $weight:tt),+) => {
        impl Rows<'_> {
            /// # Safety
            ///
            /// In each of the rows, as many columns as `x` has must be readable from `from` on.
            #[inline(always)]
            unsafe fn $name(&mut self, x: &[f32; $width]) {
                // SAFETY: reads what the caller says, reads and writes `y`; all changed registers are declared.
                unsafe {
                    asm!(
                        concat!("vldmia {x}, {{", $x, "}}"),
                        "2:",
                        "vldr s16, [{y}]",
                        concat!("vldmia {from}, {{", $w, "}}"),
                        "add {from}, {from}, {stride}",
                        $(concat!("vmla.f32 s16, ", $factor, ", ", $weight),)+
                        "vstmia {y}!, {{s16}}",
                        "subs {count}, {count}, #1",
                        "bne 2b",
                        x = in(reg) x,
                        stride = in(reg) self.stride,
                        from = inout(reg) self.from => _,
                        y = inout(reg) self.y.as_mut_ptr() => _,
                        count = inout(reg) self.y.len() => _,
                        $(out($factor) _, out($weight) _,)+
                        out("s16") _,
                        options(nostack),
                    );
                }
            }
        }
    };
}

kernel!(one, 1, "s0", "s8", "s0" "s8");
kernel!(two, 2, "s0-s1", "s8-s9", "s0" "s8", "s1" "s9");
kernel!(four, 4, "s0-s3", "s8-s11", "s0" "s8", "s1" "s9", "s2" "s10", "s3" "s11");
kernel!(eight, 8, "s0-s7", "s8-s15", "s0" "s8", "s1" "s9", "s2" "s10", "s3" "s11", "s4" "s12", "s5" "s13", "s6" "s14", "s7" "s15");
