//! int8 networks of many widths, and the fingerprints of their logits on every machine.

use picomlp::blob::{Aligned, BlobError, Contents, Int8Contents};
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::{
    Dense, Error, Init, Layer, Network, QuantizedModel, Relu, Rescale, Sequential, chain,
};

/// Numbers of hidden units and of outputs: around whole blocks of eight, and MNIST's.
pub const WIDTHS: [usize; 6] = [1, 7, 9, 10, 17, 128];

/// What [`logits_of`] gives for each number of outputs, on every machine.
pub const FINGERPRINTS: [u64; 6] = [
    0x0940_ab27_5e2b_f257,
    0x61de_20ce_5820_818f,
    0xbe16_7aa9_603b_b213,
    0xd056_9311_6c08_4b80,
    0x3c3b_67a8_68de_de0e,
    0xfd61_ab2c_698f_b68b,
];

/// What [`logits_of_features`] gives, on every machine.
pub const FEATURES: u64 = 0x4d2e_16db_6a71_3daf;

/// Odd, and more than one list of pairs holds.
const INPUTS: usize = 301;
const SAMPLES: usize = 4;
const PARAMS: usize = (INPUTS + 1) * 128 + 129 * 128;
const BYTES: usize = 64 * 1024;

/// Why there is no result.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// A call was refused.
    Error(Error),
    /// A blob was refused.
    Blob(BlobError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

/// Quantizes networks of all hidden widths with so many outputs, and runs them; returns the fingerprint of all logits.
///
/// Takes 300 KB of stack.
///
/// # Errors
///
/// None that can happen: the buffers fit.
pub fn logits_of(outputs: usize) -> Result<u64, Failure> {
    let mut hash = FNV_OFFSET;
    for hidden in WIDTHS {
        let net = Sequential::mlp(&[INPUTS, hidden, outputs])?;
        let mut params = [0.0; PARAMS];
        let params = params.get_mut(..net.params()).unwrap_or_default();
        let seed = (1000 * hidden + outputs) as u64;
        net.init(params, Init::He, seed)?;
        // Initial biases are zero; these are not.
        if let Some(biases) = params.get_mut(INPUTS * hidden..(INPUTS + 1) * hidden) {
            picomlp_fixtures::fill(biases, seed);
        }
        let mut flash = Aligned([0xff; BYTES]);
        // Some hidden values are above the range, so that saturation is part of the run.
        let mut contents = Contents::new(&net, params);
        contents.int8 = Some(Int8Contents::new(&[1.5]));
        contents.write(&mut flash.0)?;
        let model = QuantizedModel::<Sequential>::from_blob(&flash.0)?;
        let mut pixels = [0; SAMPLES * INPUTS];
        picomlp_fixtures::sparse_pixels(&mut pixels, seed, 150);
        let mut scratch = [0; 1024];
        for (sample, pixels) in pixels.chunks_exact_mut(INPUTS).enumerate() {
            if sample == 0 {
                pixels.fill(255);
            }
            let logits = model.logits(pixels, &mut scratch)?;
            hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
        }
    }
    Ok(hash)
}

/// Quantizes a network of features and runs it on f32 and on i16; returns the fingerprint of inputs and logits.
///
/// # Errors
///
/// None that can happen: the buffers fit.
pub fn logits_of_features() -> Result<u64, Failure> {
    type Net = chain![Rescale<13>, Dense<13, 17>, Relu<17>, Dense<17, 3>, Rescale<3>];
    let (net, mut params) = (Net::default(), [0.0; Net::PARAMS]);
    net.init(&mut params, Init::He, 7)?;
    // Scales from 0.1 to 1.9, shifts from -0.9 to 0.9, negative ones among both.
    for (i, param) in params.iter_mut().take(26).enumerate() {
        *param = ((7 * i) % 19) as f32 * 0.1 - if i < 13 { -0.1 } else { 0.9 };
    }
    let mut flash = Aligned([0xff; 4096]);
    let mut contents = Contents::new(&net, &params);
    contents.int8 = Some(Int8Contents::new(&[1.5]).features([-3.0, 2.5]));
    contents.write(&mut flash.0)?;
    let model = QuantizedModel::<Net>::from_blob(&flash.0)?;
    let (mut hash, mut inputs) = (FNV_OFFSET, [0; 13]);
    let mut scratch = [0; Net::INT8_SCRATCH];
    for sample in 0..16 {
        let mut x = [0.0; 13];
        picomlp_fixtures::fill(&mut x, sample);
        if sample % 2 == 0 {
            x.iter_mut().for_each(|x| *x *= 2.0);
            model.read_features(&x, &mut inputs)?;
        } else {
            model.read_features(&x.map(|x| (x * 4.0) as i16), &mut inputs)?;
        }
        hash = fnv1a(hash, &inputs);
        let logits = model.logits(&inputs, &mut scratch)?;
        hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
    }
    Ok(hash)
}
