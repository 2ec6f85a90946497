//! Trains picomlp networks on a PC.
//!
//! The command line `picomlp` is arguments and rendering around this library.
//!
//! ```no_run
//! use picomlp_train::config::TrainConfig;
//! use picomlp_train::data::{Dataset, Schema};
//! use picomlp_train::Session;
//!
//! let data = Dataset::open("vibration.csv", &Schema::detect())?;
//! let trained = Session::new(TrainConfig::mlp([32]), &data)?.run(|epoch| println!("{epoch}"))?;
//! trained.save("m.pmlp")?;
//! # anyhow::Ok(())
//! ```
//!
//! Data flows down: [`data::Source`] → [`data::Dataset`] → [`data::Split`] (indices into it) → [`Session`] → [`Trained`] → model
//! file → [`ModelFile`] → [`Classifier`]. What happens meanwhile comes as [`event::Event`]s.

pub mod augment;
pub mod chips;
pub mod config;
pub mod data;
pub mod event;
pub mod gradcheck;
pub mod image;
pub mod interchange;
pub mod number;
pub mod open;
pub mod output;
pub mod quantize;
pub mod replay;
pub mod text;
pub mod vote;

mod base;
mod buffer;
mod checkpoint;
mod classifier;
mod comparison;
mod cross_validation;
mod file_kind;
mod held_out;
mod history;
mod measures;
mod model_file;
mod model_input;
mod named;
mod npy;
mod pool;
mod reference;
mod scaled;
mod session;
mod shape;
mod trained;

pub use buffer::{Buffer, buffer};
pub use checkpoint::{Checkpoint, Checkpoints, Every};
pub use classifier::{Classifier, Predictions};
pub use comparison::{Comparison, Disagreement};
pub use cross_validation::CrossValidation;
pub use held_out::Measured;
pub use history::History;
pub use measures::{Average, ClassMeasures, Counts, Evaluation, Regression, roc_auc};
pub use model_file::{ModelFile, ModelForm};
pub use model_input::ModelInput;
pub use named::Named;
pub use pool::Pool;
pub use session::{Observer, Online, Session};
pub use shape::Shape;
pub use trained::{Ending, Place, Stopped, Trained};
