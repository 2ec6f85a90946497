//! Inputs and the bits that a sound machine computes from them.

use core::fmt;

use bytemuck::try_cast_slice;

use super::format::u32_at;
use crate::Error;
use crate::kernels::{Batch, Element, InputMap};
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
    /// Whether inputs are f32, not bytes.
    are_features: bool,
    /// What the layers before the last give, for each vector; or nothing.
    layers: &'a [u8],
    /// Outputs of these layers.
    hidden: usize,
}

/// Bytes of one vector: the pixels, padded to whole words, or the features, and the expected logits.
pub(super) fn vector_len(inputs: usize, outputs: usize, are_features: bool) -> Option<usize> {
    let inputs =
        if are_features { inputs.checked_mul(4) } else { inputs.checked_next_multiple_of(4) };
    inputs?.checked_add(outputs.checked_mul(4)?)
}

impl<'a> SelfTest<'a> {
    /// The section, if its length and sizes fit the network's.
    pub(super) fn new(bytes: &'a [u8], inputs: usize, outputs: usize) -> Option<Self> {
        let (fixed, bytes) = bytes.split_at_checked(FIXED)?;
        let count = u32_at(fixed, 0) as usize;
        let sizes_fit = u32_at(fixed, 4) as usize == inputs && u32_at(fixed, 8) as usize == outputs;
        let kind = u32_at(fixed, 12);
        let are_features = kind == 1;
        let len = vector_len(inputs, outputs, are_features)?.checked_mul(count)?;
        (sizes_fit && kind < 2 && len == bytes.len()).then_some(Self {
            bytes,
            inputs,
            outputs,
            are_features,
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

    /// Whether the inputs are features, in f32, and not pixels.
    #[must_use]
    pub fn are_features(&self) -> bool {
        self.are_features
    }

    /// Each vector: the bytes of its inputs (pixels, or features in little-endian f32), and the bits of the logits `[outputs]`
    /// that they must give.
    pub fn vectors(
        &self,
    ) -> impl Iterator<Item = (&'a [u8], impl Iterator<Item = u32> + Clone + use<'a>)> {
        let (inputs, outputs, are_features) = (self.inputs, self.outputs, self.are_features);
        let len = vector_len(inputs, outputs, are_features).unwrap_or(1).max(1);
        let input_bytes = if are_features { 4 * inputs } else { inputs };
        self.bytes.chunks_exact(len).map(move |vector| {
            let logits = vector.get(len - 4 * outputs..).unwrap_or_default();
            let bits = words(logits);
            (vector.get(..input_bytes).unwrap_or_default(), bits)
        })
    }

    /// Runs the vectors on a network with these parameters, pixels read by `map`; returns the first difference.
    ///
    /// Features are read where they lie, as the parameters are. Layer by layer if the blob says what each layer gives, then the network as a whole, as a program runs it.
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
        for (vector, (bytes, expected)) in self.vectors().enumerate() {
            let found = if self.are_features {
                let misaligned = Error::Setting { what: "self-test", expected: "an aligned blob" };
                let features = try_cast_slice::<u8, f32>(bytes).map_err(|_| misaligned)?;
                self.run_one(net, params, features, map, vector, expected, scratch)
            } else {
                self.run_one(net, params, bytes, map, vector, expected, scratch)
            }?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    #[expect(clippy::too_many_arguments, reason = "those of `run`, and a vector")]
    fn run_one<N: Layer, T: Element>(
        &self,
        net: &N,
        params: &[f32],
        inputs: &[T],
        map: InputMap,
        vector: usize,
        expected: impl Iterator<Item = u32> + Clone,
        scratch: &mut [f32],
    ) -> Result<Option<SelfTestFailure>, Error> {
        let needed = net.infer_scratch(1);
        check_room("scratch", scratch, needed)?;
        let failure = |layer, (output, (expected, got))| {
            Some(SelfTestFailure { vector, layer, output, expected, got })
        };
        let x = Batch::rows(inputs, net.inputs())?;
        // As `Model::read` does: what is not pixels is taken as it is.
        let x = if T::MAP == InputMap::PIXELS { x.with_map(map) } else { x };
        if self.knows_layers() {
            let hidden = 4 * self.hidden;
            let layers = self.layers.chunks_exact(hidden.max(1)).nth(vector);
            let mut expected = words(layers.unwrap_or_default()).chain(expected.clone());
            let mut found = None;
            trace(net, params, x, scratch, |layer, outputs| {
                let difference = first_difference(expected.by_ref().take(outputs.len()), outputs);
                found = found.or_else(|| failure(Some(layer), difference?));
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let too_short = Error::BufferTooShort { what: "scratch", needed, got: scratch.len() };
        let (logits, between) = scratch.split_at_mut_checked(net.outputs()).ok_or(too_short)?;
        net.forward(params, x, logits, between)?;
        Ok(first_difference(expected, logits).and_then(|difference| failure(None, difference)))
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
