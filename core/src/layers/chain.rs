//! Two layers, one after the other.

use super::{Ends, FixedLayer, Layer, LayerList, Memory, fixed::inherent_sizes, split, split_mut};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, GradientSink, Threads};

/// `B` after `A`; longer networks are chains of chains, `Chain<Chain<A, B>, C>`.
///
/// Parameters: those of `A`, then those of `B`. Sizes that do not meet do not compile:
///
/// ```compile_fail,E0080
/// use picomlp::{Chain, Dense};
/// type Wrong = Chain<Dense<784, 32>, Dense<16, 10>>; // 32 into 16
/// let params = [0.0; Wrong::PARAMS];
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Layer, B: Layer> Layer for Chain<A, B> {
    #[inline]
    fn inputs(&self) -> usize {
        self.0.inputs()
    }

    #[inline]
    fn outputs(&self) -> usize {
        self.1.outputs()
    }

    #[inline]
    fn params(&self) -> usize {
        self.0.params() + self.1.params()
    }

    #[inline]
    fn between(&self) -> usize {
        between(&self.0, &self.1)
    }

    #[inline]
    fn in_place(&self) -> bool {
        self.0.in_place() && self.1.in_place()
    }

    #[inline]
    fn gradient_width(&self, at_inputs: bool) -> usize {
        self.0.gradient_width(at_inputs).max(self.1.gradient_width(true))
    }

    #[inline]
    fn widest(&self) -> usize {
        self.0.widest().max(self.1.widest())
    }

    fn describe(&self, layers: &mut LayerList) -> Result<(), Error> {
        self.0.describe(layers)?;
        self.1.describe(layers)
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        init_pass(&self.0, &self.1, params, init, seed, index);
    }

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        between: &mut [f32],
    ) -> Result<(), Error> {
        forward_pass(threads, &self.0, &self.1, params, x, y, between)
    }

    #[inline]
    fn apply(&self, y: &mut [f32]) {
        self.0.apply(y);
        self.1.apply(y);
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        at: usize,
        sink: &mut impl GradientSink,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        backward_pass(threads, &self.0, &self.1, at, sink, io, memory)
    }
}

// The functions below are the whole of "first a, then b"; a network with run-time sizes calls them too.

/// [`Layer::between`] of `a`, then `b`: a layer that works in place needs no buffer before it.
#[inline]
pub(super) fn between<A: Layer + ?Sized, B: Layer>(a: &A, b: &B) -> usize {
    a.between() + if b.in_place() { 0 } else { a.outputs() } + b.between()
}

pub(super) fn init_pass<A: Layer + ?Sized, B: Layer>(
    a: &A,
    b: &B,
    params: &mut [f32],
    init: Init,
    seed: u64,
    index: &mut u64,
) {
    if let Some((a_params, b_params)) = params.split_at_mut_checked(a.params()) {
        a.init_pass(a_params, init, seed, index);
        b.init_pass(b_params, init, seed, index);
    }
}

#[inline]
pub(super) fn forward_pass<A: Layer + ?Sized, B: Layer, T: Element>(
    threads: &impl Threads,
    a: &A,
    b: &B,
    params: &[f32],
    x: Batch<'_, T>,
    y: &mut [f32],
    between: &mut [f32],
) -> Result<(), Error> {
    let (a_params, b_params) = split(params, a.params())?;
    if b.in_place() {
        a.forward_pass(threads, a_params, x, y, between)?;
        b.apply(y);
        return Ok(());
    }
    let (a_between, rest) = split_mut(between, x.len() * a.between())?;
    let (middle, b_between) = split_mut(rest, x.len() * a.outputs())?;
    a.forward_pass(threads, a_params, x, middle, a_between)?;
    b.forward_pass(threads, b_params, Batch::rows(middle, a.outputs())?, y, b_between)
}

#[inline]
pub(super) fn backward_pass<A: Layer + ?Sized, B: Layer, T: Element>(
    threads: &impl Threads,
    a: &A,
    b: &B,
    at: usize,
    sink: &mut impl GradientSink,
    io: Ends<'_, T>,
    memory: Memory<'_>,
) -> Result<(), Error> {
    let b_at = at + a.params();
    let Ends { x, y, d_y, d_x } = io;
    let Memory { between, d_between, work } = memory;
    if b.in_place() {
        // The input of `b` is gone, and an in-place layer does not ask for it: it goes back from its output.
        let none = Memory { between: &[], d_between: &mut [], work };
        let b_io = Ends { x: Batch::rows(y, b.inputs())?, y, d_y, d_x: None };
        b.backward_pass(threads, b_at, sink, b_io, none)?;
        return a.backward_pass(
            threads,
            at,
            sink,
            Ends { x, y, d_y, d_x },
            Memory { between, d_between, work },
        );
    }
    let (a_between, rest) = split(between, x.len() * a.between())?;
    let (middle, b_between) = split(rest, x.len() * a.outputs())?;
    let (a_d_between, rest) = split_mut(d_between, x.len() * a.between())?;
    let (d_middle, b_d_between) = split_mut(rest, x.len() * a.outputs())?;
    let b_memory = Memory { between: b_between, d_between: b_d_between, work };
    let b_x = Batch::rows(middle, a.outputs())?;
    b.backward_pass(threads, b_at, sink, Ends { x: b_x, y, d_y, d_x: Some(d_middle) }, b_memory)?;
    let a_memory = Memory { between: a_between, d_between: a_d_between, work };
    a.backward_pass(threads, at, sink, Ends { x, y: middle, d_y: d_middle, d_x }, a_memory)
}

impl<A: FixedLayer, B: FixedLayer> FixedLayer for Chain<A, B> {
    const INPUTS: usize = {
        assert!(A::OUTPUTS == B::INPUTS, "a layer's inputs must be the outputs of the one before");
        A::INPUTS
    };
    const OUTPUTS: usize = B::OUTPUTS;
    const PARAMS: usize = {
        let _ = Self::INPUTS;
        A::PARAMS + B::PARAMS
    };
    const BETWEEN: usize = A::BETWEEN + if B::IN_PLACE { 0 } else { A::OUTPUTS } + B::BETWEEN;
    const IN_PLACE: bool = A::IN_PLACE && B::IN_PLACE;
    const WIDEST: usize = larger(A::WIDEST, B::WIDEST);
    const GRADIENT_WIDTH: usize = larger(A::GRADIENT_WIDTH, B::GRADIENT_WIDTH);
    const LAYERS: usize = A::LAYERS + B::LAYERS;
    const INNER_GRADIENT_WIDTH: usize = larger(A::INNER_GRADIENT_WIDTH, B::GRADIENT_WIDTH);
    const INT8_BYTES: usize = A::INT8_BYTES + B::INT8_BYTES;
}

impl<A: FixedLayer, B: FixedLayer> Chain<A, B> {
    inherent_sizes!();
}

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
