//! One layer of any kind, with sizes known at run time.

use super::{DenseLayer, Ends, Layer, LayerList, MAX_LAYERS, Memory, ReluLayer};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, GradientSink, Threads};

/// A layer as it stands in a blob's layer table, or in a network put together at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyLayer {
    /// Fully connected.
    Dense(DenseLayer<usize, usize>),
    /// Rectifier.
    Relu(ReluLayer<usize>),
}

impl AnyLayer {
    /// A fully connected layer.
    #[must_use]
    pub const fn dense(inputs: usize, outputs: usize) -> Self {
        Self::Dense(DenseLayer::new(inputs, outputs))
    }

    /// A rectifier.
    #[must_use]
    pub const fn relu(width: usize) -> Self {
        Self::Relu(ReluLayer::new(width))
    }

    /// [`Layer::params`], or nothing if the number is too large for this machine.
    pub(crate) fn checked_params(&self) -> Option<usize> {
        match self {
            Self::Dense(layer) => {
                layer.inputs().checked_mul(layer.outputs())?.checked_add(layer.outputs())
            }
            Self::Relu(_) => Some(0),
        }
    }

    /// What users call a layer of this kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Relu(_) => "relu",
        }
    }
}

/// The same call on whichever layer it is.
macro_rules! each {
    ($any:expr, $layer:ident => $call:expr) => {
        match $any {
            AnyLayer::Dense($layer) => $call,
            AnyLayer::Relu($layer) => $call,
        }
    };
}

impl Layer for AnyLayer {
    fn inputs(&self) -> usize {
        each!(self, layer => layer.inputs())
    }

    fn outputs(&self) -> usize {
        each!(self, layer => layer.outputs())
    }

    fn params(&self) -> usize {
        each!(self, layer => layer.params())
    }

    fn between(&self) -> usize {
        each!(self, layer => layer.between())
    }

    fn in_place(&self) -> bool {
        each!(self, layer => layer.in_place())
    }

    fn gradient_width(&self, at_inputs: bool) -> usize {
        each!(self, layer => layer.gradient_width(at_inputs))
    }

    fn widest(&self) -> usize {
        each!(self, layer => layer.widest())
    }

    fn describe(&self, layers: &mut LayerList) -> Result<(), Error> {
        layers.push(*self).map_err(|_| Error::TooManyLayers { most: MAX_LAYERS })
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        each!(self, layer => layer.init_pass(params, init, seed, index));
    }

    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        between: &mut [f32],
    ) -> Result<(), Error> {
        each!(self, layer => layer.forward_pass(threads, params, x, y, between))
    }

    fn apply(&self, y: &mut [f32]) {
        each!(self, layer => layer.apply(y));
    }

    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        at: usize,
        sink: &mut impl GradientSink,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        each!(self, layer => layer.backward_pass(threads, at, sink, io, memory))
    }
}
