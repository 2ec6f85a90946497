//! The same on a small board: 16 KB of RAM, 256 KB of flash, a Cortex-M0 without FPU or DSP extension.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::{Mlp, include_model};
use picomlp_firmware::input;
use picomlp_firmware::int8::{self, Pictures};

type Net = Mlp<784, 16, 10>;
const _: () = assert!(Net::INT8_INFER_RAM <= 16 * 1024 && Net::INT8_FLASH <= 256 * 1024);

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/small-int8.pmlp"));

static PICTURES: Pictures = Pictures::new(input!("test-images.bin"), input!("test-labels.bin"));

#[entry]
fn main() -> ! {
    int8::run::<Net>(MODEL, &PICTURES, &mut [0; Net::INT8_SCRATCH])
}
