//! The command line of picomlp: arguments and rendering around [`picomlp_train`] and [`picomlp_plots`].

mod args;
pub mod commands;
mod epoch_log;
mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod interrupt;
pub mod measure;
mod progress;
pub mod recipe;
mod render;
pub mod stdout;
pub mod text;
pub mod verify;
