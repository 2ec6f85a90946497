//! The subcommands, one module each: `Args`, and `run` from the arguments to the output.

pub mod bench;
pub mod compare;
pub mod draw;
pub mod eval;
pub mod export;
pub mod gradcheck;
pub mod import;
pub mod inspect;
pub mod plot;
pub mod predict;
pub mod quantize;
pub mod recipes;
pub mod replay;
pub mod report;
pub mod train;
