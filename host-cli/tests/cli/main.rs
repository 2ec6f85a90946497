//! The command line as a user meets it: the real program, run in a folder of its own, judged by its exit code, its
//! messages and the files it leaves.

#![allow(
    clippy::unwrap_used,
    reason = "all of this is tests; clippy.toml allows it in functions with #[test] only"
)]

mod bad_data;
mod bad_flags;
mod bad_model;
mod bench;
mod cases;
mod checkpoints;
mod compare;
mod csv;
mod divergence;
mod fine_tune;
mod flows;
mod folders;
mod images;
mod int8;
mod interchange;
mod library;
mod mnist;
mod networks;
mod optimization;
mod outputs;
mod plots;
mod preparation;
mod recipes;
mod sensors;
mod signals;
mod snapshots;
mod sources;
mod splits;
#[cfg(unix)]
mod streams;
mod tables;
mod targets;
mod util;
mod verify;
mod whole;
mod windows;
