//! One short run of training and inference that ends in one fingerprint: the same on every machine, in every build.
//!
//! The sizes leave no kernel out: 130 inputs are two masks of 64 and a rest of 2, 42 hidden units are blocks of
//! 32, 8 and 2 columns, a batch of 67 samples is a mask of 64 and a rest of 3, and there are batches of one sample.

use core::fmt;

use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::kernels::softmax;
use picomlp::{
    Adam, Batch, Buffers, Dense, Element, Error, Init, InputMap, Loss, Mlp, Network, Optimizer,
    Relu, Rescale, Sgd, Trainer, argmax, chain, rng,
};

/// What [`run`] ends in, on every machine. It stands here alone; after a change of the formulas, `cargo xtask golden`
/// says what it has become.
pub const FINGERPRINT: u64 = 0xbdc9_3a56_83d5_bbff;

/// What the part on features ends in.
pub const FEATURES: u64 = 0xd285_45c8_3095_ab64;

type Net = Mlp<130, 42, 10>;

/// Features with a scale and a shift each, and values that get their own back.
type Regression = chain![Rescale<13>, Dense<13, 17>, Relu<17>, Dense<17, 3>, Rescale<3>];

/// The batches of an epoch.
const BATCHES: [usize; 4] = [67, 16, 13, 1];
const LARGEST: usize = BATCHES[0];
const SAMPLES: usize = LARGEST + BATCHES[1] + BATCHES[2] + BATCHES[3];
const EPOCHS: u64 = 15;
const SEED: u64 = 42;

/// About mean 0 and deviation 1 for pixels of which 4 in 5 are 0: inputs with a shift.
const STANDARDISED: InputMap = InputMap { scale: 0.0147, shift: -0.36 };

/// The fingerprints of the parts: two machines that differ find here which part it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden {
    /// Of the parameters after 60 steps of SGD from He's initial values, on pixels from 0 to 1.
    pub sgd: u64,
    /// Of the parameters after 60 steps of Adam from Xavier's initial values, on standardised pixels.
    pub adam: u64,
    /// Of the logits, probabilities and classes that Adam's network gives to pixels and to floats.
    pub inference: u64,
    /// Of the parameters and outputs after training on features of different scales, with each loss of values.
    pub features: u64,
}

impl Golden {
    /// Whether all parts end in what they should.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        self.fingerprint() == FINGERPRINT && self.features == FEATURES
    }

    /// One number for the parts on pixels: compare it with [`FINGERPRINT`].
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let parts = [self.sgd, self.adam, self.inference];
        parts.iter().fold(FNV_OFFSET, |hash, part| fnv1a(hash, &part.to_le_bytes()))
    }
}

/// A line for each part on pixels, one for all of them and one for what that should be; then the same for features.
impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sgd       {:016x}", self.sgd)?;
        writeln!(f, "adam      {:016x}", self.adam)?;
        writeln!(f, "inference {:016x}", self.inference)?;
        writeln!(f, "golden    {:016x}", self.fingerprint())?;
        writeln!(f, "expected  {FINGERPRINT:016x}")?;
        writeln!(f, "features  {:016x}", self.features)?;
        write!(f, "expected-features {FEATURES:016x}")
    }
}

/// Trains with SGD, trains with Adam, classifies. Needs a stack of 160 KB.
///
/// # Errors
///
/// None that can happen: the buffers fit.
pub fn run() -> Result<Golden, Error> {
    let mut pixels = [0; SAMPLES * Net::INPUTS];
    picomlp_fixtures::sparse_pixels(&mut pixels, SEED, 207); // as many zeros as MNIST has
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, SEED)?;
    train(Sgd::new(0.1), InputMap::PIXELS, &pixels, &mut params, &mut [])?;
    let sgd = fingerprint(&params);
    Net::default().init(&mut params, Init::Xavier, SEED)?;
    let mut state = [0.0; Adam::state_len(Net::PARAMS)];
    train(Adam::new(1e-2), STANDARDISED, &pixels, &mut params, &mut state)?;
    let inference = infer(&pixels, &params)?;
    Ok(Golden { sgd, adam: fingerprint(&params), inference, features: regress()? })
}

/// Trains on features with each loss of values, in batches of 19 and 1; then runs the network.
#[inline(never)]
fn regress() -> Result<u64, Error> {
    const INPUTS: usize = Regression::INPUTS;
    const BATCH: usize = 19;
    let (mut x, mut targets) = ([0.0; BATCH * INPUTS], [0.0; BATCH * 3]);
    picomlp_fixtures::fill(&mut x, SEED);
    picomlp_fixtures::fill(&mut targets, SEED + 1);
    targets.iter_mut().for_each(|target| *target = 0.5 + 0.5 * *target);
    let mut params = [0.0; Regression::PARAMS];
    Regression::default().init(&mut params, Init::He, SEED)?;
    let (scales, shifts) = params[..2 * INPUTS].split_at_mut(INPUTS);
    for (i, (scale, shift)) in scales.iter_mut().zip(shifts).enumerate() {
        // From hundredths to tens, about a mean of their own.
        let size = [0.0625, 1.5, 40.0, -0.875][i % 4];
        x.iter_mut().skip(i).step_by(INPUTS).for_each(|x| *x = *x * size + size);
        (*scale, *shift) = (1.7 / size, -1.7);
    }
    let mut state = [0.0; Adam::state_len(Regression::PARAMS)];
    let mut scratch = [0.0; Regression::train_scratch(BATCH)];
    let buffers = Buffers { params: &mut params, state: &mut state, workspace: &mut scratch };
    let mut trainer = Trainer::new(Regression::default(), Adam::new(1e-2), buffers)?;
    for loss in [
        Loss::MEAN_SQUARED_ERROR,
        Loss::MEAN_ABSOLUTE_ERROR,
        Loss::HUBER.with_delta(0.25),
        Loss::BINARY_CROSS_ENTROPY,
    ] {
        trainer = trainer.with_loss(loss)?;
        for _ in 0..8 {
            trainer.step(&x[..], &targets)?;
            trainer.step(&x[..INPUTS], &targets[..3])?;
        }
    }
    let last = Regression::PARAMS - 6;
    params[last..].copy_from_slice(&[12.5, 0.3, 700.0, -4.0, 0.1, 20.0]);
    let mut outputs = [0.0; BATCH * 3];
    Regression::default().forward(&params, &x, &mut outputs, &mut scratch)?;
    Ok(fnv1a(fingerprint(&params), &fingerprint(&outputs).to_le_bytes()))
}

// Not inlined, so that the scratch of one part is gone when the next one needs its own.
#[inline(never)]
fn train<O: Optimizer>(
    optimizer: O,
    map: InputMap,
    pixels: &[u8],
    params: &mut [f32],
    state: &mut [f32],
) -> Result<(), Error> {
    let mut order = [0; SAMPLES];
    let mut scratch = [0.0; Net::train_scratch(LARGEST)];
    let mut trainer = Trainer::new(
        Net::default(),
        optimizer,
        Buffers { params: &mut *params, state: &mut *state, workspace: &mut scratch },
    )?;
    for epoch in 0..EPOCHS {
        rng::shuffle(&mut order, SEED, epoch);
        let mut rest = order.as_slice();
        for size in BATCHES {
            let (samples, after) = rest.split_at(size);
            rest = after;
            let mut labels = [0; LARGEST];
            for (label, sample) in labels.iter_mut().zip(samples) {
                *label = (sample % Net::OUTPUTS as u32) as u8;
            }
            let batch = Batch::gather(pixels, Net::INPUTS, samples)?.with_map(map);
            trainer.step(batch, &labels[..size])?;
        }
    }
    Ok(())
}

#[inline(never)]
fn infer(pixels: &[u8], params: &[f32]) -> Result<u64, Error> {
    let pixels = Batch::rows(pixels, Net::INPUTS)?;
    let mut hash = classify(FNV_OFFSET, params, pixels)?;
    hash = classify(hash, params, pixels.with_map(STANDARDISED))?;
    let mut floats = [0.0; 5 * Net::INPUTS];
    picomlp_fixtures::fill(&mut floats, SEED);
    for value in floats.iter_mut().step_by(3) {
        *value = -0.0;
    }
    hash = classify(hash, params, Batch::rows(&floats, Net::INPUTS)?)?;
    // One at a time, as a microcontroller does.
    for sample in pixels.split_at(LARGEST).1.iter() {
        hash = classify(hash, params, Batch::rows(sample, Net::INPUTS)?)?;
    }
    Ok(hash)
}

/// Adds all samples' logits, probabilities and classes to a hash.
fn classify<T: Element>(hash: u64, params: &[f32], x: Batch<'_, T>) -> Result<u64, Error> {
    let mut outputs = [0.0; SAMPLES * Net::OUTPUTS];
    let outputs = &mut outputs[..x.len() * Net::OUTPUTS];
    Net::default().forward(params, x, outputs, &mut [0.0; Net::infer_scratch(SAMPLES)])?;
    let floats = |hash, values: &[f32]| {
        values.iter().fold(hash, |hash, value| fnv1a(hash, &value.to_le_bytes()))
    };
    let mut hash = floats(hash, outputs);
    for z in outputs.chunks_mut(Net::OUTPUTS) {
        hash = fnv1a(hash, &[argmax(z) as u8]);
        softmax(z);
        hash = floats(hash, z);
    }
    Ok(hash)
}
