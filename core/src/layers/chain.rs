//! Two layers, one after the other.

use super::pass::Halves;
use super::{FixedLayer, Io, Layer, Mode, Pass, Shape, Visit, fixed::inherent_sizes, split_mut};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink};

/// `B` after `A`; longer networks are chains of chains, `Chain<Chain<A, B>, C>`.
///
/// Parameters: those of `A`, then those of `B`. Sizes that do not meet do not compile, whether a constant of the type is
/// named or not; sizes known only at run time are refused by every call that checks its arguments.
///
/// ```compile_fail,E0080
/// use picomlp::{Chain, Dense};
/// type Wrong = Chain<Dense<784, 32>, Dense<16, 10>>; // 32 into 16
/// let params = [0.0; Wrong::PARAMS];
/// ```
///
/// ```compile_fail,E0080
/// use picomlp::{Chain, Dense, Layer};
/// let wrong = Chain::<Dense<4, 8>, Dense<6, 2>>::default();
/// let params = wrong.params();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain<A, B>(pub A, pub B);

/// The type of a network of these layers, first to last: a [`Chain`] of chains.
///
/// ```
/// use picomlp::{Dense, LayerNorm, Relu, chain};
///
/// type Net = chain![Dense<6, 64>, LayerNorm<64>, Relu<64>, Dense<64, 8>, Relu<8>, Dense<8, 4>];
/// assert_eq!(Net::PARAMS, (6 * 64 + 64) + 2 * 64 + (64 * 8 + 8) + (8 * 4 + 4));
/// ```
#[macro_export]
macro_rules! chain {
    ($first:ty, $second:ty $(,)?) => { $crate::Chain<$first, $second> };
    ($first:ty, $second:ty, $($next:ty),+ $(,)?) => {
        $crate::chain![$crate::Chain<$first, $second>, $($next),+]
    };
}

/// "First a, then b": a network with run-time sizes is a chain of its layers before the last, and the last.
impl<A: Layer, B: Layer> Layer for Chain<A, B> {
    const SHOWS_ALL: bool = A::SHOWS_ALL && B::SHOWS_ALL;
    const STATIC_SHAPE: Option<Shape> = match (A::STATIC_SHAPE, B::STATIC_SHAPE) {
        (Some(a), Some(b)) => {
            assert!(
                a.outputs == b.inputs,
                "a layer's inputs must be the outputs of the one before"
            );
            Some(a.then(b))
        }
        _ => None,
    };

    #[inline]
    fn shape(&self) -> Shape {
        match Self::STATIC_SHAPE {
            Some(shape) => shape,
            None => self.0.shape().then(self.1.shape()),
        }
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.0.for_each_layer(visit)?;
        self.1.for_each_layer(visit)
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        if let Some((a_params, b_params)) = params.split_at_mut_checked(self.0.params()) {
            self.0.init_pass(a_params, init, seed, index);
            self.1.init_pass(b_params, init, seed, index);
        }
    }

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        x: Batch<'_, T>,
        y: &mut [f32],
    ) -> Result<(), Error> {
        let (a, b) = (self.0.shape(), self.1.shape());
        let Halves { first, middle, second, .. } = pass.split(a, b, x.len())?;
        if a.is_overwritten_by(b) {
            self.0.forward_pass(first, x, y)?;
            return self.1.apply(second, y);
        }
        self.0.forward_pass(first, x, middle)?;
        let middle = Batch::rows(middle, a.outputs)?;
        // What `b` finds wrong with its inputs is no fault of the caller's inputs, which `a` has seen.
        self.1.forward_pass(second, middle, y).map_err(|error| match error {
            Error::InputNotFinite { sample, .. } => Error::OutputNotFinite { sample },
            error => error,
        })
    }

    #[inline]
    fn apply(&self, pass: Pass<'_>, y: &mut [f32]) -> Result<(), Error> {
        let (a, b) = (self.0.shape(), self.1.shape());
        let Halves { first, second, .. } = pass.split(a, b, y.len() / b.outputs.max(1))?;
        self.0.apply(first, y)?;
        self.1.apply(second, y)
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let (a, b) = (self.0.shape(), self.1.shape());
        let (mut a_sink, mut b_sink) = sink.split_at(a.params);
        let Io { x, y, d_y, d_x } = io;
        let Halves { first, middle, d_middle, second, workspace } = pass.split(a, b, x.len())?;
        let second = Pass { workspace: &mut *workspace, ..second };
        if a.is_overwritten_by(b) {
            // The input of `b` is gone, and a layer that works in place doesn't ask for it: its backward pass starts
            // from its output.
            let b_io = Io { x: Batch::rows(y, b.inputs)?, y, d_y: &mut *d_y, d_x: None };
            self.1.backward_pass(second, &mut b_sink, b_io)?;
            let first = Pass { workspace, ..first };
            return self.0.backward_pass(first, &mut a_sink, Io { x, y, d_y, d_x });
        }
        let between = Batch::rows(&*middle, a.outputs)?;
        let is_wanted = d_x.is_some() || a.is_trained();
        let b_io = Io { x: between, y, d_y, d_x: is_wanted.then_some(&mut *d_middle) };
        self.1.backward_pass(second, &mut b_sink, b_io)?;
        if !is_wanted {
            return Ok(());
        }
        let first = Pass { workspace, ..first };
        self.0.backward_pass(first, &mut a_sink, Io { x, y: middle, d_y: d_middle, d_x })
    }

    fn update_running_stats(
        &self,
        params: &mut [f32],
        saved: &mut [f32],
        batch: usize,
    ) -> Result<(), Error> {
        let a = self.0.shape();
        let (a_params, b_params) = split_mut(params, a.params)?;
        let (a_saved, b_saved) = split_mut(saved, a.saved.len(Mode::training(0, 0), batch))?;
        self.0.update_running_stats(a_params, a_saved, batch)?;
        self.1.update_running_stats(b_params, b_saved, batch)
    }
}

impl<A: FixedLayer, B: FixedLayer> FixedLayer for Chain<A, B> {
    const SHAPE: Shape = {
        let (a, b) = (A::SHAPE, B::SHAPE);
        assert!(a.outputs == b.inputs, "a layer's inputs must be the outputs of the one before");
        a.then(b)
    };
    const INT8_BYTES: usize = A::INT8_BYTES + B::INT8_BYTES;
}

impl<A: FixedLayer, B: FixedLayer> Chain<A, B> {
    inherent_sizes!();
}
