//! Layers, and how they are chained into networks.
//!
//! A layer is a description of a few bytes; its numbers live in slices that the caller owns. Sizes are part
//! of the type ([`Dense`], [`Relu`], [`Chain`], [`Mlp`]) or values known only at run time ([`AnyLayer`],
//! [`Sequential`]); both run the same code, since a size is a [`Dim`] and a chain of two is one function.

mod any;
mod chain;
mod dense;
mod dim;
mod fixed;
mod group;
mod relu;
mod sequential;
mod trace;

pub use any::AnyLayer;
pub use chain::Chain;
pub use dense::{Dense, DenseLayer};
pub use dim::{Const, Dim};
pub use fixed::{
    FixedLayer, INFER_STACK, TRAIN_STACK, flash, infer_scratch, int8_flash, train_ram,
    train_scratch,
};
pub use group::{Group, for_each_group};
pub use relu::{Relu, ReluLayer};
pub use sequential::{LayerList, MAX_LAYERS, Sequential};
pub(crate) use trace::hidden_outputs;
pub use trace::trace;

use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, GradientSink, Threads, input_gradient_work, update_work};

/// The everyday network with one hidden layer: dense, ReLU, dense.
///
/// ```
/// use picomlp::Mlp;
///
/// type Net = Mlp<784, 128, 10>;
/// const _: () = assert!(Net::PARAM_BYTES <= 512 * 1024); // a budget that the compiler checks
/// assert_eq!(Net::PARAMS, 784 * 128 + 128 + 128 * 10 + 10);
/// assert_eq!(Net::INFER_SCRATCH, 128 + 10);
/// ```
pub type Mlp<const INPUTS: usize, const HIDDEN: usize, const OUTPUTS: usize> =
    Chain<Chain<Dense<INPUTS, HIDDEN>, Relu<HIDDEN>>, Dense<HIDDEN, OUTPUTS>>;

/// A layer, or a chain of them: sizes, and the two passes over slices that the caller owns.
///
/// The passes do not check the lengths of what they are given; [`Network`](crate::Network) does, once, and is
/// what user code calls.
pub trait Layer {
    /// Values in one input.
    fn inputs(&self) -> usize;

    /// Values in one output.
    fn outputs(&self) -> usize;

    /// Parameters, weights and biases together.
    fn params(&self) -> usize;

    /// Values between the layers of a chain, for one sample.
    fn between(&self) -> usize;

    /// Whether the layer writes its output over its input.
    fn in_place(&self) -> bool;

    /// The most outputs of a dense layer that has to find the gradient at its inputs; `at_inputs` says
    /// whether the first layer has to.
    fn gradient_width(&self, at_inputs: bool) -> usize;

    /// The most outputs of a dense layer.
    fn widest(&self) -> usize;

    /// Appends the single layers, first to last.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyLayers`] if `layers` is full.
    fn describe(&self, layers: &mut LayerList) -> Result<(), Error>;

    /// Sets the parameters; `index` counts the dense layers, each of which has a random stream of its own.
    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64);

    /// Computes `y: [batch][outputs]` from `x`; `between: [batch][between]` keeps what lies between the layers.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is.
    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        between: &mut [f32],
    ) -> Result<(), Error>;

    /// Turns the input in `y` into the output. Only for layers that are [`in_place`](Self::in_place).
    fn apply(&self, y: &mut [f32]);

    /// Gives `sink` the gradient of the parameters, which start at `at`, and writes that of the inputs to
    /// `d_x` if it is wanted. `d_y` may be overwritten.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is.
    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        at: usize,
        sink: &mut impl GradientSink,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error>;

    /// `f32`s of scratch for the inference of `batch` samples at once.
    fn infer_scratch(&self, batch: usize) -> usize {
        fixed::infer_len(self.between(), self.outputs(), batch)
    }

    /// `f32`s of scratch for a training step on `batch` samples, on one thread.
    fn train_scratch(&self, batch: usize) -> usize {
        self.train_scratch_on(1, batch)
    }

    /// `f32`s of scratch for a training step on `batch` samples, on so many threads.
    fn train_scratch_on(&self, threads: usize, batch: usize) -> usize {
        let widths = [self.widest(), self.gradient_width(false)];
        fixed::train_len(self.between(), self.outputs(), widths, batch, threads)
    }
}

/// What a backward pass goes between: the values and gradients at both ends of a layer.
#[derive(Debug)]
pub struct Ends<'a, T> {
    /// The input of the forward pass.
    pub x: Batch<'a, T>,
    /// Its output, `[batch][outputs]`.
    pub y: &'a [f32],
    /// The gradient at the output, `[batch][outputs]`; may be overwritten.
    pub d_y: &'a mut [f32],
    /// Where the gradient at the input goes, `[batch][inputs]`, if it is wanted.
    pub d_x: Option<&'a mut [f32]>,
}

/// What a backward pass works in.
#[derive(Debug)]
pub struct Memory<'a> {
    /// What the forward pass left between the layers, `[batch][between]`.
    pub between: &'a [f32],
    /// As long as `between`, for the gradients there.
    pub d_between: &'a mut [f32],
    /// What no pass expects to find again; as long as the hungriest layer needs.
    pub work: &'a mut [f32],
}

/// `f32`s of working memory that any layer's backward pass needs; `widths` are [`Layer::widest`] and
/// [`Layer::gradient_width`].
const fn work_len(widths: [usize; 2], batch: usize, threads: usize) -> usize {
    let update = update_work(widths[0], batch, threads);
    let input_gradient = input_gradient_work(widths[1], batch, threads);
    if update > input_gradient { update } else { input_gradient }
}

/// `slice[..at]` and `slice[at..]`.
fn split(slice: &[f32], at: usize) -> Result<(&[f32], &[f32]), Error> {
    slice.split_at_checked(at).ok_or(too_short(at, slice.len()))
}

/// `slice[..at]` and `slice[at..]`.
fn split_mut(slice: &mut [f32], at: usize) -> Result<(&mut [f32], &mut [f32]), Error> {
    let got = slice.len();
    slice.split_at_mut_checked(at).ok_or(too_short(at, got))
}

fn too_short(needed: usize, got: usize) -> Error {
    Error::BufferTooShort { what: "scratch", needed, got }
}
