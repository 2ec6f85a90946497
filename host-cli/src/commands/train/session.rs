//! The loop over epochs and batches.

use core::time::Duration;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use picomlp::rng::shuffle;
use picomlp::{
    Batch, Error, GradientBuffer, InputMap, Layer, Loss, Optimizer, Sequential, Trainer,
};

use super::args::Args;
use super::optimization::OptimizationArgs;
use super::report::{Epoch, Report};
use crate::data::Dataset;
use crate::interrupt::{self, Interrupted};
use crate::{Evaluation, Pool, evaluate};

/// What is trained on, in which order, how long.
pub(super) struct Plan {
    /// Samples to train on, ascending.
    pub(super) train: Vec<u32>,
    /// Samples held out, ascending.
    pub(super) validation: Vec<u32>,
    pub(super) batch_size: usize,
    pub(super) epochs: u32,
    /// How pixels are read.
    pub(super) map: InputMap,
    /// What training makes small.
    pub(super) loss: Loss,
    /// What gradients are shortened to.
    pub(super) clip_norm: Option<f32>,
    rate: f32,
    /// Whether the accuracy on the training samples is measured, too.
    measures_training: bool,
    optimization: OptimizationArgs,
    max_steps: u64,
    pub(super) seed: u64,
    shuffles: bool,
}

impl Plan {
    /// For these samples, ascending, of which some are held out for validation.
    pub(super) fn new(
        args: &Args,
        data: &Dataset,
        samples: &[u32],
        net: &Sequential,
    ) -> Result<Self> {
        let (train, validation) = args.data.hold_out_validation(data, samples, args.seed)?;
        let optimization = args.optimization.clone();
        if let Some(flag) = optimization.needs_validation() {
            ensure!(
                !validation.is_empty(),
                "--val-split {} holds out no sample of {}, and {flag} needs one",
                args.data.val_split,
                samples.len()
            );
        }
        let whole = if optimization.full_batch { usize::MAX } else { args.batch_size as usize };
        let batch_size = whole.min(train.len());
        let max_steps = args.max_steps.unwrap_or(u64::MAX);
        let (epochs, seed, shuffles) =
            (args.epochs, args.seed, !args.no_shuffle && !optimization.full_batch);
        let (rate, clip_norm) = (args.optimizer().learning_rate(), optimization.clip_norm());
        let map = args.inputs.map(data, &train)?;
        let loss = args.network.loss().build();
        let plan = Self {
            train,
            validation,
            batch_size,
            epochs,
            map,
            loss,
            clip_norm,
            rate,
            measures_training: args.plots.is_some(),
            optimization,
            max_steps,
            seed,
            shuffles,
        };
        plan.check_batches(net.shape().min_batch)?;
        Ok(plan)
    }

    /// Whether each batch of an epoch, the last one too, has so many samples.
    fn check_batches(&self, least: usize) -> Result<()> {
        let last = match self.train.len() % self.batch_size {
            0 => self.batch_size,
            rest => rest,
        };
        ensure!(
            last >= least,
            "--norm batch needs {least} samples in a batch: with --batch-size {}, the last of {} samples make one of {last}",
            self.batch_size,
            self.train.len()
        );
        Ok(())
    }

    fn steps_in_epoch(&self) -> u64 {
        self.train.len().div_ceil(self.batch_size) as u64
    }

    /// Samples that the whole run goes over.
    pub(super) fn samples(&self) -> u64 {
        let whole = u64::from(self.epochs) * self.train.len() as u64;
        whole.min(self.max_steps.saturating_mul(self.batch_size as u64))
    }

    /// The samples of an epoch in their order, into `order`.
    fn order(&self, epoch: u32, order: &mut [u32]) {
        if self.shuffles {
            shuffle(order, self.seed, u64::from(epoch));
            for place in order {
                *place = self.train[*place as usize];
            }
        } else {
            order.copy_from_slice(&self.train);
        }
    }
}

/// How the training ended.
pub(super) struct Stopped {
    /// Steps taken; up to the end of the last epoch that was finished, if a signal ended the training.
    pub(super) steps: u64,
    /// The end of the epoch that was best in validation, or of the last one if there is no validation; nothing if
    /// no epoch was finished (by `--max-steps`, too) with finite parameters.
    pub(super) kept: Option<Place>,
    /// The training loss of the epoch that ended there.
    pub(super) kept_loss: f64,
    /// What those parameters reached in validation.
    pub(super) kept_validation: Option<Evaluation>,
    /// Time in training passes alone.
    pub(super) training: Duration,
    /// Where the loss ceased to be a finite number, if it did.
    pub(super) diverged: Option<Place>,
    /// Whether a signal ended the training, before its last epoch was finished.
    pub(super) interrupted: bool,
    /// The epochs for which the validation accuracy had not risen when that ended the training.
    pub(super) patience_of: Option<u32>,
}

impl Stopped {
    /// Builds the error of a training that stopped early, with its outcome.
    pub(super) fn error(&self, result: &str) -> anyhow::Error {
        match self.diverged {
            Some(Place { step, epoch, .. }) => anyhow!(
                "the loss became NaN or infinite at step {step} (epoch {epoch}): try a smaller --lr; {result}"
            ),
            None if self.interrupted => Interrupted(result.to_owned()).into(),
            None => anyhow!("training stopped early; {result}"),
        }
    }
}

/// A step and its epoch, both counted from 1.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) step: u64,
    pub(super) epoch: u32,
    /// The learning rate of that step.
    pub(super) rate: f32,
}

/// The parameters with the lowest training loss so far.
struct Lowest {
    loss: f64,
    params: Vec<f32>,
    /// Nothing for those that training began with.
    at: Option<Place>,
    /// Those after the last step, whose loss is not known yet, and where that was.
    latest: (Vec<f32>, Option<Place>),
}

impl Lowest {
    fn new(params: &[f32]) -> Self {
        let latest = (params.to_vec(), None);
        Self { loss: f64::INFINITY, params: params.to_vec(), at: None, latest }
    }

    /// The loss of the latest parameters, and the ones that follow them.
    fn saw(&mut self, loss: f64, next: &[f32], place: Place) {
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

/// Runs all epochs. Afterwards `kept` holds the parameters at [`Stopped::kept`].
pub(super) fn train<O: Optimizer, G: GradientBuffer>(
    pool: &Pool,
    mut trainer: Trainer<'_, Sequential, O, &mut [f32], &mut [f32], &mut [f32], G>,
    data: &Dataset,
    plan: &Plan,
    kept: &mut [f32],
    report: &mut Report<'_>,
) -> Result<Stopped> {
    let mut order = vec![0; plan.train.len()];
    let mut labels = Vec::with_capacity(plan.batch_size);
    // A full batch is read where it lies: its samples are in their order.
    let copied = if plan.optimization.full_batch { 0 } else { plan.batch_size };
    let mut pixels = vec![0; copied * data.pixels()];
    let mut ended = Stopped {
        steps: 0,
        kept: None,
        kept_loss: f64::INFINITY,
        kept_validation: None,
        training: Duration::ZERO,
        diverged: None,
        interrupted: false,
        patience_of: None,
    };
    let mut rates = plan.optimization.rates(plan.rate, plan.epochs)?;
    let (mut most_correct, mut epochs_since) = (0, 0);
    let mut lowest = plan.optimization.keep_lowest_loss.then(|| Lowest::new(trainer.params()));
    'epochs: for epoch in 1..=plan.epochs {
        let began = Instant::now();
        let steps_before = ended.steps;
        plan.order(epoch, &mut order);
        let (mut loss_sum, mut samples) = (0.0, 0usize);
        let mut rate = plan.rate;
        for batch in order.chunks(plan.batch_size) {
            if ended.steps == plan.max_steps {
                break;
            }
            if interrupt::requested().is_some() {
                ended.steps = steps_before;
                ended.interrupted = true;
                break 'epochs;
            }
            labels.clear();
            labels.extend(batch.iter().map(|&sample| data.labels[sample as usize]));
            let x = if plan.optimization.full_batch {
                Batch::gather(&data.images, data.pixels(), batch)?
            } else {
                let pixels = &mut pixels[..batch.len() * data.pixels()];
                data.gather(pool, batch, pixels);
                Batch::rows(pixels, data.pixels())?
            };
            let x = x.with_map(plan.map);
            rate = rates.at(epoch, ended.steps);
            trainer.optimizer_mut().set_learning_rate(rate);
            match trainer.step(x, &labels) {
                Ok(loss) if plan.loss.is_summed() => loss_sum += f64::from(loss),
                Ok(loss) => loss_sum += f64::from(loss) * batch.len() as f64,
                Err(Error::LossNotFinite | Error::GradientNotFinite) => {
                    ended.training += began.elapsed();
                    ended.diverged = Some(Place { step: ended.steps + 1, epoch, rate });
                    return Ok(ended);
                }
                Err(error) => return Err(error.into()),
            }
            ended.steps += 1;
            samples += batch.len();
            report.step(batch.len(), epoch, loss_sum / samples as f64);
        }
        let seconds = began.elapsed();
        ended.training += seconds;
        if !trainer.params().iter().all(|value| value.is_finite()) {
            ended.diverged = Some(Place { step: ended.steps, epoch, rate });
            return Ok(ended);
        }
        let validation = if plan.validation.is_empty() {
            None
        } else {
            let (net, params) = (trainer.net(), trainer.params());
            let kind = plan.loss.kind();
            Some(evaluate(pool, net, params, data, plan.map, &plan.validation, kind)?)
        };
        let train_accuracy = if plan.measures_training {
            let (net, params) = (trainer.net(), trainer.params());
            let kind = plan.loss.kind();
            Some(evaluate(pool, net, params, data, plan.map, &plan.train, kind)?.accuracy())
        } else {
            None
        };
        let train_loss = loss_sum / samples as f64;
        // Of two equally good epochs the later one has seen more.
        let correct = validation.as_ref().map_or(0, |validation| validation.correct);
        epochs_since = if correct > most_correct { 0 } else { epochs_since + 1 };
        if correct >= most_correct {
            most_correct = correct;
            kept.copy_from_slice(trainer.params());
            ended.kept = Some(Place { step: ended.steps, epoch, rate });
            ended.kept_loss = train_loss;
            ended.kept_validation = validation.clone();
        }
        if let Some(lowest) = &mut lowest {
            // A full batch's loss is that of the parameters before its step.
            lowest.saw(train_loss, trainer.params(), Place { step: ended.steps, epoch, rate });
        }
        if let Some(validation) = &validation {
            rates.observe(validation.loss);
        }
        report.epoch(&Epoch {
            epoch,
            train_loss,
            train_accuracy,
            validation,
            rate,
            samples,
            seconds,
        })?;
        if plan.optimization.patience == Some(epochs_since) {
            ended.patience_of = Some(epochs_since);
            break;
        }
        if ended.steps == plan.max_steps {
            break;
        }
    }
    if let Some(mut lowest) = lowest {
        let (net, params) = (trainer.net(), trainer.params());
        let last = evaluate(pool, net, params, data, plan.map, &plan.train, plan.loss.kind())?.loss;
        let at =
            ended.kept.unwrap_or(Place { step: ended.steps, epoch: plan.epochs, rate: plan.rate });
        lowest.saw(last, params, at);
        kept.copy_from_slice(&lowest.params);
        (ended.kept, ended.kept_loss, ended.kept_validation) = (lowest.at, lowest.loss, None);
    }
    debug_assert!(ended.steps <= plan.steps_in_epoch() * u64::from(plan.epochs));
    Ok(ended)
}
