//! `picomlp gradcheck`: whether the gradients are the slopes of the loss.

use core::ops::Range;
use std::io::Write;

use anyhow::{Result, bail, ensure};
use picomlp::rng::{Purpose, Stream, permute};
use picomlp::{AnyLayer, Batch, Layer, Network, Objective, Sequential};
use picomlp_train::config::InitSpec;
use serde_json::json;

use super::train::NetworkArgs;
use crate::data::{Format, Inputs, Source};
use crate::reference;
use crate::text::grouped;

/// Compare the gradient of a network's loss with central differences in double precision, layer by layer.
///
/// The network is the one that `train` would begin with under the same flags, on the first pictures of the training set.
/// Half of the parameters looked at are taken from all, half from those whose gradient is not 0. The error is relative to
/// the larger of both values, or to a thousandth of the layer's largest gradient if that is more.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Take the network, the inputs and the data's form that a recipe of `train` sets. Flags given beside it win.
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// `synthetic`, or labelled data, as `train` takes it.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    network: NetworkArgs,
    /// How the weights begin, as `train` takes it.
    #[arg(long, default_value_t, value_name = "INIT")]
    init: InitSpec,
    /// What pixels are read as, as `train` takes it.
    #[arg(long, value_enum, default_value_t, value_name = "RANGE")]
    inputs: Inputs,
    /// Pictures in the batch.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch_size: u32,
    /// Determines initial weights, the draws of dropout, and the parameters looked at.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The most parameters of each layer to look at.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    samples: u32,
    /// Fail if a relative error is larger.
    #[arg(long, default_value_t = 1e-2, value_parser = tolerance, value_name = "SHARE")]
    tolerance: f64,
    /// Print one JSON object a layer instead of text.
    #[arg(long)]
    json: bool,
}

/// The step of the differences: its square and f64's rounding divided by it are both far below f32's rounding.
const STEP: f64 = 1e-5;

/// What was found about one layer.
#[derive(Debug, Default)]
struct Found {
    looked_at: usize,
    /// Parameters whose step led over the kink of a rectifier, where there is no slope.
    at_a_kink: usize,
    worst: f64,
}

/// Checks and reports on `out`.
///
/// # Errors
///
/// If the data cannot be read, the flags make no network, or an error is larger than `--tolerance`.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let data = args.data.load(&args.format)?.train;
    let net = args.network.model().build(data.pixels(), data.classes)?;
    let batch = (args.batch_size as usize).min(data.len());
    ensure!(
        batch >= net.shape().min_batch,
        "--batch-size {batch}: this network is trained on {} samples at least",
        net.shape().min_batch
    );
    let objective = Objective { loss: args.network.loss().build(), seed: args.seed, step: 0 };
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, args.init.0, args.seed)?;
    let (pixels, labels) = (&data.images[..batch * data.pixels()], &data.labels[..batch]);
    let all: Vec<u32> = (0..).take(data.len()).collect();
    let map = args.inputs.map(&data, &all)?;
    let x = Batch::rows(pixels, data.pixels())?.with_map(map);
    let mut gradient = vec![0.0; net.params()];
    let mut scratch = vec![0.0; net.train_scratch(batch)];
    let loss = net.gradient_of(&objective, &params, x, labels, &mut gradient, &mut scratch)?;

    let (scale, shift) = (f64::from(map.scale), f64::from(map.shift));
    let x: Vec<f64> = pixels.iter().map(|pixel| f64::from(*pixel) * scale + shift).collect();
    let check = Check { net: &net, objective, x, labels, gradient: &gradient };
    let mut exact: Vec<f64> = params.iter().map(|p| f64::from(*p)).collect();
    if !args.json {
        writeln!(out, "loss {loss:.6}, {batch} samples\n")?;
        writeln!(
            out,
            "{:<48} {:>10} {:>9} {:>8} {:>14}",
            "layer", "parameters", "looked at", "at kinks", "largest error"
        )?;
    }
    let (mut at, mut worst) = (0, 0.0f64);
    for (place, layer) in net.layers().iter().enumerate() {
        let range = at..at + trained(layer);
        at += layer.params();
        if range.is_empty() {
            continue;
        }
        let chosen = choose(args, place, range.clone(), &gradient);
        let found = check.layer(&mut exact, range, &chosen)?;
        worst = worst.max(found.worst);
        if args.json {
            let line = json!({
                "event": "gradcheck",
                "layer": layer.to_string(),
                "parameters": layer.params(),
                "looked_at": found.looked_at,
                "at_a_kink": found.at_a_kink,
                "largest_relative_error": found.worst,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(
                out,
                "{:<48} {:>10} {:>9} {:>8} {:>14.2e}",
                layer.to_string(),
                grouped(layer.params()),
                found.looked_at,
                found.at_a_kink,
                found.worst
            )?;
        }
    }
    if worst > args.tolerance {
        bail!("a gradient is off by {worst:.2e}, more than --tolerance {}", args.tolerance);
    }
    Ok(())
}

/// The parameters that a gradient moves: not running statistics, which stand last.
fn trained(layer: &AnyLayer) -> usize {
    match layer {
        AnyLayer::BatchNorm(_) => layer.params() / 2,
        _ => layer.params(),
    }
}

/// The parameters of a layer to look at, each once.
fn choose(args: &Args, place: usize, range: Range<usize>, gradient: &[f32]) -> Vec<usize> {
    let mut order = vec![0; range.len()];
    permute(&mut order, &mut Stream::of(args.seed, Purpose::Split, &[1, place as u64]));
    let order: Vec<usize> = order.iter().map(|i| range.start + *i as usize).collect();
    let half = args.samples.div_ceil(2) as usize;
    let (first, rest) = order.split_at(half.min(order.len()));
    let moved = rest.iter().filter(|k| gradient[**k] != 0.0);
    first.iter().chain(moved.take(args.samples as usize / 2)).copied().collect()
}

struct Check<'a> {
    net: &'a Sequential,
    objective: Objective,
    x: Vec<f64>,
    labels: &'a [u8],
    gradient: &'a [f32],
}

impl Check<'_> {
    /// Compares the chosen ones of the parameters `range`. `params` are afterwards what they were.
    fn layer(&self, params: &mut [f64], range: Range<usize>, chosen: &[usize]) -> Result<Found> {
        let largest = self.gradient[range].iter().fold(0.0f32, |max, g| max.max(g.abs()));
        let mut found = Found::default();
        for &k in chosen {
            let before = params[k];
            let mut at = |value: f64| {
                params[k] = value;
                reference::loss(self.net, &self.objective, params, &self.x, self.labels)
            };
            let (up, down) = (at(before + STEP)?, at(before - STEP)?);
            params[k] = before;
            if up.sides != down.sides {
                found.at_a_kink += 1;
                continue;
            }
            let (slope, got) = ((up.loss - down.loss) / (2.0 * STEP), f64::from(self.gradient[k]));
            let size = slope.abs().max(got.abs()).max(1e-3 * f64::from(largest));
            if size > 0.0 {
                found.worst = found.worst.max((got - slope).abs() / size);
            }
            found.looked_at += 1;
        }
        Ok(found)
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share.is_finite() && share > 0.0 => Ok(share),
        _ => Err("expected a finite number above 0".to_owned()),
    }
}
