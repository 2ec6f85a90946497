//! Inputs and the bits that a sound machine computes from them.

use core::fmt;

use super::format::u32_at;

/// Bytes before the first vector.
pub(super) const FIXED: usize = 16;

/// The self-test vectors of a blob.
#[derive(Clone, Copy, Debug)]
pub struct SelfTest<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
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
        (sizes_fit && len == bytes.len()).then_some(Self { bytes, inputs, outputs })
    }

    /// Each vector: the pixels `[inputs]`, and the bits of the logits `[outputs]` that they must give.
    pub fn vectors(&self) -> impl Iterator<Item = (&'a [u8], impl Iterator<Item = u32> + use<'a>)> {
        let len = vector_len(self.inputs, self.outputs).unwrap_or(1).max(1);
        let (inputs, outputs) = (self.inputs, self.outputs);
        self.bytes.chunks_exact(len).map(move |vector| {
            let logits = vector.get(len - 4 * outputs..).unwrap_or_default();
            let bits = logits.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
            (vector.get(..inputs).unwrap_or_default(), bits)
        })
    }
}

/// The first place where a machine's result differs from the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestFailure {
    /// The vector, counted from 0.
    pub vector: usize,
    /// The output, counted from 0.
    pub output: usize,
    /// Expected bits of the logit.
    pub expected: u32,
    /// Bits it has here.
    pub got: u32,
}

impl fmt::Display for SelfTestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vector, output, expected, got } = *self;
        write!(
            f,
            "self-test vector {vector}: output {output} has the bits {got:08x}, expected {expected:08x}"
        )
    }
}
