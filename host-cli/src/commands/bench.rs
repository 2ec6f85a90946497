//! `picomlp bench`: how fast training and inference are on this machine, and how far from what it can do.

use core::hint::black_box;
use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use picomlp::blob::Contents;
use picomlp::fingerprint::fingerprint;
use picomlp::kernels::vectors;
use picomlp::{
    Adam, Buffers, Init, Layer, Model, Network, Optimizer, Sequential, Sgd, Trainer, argmax,
};
use picomlp_train::config::Hidden;
use picomlp_train::data::{Dataset, Schema, Source, TrainTest};
use picomlp_train::text::{grouped, percent, widths};
use picomlp_train::{buffer, named};
use serde_json::json;

use crate::args::named as flag;
use crate::measure::Epochs;
use crate::measure::flops::{forward_flops, step_flops};
use crate::measure::machine::{Peak, cpu_model, has_wider_vectors, target_features};
use crate::measure::timing::{best_of, percentile};

/// Images run one at a time.
const CALLS: usize = 20_000;

/// Images run together.
const TOGETHER: usize = 256;

/// Passes over the test images, of which the best counts.
const ROUNDS: usize = 10;

/// Steps of each of the two runs that must give the same bits.
const CHECKED_STEPS: usize = 3;

/// Measure training and inference on this machine.
///
/// On one thread, beside the arithmetic peak of one core. Results are checked before they are timed: two runs give the
/// same bits, and an image gives the same logits alone and among others.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct Args {
    /// Widths of the hidden layers, separated by commas; '' for none.
    #[arg(long, default_value_t, value_name = "WIDTHS")]
    hidden: Hidden,
    /// Samples in one training step.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_size: u32,
    /// Optimizer: adam at a learning rate of 0.001, sgd at 0.1.
    #[arg(long, value_parser = flag::<Measured>(), default_value_t)]
    optimizer: Measured,
    /// Epochs, each of them timed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// `synthetic`, or a folder with training and test images: MNIST's four IDX files, or PNG files by class.
    #[arg(long, default_value_t, value_name = "DIR")]
    data: Source,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

named! {
    /// The optimizers that are measured.
    enum Measured {
        Adam = "adam",
        Sgd = "sgd",
    }
}

/// Measures, and reports on `out`.
///
/// # Errors
///
/// If the data cannot be read, the settings do not fit it or the machine, the loss stops being a finite number, or a
/// result is not what it must be.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let data = Dataset::load(&args.data, &Schema::detect())?;
    ensure!(data.own_test > 0, "{}: there is no test set", args.data);
    ensure!(!data.images().is_empty(), "{}: expected images", args.data);
    let (all, test) = (data.all(), data.len() - data.own_test);
    let data = TrainTest {
        train: data.subset(&all[..test - data.own_validation]),
        test: data.subset(&all[test..]),
    };
    let hidden = args.hidden.0.iter().copied();
    let layers: Vec<usize> =
        [data.train.pixels()].into_iter().chain(hidden).chain([data.train.classes]).collect();
    let net = Sequential::mlp(&layers).context("--hidden")?;
    let mut params = buffer(net.params(), "parameters")?;
    if !args.json {
        write_settings(out, args, &net, &data)?;
    }
    let peak = Peak::measure();
    let training = match args.optimizer {
        Measured::Sgd => train(args, &net, &data.train, &mut params, || Sgd::new(0.1))?,
        Measured::Adam => train(args, &net, &data.train, &mut params, || Adam::new(1e-3))?,
    };
    let inference = infer(&net, &params, &data)?;
    let speeds = Speeds::new(&training, &inference, &data, &layers);
    if !args.json {
        return write_result(out, &peak, &training, &inference, &speeds);
    }
    let line = json!({
        "event": "bench",
        "cpu": cpu_model(),
        "target_features": target_features(),
        "vectors": vectors(),
        "wider_vectors_unused": has_wider_vectors(),
        "lanes": peak.lanes,
        "fma_gflops": peak.fma,
        "mul_add_gflops": peak.mul_add,
        "network": widths(&net),
        "parameters": net.params(),
        "optimizer": args.optimizer.to_string(),
        "batch_size": args.batch_size,
        "epochs": args.epochs,
        "threads": 1,
        "data": args.data.to_string(),
        "train_samples": data.train.len(),
        "test_samples": data.test.len(),
        "epoch_seconds": training.epochs,
        "best_epoch_seconds": training.best,
        "median_epoch_seconds": training.median,
        "train_samples_per_second": speeds.trained,
        "train_gflops": speeds.train_gflops,
        "train_loss": training.loss,
        "fingerprint": format!("{:016x}", training.fingerprint),
        "latency_calls": CALLS,
        "latency_p50_us": inference.p50,
        "latency_p99_us": inference.p99,
        "infer_batch_size": TOGETHER,
        "infer_seconds": inference.seconds,
        "infer_samples_per_second": speeds.inferred,
        "infer_gflops": speeds.infer_gflops,
        "test_accuracy": inference.accuracy,
    });
    writeln!(out, "{line}")?;
    Ok(())
}

/// What training took, and what it led to.
struct Training {
    /// Seconds of each epoch, in their order.
    epochs: Vec<f64>,
    best: f64,
    median: f64,
    /// Mean loss of the last epoch in nats.
    loss: f64,
    fingerprint: u64,
}

fn train<O: Optimizer>(
    args: &Args,
    net: &Sequential,
    data: &Dataset,
    params: &mut [f32],
    optimizer: impl Fn() -> O,
) -> Result<Training> {
    let batch_size = (args.batch_size as usize).min(data.len());
    let mut state = buffer(O::STATE_PER_PARAM * net.params(), "the optimizer's state")?;
    let mut scratch = buffer(net.train_scratch(batch_size), "a batch")?;
    // From the initial parameters, what `work` leads to.
    let mut from_start = |work: &mut dyn FnMut(&mut Trainer<'_, Sequential, O>) -> Result<f64>| {
        net.init(params, Init::He, 1)?;
        state.fill(0.0);
        let mut trainer = Trainer::new(
            net.clone(),
            optimizer(),
            Buffers { params: &mut *params, state: &mut state[..], workspace: &mut scratch[..] },
        )?;
        let loss = work(&mut trainer).context("training")?;
        anyhow::Ok((loss, fingerprint(trainer.params())))
    };

    let labels = data.byte_labels();
    let mut few_steps = |trainer: &mut Trainer<'_, Sequential, O>| {
        let mut loss = 0.0;
        let batches = data.images().chunks(batch_size * data.pixels());
        for (x, labels) in batches.zip(labels.chunks(batch_size)).take(CHECKED_STEPS) {
            loss = f64::from(trainer.step(x, labels)?);
        }
        Ok(loss)
    };
    let (first, second) = (from_start(&mut few_steps)?, from_start(&mut few_steps)?);
    ensure!(first == second, "two runs of {CHECKED_STEPS} steps differ: {first:?}, {second:?}");

    let mut passes = Epochs::new(data, batch_size);
    let mut epochs = Vec::with_capacity(args.epochs as usize);
    let (loss, fingerprint) = from_start(&mut |trainer| {
        let mut loss = 0.0;
        for epoch in 1..=u64::from(args.epochs) {
            let began = Instant::now();
            loss = passes.run(trainer, epoch)?;
            epochs.push(began.elapsed().as_secs_f64());
        }
        Ok(loss)
    })?;
    let mut sorted = epochs.clone();
    let (best, median) = (percentile(&mut sorted, 0.0), percentile(&mut sorted, 0.5));
    Ok(Training { epochs, best, median, loss, fingerprint })
}

/// What inference took, and how often it was right.
struct Inference {
    /// Microseconds for one image, in half of all calls at most.
    p50: f64,
    /// The same, in 99 of 100 calls.
    p99: f64,
    /// Seconds for the test images in batches.
    seconds: f64,
    accuracy: f64,
}

fn infer(net: &Sequential, params: &[f32], data: &TrainTest) -> Result<Inference> {
    let contents = Contents::new(net, params);
    let mut words = buffer(contents.byte_len()?.div_ceil(4), "the model")?;
    let len = contents.write(bytemuck::cast_slice_mut(&mut words))?;
    let model = Model::<Sequential>::from_blob(&bytemuck::cast_slice(&words)[..len])?;
    let (net, params, test) = (model.net(), model.params(), &data.test);
    let (pixels, classes) = (net.inputs(), net.outputs());
    let mut scratch = buffer(net.infer_scratch(TOGETHER), "a batch")?;

    let mut logits = vec![0.0; test.len() * classes];
    let mut in_batches = |logits: &mut [f32]| {
        let batches = test.images().chunks(TOGETHER * pixels);
        batches
            .zip(logits.chunks_mut(TOGETHER * classes))
            .try_for_each(|(x, y)| net.forward(params, x, y, &mut scratch))
    };
    in_batches(&mut logits)?;
    let (mut alone, mut correct) = (vec![0.0; classes], 0);
    let mut one = buffer(net.infer_scratch(1), "an image")?;
    for (index, logits) in logits.chunks_exact(classes).enumerate() {
        net.forward(params, test.image(index), &mut alone, &mut one)?;
        let same = alone.iter().zip(logits).all(|(a, b)| a.to_bits() == b.to_bits());
        ensure!(same, "test image {index} gives other logits alone than at batch {TOGETHER}");
        let class = model.classify(test.image(index), &mut one)?;
        ensure!(class == argmax(logits), "test image {index} is taken for class {class}");
        correct += usize::from(class == test.label(index));
    }

    let mut micros = Vec::with_capacity(CALLS);
    let mut found = 0;
    // Different images in turn: branches that depend on the pixels must not be learnt by heart.
    for image in data.train.images().chunks_exact(pixels).cycle().take(CALLS) {
        let began = Instant::now();
        found += model.classify(image, &mut one)?;
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    // The calls must not be left out because nobody looks.
    black_box(found);
    let mut result = Ok(());
    let seconds = best_of(ROUNDS, || {
        result = result.and_then(|()| in_batches(black_box(&mut logits)));
    });
    result?;
    Ok(Inference {
        p50: percentile(&mut micros, 0.5),
        p99: percentile(&mut micros, 0.99),
        seconds,
        accuracy: correct as f64 / test.len() as f64,
    })
}

/// Samples and 10⁹ dense-equivalent operations a second.
struct Speeds {
    trained: f64,
    train_gflops: f64,
    tested: usize,
    inferred: f64,
    infer_gflops: f64,
}

impl Speeds {
    fn new(training: &Training, inference: &Inference, data: &TrainTest, layers: &[usize]) -> Self {
        let trained = data.train.len() as f64 / training.best;
        let inferred = data.test.len() as f64 / inference.seconds;
        Self {
            trained,
            train_gflops: trained * step_flops(1, layers) as f64 * 1e-9,
            tested: data.test.len(),
            inferred,
            infer_gflops: inferred * forward_flops(1, layers) as f64 * 1e-9,
        }
    }
}

fn write_settings(
    out: &mut dyn Write,
    args: &Args,
    net: &Sequential,
    data: &TrainTest,
) -> Result<()> {
    writeln!(out, "machine        {}", cpu_model())?;
    writeln!(out, "network        {}, {} parameters", widths(net), grouped(net.params()))?;
    writeln!(
        out,
        "settings       {}, batch {}, {} epochs, one thread",
        args.optimizer, args.batch_size, args.epochs
    )?;
    writeln!(
        out,
        "data           {}: {} training, {} test samples\n",
        args.data,
        grouped(data.train.len()),
        grouped(data.test.len())
    )?;
    out.flush()?;
    Ok(())
}

fn write_result(
    out: &mut dyn Write,
    peak: &Peak,
    training: &Training,
    inference: &Inference,
    speeds: &Speeds,
) -> Result<()> {
    let limit = peak.fma.unwrap_or(peak.mul_add);
    let speed = |samples: f64, gflops: f64| {
        let samples = grouped(samples as usize);
        format!("{samples} samples/s, {gflops:.1} GFLOP/s, {:.2} × the peak", gflops / limit)
    };
    writeln!(
        out,
        "epoch          {} at best, {} in the median",
        duration(training.best),
        duration(training.median)
    )?;
    writeln!(out, "               {}", speed(speeds.trained, speeds.train_gflops))?;
    writeln!(
        out,
        "one image      {:.2} µs (p50), {:.2} µs (p99), in {} calls at batch 1",
        inference.p50,
        inference.p99,
        grouped(CALLS)
    )?;
    let images = format!("{} images", grouped(speeds.tested));
    writeln!(out, "{images:<14} {} at batch {TOGETHER}", duration(inference.seconds))?;
    writeln!(out, "               {}", speed(speeds.inferred, speeds.infer_gflops))?;
    match peak.fma {
        Some(fma) => writeln!(
            out,
            "peak           {fma:.1} GFLOP/s of one core in vectors of {}, fused; {:.1} with multiply and add apart, as picomlp does",
            peak.lanes, peak.mul_add
        )?,
        None => writeln!(
            out,
            "peak           {:.1} GFLOP/s of one core in vectors of {}, multiply and add; it has none fused",
            peak.mul_add, peak.lanes
        )?,
    }
    writeln!(
        out,
        "               zeros count as if they were multiplied: skipped, they may lead past the peak"
    )?;
    writeln!(out, "vectors        {}; the build has {}", vectors(), target_features().join(" "))?;
    if has_wider_vectors() {
        writeln!(
            out,
            "               this machine can do more: with RUSTFLAGS=\"-C target-cpu=native\" the same bits come faster"
        )?;
    }
    writeln!(out, "test accuracy  {}", percent(inference.accuracy))?;
    writeln!(out, "fingerprint    {:016x}", training.fingerprint)?;
    Ok(())
}

/// Seconds with three digits at least, or milliseconds.
fn duration(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.2} ms", 1e3 * seconds) } else { format!("{seconds:.3} s") }
}
