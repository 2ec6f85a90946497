//! `picomlp train`: from data to a model file.
//!
//! `args` says what may be asked for, `session` trains, `report` tells of it, `export` writes the model.

mod args;
mod export;
mod report;
mod session;

use std::io::Write;
use std::time::Instant;

use aligned_vec::{AVec, ConstAlign};
use anyhow::{Context, Result, bail};
use picomlp::{Adam, Layer, Network, Optimizer, Sequential, Sgd, Trainer};

pub use args::Args;
use args::OptimizerName;
use report::Report;
use session::{Plan, Stopped, train};

use crate::data::Dataset;
use crate::{evaluate, output};

/// Trains, and writes the model.
///
/// # Errors
///
/// If the data cannot be read, the settings do not fit it, the output cannot be written (known before training
/// begins), or the loss stops being a finite number.
pub fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let began = Instant::now();
    output::check_writable(&args.out)?;
    let data = args.data.load()?;
    let net = Sequential::mlp(&widths(args, &data.train)).context("--hidden")?;
    let plan = Plan::new(args, &data.train)?;
    let mut params = buffer(net.params(), "parameters")?;
    net.init(&mut params, args.init.into(), args.seed)?;
    let mut scratch = buffer(net.train_scratch(plan.batch_size), "a batch")?;

    let mut report = Report::new(args, out);
    report.start(&net, &data, &plan)?;
    let rate = args.learning_rate();
    let ending = match args.optimizer {
        OptimizerName::Sgd => {
            fit(&net, Sgd::new(rate), &mut params, &mut scratch, &data.train, &plan, &mut report)?
        }
        OptimizerName::Adam => {
            fit(&net, Adam::new(rate), &mut params, &mut scratch, &data.train, &plan, &mut report)?
        }
    };
    let out_path = args.out.display();
    let Some(kept) = ending.kept else {
        bail!("{}; no epoch was finished, so nothing was written to {out_path}", ending.why());
    };
    let order: Vec<u32> = (0..).take(data.test.len()).collect();
    let test = evaluate(&net, &params, &data.test, &order)?;
    let model = export::write(args, &net, &params, &data, &plan, kept, &test)?;
    if ending.diverged.is_some() {
        bail!("{}; {out_path} holds the model of epoch {}", ending.why(), kept.epoch);
    }
    report.done(&test, &model, &ending, began.elapsed())
}

/// Inputs, hidden layers, classes.
fn widths(args: &Args, train: &Dataset) -> Vec<usize> {
    let ends = (train.pixels(), train.classes);
    [ends.0].into_iter().chain(args.hidden.0.iter().copied()).chain([ends.1]).collect()
}

/// Zeros, or an error where the machine has no room for them. At a multiple of a cache line, since a vector that
/// lies across two is read at half the speed.
fn buffer(len: usize, what: &str) -> Result<AVec<f32, ConstAlign<64>>> {
    let bytes = len.saturating_mul(4);
    let mut values = AVec::new(64);
    if bytes > isize::MAX as usize || values.try_reserve_exact(len).is_err() {
        bail!("no memory for {what} ({bytes} bytes): choose smaller --hidden widths");
    }
    values.resize(len, 0.0);
    Ok(values)
}

/// Trains with either optimizer. Afterwards `params` are those to keep, if there are some.
fn fit<O: Optimizer>(
    net: &Sequential,
    optimizer: O,
    params: &mut [f32],
    scratch: &mut [f32],
    data: &Dataset,
    plan: &Plan,
    report: &mut Report<'_, impl Write>,
) -> Result<Stopped> {
    let mut state = buffer(O::STATE_PER_PARAM * net.params(), "the optimizer's state")?;
    let mut kept = buffer(net.params(), "the best parameters")?;
    let trainer = Trainer::new(net.clone(), optimizer, params, &mut state, scratch)?;
    let ending = train(trainer, data, plan, &mut kept, report)?;
    params.copy_from_slice(&kept);
    Ok(ending)
}
