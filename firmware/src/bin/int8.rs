//! Classifies MNIST's first 100 test pictures in int8, with a blob that stays in flash, and counts instructions.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::{Mlp, include_model};
use picomlp_firmware::input;
use picomlp_firmware::int8::{self, Pictures};

type Net = Mlp<784, 128, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model-int8.pmlp"));

static PICTURES: Pictures = Pictures::new(input!("test-images.bin"), input!("test-labels.bin"));

#[entry]
fn main() -> ! {
    int8::run::<Net>(MODEL, &PICTURES, &mut [0; Net::INT8_SCRATCH])
}
