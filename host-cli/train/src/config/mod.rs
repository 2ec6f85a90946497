//! Settings of a training run, as plain values: what is trained, by which loss and optimizer.
//!
//! Every setting has a text form ([`Display`](core::fmt::Display) and [`FromStr`](core::str::FromStr)), the one that recipes
//! and the command line use.

mod class_weight;
mod init;
mod model;
mod optimizer;
mod schedule;
mod train;

pub use class_weight::ClassWeight;
pub use init::InitSpec;
pub(crate) use model::DROPOUT_OF_FEW;
pub use model::{
    Activation, BiasSpec, Dropout, Hidden, LossFunction, LossSpec, ModelSpec, Norm, PerLayer,
};
pub use optimizer::{Built, OptimizerKind, OptimizerSpec};
pub use schedule::{LearningRate, ScheduleSpec};
pub use train::{Monitor, Settings, TrainConfig};
