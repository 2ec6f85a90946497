//! picomlp on the desktop: what the command line is made of, usable and testable without a process.

mod buffer;
mod calibrate;
pub mod commands;
pub mod data;
mod epochs;
mod evaluate;
mod file_kind;
pub mod flops;
#[doc(hidden)]
pub mod fuzzing;
pub mod interrupt;
pub mod machine;
mod model_file;
mod model_input;
mod open;
mod output;
pub mod picture;
mod plot;
mod pool;
mod progress;
pub mod recipe;
mod reference;
pub mod stdout;
pub mod text;
pub mod timing;

pub use buffer::{Buffer, buffer};
pub use epochs::Epochs;
pub use evaluate::{Evaluation, evaluate, evaluate_int8};
pub use model_file::ModelFile;
pub use pool::Pool;
