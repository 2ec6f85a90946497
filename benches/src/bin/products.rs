//! The three products of a dense layer without zeros, as shares of what this machine's arithmetic allows.
//!
//! Prints one JSON object for each number of outputs: GFLOP/s of the forward pass, of the weight gradient with a step
//! of gradient descent, and of the input gradient, and their shares of the peak of separate multiplications and
//! additions. Before anything is timed, the bits are compared with those of the plain loops. Passes take turns, and the
//! best run of each counts; the peak is measured before and after.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use picomlp::kernels::{
    Sink, dense_forward, dense_forward_scalar, dense_input_gradient, dense_input_gradient_scalar,
    dense_update, dense_update_scalar, update_work, vectors,
};
use picomlp::{Batch, Optimizer, Serial, Sgd};
use picomlp_cli::measure::machine::{Peak, cpu_model, target_features};
use picomlp_train::{Buffer, buffer};
use serde_json::json;

/// Measure the products of a dense layer.
#[derive(Debug, Parser)]
struct Cli {
    /// Samples.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Inputs.
    #[arg(long, default_value_t = 784)]
    inputs: usize,
    /// Numbers of outputs.
    #[arg(long, value_delimiter = ',', default_value = "10,128,512,1024,2048")]
    outputs: Vec<usize>,
    /// Seconds for each number of outputs.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

const RATE: f32 = 1e-6;

fn main() -> Result<()> {
    let cli = Cli::parse();
    for &outputs in &cli.outputs {
        let before = Peak::measure().mul_add;
        let best = measure(&cli, outputs)?;
        let peak = before.max(Peak::measure().mul_add);
        let operations = 2.0 * (cli.batch * cli.inputs * outputs) as f64;
        let gflops = best.map(|seconds| operations / seconds * 1e-9);
        let shares = gflops.map(|gflops| (1e3 * gflops / peak).round() / 1e3);
        println!(
            "{}",
            json!({
                "what": "products",
                "cpu": cpu_model(),
                "target_features": target_features(),
                "vectors": vectors(),
                "batch": cli.batch,
                "inputs": cli.inputs,
                "outputs": outputs,
                "mul_add_gflops": peak,
                "forward_gflops": gflops[0],
                "update_gflops": gflops[1],
                "input_gradient_gflops": gflops[2],
                "forward_share": shares[0],
                "update_share": shares[1],
                "input_gradient_share": shares[2],
            })
        );
    }
    Ok(())
}

/// The shortest forward pass, update and input gradient, in seconds.
fn measure(cli: &Cli, outputs: usize) -> Result<[f64; 3]> {
    let Cli { batch, inputs, .. } = *cli;
    let weights = inputs * outputs;
    let (x, d_y) = (values(batch * inputs, 1)?, values(batch * outputs, 2)?);
    let mut params = values(weights + outputs, 3)?;
    let (mut y, mut d_x) = (buffer(batch * outputs, "y")?, buffer(batch * inputs, "d_x")?);
    let mut work = buffer(update_work(outputs, batch, 1), "work")?;
    let x = Batch::rows(&x[..], inputs)?;
    let update = Sgd::new(RATE).begin();

    let (mut expected_y, mut expected_d_x) = (y.clone(), d_x.clone());
    let mut expected = params.clone();
    let (w, b) = params.split_at(weights);
    dense_forward(&Serial, x, w, b, &mut y);
    dense_forward_scalar(x, w, b, &mut expected_y);
    dense_input_gradient(&Serial, batch, &d_y, w, &mut d_x);
    dense_input_gradient_scalar(batch, &d_y, w, &mut expected_d_x);
    let mut sink = Sink::new(&mut params, &mut [], &update);
    dense_update(&Serial, x, &d_y, 0, &mut sink, &mut work);
    dense_update_scalar(x, &d_y, 0, &mut Sink::new(&mut expected, &mut [], &update));
    for (got, expected) in [(&y, &expected_y), (&d_x, &expected_d_x), (&params, &expected)] {
        let same = got.iter().zip(&**expected).all(|(a, b)| a.to_bits() == b.to_bits());
        ensure!(same, "{outputs} outputs: the bits are not those of the plain loops");
    }

    let mut best = [f64::INFINITY; 3];
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < cli.seconds {
        let (w, b) = params.split_at(weights);
        best[0] = best[0].min(timed(|| dense_forward(&Serial, x, w, b, &mut y)));
        best[2] = best[2].min(timed(|| dense_input_gradient(&Serial, batch, &d_y, w, &mut d_x)));
        let mut sink = Sink::new(&mut params, &mut [], &update);
        best[1] = best[1].min(timed(|| dense_update(&Serial, x, &d_y, 0, &mut sink, &mut work)));
    }
    Ok(best)
}

fn values(len: usize, seed: u64) -> Result<Buffer> {
    let mut values = buffer(len, "values")?;
    picomlp_fixtures::fill(&mut values, seed);
    Ok(values)
}

fn timed(run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_secs_f64()
}
