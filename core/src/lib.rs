//! Trains small multi-layer perceptrons on a desktop, or on the microcontroller itself, and runs them from flash.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("picomlp's blobs are used in place and are little-endian");

#[cfg(test)]
extern crate std;

pub mod blob;
mod error;
pub mod fingerprint;
mod init;
pub mod kernels;
pub mod layers;
pub mod math;
mod network;
pub mod optim;
pub mod rng;
mod trainer;

pub use blob::Model;
pub use error::Error;
pub use init::Init;
pub use kernels::{Batch, Element, InputMap, IntoBatch, Serial, Threads};
pub use layers::{AnyLayer, Chain, Dense, FixedLayer, Layer, Mlp, Relu, Sequential};
pub use network::{Network, argmax};
pub use optim::{Adam, Optimizer, Sgd};
pub use trainer::Trainer;
