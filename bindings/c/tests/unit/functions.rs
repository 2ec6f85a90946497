//! The functions as C calls them, beside the core.

use core::mem::MaybeUninit;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use picomlp::blob::{Aligned, Contents, Feature, Provenance, TargetKind};
use picomlp::{Adam, Buffers, Init, Layer, Loss, LossKind, Model, Network, Sequential, Trainer};

use super::*;

const ADAM: f32 = 0.01;

fn opened<T>() -> MaybeUninit<T> {
    MaybeUninit::zeroed()
}

/// A model of two features and one value, with names.
fn blob(net: &Sequential, params: &[f32]) -> &'static [u8] {
    let bytes = Box::leak(Box::new(Aligned([0; 2048])));
    let feature = |name| Feature { name, unit: "g" };
    let contents = Contents {
        features: &[feature("x"), feature("y")],
        class_names: &["speed"],
        targets: Some(TargetKind::Values),
        provenance: Some(Provenance { loss: LossKind::MeanSquaredError, ..Default::default() }),
        ..Contents::new(net, params)
    };
    let len = contents.write(&mut bytes.0).unwrap();
    &bytes.0[..len]
}

fn open(blob: &'static [u8]) -> &'static pico_model {
    let model = Box::leak(Box::new(opened::<pico_model>()));
    // SAFETY: the memory stays, and is nobody else's.
    let error = unsafe { pico_model_open(model.as_mut_ptr(), blob.as_ptr().cast(), blob.len()) };
    assert_eq!(error, pico_error::PICO_OK);
    // SAFETY: all bits are values, and all have been set.
    unsafe { model.assume_init_ref() }
}

#[test]
fn training_and_inference_give_the_bits_of_the_core_and_a_saved_model_keeps_its_names() {
    let net = Sequential::mlp(&[2, 8, 1]).unwrap();
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, 7).unwrap();
    let model = open(blob(&net, &params));
    let (mut x, mut targets) = (vec![0.0; 2 * 12], vec![0.0; 12]);
    picomlp_fixtures::fill(&mut x, 1);
    picomlp_fixtures::fill(&mut targets, 2);

    let mut trainer = opened::<pico_trainer>();
    let trainer = trainer.as_mut_ptr();
    // SAFETY: in this and all calls below, the memory is what the lengths say, and stays.
    let bytes = unsafe { pico_train_memory(model, PICO_ADAM, 4) };
    let memory = vec![0_f32; bytes / 4].leak();
    let mut losses = Vec::new();
    // SAFETY: as above.
    unsafe {
        let memory = memory.as_mut_ptr().cast();
        let opened = pico_train_open(trainer, model, PICO_ADAM, ADAM, memory, bytes);
        assert_eq!(opened, pico_error::PICO_OK);
        for (x, targets) in x.chunks(8).zip(targets.chunks(4)) {
            let (mut loss, labels) = (0.0, core::ptr::null());
            let (x, targets) = (x.as_ptr(), targets.as_ptr());
            let error = pico_train_step_f32(trainer, x, labels, targets, 4, &raw mut loss);
            assert_eq!(error, pico_error::PICO_OK);
            losses.push(loss);
        }
    }

    let buffers = Buffers {
        params: &mut params[..],
        state: &mut vec![0.0; 2 * net.params()][..],
        workspace: &mut vec![0.0; net.train_scratch(4)][..],
    };
    let mut reference = Trainer::new(&net, Adam::new(ADAM), buffers)
        .and_then(|trainer| trainer.with_loss(Loss::MEAN_SQUARED_ERROR))
        .unwrap();
    let steps = x.chunks(8).zip(targets.chunks(4));
    let expected: Vec<_> = steps.map(|(x, t)| reference.step(x, t).unwrap()).collect();
    assert_eq!(losses, expected);

    let file = Box::leak(Box::new(Aligned([0_u8; 2048])));
    let mut len = 0;
    // SAFETY: as above.
    let error =
        unsafe { pico_train_save(trainer, file.0.as_mut_ptr().cast(), file.0.len(), &raw mut len) };
    assert_eq!(error, pico_error::PICO_OK);
    let file = &file.0[..len];
    let saved = Model::<Sequential>::from_blob(file).unwrap();
    assert_eq!(saved.params(), reference.params());
    assert_eq!(saved.loss_kind(), LossKind::MeanSquaredError);
    assert_eq!(saved.blob().targets(), Some(TargetKind::Values));
    assert!(saved.blob().class_names().eq(["speed"]));
    assert!(saved.blob().features().map(|feature| feature.name).eq(["x", "y"]));

    let (mut output, mut scratch) = ([0.0], [0_f32; 64]);
    // SAFETY: as above.
    let error = unsafe {
        let scratch = scratch.as_mut_ptr().cast();
        pico_predict_f32(open(file), x.as_ptr(), 2, scratch, 256, output.as_mut_ptr(), 1)
    };
    assert_eq!(error, pico_error::PICO_OK);
    assert_eq!(output, saved.logits(&x[..2], &mut [0.0; 64]).unwrap());
}

#[test]
fn a_reset_trainer_starts_as_a_new_one_does() {
    let net = Sequential::mlp(&[2, 8, 1]).unwrap();
    let mut params = vec![0.5; net.params()];
    let model = open(blob(&net, &params));
    let mut trainer = opened::<pico_trainer>();
    let trainer = trainer.as_mut_ptr();
    let memory = vec![0_f32; 512].leak();
    let x = [0.5, -0.5];
    // SAFETY: the memory is what the lengths say, and stays.
    unsafe {
        let (memory, labels) = (memory.as_mut_ptr().cast(), core::ptr::null());
        let opened = pico_train_open(trainer, model, PICO_SGD, 0.1, memory, 2048);
        assert_eq!(opened, pico_error::PICO_OK);
        let loss = core::ptr::null_mut();
        let error = pico_train_step_f32(trainer, x.as_ptr(), labels, x.as_ptr(), 1, loss);
        assert_eq!(error, pico_error::PICO_OK);
        assert_eq!(pico_train_reset(trainer, 3), pico_error::PICO_OK);
        net.init(&mut params, Init::He, 3).unwrap();
        let expected = picomlp::fingerprint::fingerprint(&params);
        assert_eq!(pico_train_fingerprint(trainer), expected);
    }
}
