//! As `device`, for whatever f32 model lies in the inputs: its layers are read from the blob.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::{Layer, Model, Sequential, include_model};
use picomlp_firmware::BOARD;
use picomlp_firmware::console::fail;
use picomlp_firmware::device::serve;
use picomlp_link::ModelDevice;

/// The most pixels of a picture, and the most values that a network may need room for.
const PIXELS: usize = 784;
const SCRATCH: usize = 4096;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/any.pmlp"));

#[entry]
fn main() -> ! {
    let Ok(model) = Model::<Sequential>::from_blob(MODEL) else { fail("no sound model in flash") };
    if model.net().inputs() > PIXELS || model.net().infer_scratch(1) > SCRATCH {
        fail("the model is too wide for this program");
    }
    let mut scratch = [0.0; SCRATCH];
    serve::<PIXELS>(&mut ModelDevice { model, name: BOARD, scratch: &mut scratch })
}
