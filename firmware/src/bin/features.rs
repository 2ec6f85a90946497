//! Iris, measured in centimeters: raw f32 features through a model that stays in flash, in f32 and in int8.
//!
//! Runs the model's own test vectors in both forms. Then prints, of the test flowers, the classes and the fingerprint of the
//! logits in each form, which are those of the host.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::{Aligned, SelfTestFailure};
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::{Dense, Error, Model, QuantizedModel, Relu, Rescale, chain, include_model};
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::input;

type Net = chain![Rescale<4>, Dense<4, 32>, Relu<32>, Dense<32, 3>];

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/iris.pmlp"));
static FLOWERS: &[u8] = input!("iris-test.bin");

#[entry]
fn main() -> ! {
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let Ok(int8) = QuantizedModel::<Net>::from_blob(MODEL) else { fail("no int8 form in flash") };
    let (mut floats, mut ints) = ([0.0; Net::INFER_SCRATCH], [0; Net::INT8_SCRATCH]);
    let vectors = [model.blob().self_test(), model.blob().int8_self_test()];
    if !vectors.iter().all(|test| test.is_some_and(|test| test.vectors().count() > 0)) {
        fail("no test vectors");
    }
    sound("f32", model.self_test(&mut floats));
    sound("int8", int8.self_test(&mut ints));
    report("f32", |flower, hash| {
        let class = model.classify(flower, &mut floats)?;
        let logits = model.logits(flower, &mut floats)?;
        Ok((class, logits.iter().fold(hash, |hash, z| fnv1a(hash, &z.to_le_bytes()))))
    });
    report("int8", |flower, hash| {
        let mut inputs = [0; 4];
        int8.read_features(flower, &mut inputs)?;
        let class = int8.classify(&inputs, &mut ints)?;
        let logits = int8.logits(&inputs, &mut ints)?;
        Ok((class, logits.iter().fold(hash, |hash, z| fnv1a(hash, &z.to_le_bytes()))))
    });
    exit(0)
}

fn sound(form: &str, test: Result<Option<SelfTestFailure>, Error>) {
    print(form);
    match test {
        Ok(None) => print(": the test vectors give the expected bits\n"),
        _ => fail(": a test vector gives other bits"),
    }
}

/// Prints the classes and the fingerprint that `run` goes on with, for all flowers.
fn report(form: &str, mut run: impl FnMut(&[f32; 4], u64) -> Result<(usize, u64), Error>) {
    let mut hash = FNV_OFFSET;
    for flower in FLOWERS.as_chunks::<16>().0 {
        let mut features = [0.0; 4];
        for (feature, bytes) in features.iter_mut().zip(flower.as_chunks::<4>().0) {
            *feature = f32::from_le_bytes(*bytes);
        }
        let Ok((class, next)) = run(&features, hash) else { fail("a flower was refused") };
        hash = next;
        print_u32(class as u32);
    }
    print("\nlogits in ");
    print(form);
    print(": ");
    print_hex_u64(hash);
    print("\n");
}
