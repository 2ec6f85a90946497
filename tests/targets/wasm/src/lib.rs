//! The golden run as a WebAssembly module, which asks its host for nothing but to take the text that it prints.

use std::fmt::{self, Write as _};

use picomlp_tests::golden_run;

unsafe extern "C" {
    /// Prints one byte.
    safe fn put(byte: u8);
}

struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| put(byte));
        Ok(())
    }
}

/// Runs and prints it.
#[unsafe(no_mangle)]
pub extern "C" fn golden() {
    let simd = if cfg!(target_feature = "simd128") { " simd128" } else { "" };
    let printed = match golden_run::run() {
        Ok(golden) => writeln!(Console, "instructions wasm32{simd}\n{golden}"),
        Err(error) => writeln!(Console, "{error}"),
    };
    debug_assert!(printed.is_ok(), "put cannot fail");
}
