//! `picomlp inspect`: what a model file holds.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use picomlp::blob::OptimizerKind;
use picomlp::fingerprint::fingerprint;
use picomlp::{Adam, AnyLayer, Layer, Sgd};
use serde_json::json;

use crate::ModelFile;
use crate::model_file::ModelInput;
use crate::text::{grouped, percent, widths};

/// Show what a model holds: layers, memory, where it comes from, and whether it is intact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Bytes of RAM for one use of a network, weights in flash or counted in.
struct Ram {
    use_: &'static str,
    bytes: usize,
}

/// Reads the blob and reports on `out`.
///
/// # Errors
///
/// If the model cannot be read, is not intact, or fails its own test vectors.
pub fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let model = file.model()?;
    let (net, blob, shown) = (model.net(), model.blob(), file.path().display());
    let print = fingerprint(model.params());
    ensure!(
        print == blob.fingerprint(),
        "{shown}: its parameters' fingerprint is {print:016x}, its header says {:016x}",
        blob.fingerprint()
    );
    let self_test = match blob.self_test() {
        None => "none".to_owned(),
        Some(test) => match model.self_test(&mut vec![0.0; net.infer_scratch(1)])? {
            None => format!("{} vectors, passed bit for bit", test.vectors().count()),
            Some(failure) => bail!("{shown}: {failure}"),
        },
    };
    let params = net.params();
    let train = |state: usize| 4 * (params + state + net.train_scratch(1));
    let ram = [
        Ram { use_: "inference, weights in flash", bytes: 4 * net.infer_scratch(1) },
        Ram { use_: "training with SGD, batch 1", bytes: train(Sgd::state_len(params)) },
        Ram { use_: "training with Adam, batch 1", bytes: train(Adam::state_len(params)) },
    ];
    if args.json {
        let layers: Vec<_> = net.layers().iter().map(layer_json).collect();
        let line = json!({
            "event": "inspect",
            "model": shown.to_string(),
            "bytes": blob.len(),
            "version": blob.version(),
            "layers": layers,
            "parameters": params,
            "inference_ram": ram[0].bytes,
            "sgd_ram": ram[1].bytes,
            "adam_ram": ram[2].bytes,
            "fingerprint": format!("{print:016x}"),
            "self_test": self_test,
            "command": blob.provenance().map(|provenance| provenance.command.to_owned()),
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let [header, payload] = blob.checksums();
    writeln!(
        out,
        "model          {shown}, {} bytes, format version {}",
        grouped(blob.len()),
        blob.version()
    )?;
    writeln!(out, "network        {}, {} parameters", widths(net), grouped(params))?;
    for layer in net.layers() {
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let shape = format!("{:<6} {inputs}→{outputs}", layer.name());
        match layer.params() {
            0 => writeln!(out, "  {shape}")?,
            count => writeln!(
                out,
                "  {shape:<20} {:>10} parameters {:>10} bytes",
                grouped(count),
                grouped(4 * count)
            )?,
        }
    }
    if let Some(input) = blob.input() {
        let read = |pixel: f32| pixel * input.map.scale + input.map.shift;
        let max = ModelInput::new(blob, net).max;
        writeln!(
            out,
            "input          {}×{} pixels, 0 to {max} read as {:.4} to {:.4}",
            input.rows,
            input.cols,
            read(0.0),
            read(f32::from(max))
        )?;
    }
    writeln!(out, "classes        {}", blob.class_names().collect::<Vec<_>>().join(" "))?;
    writeln!(out, "memory         {:>10} bytes of flash for the weights", grouped(4 * params))?;
    for Ram { use_, bytes } in ram {
        writeln!(out, "               {:>10} bytes of RAM for {use_}", grouped(bytes))?;
    }
    if let Some(p) = blob.provenance() {
        let optimizer = match p.optimizer {
            OptimizerKind::Sgd => "SGD",
            OptimizerKind::Momentum => "SGD with momentum",
            OptimizerKind::Nesterov => "SGD with Nesterov momentum",
            OptimizerKind::RmsProp => "RMSprop",
            OptimizerKind::GroupRms => "RMSprop with one rate a group",
            OptimizerKind::Adam => "Adam",
            OptimizerKind::AdamW => "AdamW",
            _ => "another optimizer",
        };
        writeln!(
            out,
            "trained        {} steps of {optimizer}, to the end of epoch {}; learning rate {}, batch {}, seed {}",
            grouped(p.steps as usize),
            p.epochs,
            p.learning_rate,
            p.batch_size,
            p.seed
        )?;
        writeln!(
            out,
            "data           {} training samples, fingerprint {:016x}",
            grouped(p.train_samples as usize),
            p.data_fingerprint
        )?;
        match p.test_samples {
            0 => writeln!(out, "test accuracy  not measured")?,
            samples => writeln!(
                out,
                "test accuracy  {} of {} samples",
                percent(f64::from(p.test_accuracy)),
                grouped(samples as usize)
            )?,
        }
        writeln!(out, "repeat         {}", p.command)?;
    }
    writeln!(out, "fingerprint    {print:016x}")?;
    writeln!(out, "checksums      header {header:08x} right, payload {payload:08x} right")?;
    writeln!(out, "self-test      {self_test}")?;
    Ok(())
}

fn layer_json(layer: &AnyLayer) -> serde_json::Value {
    json!({
        "kind": layer.name(),
        "inputs": layer.inputs(),
        "outputs": layer.outputs(),
        "parameters": layer.params(),
    })
}
