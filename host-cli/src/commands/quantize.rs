//! `picomlp quantize`: a model's int8 form, and a certificate of what it costs.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use picomlp::Layer;
use picomlp::layers::INFER_STACK;
use picomlp_train::data::{Amount, Dataset, Feature, Source};
use picomlp_train::output::Inputs;
use picomlp_train::quantize::{Comparison, Ranges, quantize};
use picomlp_train::text::{grouped, one_line, percent};
use picomlp_train::{Classifier, Evaluation, ModelFile, ModelInput, Pool, vote};
use serde_json::{Value, json};

use crate::args::count;
use crate::args::data::SchemaArgs;
use crate::files;
use crate::text::warn;

/// Make a model's int8 form: a quarter of the flash, and integers alone.
///
/// Weights become i8 with a step for each output; the ranges of features and activations on training data say what the u8
/// values in their place are worth. Beside FILE a certificate is written (FILE with the ending `.certificate.json`): the
/// accuracy of both forms on the test set (or R² and errors of values), how many samples change class, the worst error of an
/// output, flash and RAM.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// Data to calibrate on, as `train` takes it; its test set measures what int8 costs.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    /// Data to measure on, if --data has no test set of its own, or another one is wanted.
    #[arg(long, value_name = "DATA")]
    test_data: Option<Source>,
    /// Samples of --data to hold out and measure on, as `train` does with the model's seed: a fraction, or a number of samples
    /// [default: what training held out, if the data has no test set].
    #[arg(long, value_name = "AMOUNT", conflicts_with = "test_data")]
    test_split: Option<Amount>,
    #[command(flatten)]
    schema: SchemaArgs,
    /// Int8 model file to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Fail, and write nothing, if int8 loses more than POINTS percentage points of test accuracy. For classes alone.
    #[arg(long, value_parser = parse_points, value_name = "POINTS")]
    max_drop: Option<f64>,
    /// Keep the f32 parameters in FILE, beside the int8 ones.
    #[arg(long)]
    keep_f32: bool,
    /// Training samples to find the ranges on, from the first on.
    #[arg(long, default_value_t = 10_000, value_parser = count(u64::from(u32::MAX)), value_name = "N")]
    calibration: usize,
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
    let outputs = files::plan(&inputs, [&args.out, &certificate_path])?.described();
    let file = ModelFile::read(&args.model)?;
    let model = file.model()?;
    let shown = file.path().display();
    let input = ModelInput::new(&file, model.blob(), model.net());
    ensure!(
        args.max_drop.is_none() || input.target_names().is_empty(),
        "--max-drop is in points of accuracy, but {shown} predicts values: leave it out"
    );
    let loaded = load(args, &input)?;
    let (data, pool) = (&loaded.data, Pool::new(None)?);
    let calibration = &loaded.train[..args.calibration.min(loaded.train.len())];
    let ranges = Ranges::calibrate(&pool, &model, data, calibration);
    let ranges = ranges.with_context(|| shown.to_string())?;
    let quantized = quantize(&model, &ranges, args.keep_f32, &args.out);
    let quantized = quantized.with_context(|| shown.to_string())?;
    let int8 = quantized.quantized()?;
    let forms = [Classifier::f32(&model), Classifier::int8(&int8, model.loss_kind())];
    let test = loaded.other.as_ref().unwrap_or(data);
    let compared = Comparison::new(&pool, forms, test, &loaded.test)?;
    let [f32_form, int8_form] = &compared.forms;
    let drop = f32_form.regression.is_none().then(|| compared.drop_points());
    if let (Some(drop), Some(most)) = (drop, args.max_drop)
        && drop > most
    {
        bail!(
            "{shown}: int8 loses {drop:.2} points of accuracy ({} to {}), at most {most} are allowed; nothing was written",
            percent(f32_form.accuracy()),
            percent(int8_form.accuracy())
        );
    }
    let mut certificate = json!({
        "event": "quantize",
        "model": shown.to_string(),
        "quantized": args.out.display().to_string(),
        "data": args.data.to_string(),
        "fingerprint": format!("{:016x}", model.blob().fingerprint()),
        "test_samples": f32_form.samples,
        "f32": measures(f32_form),
        "int8": measures(int8_form),
        "drop_points": drop,
        "max_drop_points": args.max_drop,
        "changed_classes": drop.map(|_| compared.changed),
        "worst_logit_error": compared.worst_error,
        "calibration_samples": calibration.len(),
        "input_range": ranges.inputs,
        "largest_activations": ranges.activations,
        "bytes": quantized.bytes().len(),
    });
    certificate["f32"]["flash_bytes"] = (4 * model.net().params()).into();
    certificate["f32"]["ram_bytes"] = (4 * model.net().infer_scratch(1) + INFER_STACK).into();
    certificate["int8"]["flash_bytes"] = int8.param_bytes().into();
    certificate["int8"]["ram_bytes"] = (4 * int8.scratch_len() + INFER_STACK).into();
    certificate["int8"]["logit_step"] = int8.logit_step().into();
    files::write(outputs, &[quantized.bytes(), format!("{certificate:#}\n").as_bytes()])?;
    if args.json {
        writeln!(out, "{certificate}")?;
        return Ok(());
    }
    write_text(out, args, &certificate, &compared, test)?;
    writeln!(out, "certificate    {}", certificate_path.display())?;
    Ok(())
}

/// What the certificate says that a form reaches.
fn measures(form: &Evaluation) -> Value {
    match form.regression {
        None => json!({"accuracy": form.accuracy()}),
        Some(values) => json!({"r2": values.r2, "mae": values.mae, "rmse": values.rmse}),
    }
}

/// Training samples, and the test samples that go with them.
struct Loaded {
    data: Dataset,
    train: Vec<u32>,
    test: Vec<u32>,
    /// What `test` counts in, if not `data`.
    other: Option<Dataset>,
}

fn load(args: &Args, input: &ModelInput) -> Result<Loaded> {
    let schema = args.schema.schema();
    let mut data = Dataset::load(&args.data, &input.schema(&schema)?)?;
    if !input.target_names().is_empty() {
        data.predict_numbers();
    }
    input.check_fit(&data, &args.data)?;
    input.fill(&mut data);
    let names = |features: &[Feature]| -> Vec<String> {
        features.iter().map(|feature| feature.name.clone()).collect()
    };
    let (expected, got) = (names(input.features()), names(&data.features));
    ensure!(
        expected.is_empty() || expected == got,
        "{}: expected the features of {} in its order ({}), got {}: name them by --features, or calibrate on what it was \
         trained on",
        args.data,
        args.model.display(),
        one_line(&expected.join(", ")),
        one_line(&got.join(", "))
    );
    let trained = data.len() - data.own_test;
    let pixels = data.images().get(..trained * data.pixels()).unwrap_or_default();
    if let Some(what) = input.foreign(pixels, &args.data) {
        warn(&what);
    }
    let train = || data.all()[..trained - data.own_validation].to_vec();
    let is_merged = input.split.is_some_and(|split| split.merged);
    let other = match (&args.test_data, args.test_split) {
        (Some(source), _) => input.load_test(source, &schema)?,
        (None, Some(amount)) => {
            ensure!(
                data.own_test == 0,
                "--test-split {amount} was given, but {} has a test set of its own: leave it out",
                args.data
            );
            if let Some(class) =
                (0..data.classes).find(|&class| data.class_name(class) != input.class_name(class))
            {
                bail!(
                    "{}: its class {class} is `{}`, but that of {} is `{}`: name test data by --test-data instead",
                    args.data,
                    data.class_name(class),
                    args.model.display(),
                    input.class_name(class)
                );
            }
            let split = input.split_by(&data, amount)?;
            return Ok(Loaded { data, train: split.train, test: split.test, other: None });
        }
        // Read anew: its labels are those of the model's classes, whatever the training set has.
        (None, None) if data.own_test > 0 && !is_merged => input.load_test(&args.data, &schema)?,
        (None, None) => {
            let again = input.split_again(&args.data, &schema);
            let (data, split) = again.with_context(|| {
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
            return Ok(Loaded { train: split.seen(), test: split.test, data, other: None });
        }
    };
    let (train, test) = (train(), other.all());
    Ok(Loaded { data, train, test, other: Some(other) })
}

fn write_text(
    out: &mut dyn Write,
    args: &Args,
    certificate: &Value,
    compared: &Comparison,
    test: &Dataset,
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
    let [f32, int8] = &compared.forms;
    if let (Some(f32), Some(int8)) = (f32.regression, int8.regression) {
        writeln!(out, "test R²        {:.4} in f32, {:.4} in int8", f32.r2, int8.r2)?;
        writeln!(
            out,
            "test errors    root mean squared {:.4} in f32, {:.4} in int8; int8 is {:.4} off f32 at most",
            f32.rmse, int8.rmse, compared.worst_error
        )?;
    } else {
        writeln!(
            out,
            "test accuracy  {} in f32, {} in int8: {:.2} points lost",
            percent(f32.accuracy()),
            percent(int8.accuracy()),
            compared.drop_points()
        )?;
        writeln!(
            out,
            "differences    {} of {} {} change class; worst error of a logit {:.4}",
            grouped(compared.changed),
            grouped(f32.samples),
            vote::answers(test),
            compared.worst_error
        )?;
    }
    for (name, what) in [("flash", "flash_bytes"), ("RAM", "ram_bytes")] {
        let (f32, int8) = (bytes("f32", what), bytes("int8", what));
        writeln!(out, "{name:<14} {f32} bytes in f32, {int8} in int8")?;
    }
    Ok(())
}

/// The value of `--max-drop`.
fn parse_points(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(points) if (0.0..=100.0).contains(&points) => Ok(points),
        _ => Err("expected a number of percentage points from 0 to 100".to_owned()),
    }
}
