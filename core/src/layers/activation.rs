//! Activations: ReLU, leaky ReLU, sigmoid and tanh, in place. Their ways back start from the output.

use super::{
    AnyLayer, Bits, Const, Dim, FixedLayer, Io, Layer, Number, OutputUse, Pass, Real, Shape,
    Single, Visit, write_back,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::relu::mask_gradient;
use crate::kernels::{
    Element, Sink, leaky_relu, leaky_relu_gradient, relu, sigmoid, sigmoid_gradient, tanh,
    tanh_gradient,
};

/// A function of each value for itself.
pub trait Function: Copy {
    /// What [`gradient`](Self::gradient) reads of the output.
    const READS: OutputUse;

    /// Replaces each value by the function of it.
    fn apply(self, y: &mut [f32]);

    /// Turns the gradient at the output `y` into that at the input.
    fn gradient(self, y: &[f32], d_y: &mut [f32]);

    /// The layer of this width, with its size known at run time. Nothing for a function of your own: none of them is the
    /// same function, and a network that has it cannot be exported or folded.
    fn layer(self, width: usize) -> Option<AnyLayer> {
        let _ = width;
        None
    }
}

/// `max(x, 0)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rectify;

/// `x` above zero, `slope·x` elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leak<S>(S);

/// `1/(1 + e⁻ˣ)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logistic;

/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tangent;

impl Function for Rectify {
    const READS: OutputUse = OutputUse::Sign;

    #[inline]
    fn apply(self, y: &mut [f32]) {
        relu(y);
    }

    #[inline]
    fn gradient(self, y: &[f32], d_y: &mut [f32]) {
        mask_gradient(y, d_y);
    }

    fn layer(self, width: usize) -> Option<AnyLayer> {
        Some(AnyLayer::relu(width))
    }
}

impl<S: Real> Function for Leak<S> {
    const READS: OutputUse = OutputUse::Sign;

    #[inline]
    fn apply(self, y: &mut [f32]) {
        leaky_relu(y, self.0.get());
    }

    #[inline]
    fn gradient(self, y: &[f32], d_y: &mut [f32]) {
        leaky_relu_gradient(y, d_y, self.0.get());
    }

    fn layer(self, width: usize) -> Option<AnyLayer> {
        Some(AnyLayer::leaky_relu(width, self.0.get()))
    }
}

impl Function for Logistic {
    const READS: OutputUse = OutputUse::Values;

    #[inline]
    fn apply(self, y: &mut [f32]) {
        sigmoid(y);
    }

    #[inline]
    fn gradient(self, y: &[f32], d_y: &mut [f32]) {
        sigmoid_gradient(y, d_y);
    }

    fn layer(self, width: usize) -> Option<AnyLayer> {
        Some(AnyLayer::sigmoid(width))
    }
}

impl Function for Tangent {
    const READS: OutputUse = OutputUse::Values;

    #[inline]
    fn apply(self, y: &mut [f32]) {
        tanh(y);
    }

    #[inline]
    fn gradient(self, y: &[f32], d_y: &mut [f32]) {
        tanh_gradient(y, d_y);
    }

    fn layer(self, width: usize) -> Option<AnyLayer> {
        Some(AnyLayer::tanh(width))
    }
}

/// A rectifier whose width is part of its type.
pub type Relu<const N: usize> = ReluLayer<Const<N>>;

/// A rectifier with a width of either kind.
pub type ReluLayer<N> = ActivationLayer<Rectify, N>;

/// A leaky rectifier whose width and slope below zero are part of its type; the slope as bits, 0.01 if left out.
///
/// ```
/// use picomlp::{Chain, Dense, LeakyRelu};
///
/// type Steep = LeakyRelu<8, { 0.2f32.to_bits() }>;
/// type Net = Chain<Chain<Dense<4, 8>, Steep>, Dense<8, 2>>;
/// assert_eq!(Net::PARAMS, 4 * 8 + 8 + 8 * 2 + 2);
/// ```
pub type LeakyRelu<const N: usize, const SLOPE: u32 = { 0.01f32.to_bits() }> =
    LeakyReluLayer<Const<N>, Bits<SLOPE>>;

/// A leaky rectifier with width and slope of either kind.
pub type LeakyReluLayer<N, S> = ActivationLayer<Leak<S>, N>;

/// A logistic function whose width is part of its type.
pub type Sigmoid<const N: usize> = SigmoidLayer<Const<N>>;

/// A logistic function with a width of either kind.
pub type SigmoidLayer<N> = ActivationLayer<Logistic, N>;

/// A hyperbolic tangent whose width is part of its type.
pub type Tanh<const N: usize> = TanhLayer<Const<N>>;

/// A hyperbolic tangent with a width of either kind.
pub type TanhLayer<N> = ActivationLayer<Tangent, N>;

/// An activation with a width of either kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivationLayer<F, N> {
    function: F,
    width: N,
}

impl<F: Function, N: Dim> ActivationLayer<F, N> {
    /// A layer of this function and width.
    #[must_use]
    pub const fn of(function: F, width: N) -> Self {
        Self { function, width }
    }
}

impl<N: Dim> ReluLayer<N> {
    /// A layer of this width.
    #[must_use]
    pub const fn new(width: N) -> Self {
        Self { function: Rectify, width }
    }
}

impl<N: Dim> LeakyReluLayer<N, Number> {
    /// A layer of this width and slope below zero.
    #[must_use]
    pub const fn new(width: N, slope: f32) -> Self {
        Self { function: Leak(Number::new(slope)), width }
    }
}

impl<N: Dim, S: Real> LeakyReluLayer<N, S> {
    /// The slope below zero.
    #[must_use]
    pub fn slope(&self) -> f32 {
        self.function.0.get()
    }
}

impl<N: Dim> SigmoidLayer<N> {
    /// A layer of this width.
    #[must_use]
    pub const fn new(width: N) -> Self {
        Self { function: Logistic, width }
    }
}

impl<N: Dim> TanhLayer<N> {
    /// A layer of this width.
    #[must_use]
    pub const fn new(width: N) -> Self {
        Self { function: Tangent, width }
    }
}

impl<F: Function, N: Dim> Layer for ActivationLayer<F, N> {
    const SHOWS_ALL: bool = true;
    const STATIC_SHAPE: Option<Shape> = match N::SIZE {
        Some(width) => Some(shape::<F>(width)),
        None => None,
    };

    #[inline]
    fn shape(&self) -> Shape {
        shape::<F>(self.width.get())
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        visit(match self.function.layer(self.width.get()) {
            Some(layer) => Single::Known(layer),
            None => Single::Custom { name: core::any::type_name::<F>(), shape: self.shape() },
        })
    }

    fn init_pass(&self, _params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {}

    #[inline]
    fn apply(&self, _pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        self.function.apply(y);
        Ok(())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        _pass: Pass<'_>,
        _sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        self.function.gradient(io.y, io.d_y);
        write_back(io.d_y, io.d_x);
        Ok(())
    }
}

impl<F: Function + Default, const N: usize> FixedLayer for ActivationLayer<F, Const<N>> {
    const SHAPE: Shape = shape::<F>(N);
}

const fn shape<F: Function>(width: usize) -> Shape {
    Shape { reads: F::READS, ..Shape::in_place(width) }
}
