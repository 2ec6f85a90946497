//! Error codes and their texts.

use core::ffi::{CStr, c_char};

use picomlp::Error;
use picomlp::blob::BlobError;

/// Why a call was refused; pico_error_string() says it in words.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum pico_error {
    /// Success.
    PICO_OK = 0,
    /// A pointer is null.
    PICO_ERROR_NULL = 1,
    /// The model or trainer has not been opened, or opening it failed.
    PICO_ERROR_NOT_OPEN = 2,
    /// Memory at an address that is not a multiple of the alignment its values need.
    PICO_ERROR_MISALIGNED = 3,
    /// A buffer has another length than the network needs.
    PICO_ERROR_BUFFER_LENGTH = 4,
    /// Scratch memory, a workspace or a buffer to write to is too short.
    PICO_ERROR_BUFFER_TOO_SHORT = 5,
    /// A sample has another number of values than the network has inputs.
    PICO_ERROR_INPUT_WIDTH = 6,
    /// An input is NaN or infinite.
    PICO_ERROR_INPUT_NOT_FINITE = 7,
    /// The outputs overflow: the inputs or the parameters are too large.
    PICO_ERROR_OUTPUT_NOT_FINITE = 8,
    /// The processor doesn't round to nearest, or flushes subnormal numbers to zero.
    PICO_ERROR_FLOAT_MODE = 9,
    /// Erased flash, all 0xFF: no model was written to it.
    PICO_ERROR_ERASED = 20,
    /// Zeroed memory: no model was written to it.
    PICO_ERROR_ZEROED = 21,
    /// Not a picomlp model.
    PICO_ERROR_NOT_A_MODEL = 22,
    /// Written by a newer version.
    PICO_ERROR_FORMAT_VERSION = 23,
    /// The end of the model is missing.
    PICO_ERROR_TRUNCATED = 24,
    /// The model is damaged: a checksum is wrong.
    PICO_ERROR_DAMAGED = 25,
    /// The model's checksums are right but its contents make no sense.
    PICO_ERROR_MALFORMED = 26,
    /// The model has no f32 parameters, or no int8 parameters, as the function needs them.
    PICO_ERROR_NO_PARAMETERS = 27,
    /// The model has no test vectors of this kind.
    PICO_ERROR_NO_SELF_TEST = 28,
    /// This machine computes other bits than the model's test vectors expect.
    PICO_ERROR_SELF_TEST = 29,
    /// The int8 model reads bytes as they are, not features.
    PICO_ERROR_NOT_FEATURES = 30,
    /// A batch without samples.
    PICO_ERROR_EMPTY_BATCH = 40,
    /// Neither labels nor targets, or both.
    PICO_ERROR_TARGETS = 41,
    /// A label is not below the number of classes.
    PICO_ERROR_LABEL_OUT_OF_RANGE = 42,
    /// The model's loss doesn't take targets of this kind.
    PICO_ERROR_TARGET_KIND = 43,
    /// A target is not finite, or not among the values that the loss takes.
    PICO_ERROR_TARGET_OUT_OF_RANGE = 44,
    /// The loss is not finite. The parameters are as they were.
    PICO_ERROR_LOSS_NOT_FINITE = 45,
    /// A learning rate that is not a finite number above 0, or an unknown optimizer.
    PICO_ERROR_SETTING = 46,
    /// The network or the blob is too large for this machine.
    PICO_ERROR_TOO_LARGE = 47,
    /// The caller's function that writes a model has failed.
    PICO_ERROR_WRITE = 48,
    /// An error that this version has no code for.
    PICO_ERROR_OTHER = 99,
}

use pico_error::*;

/// Each code and its text.
const TEXTS: &[(pico_error, &CStr)] = &[
    (PICO_OK, c"success"),
    (PICO_ERROR_NULL, c"a pointer is null"),
    (PICO_ERROR_NOT_OPEN, c"the model or trainer is not open: call pico_model_open or pico_train_open first"),
    (PICO_ERROR_MISALIGNED, c"misaligned memory: models lie at a multiple of 16, floats and scratch memory at one of 4"),
    (PICO_ERROR_BUFFER_LENGTH, c"a buffer has another length than the network needs"),
    (PICO_ERROR_BUFFER_TOO_SHORT, c"scratch memory, a workspace or an output buffer is too short"),
    (PICO_ERROR_INPUT_WIDTH, c"a sample has another number of values than the network has inputs"),
    (PICO_ERROR_INPUT_NOT_FINITE, c"an input is NaN or infinite"),
    (PICO_ERROR_OUTPUT_NOT_FINITE, c"the outputs are not finite: the inputs or the parameters are too large"),
    (PICO_ERROR_FLOAT_MODE, c"the processor doesn't round to nearest or flushes subnormal numbers: reset its floating-point control register"),
    (PICO_ERROR_ERASED, c"the memory is erased (all 0xFF): no model was written to it"),
    (PICO_ERROR_ZEROED, c"the memory is zeroed (all 0x00): no model was written to it"),
    (PICO_ERROR_NOT_A_MODEL, c"not a picomlp model"),
    (PICO_ERROR_FORMAT_VERSION, c"unknown format version: the model was written by a newer picomlp"),
    (PICO_ERROR_TRUNCATED, c"the model is cut short"),
    (PICO_ERROR_DAMAGED, c"the model is damaged: a checksum is wrong"),
    (PICO_ERROR_MALFORMED, c"the model is malformed"),
    (PICO_ERROR_NO_PARAMETERS, c"the model has no parameters of this kind: f32 or int8"),
    (PICO_ERROR_NO_SELF_TEST, c"the model has no test vectors of this kind"),
    (PICO_ERROR_SELF_TEST, c"self-test failed: this machine computes other bits than expected"),
    (PICO_ERROR_NOT_FEATURES, c"the int8 model reads bytes as they are, not features"),
    (PICO_ERROR_EMPTY_BATCH, c"the batch has no sample"),
    (PICO_ERROR_TARGETS, c"expected either labels or targets, got neither or both"),
    (PICO_ERROR_LABEL_OUT_OF_RANGE, c"a label is not below the number of classes"),
    (PICO_ERROR_TARGET_KIND, c"the model's loss doesn't take targets of this kind: classes or values"),
    (PICO_ERROR_TARGET_OUT_OF_RANGE, c"a target is not among the values that the loss takes"),
    (PICO_ERROR_LOSS_NOT_FINITE, c"the loss is not finite: the learning rate or the inputs are too large"),
    (PICO_ERROR_SETTING, c"the optimizer is unknown, or its learning rate is not a finite number above 0"),
    (PICO_ERROR_TOO_LARGE, c"the network is too large for this machine"),
    (PICO_ERROR_WRITE, c"the function that writes the model has failed"),
];

/// The text of an error code, which ends with a zero byte and lives forever. Any number may be asked for.
#[unsafe(no_mangle)]
pub extern "C" fn pico_error_string(error: i32) -> *const c_char {
    let known = TEXTS.iter().find(|(code, _)| *code as i32 == error);
    known.map_or(c"unknown error", |(_, text)| text).as_ptr()
}

/// Converts a result into the error code that C gets.
pub(crate) fn code(result: Result<(), pico_error>) -> pico_error {
    match result {
        Ok(()) => PICO_OK,
        Err(error) => error,
    }
}

impl From<Error> for pico_error {
    fn from(error: Error) -> Self {
        match error {
            Error::BufferLength { .. } => PICO_ERROR_BUFFER_LENGTH,
            Error::BufferTooShort { .. } => PICO_ERROR_BUFFER_TOO_SHORT,
            Error::InputWidth { .. } => PICO_ERROR_INPUT_WIDTH,
            Error::InputNotFinite { .. } => PICO_ERROR_INPUT_NOT_FINITE,
            Error::OutputNotFinite { .. } => PICO_ERROR_OUTPUT_NOT_FINITE,
            Error::FloatMode => PICO_ERROR_FLOAT_MODE,
            Error::EmptyBatch => PICO_ERROR_EMPTY_BATCH,
            Error::LabelOutOfRange { .. } => PICO_ERROR_LABEL_OUT_OF_RANGE,
            Error::TargetKind { .. } => PICO_ERROR_TARGET_KIND,
            Error::TargetOutOfRange { .. } => PICO_ERROR_TARGET_OUT_OF_RANGE,
            Error::LossNotFinite => PICO_ERROR_LOSS_NOT_FINITE,
            Error::Setting { .. } => PICO_ERROR_SETTING,
            Error::NetworkTooLarge | Error::TooManyLayers { .. } => PICO_ERROR_TOO_LARGE,
            _ => PICO_ERROR_OTHER,
        }
    }
}

impl From<BlobError> for pico_error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Erased => PICO_ERROR_ERASED,
            BlobError::Zeroed => PICO_ERROR_ZEROED,
            BlobError::Magic { .. } => PICO_ERROR_NOT_A_MODEL,
            BlobError::Version { .. } => PICO_ERROR_FORMAT_VERSION,
            BlobError::NoHeader { .. } | BlobError::Truncated { .. } => PICO_ERROR_TRUNCATED,
            BlobError::HeaderCrc { .. } | BlobError::PayloadCrc { .. } => PICO_ERROR_DAMAGED,
            BlobError::Malformed { .. } => PICO_ERROR_MALFORMED,
            BlobError::Misaligned { .. } => PICO_ERROR_MISALIGNED,
            BlobError::NoSection { .. } => PICO_ERROR_NO_PARAMETERS,
            BlobError::NoRoom { .. } => PICO_ERROR_BUFFER_TOO_SHORT,
            BlobError::TooLarge => PICO_ERROR_TOO_LARGE,
            BlobError::Network(error) => error.into(),
            _ => PICO_ERROR_OTHER,
        }
    }
}
