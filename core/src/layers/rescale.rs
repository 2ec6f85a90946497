//! A scale and a shift for each value, constants that are stored with the parameters and never trained.

use super::{
    AnyLayer, Const, Dim, FixedLayer, Io, Layer, Pass, Shape, Single, Visit, fixed::inherent_sizes,
    init_scale, split, write_back,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Element, Sink, scale_columns};

/// Reads each value as `x·scale[i] + shift[i]`, two roundings; the width is part of the type. Keras calls its like
/// `Normalization` and `Rescaling`.
///
/// Parameters: scale `[N]`, 1 at first, then shift `[N]`, 0 at first. No gradient moves them, and no decay: they are set once,
/// from the training data, and lie in the model file with the rest. As the first layer it standardizes features
/// (`scale = 1/σ`, `shift = -μ/σ`); as the last one it gives the values of a regression back in their own units.
///
/// ```
/// use picomlp::{Network, Rescale, Rescale as Standardize, chain, Dense, Relu};
///
/// type Net = chain![Standardize<3>, Dense<3, 8>, Relu<8>, Dense<8, 1>];
/// assert_eq!(Net::PARAMS, 2 * 3 + (3 * 8 + 8) + (8 + 1));
///
/// let (scale, shift) = ([0.5, 0.1, 2.0], [-1.0, 0.0, 0.5]);
/// let mut y = [0.0; 3];
/// let params = [scale, shift].concat();
/// Rescale::<3>::default().forward(&params, &[4.0, -20.0, 1.5], &mut y, &mut [])?;
/// assert_eq!(y, [1.0, -2.0, 3.5]);
/// # Ok::<(), picomlp::Error>(())
/// ```
pub type Rescale<const N: usize> = RescaleLayer<Const<N>>;

/// A scale and a shift for each value, of a width of either kind; see [`Rescale`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RescaleLayer<N> {
    width: N,
}

impl<N: Dim> RescaleLayer<N> {
    /// A layer of this width.
    #[must_use]
    pub const fn new(width: N) -> Self {
        Self { width }
    }
}

const fn shape(width: usize) -> Shape {
    let params = width.saturating_mul(2);
    Shape { params, constants: params, ..Shape::in_place(width) }
}

impl<N: Dim> Layer for RescaleLayer<N> {
    const SHOWS_ALL: bool = true;
    const STATIC_SHAPE: Option<Shape> = match N::SIZE {
        Some(width) => Some(shape(width)),
        None => None,
    };

    #[inline]
    fn shape(&self) -> Shape {
        shape(self.width.get())
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        visit(Single::Known(AnyLayer::rescale(self.width.get())))
    }

    fn init_pass(&self, params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {
        init_scale(params, self.width.get());
    }

    #[inline]
    fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        let (scale, shift) = split(pass.params, self.width.get())?;
        scale_columns(y, scale, shift);
        Ok(())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        _pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let (scale, _) = split(sink.params(), self.width.get())?;
        for row in io.d_y.chunks_exact_mut(scale.len().max(1)) {
            row.iter_mut().zip(scale).for_each(|(d, scale)| *d *= scale);
        }
        write_back(io.d_y, io.d_x);
        Ok(())
    }
}

impl<const N: usize> FixedLayer for Rescale<N> {
    const SHAPE: Shape = shape(N);
}

impl<const N: usize> Rescale<N> {
    inherent_sizes!();
}
