//! A fixed number of steps of one case, for `cargo xtask perf` to count their instructions.
//!
//!     steps CASE STEPS
//!
//! Prints a fingerprint of what was computed. Without arguments: the names of the cases, and the vectors in use.

use std::env::args;
use std::process::ExitCode;

use picomlp::kernels::vectors;
use picomlp::{Adam, Buffers, Error, Init, Layer, Network, Optimizer, Sequential, Sgd, Trainer};
use picomlp_fixtures::{digits, fill};

type Case = (&'static str, fn(usize) -> Result<u64, Error>);

const CASES: [Case; 7] = [
    ("digits 784-128-10 SGD, batch 64", |steps| train(&[784, 128, 10], 64, Sgd::new(0.1), steps)),
    ("digits 784-128-10 Adam, batch 64", |steps| {
        train(&[784, 128, 10], 64, Adam::new(1e-3), steps)
    }),
    ("digits 784-32-10 SGD, batch 1", |steps| train(&[784, 32, 10], 1, Sgd::new(0.1), steps)),
    ("features 90-200-33-7 SGD, batch 32", |steps| {
        train(&[90, 200, 33, 7], 32, Sgd::new(0.1), steps)
    }),
    ("features 90-200-33-7 Adam, batch 32", |steps| {
        train(&[90, 200, 33, 7], 32, Adam::new(1e-3), steps)
    }),
    ("digits 784-128-10 inference, batch 32", |steps| infer(&[784, 128, 10], 32, steps)),
    ("features 6-64-8-4 inference, batch 1", |steps| infer(&[6, 64, 8, 4], 1, steps)),
];

fn main() -> ExitCode {
    let words: Vec<String> = args().skip(1).collect();
    let [name, steps] = &words[..] else {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        println!("{}", vectors());
        return ExitCode::SUCCESS;
    };
    let case = CASES.iter().find(|(case, _)| case == name);
    let (Some((_, run)), Ok(steps)) = (case, steps.parse()) else {
        eprintln!("steps: expected a case and a number of steps, got '{name}' and '{steps}'");
        return ExitCode::FAILURE;
    };
    match run(steps) {
        Ok(fingerprint) => println!("{fingerprint:016x}"),
        Err(error) => {
            eprintln!("steps: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// `batch` samples: digits, as pixels most of which are zero, or features without zeros.
enum Inputs {
    Digits(Vec<u8>),
    Features(Vec<f32>),
}

fn inputs(width: usize, batch: usize) -> Inputs {
    if width == digits::PIXELS {
        let mut pixels = vec![0; batch * width];
        for (index, image) in pixels.as_chunks_mut().0.iter_mut().enumerate() {
            digits::sample(index as u64, 1, image);
        }
        return Inputs::Digits(pixels);
    }
    let mut features = floats(batch * width);
    fill(&mut features, 1);
    Inputs::Features(features)
}

fn train<O: Optimizer>(
    widths: &[usize],
    batch: usize,
    optimizer: O,
    steps: usize,
) -> Result<u64, Error> {
    let net = Sequential::mlp(widths)?;
    let [mut params, mut state] = [net.params(), O::STATE_PER_PARAM * net.params()].map(floats);
    let mut workspace = floats(net.train_scratch(batch));
    net.init(&mut params, Init::He, 1)?;
    let buffers =
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut workspace[..] };
    let mut trainer = Trainer::new(net, optimizer, buffers)?;
    let classes = widths.last().map_or(1, |outputs| *outputs);
    let labels: Vec<u8> = (0..batch).map(|sample| (sample % classes) as u8).collect();
    let inputs = inputs(widths[0], batch);
    for _ in 0..steps {
        match &inputs {
            Inputs::Digits(x) => trainer.step(&x[..], &labels[..])?,
            Inputs::Features(x) => trainer.step(&x[..], &labels[..])?,
        };
    }
    drop(trainer);
    Ok(picomlp::fingerprint::fingerprint(&params))
}

fn infer(widths: &[usize], batch: usize, steps: usize) -> Result<u64, Error> {
    let net = Sequential::mlp(widths)?;
    let mut params = floats(net.params());
    net.init(&mut params, Init::He, 1)?;
    let mut logits = floats(batch * widths.last().map_or(1, |outputs| *outputs));
    let mut scratch = floats(net.infer_scratch(batch));
    let inputs = inputs(widths[0], batch);
    for _ in 0..steps {
        match &inputs {
            Inputs::Digits(x) => net.forward(&params, &x[..], &mut logits, &mut scratch)?,
            Inputs::Features(x) => net.forward(&params, &x[..], &mut logits, &mut scratch)?,
        }
    }
    Ok(picomlp::fingerprint::fingerprint(&logits))
}

fn floats(len: usize) -> Vec<f32> {
    vec![0.0; len]
}
