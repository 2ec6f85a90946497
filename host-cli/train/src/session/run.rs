//! The loop over epochs and batches, and what it keeps.

use core::time::Duration;
use std::borrow::Cow;
use std::time::Instant;

use anyhow::Result;
use picomlp::{
    Batch, Element, Error, GradientBuffer, Optimizer, Sequential, Threads, Trainer, TrainingState,
};

use super::online::locked;
use super::save::Saver;
use super::threads::Tuner;
use super::{Observer, Session};
use crate::base::Frozen;
use crate::checkpoint::{Checkpoints, Progress};
use crate::config::LearningRate;
use crate::data::{BatchTargets, Values, gather};
use crate::event::{Epoch, Event, measured, measures, r2};
use crate::measures::Evaluation;
use crate::trained::{Ending, Place};

/// How a run ended.
pub(crate) struct Ended {
    /// Steps taken; those up to the end of the last finished epoch, if the run was interrupted.
    pub(super) steps: u64,
    /// Threads of the last step.
    pub(super) threads: usize,
    /// The end of the epoch that was best in validation, or of the last one if there is no validation; `None` if no epoch was
    /// finished (by `max_steps`, too) with finite parameters.
    pub(crate) kept: Option<Place>,
    /// The training loss of the epoch that ended there.
    pub(super) kept_loss: f64,
    /// What those parameters reached in validation.
    pub(super) kept_validation: Option<Evaluation>,
    /// Time in training steps alone.
    pub(crate) training: Duration,
    pub(crate) ending: Ending,
}

/// The trainer of a run.
type Steps<'s, O, G> = Trainer<'s, Sequential, O, &'s mut [f32], &'s mut [f32], &'s mut [f32], G>;

/// The state of a run.
pub(super) struct Run<'s, 'a, O, G> {
    session: &'s Session<'a>,
    trainer: Steps<'s, O, G>,
    /// The layers in front of those of the trainer.
    frozen: Option<Frozen<'s>>,
    /// The parameters at [`Ended::kept`].
    kept: &'s mut [f32],
    ended: Ended,
    rates: LearningRate,
    /// The rate of the last step.
    rate: f32,
    lowest: Option<LowestLoss>,
    best: f64,
    progress: Progress,
    saver: Option<Saver>,
    tuner: Option<Tuner<'s>>,
    /// Of the samples of a step, next to each other.
    inputs: Values,
    targets: BatchTargets,
}

impl<'s, 'a, O: Optimizer, G: GradientBuffer> Run<'s, 'a, O, G> {
    /// A run from the trainer's parameters on, or from the session's checkpoint.
    pub(super) fn new(
        session: &'s Session<'a>,
        trainer: Steps<'s, O, G>,
        frozen: Option<Frozen<'s>>,
        kept: &'s mut [f32],
    ) -> Result<Self> {
        let config = &session.setup.config;
        let rate = config.optimizer.learning_rate();
        // A full batch is read where it lies, unless it is scaled or varied: its samples are in their order.
        let is_as_it_is =
            session.setup.features.scales.is_empty() && session.setup.augmenter.is_none();
        let stays = config.full_batch && is_as_it_is;
        let copied = if stays { 0 } else { session.setup.batch_size };
        let ended = Ended {
            steps: 0,
            threads: session.pool.threads(),
            kept: None,
            kept_loss: f64::INFINITY,
            kept_validation: None,
            training: Duration::ZERO,
            ending: Ending::Finished,
        };
        let mut run = Self {
            rates: LearningRate::new(rate, config.schedule, config.warmup, config.epochs)?,
            lowest: config.keep_lowest_loss.then(LowestLoss::default),
            inputs: match &session.setup.data.inputs {
                Values::Bytes(_) => vec![0u8; copied * session.setup.data.pixels()].into(),
                Values::Floats(_) => vec![0f32; copied * session.setup.data.pixels()].into(),
            },
            targets: BatchTargets::default(),
            session,
            trainer,
            frozen,
            kept,
            ended,
            rate,
            best: session.setup.config.monitor.worst(session.setup.data.classes > 0),
            progress: Progress::default(),
            saver: session.checkpoints.clone().map(Saver::new),
            tuner: config.threads.is_none().then(|| Tuner::new(&session.pool)),
        };
        if let Some((checkpoint, progress)) = &session.resumed {
            run.resume(checkpoint.training()?, progress)?;
        }
        if let Some(online) = session.online
            && let known = locked(online)
            && !known.params.is_empty()
        {
            run.resume(known.training_state(config.seed), &Progress::default())?;
        }
        Ok(run)
    }

    /// Goes on from a checkpoint. What follows from the epochs so far is found again, not read.
    fn resume(&mut self, training: TrainingState<'_>, progress: &Progress) -> Result<()> {
        let seed = self.session.setup.config.seed;
        let params = training.params.get(self.frozen_params().len()..).unwrap_or_default();
        self.trainer.resume(&TrainingState { seed, params, ..training })?;
        self.progress = progress.clone();
        self.ended.steps = training.steps;
        for epoch in &progress.epochs {
            self.add_time(epoch.seconds);
            self.rate = epoch.lr;
            self.rates.observe(epoch.val_loss.unwrap_or(f64::NAN));
            self.observe_lowest(epoch, u64::from(epoch.epoch)); // a full batch is one step
        }
        let Some((epoch, step)) = progress.kept else { return Ok(()) };
        self.kept.copy_from_slice(training.best);
        if self.lowest.is_some() {
            return Ok(());
        }
        let kept = progress.epochs.get(epoch as usize - 1).cloned().unwrap_or_default();
        self.ended.kept = Some(Place { step, epoch, rate: kept.lr });
        self.ended.kept_loss = kept.train_loss.unwrap_or(f64::NAN);
        let session = self.session;
        if let samples @ [_, ..] = &session.setup.split.validation[..] {
            let found = session.evaluate(&session.net, self.kept, samples)?;
            self.best = session.setup.config.monitor.score(&found);
            self.ended.kept_validation = Some(found);
        }
        Ok(())
    }

    /// Runs all epochs.
    pub(super) fn run(mut self, observer: &mut (dyn Observer + Send)) -> Result<Ended> {
        let session = self.session;
        let mut order = vec![0; session.setup.split.train.len()];
        for epoch in self.progress.epochs.len() as u32 + 1..=session.setup.config.epochs {
            if self.is_over() {
                break;
            }
            session.order(epoch, &mut order);
            let Some(mut event) = self.epoch(epoch, &order, observer)? else { break };
            self.validate(&mut event)?;
            observer.event(&Event::Epoch(event.clone()));
            self.progress.epochs.push(event);
            (self.progress.batches, self.progress.loss_sum, self.progress.seconds) = (0, 0.0, 0.0);
            let is_last = epoch == session.setup.config.epochs || self.is_over();
            self.save(observer, |to, steps| is_last || to.is_due(steps) || to.is_due_after(epoch));
        }
        self.is_over();
        self.ended.threads = session.pool.count();
        if matches!(self.ended.ending, Ending::Diverged { .. }) {
            return Ok(self.ended);
        }
        if let Some(online) = session.online {
            let (mut left, training) = (locked(online), self.trainer.training_state());
            (left.params, left.state) = (self.params().into_owned(), training.state.to_vec());
            left.steps = training.steps;
        }
        if self.lowest.is_some() {
            let last = self.evaluate(&session.setup.split.train)?.loss;
            let event = Epoch { train_loss: Some(last), ..Epoch::default() };
            self.observe_lowest(&event, 0);
            self.ended.kept_validation = None;
        }
        Ok(self.ended)
    }

    /// Whether no epoch follows those that are done, though there would be some left.
    fn is_over(&mut self) -> bool {
        let config = &self.session.setup.config;
        let is_over = config.patience == Some(self.progress.epochs_since);
        if is_over && self.ended.ending == Ending::Finished {
            self.ended.ending = Ending::Patience(self.progress.epochs_since);
        }
        is_over || Some(self.ended.steps) == config.max_steps
    }

    /// Trains on the batches of `order` that are left; `None` if the run ends here.
    fn epoch(
        &mut self,
        epoch: u32,
        order: &[u32],
        observer: &mut (dyn Observer + Send),
    ) -> Result<Option<Epoch>> {
        let session = self.session;
        let (config, batch_size) = (&session.setup.config, session.setup.batch_size);
        let (began, before) = (Instant::now(), self.progress.seconds);
        let steps_before = self.ended.steps - self.progress.batches;
        let samples = |batches: u64| (batches as usize * batch_size).min(order.len());
        for batch in order.chunks(batch_size).skip(self.progress.batches as usize) {
            if Some(self.ended.steps) == config.max_steps {
                break;
            }
            self.progress.seconds = before + began.elapsed().as_secs_f64();
            if observer.stops() {
                self.save(observer, |_, _| true);
                self.ended.ending = Ending::Interrupted;
                self.ended.steps = steps_before;
                return Ok(None);
            }
            if self.progress.batches > 0 {
                self.save(observer, |to, steps| to.is_due(steps));
            }
            self.rate = self.rates.at(epoch, self.ended.steps);
            self.trainer.optimizer_mut().set_learning_rate(self.rate);
            let step_began = Instant::now();
            let result = self.step(batch);
            if let Some(tuner) = &mut self.tuner
                && batch.len() == batch_size
            {
                tuner.took(step_began.elapsed());
            }
            match result {
                Ok(loss) if session.setup.loss.is_summed() => {
                    self.progress.loss_sum += f64::from(loss);
                }
                Ok(loss) => self.progress.loss_sum += f64::from(loss) * batch.len() as f64,
                Err(Error::LossNotFinite | Error::GradientNotFinite) => {
                    self.add_time(before + began.elapsed().as_secs_f64());
                    self.ended.ending = Ending::Diverged { step: self.ended.steps + 1, epoch };
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
            self.ended.steps += 1;
            self.progress.batches += 1;
            let mean = self.progress.loss_sum / samples(self.progress.batches) as f64;
            observer.step(batch.len(), epoch, mean);
        }
        let seconds = before + began.elapsed().as_secs_f64();
        self.add_time(seconds);
        if !self.trainer.params().iter().all(|value| value.is_finite()) {
            self.ended.ending = Ending::Diverged { step: self.ended.steps, epoch };
            return Ok(None);
        }
        let samples = samples(self.progress.batches);
        Ok(Some(Epoch {
            epoch,
            fold: session.fold,
            train_loss: Some(self.progress.loss_sum / samples as f64),
            lr: self.rate,
            seconds,
            samples,
            ..Epoch::default()
        }))
    }

    /// Adds the seconds of an epoch, which a checkpoint may have any number of.
    fn add_time(&mut self, seconds: f64) {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.ended.training = self.ended.training.saturating_add(time);
    }

    /// The parameters of the layers that stay as they are.
    fn frozen_params(&self) -> &[f32] {
        self.frozen.as_ref().map_or(&[], |frozen| frozen.params)
    }

    /// All parameters as they are now.
    fn params(&self) -> Cow<'_, [f32]> {
        with_frozen(self.frozen.as_ref(), self.trainer.params())
    }

    /// Writes a checkpoint if one is due, and says so.
    fn save(
        &mut self,
        observer: &mut (dyn Observer + Send),
        is_due: impl FnOnce(&Checkpoints, u64) -> bool,
    ) {
        let Self { saver: Some(saver), trainer, frozen, progress, ended, .. } = self else {
            return;
        };
        if is_due(&saver.to, ended.steps) && saver.saved != Some(ended.steps) {
            let best = if progress.kept.is_some() { &*self.kept } else { &[] };
            let params = with_frozen(frozen.as_ref(), trainer.params());
            let training = TrainingState { params: &params, best, ..trainer.training_state() };
            let place = ended.kept.unwrap_or(Place {
                step: ended.steps,
                epoch: progress.epochs.len() as u32,
                rate: self.rate,
            });
            observer.checkpoint(&saver.save(self.session, training, progress, place));
        }
    }

    /// Makes a step on a batch; returns its loss.
    fn step(&mut self, batch: &[u32]) -> Result<f32, Error> {
        let (session, Self { trainer, frozen, inputs, targets, ended, .. }) = (self.session, self);
        let frozen = frozen.as_mut();
        let (data, augmenter, step) = (session.setup.data, &session.setup.augmenter, ended.steps);
        targets.take(data, batch, &session.setup.targets);
        let targets = targets.get();
        match (&data.inputs, inputs) {
            (Values::Bytes(all), Values::Bytes(some)) => {
                let vary = |some: &mut [u8]| {
                    augmenter.iter().for_each(|vary| vary.images(step, batch, some));
                };
                step_on((trainer, frozen), session, all, some.to_mut(), vary, batch, targets)
            }
            (Values::Floats(all), Values::Floats(some)) => {
                let scaling = &session.setup.features;
                let scale = |some: &mut [f32]| match augmenter {
                    Some(augmenter) => augmenter.features(step, batch, some, scaling),
                    None => scaling.apply(some),
                };
                step_on((trainer, frozen), session, all, some.to_mut(), scale, batch, targets)
            }
            _ => Err(Error::EmptyBatch),
        }
    }

    /// Measures the parameters after an epoch, and keeps them if they are the best.
    fn validate(&mut self, event: &mut Epoch) -> Result<()> {
        let session = self.session;
        let validation = match &session.setup.split.validation[..] {
            [] => None,
            samples => Some(self.evaluate(samples)?),
        };
        if session.setup.config.measure_training {
            event.train_accuracy = Some(self.evaluate(&session.setup.split.train)?.accuracy());
        }
        (event.val_accuracy, event.val_loss) = measured(validation.as_ref());
        event.val_r2 = r2(validation.as_ref());
        let others = measures(validation.as_ref(), "val_", &["accuracy", "loss", "r2"]);
        event.measures = others.collect();
        if self.lowest.is_some() {
            self.observe_lowest(event, self.ended.steps);
            return Ok(());
        }
        if let Some(validation) = &validation {
            self.rates.observe(validation.loss);
        }
        // Of two equally good epochs the later one has seen more.
        let monitor = session.setup.config.monitor;
        let score = validation.as_ref().map_or(self.best, |found| monitor.score(found));
        let since = &mut self.progress.epochs_since;
        *since = if score > self.best { 0 } else { *since + 1 };
        if score >= self.best {
            self.best = score;
            let frozen = self.frozen_params().len();
            self.kept[frozen..].copy_from_slice(self.trainer.params());
            self.progress.kept = Some((event.epoch, self.ended.steps));
            let place = Place { step: self.ended.steps, epoch: event.epoch, rate: self.rate };
            self.ended.kept = Some(place);
            self.ended.kept_loss = event.train_loss.unwrap_or(f64::NAN);
            self.ended.kept_validation = validation;
        }
        Ok(())
    }

    /// Takes the loss of the latest parameters, which is that of the full batch before its step, and the ones that follow them.
    fn observe_lowest(&mut self, event: &Epoch, step: u64) {
        let Some(lowest) = &mut self.lowest else { return };
        let loss = event.train_loss.unwrap_or(f64::NAN);
        // The initial ones are no result.
        if let Some((place, params)) = &lowest.latest
            && loss < lowest.loss
        {
            lowest.loss = loss;
            let frozen = self.kept.len() - params.len();
            self.kept[frozen..].copy_from_slice(params);
            (self.ended.kept, self.ended.kept_loss) = (Some(*place), loss);
            self.progress.kept = Some((place.epoch, place.step));
        }
        let place = Place { step, epoch: event.epoch, rate: event.lr };
        lowest.latest = Some((place, self.trainer.params().to_vec()));
    }

    fn evaluate(&self, samples: &[u32]) -> Result<Evaluation> {
        self.session.evaluate(&self.session.net, &self.params(), samples)
    }
}

/// All parameters of a network, given those that are trained.
fn with_frozen<'p>(frozen: Option<&Frozen<'_>>, trained: &'p [f32]) -> Cow<'p, [f32]> {
    match frozen {
        Some(frozen) => [frozen.params, trained].concat().into(),
        None => trained.into(),
    }
}

/// Makes a step on the samples `batch` of `all`, copied into `some` if there is room for them.
fn step_on<O: Optimizer, G: GradientBuffer, T: Element>(
    (trainer, frozen): (&mut Steps<'_, O, G>, Option<&mut Frozen<'_>>),
    session: &Session<'_>,
    all: &[T],
    some: &mut [T],
    scale: impl Fn(&mut [T]),
    batch: &[u32],
    targets: picomlp::Targets<'_>,
) -> Result<f32, Error> {
    let width = session.setup.data.pixels();
    let x = match some.get_mut(..batch.len() * width) {
        Some(some) => {
            gather(all, width, &*session.pool, batch, some);
            scale(some);
            Batch::rows(some, width)?
        }
        None => Batch::gather(all, width, batch)?,
    };
    let x = x.with_map(session.setup.map);
    match frozen {
        Some(frozen) => trainer.step(frozen.outputs(x)?, targets),
        None => trainer.step(x, targets),
    }
}

/// The lowest training loss so far, of the parameters that are kept.
struct LowestLoss {
    loss: f64,
    /// The parameters after the last step, whose loss is not known yet, and where that was.
    latest: Option<(Place, Vec<f32>)>,
}

impl Default for LowestLoss {
    fn default() -> Self {
        Self { loss: f64::INFINITY, latest: None }
    }
}
