//! What the benchmarks share: inputs of a chosen density, and digits like MNIST's.

mod inputs;

pub use inputs::{DENSITIES, Density, Digits, floats, pixels};
