//! picomlp for C and C++: a static library without a heap, and `include/picomlp.h`, which cbindgen writes from this crate.
//!
//! Each function checks its pointers, makes slices of them and calls the core. This is the one place of the workspace where
//! pointers of unknown origin are followed. Build it for a device without the default feature:
//! `cargo build -p picomlp-c --release --no-default-features --target thumbv7em-none-eabihf`.
#![cfg_attr(not(feature = "std"), no_std)]
#![allow(unsafe_code, reason = "the boundary to C")]
#![allow(non_camel_case_types, reason = "C's names")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the header begins with the contract of all functions"
)]
#![deny(unsafe_op_in_unsafe_fn)]

mod error;
mod int8;
mod memory;
mod model;
mod optimizer;
#[cfg(test)]
#[path = "../tests/unit/functions.rs"]
mod tests;
mod train;

pub use error::{pico_error, pico_error_string};
pub use int8::{pico_classify_int8, pico_read_features, pico_run_int8, pico_self_test_int8};
pub use model::*;
pub use optimizer::{PICO_ADAM, PICO_SGD, pico_optimizer};
pub use train::*;

/// Major version of this header.
pub const PICO_VERSION_MAJOR: u32 = 0;
/// Minor version of this header.
pub const PICO_VERSION_MINOR: u32 = 1;
/// Patch version of this header.
pub const PICO_VERSION_PATCH: u32 = 0;
/// Version of this header as one number, to compare with pico_version().
pub const PICO_VERSION: u32 =
    PICO_VERSION_MAJOR * 10000 + PICO_VERSION_MINOR * 100 + PICO_VERSION_PATCH;

/// The header's version is the crate's.
const _: () = {
    const fn is(number: u32, text: &str) -> bool {
        matches!(u32::from_str_radix(text, 10), Ok(parsed) if parsed == number)
    }
    assert!(is(PICO_VERSION_MAJOR, env!("CARGO_PKG_VERSION_MAJOR")));
    assert!(is(PICO_VERSION_MINOR, env!("CARGO_PKG_VERSION_MINOR")));
    assert!(is(PICO_VERSION_PATCH, env!("CARGO_PKG_VERSION_PATCH")));
};

/// Version of the library that is linked: PICO_VERSION of the header that it was built with.
#[unsafe(no_mangle)]
pub extern "C" fn pico_version() -> u32 {
    PICO_VERSION
}

/// Never linked, since nothing panics: `cargo xtask c-library` looks for it in the images of its programs.
#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
