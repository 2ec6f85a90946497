//! What several test programs share: the golden run, without std, for any machine that has a stack of 160 KB.
#![no_std]
#![forbid(unsafe_code)]

pub mod golden_run;
pub mod int8_run;
pub mod monitor_run;
pub mod stack_run;

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The example of docs/training.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/training.md")]
struct Training;

/// The examples of docs/from-pytorch.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-pytorch.md")]
struct FromPyTorch;

/// The example of docs/field.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/field.md")]
struct Field;
