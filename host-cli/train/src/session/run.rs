//! The loop over epochs and batches, and what it keeps.

use core::time::Duration;
use std::time::Instant;

use anyhow::Result;
use picomlp::{Batch, Element, Error, GradientBuffer, Optimizer, Sequential, Trainer};

use super::{Observer, Session};
use crate::config::LearningRate;
use crate::data::{BatchTargets, Values, gather};
use crate::event::{Epoch, Event, measured, r2};
use crate::measures::Evaluation;
use crate::trained::{Ending, Place};

/// How a run ended.
pub(crate) struct Ended {
    /// Steps taken; those up to the end of the last finished epoch, if the run was interrupted.
    pub(super) steps: u64,
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

/// The state of a run.
pub(super) struct Run<'s, 'a, O, G> {
    session: &'s Session<'a>,
    trainer: Trainer<'s, Sequential, O, &'s mut [f32], &'s mut [f32], &'s mut [f32], G>,
    /// The parameters at [`Ended::kept`].
    kept: &'s mut [f32],
    ended: Ended,
    rates: LearningRate,
    /// The rate of the last step.
    rate: f32,
    lowest: Option<LowestLoss>,
    best: f64,
    epochs_since: u32,
    /// Of the samples of a step, next to each other.
    inputs: Values,
    targets: BatchTargets,
}

impl<'s, 'a, O: Optimizer, G: GradientBuffer> Run<'s, 'a, O, G> {
    pub(super) fn new(
        session: &'s Session<'a>,
        trainer: Trainer<'s, Sequential, O, &'s mut [f32], &'s mut [f32], &'s mut [f32], G>,
        kept: &'s mut [f32],
    ) -> Result<Self> {
        let config = &session.setup.config;
        let rate = config.optimizer.learning_rate();
        // A full batch is read where it lies, unless it is scaled: its samples are in their order.
        let stays = config.full_batch && session.setup.features.scales.is_empty();
        let copied = if stays { 0 } else { session.setup.batch_size };
        let ended = Ended {
            steps: 0,
            kept: None,
            kept_loss: f64::INFINITY,
            kept_validation: None,
            training: Duration::ZERO,
            ending: Ending::Finished,
        };
        Ok(Self {
            rates: LearningRate::new(rate, config.schedule, config.warmup, config.epochs)?,
            lowest: config.keep_lowest_loss.then(|| LowestLoss::new(trainer.params())),
            inputs: match &session.setup.data.inputs {
                Values::Bytes(_) => vec![0u8; copied * session.setup.data.pixels()].into(),
                Values::Floats(_) => vec![0f32; copied * session.setup.data.pixels()].into(),
            },
            targets: BatchTargets::default(),
            session,
            trainer,
            kept,
            ended,
            rate,
            best: session.setup.config.monitor.worst(session.setup.data.classes > 0),
            epochs_since: 0,
        })
    }

    /// Runs all epochs.
    pub(super) fn run(mut self, observer: &mut (dyn Observer + Send)) -> Result<Ended> {
        let session = self.session;
        let mut order = vec![0; session.setup.split.train.len()];
        for epoch in 1..=session.setup.config.epochs {
            session.order(epoch, &mut order);
            let steps_before = self.ended.steps;
            let Some(mut event) = self.epoch(epoch, &order, observer)? else {
                if self.ended.ending == Ending::Interrupted {
                    self.ended.steps = steps_before;
                }
                break;
            };
            self.validate(&mut event)?;
            observer.event(&Event::Epoch(event));
            if session.setup.config.patience == Some(self.epochs_since) {
                self.ended.ending = Ending::Patience(self.epochs_since);
                break;
            }
            if Some(self.ended.steps) == session.setup.config.max_steps {
                break;
            }
        }
        if matches!(self.ended.ending, Ending::Diverged { .. }) {
            return Ok(self.ended);
        }
        if let Some(mut lowest) = self.lowest.take() {
            let last = self.evaluate(&session.setup.split.train)?.loss;
            let at = self.ended.kept.unwrap_or(Place {
                step: self.ended.steps,
                epoch: session.setup.config.epochs,
                rate: session.setup.config.optimizer.learning_rate(),
            });
            lowest.observe(last, self.trainer.params(), at);
            self.kept.copy_from_slice(&lowest.params);
            (self.ended.kept, self.ended.kept_loss) = (lowest.at, lowest.loss);
            self.ended.kept_validation = None;
        }
        Ok(self.ended)
    }

    /// Trains on each batch of `order`; `None` if the run ends here.
    fn epoch(
        &mut self,
        epoch: u32,
        order: &[u32],
        observer: &mut (dyn Observer + Send),
    ) -> Result<Option<Epoch>> {
        let session = self.session;
        let config = &session.setup.config;
        let began = Instant::now();
        let (mut loss_sum, mut samples) = (0.0, 0usize);
        for batch in order.chunks(session.setup.batch_size) {
            if Some(self.ended.steps) == config.max_steps {
                break;
            }
            if observer.stops() {
                self.ended.ending = Ending::Interrupted;
                return Ok(None);
            }
            self.rate = self.rates.at(epoch, self.ended.steps);
            self.trainer.optimizer_mut().set_learning_rate(self.rate);
            match self.step(batch) {
                Ok(loss) if session.setup.loss.is_summed() => loss_sum += f64::from(loss),
                Ok(loss) => loss_sum += f64::from(loss) * batch.len() as f64,
                Err(Error::LossNotFinite | Error::GradientNotFinite) => {
                    self.ended.training += began.elapsed();
                    self.ended.ending = Ending::Diverged { step: self.ended.steps + 1, epoch };
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
            self.ended.steps += 1;
            samples += batch.len();
            observer.step(batch.len(), epoch, loss_sum / samples as f64);
        }
        let seconds = began.elapsed();
        self.ended.training += seconds;
        if !self.trainer.params().iter().all(|value| value.is_finite()) {
            self.ended.ending = Ending::Diverged { step: self.ended.steps, epoch };
            return Ok(None);
        }
        Ok(Some(Epoch {
            epoch,
            fold: session.fold,
            train_loss: Some(loss_sum / samples as f64),
            lr: self.rate,
            seconds: seconds.as_secs_f64(),
            samples,
            ..Epoch::default()
        }))
    }

    /// Makes a step on a batch; returns its loss.
    fn step(&mut self, batch: &[u32]) -> Result<f32, Error> {
        let (session, Self { trainer, inputs, targets, .. }) = (self.session, self);
        let data = session.setup.data;
        targets.take(data, batch, &session.setup.targets);
        let targets = targets.get();
        match (&data.inputs, inputs) {
            (Values::Bytes(all), Values::Bytes(some)) => {
                step_on(trainer, session, all, some.to_mut(), |_| (), batch, targets)
            }
            (Values::Floats(all), Values::Floats(some)) => {
                let scale = |some: &mut [f32]| session.setup.features.apply(some);
                step_on(trainer, session, all, some.to_mut(), scale, batch, targets)
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
        let place = Place { step: self.ended.steps, epoch: event.epoch, rate: self.rate };
        let train_loss = event.train_loss.unwrap_or(f64::NAN);
        if let Some(lowest) = &mut self.lowest {
            // A full batch's loss is that of the parameters before its step.
            lowest.observe(train_loss, self.trainer.params(), place);
        }
        if let Some(validation) = &validation {
            self.rates.observe(validation.loss);
        }
        // Of two equally good epochs the later one has seen more.
        let monitor = session.setup.config.monitor;
        let score = validation.as_ref().map_or(self.best, |found| monitor.score(found));
        self.epochs_since = if score > self.best { 0 } else { self.epochs_since + 1 };
        if score >= self.best {
            self.best = score;
            self.kept.copy_from_slice(self.trainer.params());
            self.ended.kept = Some(place);
            self.ended.kept_loss = train_loss;
            self.ended.kept_validation = validation;
        }
        Ok(())
    }

    fn evaluate(&self, samples: &[u32]) -> Result<Evaluation> {
        self.session.evaluate(self.trainer.net(), self.trainer.params(), samples)
    }
}

/// Makes a step on the samples `batch` of `all`, copied into `some` if there is room for them.
fn step_on<O: Optimizer, G: GradientBuffer, T: Element>(
    trainer: &mut Trainer<'_, Sequential, O, &mut [f32], &mut [f32], &mut [f32], G>,
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
    trainer.step(x.with_map(session.setup.map), targets)
}

/// The parameters with the lowest training loss so far.
struct LowestLoss {
    loss: f64,
    params: Vec<f32>,
    /// `None` for the initial ones.
    at: Option<Place>,
    /// Those after the last step, whose loss is not known yet, and where that was.
    latest: (Vec<f32>, Option<Place>),
}

impl LowestLoss {
    fn new(params: &[f32]) -> Self {
        let latest = (params.to_vec(), None);
        Self { loss: f64::INFINITY, params: params.to_vec(), at: None, latest }
    }

    /// Takes the loss of the latest parameters, and the ones that follow them.
    fn observe(&mut self, loss: f64, next: &[f32], place: Place) {
        // The initial ones are no result.
        if loss < self.loss && self.latest.1.is_some() {
            self.loss = loss;
            self.at = self.latest.1;
            self.params.copy_from_slice(&self.latest.0);
        }
        self.latest.0.copy_from_slice(next);
        self.latest.1 = Some(place);
    }
}
