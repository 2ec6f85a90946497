//! Data sets: readers of IDX files, CSV files and folders of images, synthetic digits, and how a set is split.

pub mod csv;
pub mod folder;
pub mod idx;
pub mod mnist;
pub mod synthetic;

mod batch;
mod dataset;
mod expected;
mod groups;
mod input;
mod inputs;
mod load;
mod memory;
mod numpy;
mod scaling;
mod schema;
mod source;
mod split;
mod windows;

pub use folder::entries;
pub(crate) use inputs::stats;

pub(crate) use batch::BatchTargets;
pub use batch::gather;
pub use dataset::{Dataset, Feature, Targets, TrainTest, Values};
pub use expected::Expected;
pub use groups::Groups;
pub use inputs::Inputs;
pub use scaling::{Scale, Scaling};
pub use schema::{
    CsvDelimiter, CsvHeader, CsvMax, Missing, Schema, Selection, Target, TargetType, Transpose,
    Vote,
};
pub use source::Source;
pub(crate) use split::VALIDATION_FRACTION;
pub use split::{Amount, HeldOut, Part, Split, SplitSpec, Strata};
