//! A model that is run in integers alone.

use core::ffi::c_void;

use picomlp::{Error, QuantizedModel, Sequential};

use crate::error::code;
use crate::memory::{input, one, output, words};
use crate::model::{Opened, copy, opened, passed, pico_model};
use crate::pico_error;

impl Opened {
    pub(crate) fn int8(&self) -> Result<QuantizedModel<'static, &Sequential>, pico_error> {
        Ok(QuantizedModel::with_net(&self.net, self.blob)?)
    }
}

/// Computes the int8 outputs for one sample of bytes: integers that have one step in common. For a model of features,
/// pico_read_features() makes the bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_run_int8(
    model: *const pico_model,
    x: *const u8,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    outputs: *mut i32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let all = unsafe {
        opened(model).and_then(|model| {
            Ok((
                model,
                input(x, len)?,
                words(scratch, scratch_bytes)?,
                output(outputs, outputs_len)?,
            ))
        })
    };
    code(
        all.and_then(|(model, x, scratch, outputs)| {
            copy(model.int8()?.logits(x, scratch)?, outputs)
        }),
    )
}

/// Finds the class of one sample of bytes in int8: the output with the largest value, the first of them if there are
/// several.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_classify_int8(
    model: *const pico_model,
    x: *const u8,
    len: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    predicted: *mut usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let all = unsafe {
        opened(model).and_then(|model| {
            Ok((model, input(x, len)?, words(scratch, scratch_bytes)?, one(predicted)?))
        })
    };
    code(all.and_then(|(model, x, scratch, predicted)| {
        *predicted = model.int8()?.classify(x, scratch)?;
        Ok(())
    }))
}

/// Makes the bytes that an int8 model of features reads of `len` features.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_read_features(
    model: *const pico_model,
    x: *const f32,
    len: usize,
    bytes: *mut u8,
) -> pico_error {
    // SAFETY: the header's contract.
    let all =
        unsafe { opened(model).and_then(|model| Ok((model, input(x, len)?, output(bytes, len)?))) };
    code(all.and_then(|(model, x, bytes)| match model.int8()?.read_features(x, bytes) {
        Err(Error::Setting { .. }) => Err(pico_error::PICO_ERROR_NOT_FEATURES),
        other => Ok(other?),
    }))
}

/// Runs the model's own int8 test vectors: PICO_ERROR_SELF_TEST if this machine computes something else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_self_test_int8(
    model: *const pico_model,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let both =
        unsafe { opened(model).and_then(|model| Ok((model, words(scratch, scratch_bytes)?))) };
    code(both.and_then(|(opened, scratch)| {
        let model = opened.int8()?;
        opened.blob.int8_self_test().ok_or(pico_error::PICO_ERROR_NO_SELF_TEST)?;
        passed(model.self_test(scratch)?.is_none())
    }))
}
