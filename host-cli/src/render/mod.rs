//! How results are written for people and programs.

pub(crate) mod evaluation;
pub(crate) mod fit;
pub(crate) mod train;
