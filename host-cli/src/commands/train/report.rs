//! What `train` tells, as text or as JSON lines.

use core::time::Duration;
use std::io::Write;

use anyhow::Result;
use picomlp::{Layer, Sequential};
use serde_json::json;

use super::args::Args;
use super::export::Exported;
use super::session::{Plan, Stopped};
use crate::Evaluation;
use crate::commands::eval::write_result;
use crate::data::{Source, Split};
use crate::progress::Progress;
use crate::text::{grouped, percent, program, shell_word, widths};

/// One epoch's results.
pub(super) struct Epoch {
    pub(super) epoch: u32,
    pub(super) train_loss: f64,
    pub(super) validation: Option<Evaluation>,
    pub(super) samples: usize,
    /// Time of the training pass alone.
    pub(super) seconds: Duration,
}

/// Results to `out`, progress to standard error.
pub(super) struct Report<'a, W> {
    args: &'a Args,
    out: &'a mut W,
    progress: Option<Progress>,
    validates: bool,
}

impl<'a, W: Write> Report<'a, W> {
    pub(super) fn new(args: &'a Args, out: &'a mut W) -> Self {
        Self { args, out, progress: None, validates: false }
    }

    pub(super) fn start(&mut self, net: &Sequential, data: &Split, plan: &Plan) -> Result<()> {
        let args = self.args;
        self.progress = Some(Progress::new(plan.samples(), args.quiet || args.json));
        let (train, validation, test) = (plan.train.len(), plan.validation.len(), data.test.len());
        self.validates = validation > 0;
        if args.json {
            let line = json!({
                "event": "start",
                "network": widths(net),
                "parameters": net.params(),
                "optimizer": args.optimizer.to_string(),
                "lr": args.learning_rate(),
                "batch_size": args.batch_size,
                "epochs": args.epochs,
                "seed": args.seed,
                "data": args.data.to_string(),
                "data_fingerprint": format!("{:016x}", data.train.fingerprint()),
                "train_samples": train,
                "validation_samples": validation,
                "test_samples": test,
                "command": args.command(),
            });
            writeln!(self.out, "{line}")?;
        } else if !args.quiet {
            writeln!(
                self.out,
                "network        {}, {} parameters ({} bytes)",
                widths(net),
                grouped(net.params()),
                grouped(4 * net.params())
            )?;
            writeln!(
                self.out,
                "settings       {}, learning rate {}, batch {}, {} epochs, {} weights, seed {}",
                args.optimizer,
                args.learning_rate(),
                args.batch_size,
                args.epochs,
                args.init,
                args.seed
            )?;
            writeln!(
                self.out,
                "data           {}: {} training, {} validation, {} test samples\n",
                args.data,
                grouped(train),
                grouped(validation),
                grouped(test)
            )?;
            writeln!(self.out, "epoch   train loss   validation accuracy   samples/s   seconds")?;
        }
        self.out.flush()?;
        Ok(())
    }

    pub(super) fn step(&self, samples: usize, epoch: u32, loss: f64) {
        if let Some(progress) = &self.progress {
            progress.add(samples as u64, epoch, self.args.epochs, loss);
        }
    }

    pub(super) fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        let (args, out) = (self.args, &mut self.out);
        let Epoch { epoch, train_loss, validation, samples, seconds } = epoch;
        let accuracy = validation.as_ref().map(Evaluation::accuracy);
        let seconds = seconds.as_secs_f64();
        let mut print = || -> Result<()> {
            if args.json {
                let line = json!({
                    "event": "epoch",
                    "epoch": epoch,
                    "train_loss": train_loss,
                    "val_accuracy": accuracy,
                    "val_loss": validation.as_ref().map(|validation| validation.loss),
                    "seconds": seconds,
                });
                writeln!(out, "{line}")?;
            } else if !args.quiet {
                writeln!(
                    out,
                    "{epoch:>5}   {train_loss:>10.4}   {:>19}   {:>9}   {seconds:>7.2}",
                    accuracy.map_or_else(|| "-".to_owned(), percent),
                    grouped((*samples as f64 / seconds) as usize),
                )?;
            }
            out.flush()?;
            Ok(())
        };
        match &self.progress {
            Some(progress) => progress.suspend(print),
            None => print(),
        }
    }

    pub(super) fn done(
        &mut self,
        test: &Evaluation,
        model: &Exported,
        ended: &Stopped,
        elapsed: Duration,
    ) -> Result<()> {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        let (args, out) = (self.args, &mut self.out);
        let path = args.out.display().to_string();
        if args.json {
            let line = json!({
                "event": "done",
                "test_accuracy": test.accuracy(),
                "test_loss": test.loss,
                "fingerprint": format!("{:016x}", model.fingerprint),
                "steps": ended.steps,
                "kept_epoch": ended.kept.map(|kept| kept.epoch),
                "training_seconds": ended.training.as_secs_f64(),
                "seconds": elapsed.as_secs_f64(),
                "model": path,
                "bytes": model.bytes,
            });
            writeln!(out, "{line}")?;
            return Ok(());
        }
        if !args.quiet {
            writeln!(out)?;
        }
        write_result(*out, test)?;
        writeln!(out, "fingerprint    {:016x}", model.fingerprint)?;
        writeln!(
            out,
            "time           {:.2} s, of it {:.2} s in {} training steps",
            elapsed.as_secs_f64(),
            ended.training.as_secs_f64(),
            grouped(ended.steps as usize)
        )?;
        write!(out, "model          {path}, {} bytes", grouped(model.bytes))?;
        match ended.kept {
            Some(kept) if self.validates => {
                writeln!(out, ", of epoch {}: the best in validation", kept.epoch)?
            }
            _ => writeln!(out)?,
        }
        writeln!(out, "repeat         {}", args.command())?;
        if !args.quiet {
            next_steps(*out, &path, &args.data)?;
        }
        Ok(())
    }
}

fn next_steps(out: &mut impl Write, model: &str, data: &Source) -> Result<()> {
    let (picomlp, model) = (program(), shell_word(model));
    writeln!(out, "\nWhat to do next:")?;
    writeln!(out, "  draw a digit and have it read:")?;
    writeln!(out, "    {picomlp} draw 7 --seed 3 -o seven.png")?;
    writeln!(out, "    {picomlp} predict {model} seven.png")?;
    writeln!(out, "  look at the model: layers, memory, where it comes from:")?;
    writeln!(out, "    {picomlp} inspect {model}")?;
    if *data == Source::Synthetic {
        writeln!(
            out,
            "  train on the real MNIST (a folder with its four IDX files, plain or gzipped):"
        )?;
        writeln!(out, "    {picomlp} train --data DIR")?;
    } else {
        writeln!(out, "  see which classes it confuses:")?;
        writeln!(out, "    {picomlp} eval {model} --data {}", shell_word(&data.to_string()))?;
    }
    Ok(())
}
