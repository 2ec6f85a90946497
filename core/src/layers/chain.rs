//! Two layers, one after the other.

use super::{
    Ends, FixedLayer, Layer, Memory, Mode, Room, Shape, Visit, fixed::inherent_sizes, split,
    split_mut,
};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink, Threads};

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

impl<A: Layer, B: Layer> Layer for Chain<A, B> {
    const ENDS: [Option<usize>; 2] = [A::ENDS[0], B::ENDS[1]];

    #[inline]
    fn shape(&self) -> Shape {
        const {
            if let (Some(before), Some(inputs)) = (A::ENDS[1], B::ENDS[0]) {
                assert!(before == inputs, "a layer's inputs must be the outputs of the one before");
            }
        }
        self.0.shape().then(self.1.shape())
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.0.for_each_layer(visit)?;
        self.1.for_each_layer(visit)
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        init_pass(&self.0, &self.1, params, init, seed, index);
    }

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        room: Room<'_>,
    ) -> Result<(), Error> {
        forward_pass((&self.0, &self.1), threads, mode, params, x, y, room)
    }

    #[inline]
    fn apply(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        y: &mut [f32],
        kept: &mut [f32],
    ) -> Result<(), Error> {
        apply((&self.0, &self.1), threads, mode, params, y, kept)
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        sink: &mut Sink<'_>,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        backward_pass((&self.0, &self.1), threads, mode, sink, io, memory)
    }

    fn learn(&self, params: &mut [f32], kept: &mut [f32], batch: usize) -> Result<(), Error> {
        learn(&self.0, &self.1, params, kept, batch)
    }
}

// The functions below are the whole of "first a, then b"; a network with run-time sizes calls them too.

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
    (a, b): (&A, &B),
    threads: &impl Threads,
    mode: Mode,
    params: &[f32],
    x: Batch<'_, T>,
    y: &mut [f32],
    room: Room<'_>,
) -> Result<(), Error> {
    let Room { between, kept } = room;
    let (a_params, b_params) = split(params, a.params())?;
    let (a_kept, b_kept) = split_mut(kept, a.shape().saved.len(mode, x.len()))?;
    let b_mode = mode.after(a.shape().layers);
    if a.shape().is_overwritten_by(b.shape()) {
        a.forward_pass(threads, mode, a_params, x, y, Room { between, kept: a_kept })?;
        return b.apply(threads, b_mode, b_params, y, b_kept);
    }
    let (a_between, rest) = split_mut(between, x.len() * a.shape().activations)?;
    let (middle, b_between) = split_mut(rest, x.len() * a.outputs())?;
    let a_room = Room { between: a_between, kept: a_kept };
    a.forward_pass(threads, mode, a_params, x, middle, a_room)?;
    let b_room = Room { between: b_between, kept: b_kept };
    let middle = Batch::rows(middle, a.outputs())?;
    // What `b` finds wrong with its inputs is no fault of the caller's inputs, which `a` has seen.
    b.forward_pass(threads, b_mode, b_params, middle, y, b_room).map_err(|error| match error {
        Error::InputNotFinite { sample, .. } => Error::OutputNotFinite { sample },
        error => error,
    })
}

#[inline]
pub(super) fn apply<A: Layer + ?Sized, B: Layer>(
    (a, b): (&A, &B),
    threads: &impl Threads,
    mode: Mode,
    params: &[f32],
    y: &mut [f32],
    kept: &mut [f32],
) -> Result<(), Error> {
    let batch = y.len() / b.outputs().max(1);
    let (a_params, b_params) = split(params, a.params())?;
    let (a_kept, b_kept) = split_mut(kept, a.shape().saved.len(mode, batch))?;
    a.apply(threads, mode, a_params, y, a_kept)?;
    b.apply(threads, mode.after(a.shape().layers), b_params, y, b_kept)
}

#[inline]
pub(super) fn backward_pass<A: Layer + ?Sized, B: Layer, T: Element>(
    (a, b): (&A, &B),
    threads: &impl Threads,
    mode: Mode,
    sink: &mut Sink<'_>,
    io: Ends<'_, T>,
    memory: Memory<'_>,
) -> Result<(), Error> {
    let (mut a_sink, mut b_sink) = sink.split_at(a.params());
    let b_mode = mode.after(a.shape().layers);
    let Ends { x, y, d_y, d_x } = io;
    let Memory { between, d_between, kept, work } = memory;
    let (a_kept, b_kept) = split_mut(kept, a.shape().saved.len(mode, x.len()))?;
    if a.shape().is_overwritten_by(b.shape()) {
        // The input of `b` is gone, and an in-place layer does not ask for it: it goes back from its output.
        let none = Memory { between: &[], d_between: &mut [], kept: b_kept, work };
        let b_io = Ends { x: Batch::rows(y, b.inputs())?, y, d_y, d_x: None };
        b.backward_pass(threads, b_mode, &mut b_sink, b_io, none)?;
        let a_memory = Memory { between, d_between, kept: a_kept, work };
        return a.backward_pass(threads, mode, &mut a_sink, Ends { x, y, d_y, d_x }, a_memory);
    }
    let (a_between, rest) = split(between, x.len() * a.shape().activations)?;
    let (middle, b_between) = split(rest, x.len() * a.outputs())?;
    let (a_d_between, rest) = split_mut(d_between, x.len() * a.shape().activations)?;
    let (d_middle, b_d_between) = split_mut(rest, x.len() * a.outputs())?;
    let b_memory = Memory { between: b_between, d_between: b_d_between, kept: b_kept, work };
    let b_io = Ends { x: Batch::rows(middle, a.outputs())?, y, d_y, d_x: Some(d_middle) };
    b.backward_pass(threads, b_mode, &mut b_sink, b_io, b_memory)?;
    let a_memory = Memory { between: a_between, d_between: a_d_between, kept: a_kept, work };
    a.backward_pass(threads, mode, &mut a_sink, Ends { x, y: middle, d_y: d_middle, d_x }, a_memory)
}

/// [`Layer::learn`] of `a`, then `b`.
pub(super) fn learn<A: Layer + ?Sized, B: Layer>(
    a: &A,
    b: &B,
    params: &mut [f32],
    kept: &mut [f32],
    batch: usize,
) -> Result<(), Error> {
    let (a_params, b_params) = split_mut(params, a.params())?;
    let (a_kept, b_kept) = split_mut(kept, a.shape().saved.len(Mode::training(0, 0), batch))?;
    a.learn(a_params, a_kept, batch)?;
    b.learn(b_params, b_kept, batch)
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
