//! Sizes that the compiler knows.

use super::{Layer, Shape};

/// A layer or chain whose sizes are part of its type.
pub trait FixedLayer: Layer + Copy + Default {
    /// [`Layer::shape`], known to the compiler.
    const SHAPE: Shape;
    /// Values in one input.
    const INPUTS: usize = Self::SHAPE.inputs;
    /// Values in one output.
    const OUTPUTS: usize = Self::SHAPE.outputs;
    /// Parameters, weights and biases together.
    const PARAMS: usize = Self::SHAPE.params;
    /// Bytes of the int8 parameters; 0 for what has none.
    const INT8_BYTES: usize = 0;
}

/// Bytes of stack that inference takes at most on a microcontroller, with an FPU or without, in a release build, with a network of fixed
/// sizes: `firmware/src/bin/stack.rs` measures it and fails above.
pub const INFER_STACK: usize = 1024;

/// Bytes of stack that reading a blob takes at most, as [`INFER_STACK`].
pub const LOAD_STACK: usize = 1536;

/// Bytes of stack that a training step takes at most, as [`INFER_STACK`].
pub const TRAIN_STACK: usize = 2560;

/// Bytes of RAM for a training step: parameters, `state` `f32`s of optimizer state for each of them, scratch, and stack.
#[must_use]
pub const fn train_ram<N: FixedLayer>(state: usize, batch: usize) -> usize {
    4 * ((1 + state) * N::PARAMS + train_scratch::<N>(batch)) + TRAIN_STACK
}

/// Bytes of RAM, without the stack, for a training step of a head `H` behind a base `B` that stays in flash: the base's outputs, and the
/// head's parameters, optimizer state and scratch.
#[must_use]
pub const fn head_ram<B: FixedLayer, H: FixedLayer>(state: usize, batch: usize) -> usize {
    let params = (1 + state) * H::PARAMS;
    4 * (infer_scratch::<B>(batch) + params + train_scratch::<H>(batch))
}

/// Bytes of a blob with these parameters and nothing else: a header of 64, 16 for each layer and for the section, and the
/// parameters, filled up to a multiple of 16. With batch normalisation, which a blob holds folded, it is that or less.
#[must_use]
pub const fn flash<N: FixedLayer>() -> usize {
    64 + 16 * (N::SHAPE.inference_layers + 1) + (4 * N::PARAMS).next_multiple_of(16)
}

/// As [`flash`], with the int8 parameters alone.
#[must_use]
pub const fn int8_flash<N: FixedLayer>() -> usize {
    64 + 16 * (N::SHAPE.inference_layers + 1) + N::INT8_BYTES
}

/// `f32`s of scratch for the inference of `batch` samples at once.
#[must_use]
pub const fn infer_scratch<N: FixedLayer>(batch: usize) -> usize {
    N::SHAPE.infer_scratch(batch)
}

/// `f32`s of scratch for a training step on `batch` samples.
#[must_use]
pub const fn train_scratch<N: FixedLayer>(batch: usize) -> usize {
    N::SHAPE.train_scratch(1, batch)
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
        /// Bytes of RAM for the inference of one sample with the parameters in flash: scratch, and
        /// [`INFER_STACK`](crate::layers::INFER_STACK).
        pub const INFER_RAM: usize = 4 * Self::INFER_SCRATCH + $crate::layers::INFER_STACK;
        /// Bytes of RAM for training with [`Sgd`](crate::Sgd) on one sample at a time, parameters included.
        pub const TRAIN_RAM: usize = Self::train_ram(0, 1);
        /// Bytes of flash for the parameters: a blob that holds nothing else.
        pub const FLASH: usize = $crate::layers::flash::<Self>();
        /// Bytes of the parameters in int8, with their biases and multipliers.
        pub const INT8_BYTES: usize = <Self as FixedLayer>::INT8_BYTES;
        /// `i32`s of scratch for the int8 inference of one sample.
        pub const INT8_SCRATCH: usize = {
            let shape = <Self as FixedLayer>::SHAPE;
            $crate::int8::scratch_len(shape.max_outputs, shape.activations)
        };
        /// As [`INFER_RAM`](Self::INFER_RAM), in int8.
        pub const INT8_INFER_RAM: usize = 4 * Self::INT8_SCRATCH + $crate::layers::INFER_STACK;
        /// As [`FLASH`](Self::FLASH), in int8.
        pub const INT8_FLASH: usize = $crate::layers::int8_flash::<Self>();

        /// Bytes of RAM for training on `batch` samples at a time with an optimizer that keeps `state_per_param` `f32`s for
        /// each parameter: parameters, state, scratch, and [`TRAIN_STACK`](crate::layers::TRAIN_STACK).
        #[must_use]
        pub const fn train_ram(state_per_param: usize, batch: usize) -> usize {
            $crate::layers::train_ram::<Self>(state_per_param, batch)
        }

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
