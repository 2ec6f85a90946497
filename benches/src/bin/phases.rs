//! A training step phase by phase, on one thread and on two, and what it costs that two cores share the weights.
//!
//! The phases are those of `Trainer::step` with plain gradient descent on 784-H-10, whose parameters they must end in,
//! bit for bit, before anything is timed. Rounds on one thread and on two alternate; each column is the round with the
//! shortest step, so that it is one state of the machine.
//!
//! Between two steps, each thread updates the rows of weights of its half of the inputs, and then reads the rows of all
//! the inputs that its half of the samples has: cache lines go from core to core. What that costs shows where the first
//! layer's forward pass is run again, when both cores have all the weights; the program also counts the lines.

use core::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use picomlp::kernels::{
    Sink, dense_forward, dense_input_gradient, dense_update, relu, relu_gradient,
    softmax_cross_entropy, update_work,
};
use picomlp::rng::shuffle;
use picomlp::{Batch, Buffers, Init, Layer, Network, Optimizer, Sequential, Sgd, Trainer};
use picomlp_train::data::{Dataset, gather, mnist};
use picomlp_train::{Buffer, Pool, buffer};
use serde_json::json;

/// Times the phases of a training step.
#[derive(Debug, Parser)]
struct Cli {
    /// The folder with MNIST's four IDX files, plain or gzipped.
    #[arg(long, env = "PICOMLP_MNIST", default_value = "../shared/mnist")]
    data: PathBuf,
    /// Width of the hidden layer.
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Rounds on one thread and on two.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

const BATCH: usize = 64;
const STEPS: usize = 200;
const RATE: f32 = 0.1;

const PHASES: [&str; 9] = [
    "copy the batch together",
    "forward, first layer",
    "forward, first layer, again",
    "ReLU",
    "forward, second layer",
    "softmax and loss",
    "gradient at the hidden layer",
    "gradient and update, second layer",
    "gradient and update, first layer",
];

/// The phase that is no part of a step.
const AGAIN: usize = 2;

fn main() -> Result<()> {
    let cli = Cli::parse();
    let data = mnist::load_dir(&cli.data)?.train;
    ensure!(data.pixels() == 784 && data.classes == 10, "{}: expected MNIST", cli.data.display());
    let (one, two) = (Pool::new(Some(1))?, Pool::new(Some(2))?);
    let mut step = Step::new(&data, cli.hidden)?;
    step.must_train_as_the_trainer_does(&two)?;
    let (mut best_one, mut best_two) = ([f64::INFINITY; 9], [f64::INFINITY; 9]);
    let total = |seconds: &[f64; 9]| {
        let phases = seconds.iter().enumerate().filter(|(phase, _)| *phase != AGAIN);
        phases.map(|(_, seconds)| seconds).sum::<f64>()
    };
    for _ in 0..cli.rounds {
        for (pool, best) in [(&one, &mut best_one), (&two, &mut best_two)] {
            let seconds = pool.run(|| step.round(pool));
            if total(&seconds) < total(best) {
                *best = seconds;
            }
        }
    }
    let micros = |seconds: &[f64; 9]| seconds.map(|seconds| seconds * 1e6);
    println!(
        "{}",
        json!({
            "what": "phases", "hidden": cli.hidden, "batch": BATCH, "phases": PHASES,
            "one_thread_us": micros(&best_one), "two_threads_us": micros(&best_two),
            "one_thread_step_us": total(&best_one) * 1e6, "two_threads_step_us": total(&best_two) * 1e6,
            "weight_lines_a_thread": step.lines_that_change_cores(),
        })
    );
    Ok(())
}

/// A network and the memory of its training.
struct Step<'a> {
    data: &'a Dataset,
    hidden: usize,
    order: Vec<u32>,
    next: usize,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    params: Buffer,
    h: Buffer,
    d_h: Buffer,
    z: Buffer,
    work: Buffer,
    seconds: [f64; 9],
}

impl<'a> Step<'a> {
    fn new(data: &'a Dataset, hidden: usize) -> Result<Self> {
        let work = update_work(hidden, BATCH, 2);
        let mut step = Self {
            data,
            hidden,
            order: vec![0; data.len()],
            next: 0,
            pixels: vec![0; BATCH * 784],
            labels: vec![0; BATCH],
            params: buffer(785 * hidden + 10 * (hidden + 1), "parameters")?,
            h: buffer(BATCH * hidden, "the hidden layer")?,
            d_h: buffer(BATCH * hidden, "its gradient")?,
            z: buffer(BATCH * 10, "the logits")?,
            work: buffer(work, "the kernels")?,
            seconds: [0.0; 9],
        };
        step.begin()?;
        Ok(step)
    }

    fn net(&self) -> Result<Sequential> {
        Ok(Sequential::mlp(&[784, self.hidden, 10])?)
    }

    fn begin(&mut self) -> Result<()> {
        let net = self.net()?;
        net.init(&mut self.params, Init::He, 1)?;
        shuffle(&mut self.order, 1, 1);
        self.next = 0;
        Ok(())
    }

    fn must_train_as_the_trainer_does(&mut self, pool: &Pool) -> Result<()> {
        pool.run(|| (0..3).for_each(|_| self.run(pool)));
        let ours = self.params.to_vec();
        self.begin()?;
        let net = self.net()?;
        let mut scratch = buffer(net.train_scratch(BATCH), "a batch")?;
        let mut params = self.params.clone();
        let mut trainer = Trainer::new(
            net,
            Sgd::new(RATE),
            Buffers { params: &mut params[..], state: &mut [0.0; 0], workspace: &mut scratch[..] },
        )?;
        for batch in self.order.chunks(BATCH).take(3) {
            let labels: Vec<u8> =
                batch.iter().map(|&s| self.data.label(s as usize) as u8).collect();
            trainer.step(Batch::gather(self.data.images(), 784, batch)?, &labels[..])?;
        }
        ensure!(trainer.params() == ours, "the phases end in other parameters than the trainer");
        Ok(())
    }

    /// Mean seconds of each phase over some steps.
    fn round(&mut self, pool: &Pool) -> [f64; 9] {
        self.seconds = [0.0; 9];
        (0..STEPS).for_each(|_| self.run(pool));
        self.seconds.map(|seconds| seconds / STEPS as f64)
    }

    fn run(&mut self, pool: &Pool) {
        let hidden = self.hidden;
        if self.next + BATCH > self.order.len() {
            self.next = 0;
        }
        let batch = &self.order[self.next..self.next + BATCH];
        self.next += BATCH;
        let mut began = Instant::now();
        let mut phase = 0;
        let mut done = |seconds: &mut [f64; 9]| {
            let now = Instant::now();
            seconds[phase] += (now - began).as_secs_f64();
            (began, phase) = (now, phase + 1);
        };
        let data = self.data;
        gather(data.images(), 784, pool, batch, &mut self.pixels);
        for (label, &sample) in self.labels.iter_mut().zip(batch) {
            *label = data.label(sample as usize) as u8;
        }
        done(&mut self.seconds);
        let Self { params, h, d_h, z, work, seconds, .. } = self;
        let (w1, rest) = params.split_at(784 * hidden);
        let (b1, rest) = rest.split_at(hidden);
        let (w2, b2) = rest.split_at(hidden * 10);
        let rows = |values, width| Batch::rows(values, width).expect("whole rows");
        let x = Batch::rows(&self.pixels[..], 784).expect("whole pictures");
        for _again in [false, true] {
            dense_forward(pool, x, w1, b1, h);
            done(seconds);
        }
        relu(h);
        done(seconds);
        dense_forward(pool, rows(&h[..], hidden), w2, b2, z);
        done(seconds);
        softmax_cross_entropy(z, &self.labels, 1.0 / BATCH as f32);
        done(seconds);
        dense_input_gradient(pool, BATCH, z, w2, d_h);
        relu_gradient(h, d_h);
        done(seconds);
        let update = Sgd::new(RATE).begin();
        let mut sink = Sink::new(params, &mut [], &update);
        dense_update(pool, rows(&h[..], hidden), z, 785 * hidden, &mut sink, work);
        done(seconds);
        dense_update(pool, x, d_h, 0, &mut sink, work);
        done(seconds);
    }

    /// Cache lines of the first layer's weights that one thread updates and the other one reads in the next step, or would
    /// with this batch: the mean over an epoch, for a thread.
    fn lines_that_change_cores(&self) -> f64 {
        let (mut lines, mut batches) = (0, 0);
        for batch in self.order.chunks_exact(BATCH) {
            let (a, b) = batch.split_at(BATCH / 2);
            let read = |samples: &[u32], rows: Range<usize>| {
                let nonzero = |&s: &u32, i: usize| self.data.image(s as usize)[i] != 0;
                rows.filter(|&i| samples.iter().any(|s| nonzero(s, i))).count()
            };
            lines += (read(a, 392..784) + read(b, 0..392)) * (self.hidden * 4).div_ceil(64);
            batches += 1;
        }
        lines as f64 / (2 * batches) as f64
    }
}
