//! What promises to allocate nothing, under an allocator that counts (in all tests; the others do not look).
//!
//! The only file of the workspace that lifts `unsafe_code`: an allocator cannot be written otherwise.
#![allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use picomlp::blob::{Aligned, Contents, Int8Contents};
use picomlp::optim::GroupRms;
use picomlp::{
    Adam, AdamW, BatchNorm, Buffers, Chain, Dense, DenseNoBias, Dropout, Init, LayerNorm, Loss,
    Mlp, Model, Momentum, Network, Optimizer, QuantizedModel, RmsProp, Sequential, Sgd, Sigmoid,
    Tanh, Trainer, WeightDecay,
};

type Net = Mlp<131, 43, 10>;

const BATCH: usize = 70;

struct Counting;

thread_local! {
    /// Allocations of this thread alone: the test harness has threads of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter left; nothing is measured there.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes on to `System` unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result of `work`, which must not allocate.
fn without_allocation<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.get();
    let result = work();
    let allocations = ALLOCATIONS.get() - before;
    assert!(allocations == 0, "{what}: {allocations} allocations");
    result
}

fn batch() -> (Vec<u8>, [u8; BATCH]) {
    let mut pixels = vec![0; BATCH * Net::INPUTS];
    picomlp_fixtures::sparse_pixels(&mut pixels, 1, 207);
    (pixels, core::array::from_fn(|s| (s % 10) as u8))
}

#[test]
fn allocation_is_noticed() {
    let before = ALLOCATIONS.get();
    drop(core::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn init_forward_and_gradient_allocate_nothing() {
    let (pixels, labels) = batch();
    let (mut params, mut gradient) = (vec![0.0; Net::PARAMS], vec![0.0; Net::PARAMS]);
    let mut y = [0.0; 10 * BATCH];
    let mut scratch = vec![0.0; Net::train_scratch(BATCH)];
    let net = Sequential::mlp(&[131, 43, 10]).unwrap();
    without_allocation("Sequential::mlp", || Sequential::mlp(&[131, 43, 10])).unwrap();
    without_allocation("init", || net.init(&mut params, Init::He, 1)).unwrap();
    without_allocation("forward", || {
        net.forward(&params, pixels.as_slice(), &mut y, &mut scratch).unwrap();
        Net::default().forward(&params, pixels.as_slice(), &mut y, &mut scratch).unwrap();
    });
    let one = &pixels[..Net::INPUTS];
    without_allocation("gradient", || {
        net.gradient(&params, pixels.as_slice(), &labels, &mut gradient, &mut scratch).unwrap();
        net.gradient(&params, one, &labels[..1], &mut gradient, &mut scratch).unwrap();
    });
}

fn steps<O: Optimizer>(what: &str, optimizer: O) {
    let (pixels, labels) = batch();
    let mut params = vec![0.0; Net::PARAMS];
    let mut state = vec![0.0; O::STATE_PER_PARAM * Net::PARAMS];
    let mut scratch = vec![0.0; Net::train_scratch(BATCH)];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    without_allocation(what, || {
        let mut trainer = Trainer::new(
            Net::default(),
            optimizer,
            Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
        )
        .unwrap();
        for _ in 0..3 {
            trainer.step(pixels.as_slice(), &labels).unwrap();
        }
        trainer.step(&pixels[..Net::INPUTS], &labels[..1]).unwrap();
        trainer.step(pixels.as_slice(), &labels[1..]).unwrap_err();
    });
}

#[test]
fn a_train_step_allocates_nothing() {
    steps("SGD", Sgd::new(0.1));
    steps("Adam", Adam::new(1e-2));
    steps("momentum", Momentum::nesterov(0.1, 0.9));
    steps("RMSprop", RmsProp::new(1e-2));
    steps("AdamW", AdamW::new(1e-2, 1e-2));
    steps("SGD with L2", WeightDecay::l2(Sgd::new(0.1), 1e-3));
}

#[test]
fn a_buffered_train_step_allocates_nothing() {
    let (pixels, labels) = batch();
    let (mut params, mut gradient) = (vec![0.0; Net::PARAMS], vec![0.0; Net::PARAMS]);
    let (mut state, mut scratch) = ([0.0; 4], vec![0.0; Net::train_scratch(BATCH / 2)]);
    let (net, group_rms) = (Net::default(), GroupRms::new(0.5));
    net.init(&mut params, Init::XavierNormal, 1).unwrap();
    without_allocation("buffered", || {
        let (params, gradient) = (&mut params, &mut gradient);
        let trainer = Trainer::new(
            net,
            group_rms,
            Buffers { params: &mut *params, state: &mut state, workspace: &mut scratch },
        )
        .and_then(|trainer| trainer.with_gradient(gradient));
        let mut trainer = trainer.unwrap().clip_norm(0.1).unwrap();
        trainer.step(pixels.as_slice(), &labels).unwrap();
        trainer.step(&pixels[..Net::INPUTS], &labels[..1]).unwrap();
    });
}

#[test]
fn steps_through_every_kind_of_layer_and_folding_allocate_nothing() {
    type First = Chain<Chain<Dense<131, 43>, BatchNorm<43>>, Chain<Tanh<43>, Dropout<43>>>;
    type Second = Chain<Chain<Dense<43, 20>, LayerNorm<20>>, Sigmoid<20>>;
    type Net = Chain<Chain<First, Second>, DenseNoBias<20, 10>>;
    let (pixels, labels) = batch();
    let mut params = vec![0.0; Net::PARAMS];
    let mut scratch = vec![0.0; Net::train_scratch(BATCH)];
    let net = Net::default();
    net.init(&mut params, Init::He, 1).unwrap();
    for loss in [Loss::CROSS_ENTROPY.with_smoothing(0.1), Loss::SQUARED_ERROR.summed()] {
        without_allocation("steps", || {
            let trainer = Trainer::new(
                net,
                Sgd::new(0.01),
                Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
            );
            let mut trainer = trainer.unwrap().with_loss(loss).unwrap().with_seed(1, 0);
            for _ in 0..3 {
                trainer.step(pixels.as_slice(), &labels).unwrap();
            }
        });
    }
    let mut y = [0.0; 10 * BATCH];
    without_allocation("folding", || {
        let (net, params) = net.fold(&mut params).unwrap();
        net.forward(params, pixels.as_slice(), &mut y, &mut scratch).unwrap();
    });
}

#[test]
fn writing_and_running_a_blob_allocates_nothing() {
    let (pixels, _) = batch();
    let mut params = vec![0.0; Net::PARAMS];
    let net = Net::default();
    net.init(&mut params, Init::He, 1).unwrap();
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let mut flash = Box::new(Aligned([0xff; 48 * 1024]));
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    let mut int8_scratch = [0; Net::INT8_SCRATCH];
    let mut probabilities = [0.0; 10];
    let mut written = 0;
    without_allocation("blob", || {
        let mut contents = Contents::new(&net, &params);
        contents.class_names = &names;
        contents.write_pieces(|piece| written += piece.len()).unwrap();
        contents.int8 = Some(Int8Contents::new(&[2.0]).keep_f32(true));
        contents.write(&mut flash.0).unwrap();
        let pixels = &pixels[..Net::INPUTS];
        let model = Model::<Net>::from_blob(&flash.0).unwrap();
        model.classify(pixels, &mut scratch).unwrap();
        model.probabilities(pixels, &mut probabilities, &mut scratch).unwrap();
        model.self_test(&mut scratch).unwrap();
        let quantized = QuantizedModel::<Net>::from_blob(&flash.0).unwrap();
        quantized.classify(pixels, &mut int8_scratch).unwrap();
        let model = Model::<Sequential>::from_blob(&flash.0).unwrap();
        model.classify(pixels, &mut scratch).unwrap();
        assert_eq!(model.blob().class_names().count(), 10);
    });
    assert!(written > 4 * Net::PARAMS);
}
