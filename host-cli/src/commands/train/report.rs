//! What `train` tells, as text or as JSON lines.

use core::time::Duration;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use picomlp::blob::{Input, InputKind, Preparation};
use picomlp::{Layer, Sequential};
use serde_json::json;

use super::args::Args;
use super::export::Exported;
use super::folds::mean_and_deviation;
use super::session::{Plan, Stopped};
use crate::Evaluation;
use crate::commands::eval::write_result;
use crate::data::{DataArgs, Dataset, Source};
use crate::progress::Progress;
use crate::text::{grouped, percent, program, shell_word, widths};

/// One epoch's results.
pub(super) struct Epoch {
    pub(super) epoch: u32,
    pub(super) train_loss: f64,
    /// On the training samples at the end of the epoch, if it was measured.
    pub(super) train_accuracy: Option<f64>,
    pub(super) validation: Option<Evaluation>,
    /// The learning rate of the last step.
    pub(super) rate: f32,
    pub(super) samples: usize,
    /// Time of the training pass alone.
    pub(super) seconds: Duration,
}

/// The results of one fold of a cross-validation.
pub(super) struct Fold {
    /// Counted from 1.
    pub(super) number: u32,
    pub(super) kept_epoch: u32,
    /// On the samples of the fold.
    pub(super) test: Evaluation,
    pub(super) fingerprint: u64,
    /// Time of the training passes alone.
    pub(super) seconds: Duration,
}

/// Results to `out`, progress to standard error.
pub(super) struct Report<'a> {
    args: &'a Args,
    /// What there is to say about the data.
    notes: &'a [String],
    out: &'a mut (dyn Write + Send),
    progress: Option<Progress>,
    validates: bool,
    /// The fold that is trained, if there are folds.
    fold: Option<u32>,
    /// The JSON lines of epochs and end, for `--plots`.
    pub(super) history: String,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        args: &'a Args,
        notes: &'a [String],
        out: &'a mut (dyn Write + Send),
    ) -> Self {
        Self {
            args,
            notes,
            out,
            progress: None,
            validates: false,
            fold: None,
            history: String::new(),
        }
    }

    /// A fold of `test` samples begins.
    pub(super) fn start_fold(
        &mut self,
        net: &Sequential,
        data: &Dataset,
        plan: &Plan,
        number: u32,
        test: usize,
    ) -> Result<()> {
        self.fold = Some(number);
        if number == 1 {
            return self.start(net, data, plan, test);
        }
        self.start_progress(plan);
        Ok(())
    }

    fn start_progress(&mut self, plan: &Plan) {
        self.progress = Some(Progress::new(plan.samples(), self.args.quiet || self.args.json));
    }

    /// Training on `data` begins; it will be measured on `test` samples.
    pub(super) fn start(
        &mut self,
        net: &Sequential,
        data: &Dataset,
        plan: &Plan,
        test: usize,
    ) -> Result<()> {
        self.start_progress(plan);
        let args = self.args;
        let (train, validation) = (plan.train.len(), plan.validation.len());
        self.validates = validation > 0;
        if args.json {
            let line = json!({
                "event": "start",
                "network": widths(net),
                "layers": net.layers().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "loss": args.network.loss().to_string(),
                "parameters": net.params(),
                "optimizer": args.optimizer().kind.to_string(),
                "lr": args.optimizer().learning_rate(),
                "batch_size": plan.batch_size,
                "epochs": args.epochs,
                "seed": args.seed,
                "data": args.data.source.to_string(),
                "data_notes": self.notes,
                "data_fingerprint": format!("{:016x}", data.fingerprint()),
                "train_samples": train,
                "validation_samples": validation,
                "test_samples": test,
                "folds": args.data.folds,
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
                args.optimizer().kind,
                args.optimizer().learning_rate(),
                if args.optimization.full_batch {
                    plan.batch_size
                } else {
                    args.batch_size as usize
                },
                args.epochs,
                args.init,
                args.seed
            )?;
            let more = args.optimization.flags();
            if !more.is_empty() {
                writeln!(self.out, "              {more}")?;
            }
            if !args.network.flags().is_empty() {
                let layers: Vec<_> = net.layers().iter().map(ToString::to_string).collect();
                writeln!(self.out, "layers         {}", layers.join(" | "))?;
                writeln!(self.out, "loss           {}", args.network.loss())?;
            }
            writeln!(
                self.out,
                "data           {}: {} training, {} validation, {} test samples{}",
                args.data.source,
                grouped(train),
                grouped(validation),
                grouped(test),
                if self.fold.is_some() { " in the first fold" } else { "" }
            )?;
            for note in self.notes {
                writeln!(self.out, "               {note}")?;
            }
            if self.fold.is_some() {
                writeln!(
                    self.out,
                    "\n fold   test accuracy   test loss   samples   kept epoch   seconds"
                )?;
            } else {
                writeln!(
                    self.out,
                    "\nepoch   train loss   validation accuracy   samples/s   seconds"
                )?;
            }
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
        let (args, fold, out) = (self.args, self.fold, &mut self.out);
        let Epoch { epoch, train_loss, train_accuracy, validation, rate, samples, seconds } = epoch;
        let accuracy = validation.as_ref().map(Evaluation::accuracy);
        let seconds = seconds.as_secs_f64();
        let mut line = json!({
            "event": "epoch",
            "epoch": epoch,
            "train_loss": train_loss,
            "val_accuracy": accuracy,
            "val_loss": validation.as_ref().map(|validation| validation.loss),
            "lr": rate,
            "seconds": seconds,
        });
        if let Some(accuracy) = train_accuracy {
            line["train_accuracy"] = (*accuracy).into();
        }
        if let Some(fold) = fold {
            line["fold"] = fold.into();
        }
        self.history += &format!("{line}\n");
        if !epoch.is_multiple_of(args.log_every) && *epoch != args.epochs {
            return Ok(());
        }
        let mut print = || -> Result<()> {
            if args.json {
                writeln!(out, "{line}")?;
            } else if !args.quiet && fold.is_none() {
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
        test: Option<&Evaluation>,
        model: &Exported,
        ended: &Stopped,
        elapsed: Duration,
    ) -> Result<()> {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        let (args, out) = (self.args, &mut self.out);
        let path = args.out.display().to_string();
        if args.json || args.plots.is_some() {
            let line = json!({
                "event": "done",
                "test_accuracy": test.map(Evaluation::accuracy),
                "test_loss": test.map(|test| test.loss),
                "val_accuracy": ended.kept_validation.as_ref().map(Evaluation::accuracy),
                "val_loss": ended.kept_validation.as_ref().map(|validation| validation.loss),
                "fingerprint": format!("{:016x}", model.fingerprint),
                "steps": ended.steps,
                "stopped_early": ended.patience_of.is_some(),
                "interrupted": ended.interrupted,
                "kept_epoch": ended.kept.map(|kept| kept.epoch),
                "training_seconds": ended.training.as_secs_f64(),
                "seconds": elapsed.as_secs_f64(),
                "model": path,
                "bytes": model.bytes,
            });
            self.history += &format!("{line}\n");
            if args.json {
                writeln!(out, "{line}")?;
                return Ok(());
            }
        }
        if !args.quiet {
            if let Some(epochs) = ended.patience_of {
                writeln!(out, "stopped: no better validation accuracy for {epochs} epochs")?;
            }
            writeln!(out)?;
        }
        match test {
            Some(test) => write_result(*out, test)?,
            None => {
                let why = if ended.interrupted { "interrupted" } else { "there is no test set" };
                writeln!(out, "test accuracy  not measured: {why}")?;
            }
        }
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
            Some(kept) if args.optimization.keep_lowest_loss => {
                writeln!(out, ", of epoch {}: the lowest training loss", kept.epoch)?;
            }
            _ => writeln!(out)?,
        }
        writeln!(out, "repeat         {}", model.command)?;
        if !args.quiet && !ended.interrupted {
            next_steps(*out, &path, &args.data, &model.input)?;
        }
        Ok(())
    }
}

impl Report<'_> {
    /// The pictures are written.
    pub(super) fn plots(&mut self, folder: &Path, files: &[String]) -> Result<()> {
        if !self.args.json && !self.args.quiet {
            writeln!(self.out, "\npictures       {}: {}", folder.display(), files.join(", "))?;
        }
        Ok(())
    }
}

/// What is printed of each fold, and at the end of all.
impl Report<'_> {
    /// A fold is done.
    pub(super) fn fold(&mut self, fold: &Fold) -> Result<()> {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        let (args, out) = (self.args, &mut self.out);
        let Fold { number, kept_epoch, test, fingerprint, seconds } = fold;
        let seconds = seconds.as_secs_f64();
        if args.json {
            let line = json!({
                "event": "fold",
                "fold": number,
                "test_accuracy": test.accuracy(),
                "test_loss": test.loss,
                "test_samples": test.samples,
                "kept_epoch": kept_epoch,
                "fingerprint": format!("{fingerprint:016x}"),
                "seconds": seconds,
            });
            writeln!(out, "{line}")?;
        } else if !args.quiet {
            writeln!(
                out,
                "{number:>5}   {:>13}   {:>9.4}   {:>7}   {kept_epoch:>10}   {seconds:>7.2}",
                percent(test.accuracy()),
                test.loss,
                grouped(test.samples),
            )?;
        }
        out.flush()?;
        Ok(())
    }

    /// All folds are done.
    pub(super) fn folds_done(&mut self, accuracies: &[f64], elapsed: Duration) -> Result<()> {
        let (args, out) = (self.args, &mut self.out);
        let (mean, deviation) = mean_and_deviation(accuracies);
        if args.json {
            let line = json!({
                "event": "done",
                "folds": accuracies.len(),
                "test_accuracy_mean": mean,
                "test_accuracy_deviation": deviation,
                "seconds": elapsed.as_secs_f64(),
            });
            writeln!(out, "{line}")?;
            return Ok(());
        }
        if !args.quiet {
            writeln!(out)?;
        }
        writeln!(
            out,
            "test accuracy  {}, standard deviation {}: the mean of {} folds",
            percent(mean),
            percent(deviation),
            accuracies.len()
        )?;
        writeln!(out, "time           {:.2} s", elapsed.as_secs_f64())?;
        writeln!(out, "model          none is written by a cross-validation")?;
        writeln!(out, "repeat         {}", args.command())?;
        Ok(())
    }
}

fn next_steps(out: &mut dyn Write, model: &str, data: &DataArgs, input: &Input) -> Result<()> {
    let (picomlp, model) = (program(), shell_word(model));
    let format = data.format.words();
    writeln!(out, "\nWhat to do next:")?;
    match (input.kind, input.preparation) {
        (InputKind::Image, Preparation::MnistForm) => {
            writeln!(out, "  draw a digit and have it read:")?;
            writeln!(out, "    {picomlp} draw 7 --seed 3 -o seven.png")?;
            writeln!(out, "    {picomlp} predict {model} seven.png")?;
        }
        (InputKind::Image, _) => {
            let (rows, cols) = (input.rows, input.cols);
            writeln!(
                out,
                "  classify a PNG image of {rows}x{cols} (rows x columns) like those of the data:"
            )?;
            writeln!(out, "    {picomlp} predict {model} FILE.png")?;
        }
        _ => {
            writeln!(out, "  classify the rows of a CSV file, with labels or without:")?;
            writeln!(out, "    {picomlp} predict {model} --data FILE.csv")?;
        }
    }
    writeln!(out, "  look at the model: layers, memory, where it comes from:")?;
    writeln!(out, "    {picomlp} inspect {model}")?;
    if data.source == Source::Synthetic {
        writeln!(
            out,
            "  train on the real MNIST (a folder with its four IDX files, plain or gzipped):"
        )?;
        writeln!(out, "    {picomlp} train --data DIR")?;
    } else {
        let source = data.test_data.as_ref().unwrap_or(&data.source).to_string();
        let split = if data.test_split.is_some_and(|amount| !amount.is_zero()) {
            " --split test"
        } else {
            ""
        };
        writeln!(out, "  see which classes it confuses:")?;
        writeln!(out, "    {picomlp} eval {model} --data {}{split}{format}", shell_word(&source))?;
    }
    Ok(())
}
