//! `picomlp quantize`: a model's int8 form, and a certificate of what it costs.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{Contents, Int8Contents};
use picomlp::layers::INFER_STACK;
use picomlp::{Batch, InputMap, Layer, Model, Network, QuantizedModel, Sequential, argmax};
use serde_json::{Value, json};

use crate::ModelFile;
use crate::calibrate::largest_activations;
use crate::data::split::Amount;
use crate::data::{Dataset, Format, Source, Split};
use crate::evaluate::int8_logits;
use crate::model_input::ModelInput;
use crate::output::{Inputs, Outputs};
use crate::text::{grouped, percent};

/// Make a model's int8 form: a quarter of the flash, and integers alone.
///
/// Weights become i8 with a step for each output; the largest activations on training data say what the u8 values between
/// the layers are worth. Beside FILE a certificate is written (FILE with the ending `.certificate.json`): the accuracy of
/// both forms on the test set, how many pictures change class, the worst error of a logit, flash and RAM.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// What to calibrate on, as `train` takes it; its test set measures what int8 costs.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    /// What to measure on, if --data has no test set of its own, or another one is wanted.
    #[arg(long, value_name = "DATA")]
    test_data: Option<Source>,
    /// Hold out so much of --data to measure on, as `train` does with the model's seed: a fraction, or a number of samples
    /// [default: what training held out, if the data has no test set].
    #[arg(long, value_name = "AMOUNT", conflicts_with = "test_data")]
    test_split: Option<Amount>,
    #[command(flatten)]
    format: Format,
    /// Where the int8 model goes.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Fail, and write nothing, if int8 loses more than so many percentage points of the test accuracy.
    #[arg(long, value_parser = parse_points, value_name = "POINTS")]
    max_drop: Option<f64>,
    /// Keep the f32 parameters in FILE, beside the int8 ones.
    #[arg(long)]
    keep_f32: bool,
    /// Training samples to find the largest activations on, from the first on.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    calibration: u32,
    /// Print the certificate as one JSON line instead of text.
    #[arg(long)]
    json: bool,
}

/// Quantizes, measures, writes blob and certificate, and reports on `out`.
///
/// # Errors
///
/// If model or data cannot be read, do not fit each other, have no int8 form, or lose more than allowed. Nothing is
/// written then.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let certificate_path = args.out.with_extension("certificate.json");
    let inputs = Inputs::default()
        .and("the model", [&args.model])
        .and("--data", args.data.path())
        .and("--test-data", args.test_data.as_ref().and_then(Source::path));
    let outputs = Outputs::plan(&inputs, [&args.out, &certificate_path])?.described();
    let file = ModelFile::read(&args.model)?;
    let model = file.model()?;
    let shown = file.path().display();
    let input = ModelInput::new(&file, model.blob(), model.net());
    let Split { train, test } = load(args, &input)?;
    input.warn_if_foreign(&train.images, &args.data);
    let map = model.blob().input_map();
    let samples = (args.calibration as usize).min(train.len());
    let ranges = largest_activations(model.net(), model.params(), &train, map, samples)
        .with_context(|| shown.to_string())?;

    let bytes = blob(&model, &ranges, args.keep_f32).with_context(|| shown.to_string())?;
    let aligned = aligned(&bytes);
    let quantized =
        QuantizedModel::<Sequential>::from_blob(&bytemuck::cast_slice(&aligned)[..bytes.len()])?;
    let compared = compare(&model, &quantized, &test, map)?;
    let drop = compared.drop_points();
    let certificate = json!({
        "event": "quantize",
        "model": shown.to_string(),
        "quantized": args.out.display().to_string(),
        "data": args.data.to_string(),
        "fingerprint": format!("{:016x}", model.blob().fingerprint()),
        "test_samples": test.len(),
        "f32": {
            "accuracy": compared.accuracy(compared.correct[0]),
            "flash_bytes": 4 * model.net().params(),
            "ram_bytes": 4 * model.net().infer_scratch(1) + INFER_STACK,
        },
        "int8": {
            "accuracy": compared.accuracy(compared.correct[1]),
            "flash_bytes": quantized.param_bytes(),
            "ram_bytes": 4 * quantized.scratch_len() + INFER_STACK,
            "logit_step": quantized.logit_step(),
        },
        "drop_points": drop,
        "max_drop_points": args.max_drop,
        "changed_classes": compared.changed,
        "worst_logit_error": compared.worst_error,
        "calibration_samples": samples,
        "largest_activations": ranges,
        "bytes": bytes.len(),
    });
    if let Some(most) = args.max_drop
        && drop > most
    {
        bail!(
            "{shown}: int8 loses {drop:.2} points of accuracy ({} to {}), at most {most} are allowed; nothing was written",
            percent(compared.accuracy(compared.correct[0])),
            percent(compared.accuracy(compared.correct[1]))
        );
    }
    let pretty = format!("{certificate:#}\n");
    outputs.write(&[&bytes, pretty.as_bytes()])?;
    if args.json {
        writeln!(out, "{certificate}")?;
        return Ok(());
    }
    write_text(out, args, &certificate, &compared)?;
    writeln!(out, "certificate    {}", certificate_path.display())?;
    Ok(())
}

/// The training set, and the test set that goes with it.
fn load(args: &Args, input: &ModelInput) -> Result<Split> {
    let format = input.format(&args.format)?;
    let loaded = args.data.load(&format)?;
    input.check_fit(&loaded.train, &args.data)?;
    let is_merged = input.split.is_some_and(|split| split.merged);
    let test = match (&args.test_data, args.test_split, &loaded.test) {
        (Some(source), ..) => input.load_test(source, &args.format)?.0,
        (None, Some(amount), None) => return input.split_by(loaded.train, amount),
        (None, Some(amount), Some(_)) => bail!(
            "--test-split {amount} was given, but {} has a test set of its own: leave it out",
            args.data
        ),
        // Read anew: its labels are those of the model's classes, whatever the training set has.
        (None, None, Some(_)) if !is_merged => input.load_test(&args.data, &args.format)?.0,
        (None, None, _) => {
            let split = input.split_again(&args.data, &args.format).with_context(|| {
                format!(
                    "{} has no test set, which says what int8 costs: name one by --test-data, or hold one out by --test-split",
                    args.data
                )
            })?;
            ensure!(
                !split.test.is_empty(),
                "{} has no test set, and training held none out: name one by --test-data",
                args.data
            );
            return Ok(split);
        }
    };
    Ok(Split { train: loaded.train, test })
}

fn write_text(
    out: &mut dyn Write,
    args: &Args,
    certificate: &Value,
    compared: &Comparison,
) -> Result<()> {
    let bytes = |form: &str, what: &str| {
        let bytes = certificate[form][what].as_u64().unwrap_or_default();
        grouped(usize::try_from(bytes).unwrap_or(usize::MAX))
    };
    writeln!(
        out,
        "quantized      {}, {} bytes, {}",
        args.out.display(),
        grouped(certificate["bytes"].as_u64().unwrap_or_default() as usize),
        if args.keep_f32 { "f32 and int8" } else { "int8 alone" }
    )?;
    let [f32, int8] = compared.correct.map(|correct| percent(compared.accuracy(correct)));
    writeln!(
        out,
        "test accuracy  {f32} in f32, {int8} in int8: {:.2} points lost",
        compared.drop_points()
    )?;
    writeln!(
        out,
        "differences    {} of {} pictures change class; worst error of a logit {:.4}",
        grouped(compared.changed),
        grouped(compared.samples),
        compared.worst_error
    )?;
    for (name, what) in [("flash", "flash_bytes"), ("RAM", "ram_bytes")] {
        let (f32, int8) = (bytes("f32", what), bytes("int8", what));
        writeln!(out, "{name:<14} {f32} bytes in f32, {int8} in int8")?;
    }
    Ok(())
}

/// Both forms of a model on a test set.
struct Comparison {
    samples: usize,
    /// Samples whose class was found: in f32, in int8.
    correct: [usize; 2],
    /// Samples whose class differs.
    changed: usize,
    /// The largest difference of two logits.
    worst_error: f32,
}

impl Comparison {
    fn accuracy(&self, correct: usize) -> f64 {
        correct as f64 / self.samples as f64
    }

    /// Percentage points that int8 is worse by; negative if it is better.
    fn drop_points(&self) -> f64 {
        let [f32, int8] = self.correct.map(|correct| correct as f64);
        100.0 * (f32 - int8) / self.samples as f64
    }
}

fn compare(
    model: &Model<'_, Sequential>,
    quantized: &QuantizedModel<'_, Sequential>,
    data: &Dataset,
    map: InputMap,
) -> Result<Comparison> {
    let net = model.net();
    let mut logits = [vec![0.0; net.outputs()], vec![0.0; net.outputs()]];
    let mut scratch = vec![0.0; net.infer_scratch(1)];
    let mut int8_scratch = vec![0; quantized.scratch_len()];
    let mut compared =
        Comparison { samples: data.len(), correct: [0; 2], changed: 0, worst_error: 0.0 };
    for (sample, &label) in data.labels.iter().enumerate() {
        let pixels = data.image(sample);
        let x = Batch::rows(pixels, net.inputs())?.with_map(map);
        let [exact, near] = &mut logits;
        net.forward(model.params(), x, exact, &mut scratch)?;
        int8_logits(quantized, pixels, near, &mut int8_scratch)?;
        let classes = [argmax(exact), argmax(near)];
        for (correct, class) in compared.correct.iter_mut().zip(classes) {
            *correct += usize::from(class == usize::from(label));
        }
        compared.changed += usize::from(classes[0] != classes[1]);
        for (exact, near) in exact.iter().zip(near) {
            compared.worst_error = compared.worst_error.max((*exact - *near).abs());
        }
    }
    Ok(compared)
}

/// The model's blob with its int8 form. The self-test's logits are what that form gives here.
fn blob(model: &Model<'_, Sequential>, ranges: &[f32], keep_f32: bool) -> Result<Vec<u8>> {
    let (net, old) = (model.net(), model.blob());
    let names: Vec<&str> = old.class_names().collect();
    let (mut pixels, mut logits) = (Vec::new(), Vec::new());
    if let Some(test) = old.self_test() {
        for (x, bits) in test.vectors() {
            pixels.extend_from_slice(x);
            logits.extend(bits.map(f32::from_bits));
        }
    }
    let int8 = Int8Contents::new(ranges).keep_f32(keep_f32);
    let mut contents = Contents {
        input: old.input(),
        class_names: &names,
        provenance: old.provenance(),
        split: old.split(),
        self_test_inputs: &pixels,
        self_test_logits: &logits,
        int8: Some(int8),
        ..Contents::new(net, model.params())
    };
    let bytes = written(&contents)?;
    let aligned = aligned(&bytes);
    let quantized =
        QuantizedModel::<Sequential>::from_blob(&bytemuck::cast_slice(&aligned)[..bytes.len()])?;
    let mut scratch = vec![0; quantized.scratch_len()];
    let mut int8_logits = Vec::new();
    for pixels in pixels.chunks_exact(net.inputs()) {
        int8_logits.extend_from_slice(quantized.logits(pixels, &mut scratch)?);
    }
    contents.int8 = Some(int8.self_test(&int8_logits));
    written(&contents)
}

fn written(contents: &Contents<'_, Sequential>) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(contents.byte_len()?);
    contents.write_pieces(|piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

/// The bytes at an address that words can be read from.
fn aligned(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

/// The value of `--max-drop`.
fn parse_points(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(points) if (0.0..=100.0).contains(&points) => Ok(points),
        _ => Err("expected a number of percentage points from 0 to 100".to_owned()),
    }
}
