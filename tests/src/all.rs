//! Tests that cross picomlp's crates, one module a subject.
#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests; these are helpers of tests"
)]

mod blob;
mod build_script;
mod gradients;
mod int8;
mod int8_features;
mod layer_gradients;
mod layer_kinds;
mod layer_trajectories;
mod layering;
mod losses;
mod mlperf_ad;
mod monitor;
mod no_alloc;
mod optimizers;
mod protocol;
mod pytorch;
mod reference;
mod refused;
mod rescale;
mod resume;
mod same_bits;
mod self_test;
mod sources;
