//! Layer normalisation, in place.

use super::{
    AnyLayer, Bits, Const, DEFAULT_EPSILON, Dim, FixedLayer, Io, Layer, Mode, Number, Pass, Real,
    Saved, Shape, Single, Visit, init_scale, split, split_mut, write_back,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{
    Element, Gradient, Sink, add_scale_gradient, copy, normalise_rows, normalise_rows_gradient,
    scale_columns,
};

/// Layer normalisation whose width and ε are part of its type; ε as bits, 1e-5 if left out.
///
/// Each sample is brought to mean 0 and deviation 1 over its values, then `y = x̂·gain + shift`. The same in training
/// and in use. Parameters: gain `[N]`, which begins at 1, then shift `[N]`, which begins at 0; both are trained.
///
/// # Source
///
/// Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450; ε inside the root, as PyTorch has it.
///
/// ```
/// use picomlp::{Chain, Dense, LayerNorm, Relu};
///
/// type Net = Chain<Chain<Chain<Dense<4, 8>, LayerNorm<8>>, Relu<8>>, Dense<8, 2>>;
/// assert_eq!(Net::PARAMS, 4 * 8 + 8 + 2 * 8 + 8 * 2 + 2);
/// ```
pub type LayerNorm<const N: usize, const EPSILON: u32 = DEFAULT_EPSILON> =
    LayerNormLayer<Const<N>, Bits<EPSILON>>;

/// Layer normalisation with width and ε of either kind; see [`LayerNorm`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerNormLayer<N, E> {
    width: N,
    epsilon: E,
}

impl<N: Dim> LayerNormLayer<N, Number> {
    /// A layer of this width; `epsilon`, above 0, is added to each variance.
    #[must_use]
    pub const fn new(width: N, epsilon: f32) -> Self {
        Self { width, epsilon: Number::new(epsilon) }
    }
}

impl<N: Dim, E: Real> LayerNormLayer<N, E> {
    /// What is added to each variance.
    #[must_use]
    pub fn epsilon(&self) -> f32 {
        self.epsilon.get()
    }
}

impl<N: Dim, E: Real> Layer for LayerNormLayer<N, E> {
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
        visit(Single::Known(AnyLayer::layer_norm(self.width.get(), self.epsilon())))
    }

    fn init_pass(&self, params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {
        init_scale(params, self.width.get());
    }

    #[inline]
    fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        let (width, epsilon) = (self.width.get(), self.epsilon());
        let (gain, shift) = split(pass.params, width)?;
        match pass.mode {
            Mode::Infer => {
                for y in y.chunks_exact_mut(width.max(1)) {
                    normalise_rows(y, &mut [0.0], epsilon);
                }
            }
            Mode::Train(_) => {
                let (normalised, rest) = split_mut(pass.saved, y.len())?;
                let (rstd, _) = split_mut(rest, y.len() / width.max(1))?;
                normalise_rows(y, rstd, epsilon);
                copy(y, normalised);
            }
        }
        scale_columns(y, gain, shift);
        Ok(())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let (width, batch) = (self.width.get(), io.x.len());
        let (normalised, rest) = split_mut(pass.saved, io.d_y.len())?;
        let (rstd, rest) = split_mut(rest, batch)?;
        let (d_gain, d_shift) = split_mut(rest, width)?;
        // First of all, since the gradient at the output is about to be overwritten; given away last, since the
        // parameters are about to be read.
        for (sum, at) in [(&mut *d_gain, 0), (&mut *d_shift, width)] {
            match sink.accumulated(at..at + width) {
                Some(before) => copy(before, sum),
                None => sum.fill(0.0),
            }
        }
        add_scale_gradient(normalised, io.d_y, d_gain, d_shift);
        let (gain, _) = split(sink.params(), width)?;
        normalise_rows_gradient(normalised, rstd, gain, io.d_y);
        sink.apply(0..width, Gradient::Dense(d_gain), true);
        sink.apply(width..2 * width, Gradient::Dense(d_shift), true);
        write_back(io.d_y, io.d_x);
        Ok(())
    }
}

/// Saved are the normalised values, each sample's `1/√(variance + ε)`, and the gradients of gain and shift.
const fn shape(width: usize) -> Shape {
    let saved = Saved { per_sample: width + 1, per_batch: 2 * width };
    Shape { params: width.saturating_mul(2), saved, ..Shape::in_place(width) }
}

impl<const N: usize, const EPSILON: u32> FixedLayer for LayerNorm<N, EPSILON> {
    const SHAPE: Shape = {
        assert!(f32::from_bits(EPSILON) > 0.0, "an epsilon is above 0");
        shape(N)
    };
}
