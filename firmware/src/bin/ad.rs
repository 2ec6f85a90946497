//! MLPerf Tiny's anomaly detection: the reference network, in f32 and in flash, scores one clip of the benchmark's test set.
//!
//! Prints the score and the fingerprint of all outputs, which are those of the host, and the mean count of instructions.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::{Dense, Model, Relu, chain, include_model};
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
static CLIP: &[u8] = input!("ad-clip.bin");

#[entry]
fn main() -> ! {
    let mut counter = Counter::start();
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let (mut window, mut scratch) = ([0.0; INPUTS], [0.0; Net::INFER_SCRATCH]);
    let (mut sum, mut windows, mut hash, mut instructions) = (0.0, 0u32, FNV_OFFSET, 0u64);
    let values = CLIP.as_chunks::<4>().0;
    for bytes in values.windows(INPUTS).step_by(FRAME) {
        for (value, bytes) in window.iter_mut().zip(bytes) {
            *value = f32::from_le_bytes(*bytes);
        }
        let (count, score) = counter.count(|| model.anomaly_score(&window, &mut scratch));
        let Ok(score) = score else { fail("a window was refused") };
        let Ok(outputs) = model.logits(&window, &mut scratch) else { fail("a window was refused") };
        hash = outputs.iter().fold(hash, |hash, y| fnv1a(hash, &y.to_le_bytes()));
        sum += f64::from(score);
        windows += 1;
        instructions += u64::from(count);
    }
    print("score of the clip, in ten thousandths: ");
    print_u32((sum / f64::from(windows) * 1e4 + 0.5) as u32);
    print("\nfingerprint of the outputs: ");
    print_hex_u64(hash);
    print("\ninstructions a window, mean: ");
    print_u32((instructions / u64::from(windows)) as u32);
    print("\n");
    exit(0)
}
