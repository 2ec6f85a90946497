//! int8 inference: which networks have it, how their integers lie in memory, and how they are made from floats.
//!
//! `docs/numerics.md` has the arithmetic, `docs/blob-format.md` the bytes.

mod layout;
mod quantize;

pub use layout::Int8Layer;
pub(crate) use layout::{dense_len, hidden_layers, scratch_len, section_len};
pub(crate) use quantize::{Source, write, write_inputs};
