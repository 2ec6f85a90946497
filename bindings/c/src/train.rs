//! Training, where the program runs.

use core::ffi::c_void;

use picomlp::blob::{Blob, BlobError, Contents, OptimizerKind, Provenance};
use picomlp::fingerprint::fingerprint;
use picomlp::kernels::Batch;
use picomlp::{
    Adam, Buffers, Element, Init, InputMap, Layer, Loss, Network, Optimizer, Sequential, Sgd,
    Targets, Trainer,
};

use crate::error::code;
use crate::memory::{Slot, input, one, output, words};
use crate::model::{copy, opened, pico_model};
use crate::optimizer::{Either, pico_optimizer};
use crate::pico_error;

/// 64-bit words of a pico_trainer.
pub const PICO_TRAINER_WORDS: usize = 48;

/// A network that is trained. Its memory is the caller's, as that of a pico_model.
#[repr(C)]
#[derive(Debug)]
pub struct pico_trainer {
    /// Not for use.
    pub opaque: [u64; PICO_TRAINER_WORDS],
}

type SgdOrAdam = Either<Sgd, Adam>;

/// What a [`pico_trainer`] holds.
struct Training {
    trainer: Trainer<'static, &'static Sequential, SgdOrAdam>,
    blob: Blob<'static>,
}

const _: () = assert!(Slot::<Training>::fits(PICO_TRAINER_WORDS));

/// Bytes of memory that pico_train_open() needs to train with batches of `batch` samples: parameters, optimizer state and
/// workspace. 0 if the model is not open, the optimizer unknown or the network too large for this machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_memory(
    model: *const pico_model,
    optimizer: pico_optimizer,
    batch: usize,
) -> usize {
    // SAFETY: the header's contract.
    let (Ok(model), Ok(kind)) = (unsafe { opened(model) }, SgdOrAdam::new(optimizer, 1.0)) else {
        return 0;
    };
    let parts =
        [model.net.params(), kind.state_len_of(&&model.net), model.net.train_scratch(batch)];
    let floats = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(*part));
    floats.and_then(|floats| floats.checked_mul(4)).unwrap_or(0)
}

/// Prepares to train an open model further: copies its parameters, and takes the loss that it was trained with.
///
/// `memory` lies at a multiple of 4 and is kept, as are `model` and its blob: all must stay, and be used for nothing else,
/// while the trainer is used. `memory_bytes` is what pico_train_memory() says, or more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_open(
    trainer: *mut pico_trainer,
    model: *const pico_model,
    optimizer: pico_optimizer,
    learning_rate: f32,
    memory: *mut c_void,
    memory_bytes: usize,
) -> pico_error {
    // SAFETY: the header's contract; both stay.
    let both = unsafe { opened(model).and_then(|model| Ok((model, words(memory, memory_bytes)?))) };
    let training = both.and_then(|(model, memory)| {
        let optimizer = SgdOrAdam::new(optimizer, learning_rate)?;
        let too_short = pico_error::PICO_ERROR_BUFFER_TOO_SHORT;
        let (params, rest) = memory.split_at_mut_checked(model.net.params()).ok_or(too_short)?;
        let state_len = optimizer.state_len_of(&&model.net);
        let (state, workspace) = rest.split_at_mut_checked(state_len).ok_or(too_short)?;
        copy(model.model()?.params(), params)?;
        state.fill(0.0);
        Training::new(&model.net, optimizer, Buffers { params, state, workspace }, model.blob)
    });
    // SAFETY: the header's contract.
    code(unsafe { Slot::open(trainer.cast(), |slot| training.map(|all| _ = slot.write(all))) })
}

impl Training {
    fn new(
        net: &'static Sequential,
        optimizer: SgdOrAdam,
        buffers: Buffers<&'static mut [f32], &'static mut [f32], &'static mut [f32]>,
        blob: Blob<'static>,
    ) -> Result<Self, pico_error> {
        let trainer = Trainer::new(net, optimizer, buffers)?;
        Ok(Self { trainer: trainer.with_loss(Loss::new(blob.loss_kind()))?, blob })
    }

    /// The samples that lie at `x`, bytes read as the model's training data were.
    unsafe fn batch<'a, T: Element>(
        &self,
        x: *const T,
        samples: usize,
    ) -> Result<Batch<'a, T>, pico_error> {
        let inputs = self.trainer.net().inputs();
        let len = samples.checked_mul(inputs).ok_or(pico_error::PICO_ERROR_BUFFER_LENGTH)?;
        // SAFETY: the header's contract.
        let batch = Batch::rows(unsafe { input(x, len)? }, inputs)?;
        let is_pixels = T::MAP == InputMap::PIXELS;
        Ok(if is_pixels { batch.with_map(self.blob.input_map()) } else { batch })
    }

    fn contents(&self) -> Contents<'_, Sequential> {
        let (trainer, blob) = (&self.trainer, self.blob);
        let optimizer = match trainer.optimizer() {
            SgdOrAdam::Adam(_) => OptimizerKind::Adam,
            _ => OptimizerKind::Sgd,
        };
        let provenance = Provenance {
            loss: blob.loss_kind(),
            optimizer,
            learning_rate: trainer.optimizer().learning_rate(),
            steps: trainer.steps(),
            ..Provenance::default()
        };
        Contents {
            input: blob.input(),
            targets: blob.targets(),
            names_of: Some(blob),
            provenance: Some(provenance),
            ..Contents::new(*trainer.net(), trainer.params())
        }
    }
}

unsafe fn training<'a>(trainer: *mut pico_trainer) -> Result<&'a mut Training, pico_error> {
    // SAFETY: only `pico_train_open` makes a trainer, and what it borrows stays by its contract.
    unsafe { Slot::get_mut(trainer.cast()) }
}

/// Starts from scratch: initial weights drawn from `seed` (He's, uniform, as `picomlp train` draws them), optimizer state 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_reset(trainer: *mut pico_trainer, seed: u64) -> pico_error {
    // SAFETY: the header's contract.
    let training = unsafe { training(trainer) };
    let fresh = training.and_then(|Training { trainer, blob }| {
        // SAFETY: the slot is written below, before anyone reads it again.
        let (net, optimizer, buffers) = unsafe { core::ptr::read(trainer) }.into_parts();
        net.init(buffers.params, Init::He, seed)?;
        buffers.state.fill(0.0);
        let optimizer = match optimizer {
            SgdOrAdam::Adam(adam) => SgdOrAdam::Adam(adam.at_step(0)),
            sgd => sgd,
        };
        Training::new(net, optimizer, buffers, *blob)
    });
    // SAFETY: the header's contract.
    code(unsafe { Slot::open(trainer.cast(), |slot| fresh.map(|all| _ = slot.write(all))) })
}

unsafe fn step<T: Element>(
    trainer: *mut pico_trainer,
    x: *const T,
    labels: *const u16,
    targets: *const f32,
    samples: usize,
    loss: *mut f32,
) -> Result<(), pico_error> {
    // SAFETY: the header's contract.
    let training = unsafe { training(trainer)? };
    let outputs = training.trainer.net().outputs();
    let values = samples.checked_mul(outputs).ok_or(pico_error::PICO_ERROR_BUFFER_LENGTH)?;
    // SAFETY: the header's contract.
    let (batch, targets) = unsafe {
        let targets = match (labels.is_null(), targets.is_null()) {
            (false, true) => Targets::WideClasses(input(labels, samples)?),
            (true, false) => Targets::Values(input(targets, values)?),
            _ => return Err(pico_error::PICO_ERROR_TARGETS),
        };
        (training.batch(x, samples)?, targets)
    };
    let mean = training.trainer.step(batch, targets)?;
    // SAFETY: the header's contract.
    if let Ok(loss) = unsafe { one(loss) } {
        *loss = mean;
    }
    Ok(())
}

/// Makes one training step on a batch of bytes, `x[samples][inputs]`, read as the model's training data were.
///
/// Give either classes, `labels[samples]`, or values, `targets[samples][outputs]`; the other is NULL. `loss` receives the
/// mean loss of the batch before the step, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_step_u8(
    trainer: *mut pico_trainer,
    x: *const u8,
    labels: *const u16,
    targets: *const f32,
    samples: usize,
    loss: *mut f32,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe { step(trainer, x, labels, targets, samples, loss) })
}

/// Makes one training step on a batch of floats, as pico_train_step_u8() does on bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_step_f32(
    trainer: *mut pico_trainer,
    x: *const f32,
    labels: *const u16,
    targets: *const f32,
    samples: usize,
    loss: *mut f32,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe { step(trainer, x, labels, targets, samples, loss) })
}

unsafe fn predict<T: Element>(
    trainer: *mut pico_trainer,
    x: *const T,
    samples: usize,
    outputs: *mut f32,
    outputs_len: usize,
) -> Result<(), pico_error> {
    // SAFETY: the header's contract.
    let (training, outputs) = unsafe { (training(trainer)?, output(outputs, outputs_len)?) };
    // SAFETY: the header's contract.
    let batch = unsafe { training.batch(x, samples)? };
    copy(training.trainer.predict(batch)?, outputs)
}

/// Computes the outputs of the network as it is now for a batch of bytes, `outputs[samples][outputs]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_predict_u8(
    trainer: *mut pico_trainer,
    x: *const u8,
    samples: usize,
    outputs: *mut f32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe { predict(trainer, x, samples, outputs, outputs_len) })
}

/// Computes the outputs of the network as it is now for a batch of floats, `outputs[samples][outputs]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_predict_f32(
    trainer: *mut pico_trainer,
    x: *const f32,
    samples: usize,
    outputs: *mut f32,
    outputs_len: usize,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe { predict(trainer, x, samples, outputs, outputs_len) })
}

/// Sets the learning rate, from the next step on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_set_learning_rate(
    trainer: *mut pico_trainer,
    learning_rate: f32,
) -> pico_error {
    // SAFETY: the header's contract.
    code(unsafe { training(trainer) }.and_then(|training| {
        Sgd::new(learning_rate).check()?;
        training.trainer.optimizer_mut().set_learning_rate(learning_rate);
        Ok(())
    }))
}

/// Fingerprint of the parameters as they are now; 0 if the trainer is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_fingerprint(trainer: *const pico_trainer) -> u64 {
    // SAFETY: the header's contract.
    let training = unsafe { Slot::<Training>::get(trainer.cast()) };
    training.map_or(0, |training| fingerprint(training.trainer.params()))
}

/// Saves the network as it is now as a .pmlp file in `buffer`, with the names and kinds of inputs and outputs of the model
/// that it was opened with. `written` receives the file's bytes, also if the buffer is too short for them: then nothing is
/// written, so a buffer of no bytes asks for the size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_save(
    trainer: *const pico_trainer,
    buffer: *mut c_void,
    buffer_bytes: usize,
    written: *mut usize,
) -> pico_error {
    // SAFETY: the header's contract.
    let all = unsafe {
        Slot::<Training>::get(trainer.cast()).and_then(|training| {
            Ok((training, output(buffer.cast(), buffer_bytes)?, one(written)?))
        })
    };
    code(all.and_then(|(training, buffer, written)| match training.contents().write(buffer) {
        Ok(len) => {
            *written = len;
            Ok(())
        }
        Err(error) => {
            if let BlobError::NoRoom { needed, .. } = error {
                *written = needed;
            }
            Err(error.into())
        }
    }))
}

/// A function of the caller's that takes the next piece of a file, 64 bytes at the most but for names: to flash, a file or a
/// wire. Returns 0, or anything else if it has failed. `context` is what the caller gave to pico_train_write().
pub type pico_write =
    Option<unsafe extern "C" fn(context: *mut c_void, piece: *const u8, len: usize) -> i32>;

/// Saves as pico_train_save() does, piece by piece, for a device without memory for a second copy. After a failure, `write`
/// is not called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pico_train_write(
    trainer: *const pico_trainer,
    write: pico_write,
    context: *mut c_void,
) -> pico_error {
    // SAFETY: the header's contract.
    let training = unsafe { Slot::<Training>::get(trainer.cast()) };
    code(training.and_then(|training| {
        let write = write.ok_or(pico_error::PICO_ERROR_NULL)?;
        let mut failed = false;
        training.contents().write_pieces(|piece| {
            // SAFETY: the caller's function, with the caller's context.
            failed = failed
                || !piece.is_empty() && unsafe { write(context, piece.as_ptr(), piece.len()) } != 0;
        })?;
        if failed { Err(pico_error::PICO_ERROR_WRITE) } else { Ok(()) }
    }))
}
