//! Runs the blob's own test vectors, layer by layer and as a whole; then shows that a fault is found and where.
//!
//! For the faults, the parameters are copied to RAM and one bit is flipped there: a fault that the blob's checksums, which
//! were right when it was read, do not show.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::{Aligned, SelfTestFailure};
use picomlp::{Dense, Mlp, Model, include_model};
use picomlp_firmware::console::{exit, fail, print, print_hex, print_u32};

type Net = Mlp<784, 128, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model.pmlp"));

/// The hidden unit and the class whose parameters get a fault.
const UNIT: usize = 77;
const CLASS: usize = 7;

/// The highest bit of a fraction: the number changes by a quarter to a half.
const BIT: u32 = 22;

#[entry]
fn main() -> ! {
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let Some(test) = model.blob().self_test() else { fail("the model has no self-test") };
    if !test.knows_layers() {
        fail("the model's self-test knows no layers");
    }
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    print_u32(test.vectors().count() as u32);
    print(" vectors: ");
    match model.self_test(&mut scratch) {
        Ok(None) => print("passed\n"),
        Ok(Some(failure)) => {
            print_failure(failure);
            exit(1)
        }
        Err(_) => fail("the self-test cannot be run"),
    }

    // A pixel of the first vector that is not 0, so that its weights matter.
    let first = test.vectors().next().map_or(&[][..], |(pixels, _)| pixels);
    let Some(ink) = first.iter().position(|pixel| *pixel != 0) else { fail("a vector is blank") };
    let weight = ink * 128 + UNIT;
    let bias = Net::PARAMS - Net::OUTPUTS + CLASS;
    let map = model.blob().input_map();
    let mut params = [0.0; Net::PARAMS];
    for (at, layer, output) in [(weight, 0, UNIT), (bias, 2, CLASS)] {
        params.copy_from_slice(model.params());
        let Some(param) = params.get_mut(at) else { fail("no such parameter") };
        *param = f32::from_bits(param.to_bits() ^ 1 << BIT);
        print("a bit of parameter ");
        print_u32(at as u32);
        print(if at < Dense::<784, 128>::PARAMS { " (a weight)" } else { " (a bias)" });
        print(" flipped: ");
        match test.run(model.net(), &params, map, &mut scratch) {
            Ok(Some(failure)) => {
                print_failure(failure);
                if (failure.layer, failure.output) != (Some(layer), output) {
                    fail("that is another place");
                }
            }
            _ => fail("not found"),
        }
    }
    exit(0)
}

fn print_failure(failure: SelfTestFailure) {
    print("vector ");
    print_u32(failure.vector as u32);
    match failure.layer {
        Some(layer) => {
            print(", layer ");
            print_u32(layer as u32);
        }
        None => print(", the network"),
    }
    print(", output ");
    print_u32(failure.output as u32);
    print(": expected ");
    print_hex(failure.expected);
    print(", got ");
    print_hex(failure.got);
    print("\n");
}
