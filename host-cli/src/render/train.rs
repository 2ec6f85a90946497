//! What `train` prints, as text or as JSON lines.

use core::time::Duration;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use picomlp::blob::{AnomalyThreshold, Input, InputKind, Preparation};
use picomlp_plots::Section;
use picomlp_train::config::{Monitor, Settings};
use picomlp_train::data::{Dataset, Source, Targets};
use picomlp_train::event::{Epoch, Event, Fold, FoldsDone, Start, measure};
use picomlp_train::text::{grouped, percent, shell_word};
use picomlp_train::{Ending, History, Observer, Session, Trained};

use super::evaluation::write_result;
use crate::args::train::Args;
use crate::epoch_log::EpochLog;
use crate::files;
use crate::interrupt;
use crate::progress::Progress;
use crate::text::{program, typed, warn};

/// Results to `out`, progress to standard error.
pub(crate) struct Report<'a> {
    args: &'a Args,
    data: &'a Dataset,
    out: &'a mut (dyn Write + Send),
    progress: Option<Progress>,
    epochs: u32,
    validates: bool,
    /// The command that repeats a cross-validation.
    command: String,
    history: History,
    /// The JSON lines of epochs and end, for `--plots`.
    lines: String,
    log: EpochLog,
    /// The first failure of `out`.
    failed: Option<io::Error>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(args: &'a Args, data: &'a Dataset, out: &'a mut (dyn Write + Send)) -> Self {
        Self {
            args,
            data,
            out,
            progress: None,
            epochs: args.config().epochs,
            validates: false,
            command: String::new(),
            history: History::default(),
            lines: String::new(),
            log: EpochLog::default(),
            failed: None,
        }
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// # Errors
    ///
    /// The first failure of the output.
    pub(crate) fn check_output(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn is_text(&self) -> bool {
        !self.args.output.json && !self.args.output.quiet
    }

    /// Training begins.
    pub(crate) fn start(&mut self, session: &Session<'_>, start: Start) -> Result<()> {
        let start = Start { command: typed(&start.command), ..start };
        let samples = session.samples() * start.folds.unwrap_or(1) as u64;
        self.validates = start.validation_samples > 0;
        self.command.clone_from(&start.command);
        self.progress = Some(Progress::new(samples, !self.is_text()));
        let (flags, done) = (&self.args.output, session.epochs_done());
        self.log = EpochLog::begin(flags.log.as_deref(), flags.tensorboard.as_deref(), done)?;
        // The history is that of the whole run.
        done.iter().for_each(|epoch| self.add(&Event::Epoch(epoch.clone())));
        if self.args.output.json {
            writeln!(self.out, "{}", Event::Start(start).to_json())?;
        } else if self.is_text() {
            self.start_text(&start)?;
        }
        self.out.flush()?;
        Ok(())
    }

    fn start_text(&mut self, start: &Start) -> Result<()> {
        let (config, out) = (self.args.config(), &mut self.out);
        let (network, parameters) = (&start.network, start.parameters);
        writeln!(
            out,
            "network        {network}, {} parameters ({} bytes)",
            grouped(parameters),
            grouped(4 * parameters)
        )?;
        let batch = if config.full_batch { start.batch_size } else { config.batch_size as usize };
        writeln!(
            out,
            "settings       {}, learning rate {}, batch {batch}, {} epochs, {} weights, seed {}",
            start.optimizer, start.lr, start.epochs, config.init, start.seed
        )?;
        let more = flags(&config.optimizer_settings());
        if !more.is_empty() {
            writeln!(out, "              {more}")?;
        }
        if !config.model_settings().is_empty() {
            writeln!(out, "layers         {}", start.layers.join(" | "))?;
            writeln!(out, "loss           {}", start.loss)?;
        }
        writeln!(
            out,
            "data           {}: {} training, {} validation, {} test samples{}",
            start.data,
            grouped(start.train_samples),
            grouped(start.validation_samples),
            grouped(start.test_samples),
            if start.folds.is_some() { " in the first fold" } else { "" }
        )?;
        for note in &start.data_notes {
            writeln!(out, "               {note}")?;
        }
        if let Some(done) = start.resumed_epochs {
            writeln!(out, "resumed        {done} of {} epochs were done", start.epochs)?;
        }
        let are_values = matches!(self.data.targets, Targets::Values(_));
        let heading = match start.folds {
            Some(_) => Fold::heading(are_values),
            None => Epoch::heading(are_values),
        };
        writeln!(out, "\n{heading}")?;
        Ok(())
    }

    /// Takes the progress bar away.
    fn finish_progress(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }

    /// Training is done.
    pub(crate) fn done(
        &mut self,
        trained: &Trained,
        bytes: usize,
        elapsed: Duration,
    ) -> Result<()> {
        self.finish_progress();
        let (flags, path) = (&self.args.output, self.args.output.out.display().to_string());
        let event = Event::Done(trained.done(&flags.out, bytes, elapsed));
        self.add(&event);
        if flags.json {
            writeln!(self.out, "{}", event.to_json())?;
            return Ok(());
        }
        let (is_text, out) = (self.is_text(), &mut self.out);
        if is_text {
            if let Ending::Patience(epochs) = trained.ending {
                let measure = match self.args.config().monitor {
                    Monitor::Auto if matches!(self.data.targets, Targets::Values(_)) => {
                        "R²".to_owned()
                    }
                    Monitor::Auto => "accuracy".to_owned(),
                    monitor => monitor.to_string().replace("val_", ""),
                };
                writeln!(out, "stopped: no better validation {measure} for {epochs} epochs")?;
            }
            writeln!(out)?;
        }
        let is_interrupted = trained.ending == Ending::Interrupted;
        match &trained.test {
            Some(test) => write_result(*out, test)?,
            None => {
                let why = if is_interrupted { "interrupted" } else { "there is no test set" };
                let are_values = matches!(self.data.targets, Targets::Values(_));
                let what = if are_values { "test R²" } else { "test accuracy" };
                writeln!(out, "{what:<14} not measured: {why}")?;
            }
        }
        if let Some(AnomalyThreshold { score, quantile, samples }) = trained.threshold {
            let part = if self.validates { "validation" } else { "training" };
            writeln!(
                out,
                "threshold      {score:.4}: {} of {} normal {part} samples score no higher",
                percent(f64::from(quantile)),
                grouped(samples as usize)
            )?;
        }
        writeln!(out, "fingerprint    {:016x}", trained.fingerprint())?;
        writeln!(
            out,
            "time           {:.2} s total, {:.2} s in {} training steps on {} thread{}",
            elapsed.as_secs_f64(),
            trained.training.as_secs_f64(),
            grouped(trained.steps as usize),
            trained.threads,
            if trained.threads == 1 { "" } else { "s" }
        )?;
        let why = if self.validates {
            format!(", of epoch {}: the best in validation", trained.kept.epoch)
        } else if trained.config.keep_lowest_loss {
            format!(", of epoch {}: the lowest training loss", trained.kept.epoch)
        } else {
            String::new()
        };
        writeln!(out, "model          {path}, {} bytes{why}", grouped(bytes))?;
        writeln!(out, "repeat         {}", typed(&trained.command(&flags.out)))?;
        if is_text && !is_interrupted {
            next_steps(*out, &path, self.data, &trained.input)?;
        }
        Ok(())
    }

    /// Writes the figures and the history into `folder`, and names them.
    pub(crate) fn figures(&mut self, folder: &Path, sections: &[Section]) -> Result<()> {
        let flags = &self.args.output;
        let inputs = self.args.inputs().and("--out", [&flags.out]);
        let names =
            files::write_figures(&inputs, folder, flags.plots_format, sections, &self.lines)?;
        if self.is_text() && !sections.is_empty() {
            writeln!(self.out, "\nfigures        {}: {}", folder.display(), names.join(", "))?;
        }
        Ok(())
    }

    /// All folds are done.
    pub(crate) fn folds_done(&mut self, event: &Event, done: &FoldsDone) -> Result<()> {
        self.finish_progress();
        let (is_text, out) = (self.is_text(), &mut self.out);
        if self.args.output.json {
            writeln!(out, "{}", event.to_json())?;
            return Ok(());
        }
        if is_text {
            writeln!(out)?;
        }
        let are_values = matches!(self.data.targets, Targets::Values(_));
        writeln!(
            out,
            "{:<14} {}, standard deviation {}: the mean of {} folds",
            if are_values { "test R²" } else { "test accuracy" },
            measure(done.mean, are_values),
            measure(done.deviation, are_values),
            done.folds
        )?;
        writeln!(out, "time           {:.2} s", done.seconds)?;
        writeln!(out, "model          none is written by a cross-validation")?;
        writeln!(out, "repeat         {}", self.command)?;
        Ok(())
    }

    /// Adds an epoch, or the end, to the history.
    fn add(&mut self, event: &Event) {
        self.history.add(event);
        self.lines += &format!("{}\n", event.to_json());
    }

    /// Prints a line, out of the progress bar's way.
    fn print(&mut self, line: &str) {
        let out = &mut self.out;
        let mut print = || writeln!(out, "{line}").and_then(|()| out.flush());
        let printed = match &self.progress {
            Some(progress) => progress.suspend(print),
            None => print(),
        };
        self.failed = self.failed.take().or(printed.err());
    }
}

impl Observer for Report<'_> {
    fn step(&mut self, samples: usize, epoch: u32, loss: f64) {
        if let Some(progress) = &self.progress {
            progress.add(samples as u64, epoch, self.epochs, loss);
        }
    }

    fn event(&mut self, event: &Event) {
        let flags = &self.args.output;
        let line = match event {
            Event::Epoch(epoch) => {
                self.add(event);
                self.log.add(epoch);
                let is_last = epoch.epoch == self.epochs;
                if !epoch.epoch.is_multiple_of(flags.log_every) && !is_last {
                    return;
                }
                if epoch.fold.is_some() { None } else { Some(epoch.to_string()) }
            }
            Event::Fold(fold) => Some(fold.to_string()),
            _ => None,
        };
        match line {
            _ if flags.json => self.print(&event.to_json()),
            Some(line) if self.is_text() => self.print(&line),
            _ => {}
        }
    }

    fn checkpoint(&mut self, written: &Result<PathBuf>) {
        if let Err(error) = written {
            let warn =
                || warn(&format!("no checkpoint was written, and training goes on: {error:#}"));
            self.progress.as_ref().map_or_else(warn, |progress| progress.suspend(warn));
        }
    }

    fn stops(&mut self) -> bool {
        self.failed.is_some() || interrupt::requested().is_some()
    }
}

/// Settings as flags, each after a space.
fn flags(settings: &Settings) -> String {
    let word = |(flag, value): &(&str, Option<String>)| match value {
        Some(value) => format!(" --{flag} {}", shell_word(value)),
        None => format!(" --{flag}"),
    };
    settings.iter().map(word).collect()
}

fn next_steps(out: &mut dyn Write, model: &str, data: &Dataset, input: &Input) -> Result<()> {
    let (picomlp, model) = (program(), shell_word(model));
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
            writeln!(out, "  predict the rows of a CSV file, with targets or without:")?;
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
        let source = data.test_source.as_ref().unwrap_or(&data.source).to_string();
        let what = if data.classes == 0 { "measure it" } else { "see which classes it confuses" };
        writeln!(out, "  {what}:")?;
        writeln!(out, "    {picomlp} eval {model} --data {}", shell_word(&source))?;
    }
    Ok(())
}
