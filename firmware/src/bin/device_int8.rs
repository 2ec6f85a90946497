//! As `device`, in integers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::{Mlp, QuantizedModel, include_model};
use picomlp_firmware::BOARD;
use picomlp_firmware::console::fail;
use picomlp_firmware::device::serve;
use picomlp_link::QuantizedDevice;

type Net = Mlp<784, 128, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model-int8.pmlp"));

#[entry]
fn main() -> ! {
    let Ok(model) = QuantizedModel::<Net>::from_blob(MODEL) else {
        fail("no sound model in flash")
    };
    let mut scratch = [0; Net::INT8_SCRATCH];
    serve::<{ Net::INPUTS }>(&mut QuantizedDevice { model, name: BOARD, scratch: &mut scratch })
}
