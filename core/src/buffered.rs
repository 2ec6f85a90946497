//! Training with a gradient that is whole before it is used.

use crate::Error;
use crate::kernels::{
    Batch, Element, InputMap, IntoBatch, Serial, Sink, Threads, scale, sum_of_squares,
};
use crate::layers::{AnyLayer, Layer, Single, for_each_group};
use crate::loss::{Loss, Objective, check_labels};
use crate::math;
use crate::network::{
    Part, backward, check_float_mode, check_len, check_room, forward_and_loss_of,
};
use crate::optim::BufferedOptimizer;
use crate::trainer::Buffers;

/// A [`Trainer`](crate::Trainer) that keeps the gradient of a batch in a buffer before it steps.
///
/// For what must see all of the gradient first: clipping by its norm ([`clip_norm`](Self::clip_norm)),
/// [`GroupRms`](crate::optim::GroupRms), and batches that are larger than the scratch, up to the whole training set.
/// It takes one more buffer, as long as the parameters, and passes over it once more. Without clipping, a step has the
/// bits of a `Trainer`'s.
///
/// **A batch may be of any size.** What the scratch has no room for is done in chunks, whose sums over samples go on
/// from one chunk to the next in the order of the samples: the bits do not depend on the scratch. [`must_be_whole`]
/// says which networks cannot be trained in parts.
///
/// ```
/// use picomlp::optim::GroupRms;
/// use picomlp::{BufferedTrainer, Buffers, Init, Mlp, Network};
///
/// type Net = Mlp<4, 8, 2>;
///
/// let (mut params, mut gradient) = ([0.0; Net::PARAMS], [0.0; Net::PARAMS]);
/// let mut state = [0.0; 4]; // one for each weight matrix and each bias
/// let mut scratch = [0.0; Net::train_scratch(1)];
/// Net::default().init(&mut params, Init::Normal(0.1), 1)?;
/// let buffers = Buffers { params: &mut params, state: &mut state, workspace: &mut scratch };
/// let mut trainer =
///     BufferedTrainer::new(Net::default(), GroupRms::new(0.1), buffers, &mut gradient)?;
/// let (images, labels) = ([[255u8, 255, 0, 0], [0, 0, 255, 255], [0, 0, 0, 255]], [0, 1, 1]);
/// let first = trainer.step(&images, &labels)?;
/// for _ in 0..50 {
///     trainer.step(&images, &labels)?;
/// }
/// assert!(trainer.step(&images, &labels)? < first / 10.0);
/// # Ok::<(), picomlp::Error>(())
/// ```
#[derive(Debug)]
pub struct BufferedTrainer<'a, N, O> {
    net: N,
    optimizer: O,
    params: &'a mut [f32],
    gradient: &'a mut [f32],
    state: &'a mut [f32],
    scratch: &'a mut [f32],
    clip_norm: Option<f32>,
    objective: Objective,
}

impl<'a, N: Layer, O: BufferedOptimizer> BufferedTrainer<'a, N, O> {
    /// Puts a network and its memory together; the parameters and the state go on from what they are.
    ///
    /// # Shapes
    ///
    /// `gradient`: `[params]`; `state` as long as
    /// [`state_len_of`](BufferedOptimizer::state_len_of) says, for an [`Optimizer`](crate::Optimizer)
    /// `[state_per_param][params]`; the workspace as long as [`train_scratch`](Layer::train_scratch) of as many samples as
    /// shall be worked on together.
    ///
    /// # Errors
    ///
    /// [`Error::BufferLength`] naming `params`, `gradient` or `state`; [`Error::BufferTooShort`] if the workspace is
    /// too short for one sample; [`Error::Setting`] for a setting of the optimizer that makes no sense;
    /// [`Error::LayersDoNotMeet`]; [`Error::CannotDescribe`] for a layer with parameters that is not the crate's, since
    /// nobody knows which of them are a bias; [`Error::FloatMode`].
    pub fn new(
        net: N,
        optimizer: O,
        buffers: Buffers<'a>,
        gradient: &'a mut [f32],
    ) -> Result<Self, Error> {
        let Buffers { params, state, workspace: scratch } = buffers;
        net.shape().check()?;
        for_each_group(&net, |_| {})?;
        check_float_mode()?;
        check_len("params", params, net.params())?;
        check_len("gradient", gradient, net.params())?;
        check_len("state", state, optimizer.state_len_of(&net))?;
        check_room("workspace", scratch, net.train_scratch(1))?;
        optimizer.check()?;
        let objective = Objective::default();
        Ok(Self { net, optimizer, params, gradient, state, scratch, clip_norm: None, objective })
    }

    /// As [`Trainer::with_loss`](crate::Trainer::with_loss).
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting of the loss that makes no sense.
    pub fn with_loss(mut self, loss: Loss) -> Result<Self, Error> {
        loss.check()?;
        self.objective.loss = loss;
        Ok(self)
    }

    /// As [`Trainer::with_seed`](crate::Trainer::with_seed).
    #[must_use]
    pub fn with_seed(mut self, seed: u64, steps: u64) -> Self {
        self.objective = Objective { seed, step: steps, ..self.objective };
        self
    }

    /// Shortens gradients that are longer than `most`: they are multiplied by `most/(norm + 1e-6)` where that is below
    /// 1, as by PyTorch's `clip_grad_norm_`, before the optimizer and its decay see them.
    ///
    /// The norm is the root of the [`sum_of_squares`] of all the gradient.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `most` is no finite number above 0.
    pub fn clip_norm(mut self, most: f32) -> Result<Self, Error> {
        if !(most.is_finite() && most > 0.0) {
            return Err(Error::Setting { what: "most", expected: "a finite number above 0" });
        }
        self.clip_norm = Some(most);
        Ok(self)
    }

    /// One step: forward, loss and backward, chunk by chunk, then clipping and update. Allocates nothing.
    ///
    /// Returns the loss of the batch before the update, as [`Trainer::step`](crate::Trainer::step) does.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBatch`], [`Error::BatchTooSmall`], [`Error::InputWidth`], [`Error::BufferLength`] naming `labels`,
    /// [`Error::BufferTooShort`] if the batch must be whole and the scratch has no room for it,
    /// [`Error::LabelOutOfRange`], [`Error::InputNotFinite`], [`Error::LossNotFinite`], [`Error::GradientNotFinite`],
    /// [`Error::Setting`] for a setting of the optimizer that has been changed to nonsense. Parameters, state and optimizer are then as they were.
    pub fn step<'x>(&mut self, x: impl IntoBatch<'x>, labels: &[u8]) -> Result<f32, Error> {
        self.step_on(&Serial, x, labels)
    }

    /// As [`step`](Self::step), on several threads: the bits do not depend on how many.
    ///
    /// For so many threads, [`train_scratch_on`](Layer::train_scratch_on) says how many samples the scratch holds.
    ///
    /// # Errors
    ///
    /// Those of [`step`](Self::step), and [`Error::BufferTooShort`] if the scratch does not even do for one sample.
    pub fn step_on<'x>(
        &mut self,
        threads: &impl Threads,
        x: impl IntoBatch<'x>,
        labels: &[u8],
    ) -> Result<f32, Error> {
        let mut x = x.into_batch(self.net.inputs())?;
        let mut labels = labels;
        check_len("labels", labels, x.len())?;
        check_labels(labels, self.net.outputs())?;
        self.optimizer.check()?;
        let chunk = self.chunk(threads.count(), x)?;
        let Self { net, optimizer, params, gradient, state, scratch, clip_norm, objective } = self;
        let mut part = Part { objective, of: x.len(), first: 0, loss_before: 0.0 };
        gradient.fill(0.0);
        while x.len() > chunk {
            let (here, rest) = x.split_at(chunk);
            let (labels_here, labels_rest) = labels.split_at(chunk.min(labels.len()));
            let mut pass =
                forward_and_loss_of(part, threads, net, params, here, labels_here, scratch)?;
            let sink = &mut Sink::keep(params, gradient, true);
            backward(threads, net, here, &mut pass, sink)?;
            part = Part { first: part.first + chunk, loss_before: pass.loss_sum, ..part };
            (x, labels) = (rest, labels_rest);
        }
        let mut pass = forward_and_loss_of(part, threads, net, params, x, labels, scratch)?;
        backward(threads, net, x, &mut pass, &mut Sink::keep(params, gradient, false))?;
        let square = sum_of_squares(gradient);
        if !square.is_finite() {
            return Err(Error::GradientNotFinite);
        }
        if let Some(most) = *clip_norm {
            let factor = most / (math::sqrt(square) + 1e-6);
            if factor < 1.0 {
                scale(gradient, factor);
            }
        }
        optimizer.apply(threads, net, params, gradient, state)?;
        pass.learn(net, params)?;
        objective.step += 1;
        Ok(pass.loss)
    }

    /// The most samples of `x` that the scratch has room for.
    fn chunk<T: Element>(&self, threads: usize, x: Batch<'_, T>) -> Result<usize, Error> {
        let batch = x.len();
        let fits = |samples| self.net.train_scratch_on(threads, samples) <= self.scratch.len();
        if fits(batch) {
            return Ok(batch);
        }
        if must_be_whole(&self.net, x.map())? {
            check_room("scratch", self.scratch, self.net.train_scratch_on(threads, batch))?;
        }
        // `fits(low)` and not `fits(high)`, or `low` is 0.
        let (mut low, mut high) = (0, batch);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        if low == 0 {
            check_room("scratch", self.scratch, self.net.train_scratch_on(threads, 1))?;
        }
        Ok(low)
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// The parameters as they are now.
    #[must_use]
    pub fn params(&self) -> &[f32] {
        self.params
    }

    /// The optimizer, whose learning rate may be changed between steps.
    pub fn optimizer_mut(&mut self) -> &mut O {
        &mut self.optimizer
    }
}

/// Whether this network, on inputs that are read like this, needs a scratch for the whole batch.
///
/// So does batch normalisation, which compares the samples of a batch; and a first dense layer without a bias on inputs
/// with a shift, since what the shift adds to its gradient comes from the sums that a bias would have.
///
/// And so may a first layer of the user's own, on such inputs.
///
/// # Errors
///
/// None today: a network that cannot be described may still be trained.
pub fn must_be_whole(net: &impl Layer, map: InputMap) -> Result<bool, Error> {
    let mut first = None;
    net.for_each_layer(&mut |layer| {
        first.get_or_insert(layer);
        Ok(())
    })?;
    let no_bias = match first {
        Some(Single::Known(AnyLayer::Dense(dense))) => !dense.has_bias(),
        Some(Single::Custom { shape, .. }) => shape.params > 0,
        _ => false,
    };
    Ok(net.shape().min_batch > 1 || (no_bias && map.shift != 0.0))
}
