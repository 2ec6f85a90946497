//! What the programs under `bin/` share: how to print, count, measure and stop.
//!
//! A program prints over semihosting, which QEMU and debug probes offer, and ends with an exit code. Nothing here formats
//! with `core::fmt`, so that a program's size is its own.
#![no_std]

pub mod console;
pub mod counter;
pub mod device;
pub mod digits;
mod faults;
#[cfg(target_abi = "eabihf")]
pub mod float_mode;
pub mod int8;
pub mod monitor_log;
pub mod processor;
pub mod stack;
pub mod uart;

/// An input that `cargo xtask firmware` has put beside the others: its bytes, which stay in flash.
#[macro_export]
macro_rules! input {
    ($name:literal) => {
        include_bytes!(concat!(env!("PICOMLP_INPUTS"), "/", $name))
    };
}

/// The board that this was built for.
pub const BOARD: &str = env!("BOARD");
