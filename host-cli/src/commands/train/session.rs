//! The loop over epochs and batches.

use core::time::Duration;
use std::io::Write;
use std::time::Instant;

use anyhow::{Result, ensure};
use picomlp::rng::{Purpose, Stream, permute, shuffle};
use picomlp::{Batch, Error, Optimizer, Sequential, Trainer};

use super::args::Args;
use super::report::{Epoch, Report};
use crate::data::Dataset;
use crate::evaluate;

/// What is trained on, in which order, how long.
pub(super) struct Plan {
    /// Samples to train on, ascending.
    pub(super) train: Vec<u32>,
    /// Samples held out, ascending.
    pub(super) validation: Vec<u32>,
    pub(super) batch_size: usize,
    pub(super) epochs: u32,
    max_steps: u64,
    seed: u64,
    shuffles: bool,
}

impl Plan {
    /// Holds out a random share of the training set; which samples, the seed says.
    pub(super) fn new(args: &Args, data: &Dataset) -> Result<Self> {
        let held_out = (data.len() as f64 * args.val_split).round() as usize;
        ensure!(
            held_out < data.len(),
            "--val-split {} of {} training samples leaves none to train on",
            args.val_split,
            data.len()
        );
        let mut order = vec![0; data.len()];
        permute(&mut order, &mut Stream::new(args.seed, Purpose::Split, 0));
        let mut train = order.split_off(held_out);
        let mut validation = order;
        train.sort_unstable();
        validation.sort_unstable();
        let batch_size = (args.batch_size as usize).min(train.len());
        let max_steps = args.max_steps.unwrap_or(u64::MAX);
        let (epochs, seed, shuffles) = (args.epochs, args.seed, !args.no_shuffle);
        Ok(Self { train, validation, batch_size, epochs, max_steps, seed, shuffles })
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
    /// Steps taken.
    pub(super) steps: u64,
    /// The end of the epoch that was best in validation, or of the last one if there is no validation; nothing if
    /// no epoch was finished (by `--max-steps`, too) with finite parameters.
    pub(super) kept: Option<Place>,
    /// Time in training passes alone.
    pub(super) training: Duration,
    /// Where the loss ceased to be a finite number, if it did.
    pub(super) diverged: Option<Place>,
}

impl Stopped {
    /// What stopped the training early, in words.
    pub(super) fn why(&self) -> String {
        match self.diverged {
            Some(at) => format!(
                "the loss became NaN or infinite at step {} (epoch {}): try a smaller --lr",
                at.step, at.epoch
            ),
            None => "training stopped early".to_owned(),
        }
    }
}

/// A step and its epoch, both counted from 1.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) step: u64,
    pub(super) epoch: u32,
}

/// Runs all epochs. Afterwards `kept` holds the parameters at [`Stopped::kept`].
pub(super) fn train<O: Optimizer>(
    mut trainer: Trainer<'_, Sequential, O>,
    data: &Dataset,
    plan: &Plan,
    kept: &mut [f32],
    report: &mut Report<'_, impl Write>,
) -> Result<Stopped> {
    let mut order = vec![0; plan.train.len()];
    let mut labels = Vec::with_capacity(plan.batch_size);
    let mut pixels = Vec::with_capacity(plan.batch_size * data.pixels());
    let mut ended = Stopped { steps: 0, kept: None, training: Duration::ZERO, diverged: None };
    let mut most_correct = 0;
    for epoch in 1..=plan.epochs {
        let began = Instant::now();
        plan.order(epoch, &mut order);
        let (mut loss_sum, mut samples) = (0.0, 0usize);
        for batch in order.chunks(plan.batch_size) {
            if ended.steps == plan.max_steps {
                break;
            }
            labels.clear();
            labels.extend(batch.iter().map(|&sample| data.labels[sample as usize]));
            // Shuffled samples lie all over the memory. Copied together, their cache misses overlap; left where they
            // are, each would stop the kernels (784-32-10: 0.11 s an epoch instead of 0.06 s).
            pixels.clear();
            batch.iter().for_each(|&sample| pixels.extend_from_slice(data.image(sample as usize)));
            match trainer.step(Batch::rows(&pixels, data.pixels())?, &labels) {
                Ok(loss) => loss_sum += f64::from(loss) * batch.len() as f64,
                Err(Error::LossNotFinite) => {
                    ended.training += began.elapsed();
                    ended.diverged = Some(Place { step: ended.steps + 1, epoch });
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
            ended.diverged = Some(Place { step: ended.steps, epoch });
            return Ok(ended);
        }
        let validation = if plan.validation.is_empty() {
            None
        } else {
            Some(evaluate(trainer.net(), trainer.params(), data, &plan.validation)?)
        };
        // Of two equally good epochs the later one has seen more.
        let correct = validation.as_ref().map_or(0, |validation| validation.correct);
        if correct >= most_correct {
            most_correct = correct;
            kept.copy_from_slice(trainer.params());
            ended.kept = Some(Place { step: ended.steps, epoch });
        }
        let train_loss = loss_sum / samples as f64;
        report.epoch(&Epoch { epoch, train_loss, validation, samples, seconds })?;
        if ended.steps == plan.max_steps {
            break;
        }
    }
    debug_assert!(ended.steps <= plan.steps_in_epoch() * u64::from(plan.epochs));
    Ok(ended)
}
