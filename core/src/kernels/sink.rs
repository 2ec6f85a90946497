//! Where a gradient goes, block by block.

use core::ops::Range;

use super::Nonzeros;
use super::copy;
use super::scalar::SCALAR;
use super::sgd::update_rows;

/// The optimizer's state of some of the parameters; what it does not have is empty.
pub type State<'a> = [&'a mut [f32]; 2];

/// The gradient of some parameters.
#[derive(Debug)]
pub enum Gradient<'a> {
    /// A value for each of them.
    Dense(&'a [f32]),
    /// `+0.0` for each of them.
    Zero,
    /// Of a weight matrix `[IN][OUT]`, from one sample: `x·d_y` for the inputs on the list, zeros for the others in the
    /// range; the inputs outside it are not meant. Only processors without vector registers make these.
    OuterProduct {
        /// The inputs that are not zero.
        rows: &'a mut Nonzeros,
        /// The inputs that the list tells of.
        inputs: Range<usize>,
        /// The gradient at the outputs.
        d_y: &'a [f32],
    },
}

/// Values of a gradient that are written out at once: 128 bytes of stack on a microcontroller, 512 elsewhere.
pub(crate) const PIECE: usize = if SCALAR { 32 } else { 128 };

static ZEROS: [f32; PIECE] = [0.0; PIECE];

impl Gradient<'_> {
    /// Calls `f` with pieces of the parameters, their state and their gradient, value by value: for an update that knows
    /// no better way.
    pub fn for_each_dense(
        self,
        params: &mut [f32],
        [a, b]: State<'_>,
        mut f: impl FnMut(&mut [f32], State<'_>, &[f32]),
    ) {
        self.for_each_run(params, [a, b], |params, [a, b], gradient| match gradient {
            Some(gradient) => f(params, [a, b], gradient),
            None => {
                let (mut a, mut b) = (a.chunks_mut(PIECE), b.chunks_mut(PIECE));
                for params in params.chunks_mut(PIECE) {
                    let zeros = ZEROS.get(..params.len()).unwrap_or_default();
                    f(params, [&mut a, &mut b].map(|s| s.next().unwrap_or_default()), zeros);
                }
            }
        });
    }

    /// As [`for_each_dense`](Self::for_each_dense), but hands over runs of zeros whole, as `None`: for an update that is
    /// faster where the gradient is zero.
    pub fn for_each_run(
        self,
        params: &mut [f32],
        [a, b]: State<'_>,
        mut f: impl FnMut(&mut [f32], State<'_>, Option<&[f32]>),
    ) {
        let (rows, inputs, d_y) = match self {
            Gradient::Dense(gradient) => return f(params, [a, b], Some(gradient)),
            Gradient::Zero => return f(params, [a, b], None),
            Gradient::OuterProduct { rows, inputs, d_y } => (rows, inputs, d_y),
        };
        let outputs = d_y.len();
        let mut run = |range: Range<usize>, gradient: Option<&[f32]>| {
            let state = [&mut *a, &mut *b].map(|s| s.get_mut(range.clone()).unwrap_or_default());
            f(params.get_mut(range).unwrap_or_default(), state, gradient);
        };
        let mut piece = [0.0; PIECE];
        let mut next = inputs.start;
        // The inputs before each one on the list are zero; so are those after the last.
        for (row, x) in rows.iter() {
            if row > next {
                run(next * outputs..row * outputs, None);
            }
            for (p, d_y) in d_y.chunks(PIECE).enumerate() {
                let gradient = piece.get_mut(..d_y.len()).unwrap_or_default();
                gradient.iter_mut().zip(d_y).for_each(|(g, d)| *g = 0.0 + x * d);
                let at = row * outputs + p * PIECE;
                run(at..at + d_y.len(), Some(gradient));
            }
            next = row + 1;
        }
        if inputs.end > next {
            run(next * outputs..inputs.end * outputs, None);
        }
    }
}

/// What a step does to some of the parameters, given their gradient: one step of an optimizer.
///
/// Parameter by parameter, so that they may come in any pieces, in any order and on any thread. Called once for a block
/// of a few thousand parameters.
pub trait Update: Sync {
    /// Updates parameters and their state; `bias` says that they are a bias, or the gain or shift of a normalisation.
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool);

    /// The rate, if all that this does is `w - rate·g`.
    fn rate(&self) -> Option<f32> {
        None
    }
}

/// Takes a gradient in blocks: updates the parameters at once, or keeps it.
pub struct Sink<'a> {
    /// The parameters, or a gradient laid out as they are.
    pub(super) to: &'a mut [f32],
    pub(super) state: State<'a>,
    pub(super) update: &'a dyn Update,
    /// For a gradient that is accumulated: the parameters, and whether more samples follow.
    pub(super) accumulates: Option<(&'a [f32], bool)>,
}

/// Keeps a gradient.
struct Keep;

impl Update for Keep {
    fn apply(&self, to: &mut [f32], _: State<'_>, gradient: Gradient<'_>, _: bool) {
        match gradient {
            Gradient::Zero => {}
            Gradient::Dense(gradient) => copy(gradient, to),
            // A sample's own gradient, which is added; rows of zeros stay as they are.
            Gradient::OuterProduct { rows, d_y, .. } => update_rows(to, rows, d_y, -1.0),
        }
    }
}

impl<'a> Sink<'a> {
    /// Updates `params`, with `state: [any][params]`.
    #[inline]
    #[must_use]
    pub fn new(params: &'a mut [f32], state: &'a mut [f32], update: &'a dyn Update) -> Self {
        let (a, b) = state.split_at_mut(params.len().min(state.len()));
        Self { to: params, state: [a, b], update, accumulates: None }
    }

    /// Adds the gradient at `params` to `gradient`, sample by sample; `more` says whether more samples follow.
    #[inline]
    #[must_use]
    pub fn keep(params: &'a [f32], gradient: &'a mut [f32], more: bool) -> Self {
        Self {
            to: gradient,
            state: [&mut [], &mut []],
            update: &Keep,
            accumulates: Some((params, more)),
        }
    }

    /// The parameters as they are now.
    #[inline]
    #[must_use]
    pub fn params(&self) -> &[f32] {
        self.accumulates.map_or(&*self.to, |(params, _)| params)
    }

    /// Takes the gradient of the parameters in this range; `bias` says that they are a bias, or the gain or shift of a
    /// normalisation.
    pub fn apply(&mut self, range: Range<usize>, gradient: Gradient<'_>, bias: bool) {
        let state = self.state.each_mut().map(|s| s.get_mut(range.clone()).unwrap_or_default());
        // A layer without a bias has no place for the gradient of one.
        if let Some(params) = self.to.get_mut(range) {
            self.update.apply(params, state, gradient, bias);
        }
    }

    /// The rate, if all that is done with the parameters is `w - rate·g`.
    pub(super) fn rate(&self) -> Option<f32> {
        self.update.rate()
    }

    /// The parameters in this range.
    pub(super) fn params_mut(&mut self, range: Range<usize>) -> &mut [f32] {
        self.to.get_mut(range).unwrap_or_default()
    }

    /// The same sink, borrowed.
    #[must_use]
    pub fn reborrow(&mut self) -> Sink<'_> {
        let state = self.state.each_mut().map(|s| &mut **s);
        Sink { to: self.to, state, update: self.update, accumulates: self.accumulates }
    }

    /// A sink for the parameters before `offset`, and one for the rest, which may be used at once.
    #[must_use]
    pub fn split_at(&mut self, offset: usize) -> (Sink<'_>, Sink<'_>) {
        self.reborrow().into_halves(offset)
    }

    /// [`split_at`](Self::split_at) of a sink that is given away.
    pub(crate) fn into_halves(self, offset: usize) -> (Self, Self) {
        let Self { to, state: [a, b], update, accumulates } = self;
        let (to_a, to_b) = to.split_at_mut(offset.min(to.len()));
        let ((a, c), (b, d)) =
            (a.split_at_mut(offset.min(a.len())), b.split_at_mut(offset.min(b.len())));
        let halves = accumulates.map(|(p, more)| (p.split_at(offset.min(p.len())), more));
        let (first, rest) =
            (halves.map(|((p, _), more)| (p, more)), halves.map(|((_, p), more)| (p, more)));
        (
            Self { to: to_a, state: [a, b], update, accumulates: first },
            Self { to: to_b, state: [c, d], update, accumulates: rest },
        )
    }

    /// The gradient of earlier parts of this batch, from which the sums continue. `None` for a whole batch: its sums
    /// start from `+0.0`.
    #[inline]
    #[must_use]
    pub fn accumulated(&self, range: Range<usize>) -> Option<&[f32]> {
        self.accumulates.and_then(|_| self.to.get(range))
    }

    /// Whether more samples follow, whose gradient will be added. What is added once, after all samples, then waits.
    #[inline]
    #[must_use]
    pub fn more_follows(&self) -> bool {
        self.accumulates.is_some_and(|(_, more)| more)
    }
}
