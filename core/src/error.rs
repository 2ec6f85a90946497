//! The error type of everything but the blob.

use core::fmt;

/// Why a call was refused. A call that returns an error has written nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A buffer's length does not fit the network and the batch.
    BufferLength {
        /// The argument at fault, as it is spelled in the signature.
        what: &'static str,
        /// Elements the call needs.
        expected: usize,
        /// Elements the caller passed.
        got: usize,
    },
    /// A working buffer is too short; a longer one would do.
    BufferTooShort {
        /// The argument at fault, as it is spelled in the signature.
        what: &'static str,
        /// The least number of elements the call needs.
        needed: usize,
        /// Elements the caller passed.
        got: usize,
    },
    /// Samples have another number of values than the network has inputs.
    InputWidth {
        /// Inputs of the network.
        expected: usize,
        /// Values in a sample.
        got: usize,
    },
    /// An index names a sample that is not there.
    SampleOutOfRange {
        /// The index.
        sample: usize,
        /// Samples in the set.
        samples: usize,
    },
    /// A label names a class the network does not have.
    LabelOutOfRange {
        /// Which label of the batch, counted from 0.
        index: usize,
        /// The label found.
        label: usize,
        /// The number of classes; labels run from 0 to `classes - 1`.
        classes: usize,
    },
    /// The loss does not take targets of this kind.
    TargetKind {
        /// What it takes.
        expected: &'static str,
    },
    /// A target is NaN, infinite, or not among the values that the loss takes.
    TargetOutOfRange {
        /// The sample, its place in the batch.
        sample: usize,
        /// The output that it is the target of.
        output: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A batch without samples.
    EmptyBatch,
    /// A batch of too few samples to be trained on: batch normalisation needs two.
    BatchTooSmall {
        /// The least number of samples.
        needed: usize,
        /// Samples in the batch.
        got: usize,
    },
    /// A batch normalisation cannot be folded, since no dense layer stands before it.
    CannotFold {
        /// The layer, counted from 0.
        layer: usize,
    },
    /// An input is NaN or infinite: a broken sensor, a missing value.
    InputNotFinite {
        /// The sample, its place in the batch.
        sample: usize,
        /// The input, counted from 0.
        input: usize,
    },
    /// An output is NaN or infinite, though all inputs are finite: they or the parameters are too large.
    OutputNotFinite {
        /// The sample, its place in the batch.
        sample: usize,
    },
    /// A layer of the user's own has no place among [`AnyLayer`](crate::AnyLayer)'s kinds, so that the network cannot be
    /// exported, folded or cut into groups of parameters.
    CannotDescribe {
        /// The type of the layer, or of its function.
        layer: &'static str,
    },
    /// The single layers that a network describes have another number of parameters than the network.
    DescribedParams {
        /// Parameters of the layers.
        described: usize,
        /// Parameters of the network.
        params: usize,
    },
    /// The processor does not round to nearest, ties to even, or flushes subnormal numbers to zero: somebody has changed
    /// its control register, and other bits than everywhere else would come out.
    FloatMode,
    /// The loss is NaN or infinite, so its gradient would ruin the parameters. They are as they were.
    LossNotFinite,
    /// The square of the gradient's norm is NaN or infinite, so no step can be scaled by it. The parameters are as they
    /// were.
    GradientNotFinite,
    /// The network cannot be trained on a batch in parts: see
    /// [`supports_micro_batches`](crate::supports_micro_batches).
    MustBeWhole,
    /// A number that must be 1 or more is 0.
    ZeroSize {
        /// The argument at fault.
        what: &'static str,
    },
    /// A setting is outside its range.
    Setting {
        /// The setting at fault.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A layer's inputs are not the outputs of the layer before it.
    LayersDoNotMeet {
        /// The layer, counted from 0.
        layer: usize,
        /// Outputs of the layer before.
        before: usize,
        /// Inputs of this one.
        inputs: usize,
    },
    /// The parameters are more than this machine can address.
    NetworkTooLarge,
    /// More layers than a run-time network holds.
    TooManyLayers {
        /// The most it holds.
        most: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BufferLength { what, expected, got } => {
                write!(f, "`{what}` has {got} elements, expected {expected}")
            }
            Self::BufferTooShort { what, needed, got } => {
                write!(f, "`{what}` has {got} elements, expected at least {needed}")
            }
            Self::InputWidth { expected, got } => {
                write!(f, "a sample has {got} values, the network has {expected} inputs")
            }
            Self::SampleOutOfRange { sample, samples } => {
                write!(f, "sample {sample} is not among the {samples} samples")
            }
            Self::LabelOutOfRange { index, label, classes } => {
                write!(f, "label {label} (number {index}) is not below the {classes} classes")
            }
            Self::TargetKind { expected } => write!(f, "the targets must be {expected}"),
            Self::TargetOutOfRange { sample, output, expected } => {
                write!(f, "target {output} of sample {sample} must be {expected}")
            }
            Self::EmptyBatch => write!(f, "the batch has no sample"),
            Self::BatchTooSmall { needed, got } => {
                write!(
                    f,
                    "the batch has {got} samples, the network is trained on {needed} at least"
                )
            }
            Self::CannotFold { layer } => write!(
                f,
                "layer {layer} is a batch normalisation without a dense layer before it, and cannot be folded"
            ),
            Self::InputNotFinite { sample, input } => {
                write!(f, "input {input} of sample {sample} is NaN or infinite")
            }
            Self::OutputNotFinite { sample } => write!(
                f,
                "the outputs for sample {sample} are not finite: its inputs or the parameters are too large"
            ),
            Self::CannotDescribe { layer } => write!(
                f,
                "the layer {layer} is not one of picomlp's: the network cannot be exported, folded or grouped"
            ),
            Self::DescribedParams { described, params } => write!(
                f,
                "the network has {params} parameters, the layers that it describes have {described}"
            ),
            Self::FloatMode => write!(
                f,
                "the processor rounds otherwise than to nearest or flushes subnormal numbers to zero: reset its floating-point control register"
            ),
            Self::LossNotFinite => write!(f, "the loss is not a finite number"),
            Self::GradientNotFinite => write!(f, "the gradient's norm is not a finite number"),
            Self::MustBeWhole => write!(f, "this network cannot be trained on a batch in parts"),
            Self::ZeroSize { what } => write!(f, "`{what}` is 0, expected at least 1"),
            Self::Setting { what, expected } => write!(f, "`{what}` must be {expected}"),
            Self::LayersDoNotMeet { layer, before, inputs } => write!(
                f,
                "layer {layer} has {inputs} inputs, but the layer before it has {before} outputs"
            ),
            Self::NetworkTooLarge => write!(f, "the network is too large for this machine"),
            Self::TooManyLayers { most } => write!(f, "more than {most} layers"),
        }
    }
}

impl core::error::Error for Error {}
