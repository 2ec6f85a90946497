//! Layers, and how they are chained into networks.
//!
//! A layer is a description of a few bytes; its numbers live in slices that the caller owns. Sizes are part
//! of the type ([`Dense`], [`Relu`], [`Chain`], [`Mlp`]) or values known only at run time ([`AnyLayer`],
//! [`Sequential`]); both run the same code, since a size is a [`Dim`] and a chain of two is one function.

mod activation;
mod any;
mod batch_norm;
mod chain;
mod dense;
mod dim;
mod dropout;
mod fixed;
mod fold;
mod group;
mod layer_norm;
mod mode;
mod number;
mod pass;
mod rescale;
mod sequential;
mod shape;
mod trace;

pub use activation::{
    ActivationLayer, Function, Leak, LeakyRelu, LeakyReluLayer, Logistic, Rectify, Relu, ReluLayer,
    Sigmoid, SigmoidLayer, Tangent, Tanh, TanhLayer,
};
pub use any::AnyLayer;
pub use batch_norm::{BatchNorm, BatchNormLayer};
pub use chain::Chain;
pub use dense::{Bias, Dense, DenseLayer, DenseNoBias, NoBias, WithBias};
pub use dim::{Const, Dim};
pub use dropout::{Dropout, DropoutLayer};
pub use fixed::{
    FixedLayer, INFER_STACK, LOAD_STACK, TRAIN_STACK, flash, head_ram, infer_scratch, int8_flash,
    train_ram, train_scratch,
};
pub(crate) use fold::fold;
pub use group::{Group, for_each_group};
pub use layer_norm::{LayerNorm, LayerNormLayer};
pub use mode::{Draws, Mode};
pub use number::{Bits, Number, Real};
pub use pass::{Io, Pass};
pub use rescale::{Rescale, RescaleLayer};
pub(crate) use sequential::Sizes;
pub use sequential::{LayerList, MAX_LAYERS, Sequential};
pub use shape::{OutputUse, Saved, Shape};
pub use trace::trace;

use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink, copy, keep_rolled};
use crate::math::is_finite;

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

/// ε of the normalisations if none is given: 1e-5, as bits.
const DEFAULT_EPSILON: u32 = 1e-5f32.to_bits();

/// A layer, or a chain of them: sizes, and the two passes over slices that the caller owns.
///
/// The passes do not check the lengths of what they are given; [`Network`](crate::Network) does, once, and is
/// what user code calls.
pub trait Layer {
    /// The [`shape`](Self::shape), if it is part of the type: then a [`Chain`] computes its sizes when it is compiled, and one of
    /// layers that do not meet does not compile.
    const STATIC_SHAPE: Option<Shape> = None;

    /// Whether [`for_each_layer`](Self::for_each_layer) is known to show all of the network: this crate's own does.
    #[doc(hidden)]
    const SHOWS_ALL: bool = false;

    /// Sizes, and what the passes need.
    fn shape(&self) -> Shape;

    /// Values in one input.
    #[inline]
    fn inputs(&self) -> usize {
        self.shape().inputs
    }

    /// Values in one output.
    #[inline]
    fn outputs(&self) -> usize {
        self.shape().outputs
    }

    /// Parameters, weights and biases together.
    #[inline]
    fn params(&self) -> usize {
        self.shape().params
    }

    /// Shows `visit` the single layers, first to last. A layer of your own leaves this as it is.
    ///
    /// # Errors
    ///
    /// What `visit` returns.
    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        visit(Single::Custom { name: core::any::type_name::<Self>(), shape: self.shape() })
    }

    /// Appends the single layers, first to last.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyLayers`] if `layers` is full, [`Error::CannotDescribe`] for a layer that is none of [`AnyLayer`]'s.
    fn describe(&self, layers: &mut LayerList) -> Result<(), Error> {
        self.for_each_layer(&mut |layer| {
            layers.push(layer.known()?).map_err(|_| Error::TooManyLayers { most: MAX_LAYERS })
        })
    }

    /// Sets the parameters; `index` counts the dense layers, each of which has a random stream of its own.
    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64);

    /// Computes `y: [batch][outputs]` from `x`. A layer that works in place implements [`apply`](Self::apply) alone.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is, [`Error::InputNotFinite`].
    #[inline]
    fn forward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        x: Batch<'_, T>,
        y: &mut [f32],
    ) -> Result<(), Error> {
        read_into(x, y);
        check_inputs(x, y, 1)?;
        self.apply(pass, y)
    }

    /// Turns the input in `y` into the output. Only for layers that work [`in_place`](Shape::in_place); the others leave
    /// it as it is.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is.
    fn apply(&self, _pass: Pass<'_>, _y: &mut [f32]) -> Result<(), Error> {
        Ok(())
    }

    /// Hands the gradient of the parameters to `sink`, which has no others, and writes that of the inputs to `io.d_x` if it
    /// is wanted. `io.d_y` may be overwritten. The mode is that of the forward pass, a training one.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is.
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error>;

    /// Updates the parameters that no gradient moves, the running statistics, from what a training pass on `batch` samples
    /// saved.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooShort`] if a slice is.
    fn update_running_stats(
        &self,
        _params: &mut [f32],
        _saved: &mut [f32],
        _batch: usize,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// `f32`s of scratch for the inference of `batch` samples at once.
    fn infer_scratch(&self, batch: usize) -> usize {
        self.shape().infer_scratch(batch)
    }

    /// `f32`s of scratch for a training step on `batch` samples, on one thread.
    fn train_scratch(&self, batch: usize) -> usize {
        self.train_scratch_on(1, batch)
    }

    /// `f32`s of scratch for a training step on `batch` samples, on `threads` threads.
    fn train_scratch_on(&self, threads: usize, batch: usize) -> usize {
        self.shape().train_scratch(threads, batch)
    }
}

/// A single layer, as a network describes it.
#[derive(Clone, Copy, Debug)]
pub enum Single {
    /// One of the kinds that a blob can hold, or that are [folded](crate::Network::fold) before it is written.
    Known(AnyLayer),
    /// Another one: a type of the user's.
    Custom {
        /// The name of the type.
        name: &'static str,
        /// Its sizes.
        shape: Shape,
    },
}

/// What [`Layer::for_each_layer`] calls.
pub type Visit<'a> = dyn FnMut(Single) -> Result<(), Error> + 'a;

impl Single {
    /// The layer, if it is one of the known kinds.
    pub(crate) fn known(self) -> Result<AnyLayer, Error> {
        match self {
            Self::Known(layer) => Ok(layer),
            Self::Custom { name, .. } => Err(Error::CannotDescribe { layer: name }),
        }
    }
}

/// Checks that the described layers are the whole network: their sizes meet and their parameters add up.
pub(crate) fn check_described<N: Layer + ?Sized>(net: &N) -> Result<(), Error> {
    let net_shape = net.shape();
    net_shape.check()?;
    if N::SHOWS_ALL {
        return Ok(());
    }
    let mut sizes = Sizes::default();
    net.for_each_layer(&mut |layer| match layer {
        Single::Known(layer) => sizes.push(&layer),
        Single::Custom { shape, .. } => {
            sizes.push_sizes(shape.inputs, shape.outputs, Some(shape.params))
        }
    })?;
    let (described, params) = (sizes.params, net_shape.params);
    if described != params {
        return Err(Error::DescribedParams { described, params });
    }
    Ok(())
}

/// Whether all inputs are finite, found by one output of each sample, `outputs` apart.
///
/// An output of a dense layer is not finite if any input is not: `x·w` is then NaN or infinite for every weight, 0
/// included, and no sum that it is added to becomes finite again. So one comparison a sample does, and the inputs are looked at
/// only to say which one it was; if all are finite, the sum has overflowed, which the end of the pass finds.
/// A layer that works in place says that its outputs are 1 apart, before it changes the values: all are looked at.
#[inline]
fn check_inputs<T: Element>(x: Batch<'_, T>, y: &[f32], outputs: usize) -> Result<(), Error> {
    let mut firsts = y.iter().step_by(outputs.max(1));
    let all = !T::HAS_NAN
        || firsts.all(|y| {
            keep_rolled();
            is_finite(*y)
        });
    if all { Ok(()) } else { find_not_finite(x) }
}

/// Where the first value stands that is NaN or infinite.
#[inline(never)] // one copy, whatever the number of values
pub(crate) fn first_not_finite<T: Element>(values: &[T]) -> Option<usize> {
    values.iter().position(|value| {
        keep_rolled();
        !is_finite(value.to_f32())
    })
}

#[cold]
fn find_not_finite<T: Element>(x: Batch<'_, T>) -> Result<(), Error> {
    for (sample, values) in x.iter().enumerate() {
        if let Some(input) = first_not_finite(values) {
            return Err(Error::InputNotFinite { sample, input });
        }
    }
    Ok(())
}

/// The single layers of the network in use: all but dropout.
pub(crate) fn in_use(net: &(impl Layer + ?Sized)) -> Result<LayerList, Error> {
    check_described(net)?;
    let mut layers = LayerList::new();
    net.describe(&mut layers)?;
    layers.retain(|layer| !matches!(layer, AnyLayer::Dropout(_)));
    Ok(layers)
}

/// Reads the input of a layer that works in place to where its output will be.
fn read_into<T: Element>(x: Batch<'_, T>, y: &mut [f32]) {
    let map = x.map();
    for (y, x) in y.iter_mut().zip(x.iter().flatten()) {
        *y = x.to_f32() * map.scale + map.shift;
    }
}

/// Writes the gradient at the input of a layer that works in place to where it is wanted.
fn write_back(d_y: &[f32], d_x: Option<&mut [f32]>) {
    if let Some(d_x) = d_x {
        copy(d_y, d_x);
    }
}

/// A gain of 1 for each value, and zeros.
fn init_scale(params: &mut [f32], width: usize) {
    let (gain, rest) = params.split_at_mut(params.len().min(width));
    gain.fill(1.0);
    rest.fill(0.0);
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
