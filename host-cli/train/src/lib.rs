//! Trains picomlp networks on a PC.
//!
//! The command line `picomlp` is arguments and rendering around this library.

pub mod config;
