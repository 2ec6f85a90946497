//! Weight decay, for any optimizer.

use super::rule::{PIECE, for_pieces};
use super::{Adam, Optimizer, Rule, Settings, State, check_not_negative};
use crate::Error;
use crate::kernels::{Simd, add_scaled_by, scale_by};

/// An optimizer whose steps also draw the parameters towards zero.
///
/// Coupled, [`l2`](Self::l2): `decay·w` is added to the gradient before the optimizer sees it, as by a penalty of
/// `decay/2·Σw²` on the loss (which the reported loss leaves out). Decoupled, [`decoupled`](Self::decoupled): `w` is
/// multiplied by `1 - rate·decay` before the optimizer's step. Biases decay as well, as PyTorch has it, unless
/// [`weights_only`](Self::weights_only). Needs no state of its own.
///
/// ```
/// use picomlp::optim::{AdamW, Momentum, WeightDecay};
///
/// let optimizer = WeightDecay::l2(Momentum::new(0.1, 0.9), 5e-4).weights_only();
/// let adam_w = AdamW::new(1e-3, 1e-2);
/// # let _ = (optimizer, adam_w);
/// ```
///
/// # Source
///
/// Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDecay<O> {
    /// The optimizer that steps.
    pub optimizer: O,
    /// `λ`: times `w`, what is added to the gradient, or, times the learning rate, what is taken off. 0 for none.
    pub decay: f32,
    /// Whether the decay bypasses the optimizer.
    pub decoupled: bool,
    /// Whether biases, gains and shifts decay too.
    pub biases: bool,
}

/// Adam with decoupled weight decay: PyTorch's definition.
pub type AdamW = WeightDecay<Adam>;

impl AdamW {
    /// Adam with this learning rate, and decoupled `decay` (PyTorch's default is 0.01).
    #[must_use]
    pub const fn new(learning_rate: f32, decay: f32) -> Self {
        Self { optimizer: Adam::new(learning_rate), decay, decoupled: true, biases: true }
    }
}

impl<O> WeightDecay<O> {
    /// `optimizer` with `decay·w` added to its gradient.
    #[must_use]
    pub const fn l2(optimizer: O, decay: f32) -> Self {
        Self { optimizer, decay, decoupled: false, biases: true }
    }

    /// `optimizer`, before whose step the parameters are multiplied by `1 - rate·decay`.
    #[must_use]
    pub const fn decoupled(optimizer: O, decay: f32) -> Self {
        Self { optimizer, decay, decoupled: true, biases: true }
    }

    /// Leaves biases alone, and gains and shifts of normalisations.
    #[must_use]
    pub fn weights_only(mut self) -> Self {
        self.biases = false;
        self
    }
}

impl<O: Settings> Settings for WeightDecay<O> {
    fn check(&self) -> Result<(), Error> {
        check_not_negative("decay", self.decay)?;
        self.optimizer.check()
    }

    fn learning_rate(&self) -> f32 {
        self.optimizer.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.optimizer.set_learning_rate(rate);
    }
}

impl<O: Optimizer> Optimizer for WeightDecay<O> {
    const STATE_PER_PARAM: usize = O::STATE_PER_PARAM;

    type Rule = WeightDecayRule<O::Rule>;

    #[inline]
    fn begin(&mut self) -> WeightDecayRule<O::Rule> {
        let kept = (1.0 - f64::from(self.learning_rate()) * f64::from(self.decay)) as f32;
        let (added, kept) = if self.decoupled { (0.0, kept) } else { (self.decay, 1.0) };
        WeightDecayRule { rule: self.optimizer.begin(), added, kept, biases: self.biases }
    }

    fn state_per_param(&self) -> usize {
        self.optimizer.state_per_param()
    }
}

/// One step of [`WeightDecay`].
#[derive(Clone, Copy, Debug)]
pub struct WeightDecayRule<R> {
    rule: R,
    /// What of a parameter is added to its gradient.
    added: f32,
    /// What of a parameter stays before the step.
    kept: f32,
    biases: bool,
}

impl<R: Rule> Rule for WeightDecayRule<R> {
    #[inline(always)]
    fn update<S: Simd>(&self, simd: S, params: &mut [f32], gradient: &[f32], state: State<'_>) {
        if self.added != 0.0 {
            return for_pieces(
                params,
                state,
                #[inline(always)]
                |at, params, state| {
                    let mut sum = [0.0; PIECE];
                    let piece = gradient.get(at..at + params.len()).unwrap_or_default();
                    if let Some(sum) = sum.get_mut(..piece.len()) {
                        sum.copy_from_slice(piece);
                        add_scaled_by(simd, sum, params, self.added);
                        self.rule.update(simd, params, sum, state);
                    }
                },
            );
        }
        if self.kept != 1.0 {
            scale_by(simd, params, self.kept);
        }
        self.rule.update(simd, params, gradient, state);
    }

    #[inline(always)]
    fn update_bias<S: Simd>(
        &self,
        simd: S,
        params: &mut [f32],
        gradient: &[f32],
        state: State<'_>,
    ) {
        if self.biases {
            self.update(simd, params, gradient, state);
        } else {
            self.rule.update_bias(simd, params, gradient, state);
        }
    }
}
