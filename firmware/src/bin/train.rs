//! Trains 784-32-10 from scratch on digits that stay in flash, one at a time, and writes the result out as a blob.
//!
//! The host does the same training and must come to the same bits.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::{Contents, Input};
use picomlp::fingerprint::fingerprint;
use picomlp::{Buffers, Error, Init, InputMap, Mlp, Network, Sgd, StoredSamples, Trainer, argmax};
use picomlp_firmware::console::{exit, fail, print, print_bytes, print_hex_u64, print_u32};
use picomlp_firmware::digits::{Digits, PIXELS};
use picomlp_firmware::{stack, test_digits, training_digits};

type Net = Mlp<PIXELS, 32, 10>;

// What this program may take, stack included: checked before anything runs.
const _: () = assert!(Net::TRAIN_RAM <= 108 * 1024);

const PASSES: usize = 2;

#[entry]
fn main() -> ! {
    static mut PARAMS: [f32; Net::PARAMS] = [0.0; Net::PARAMS];
    static mut SCRATCH: [f32; Net::train_scratch(1)] = [0.0; Net::train_scratch(1)];
    let test = test_digits!().first(1000);
    if Net::default().init(PARAMS, Init::He, 1).is_err() {
        fail("the parameters have a wrong length");
    }
    print_accuracy("before", PARAMS, test, SCRATCH);
    if train(PARAMS, SCRATCH).is_err() {
        fail("training was refused");
    }
    print_accuracy("after", PARAMS, test, SCRATCH);
    print("fingerprint: ");
    print_hex_u64(fingerprint(PARAMS));
    print("\nRAM, weights and stack included: ");
    print_u32((stack::statics() + stack::high_water_mark()) as u32);
    print(" bytes\n");
    if !written(PARAMS) {
        fail("the blob could not be written");
    }
    exit(0)
}

/// Passes over the digits in flash, batch 1.
#[inline(never)]
fn train(params: &mut [f32], scratch: &mut [f32]) -> Result<(), Error> {
    let Digits { images, labels } = training_digits!();
    let mut trainer = Trainer::new(
        Net::default(),
        Sgd::new(0.02),
        Buffers { params: &mut *params, state: &mut [0.0; 0], workspace: &mut *scratch },
    )?;
    for _ in 0..PASSES {
        trainer.train_epoch(&mut StoredSamples::new(images, labels))?;
    }
    Ok(())
}

fn print_accuracy(when: &str, params: &[f32], test: Digits, scratch: &mut [f32]) {
    let mut right = 0;
    for (image, label) in test.iter() {
        let mut logits = [0.0; Net::OUTPUTS];
        if classify(params, image, &mut logits, scratch) == Ok(usize::from(label)) {
            right += 1;
        }
    }
    print("right of 1000 test pictures ");
    print(when);
    print(" training: ");
    print_u32(right);
    print("\n");
}

#[inline(never)]
fn classify(
    params: &[f32],
    image: &[u8; PIXELS],
    logits: &mut [f32],
    scratch: &mut [f32],
) -> Result<usize, Error> {
    Net::default().forward(params, image, logits, scratch)?;
    Ok(argmax(logits))
}

/// Hands over the parameters as a blob, piece by piece, which a wire or a flash driver would take.
fn written(params: &[f32]) -> bool {
    let net = Net::default();
    let input = Some(Input::image(28, 28, InputMap::PIXELS));
    let contents = Contents { input, ..Contents::new(&net, params) };
    contents.write_pieces(|piece| print_bytes("blob ", piece)).is_ok()
}
