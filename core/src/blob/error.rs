//! Why a blob was refused.

use core::fmt;

use super::format::VERSION;
use crate::Error;
use crate::layers::{AnyLayer, MAX_LAYERS};

/// Why bytes are not a blob that can be used here; the first check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BlobError {
    /// Nothing but 0xFF: flash that was erased and never written.
    Erased,
    /// Nothing but zeros.
    Zeroed,
    /// Not even a header.
    NoHeader {
        /// Bytes there are.
        got: usize,
    },
    /// Something else than a blob.
    Magic {
        /// The first bytes.
        got: [u8; 8],
    },
    /// The header is damaged.
    HeaderCrc {
        /// The checksum in the header.
        expected: u32,
        /// That of the header as it is.
        got: u32,
    },
    /// Written in a format that this version does not know: by a newer picomlp, if the number is higher.
    Version {
        /// The format version of the blob.
        got: u16,
    },
    /// The end is missing.
    Truncated {
        /// Bytes the header says.
        expected: usize,
        /// Bytes there are.
        got: usize,
    },
    /// What follows the header is damaged.
    PayloadCrc {
        /// The checksum in the header.
        expected: u32,
        /// That of the payload as it is.
        got: u32,
    },
    /// The bytes are intact but their meaning is not; only a faulty writer makes such a blob.
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// The bytes are at an address that floats cannot be read from in place.
    Misaligned {
        /// What the address must be a multiple of.
        needed: usize,
    },
    /// The blob has no such section.
    NoSection {
        /// What is missing.
        what: &'static str,
    },
    /// The blob holds another network than the program's.
    Architecture {
        /// The first layer that differs, counted from 0.
        layer: usize,
        /// The program's layer at that index, if any.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        expected: Option<AnyLayer>,
        /// The blob's layer at that index, if any.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        got: Option<AnyLayer>,
    },
    /// The network has no int8 form: that has dense layers of at most 65,536 inputs, with one ReLU between each two.
    NotInInt8 {
        /// The first layer that stands where it cannot, counted from 0.
        layer: usize,
        /// That layer.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        got: AnyLayer,
    },
    /// The buffer to write to is too short.
    NoRoom {
        /// Bytes the blob takes.
        needed: usize,
        /// Bytes there are.
        got: usize,
    },
    /// The network itself was refused: its layers do not meet, or one of them is a type of the user's, which no blob can
    /// hold.
    Network(Error),
    /// The contents take more than 4 GiB.
    TooLarge,
}

struct LayerName(Option<AnyLayer>);

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(layer) => write!(f, "{layer}"),
            None => f.write_str("no more layers"),
        }
    }
}

impl BlobError {
    /// Why a network cannot be in a blob.
    pub(super) fn of_network(error: Error) -> Self {
        match error {
            Error::TooManyLayers { .. } => Self::TooLarge,
            error => Self::Network(error),
        }
    }
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Erased => {
                f.write_str("the memory is erased (all 0xFF): no model was written to it")
            }
            Self::Zeroed => {
                f.write_str("the memory is zeroed (all 0x00): no model was written to it")
            }
            Self::NoHeader { got } => {
                write!(f, "{got} bytes are too few for a model: its header alone takes 64")
            }
            Self::Magic { got } => {
                f.write_str(
                    "not a picomlp model: expected the first bytes 93 50 4d 4c 50 0d 0a 1a, got",
                )?;
                got.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
            Self::HeaderCrc { expected, got } => write!(
                f,
                "the model's header is damaged: its checksum says {expected:08x}, its bytes give {got:08x}"
            ),
            Self::Version { got } if got > VERSION => write!(
                f,
                "the model has format version {got}, this program reads up to {VERSION}: use a newer picomlp"
            ),
            Self::Version { got } => {
                write!(f, "the model has format version {got}, expected 1 to {VERSION}")
            }
            Self::Truncated { expected, got } => {
                write!(
                    f,
                    "the model is cut short: its header says {expected} bytes, there are {got}"
                )
            }
            Self::PayloadCrc { expected, got } => write!(
                f,
                "the model's payload is damaged: its checksum says {expected:08x}, its bytes give {got:08x}"
            ),
            Self::Malformed { what } => write!(f, "the model is malformed: {what}"),
            Self::Misaligned { needed } => write!(
                f,
                "the model is at an address that is not a multiple of {needed}: use include_model! or Aligned"
            ),
            Self::NoSection { what } => write!(f, "the model has no {what}"),
            Self::Architecture { layer, expected, got } => write!(
                f,
                "the model is of another architecture: at layer {layer} the program has {}, the model {}",
                LayerName(expected),
                LayerName(got)
            ),
            Self::NotInInt8 { layer, got } => write!(
                f,
                "layer {layer}, {}, is not supported in int8 there: expected dense layers with a bias and at most 65536 inputs, a relu between each two",
                LayerName(Some(got))
            ),
            Self::NoRoom { needed, got } => {
                write!(f, "the model takes {needed} bytes, the buffer has {got}")
            }
            Self::Network(error) => error.fmt(f),
            Self::TooLarge => {
                write!(f, "the model would take more than 4 GiB or {MAX_LAYERS} layers")
            }
        }
    }
}

impl core::error::Error for BlobError {}
