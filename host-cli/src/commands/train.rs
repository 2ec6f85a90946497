//! `picomlp train`: from data to a model file.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Error, Result, anyhow};
use picomlp_plots::{Show, Subject, parts};
use picomlp_train::data::Dataset;
use picomlp_train::event::{Event, FoldsDone};
use picomlp_train::text::shell_word;
use picomlp_train::{Checkpoint, CrossValidation, Ending, Pool, Session, Stopped, Trained, vote};

pub use crate::args::train::{Args, COMMON};
use crate::files;
use crate::interrupt::{self, Interrupted};
use crate::render::train::Report;
use crate::stdout::Lasting;
use crate::text::{program, warn};

/// Trains, and writes the model.
///
/// # Errors
///
/// If the data cannot be read, the settings do not fit it, the output cannot be written (known before training
/// begins), or the loss stops being a finite number; and, after the model of the best epoch so far is written, if a signal
/// stops the training.
pub fn run(args: &Args, out: &mut (dyn Write + Send)) -> Result<()> {
    if let Some(folds) = args.data.folds {
        return cross_validate(args, folds as usize, out);
    }
    let (flags, path) = (&args.output, args.output.out.display());
    let figures = match &flags.plots {
        Some(folder) => files::figures_of(folder, flags.plots_format)?,
        None => Vec::new(),
    };
    let planned =
        files::plan(&args.inputs(), [&flags.out].into_iter().chain(&flags.log).chain(&figures))?;
    let began = Instant::now();
    let data = args.data.load(args.config().loss.kind)?;
    let mut session = Session::new(args.config(), &data)?;
    if let Some(path) = args.checkpoints.resumed()? {
        let checkpoint = Checkpoint::read(&path)?;
        checkpoint.warning().into_iter().for_each(warn);
        session = session.resume(checkpoint, args.checkpoints.force)?;
    } else if let (Some(_), Some(folder)) = (&args.checkpoints.resume, &args.checkpoints.checkpoint)
    {
        warn(&format!("no checkpoint in {} yet: training begins", folder.display()));
    }
    if let Some(checkpoints) = args.checkpoints()? {
        session = session.checkpoints(checkpoints)?;
    }
    // Whoever reads the output may go away, but the model must not be lost.
    let mut out = Lasting::new(out);
    let mut report = Report::new(args, &data, &mut out);
    let deferred = interrupt::defer();
    report.start(&session, session.start(Some(&flags.out), None))?;
    let (pool, split) = (session.pool(), session.split().clone());
    let (trained, ending) = match session.run_with(&mut report) {
        Ok(trained) => (trained, Ending::Finished),
        Err(error) => match error.downcast::<Stopped>()? {
            Stopped { ending, trained: Some(trained) } => (*trained, ending),
            Stopped { ending, trained: None } => {
                let why = format!("no epoch was finished, so nothing was written to {path}");
                return Err(stopped(ending, &(why + &go_on(args, ending))));
            }
        },
    };
    let bytes = trained.to_bytes(&flags.out)?;
    files::write(planned.first_alone(), &[&bytes])?;
    let holds = format!("{path} holds the model of epoch {}", trained.kept.epoch);
    if matches!(ending, Ending::Diverged { .. }) {
        return Err(stopped(ending, &holds));
    }
    report.done(&trained, bytes.len(), began.elapsed())?;
    let interrupted = interrupt::requested().is_some();
    if let (Some(folder), true) = (&flags.plots, interrupted) {
        report.figures(folder, &[])?;
    }
    if interrupted {
        return Err(Interrupted(holds + &go_on(args, Ending::Interrupted)).into());
    }
    drop(deferred);
    if let Some(folder) = &flags.plots {
        let set = if split.test.is_empty() { split.seen() } else { split.test.clone() };
        let [mut measured, mut shown] = [&set, &split.seen()].map(|part| data.subset(part));
        measured.fill(&trained.fill);
        shown.fill(&trained.fill);
        draw(&pool, &trained, (&measured, !split.test.is_empty()), &shown, folder, &mut report)?;
    }
    if let Some(what) = &trained.collapse {
        warn(what);
    }
    if let Some(what) = &trained.failure {
        return Err(anyhow!("{what}").context(format!("{path} was written, but is of no use")));
    }
    Ok(out.end()?)
}

/// Draws all figures: of the test samples, or of the training samples if there are none.
fn draw(
    pool: &Pool,
    trained: &Trained,
    (measured, are_test): (&Dataset, bool),
    shown: &Dataset,
    folder: &Path,
    report: &mut Report<'_>,
) -> Result<()> {
    let set = format!("{} {}", if are_test { "test" } else { "training" }, vote::answers(measured));
    let subject = Subject::of_trained(trained, set);
    let history = report.history().clone();
    let sections = parts(pool, &Show { subject, measured, shown, history: Some(&history) })?;
    report.figures(folder, &sections)
}

fn cross_validate(args: &Args, folds: usize, out: &mut (dyn Write + Send)) -> Result<()> {
    let began = Instant::now();
    let data = args.data.load(args.config().loss.kind)?;
    let validation = CrossValidation::new(&args.config(), &data, folds)?;
    let first = &validation.sessions()[0];
    let mut report = Report::new(args, &data, out);
    let _deferred = interrupt::defer();
    report.start(first, first.start(None, Some(folds)))?;
    let results = validation.run(&mut report);
    report.check_output()?;
    let results = results.map_err(|error| match error.downcast_ref::<Stopped>() {
        Some(Stopped { ending, .. }) => {
            stopped(*ending, "it was not finished").context(format!("{error}"))
        }
        None => error,
    })?;
    let done = FoldsDone::new(&results, began.elapsed().as_secs_f64());
    report.folds_done(&Event::FoldsDone(done.clone()), &done)
}

/// How an interrupted run goes on, if it has written checkpoints.
fn go_on(args: &Args, ending: Ending) -> String {
    match &args.checkpoints.checkpoint {
        Some(folder) if ending == Ending::Interrupted => {
            let folder = folder.display().to_string();
            format!("; go on with `{} train --resume {}`", program(), shell_word(&folder))
        }
        _ => String::new(),
    }
}

/// The error of a run that was stopped or diverged.
fn stopped(ending: Ending, result: &str) -> Error {
    match ending {
        Ending::Interrupted => Interrupted(result.to_owned()).into(),
        ending => anyhow!("{ending}; {result}"),
    }
}
