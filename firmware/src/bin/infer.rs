//! Classifies MNIST's first 100 test pictures with a blob that stays in flash.
//!
//! Prints the classes, the accuracy, and the fingerprint of all logits, which is that of the host's.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::{IntoBatch, Mlp, Model, Network, argmax, include_model};
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::digits::PIXELS;
use picomlp_firmware::test_digits;

type Net = Mlp<PIXELS, 128, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model.pmlp"));

#[entry]
fn main() -> ! {
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let mut logits = [0.0; Net::OUTPUTS];
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    let (mut right, mut hash) = (0, FNV_OFFSET);
    for (image, label) in test_digits!().first(100).iter() {
        let Ok(class) = classify(&model, image, &mut logits, &mut scratch) else {
            fail("a picture was refused")
        };
        right += u32::from(class == usize::from(label));
        hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
        print_u32(class as u32);
    }
    print("\nright of 100: ");
    print_u32(right);
    print("\nfingerprint of the logits: ");
    print_hex_u64(hash);
    print("\n");
    exit(0)
}

/// The class; leaves the logits where the caller sees them.
#[inline(never)]
fn classify(
    model: &Model<'_, Net>,
    image: &[u8; PIXELS],
    logits: &mut [f32; Net::OUTPUTS],
    scratch: &mut [f32; Net::INFER_SCRATCH],
) -> Result<usize, picomlp::Error> {
    let pixels = model.read(image.into_batch(PIXELS)?);
    model.net().forward(model.params(), pixels, logits, scratch)?;
    Ok(argmax(logits))
}
