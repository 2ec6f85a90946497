//! `picomlp inspect`: what a model file holds.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use picomlp::blob::{
    AnomalyThreshold, InputKind, Preparation, SelfTest, SelfTestFailure, TargetKind,
};
use picomlp::fingerprint::fingerprint;
use picomlp::layers::{INFER_STACK, TRAIN_STACK};
use picomlp::{Adam, AnyLayer, Layer, Sgd};
use picomlp_train::text::{grouped, one_line, percent, widths};
use picomlp_train::{ModelFile, ModelInput, chips};
use serde_json::json;

use crate::render::fit;
use crate::text::{loss_title, optimizer_title};

/// Show what a model holds: layers, memory, where it comes from, and whether it is intact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Say instead whether it fits microcontrollers, or what is left on this one.
    #[arg(long, value_name = "CHIP", num_args = 0..=1, conflicts_with = "json")]
    fit: Option<Option<String>>,
}

/// Bytes of memory for one use of a network.
struct Bytes {
    use_: &'static str,
    bytes: usize,
}

/// What there is to say of each form of the parameters, f32 first.
#[derive(Default)]
struct Forms {
    flash: Vec<Bytes>,
    /// Weights in flash or counted in.
    ram: Vec<Bytes>,
    self_tests: Vec<String>,
}

/// Reads the blob and reports on `out`.
///
/// # Errors
///
/// If the model cannot be read, is not intact, or fails its own test vectors.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let (blob, shown) = (file.blob()?, file.path().display());
    let net = &blob.network()?;
    let [has_f32, has_int8] = [blob.params().is_ok(), blob.int8_params().is_ok()];
    // Without f32 parameters the header's fingerprint is that of those which the int8 ones were made from.
    let print = blob.fingerprint();
    let mut forms = Forms::default();
    let params = net.params();
    // A blob of neither is refused as one without f32 parameters.
    if has_f32 || !has_int8 {
        let model = file.model()?;
        let found = fingerprint(model.params());
        ensure!(
            found == print,
            "{shown}: its parameters' fingerprint is {found:016x}, its header says {print:016x}"
        );
        let failure = model.self_test(&mut vec![0.0; net.infer_scratch(1)])?;
        forms.self_tests.push(self_test("", blob.self_test(), failure, &shown.to_string())?);
        let train = |state: usize| 4 * (params + state + net.train_scratch(1)) + TRAIN_STACK;
        let infer = 4 * net.infer_scratch(1) + INFER_STACK;
        forms.flash.push(Bytes { use_: "the weights", bytes: 4 * params });
        forms.ram = vec![
            Bytes { use_: "inference, weights in flash", bytes: infer },
            Bytes { use_: "training with SGD, batch 1", bytes: train(Sgd::state_len(params)) },
            Bytes { use_: "training with Adam, batch 1", bytes: train(Adam::state_len(params)) },
        ];
    }
    let int8 = if has_int8 { Some(file.quantized()?) } else { None };
    if let Some(chip) = &args.fit {
        let int8 = int8.as_ref().map(|model| model.scratch_len());
        return fit::write(out, chip.as_deref(), &chips::uses(net, blob.len(), int8));
    }
    if let Some(model) = &int8 {
        let failure = model.self_test(&mut vec![0; model.scratch_len()])?;
        let test = self_test("int8: ", blob.int8_self_test(), failure, &shown.to_string())?;
        forms.self_tests.push(test);
        forms.flash.push(Bytes { use_: "the weights in int8", bytes: model.param_bytes() });
        let bytes = 4 * model.scratch_len() + INFER_STACK;
        forms.ram.push(Bytes { use_: "int8 inference, weights in flash", bytes });
    }
    let self_test = forms.self_tests.join("; ");
    let about = ModelInput::new(&file, &blob, net);
    if args.json {
        let layers: Vec<_> = net.layers().iter().map(layer_json).collect();
        let line = json!({
            "event": "inspect",
            "model": shown.to_string(),
            "bytes": blob.len(),
            "version": blob.version(),
            "layers": layers,
            "parameters": params,
            "inference_ram": has_f32.then(|| forms.ram[0].bytes),
            "sgd_ram": has_f32.then(|| forms.ram[1].bytes),
            "adam_ram": has_f32.then(|| forms.ram[2].bytes),
            "int8": int8.as_ref().map(|model| json!({
                "flash": model.param_bytes(),
                "inference_ram": 4 * model.scratch_len() + INFER_STACK,
                "logit_step": model.logit_step(),
            })),
            "input": blob.input().map(|input| json!({
                "kind": format!("{:?}", input.kind).to_lowercase(),
                "features": about.features().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "rows": input.rows,
                "cols": input.cols,
                "preparation": preparation(about.preparation),
                "max": about.max,
                "mean": input.stats.map(|stats| stats.mean),
                "std": input.stats.map(|stats| stats.deviation),
            })),
            "split": about.split.map(|split| json!({
                "samples": split.samples,
                "test": split.test,
                "validation": split.validation,
                "merged": split.merged,
                "stratified": split.stratified,
                "held_out": if split.last { "last" } else { "random" },
            })),
            "anomaly_threshold": blob.anomaly_threshold().map(|threshold| threshold.score),
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
        let (name, text) = (layer.name(), layer.to_string());
        let sizes = text.strip_prefix(name).unwrap_or_default().trim_start();
        let shape = format!("{name:<6} {sizes}");
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
    if about.reads_features() {
        let names: Vec<String> = about
            .features()
            .iter()
            .map(|feature| one_line(&feature.to_string()).into_owned())
            .collect();
        writeln!(out, "input          {} features: {}", net.inputs(), names.join(", "))?;
    } else if let Some(input) = blob.input() {
        let read = |pixel: f32| pixel * input.map.scale + input.map.shift;
        writeln!(
            out,
            "input          {}×{} {}, 0 to {} read as {:.4} to {:.4}",
            input.rows,
            input.cols,
            if input.kind == InputKind::Features { "features" } else { "pixels" },
            about.max,
            read(0.0),
            read(f32::from(about.max))
        )?;
        if input.kind == InputKind::Image {
            writeln!(out, "images         {}", preparation(about.preparation))?;
        }
        if let Some(stats) = input.stats {
            let (mean, std) = (stats.mean, stats.deviation);
            writeln!(
                out,
                "values         mean {mean:.2}, standard deviation {std:.2} in training"
            )?;
        }
    }
    let what = match about.kind() {
        TargetKind::Classes => "classes",
        TargetKind::Labels => "labels",
        _ => "values",
    };
    writeln!(out, "{what:<14} {}", blob.class_names().map(one_line).collect::<Vec<_>>().join(" "))?;
    if let Some(AnomalyThreshold { score, quantile, samples }) = blob.anomaly_threshold() {
        let (share, samples) = (percent(f64::from(quantile)), grouped(samples as usize));
        writeln!(
            out,
            "threshold      {score:.4}: {share} of {samples} normal samples score no higher"
        )?;
    }
    let memory = [("flash", &forms.flash), ("RAM", &forms.ram)];
    let lines = memory.iter().flat_map(|(kind, list)| list.iter().map(move |line| (kind, line)));
    for (i, (kind, Bytes { use_, bytes })) in lines.enumerate() {
        let name = if i == 0 { "memory" } else { "" };
        writeln!(out, "{name:<14} {:>10} bytes of {kind} for {use_}", grouped(*bytes))?;
    }
    writeln!(
        out,
        "               (RAM with {INFER_STACK} bytes of stack, {TRAIN_STACK} in training)"
    )?;
    if let Some(p) = blob.provenance() {
        let optimizer = optimizer_title(p.optimizer);
        writeln!(
            out,
            "trained        {} steps of {optimizer}, to the end of epoch {}; learning rate {}, batch {}, seed {}",
            grouped(p.steps as usize),
            p.epochs,
            p.learning_rate,
            p.batch_size,
            p.seed
        )?;
        writeln!(out, "loss           {}", loss_title(p.loss))?;
        writeln!(
            out,
            "data           {} training samples, fingerprint {:016x}",
            grouped(p.train_samples as usize),
            p.data_fingerprint
        )?;
        if let Some(split) = about.split {
            writeln!(
                out,
                "split          {} for testing and {} for validation, of {} samples{}{}",
                grouped(split.test as usize),
                grouped(split.validation as usize),
                grouped(split.samples as usize),
                if split.stratified { ", stratified" } else { "" },
                if split.last { ", the last ones" } else { "" },
            )?;
        }
        match p.test_samples {
            0 => writeln!(out, "test accuracy  not measured")?,
            samples if matches!(about.kind(), TargetKind::Values | TargetKind::Inputs) => writeln!(
                out,
                "test R²        {:.4} of {} samples",
                p.test_measure,
                grouped(samples as usize)
            )?,
            samples => writeln!(
                out,
                "test accuracy  {} of {} samples",
                percent(f64::from(p.test_measure)),
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

/// What is done to image files, for people and programs.
fn preparation(preparation: Preparation) -> &'static str {
    match preparation {
        Preparation::MnistForm => "brought into MNIST's form",
        Preparation::AsIs => "as they are",
        _ => "not recorded",
    }
}

/// What came of a form's test vectors, if it has some.
fn self_test(
    form: &str,
    test: Option<SelfTest<'_>>,
    failure: Option<SelfTestFailure>,
    shown: &str,
) -> Result<String> {
    match (test, failure) {
        (None, _) => Ok(format!("{form}none")),
        (Some(test), None) => {
            Ok(format!("{form}{} vectors, passed bit for bit", test.vectors().count()))
        }
        (Some(_), Some(failure)) => bail!("{shown}: {form}{failure}"),
    }
}

fn layer_json(layer: &AnyLayer) -> serde_json::Value {
    let mut json = json!({
        "kind": layer.name(),
        "inputs": layer.inputs(),
        "outputs": layer.outputs(),
        "parameters": layer.params(),
    });
    match layer {
        AnyLayer::Dense(layer) => json["bias"] = layer.has_bias().into(),
        AnyLayer::LeakyRelu(layer) => json["slope"] = layer.slope().into(),
        AnyLayer::LayerNorm(layer) => json["epsilon"] = layer.epsilon().into(),
        _ => {}
    }
    json
}
