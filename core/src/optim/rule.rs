//! What a step does to each parameter, and the sink that does it as the gradient comes.

use core::ops::Range;

use crate::kernels::gradient_sink::take_row_by_row;
use crate::kernels::{GradientSink, Nonzeros, Simd};

/// The optimizer's state of a piece of the parameters; what it does not have is empty.
pub type State<'a> = [&'a mut [f32]; 2];

/// What one step does to a piece of the parameters, given its gradient.
///
/// Element by element, so that the pieces may be of any size, come in any order and on any thread.
pub trait Rule: Copy + Send {
    /// Updates parameters and their state. `simd` is for the crate's own rules.
    fn update<S: Simd>(&self, simd: S, params: &mut [f32], gradient: &[f32], state: State<'_>);

    /// Updates parameters that are a bias, or the gain or shift of a normalisation.
    #[inline(always)]
    fn update_bias<S: Simd>(
        &self,
        simd: S,
        params: &mut [f32],
        gradient: &[f32],
        state: State<'_>,
    ) {
        self.update(simd, params, gradient, state);
    }

    /// Updates parameters whose gradient is `+0.0`.
    #[inline(always)]
    fn update_zeros<S: Simd>(&self, simd: S, params: &mut [f32], state: State<'_>) {
        for_pieces(
            params,
            state,
            #[inline(always)]
            |_, params, state| {
                let zeros = [0.0; PIECE];
                self.update(simd, params, zeros.get(..params.len()).unwrap_or_default(), state);
            },
        );
    }

    /// Updates the rows on the list, each by `x·d_y`, if a gradient of zero changes nothing and the rule knows a faster
    /// way than row by row; says whether it did.
    #[inline]
    fn update_rows(&self, _params: &mut [f32], _rows: &mut Nonzeros, _d_y: &[f32]) -> bool {
        false
    }
}

/// Parameters that are updated at once where a gradient has to be made for them: 256 bytes of stack.
pub(super) const PIECE: usize = 64;

/// Cuts parameters and state into pieces of at most [`PIECE`], each with its first index.
#[inline(always)]
pub(super) fn for_pieces(
    params: &mut [f32],
    [a, b]: State<'_>,
    mut work: impl FnMut(usize, &mut [f32], State<'_>),
) {
    let (mut a, mut b) = (a.chunks_mut(PIECE), b.chunks_mut(PIECE));
    for (i, params) in params.chunks_mut(PIECE).enumerate() {
        work(i * PIECE, params, [a.next().unwrap_or_default(), b.next().unwrap_or_default()]);
    }
}

/// One step of an optimizer: holds the parameters and their state, and updates them as the gradient comes.
#[derive(Debug)]
pub struct Step<'a, R> {
    pub(super) params: &'a mut [f32],
    pub(super) state: State<'a>,
    pub(super) rule: R,
}

impl<R: Rule> Step<'_, R> {
    /// The parameters `at..at + len` with their state, if they are there.
    #[inline(always)]
    fn piece(&mut self, at: usize, len: usize) -> Option<(&mut [f32], State<'_>)> {
        let range = at..at + len;
        let [a, b] = &mut self.state;
        let state = [a, b].map(|state| state.get_mut(range.clone()).unwrap_or_default());
        Some((self.params.get_mut(range)?, state))
    }
}

impl<R: Rule> GradientSink for Step<'_, R> {
    type Part<'p>
        = Step<'p, R>
    where
        Self: 'p;

    #[inline]
    fn params(&self) -> &[f32] {
        self.params
    }

    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, at: usize, gradient: &[f32]) {
        let rule = self.rule;
        if let Some((params, state)) = self.piece(at, gradient.len()) {
            rule.update(simd, params, gradient, state);
        }
    }

    #[inline(always)]
    fn take_bias<S: Simd>(&mut self, simd: S, at: usize, gradient: &[f32]) {
        let rule = self.rule;
        if let Some((params, state)) = self.piece(at, gradient.len()) {
            rule.update_bias(simd, params, gradient, state);
        }
    }

    #[inline(always)]
    fn take_zeros<S: Simd>(&mut self, simd: S, at: usize, len: usize) {
        let rule = self.rule;
        if let Some((params, state)) = self.piece(at, len) {
            rule.update_zeros(simd, params, state);
        }
    }

    #[inline]
    fn take_rows(&mut self, at: usize, rows: &mut Nonzeros, inputs: Range<usize>, d_y: &[f32]) {
        let params = self.params.get_mut(at..).unwrap_or_default();
        if !self.rule.update_rows(params, rows, d_y) {
            take_row_by_row(self, at, rows, inputs, d_y);
        }
    }

    #[inline]
    fn split_at(&mut self, at: usize) -> (Step<'_, R>, Step<'_, R>) {
        let rule = self.rule;
        let (params_a, params_b) = self.params.split_at_mut(at.min(self.params.len()));
        let [first, second] = &mut self.state;
        let [(a, c), (b, d)] = [first, second].map(|state| state.split_at_mut(at.min(state.len())));
        (
            Step { params: params_a, state: [a, b], rule },
            Step { params: params_b, state: [c, d], rule },
        )
    }
}
