//! Whole networks on synthetic digits, whose zeros lie as MNIST's do: the forward pass, and a training step.
//!
//! "Gelem/s" is dense-equivalent GFLOP/s: zeros count as if they were multiplied. A step's time over the batch is the time
//! a sample takes; 60,000 of those are an epoch of MNIST.
//!
//! Before anything is timed, two runs must give the same bits.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use picomlp::fingerprint::fingerprint;
use picomlp::{Adam, Buffers, Init, Layer, Mlp, Network, Optimizer, Sequential, Sgd, Trainer};
use picomlp_benches::Digits;
use picomlp_cli::measure::flops::{forward_flops, step_flops};
use picomlp_train::Buffer;

const INPUTS: usize = 784;
const CLASSES: usize = 10;

/// Different samples in turn: branches that depend on the pixels must not be learnt by heart.
const SAMPLES: usize = 2_048;

fn main() {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let digits = Digits::new(SAMPLES);
    forward(&mut c, &digits);
    train(&mut c, &digits);
    c.final_summary();
}

type Net = Mlp<INPUTS, 128, CLASSES>;

fn forward(c: &mut Criterion, digits: &Digits) {
    let mut group = c.benchmark_group("forward 784-128-10");
    let net = Net::default();
    let mut params = zeros(Net::PARAMS);
    net.init(&mut params, Init::He, 1).expect("parameters of the right length");
    for batch in [1, 16, 256] {
        let mut scratch = zeros(Net::infer_scratch(batch));
        let mut run = |x: &[u8], y: &mut [f32]| {
            net.forward(&params, x, y, &mut scratch).expect("sizes that fit");
        };
        let images = &digits.images[..batch * INPUTS];
        let (mut y, mut alone) = (vec![0.0; batch * CLASSES], vec![0.0; CLASSES]);
        run(images, &mut y);
        assert!(y.iter().all(|logit| logit.is_finite()));
        for (image, logits) in images.chunks(INPUTS).zip(y.chunks(CLASSES)) {
            run(image, &mut alone);
            assert_eq!(alone, logits, "a sample's logits depend on its batch");
        }
        group.throughput(Throughput::Elements(forward_flops(batch, &[INPUTS, 128, CLASSES])));
        let mut batches = digits.images.chunks_exact(batch * INPUTS).cycle();
        group.bench_function(format!("batch {batch}"), |b| {
            b.iter(|| {
                if let Some(x) = batches.next() {
                    run(x, black_box(&mut y));
                }
            });
        });
    }
}

fn train(c: &mut Criterion, digits: &Digits) {
    for hidden in [16, 32, 128, 512, 1024] {
        let mut group = c.benchmark_group(format!("step 784-{hidden}-10"));
        for batch in [1, 8, 64, 256] {
            // Rates so small that the network stays what it is, however often a step is timed.
            step(&mut group, "sgd", hidden, batch, digits, Sgd::new);
            step(&mut group, "adam", hidden, batch, digits, Adam::new);
        }
    }
}

fn step<O: Optimizer>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    hidden: usize,
    batch: usize,
    digits: &Digits,
    optimizer: impl Fn(f32) -> O,
) {
    let first = run(hidden, batch, digits, optimizer(1e-3));
    assert!(first.0.is_finite(), "the loss is {}", first.0);
    assert_eq!(first, run(hidden, batch, digits, optimizer(1e-3)), "two runs differ");

    let net = network(hidden);
    let mut params = zeros(net.params());
    let mut state = zeros(O::STATE_PER_PARAM * net.params());
    let mut scratch = zeros(net.train_scratch(batch));
    net.init(&mut params, Init::He, 1).expect("parameters of the right length");
    let mut trainer = Trainer::new(
        net,
        optimizer(1e-9),
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut scratch[..] },
    )
    .expect("memory that fits");
    let mut batches =
        digits.images.chunks_exact(batch * INPUTS).zip(digits.labels.chunks_exact(batch)).cycle();
    group.throughput(Throughput::Elements(step_flops(batch, &[INPUTS, hidden, CLASSES])));
    group.bench_function(format!("{name}, batch {batch}"), |b| {
        b.iter(|| {
            if let Some((x, labels)) = batches.next() {
                trainer.step(x, labels).expect("a finite loss");
            }
        });
    });
}

/// The loss of the last of three steps and the fingerprint of what they lead to.
fn run<O: Optimizer>(hidden: usize, batch: usize, digits: &Digits, optimizer: O) -> (f32, u64) {
    let net = network(hidden);
    let mut params = zeros(net.params());
    let mut state = zeros(O::STATE_PER_PARAM * net.params());
    let mut scratch = zeros(net.train_scratch(batch));
    net.init(&mut params, Init::He, 1).expect("parameters of the right length");
    let mut trainer = Trainer::new(
        net,
        optimizer,
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut scratch[..] },
    )
    .expect("memory that fits");
    let mut loss = 0.0;
    let images = digits.images.chunks_exact(batch * INPUTS);
    for (x, labels) in images.zip(digits.labels.chunks_exact(batch)).take(3) {
        loss = trainer.step(x, labels).expect("a finite loss");
    }
    (loss, fingerprint(&params))
}

fn network(hidden: usize) -> Sequential {
    Sequential::mlp(&[INPUTS, hidden, CLASSES]).expect("widths that meet")
}

/// Aligned as the command line's memory is.
fn zeros(len: usize) -> Buffer {
    picomlp_train::buffer(len, "a benchmark").expect("memory for it")
}
