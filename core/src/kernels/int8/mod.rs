//! Dense layers on u8 inputs and i8 weights, in integers alone.

mod forward;
mod nonzeros;
mod requantize;
#[cfg(test)]
mod tests;
mod weights;

pub use forward::{INT8_DSP, int8_forward, int8_forward_portable, int8_forward_scalar};
#[cfg(picomlp_dsp)]
pub(super) use nonzeros::Nonzeros;
pub use nonzeros::{INT8_PAIRS, Int8Work};
pub use requantize::{requantize, rescale, rescale_all};
pub use weights::{INT8_BLOCK, Int8Row, Int8Weights, int8_rows, pack_int8};
