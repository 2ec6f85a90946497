//! Numeric kernels: slices in, slices out, no knowledge of layers or networks.
//!
//! Every kernel `<op>` stands beside `<op>_scalar`, the same arithmetic one value at a time. Both obey the
//! numeric contract of `docs/numerics.md`, so they agree bit for bit on every target:
//!
//! * multiply and add are separate operations, each rounded;
//! * a sum runs in ascending index order, one term at a time, from a start that is never `-0.0`;
//! * a term whose input is zero is not added, which cannot change a bit while the weights are finite.
//!
//! Forward pass and both gradients of a dense layer are one matrix product (`matmul`), whose lanes are neighbouring columns
//! (`accumulator`). Zeros are found 64 inputs at a time, as bit masks (`element`), and the masks of 64 samples turn into those of
//! 64 inputs by one bit transposition (`bits`). A gradient is handed over in blocks of a few KB (`sink`). Vectors are those that the
//! build names, or AVX2 by detection (`simd`). Without vector registers, a short list of a sample's nonzero inputs takes the
//! masks' place (`scalar`).

mod accumulator;
mod activations;
pub(crate) mod adam;
#[cfg(picomlp_cortex_m)]
mod arm;
#[cfg(picomlp_dsp)] // not every processor with the DSP extension has the FPU that `arm` needs
#[path = "arm/int8_block.rs"]
mod arm_int8_block;
mod batch;
mod bits;
pub(crate) mod dense;
mod dropout;
mod element;
mod exp;
mod gemm;
mod int8;
mod lanes;
mod matmul;
pub(crate) mod momentum;
mod norm;
mod pointwise;
pub(crate) mod relu;
pub(crate) mod rms_prop;
mod scalar;
mod scale;
pub(crate) mod sgd;
mod simd;
mod sink;
pub(crate) mod softmax;
mod targets;
#[cfg(test)]
mod testing;
mod threads;

pub use activations::{
    leaky_relu, leaky_relu_gradient, leaky_relu_gradient_scalar, leaky_relu_scalar, sigmoid,
    sigmoid_gradient, sigmoid_gradient_scalar, sigmoid_scalar, tanh, tanh_gradient,
    tanh_gradient_scalar, tanh_scalar,
};
pub use adam::{AdamCoefficients, adam, adam_scalar};
pub use batch::{Batch, IntoBatch};
pub use bits::{transpose64, transpose64_scalar};
pub use dense::forward::{dense_forward, dense_forward_scalar};
pub use dense::input_gradient::{dense_input_gradient, dense_input_gradient_scalar};
pub use dense::weight_gradient::{dense_update, dense_update_scalar, update_work};
pub use dropout::dropout;
pub use element::{Element, InputMap, PIXEL_SCALE};
pub use exp::{exp, exp_scalar};
pub use int8::{
    INT8_BLOCK, INT8_DSP, INT8_PAIRS, Int8Row, Int8Weights, Int8Work, int8_forward,
    int8_forward_portable, int8_forward_scalar, int8_rows, pack_int8, requantize, rescale,
    rescale_all,
};
pub use momentum::{MomentumCoefficients, momentum, momentum_scalar};
pub(crate) use norm::add_scale_gradient;
pub use norm::{
    column_statistics, column_statistics_scalar, normalise_columns, normalise_columns_gradient,
    normalise_columns_gradient_scalar, normalise_columns_scalar, normalise_rows,
    normalise_rows_gradient, normalise_rows_gradient_scalar, normalise_rows_scalar, scale_columns,
    scale_columns_scalar, scale_gradient, scale_gradient_scalar,
};
pub use pointwise::{absolute_error, binary_cross_entropy, huber, squared_error};
pub use relu::{relu, relu_gradient, relu_gradient_scalar, relu_scalar};
pub use rms_prop::{RmsPropCoefficients, rms_prop, rms_prop_scalar};
pub use scalar::{BLOCK as SCALAR_BLOCK, Nonzeros};
pub(crate) use scalar::{add, keep_rolled};
pub use scale::{
    add_scaled, add_scaled_scalar, scale, scale_scalar, sum_of_squares, sum_of_squares_scalar,
};
pub use sgd::{sgd, sgd_scalar};
pub(crate) use simd::Native;
pub use simd::vectors;
pub(crate) use sink::PIECE;
pub use sink::{Gradient, Sink, State, Update};
pub use softmax::{
    cross_entropy, smoothed_cross_entropy, smoothed_cross_entropy_scalar, softmax,
    softmax_cross_entropy, softmax_cross_entropy_scalar,
};
pub use targets::{Targets, Terms};
pub use threads::{Serial, Threads};
pub(crate) use threads::{Split, fork, parts};

/// A copy that cannot panic in a release build.
#[inline(never)] // called in loops, which are not unrolled then
pub(crate) fn copy(from: &[f32], to: &mut [f32]) {
    debug_assert!(from.len() == to.len(), "slices differ in length");
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Inputs whose zeros are found at once: the bits of one mask.
pub(crate) const MASK_BITS: usize = 64;
