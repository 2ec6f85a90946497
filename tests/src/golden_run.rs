//! One short training run, and the fingerprints that it ends in on every machine, in every build.
//!
//! The sizes leave no kernel out: 130 inputs are two masks of 64 and a rest of 2, 42 hidden units are blocks of
//! 32, 8 and 2 columns, 100 samples are six batches of 16 and one of 4.

use picomlp::fingerprint::fingerprint;
use picomlp::{Adam, Batch, Error, Init, Mlp, Network, Optimizer, Sgd, Trainer, rng};

type Net = Mlp<130, 42, 10>;

const SAMPLES: usize = 100;
const BATCH: usize = 16;
const EPOCHS: u64 = 15;
const SEED: u64 = 42;

/// What [`sgd`] gives on every machine.
pub const SGD_FINGERPRINT: u64 = 0x7b51_f612_1335_de78;

/// What [`adam`] gives on every machine.
pub const ADAM_FINGERPRINT: u64 = 0xf1a4_47bc_50c1_f45c;

/// Runs SGD for 105 steps; returns the fingerprint of the parameters.
///
/// # Errors
///
/// None that can happen: the buffers fit.
pub fn sgd() -> Result<u64, Error> {
    run(Sgd::new(0.1), &mut [])
}

/// Runs Adam for 105 steps; returns the fingerprint of the parameters.
///
/// # Errors
///
/// None that can happen: the buffers fit.
pub fn adam() -> Result<u64, Error> {
    run(Adam::new(1e-2), &mut [0.0; Adam::state_len(Net::PARAMS)])
}

fn run<O: Optimizer>(optimizer: O, state: &mut [f32]) -> Result<u64, Error> {
    let mut pixels = [0; SAMPLES * Net::INPUTS];
    picomlp_fixtures::sparse_pixels(&mut pixels, SEED, 207); // as many zeros as MNIST has
    let mut order = [0; SAMPLES];
    let mut params = [0.0; Net::PARAMS];
    let mut scratch = [0.0; Net::train_scratch(BATCH)];
    let net = Net::default();
    net.init(&mut params, Init::He, SEED)?;
    let mut trainer = Trainer::new(net, optimizer, &mut params, state, &mut scratch)?;
    for epoch in 0..EPOCHS {
        rng::shuffle(&mut order, SEED, epoch);
        for samples in order.chunks(BATCH) {
            let mut labels = [0; BATCH];
            for (label, sample) in labels.iter_mut().zip(samples) {
                *label = (sample % Net::OUTPUTS as u32) as u8;
            }
            let labels = labels.get(..samples.len()).unwrap_or_default();
            trainer.step(Batch::gather(&pixels, Net::INPUTS, samples)?, labels)?;
        }
    }
    Ok(fingerprint(trainer.params()))
}
