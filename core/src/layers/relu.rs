//! The rectifier, `y = max(x, 0)`, in place.

use super::{AnyLayer, Const, Dim, Ends, FixedLayer, Layer, LayerList, Memory};
use crate::Error;
use crate::init::Init;
use crate::kernels::relu::mask_gradient;
use crate::kernels::{Batch, Element, GradientSink, Threads, relu};

/// A rectifier whose width is part of its type.
pub type Relu<const N: usize> = ReluLayer<Const<N>>;

/// A rectifier with a width of either kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReluLayer<N> {
    width: N,
}

impl<N: Dim> ReluLayer<N> {
    /// A layer of this width.
    #[must_use]
    pub const fn new(width: N) -> Self {
        Self { width }
    }
}

impl<N: Dim> Layer for ReluLayer<N> {
    #[inline]
    fn inputs(&self) -> usize {
        self.width.get()
    }

    #[inline]
    fn outputs(&self) -> usize {
        self.width.get()
    }

    #[inline]
    fn params(&self) -> usize {
        0
    }

    #[inline]
    fn between(&self) -> usize {
        0
    }

    #[inline]
    fn in_place(&self) -> bool {
        true
    }

    #[inline]
    fn gradient_width(&self, _at_inputs: bool) -> usize {
        0
    }

    #[inline]
    fn widest(&self) -> usize {
        0
    }

    fn describe(&self, layers: &mut LayerList) -> Result<(), Error> {
        AnyLayer::relu(self.width.get()).describe(layers)
    }

    fn init_pass(&self, _params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {}

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        _threads: &impl Threads,
        _params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        _between: &mut [f32],
    ) -> Result<(), Error> {
        let map = x.map();
        for (y, x) in y.iter_mut().zip(x.iter().flatten()) {
            *y = x.to_f32() * map.scale + map.shift;
        }
        self.apply(y);
        Ok(())
    }

    #[inline]
    fn apply(&self, y: &mut [f32]) {
        relu(y);
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        _threads: &impl Threads,
        _at: usize,
        _sink: &mut impl GradientSink,
        io: Ends<'_, T>,
        _memory: Memory<'_>,
    ) -> Result<(), Error> {
        mask_gradient(io.y, io.d_y);
        if let Some(d_x) = io.d_x {
            for (d_x, d_y) in d_x.iter_mut().zip(io.d_y.iter()) {
                *d_x = *d_y;
            }
        }
        Ok(())
    }
}

impl<const N: usize> FixedLayer for Relu<N> {
    const INPUTS: usize = N;
    const OUTPUTS: usize = N;
    const PARAMS: usize = 0;
    const BETWEEN: usize = 0;
    const IN_PLACE: bool = true;
    const WIDEST: usize = 0;
    const GRADIENT_WIDTH: usize = 0;
    const INNER_GRADIENT_WIDTH: usize = 0;
}
