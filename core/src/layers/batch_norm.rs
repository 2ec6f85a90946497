//! Batch normalisation, in place.

use super::{
    AnyLayer, Bits, Const, DEFAULT_EPSILON, Dim, FixedLayer, Io, Layer, Mode, Number, Pass, Real,
    Saved, Shape, Single, Visit, init_scale, split, split_mut, write_back,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{
    Element, Gradient, Sink, column_statistics, copy, normalise_columns,
    normalise_columns_gradient, scale_columns, scale_gradient,
};
use crate::math;

/// Batch normalisation of vectors, with width, ε and momentum part of its type; the last two as bits, 1e-5 and 0.1 if
/// left out. PyTorch calls it `BatchNorm1d`.
///
/// In training each value is brought to mean 0 and deviation 1 over the batch, then `y = x̂·gain + shift`; in use, the
/// running mean and variance take the place of the batch's. Parameters, `[N]` each: gain, which begins at 1, and shift,
/// at 0, both trained; running mean, at 0, and running variance, at 1, which no gradient moves: each step brings them
/// nearer to the batch's, `running = (1 - momentum)·running + momentum·batch`, the variance as the unbiased one.
///
/// [`Network::fold`](crate::Network::fold) works it into the dense layer before it, so that the network in use does
/// not know of it; a blob holds folded networks only. A step needs a batch of two at least.
///
/// # Source
///
/// Ioffe and Szegedy, "Batch normalization", ICML 2015; running statistics as PyTorch has them.
///
/// ```
/// use picomlp::{BatchNorm, Chain, Dense, Relu};
///
/// type Net = Chain<Chain<Chain<Dense<4, 8>, BatchNorm<8>>, Relu<8>>, Dense<8, 2>>;
/// assert_eq!(Net::PARAMS, 4 * 8 + 8 + 4 * 8 + 8 * 2 + 2);
/// ```
pub type BatchNorm<
    const N: usize,
    const EPSILON: u32 = DEFAULT_EPSILON,
    const MOMENTUM: u32 = { 0.1f32.to_bits() },
> = BatchNormLayer<Const<N>, Bits<EPSILON>, Bits<MOMENTUM>>;

/// Batch normalisation with width, ε and momentum of either kind; see [`BatchNorm`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchNormLayer<N, E, M> {
    width: N,
    epsilon: E,
    momentum: M,
}

impl<N: Dim> BatchNormLayer<N, Number, Number> {
    /// A layer of this width; `epsilon`, above 0, is added to each variance, and `momentum`, from 0 to 1, is a batch's
    /// share in the running statistics.
    #[must_use]
    pub const fn new(width: N, epsilon: f32, momentum: f32) -> Self {
        Self { width, epsilon: Number::new(epsilon), momentum: Number::new(momentum) }
    }
}

/// The parameters, `[width]` each.
struct Params<'a> {
    gain: &'a [f32],
    shift: &'a [f32],
    mean: &'a [f32],
    variance: &'a [f32],
}

impl<'a> Params<'a> {
    fn of(params: &'a [f32], width: usize) -> Result<Self, Error> {
        let (gain, rest) = split(params, width)?;
        let (shift, rest) = split(rest, width)?;
        let (mean, variance) = split(rest, width)?;
        Ok(Self { gain, shift, mean, variance })
    }
}

/// What a training pass keeps of a batch.
struct OfBatch<'a> {
    normalised: &'a mut [f32],
    mean: &'a mut [f32],
    variance: &'a mut [f32],
    rstd: &'a mut [f32],
    d_gain: &'a mut [f32],
    d_shift: &'a mut [f32],
}

impl<'a> OfBatch<'a> {
    fn of(saved: &'a mut [f32], batch: usize, width: usize) -> Result<Self, Error> {
        let (normalised, rest) = split_mut(saved, batch * width)?;
        let (mean, rest) = split_mut(rest, width)?;
        let (variance, rest) = split_mut(rest, width)?;
        let (rstd, rest) = split_mut(rest, width)?;
        let (d_gain, rest) = split_mut(rest, width)?;
        let (d_shift, _) = split_mut(rest, width)?;
        Ok(Self { normalised, mean, variance, rstd, d_gain, d_shift })
    }
}

const fn shape(width: usize) -> Shape {
    let saved = Saved { per_sample: width, per_batch: width.saturating_mul(5) };
    let constants = width.saturating_mul(2);
    let params = width.saturating_mul(4);
    Shape { params, constants, saved, min_batch: 2, ..Shape::in_place(width) }
}

impl<N: Dim, E: Real, M: Real> BatchNormLayer<N, E, M> {
    /// What is added to each variance.
    #[must_use]
    pub fn epsilon(&self) -> f32 {
        self.epsilon.get()
    }

    /// A batch's share in the running statistics.
    #[must_use]
    pub fn momentum(&self) -> f32 {
        self.momentum.get()
    }

    /// What the layer multiplies a value of a column by in use, once the running mean has been taken from it.
    pub(super) fn factor(&self, gain: f32, variance: f32) -> f32 {
        gain * (1.0 / math::sqrt(variance + self.epsilon()))
    }
}

impl<N: Dim, E: Real, M: Real> Layer for BatchNormLayer<N, E, M> {
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
        visit(Single::Known(AnyLayer::batch_norm(
            self.width.get(),
            self.epsilon(),
            self.momentum(),
        )))
    }

    fn init_pass(&self, params: &mut [f32], _init: Init, _seed: u64, _index: &mut u64) {
        let width = self.width.get();
        init_scale(params, width);
        // The running means are 0, too; the variances come last.
        if let Some((_, variances)) = params.split_at_mut_checked(3 * width) {
            variances.fill(1.0);
        }
    }

    #[inline]
    fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        let width = self.width.get();
        let Params { gain, shift, mean, variance } = Params::of(pass.params, width)?;
        if let Mode::Train(_) = pass.mode {
            let of = OfBatch::of(pass.saved, y.len() / width.max(1), width)?;
            column_statistics(y, of.mean, of.variance, of.rstd, self.epsilon());
            normalise_columns(y, of.mean, of.rstd);
            copy(y, of.normalised);
            scale_columns(y, gain, shift);
            return Ok(());
        }
        // One column after the other: there is no room for all factors. Only validation comes here: a device runs the
        // folded network.
        for (o, (((gain, shift), mean), variance)) in
            gain.iter().zip(shift).zip(mean).zip(variance).enumerate()
        {
            let factor = self.factor(*gain, *variance);
            for y in y.iter_mut().skip(o).step_by(width.max(1)) {
                *y = (*y - mean) * factor + shift;
            }
        }
        Ok(())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let width = self.width.get();
        let of = OfBatch::of(pass.saved, io.x.len(), width)?;
        scale_gradient(of.normalised, io.d_y, of.d_gain, of.d_shift);
        let (gain, _) = split(sink.params(), width)?;
        normalise_columns_gradient(of.normalised, of.rstd, gain, of.d_gain, of.d_shift, io.d_y);
        // After the gain has been read.
        sink.apply(0..width, Gradient::Dense(of.d_gain), true);
        sink.apply(width..2 * width, Gradient::Dense(of.d_shift), true);
        write_back(io.d_y, io.d_x);
        Ok(())
    }

    fn update_running_stats(
        &self,
        params: &mut [f32],
        saved: &mut [f32],
        batch: usize,
    ) -> Result<(), Error> {
        let width = self.width.get();
        let of = OfBatch::of(saved, batch, width)?;
        let (_, rest) = split_mut(params, 2 * width)?;
        let (mean, variance) = split_mut(rest, width)?;
        let (new, old) = (self.momentum(), 1.0 - self.momentum());
        let unbiased = batch as f32 / (batch - 1).max(1) as f32;
        for (running, mean) in mean.iter_mut().zip(of.mean) {
            *running = *running * old + *mean * new;
        }
        for (running, variance) in variance.iter_mut().zip(of.variance) {
            *running = *running * old + *variance * unbiased * new;
        }
        Ok(())
    }
}

impl<const N: usize, const EPSILON: u32, const MOMENTUM: u32> FixedLayer
    for BatchNorm<N, EPSILON, MOMENTUM>
{
    const SHAPE: Shape = {
        assert!(f32::from_bits(EPSILON) > 0.0, "an epsilon is above 0");
        let momentum = f32::from_bits(MOMENTUM);
        assert!(momentum >= 0.0 && momentum <= 1.0, "a momentum is from 0 to 1");
        shape(N)
    };
}
