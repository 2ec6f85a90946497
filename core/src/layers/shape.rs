//! Sizes of a layer or a network, and how those of two layers add up.

use super::Mode;
use crate::Error;
use crate::kernels::update_work;

/// Sizes of a layer or chain, and what its passes need. One struct for sizes known to the compiler and for those known
/// only at run time: both are added up by [`then`](Self::then). Sums that overflow saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Values in one input.
    pub inputs: usize,
    /// Values in one output.
    pub outputs: usize,
    /// Parameters, weights and biases together.
    pub params: usize,
    /// Those of them that no gradient moves.
    pub constants: usize,
    /// Single layers.
    pub layers: usize,
    /// Single layers at inference: all but dropout.
    pub inference_layers: usize,
    /// Activations between the layers of a chain, for one sample.
    pub activations: usize,
    /// What a training pass saves for the backward pass.
    pub saved: Saved,
    /// The smallest batch that the layer can be trained on.
    pub min_batch: usize,
    /// Whether the layer overwrites its input with its output.
    pub in_place: bool,
    /// What the backward pass reads of the output.
    pub reads: OutputUse,
    /// Whether a layer that works in place keeps the sign of each value that has a gradient.
    pub keeps_sign: bool,
    /// The most outputs of a dense layer.
    pub max_outputs: usize,
    /// What is wrong with the sizes, which [`check`](Self::check) returns.
    pub fault: Option<Error>,
}

impl Shape {
    /// A layer without parameters that works in place.
    #[must_use]
    pub const fn in_place(width: usize) -> Self {
        Self {
            inputs: width,
            outputs: width,
            params: 0,
            constants: 0,
            layers: 1,
            inference_layers: 1,
            activations: 0,
            saved: Saved::NOTHING,
            min_batch: 1,
            in_place: true,
            reads: OutputUse::Nothing,
            keeps_sign: false,
            max_outputs: 0,
            fault: match width {
                0 => Some(Error::ZeroSize { what: "layer width" }),
                _ => None,
            },
        }
    }

    /// A fully connected layer.
    #[must_use]
    pub const fn dense(inputs: usize, outputs: usize, bias: bool) -> Self {
        let weights = inputs.saturating_mul(outputs);
        let this = if inputs == 0 { Self::in_place(0) } else { Self::in_place(outputs) };
        Self {
            inputs,
            outputs,
            params: weights.saturating_add(if bias { outputs } else { 0 }),
            in_place: false,
            max_outputs: outputs,
            ..this
        }
    }

    /// This layer, then `next`.
    ///
    /// A layer that overwrites its input needs no buffer before it; any other reads the activations between the two.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        let overwritten = self.is_overwritten_by(next);
        let middle = if overwritten { 0 } else { self.outputs };
        Self {
            inputs: self.inputs,
            outputs: next.outputs,
            params: self.params.saturating_add(next.params),
            constants: self.constants.saturating_add(next.constants),
            layers: self.layers + next.layers,
            inference_layers: self.inference_layers + next.inference_layers,
            activations: self.activations.saturating_add(middle).saturating_add(next.activations),
            saved: self.saved.and(next.saved),
            min_batch: larger(self.min_batch, next.min_batch),
            in_place: self.in_place && overwritten,
            reads: if overwritten { self.reads.and(next.reads) } else { next.reads },
            keeps_sign: self.keeps_sign && next.keeps_sign,
            max_outputs: larger(self.max_outputs, next.max_outputs),
            fault: self.fault_then(next),
        }
    }

    const fn fault_then(self, next: Self) -> Option<Error> {
        match (self.fault, next.fault) {
            (Some(fault), _) => Some(fault),
            (None, Some(Error::LayersDoNotMeet { layer, before, inputs })) => {
                Some(Error::LayersDoNotMeet { layer: self.layers + layer, before, inputs })
            }
            (None, Some(fault)) => Some(fault),
            (None, None) if self.outputs != next.inputs => Some(Error::LayersDoNotMeet {
                layer: self.layers,
                before: self.outputs,
                inputs: next.inputs,
            }),
            (None, None) => None,
        }
    }

    /// Whether the layers meet and their parameters can be counted: every call that checks its arguments asks first.
    ///
    /// # Errors
    ///
    /// [`Error::LayersDoNotMeet`], [`Error::ZeroSize`], [`Error::NetworkTooLarge`].
    #[inline]
    pub const fn check(self) -> Result<(), Error> {
        match self.fault {
            Some(fault) => Err(fault),
            // Bytes are counted in usize as well.
            None if self.params > usize::MAX / 4 => Err(Error::NetworkTooLarge),
            None => Ok(()),
        }
    }

    /// Whether a gradient moves any parameter.
    #[inline]
    pub(super) const fn is_trained(self) -> bool {
        self.params > self.constants
    }

    /// Whether `next` overwrites this layer's output: it works in place, and this layer's backward pass can do without.
    #[inline]
    pub(super) const fn is_overwritten_by(self, next: Self) -> bool {
        next.in_place && self.reads.allows(next.keeps_sign)
    }

    /// `f32`s of scratch for the inference of `batch` samples at once: activations and logits.
    #[must_use]
    pub const fn infer_scratch(self, batch: usize) -> usize {
        batch.saturating_mul(self.activations.saturating_add(self.outputs))
    }

    /// `f32`s of scratch for a training step: activations, their gradients, what is saved, and working memory.
    #[must_use]
    pub const fn train_scratch(self, threads: usize, batch: usize) -> usize {
        self.infer_scratch(batch)
            .saturating_mul(2)
            .saturating_add(self.saved.len(Mode::training(0, 0), batch))
            .saturating_add(update_work(self.max_outputs, batch, threads))
    }
}

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// What a layer's backward pass reads of its output, which the next layer would overwrite if it works in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputUse {
    /// Nothing.
    Nothing,
    /// Where the output is above zero; not where the gradient is zero.
    Sign,
    /// The values.
    Values,
}

impl OutputUse {
    /// Whether a layer may overwrite an output that is used so; `keeps_sign` says whether it keeps the sign wherever it
    /// lets a gradient through.
    const fn allows(self, keeps_sign: bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Sign => keeps_sign,
            Self::Values => false,
        }
    }

    /// What is read if two layers read the same output.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Values, _) | (_, Self::Values) => Self::Values,
            (Self::Sign, _) | (_, Self::Sign) => Self::Sign,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// `f32`s that a training pass saves for the backward pass, besides the activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// For each sample.
    pub per_sample: usize,
    /// For the batch as a whole.
    pub per_batch: usize,
}

impl Saved {
    /// Nothing.
    pub const NOTHING: Self = Self { per_sample: 0, per_batch: 0 };

    /// Both layers'.
    const fn and(self, other: Self) -> Self {
        Self {
            per_sample: self.per_sample.saturating_add(other.per_sample),
            per_batch: self.per_batch.saturating_add(other.per_batch),
        }
    }

    /// For a batch of N samples; inference saves nothing.
    #[inline]
    pub(crate) const fn len(self, mode: Mode, batch: usize) -> usize {
        match mode {
            Mode::Infer => 0,
            Mode::Train(_) => batch.saturating_mul(self.per_sample).saturating_add(self.per_batch),
        }
    }
}
