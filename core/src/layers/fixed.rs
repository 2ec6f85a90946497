//! Sizes that the compiler knows.

use super::{Layer, work_len};

/// A layer or chain whose sizes are part of its type.
pub trait FixedLayer: Layer + Copy + Default {
    /// Values in one input.
    const INPUTS: usize;
    /// Values in one output.
    const OUTPUTS: usize;
    /// Parameters, weights and biases together.
    const PARAMS: usize;
    /// [`Layer::between`].
    const BETWEEN: usize;
    /// [`Layer::in_place`].
    const IN_PLACE: bool;
    /// [`Layer::widest`].
    const WIDEST: usize;
    /// [`Layer::gradient_width`] with the gradient at the inputs.
    const GRADIENT_WIDTH: usize;
    /// [`Layer::gradient_width`] without it.
    const INNER_GRADIENT_WIDTH: usize;
}

/// `f32`s of scratch for the inference of `batch` samples at once.
#[must_use]
pub const fn infer_scratch<N: FixedLayer>(batch: usize) -> usize {
    infer_len(N::BETWEEN, N::OUTPUTS, batch)
}

/// `f32`s of scratch for a training step on `batch` samples.
#[must_use]
pub const fn train_scratch<N: FixedLayer>(batch: usize) -> usize {
    train_len(N::BETWEEN, N::OUTPUTS, [N::WIDEST, N::INNER_GRADIENT_WIDTH], batch, 1)
}

/// What lies between the layers, and the logits.
pub(super) const fn infer_len(between: usize, outputs: usize, batch: usize) -> usize {
    batch * (between + outputs)
}

/// The same, the gradients there, and working memory.
pub(super) const fn train_len(
    between: usize,
    outputs: usize,
    widths: [usize; 2],
    batch: usize,
    threads: usize,
) -> usize {
    2 * infer_len(between, outputs, batch) + work_len(widths, batch, threads)
}

/// The sizes that user code names, as constants of the network's type.
macro_rules! inherent_sizes {
    () => {
        /// Values in one input.
        pub const INPUTS: usize = <Self as FixedLayer>::INPUTS;
        /// Values in one output: the classes.
        pub const OUTPUTS: usize = <Self as FixedLayer>::OUTPUTS;
        /// Parameters, weights and biases together.
        pub const PARAMS: usize = <Self as FixedLayer>::PARAMS;
        /// Bytes of the parameters as `f32`.
        pub const PARAM_BYTES: usize = 4 * Self::PARAMS;
        /// `f32`s of scratch for the inference of one sample.
        pub const INFER_SCRATCH: usize = $crate::layers::infer_scratch::<Self>(1);

        /// `f32`s of scratch for the inference of `batch` samples at once.
        #[must_use]
        pub const fn infer_scratch(batch: usize) -> usize {
            $crate::layers::infer_scratch::<Self>(batch)
        }

        /// `f32`s of scratch for a training step on `batch` samples, on one thread.
        #[must_use]
        pub const fn train_scratch(batch: usize) -> usize {
            $crate::layers::train_scratch::<Self>(batch)
        }
    };
}
pub(super) use inherent_sizes;
