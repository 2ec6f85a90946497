//! `picomlp train`: from data to a model file.
//!
//! `args` and `network` say what may be asked for, `session` trains, `report` tells of it, `export` writes the model, `plots` the
//! pictures.

mod args;
mod export;
mod folds;
mod network;
mod optimization;
mod plots;
mod report;
mod session;

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use picomlp::optim::AnyOptimizer;
use picomlp::{
    Buffers, InputMap, Layer, LossKind, Network, Optimizer, Sequential, Threads, Trainer,
    WeightDecay, supports_micro_batches,
};
use picomlp_train::config::Built;

pub use args::Args;
pub(crate) use network::{NetworkArgs, loss_name};
use report::Report;
use session::{Plan, Stopped, train};

use crate::data::{Dataset, Prepared};
use crate::evaluate::guessing;
use crate::interrupt::{self, Interrupted};
use crate::output::Outputs;
use crate::stdout::Lasting;
use crate::text::warn;
use crate::{Evaluation, Pool, buffer, evaluate, plot};

/// Samples of a large batch that are worked on together; the result does not depend on it. Their gradients at a layer stay in
/// L2 (784-256-10 on 42,000 samples, native: 0.165 s a step; with 1,024 it took 0.204 s).
const CHUNK: usize = 128;

/// Trains, and writes the model.
///
/// # Errors
///
/// If the data cannot be read, the settings do not fit it, the output cannot be written (known before training
/// begins), or the loss stops being a finite number; and, after the model of the best epoch so far is written, if a signal
/// stops the training.
pub fn run(args: &Args, out: &mut (dyn Write + Send)) -> Result<()> {
    if args.data.folds.is_some() {
        return run_to(args, None, out);
    }
    let pictures = match &args.plots {
        Some(folder) => plot::files_of_folder(folder, args.plots_format)?,
        None => Vec::new(),
    };
    let outputs = Outputs::plan(&args.inputs(), [&args.out].into_iter().chain(&pictures))?;
    // Whoever reads the output may go away, but the model must not be lost.
    let mut out = Lasting::new(out);
    run_to(args, Some(outputs.first_alone()), &mut out)?;
    Ok(out.end()?)
}

/// The same, into `output`; nothing is written where there are folds.
fn run_to(args: &Args, output: Option<Outputs>, out: &mut (dyn Write + Send)) -> Result<()> {
    let began = Instant::now();
    let mut args = args.clone();
    let Prepared { split: data, notes } = args.data.load(args.seed)?;
    let args = &args;
    let net = args.network.model().build(data.train.pixels(), data.train.classes)?;
    let mut params = buffer(net.params(), "parameters")?;
    let pool = Pool::new(args.threads)?;
    let mut report = Report::new(args, &notes, out);
    let deferred = interrupt::defer();
    let Some(output) = output else {
        let accuracies = folds::run(args, &pool, &net, &mut params, &data.train, &mut report)?;
        return report.folds_done(&accuracies, began.elapsed());
    };
    let all: Vec<u32> = (0..).take(data.train.len()).collect();
    let plan = Plan::new(args, &data.train, &all, &net)?;
    report.start(&net, &data.train, &plan, data.test.len())?;
    let ending = learn(args, &pool, &net, &mut params, &data.train, &plan, &mut report)?;
    let out_path = args.out.display();
    let Some(kept) = ending.kept else {
        let why = format!("no epoch was finished, so nothing was written to {out_path}");
        return Err(ending.error(&why));
    };
    let trained_net = net;
    let (net, params) = trained_net.fold(&mut params)?;
    // Who stops the training wants it to end now; `eval` can measure the model later.
    let test = if data.test.is_empty() || ending.interrupted {
        None
    } else {
        let order: Vec<u32> = (0..).take(data.test.len()).collect();
        Some(evaluate(&pool, &net, params, &data.test, plan.map, &order, plan.loss.kind())?)
    };
    let mut repeat = args.clone();
    repeat.max_steps = if ending.interrupted { Some(ending.steps) } else { args.max_steps };
    let model = export::write(&repeat, output, (&net, params), &data, &plan, kept, test.as_ref())?;
    let holds = format!("{out_path} holds the model of epoch {}", kept.epoch);
    if ending.diverged.is_some() {
        return Err(ending.error(&holds));
    }
    report.done(test.as_ref(), &model, &ending, began.elapsed())?;
    if interrupt::requested().is_some() {
        if let Some(folder) = &args.plots {
            plots::write_history(args, folder, &report)?;
        }
        return Err(Interrupted(holds).into());
    }
    drop(deferred);
    let trained = (&net, &*params, plan.map, plan.loss.kind());
    if let Some(folder) = &args.plots {
        plots::write(args, folder, &pool, trained, &data, &mut report)?;
    }
    // Who asks for a number of steps does not ask for a model that is done.
    if args.max_steps.is_some() {
        return Ok(());
    }
    let measured = test.as_ref().or(ending.kept_validation.as_ref());
    let initial_loss = || {
        let mut params = buffer(trained_net.params(), "initial parameters")?;
        trained_net.init(&mut params, args.init.0, args.seed)?;
        let (data, kind) = (&data.train, plan.loss.kind());
        Ok(evaluate(&pool, &trained_net, &params, data, plan.map, &plan.train, kind)?.loss)
    };
    let samples = (&data.train, &plan.train[..]);
    check_learned(&pool, trained, samples, ending.kept_loss, measured, initial_loss)
        .with_context(|| format!("{out_path} was written, but is of no use"))
}

/// Warns if the model predicts one class for all samples.
///
/// # Errors
///
/// If its loss on the training samples is above that of guessing and the run has diverged (training has not lowered the loss)
/// or collapsed (it predicts one class): a network that has just begun to learn is no failure. The loss of an epoch is a mean
/// over parameters that change, so the samples are measured again where it is too high.
fn check_learned(
    pool: &Pool,
    (net, params, map, kind): (&Sequential, &[f32], InputMap, LossKind),
    (data, samples): (&Dataset, &[u32]),
    epoch_loss: f64,
    measured: Option<&Evaluation>,
    initial_loss: impl FnOnce() -> Result<f64>,
) -> Result<()> {
    let is_good = epoch_loss <= guessing(kind, net.outputs());
    let again = if is_good && measured.is_some() {
        None
    } else {
        Some(evaluate(pool, net, params, data, map, samples, kind)?)
    };
    let cure = "try another --lr, --init or --inputs";
    let collapse = measured
        .or(again.as_ref())
        .and_then(|found| found.collapse(|class| data.class_name(class)));
    if let Some(what) = &collapse {
        warn(&format!("{what}: {cure}"));
    }
    if let Some(training) = again
        && (training.loss.is_nan()
            || training.loss > (1.0 + 1e-6) * training.guessing
                && (collapse.is_some() || training.loss >= initial_loss()?))
    {
        bail!("on the training samples, {}: {cure}", training.worse_than_guessing());
    }
    Ok(())
}

/// Trains from new weights on. Afterwards `params` are those to keep, if there are some.
fn learn(
    args: &Args,
    pool: &Pool,
    net: &Sequential,
    params: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Result<Stopped> {
    net.init(params, args.init.0, args.seed)?;
    let buffered = args.optimization.needs_whole_gradient();
    match args.optimizer().build() {
        // These two are compiled on their own, so that their epochs take no decision for each row of weights.
        Built::Fused(WeightDecay { optimizer: AnyOptimizer::Sgd(sgd), decay: 0.0, .. })
            if !buffered =>
        {
            fit(pool, net, sgd, params, data, plan, report)
        }
        Built::Fused(WeightDecay { optimizer: AnyOptimizer::Adam(adam), decay: 0.0, .. })
            if !buffered =>
        {
            fit(pool, net, adam, params, data, plan, report)
        }
        Built::Fused(any) if !buffered => fit(pool, net, any, params, data, plan, report),
        Built::Fused(any) => fit_buffered(pool, net, any, params, data, plan, report),
        Built::Grouped(group) => fit_buffered(pool, net, group, params, data, plan, report),
    }
}

/// Trains with an optimizer that is fused with the backward pass. Afterwards `params` are those to keep, if there are
/// some.
fn fit<O: Optimizer + Send>(
    pool: &Pool,
    net: &Sequential,
    optimizer: O,
    params: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Result<Stopped> {
    let mut state = buffer(optimizer.state_len_of(net), "the optimizer's state")?;
    let mut kept = buffer(net.params(), "the best parameters")?;
    let mut scratch = buffer(net.train_scratch_on(pool.count(), plan.batch_size), "a batch")?;
    let buffers =
        Buffers { params: &mut *params, state: &mut state[..], workspace: &mut scratch[..] };
    let trainer = Trainer::new(net.clone(), optimizer, buffers)?
        .with_loss(plan.loss)?
        .with_seed(plan.seed, 0)
        .with_threads(pool);
    let ending = pool.run(|| train(pool, trainer, data, plan, &mut kept, report))?;
    params.copy_from_slice(&kept);
    Ok(ending)
}

/// As [`fit`], keeping the gradient of each batch before the step.
fn fit_buffered<O: Optimizer + Send>(
    pool: &Pool,
    net: &Sequential,
    optimizer: O,
    params: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Result<Stopped> {
    let mut gradient = buffer(net.params(), "the gradient")?;
    let mut state = buffer(optimizer.state_len_of(net), "the optimizer's state")?;
    let mut kept = buffer(net.params(), "the best parameters")?;
    let in_parts = supports_micro_batches(net, plan.map)?;
    let chunk = if in_parts { plan.batch_size.min(CHUNK) } else { plan.batch_size };
    let mut scratch = buffer(net.train_scratch_on(pool.count(), chunk), "a part of a batch")?;
    let buffers =
        Buffers { params: &mut *params, state: &mut state[..], workspace: &mut scratch[..] };
    let mut trainer = Trainer::new(net.clone(), optimizer, buffers)?
        .with_gradient(&mut gradient)?
        .with_loss(plan.loss)?
        .with_seed(plan.seed, 0)
        .with_threads(pool);
    if let Some(most) = plan.clip_norm {
        trainer = trainer.clip_norm(most)?;
    }
    let ending = pool.run(|| train(pool, trainer, data, plan, &mut kept, report))?;
    params.copy_from_slice(&kept);
    Ok(ending)
}
