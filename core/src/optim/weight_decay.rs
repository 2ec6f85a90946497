//! Weight decay, for any optimizer.

use super::{Adam, Gradient, Optimizer, State, check_not_negative};
use crate::Error;
use crate::kernels::{PIECE, Update, add_scaled, copy, scale};

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

impl<O: Optimizer> Optimizer for WeightDecay<O> {
    const STATE_PER_PARAM: usize = O::STATE_PER_PARAM;

    fn set_steps(&mut self, steps: u64) {
        self.optimizer.set_steps(steps);
    }

    type Update = WeightDecayUpdate<O::Update>;

    #[inline]
    fn begin(&mut self) -> WeightDecayUpdate<O::Update> {
        let kept = (1.0 - f64::from(self.learning_rate()) * f64::from(self.decay)) as f32;
        let (added, kept) = if self.decoupled { (0.0, kept) } else { (self.decay, 1.0) };
        WeightDecayUpdate { update: self.optimizer.begin(), added, kept, biases: self.biases }
    }

    fn state_per_param(&self) -> usize {
        self.optimizer.state_per_param()
    }

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

/// One step of [`WeightDecay`].
#[derive(Clone, Copy, Debug)]
pub struct WeightDecayUpdate<U> {
    update: U,
    /// What of a parameter is added to its gradient.
    added: f32,
    /// What of a parameter stays before the step.
    kept: f32,
    biases: bool,
}

impl<U> WeightDecayUpdate<U> {
    /// Whether no parameter decays in this step.
    fn is_none(&self) -> bool {
        self.added == 0.0 && self.kept == 1.0
    }
}

impl<U: Update> Update for WeightDecayUpdate<U> {
    fn apply(&self, params: &mut [f32], state: State<'_>, gradient: Gradient<'_>, bias: bool) {
        let Self { update, added, kept, biases } = self;
        if (bias && !biases) || self.is_none() {
            return update.apply(params, state, gradient, bias);
        }
        gradient.for_each_dense(params, state, |params, [a, b], gradient| {
            let (mut a, mut b) = (a.chunks_mut(PIECE), b.chunks_mut(PIECE));
            for (params, gradient) in params.chunks_mut(PIECE).zip(gradient.chunks(PIECE)) {
                let mut sum = [0.0; PIECE];
                let sum = sum.get_mut(..gradient.len()).unwrap_or_default();
                copy(gradient, sum);
                if *added != 0.0 {
                    add_scaled(sum, params, *added);
                }
                if *kept != 1.0 {
                    scale(params, *kept);
                }
                let state = [&mut a, &mut b].map(|s| s.next().unwrap_or_default());
                update.apply(params, state, Gradient::Dense(sum), bias);
            }
        });
    }

    fn rate(&self) -> Option<f32> {
        if self.is_none() { self.update.rate() } else { None }
    }
}
