//! The stack that calls take, on any machine that can measure it, beside the constants that promise a ceiling.

use picomlp::blob::{Aligned, Contents, Input, Int8Contents};
use picomlp::layers::{INFER_STACK, LOAD_STACK, TRAIN_STACK};
use picomlp::optim::GroupRms;
use picomlp::{
    Adam, AdamW, Buffers, Init, InputMap, Mlp, Model, Momentum, Network, Optimizer, QuantizedModel,
    Sgd, Trainer,
};

/// Its widths hardly matter: what a call takes of the stack does not grow with them.
type Net = Mlp<100, 16, 10>;

const BATCH: usize = 8;
const BYTES: usize = Net::FLASH + Net::INT8_BYTES + 256;

/// What the calls work on, which is not on the stack.
#[derive(Debug)]
pub struct Memory {
    params: [f32; Net::PARAMS],
    gradient: [f32; Net::PARAMS],
    state: [f32; Adam::state_len(Net::PARAMS)],
    scratch: [f32; Net::train_scratch(BATCH)],
    integers: [i32; Net::INT8_SCRATCH],
    blob: Aligned<[u8; BYTES]>,
    pixels: [[u8; Net::INPUTS]; BATCH],
}

impl Memory {
    /// Zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            params: [0.0; Net::PARAMS],
            gradient: [0.0; Net::PARAMS],
            state: [0.0; Adam::state_len(Net::PARAMS)],
            scratch: [0.0; Net::train_scratch(BATCH)],
            integers: [0; Net::INT8_SCRATCH],
            blob: Aligned([0; BYTES]),
            pixels: [[0; Net::INPUTS]; BATCH],
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Labels of a batch.
const LABELS: [u8; BATCH] = [0, 1, 2, 3, 4, 5, 6, 7];

/// Measures each call by `used_by`, which makes it and says how many bytes of stack it took, and hands its name, bytes and
/// ceiling to `report`.
///
/// # Errors
///
/// The name of the call that failed.
pub fn run(
    memory: &mut Memory,
    mut used_by: impl FnMut(&mut dyn FnMut()) -> usize,
    mut report: impl FnMut(&'static str, usize, usize),
) -> Result<(), &'static str> {
    let Memory { params, gradient, state, scratch, integers, blob, pixels } = memory;
    let mut measure = |name, ceiling, call: &mut dyn FnMut() -> bool| {
        let mut is_right = false;
        let used = used_by(&mut || is_right = call());
        report(name, used, ceiling);
        if is_right { Ok(()) } else { Err(name) }
    };
    let net = Net::default();
    net.init(params, Init::He, 1).map_err(|_| "init")?;
    for (i, pixel) in pixels.as_flattened_mut().iter_mut().enumerate() {
        *pixel = if i % 3 == 0 { 0 } else { i as u8 };
    }

    let mut contents = Contents::new(&net, params);
    contents.int8 = Some(Int8Contents::new(&[2.0]).keep_f32(true));
    contents.input = Some(Input::image(10, 10, InputMap::PIXELS));
    contents.write(&mut blob.0).map_err(|_| "writing a model")?;
    let sample = &pixels[0];
    let blob: &[u8] = &blob.0;
    measure("Model::from_blob", LOAD_STACK, &mut || Model::<Net>::from_blob(blob).is_ok())?;
    measure("QuantizedModel::from_blob", LOAD_STACK, &mut || {
        QuantizedModel::<Net>::from_blob(blob).is_ok()
    })?;
    let model = Model::<Net>::from_blob(blob).map_err(|_| "Model::from_blob")?;
    let int8 = QuantizedModel::<Net>::from_blob(blob).map_err(|_| "QuantizedModel::from_blob")?;
    measure("Model::classify", INFER_STACK, &mut || model.classify(sample, scratch).is_ok())?;
    measure("Model::classify, f32 inputs", INFER_STACK, &mut || {
        model.classify(&[0.5; Net::INPUTS], scratch).is_ok()
    })?;
    measure("QuantizedModel::classify", INFER_STACK, &mut || {
        int8.classify(sample, integers).is_ok()
    })?;

    for (batch, names) in [
        (1, ["SGD, batch 1", "Momentum, batch 1", "Adam, batch 1", "AdamW, batch 1"]),
        (BATCH, ["SGD, batch 8", "Momentum, batch 8", "Adam, batch 8", "AdamW, batch 8"]),
    ] {
        let batch = (&pixels[..batch], &LABELS[..batch]);
        let call = &mut |name, call: &mut dyn FnMut() -> bool| measure(name, TRAIN_STACK, call);
        step(names[0], Sgd::new(0.01), params, state, scratch, batch, call)?;
        step(names[1], Momentum::new(0.01, 0.9), params, state, scratch, batch, call)?;
        step(names[2], Adam::new(0.001), params, state, scratch, batch, call)?;
        step(names[3], AdamW::new(0.001, 0.01), params, state, scratch, batch, call)?;
    }
    let state = &mut state[..4];
    state.fill(0.0);
    let rms = GroupRms::new(0.01);
    let mut trainer = Trainer::new(
        net,
        rms,
        Buffers { params: &mut *params, state: &mut *state, workspace: &mut *scratch },
    )
    .and_then(|trainer| trainer.with_gradient(gradient))
    .map_err(|_| "Trainer::new")?;
    measure("GroupRms, batch 8", TRAIN_STACK, &mut || trainer.step(&*pixels, &LABELS).is_ok())
}

/// Measures a call that says whether it succeeded.
type Measure<'a> =
    &'a mut dyn FnMut(&'static str, &mut dyn FnMut() -> bool) -> Result<(), &'static str>;

/// A step of a fresh trainer.
fn step<O: Optimizer>(
    name: &'static str,
    optimizer: O,
    params: &mut [f32],
    state: &mut [f32],
    scratch: &mut [f32],
    (pixels, labels): (&[[u8; Net::INPUTS]], &[u8]),
    measure: Measure<'_>,
) -> Result<(), &'static str> {
    let state = &mut state[..optimizer.state_per_param() * Net::PARAMS];
    state.fill(0.0);
    let mut trainer = Trainer::new(
        Net::default(),
        optimizer,
        Buffers { params: &mut *params, state: &mut *state, workspace: &mut *scratch },
    )
    .map_err(|_| name)?;
    measure(name, &mut || trainer.step(pixels, labels).is_ok())
}
