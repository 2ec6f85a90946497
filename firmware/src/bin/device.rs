//! The other end of `picomlp verify`: answers over the serial port what its model makes of the pixels that come in.
//!
//! The protocol is that of docs/device-protocol.md. `cargo xtask firmware --only device` compares it with the desktop.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::{Mlp, Model, include_model};
use picomlp_firmware::BOARD;
use picomlp_firmware::console::fail;
use picomlp_firmware::device::serve;
use picomlp_link::ModelDevice;

type Net = Mlp<784, 128, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model.pmlp"));

#[entry]
fn main() -> ! {
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    serve::<{ Net::INPUTS }>(&mut ModelDevice { model, name: BOARD, scratch: &mut scratch })
}
