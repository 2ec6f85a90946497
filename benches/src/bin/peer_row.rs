//! Measures picomlp on MNIST for the table beside its peers: training by the epoch, and inference.
//!
//! One JSON object a command. Batch, optimizer, initial scale and data are those that `peers/peers.py` gives the
//! others; the data is in memory, and shuffling is part of an epoch.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use picomlp::blob::Contents;
use picomlp::kernels::vectors;
use picomlp::{
    Adam, Buffers, Init, Layer, Mlp, Model, Network, Optimizer, Sequential, Sgd, Trainer, argmax,
    fingerprint,
};
use picomlp_cli::measure::Epochs;
use picomlp_cli::measure::machine::target_features;
use picomlp_cli::measure::timing::{best_of, percentile};
use picomlp_train::data::{Dataset, TrainTest, mnist};
use picomlp_train::{Buffer, Pool, buffer};
use serde_json::{Value, json};

/// Measure picomlp on MNIST.
#[derive(Debug, Parser)]
struct Cli {
    /// The folder with MNIST's four IDX files, plain or gzipped.
    #[arg(long, env = "PICOMLP_MNIST", default_value = "../shared/mnist", global = true)]
    data: PathBuf,
    /// Raise every pixel to at least 1, so that no input is zero.
    #[arg(long, global = true)]
    no_zeros: bool,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Train 784-H-10, or a deeper network, and print the time of each epoch and the accuracy on the test set.
    Train(TrainArgs),
    /// Run 784-128-10: one image at a time in place, and the test set in batches.
    Infer(InferArgs),
}

#[derive(Debug, clap::Args)]
struct TrainArgs {
    /// Widths of the hidden layers.
    #[arg(long, value_delimiter = ',', default_value = "128")]
    hidden: Vec<usize>,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Gradient descent at a rate of 0.1, or Adam at 0.001.
    #[arg(long, value_enum, default_value_t = OptimizerName::Sgd)]
    optimizer: OptimizerName,
    /// Samples in one step.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Passes over the training set.
    #[arg(long, default_value_t = 3)]
    epochs: u64,
    /// Write the parameters to this file, as little-endian f32: weights `[IN][OUT]`, bias, layer by layer.
    #[arg(long)]
    save: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct InferArgs {
    /// Parameters of 784-128-10, as `train --save` writes them.
    #[arg(long)]
    weights: PathBuf,
    /// Images run one at a time.
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// Samples run together.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Passes over the test set in batches, of which the best counts.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OptimizerName {
    Sgd,
    Adam,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut data = mnist::load_dir(&cli.data)?;
    if cli.no_zeros {
        for set in [&mut data.train, &mut data.test] {
            let images = set.images().iter().map(|pixel| (*pixel).max(1));
            set.inputs = images.collect::<Vec<_>>().into();
        }
    }
    let mut result = match &cli.task {
        Task::Train(args) => match args.optimizer {
            OptimizerName::Sgd => train(args, &data, Sgd::new(0.1))?,
            OptimizerName::Adam => train(args, &data, Adam::new(1e-3))?,
        },
        Task::Infer(args) => infer(args, &data.test)?,
    };
    if let Value::Object(fields) = &mut result {
        fields.insert("no_zeros".into(), cli.no_zeros.into());
        fields.insert("target_features".into(), target_features().into());
        fields.insert("vectors".into(), vectors().into());
    }
    println!("{result}");
    Ok(())
}

fn train<O: Optimizer + Send>(args: &TrainArgs, data: &TrainTest, optimizer: O) -> Result<Value> {
    let TrainTest { train, test } = data;
    ensure!(args.batch > 0, "--batch must be at least 1");
    let width = train.pixels();
    let widths: Vec<usize> =
        [width].into_iter().chain(args.hidden.iter().copied()).chain([train.classes]).collect();
    let net = Sequential::mlp(&widths)?;
    let pool = Pool::new(Some(args.threads))?;
    let mut params = buffer(net.params(), "parameters")?;
    let mut state = buffer(O::STATE_PER_PARAM * net.params(), "the optimizer's state")?;
    let mut scratch = buffer(net.shape().train_scratch(args.threads, args.batch), "a batch")?;
    net.init(&mut params, Init::He, 1)?;
    let mut trainer = Trainer::new(
        net.clone(),
        optimizer,
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut scratch[..] },
    )?
    .with_threads(&pool);
    let mut epochs = Epochs::new(train, args.batch);
    let (mut seconds, mut loss) = (Vec::new(), 0.0);
    for epoch in 1..=args.epochs {
        let began = Instant::now();
        loss = pool.run(|| epochs.run(&mut trainer, epoch))?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    let accuracy = accuracy(&net, &params, test)?;
    if let Some(path) = &args.save {
        let bytes: Vec<u8> = params.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(json!({
        "what": "train",
        "who": "picomlp",
        "hidden": args.hidden,
        "threads": args.threads,
        "optimizer": format!("{:?}", args.optimizer).to_lowercase(),
        "batch": args.batch,
        "seconds": seconds.iter().copied().fold(f64::INFINITY, f64::min),
        "epoch_seconds": seconds,
        "train_loss": loss,
        "test_accuracy": accuracy,
        "fingerprint": format!("{:016x}", fingerprint::fingerprint(&params)),
    }))
}

type Net = Mlp<784, 128, 10>;

fn infer(args: &InferArgs, test: &Dataset) -> Result<Value> {
    ensure!(test.pixels() == Net::INPUTS, "the pictures have {} pixels, not 784", test.pixels());
    ensure!(args.batch > 0, "--batch must be at least 1");
    let params = read_params(&args.weights)?;
    let net = Net::default();
    let contents = Contents::new(&net, &params);
    let mut blob = buffer(contents.byte_len()?.div_ceil(4), "the blob")?;
    let len = contents.write(bytemuck::cast_slice_mut(&mut blob))?;
    let model = Model::<Net>::from_blob(&bytemuck::cast_slice(&blob)[..len])?;

    let mut scratch = [0.0; Net::INFER_SCRATCH];
    let mut correct = 0;
    for (image, &label) in images(test).zip(test.labels()) {
        correct += usize::from(model.classify(image, &mut scratch)? == usize::from(label));
    }
    let mut micros = Vec::with_capacity(args.calls);
    let mut classes = 0;
    for image in images(test).cycle().take(args.calls) {
        let began = Instant::now();
        classes += model.classify(image, &mut scratch)?;
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    // The calls must not be left out because nobody looks.
    core::hint::black_box(classes);

    let outputs = Net::OUTPUTS;
    let mut scratch = buffer(net.infer_scratch(args.batch), "a batch")?;
    let mut logits = vec![0.0; test.len() * outputs];
    let mut failed = None;
    let seconds = best_of(args.rounds, || {
        let batches = test.images().chunks(args.batch * Net::INPUTS);
        for (x, y) in batches.zip(logits.chunks_mut(args.batch * outputs)) {
            if let Err(error) = net.forward(&params, x, y, &mut scratch) {
                failed = Some(error);
            }
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let found = logits.chunks(outputs).map(argmax);
    let correct_in_batches =
        found.zip(test.labels()).filter(|(class, label)| *class == usize::from(**label)).count();
    ensure!(correct == correct_in_batches, "one by one and in batches give other classes");
    Ok(json!({
        "what": "infer",
        "who": "picomlp",
        "p50_us": percentile(&mut micros, 0.5),
        "p99_us": percentile(&mut micros, 0.99),
        "calls": args.calls,
        "batch": args.batch,
        "samples": test.len(),
        "seconds": seconds,
        "test_accuracy": correct as f64 / test.len() as f64,
    }))
}

/// The share of samples whose class is found.
fn accuracy(net: &impl Layer, params: &[f32], test: &Dataset) -> Result<f64> {
    let mut logits = vec![0.0; test.len() * net.outputs()];
    let mut scratch = buffer(net.infer_scratch(test.len()), "the test set")?;
    net.forward(params, test.images(), &mut logits, &mut scratch)?;
    let found = logits.chunks_exact(net.outputs()).map(argmax);
    let correct = found.zip(test.labels()).filter(|(class, label)| *class == usize::from(**label));
    Ok(correct.count() as f64 / test.len() as f64)
}

fn images(set: &Dataset) -> impl Iterator<Item = &[u8]> + Clone {
    set.images().chunks_exact(set.pixels())
}

fn read_params(path: &Path) -> Result<Buffer> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let values = bytes.as_chunks::<4>().0;
    ensure!(
        values.len() == Net::PARAMS,
        "{} holds {} values, expected the {} of 784-128-10",
        path.display(),
        values.len(),
        Net::PARAMS
    );
    let mut params = buffer(Net::PARAMS, "parameters")?;
    for (to, value) in params.iter_mut().zip(values) {
        *to = f32::from_le_bytes(*value);
    }
    Ok(params)
}
