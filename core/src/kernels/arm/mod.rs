//! The inner loops for Arm processors with a scalar FPU (FPv4-SP: 32 registers of one f32), in assembler.
//!
//! Each does what its twin in `scalar/plain.rs` does, in the same order, with a rounding after every multiplication and
//! every addition: `vmla` and `vmls` round twice, unlike `vfma`. The compiler makes single loads of such loops and keeps
//! sums in memory; here one `vldmia` loads a block of weights, and sums stay in registers for a whole list of rows.
//!
//! Stable Rust knows no operands in FPU registers here, so an inner loop is one block that gets addresses and declares
//! the FPU registers it changes.
#![allow(unsafe_code, reason = "assembler, which the compiler cannot check")]

/// A register's name, written with or without quotes.
macro_rules! name {
    ($name:literal) => {
        $name
    };
    ($name:ident) => {
        stringify!($name)
    };
}

/// The text of one instruction on each of these registers: destinations, then operands, one for each or one for all.
macro_rules! each {
    ($op:literal [$($d:tt)+] [$($a:tt)+] [$($b:tt)+]) => {
        concat!($($op, " ", name!($d), ", ", name!($a), ", ", name!($b), "\n"),+)
    };
    ($op:literal [$($d:tt)+] $a:ident [$($b:tt)+]) => {
        concat!($($op, " ", name!($d), ", ", name!($a), ", ", name!($b), "\n"),+)
    };
    ($op:literal [$($d:tt)+] [$($a:tt)+] $b:ident) => {
        concat!($($op, " ", name!($d), ", ", name!($a), ", ", name!($b), "\n"),+)
    };
    ($op:literal [$($d:tt)+] [$($a:tt)+]) => {
        concat!($($op, " ", name!($d), ", ", name!($a), "\n"),+)
    };
}

/// Adds the product of the last two to each sum, rounding twice.
///
/// One instruction of three cycles on Cortex-M4 (table 7-1 of its Technical Reference Manual), or, with the feature
/// `cortex-m4`, two of one cycle, of which the first leaves the product in the place of the last factor.
#[cfg(not(feature = "cortex-m4"))]
macro_rules! add_products {
    ([$($sum:tt)+] $factor:tt [$($value:tt)+]) => {
        each!("vmla.f32" [$($sum)+] $factor [$($value)+])
    };
}
#[cfg(feature = "cortex-m4")]
macro_rules! add_products {
    ([$($sum:tt)+] $factor:tt [$($value:tt)+]) => {
        concat!(
            each!("vmul.f32" [$($value)+] $factor [$($value)+]),
            each!("vadd.f32" [$($sum)+] [$($sum)+] [$($value)+]),
        )
    };
}

mod adam;
mod add;
mod add_rows;
mod dot_rows;
mod list;
mod rolled;
mod sgd_rows;

pub(super) use adam::{adam, adam_zeros};
pub(crate) use add::add;
pub(super) use add_rows::add_rows;
pub(super) use dot_rows::dot_rows;
pub(super) use list::with_list;
pub(crate) use rolled::keep_rolled;
pub(super) use sgd_rows::sgd_rows;
