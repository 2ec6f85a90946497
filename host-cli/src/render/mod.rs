//! How results are written for people and programs.

pub(crate) mod evaluation;
pub(crate) mod train;
