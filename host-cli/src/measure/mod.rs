//! What `bench` and the benchmarks measure with.

pub mod flops;
pub mod machine;
pub mod timing;

mod epochs;

pub use epochs::Epochs;
