//! The least program that trains and classifies: no heap, no std, no operating system, no unsafe code.
//!
//! It is there to be linked: a dependency that wants an allocator, or std, fails here. It is not run, since no
//! start-up code switches the floating-point unit on.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use picomlp::blob::Contents;
use picomlp::{Adam, Buffers, Error, Init, Mlp, Model, Network, Sgd, Trainer};

type Net = Mlp<16, 8, 4>;

const BATCH: usize = 2;

/// What a Cortex-M reads after a reset: the end of the stack, and where to begin.
#[repr(C)]
struct Vectors {
    stack: u32,
    reset: extern "C" fn() -> !,
}

/// `bare.x` puts it at address 0, by this name.
#[used]
static VECTORS: Vectors = Vectors { stack: 0x2001_0000, reset };

extern "C" fn reset() -> ! {
    let _ = black_box(train());
    loop {
        core::hint::spin_loop();
    }
}

/// One step of either optimizer, and the answer of the network that comes of it, by way of a blob.
fn train() -> Result<usize, Error> {
    let pixels = black_box([[7u8; 16], [200; 16]]);
    let labels = black_box([0, 3]);
    let mut params = [0.0; Net::PARAMS];
    let mut state = [0.0; Adam::state_len(Net::PARAMS)];
    let mut scratch = [0.0; Net::train_scratch(BATCH)];
    let net = Net::default();
    net.init(&mut params, Init::He, 1)?;
    Trainer::new(
        net,
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )?
    .step(&pixels, &labels)?;
    Trainer::new(
        net,
        Adam::new(1e-3),
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )?
    .step(&pixels, &labels)?;
    let mut flash = picomlp::blob::Aligned([0; 1024]);
    let written = Contents::new(&net, &params).write(&mut flash.0);
    let model = written.and_then(|_| Model::<Net>::from_blob(&flash.0));
    match model {
        Ok(model) => model.classify(&pixels[0], &mut scratch),
        Err(_) => Ok(usize::MAX),
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
