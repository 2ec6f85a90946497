//! picomlp on the desktop: what the command line is made of, usable and testable without a process.

pub mod commands;
pub mod data;
mod evaluate;
mod model_file;
mod output;
pub mod picture;
mod progress;
mod text;

pub use evaluate::{Evaluation, evaluate};
pub use model_file::ModelFile;
