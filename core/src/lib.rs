//! Trains small multi-layer perceptrons on a desktop, or on the microcontroller itself, and runs them from flash.
//!
//! No heap, no unsafe outside `kernels/arm/` (assembler), and the same bits on every machine: `docs/numerics.md` in the repository is the contract.
//!
//! With the feature `std`, a program for x86-64 that is built without target flags uses AVX2 or AVX-512 where the
//! processor has it; the bits stay the same. Without the feature, and on other processors, kernels use the vectors
//! that the build's flags allow.
//!
//! * A network is a description of no size, such as [`Mlp`]`<784, 128, 10>` or a [`Chain`] of layers; its numbers lie in
//!   slices that the caller owns. [`Sequential`] is the same with sizes known at run time.
//! * [`Network`] has what can be done with one: initialise, run, ask for the gradient.
//! * [`Trainer`] makes steps with [`Sgd`], [`Adam`] or another [`Optimizer`], fused into the backward pass,
//!   or with a gradient buffer, for clipping and for batches larger than the memory.
//! * [`optim`] has the optimizers, weight decay and learning-rate schedules.
//! * [`Model`] runs a weight blob in place, [`QuantizedModel`] its int8 form; [`blob::Contents`] writes one,
//!   [`include_model!`] puts one in flash.
//! * [`Monitor`] learns what is normal where the machine stands, and notices what isn't.
//! * [`kernels`] are the numeric kernels, each beside its scalar twin.
//!
//! ```
//! use picomlp::{Init, Mlp, Network, argmax};
//!
//! type Net = Mlp<4, 8, 3>;
//! static PIXELS: [u8; 4] = [0, 255, 0, 17];
//!
//! let mut params = [0.0; Net::PARAMS];
//! Net::default().init(&mut params, Init::He, 1)?;
//! let (mut logits, mut scratch) = ([0.0; Net::OUTPUTS], [0.0; Net::INFER_SCRATCH]);
//! Net::default().forward(&params, &PIXELS, &mut logits, &mut scratch)?;
//! assert!(argmax(&logits) < 3);
//! # Ok::<(), picomlp::Error>(())
//! ```
#![no_std]
#![deny(unsafe_code)] // lifted in kernels/arm/ alone: assembler

#[cfg(target_endian = "big")]
compile_error!("picomlp's blobs are used in place and are little-endian");

#[cfg(any(test, feature = "frames"))]
extern crate std;

pub mod blob;
mod buffers;
mod checksum;
mod error;
pub mod fingerprint;
#[cfg(feature = "frames")]
mod frames;
mod init;
mod int8;
pub mod kernels;
pub mod layers;
mod loss;
pub mod math;
pub mod monitor;
mod network;
pub mod optim;
pub mod rng;
mod samples;
mod step;
mod trainer;
mod training;

pub use blob::{Model, QuantizedModel};
pub use buffers::{Buffers, GradientBuffer};
pub use error::Error;
pub use init::Init;
pub use kernels::{Batch, Element, InputMap, IntoBatch, Serial, Targets, Terms, Threads};
pub use layers::{
    AnyLayer, BatchNorm, Chain, Dense, DenseNoBias, Dropout, FixedLayer, Layer, LayerNorm,
    LeakyRelu, Mlp, Relu, Rescale, Sequential, Sigmoid, Tanh,
};
pub use loss::{Criterion, Loss, LossKind, Objective};
pub use monitor::{Monitor, MonitorSettings, MonitorState, Observation};
pub use network::{Network, argmax};
pub use optim::{Adam, AdamW, Momentum, Optimizer, RmsProp, Sgd, WeightDecay};
pub use samples::{Sample, Samples, StoredSamples};
pub use trainer::{
    BufferedTrainer, Epoch, SlicedSample, SlicedUpdate, Trainer, supports_micro_batches,
};
pub use training::TrainingState;
