//! Steps from a gradient that is whole.

use super::{Gradient, Optimizer, Settings};
use crate::Error;
use crate::kernels::{Sink, Threads, parts, share};
use crate::layers::{Layer, for_each_group};
use crate::network::check_len;

/// Turns a whole gradient into a change of the parameters: every [`Optimizer`], and those that must see all of it.
pub trait BufferedOptimizer: Settings {
    /// `f32`s of state for this network.
    fn state_len_of(&self, net: &impl Layer) -> usize;

    /// Makes a step with `gradient`, which may be overwritten.
    ///
    /// # Shapes
    ///
    /// `params` and `gradient`: `[params]`; `state` as long as [`state_len_of`](Self::state_len_of).
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`], [`Error::TooManyLayers`]. Nothing has been changed then.
    fn apply(
        &mut self,
        threads: &impl Threads,
        net: &impl Layer,
        params: &mut [f32],
        gradient: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), Error>;
}

impl<O: Optimizer> BufferedOptimizer for O {
    fn state_len_of(&self, net: &impl Layer) -> usize {
        self.state_per_param() * net.params()
    }

    fn apply(
        &mut self,
        threads: &impl Threads,
        net: &impl Layer,
        params: &mut [f32],
        gradient: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        for_each_group(net, |_| {})?;
        check_len("state", state, self.state_per_param() * params.len())?;
        let update = self.begin();
        let mut step = Sink::new(params, state, &update);
        for_each_group(net, |group| {
            let (_, mut step) = step.split_at(group.range.start);
            let gradient = gradient.get(group.range).unwrap_or_default();
            take(threads, parts(threads, gradient.len()), &mut step, gradient, group.bias);
        })
    }
}

/// Gives `step` the gradient of its first parameters, in so many parts.
fn take(threads: &impl Threads, parts: usize, step: &mut Sink<'_>, gradient: &[f32], bias: bool) {
    let cut = share(gradient.len(), parts);
    if cut == 0 {
        return step.take(0..gradient.len(), Gradient::Dense(gradient), bias);
    }
    let (mut step_a, mut step_b) = step.split_at(cut);
    let (gradient_a, gradient_b) = gradient.split_at(cut);
    threads.join(
        || take(threads, parts / 2, &mut step_a, gradient_a, bias),
        || take(threads, parts - parts / 2, &mut step_b, gradient_b, bias),
    );
}
