//! Dropout, in place.

use super::{
    AnyLayer, Bits, Const, Dim, Draws, FixedLayer, Io, Layer, Mode, Number, Pass, Real, Shape,
    Single, Visit, write_back,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Element, Sink, dropout};
use crate::rng::{Purpose, Stream};

/// Dropout whose width and drop probability are part of its type; the probability as bits, 0.5 if left out.
///
/// In training each value is set to zero with probability `P` and else multiplied by `1/(1 - P)` (inverted dropout); in
/// use it stays as it is. Which values, the seed, the step, the layer's place and the sample's place in the batch say, so
/// that a run can be repeated. A blob does not hold the layer: what it describes is the network in use.
///
/// # Source
///
/// Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014; section 10
/// has the scaling in training.
///
/// ```
/// use picomlp::{Chain, Dense, Dropout, Relu};
///
/// type Hidden = Chain<Chain<Dense<4, 8>, Relu<8>>, Dropout<8, { 0.25f32.to_bits() }>>;
/// type Net = Chain<Hidden, Dense<8, 2>>;
/// assert_eq!(Net::PARAMS, 4 * 8 + 8 + 8 * 2 + 2);
/// ```
pub type Dropout<const N: usize, const P: u32 = { 0.5f32.to_bits() }> =
    DropoutLayer<Const<N>, Bits<P>>;

/// Dropout with width and drop probability of either kind; see [`Dropout`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropoutLayer<N, P> {
    width: N,
    probability: P,
}

impl<N: Dim> DropoutLayer<N, Number> {
    /// A layer of this width that drops each value with this probability, at least 0 and below 1.
    #[must_use]
    pub const fn new(width: N, probability: f32) -> Self {
        Self { width, probability: Number::new(probability) }
    }
}

impl<N: Dim, P: Real> DropoutLayer<N, P> {
    /// The probability that a value is dropped.
    #[must_use]
    pub fn probability(&self) -> f32 {
        self.probability.get()
    }

    /// Zeroes and scales `values: [batch][width]` as this pass does. The way forward and the way back do the same, to
    /// values and to their gradients, so no mask is kept.
    #[inline]
    pub fn drop(&self, draws: Draws, values: &mut [f32]) {
        let Draws { seed, step, layer, first } = draws;
        let probability = self.probability();
        // Exact: a power of two, then towards zero; a probability of 1 would leave no scale.
        let threshold = (probability * 4_294_967_296.0) as u32;
        let scale = 1.0 / (1.0 - probability);
        for (sample, row) in (first..).zip(values.chunks_exact_mut(self.width.get().max(1))) {
            let mut stream =
                Stream::of(seed, Purpose::Dropout, &[step, layer as u64, sample as u64]);
            dropout(row, || stream.bits(), threshold, scale);
        }
    }
}

impl<N: Dim, P: Real> Layer for DropoutLayer<N, P> {
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
        visit(Single::Known(AnyLayer::dropout(self.width.get(), self.probability())))
    }

    fn init_pass(&self, _params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {}

    #[inline]
    fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        if let Mode::Train(draws) = pass.mode {
            self.drop(draws, y);
        }
        Ok(())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        _sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        if let Mode::Train(draws) = pass.mode {
            self.drop(draws, io.d_y);
        }
        write_back(io.d_y, io.d_x);
        Ok(())
    }
}

impl<const N: usize, const P: u32> FixedLayer for Dropout<N, P> {
    const SHAPE: Shape = {
        let p = f32::from_bits(P);
        assert!(p >= 0.0 && p < 1.0, "a drop probability is at least 0 and below 1");
        shape(N)
    };
}

/// What is dropped has no gradient, and what is not keeps its sign.
const fn shape(width: usize) -> Shape {
    Shape { keeps_sign: true, inference_layers: 0, ..Shape::in_place(width) }
}
