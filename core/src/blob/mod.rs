//! The weight blob, `.pmlp`: written once, then read in place from flash or a file.
//!
//! `docs/blob-format.md` has the format byte by byte; [`format`](self) numbers stand in one file here, [`Blob`]
//! reads, [`Contents`] writes, [`Model`] and [`QuantizedModel`] run.

mod aligned;
mod checkpoint;
mod contents;
mod error;
mod format;
mod input;
mod model;
mod names;
mod provenance;
mod quantized;
mod read;
mod self_test;
mod split;
mod threshold;

pub use crate::int8::Int8Layer;
pub use aligned::Aligned;
pub use checkpoint::Checkpoint;
pub use contents::{Contents, Int8Contents};
pub use error::BlobError;
pub use format::{MAGIC, VERSION};
pub use input::{Input, InputKind, InputStats, Preparation};
pub use model::{FromBlob, Model, mean_square};
pub use names::{Feature, TargetKind};
pub use provenance::{OptimizerKind, Provenance};
pub use quantized::QuantizedModel;
pub use read::Blob;
pub use self_test::{SelfTest, SelfTestFailure};
pub use split::DataSplit;
pub use threshold::AnomalyThreshold;
