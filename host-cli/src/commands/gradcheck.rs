//! `picomlp gradcheck`: whether the gradients are the slopes of the loss.

use std::io::Write;

use anyhow::{Result, bail};
use picomlp_train::config::{InitSpec, TrainConfig};
use picomlp_train::data::{Dataset, Inputs, Source};
use picomlp_train::gradcheck::{Gradcheck, LayerCheck};
use picomlp_train::number::above_zero;
use picomlp_train::text::grouped;
use serde_json::json;

use crate::args::data::SchemaArgs;
use crate::args::model::NetworkArgs;
use crate::args::{count, named};

/// Compare the gradient of a network's loss with central differences in double precision, layer by layer.
///
/// The network is the one that `train` would begin with under the same flags, on the first images of the training set.
/// Half of the compared parameters are taken from all, half from those whose gradient is not 0. The error is relative to
/// the larger of both values, or to a thousandth of the layer's largest gradient if that is more.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Recipe of `train` that sets the network, the inputs and the data's form. Flags given beside it win.
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// `synthetic`, or labeled data, as `train` takes it.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    #[command(flatten)]
    schema: SchemaArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Initial weights, as `train` takes them.
    #[arg(long, default_value_t, value_name = "INIT")]
    init: InitSpec,
    /// Range of the inputs, as `train` takes it.
    #[arg(long, value_parser = named::<Inputs>(), default_value_t, value_name = "RANGE")]
    inputs: Inputs,
    /// Samples in the batch.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch_size: u32,
    /// Seed of initial weights, dropout, and the compared parameters.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Maximum number of parameters to compare in each layer.
    #[arg(long, default_value_t = 100, value_parser = count(u64::from(u32::MAX)), value_name = "N")]
    samples: usize,
    /// Largest relative error that is no failure.
    #[arg(long, default_value_t = 0.01, value_parser = above_zero, value_name = "FRACTION")]
    tolerance: f32,
    /// Print one JSON object a layer instead of text.
    #[arg(long)]
    json: bool,
}

/// Checks and reports on `out`.
///
/// # Errors
///
/// If the data cannot be read, the flags make no network, or an error is larger than `--tolerance`.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let data = Dataset::load(&args.data, &args.schema.schema())?;
    let config = TrainConfig {
        model: args.network.model(),
        loss: args.network.loss(),
        init: args.init,
        inputs: args.inputs,
        batch_size: args.batch_size,
        seed: args.seed,
        ..TrainConfig::default()
    };
    let mut check = Gradcheck::new(&config, &data)?;
    if !args.json {
        writeln!(out, "loss {:.6}, {} samples\n", check.loss, check.samples())?;
        let [layer, parameters, checked, kinks, error] =
            ["layer", "parameters", "checked", "at kinks", "largest error"];
        writeln!(out, "{layer:<48} {parameters:>10} {checked:>9} {kinks:>8} {error:>14}")?;
    }
    let mut largest = 0.0_f64;
    check.check(args.samples, |found| {
        let LayerCheck { layer, parameters, checked, at_kinks, worst } = found;
        largest = largest.max(*worst);
        if args.json {
            let line = json!({
                "event": "gradcheck",
                "layer": layer,
                "parameters": parameters,
                "looked_at": checked,
                "at_a_kink": at_kinks,
                "largest_relative_error": worst,
            });
            writeln!(out, "{line}")?;
        } else {
            let parameters = grouped(*parameters);
            writeln!(
                out,
                "{layer:<48} {parameters:>10} {checked:>9} {at_kinks:>8} {worst:>14.2e}"
            )?;
        }
        Ok(())
    })?;
    if largest > f64::from(args.tolerance) {
        bail!("a gradient is off by {largest:.2e}, more than --tolerance {}", args.tolerance);
    }
    Ok(())
}
