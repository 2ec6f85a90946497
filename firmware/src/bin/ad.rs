//! MLPerf Tiny's anomaly detection: the reference network scores one clip of the benchmark's test set, in f32 and in
//! int8, then trains on some of it.
//!
//! Prints the scores, the fingerprints of all outputs and of the parameters, which are those of the host, and counts of
//! instructions.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::{
    Buffers, Dense, Error, Loss, Model, QuantizedModel, Relu, Sgd, Trainer, chain, include_model,
};
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::input;

const INPUTS: usize = 640;
/// Values of a frame: windows begin one after the other.
const FRAME: usize = 128;

type Net = chain![
    Dense<640, 128>, Relu<128>, Dense<128, 128>, Relu<128>, Dense<128, 128>, Relu<128>, Dense<128, 128>, Relu<128>,
    Dense<128, 8>, Relu<8>, Dense<8, 128>, Relu<128>, Dense<128, 128>, Relu<128>, Dense<128, 128>, Relu<128>,
    Dense<128, 128>, Relu<128>, Dense<128, 640>
];

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/ad.pmlp"));
static INT8: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/ad-int8.pmlp"));
static CLIP: &[u8] = input!("ad-clip.bin");

/// Windows that are trained on.
const STEPS: usize = 20;

#[entry]
fn main() -> ! {
    let mut counter = Counter::start();
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    score("f32", &mut counter, |window, outputs| {
        outputs.copy_from_slice(infer(&model, window, &mut scratch)?);
        Ok(())
    });

    let Ok(int8) = QuantizedModel::<Net>::from_blob(INT8) else { fail("no sound int8 model") };
    let (mut bytes, mut scratch) = ([0; INPUTS], [0; Net::INT8_SCRATCH]);
    let step = int8.logit_step();
    let read = counter.count(|| int8.read_features(&[-1.0; INPUTS], &mut bytes)).0;
    measured("int8 inputs of features", read);
    score("int8 with its inputs", &mut counter, |window, outputs| {
        int8.read_features(window, &mut bytes)?;
        let logits = infer_int8(&int8, &bytes, &mut scratch)?;
        outputs.iter_mut().zip(logits).for_each(|(y, logit)| *y = *logit as f32 * step);
        Ok(())
    });

    let mut params = [0.0; Net::PARAMS];
    params.copy_from_slice(model.params());
    let buffers = Buffers {
        params: &mut params[..],
        state: &mut [0.0; 0][..],
        workspace: &mut [0.0; Net::train_scratch(1)][..],
    };
    let trainer = Trainer::new(Net::default(), Sgd::new(1e-6), buffers);
    let trainer = trainer.and_then(|trainer| trainer.with_loss(Loss::MEAN_SQUARED_ERROR));
    let Ok(mut trainer) = trainer else { fail("no trainer") };
    let mut instructions = 0;
    for window in windows().take(STEPS) {
        let (count, loss) = counter.count(|| train(&mut trainer, &window));
        if loss.is_err() {
            fail("training was refused");
        }
        instructions += count;
    }
    measured("SGD step, batch 1", instructions / STEPS as u32);
    print("parameters: fingerprint ");
    print_hex_u64(fingerprint(trainer.params()));
    print("\n");
    exit(0)
}

// Functions of their own, for `firmware/cycles.py`.

#[inline(never)]
fn infer<'s>(
    model: &Model<'_, Net>,
    window: &[f32; INPUTS],
    scratch: &'s mut [f32],
) -> Result<&'s [f32], Error> {
    model.logits(window, scratch)
}

#[inline(never)]
fn infer_int8<'s>(
    model: &QuantizedModel<'_, Net>,
    bytes: &[u8; INPUTS],
    scratch: &'s mut [i32],
) -> Result<&'s [i32], Error> {
    model.logits(bytes, scratch)
}

#[inline(never)]
fn train(
    trainer: &mut Trainer<'_, Net, Sgd, &mut [f32], &mut [f32], &mut [f32]>,
    window: &[f32; INPUTS],
) -> Result<f32, Error> {
    trainer.step(&window[..], &window[..])
}

/// Windows of five frames.
fn windows() -> impl Iterator<Item = [f32; INPUTS]> {
    let values = CLIP.as_chunks::<4>().0;
    values.windows(INPUTS).step_by(FRAME).map(|values| {
        let mut window = [0.0; INPUTS];
        window.iter_mut().zip(values).for_each(|(to, bytes)| *to = f32::from_le_bytes(*bytes));
        window
    })
}

/// Prints the mean over windows and values of `(x - y)²`, the fingerprint of what `outputs` writes, and the
/// instructions that it takes.
fn score(
    name: &str,
    counter: &mut Counter,
    mut outputs: impl FnMut(&[f32; INPUTS], &mut [f32; INPUTS]) -> Result<(), Error>,
) {
    let (mut y, mut sum, mut values) = ([0.0; INPUTS], 0.0, 0u32);
    let (mut hash, mut instructions, mut count) = (FNV_OFFSET, 0u64, 0u32);
    for window in windows() {
        let (taken, done) = counter.count(|| outputs(&window, &mut y));
        if done.is_err() {
            fail("a window was refused");
        }
        for (x, y) in window.iter().zip(&y) {
            sum += (f64::from(*x) - f64::from(*y)) * (f64::from(*x) - f64::from(*y));
            hash = fnv1a(hash, &y.to_le_bytes());
            values += 1;
        }
        instructions += u64::from(taken);
        count += 1;
    }
    print(name);
    print(": score in ten thousandths ");
    print_u32((sum / f64::from(values) * 1e4 + 0.5) as u32);
    print(", fingerprint ");
    print_hex_u64(hash);
    print("\n");
    measured(name, (instructions / u64::from(count)) as u32);
}

/// A line that isn't compared with what is expected.
fn measured(name: &str, instructions: u32) {
    print("measured ");
    print(name);
    print(": instructions: ");
    print_u32(instructions);
    print("\n");
}
