//! One layer of any kind, with sizes known at run time.

use core::fmt;

use super::{
    BatchNormLayer, DenseLayer, DropoutLayer, Io, Layer, LayerNormLayer, LeakyReluLayer, Number,
    Pass, ReluLayer, RescaleLayer, Shape, SigmoidLayer, Single, TanhLayer, Visit,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink};

/// A layer as it stands in a blob's layer table, or in a network put together at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyLayer {
    /// Fully connected.
    Dense(DenseLayer<usize, usize, bool>),
    /// Rectifier.
    Relu(ReluLayer<usize>),
    /// Leaky rectifier.
    LeakyRelu(LeakyReluLayer<usize, Number>),
    /// Logistic function.
    Sigmoid(SigmoidLayer<usize>),
    /// Hyperbolic tangent.
    Tanh(TanhLayer<usize>),
    /// Layer normalisation.
    LayerNorm(LayerNormLayer<usize, Number>),
    /// Batch normalisation.
    BatchNorm(BatchNormLayer<usize, Number, Number>),
    /// Dropout.
    Dropout(DropoutLayer<usize, Number>),
    /// A scale and a shift for each value.
    Rescale(RescaleLayer<usize>),
}

impl AnyLayer {
    /// A fully connected layer.
    #[must_use]
    pub const fn dense(inputs: usize, outputs: usize) -> Self {
        Self::Dense(DenseLayer::new(inputs, outputs, true))
    }

    /// A fully connected layer without a bias.
    #[must_use]
    pub const fn dense_no_bias(inputs: usize, outputs: usize) -> Self {
        Self::Dense(DenseLayer::new(inputs, outputs, false))
    }

    /// A rectifier.
    #[must_use]
    pub const fn relu(width: usize) -> Self {
        Self::Relu(ReluLayer::new(width))
    }

    /// A leaky rectifier of this slope below zero.
    #[must_use]
    pub const fn leaky_relu(width: usize, slope: f32) -> Self {
        Self::LeakyRelu(LeakyReluLayer::new(width, slope))
    }

    /// A logistic function.
    #[must_use]
    pub const fn sigmoid(width: usize) -> Self {
        Self::Sigmoid(SigmoidLayer::new(width))
    }

    /// A hyperbolic tangent.
    #[must_use]
    pub const fn tanh(width: usize) -> Self {
        Self::Tanh(TanhLayer::new(width))
    }

    /// Layer normalisation; `epsilon` is added to each variance.
    #[must_use]
    pub const fn layer_norm(width: usize, epsilon: f32) -> Self {
        Self::LayerNorm(LayerNormLayer::new(width, epsilon))
    }

    /// Batch normalisation; `epsilon` is added to each variance, `momentum` is a batch's share in the running
    /// statistics.
    #[must_use]
    pub const fn batch_norm(width: usize, epsilon: f32, momentum: f32) -> Self {
        Self::BatchNorm(BatchNormLayer::new(width, epsilon, momentum))
    }

    /// Dropout of each value with this probability.
    #[must_use]
    pub const fn dropout(width: usize, probability: f32) -> Self {
        Self::Dropout(DropoutLayer::new(width, probability))
    }

    /// A scale and a shift for each value, which are not trained.
    #[must_use]
    pub const fn rescale(width: usize) -> Self {
        Self::Rescale(RescaleLayer::new(width))
    }

    /// [`Layer::params`], or nothing if the number is too large for this machine.
    pub(crate) fn checked_params(&self) -> Option<usize> {
        match self {
            Self::Dense(layer) => {
                let bias = if layer.has_bias() { layer.outputs() } else { 0 };
                layer.inputs().checked_mul(layer.outputs())?.checked_add(bias)
            }
            Self::LayerNorm(_) | Self::Rescale(_) => self.sizes()[0].checked_mul(2),
            Self::BatchNorm(layer) => layer.inputs().checked_mul(4),
            Self::Relu(_)
            | Self::LeakyRelu(_)
            | Self::Sigmoid(_)
            | Self::Tanh(_)
            | Self::Dropout(_) => Some(0),
        }
    }

    /// Whether the layer's settings make sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (what, expected, fits) = match self {
            Self::Dense(_)
            | Self::Relu(_)
            | Self::Sigmoid(_)
            | Self::Tanh(_)
            | Self::Rescale(_) => {
                return Ok(());
            }
            Self::LeakyRelu(layer) => {
                let slope = layer.slope();
                ("slope", "a finite number, 0 or more", slope.is_finite() && slope >= 0.0)
            }
            Self::LayerNorm(layer) => ("epsilon", EPSILON, is_epsilon(layer.epsilon())),
            Self::BatchNorm(layer) if !is_epsilon(layer.epsilon()) => ("epsilon", EPSILON, false),
            Self::BatchNorm(layer) => {
                ("momentum", "from 0 to 1", (0.0..=1.0).contains(&layer.momentum()))
            }
            Self::Dropout(layer) => {
                let expected = "a drop probability: at least 0 and below 1";
                ("probability", expected, (0.0..1.0).contains(&layer.probability()))
            }
        };
        if fits { Ok(()) } else { Err(Error::Setting { what, expected }) }
    }

    /// What users call a layer of this kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Relu(_) => "relu",
            Self::LeakyRelu(_) => "leaky-relu",
            Self::Sigmoid(_) => "sigmoid",
            Self::Tanh(_) => "tanh",
            Self::LayerNorm(_) => "layer-norm",
            Self::BatchNorm(_) => "batch-norm",
            Self::Dropout(_) => "dropout",
            Self::Rescale(_) => "rescale",
        }
    }
}

/// What an ε must be: [`is_epsilon`].
const EPSILON: &str = "a finite number above 0";

fn is_epsilon(epsilon: f32) -> bool {
    epsilon.is_finite() && epsilon > 0.0
}

/// Kind, sizes and settings: `dense 784→128`, `leaky-relu 128→128, slope 0.01`.
impl fmt::Display for AnyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}→{}", self.name(), self.inputs(), self.outputs())?;
        match self {
            Self::Dense(layer) if !layer.has_bias() => f.write_str(", no bias"),
            Self::LeakyRelu(layer) => write!(f, ", slope {}", layer.slope()),
            Self::LayerNorm(layer) => write!(f, ", epsilon {}", layer.epsilon()),
            Self::BatchNorm(layer) => {
                write!(f, ", epsilon {}, momentum {}", layer.epsilon(), layer.momentum())
            }
            Self::Dropout(layer) => write!(f, ", probability {}", layer.probability()),
            _ => Ok(()),
        }
    }
}

/// The same call on whichever layer it is.
macro_rules! each {
    ($any:expr, $layer:ident => $call:expr) => {
        match $any {
            AnyLayer::Dense($layer) => $call,
            AnyLayer::Relu($layer) => $call,
            AnyLayer::LeakyRelu($layer) => $call,
            AnyLayer::Sigmoid($layer) => $call,
            AnyLayer::Tanh($layer) => $call,
            AnyLayer::LayerNorm($layer) => $call,
            AnyLayer::BatchNorm($layer) => $call,
            AnyLayer::Dropout($layer) => $call,
            AnyLayer::Rescale($layer) => $call,
        }
    };
}

impl AnyLayer {
    /// Inputs and outputs, without the code for the rest of a [`Shape`].
    pub(crate) fn sizes(&self) -> [usize; 2] {
        each!(self, layer => [layer.inputs(), layer.outputs()])
    }
}

/// Implements [`Layer`] by the same calls on another layer: `with!(self, layer => call)` names it.
macro_rules! delegate_layer {
    (impl Layer for $type:ty, $with:ident, |$self:ident, $visit:ident| $for_each:expr, $shape:expr) => {
        impl Layer for $type {
            const SHOWS_ALL: bool = true;

            fn shape(&$self) -> Shape {
                $shape
            }

            fn for_each_layer(&$self, $visit: &mut Visit<'_>) -> Result<(), Error> {
                $for_each
            }

            fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
                $with!(self, layer => layer.init_pass(params, init, seed, index));
            }

            fn forward_pass<T: Element>(
                &self,
                pass: Pass<'_>,
                x: Batch<'_, T>,
                y: &mut [f32],
            ) -> Result<(), Error> {
                $with!(self, layer => layer.forward_pass(pass, x, y))
            }

            fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
                $with!(self, layer => layer.apply(pass, y))
            }

            fn backward_pass<T: Element>(
                &self,
                pass: Pass<'_>,
                sink: &mut Sink<'_>,
                io: Io<'_, T>,
            ) -> Result<(), Error> {
                $with!(self, layer => layer.backward_pass(pass, sink, io))
            }

            fn update_running_stats(
                &self,
                params: &mut [f32],
                saved: &mut [f32],
                batch: usize,
            ) -> Result<(), Error> {
                $with!(self, layer => layer.update_running_stats(params, saved, batch))
            }
        }
    };
}
pub(super) use delegate_layer;

delegate_layer!(
    impl Layer for AnyLayer, each,
    |self, visit| visit(Single::Known(*self)),
    each!(self, layer => layer.shape())
);
