//! One short run of training and inference that ends in one fingerprint: the same on every machine, in every build.
//!
//! The sizes leave no kernel out: 130 inputs are two masks of 64 and a rest of 2, 42 hidden units are blocks of
//! 32, 8 and 2 columns, a batch of 67 samples is a mask of 64 and a rest of 3, and there are batches of one sample.

use core::fmt;

use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::kernels::softmax;
use picomlp::{
    Adam, Batch, Buffers, Element, Error, Init, InputMap, Mlp, Network, Optimizer, Sgd, Trainer,
    argmax, rng,
};

/// What [`run`] ends in, on every machine. It stands here alone; after a change of the formulas, `cargo xtask golden`
/// says what it has become.
pub const FINGERPRINT: u64 = 0xbdc9_3a56_83d5_bbff;

type Net = Mlp<130, 42, 10>;

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
}

impl Golden {
    /// One number for all parts: compare it with [`FINGERPRINT`].
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let parts = [self.sgd, self.adam, self.inference];
        parts.iter().fold(FNV_OFFSET, |hash, part| fnv1a(hash, &part.to_le_bytes()))
    }
}

/// A line for each part, one for all of them, and one for what that should be.
impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sgd       {:016x}", self.sgd)?;
        writeln!(f, "adam      {:016x}", self.adam)?;
        writeln!(f, "inference {:016x}", self.inference)?;
        writeln!(f, "golden    {:016x}", self.fingerprint())?;
        write!(f, "expected  {FINGERPRINT:016x}")
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
    Ok(Golden { sgd, adam: fingerprint(&params), inference: infer(&pixels, &params)? })
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
