//! Inputs and the bits that a sound machine computes from them.

use core::fmt;

use super::format::u32_at;
use crate::Error;
use crate::kernels::{Batch, InputMap};
use crate::layers::{Layer, trace};
use crate::network::{Network, check_room};

/// Bytes before the first vector.
pub(super) const FIXED: usize = 16;

/// The self-test vectors of a blob.
#[derive(Clone, Copy, Debug)]
pub struct SelfTest<'a> {
    bytes: &'a [u8],
    inputs: usize,
    outputs: usize,
    /// What the layers before the last give, for each vector; or nothing.
    layers: &'a [u8],
    /// Outputs of these layers.
    hidden: usize,
}

/// Bytes of one vector: the pixels, padded to whole words, and the expected logits.
pub(super) fn vector_len(inputs: usize, outputs: usize) -> Option<usize> {
    inputs.checked_next_multiple_of(4)?.checked_add(outputs.checked_mul(4)?)
}

impl<'a> SelfTest<'a> {
    /// The section, if its length and sizes fit the network's.
    pub(super) fn new(bytes: &'a [u8], inputs: usize, outputs: usize) -> Option<Self> {
        let (fixed, bytes) = bytes.split_at_checked(FIXED)?;
        let count = u32_at(fixed, 0) as usize;
        let sizes_fit = u32_at(fixed, 4) as usize == inputs && u32_at(fixed, 8) as usize == outputs;
        let len = vector_len(inputs, outputs)?.checked_mul(count)?;
        (sizes_fit && len == bytes.len()).then_some(Self {
            bytes,
            inputs,
            outputs,
            layers: &[],
            hidden: 0,
        })
    }

    /// With what the layers before the last give, if that section's length fits the network.
    /// `hidden` counts their outputs.
    pub(super) fn with_layers(self, bytes: &'a [u8], hidden: Option<usize>) -> Option<Self> {
        let hidden = hidden?;
        let len = hidden.checked_mul(4)?.checked_mul(self.vectors().count())?;
        (len == bytes.len()).then_some(Self { layers: bytes, hidden, ..self })
    }

    /// Whether it knows what each layer gives, not the last one alone.
    #[must_use]
    pub fn knows_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Each vector: the pixels `[inputs]`, and the bits of the logits `[outputs]` that they must give.
    pub fn vectors(
        &self,
    ) -> impl Iterator<Item = (&'a [u8], impl Iterator<Item = u32> + Clone + use<'a>)> {
        let len = vector_len(self.inputs, self.outputs).unwrap_or(1).max(1);
        let (inputs, outputs) = (self.inputs, self.outputs);
        self.bytes.chunks_exact(len).map(move |vector| {
            let logits = vector.get(len - 4 * outputs..).unwrap_or_default();
            let bits = words(logits);
            (vector.get(..inputs).unwrap_or_default(), bits)
        })
    }

    /// Runs the vectors on a network with these parameters, pixels read by `map`; returns the first difference.
    ///
    /// Layer by layer if the blob says what each layer gives, then the network as a whole, as a program runs it.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if `scratch` is shorter than [`infer_scratch`](Layer::infer_scratch)`(1)`, and those of
    /// [`Network::forward`].
    pub fn run<N: Layer>(
        &self,
        net: &N,
        params: &[f32],
        map: InputMap,
        scratch: &mut [f32],
    ) -> Result<Option<SelfTestFailure>, Error> {
        let needed = net.infer_scratch(1);
        check_room("scratch", scratch, needed)?;
        for (vector, (pixels, expected)) in self.vectors().enumerate() {
            let failure = |layer, (output, (expected, got))| {
                Some(SelfTestFailure { vector, layer, output, expected, got })
            };
            let x = Batch::rows(pixels, net.inputs())?.with_map(map);
            if self.knows_layers() {
                let hidden = 4 * self.hidden;
                let layers = self.layers.chunks_exact(hidden.max(1)).nth(vector);
                let mut expected = words(layers.unwrap_or_default()).chain(expected.clone());
                let mut found = None;
                trace(net, params, x, scratch, |layer, outputs| {
                    let difference =
                        first_difference(expected.by_ref().take(outputs.len()), outputs);
                    found = found.or_else(|| failure(Some(layer), difference?));
                })?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            let too_short = Error::BufferTooShort { what: "scratch", needed, got: scratch.len() };
            let (logits, between) = scratch.split_at_mut_checked(net.outputs()).ok_or(too_short)?;
            net.forward(params, x, logits, between)?;
            if let Some(difference) = first_difference(expected, logits) {
                return Ok(failure(None, difference));
            }
        }
        Ok(None)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + Clone {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four))
}

/// Where values first have other bits than expected: the index, and both bits.
fn first_difference(
    expected: impl Iterator<Item = u32>,
    values: &[f32],
) -> Option<(usize, (u32, u32))> {
    expected.zip(values.iter().map(|value| value.to_bits())).enumerate().find(|(_, (a, b))| a != b)
}

/// The first place where a machine's result differs from the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestFailure {
    /// The vector, counted from 0.
    pub vector: usize,
    /// The layer, counted from 0; none if the blob says only what the network gives as a whole, or if every layer by
    /// itself gives the right bits.
    pub layer: Option<usize>,
    /// The output of that layer, or of the network, counted from 0.
    pub output: usize,
    /// Its expected bits.
    pub expected: u32,
    /// Bits it has here.
    pub got: u32,
}

impl fmt::Display for SelfTestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vector, layer, output, expected, got } = *self;
        write!(f, "self-test vector {vector}: output {output} of ")?;
        match layer {
            Some(layer) => write!(f, "layer {layer}")?,
            None => f.write_str("the network")?,
        }
        write!(f, " has the bits {got:08x}, expected {expected:08x}")
    }
}
