//! A model that is run in f32.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use picomlp::blob::Blob;
use picomlp::{Element, IntoBatch, Layer, Model, Sequential};

use crate::error::code;
use crate::memory::{Slot, input, one, output, words};
use crate::pico_error;

/// 64-bit words of a pico_model.
#[cfg(target_pointer_width = "64")]
pub const PICO_MODEL_WORDS: usize = 224;
/// 64-bit words of a pico_model.
#[cfg(target_pointer_width = "32")]
pub const PICO_MODEL_WORDS: usize = 144;

/// A model that has been opened. Its memory is the caller's: a variable of this type, static or on the stack.
#[repr(C)]
#[derive(Debug)]
pub struct pico_model {
    /// Not for use.
    pub opaque: [u64; PICO_MODEL_WORDS],
}

/// What a [`pico_model`] holds.
pub(crate) struct Opened {
    pub(crate) net: Sequential,
    pub(crate) blob: Blob<'static>,
}

const _: () = assert!(Slot::<Opened>::fits(PICO_MODEL_WORDS));

impl Opened {
    pub(crate) fn model(&self) -> Result<Model<'static, &Sequential>, pico_error> {
        Ok(Model::with_net(&self.net, self.blob)?)
    }
}

/// # Safety
///
/// Null, or a model that the caller has.
pub(crate) unsafe fn opened<'a>(model: *const pico_model) -> Result<&'a Opened, pico_error> {
    // SAFETY: only `pico_model_open` makes a model, and what it borrows stays by its contract.
    unsafe { Slot::get(model.cast()) }
}

/// Opens a model: checks all of its `len` bytes and reads them in place, in flash or in memory.
///
/// `blob` is the contents of a .pmlp file at an address that is a multiple of 16. It must stay there unchanged while the
/// model is used, and so must `model`. `len` may be larger than the model, as a flash partition is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_model_open(
    model: *mut pico_model,
    blob: *const c_void,
    len: usize,
) -> pico_error {
    // SAFETY: the header's contract: the bytes stay.
    let bytes = unsafe { input(blob.cast(), len) };
    let fill = |slot: &mut MaybeUninit<Opened>| {
        let blob = Blob::parse(bytes?)?;
        let opened = write_network(slot, blob)?;
        if blob.int8_params().is_err() {
            opened.model()?;
        }
        Ok(())
    };
    // SAFETY: the header's contract.
    code(unsafe { Slot::open(model.cast(), fill) })
}

/// Apart, and in place, for the sake of the stack: a network is 1 to 2 KB.
#[inline(never)]
fn write_network<'a>(
    slot: &'a mut MaybeUninit<Opened>,
    blob: Blob<'static>,
) -> Result<&'a mut Opened, pico_error> {
    Ok(slot.write(Opened { net: blob.network()?, blob }))
}

/// What a model says of itself; 0 if it is not open.
unsafe fn ask<T: Default>(model: *const pico_model, of: fn(&Opened) -> T) -> T {
    // SAFETY: the header's contract.
    unsafe { opened(model) }.map_or_else(|_| T::default(), of)
}

/// Number of inputs; 0 if the model is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_model_inputs(model: *const pico_model) -> usize {
    // SAFETY: the header's contract.
    unsafe { ask(model, |model| model.net.inputs()) }
}

/// Number of outputs: classes, or values to predict; 0 if the model is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_model_outputs(model: *const pico_model) -> usize {
    // SAFETY: the header's contract.
    unsafe { ask(model, |model| model.net.outputs()) }
}

/// Bytes of scratch memory that any call with this model needs: the MODEL_SCRATCH of a model.h that `picomlp export`
/// wrote. 0 if the model is not open. Scratch memory lies at a multiple of 4.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_model_scratch(model: *const pico_model) -> usize {
    let scratch = |model: &Opened| {
        let f32s = if model.blob.params().is_ok() { model.net.infer_scratch(1) } else { 0 };
        4 * f32s.max(model.int8().map_or(0, |int8| int8.scratch_len()))
    };
    // SAFETY: the header's contract.
    unsafe { ask(model, scratch) }
}

/// Fingerprint of the model's f32 parameters, by which machines compare them (`picomlp inspect` prints it); 0 if the model
/// is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_fingerprint(model: *const pico_model) -> u64 {
    // SAFETY: the header's contract.
    unsafe { ask(model, |model| model.blob.fingerprint()) }
}

/// Runs the model on one sample; returns its outputs, which lie in the scratch memory.
unsafe fn run<'a, T: Element>(
    model: *const pico_model,
    x: *const T,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> Result<&'a [f32], pico_error> {
    // SAFETY: the header's contract.
    let (opened, x, scratch) =
        unsafe { (opened(model)?, input(x, len)?, words(scratch, scratch_bytes)?) };
    let x = x.into_batch(len.max(1))?;
    Ok(opened.model()?.logits(x, scratch)?)
}

/// Copies results to a buffer of just their number.
pub(crate) fn copy<T: Copy>(from: &[T], to: &mut [T]) -> Result<(), pico_error> {
    if from.len() != to.len() {
        return Err(pico_error::PICO_ERROR_BUFFER_LENGTH);
    }
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    Ok(())
}

/// Finds the class of one sample of bytes, such as the pixels of an image (0 is background), read as the model's training
/// data were: the output with the largest value, the first of them if there are several.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_classify_u8(
    model: *const pico_model,
    x: *const u8,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    predicted: *mut usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe {
        run(model, x, len, scratch, scratch_bytes)
            .and_then(|logits| one(predicted).map(|to| *to = picomlp::argmax(logits)))
    })
}

/// Finds the class of one sample of floats: features as they are; pixels as the network reads them, as a rule from 0 to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_classify_f32(
    model: *const pico_model,
    x: *const f32,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    predicted: *mut usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe {
        run(model, x, len, scratch, scratch_bytes)
            .and_then(|logits| one(predicted).map(|to| *to = picomlp::argmax(logits)))
    })
}

/// Computes the outputs for one sample of bytes: logits of classes, or values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_predict_u8(
    model: *const pico_model,
    x: *const u8,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    outputs: *mut f32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe {
        run(model, x, len, scratch, scratch_bytes)
            .and_then(|logits| copy(logits, output(outputs, outputs_len)?))
    })
}

/// Computes the outputs for one sample of floats: logits of classes, or values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_predict_f32(
    model: *const pico_model,
    x: *const f32,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    outputs: *mut f32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe {
        run(model, x, len, scratch, scratch_bytes)
            .and_then(|logits| copy(logits, output(outputs, outputs_len)?))
    })
}

/// Replaces the outputs of a classifier by the probabilities of its classes, as the loss of its training defines them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_probabilities(
    model: *const pico_model,
    outputs: *mut f32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let both =
        unsafe { opened(model).and_then(|model| Ok((model, output(outputs, outputs_len)?))) };
    code(both.and_then(|(model, outputs)| {
        if outputs.len() != model.net.outputs() {
            return Err(pico_error::PICO_ERROR_BUFFER_LENGTH);
        }
        model.blob.loss_kind().probabilities(outputs);
        Ok(())
    }))
}

/// Runs the model's own test vectors and compares every bit: PICO_ERROR_SELF_TEST if this machine computes something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_self_test(
    model: *const pico_model,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let both =
        unsafe { opened(model).and_then(|model| Ok((model, words(scratch, scratch_bytes)?))) };
    code(both.and_then(|(opened, scratch)| {
        let model = opened.model()?;
        opened.blob.self_test().ok_or(pico_error::PICO_ERROR_NO_SELF_TEST)?;
        passed(model.self_test(scratch)?.is_none())
    }))
}

pub(crate) fn passed(passed: bool) -> Result<(), pico_error> {
    if passed { Ok(()) } else { Err(pico_error::PICO_ERROR_SELF_TEST) }
}
