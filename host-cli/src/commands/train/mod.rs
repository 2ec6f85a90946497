//! `picomlp train`: from data to a model file.
//!
//! `args` says what may be asked for, `session` trains, `report` tells of it, `export` writes the model.

mod args;
mod export;
mod folds;
mod report;
mod session;

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use picomlp::{Adam, Layer, Network, Optimizer, Sequential, Sgd, Threads, Trainer};

pub use args::Args;
pub(crate) use args::{Hidden, OptimizerName};
use report::Report;
use session::{Plan, Stopped, train};

use crate::data::{Dataset, Prepared};
use crate::{Pool, buffer, evaluate, output};

/// Trains, and writes the model.
///
/// # Errors
///
/// If the data cannot be read, the settings do not fit it, the output cannot be written (known before training
/// begins), or the loss stops being a finite number.
pub fn run(args: &Args, out: &mut (impl Write + Send)) -> Result<()> {
    let began = Instant::now();
    if args.data.folds.is_none() {
        output::check_writable(&args.out)?;
    }
    let mut args = args.clone();
    let Prepared { split: data, notes } = args.data.load(args.seed)?;
    let args = &args;
    let net = Sequential::mlp(&widths(args, &data.train)).context("--hidden")?;
    let mut params = buffer(net.params(), "parameters")?;
    let pool = Pool::new(args.threads)?;
    let mut report = Report::new(args, &notes, out);
    if let Some(folds) = args.data.folds {
        let accuracies =
            folds::run(args, &pool, &net, &mut params, &data.train, folds as usize, &mut report)?;
        return report.folds_done(&accuracies, began.elapsed());
    }
    let all: Vec<u32> = (0..).take(data.train.len()).collect();
    let plan = Plan::new(args, &data.train, &all)?;

    report.start(&net, &data.train, &plan, data.test.len())?;
    let ending = learn(args, &pool, &net, &mut params, &data.train, &plan, &mut report)?;
    let out_path = args.out.display();
    let Some(kept) = ending.kept else {
        bail!("{}; no epoch was finished, so nothing was written to {out_path}", ending.why());
    };
    let test = if data.test.is_empty() {
        None
    } else {
        let order: Vec<u32> = (0..).take(data.test.len()).collect();
        Some(evaluate(&pool, &net, &params, &data.test, plan.map, &order)?)
    };
    let model = export::write(args, &net, &params, &data, &plan, kept, test.as_ref())?;
    if ending.diverged.is_some() {
        bail!("{}; {out_path} holds the model of epoch {}", ending.why(), kept.epoch);
    }
    report.done(test.as_ref(), &model, &ending, began.elapsed())
}

/// Trains from new weights on. Afterwards `params` are those to keep, if there are some.
fn learn(
    args: &Args,
    pool: &Pool,
    net: &Sequential,
    params: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_, impl Write + Send>,
) -> Result<Stopped> {
    net.init(params, args.init.into(), args.seed)?;
    let rate = args.learning_rate();
    match args.optimizer {
        OptimizerName::Sgd => fit(pool, net, Sgd::new(rate), params, data, plan, report),
        OptimizerName::Adam => fit(pool, net, Adam::new(rate), params, data, plan, report),
    }
}

/// Inputs, hidden layers, classes.
fn widths(args: &Args, train: &Dataset) -> Vec<usize> {
    let ends = (train.pixels(), train.classes);
    [ends.0].into_iter().chain(args.hidden.0.iter().copied()).chain([ends.1]).collect()
}

/// Trains with either optimizer. Afterwards `params` are those to keep, if there are some.
fn fit<O: Optimizer + Send>(
    pool: &Pool,
    net: &Sequential,
    optimizer: O,
    params: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_, impl Write + Send>,
) -> Result<Stopped> {
    let mut state = buffer(O::STATE_PER_PARAM * net.params(), "the optimizer's state")?;
    let mut kept = buffer(net.params(), "the best parameters")?;
    let mut scratch = buffer(net.train_scratch_on(pool.count(), plan.batch_size), "a batch")?;
    let trainer = Trainer::new(net.clone(), optimizer, params, &mut state, &mut scratch)?;
    let ending = pool.run(|| train(pool, trainer, data, plan, &mut kept, report))?;
    params.copy_from_slice(&kept);
    Ok(ending)
}
