//! What a training run goes on from.

/// What a training run goes on from, besides its settings: with them, the same bits follow as in a run that was not stopped.
///
/// [`Trainer::training_state`](crate::Trainer::training_state) gives it, [`blob::Checkpoint`](crate::blob::Checkpoint) keeps it,
/// and [`Trainer::resume`](crate::Trainer::resume) goes on from it. Everything else is derived: Adam's bias correction and
/// dropout's masks from the steps, and the order of an epoch from its number, with [`rng::shuffle`](crate::rng::shuffle).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingState<'a> {
    /// The seed of dropout.
    pub seed: u64,
    /// Steps made.
    pub steps: u64,
    /// The parameters, running statistics among them, `[params]`. In a blob, none where they are the blob's own.
    pub params: &'a [f32],
    /// The optimizer's state.
    pub state: &'a [f32],
    /// The best parameters so far, `[params]`, or none.
    pub best: &'a [f32],
}
