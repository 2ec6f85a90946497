//! Training that is stopped, kept in a blob, and gone on with: the same bits as training that was never stopped.

use picomlp::blob::{Aligned, Blob, BlobError, Checkpoint, Contents};
use picomlp::optim::GroupRms;
use picomlp::{
    Adam, AdamW, AnyLayer, Buffers, Error, Init, Layer, Momentum, Network, Optimizer, RmsProp,
    Sequential, Sgd, Trainer, TrainingState, WeightDecay,
};

const BATCH: usize = 8;
const STEPS: u64 = 24;

/// Everything that a checkpoint has to keep: running statistics, and masks that depend on the step.
fn net() -> Sequential {
    let layers = [
        AnyLayer::dense(12, 9),
        AnyLayer::batch_norm(9, 1e-5, 0.1),
        AnyLayer::relu(9),
        AnyLayer::dropout(9, 0.5),
        AnyLayer::dense(9, 3),
    ];
    Sequential::new(layers.into_iter().collect()).unwrap()
}

struct Memory([Vec<f32>; 4]);

impl Memory {
    fn new(net: &Sequential, optimizer: &impl Optimizer) -> Self {
        let lens =
            [net.params(), optimizer.state_len_of(net), net.train_scratch(BATCH), net.params()];
        Self(lens.map(|len| vec![0.0; len]))
    }
}

/// Trains from step `from` to step `to`, from a checkpoint or from initial weights; returns one.
fn train(optimizer: impl Optimizer, from: Option<&[u8]>, [start, end]: [u64; 2]) -> Vec<u8> {
    let net = net();
    let mut memory = Memory::new(&net, &optimizer);
    let [params, state, workspace, gradient] = &mut memory.0;
    net.init(params, Init::He, 1).unwrap();
    let buffers =
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut workspace[..] };
    let trainer = Trainer::new(net.clone(), optimizer, buffers).unwrap().with_seed(7, 0);
    let mut trainer = trainer.with_gradient(gradient).unwrap().clip_norm(0.5).unwrap();
    if let Some(bytes) = from {
        let mut aligned = Aligned([0u8; 8192]);
        aligned.0[..bytes.len()].copy_from_slice(bytes);
        let checkpoint = Blob::parse(&aligned.0).unwrap().checkpoint().unwrap();
        assert_eq!((checkpoint.progress, checkpoint.settings), ("half way", "--seed 7"));
        trainer.resume(&checkpoint.training).unwrap();
    }
    assert_eq!(trainer.steps(), start);
    for step in start..end {
        let labels: [u8; BATCH] = core::array::from_fn(|s| (s % 3) as u8);
        let mut pixels = [0; BATCH * 12];
        picomlp_fixtures::sparse_pixels(&mut pixels, step + 1, 120);
        trainer.step(&pixels[..], &labels).unwrap();
    }
    // The blob holds the network as it is used; the checkpoint in it, that of training.
    let mut used = trainer.params().to_vec();
    let (folded, used) = net.fold(&mut used).unwrap();
    let checkpoint = Checkpoint {
        training: trainer.training_state(),
        progress: "half way",
        settings: "--seed 7",
    };
    let contents = Contents { checkpoint: Some(checkpoint), ..Contents::new(&folded, used) };
    let mut bytes = vec![];
    contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
    bytes
}

#[test]
fn a_run_resumed_from_a_blob_goes_on_with_the_same_bits_whatever_the_optimizer() {
    fn check(optimizer: impl Optimizer + Copy) {
        let whole = train(optimizer, None, [0, STEPS]);
        for stop in [0, 1, STEPS / 2, STEPS] {
            let half = train(optimizer, None, [0, stop]);
            assert!(train(optimizer, Some(&half), [stop, STEPS]) == whole);
        }
    }
    check(Sgd::new(0.1));
    check(Momentum::new(0.05, 0.9));
    check(RmsProp::new(1e-3));
    check(Adam::new(1e-2));
    check(AdamW::new(1e-2, 0.01));
    check(WeightDecay::l2(Adam::new(1e-2), 1e-3));
    check(GroupRms::new(0.1));
}

#[test]
fn a_training_state_of_another_network_or_optimizer_is_refused_and_nothing_changes() {
    let net = Sequential::mlp(&[4, 3, 2]).unwrap();
    let mut memory = Memory::new(&net, &Adam::new(1e-2));
    let [params, state, workspace, _] = &mut memory.0;
    let buffers =
        Buffers { params: &mut params[..], state: &mut state[..], workspace: &mut workspace[..] };
    let mut trainer = Trainer::new(net.clone(), Adam::new(1e-2), buffers).unwrap();
    let sound = vec![1.0; net.params()];
    let from = TrainingState { params: &sound, ..TrainingState::default() };
    let error = Error::BufferLength { what: "state", expected: 46, got: 0 };
    assert_eq!(trainer.resume(&from), Err(error));
    assert!(trainer.params().iter().all(|value| *value == 0.0));
    let error = Error::BufferLength { what: "params", expected: 23, got: 1 };
    assert_eq!(trainer.resume(&TrainingState { params: &[0.0], ..from }), Err(error));
}

#[test]
fn a_model_is_no_checkpoint_and_a_state_of_another_length_is_malformed() {
    let net = Sequential::mlp(&[4, 3, 2]).unwrap();
    let params = vec![0.0; net.params()];
    let written = |checkpoint| {
        let mut bytes = Aligned([0; 2048]);
        let contents = Contents { checkpoint, ..Contents::new(&net, &params) };
        contents.write(&mut bytes.0).unwrap();
        bytes
    };
    let model = written(None);
    let error = Blob::parse(&model.0).unwrap().checkpoint().unwrap_err();
    assert!(error.to_string().contains("it is a model, not a checkpoint"), "{error}");
    // The best parameters are as many as all, or none.
    let training = TrainingState { best: &[0.5], ..TrainingState::default() };
    let wrong = written(Some(Checkpoint { training, ..Checkpoint::default() }));
    let what = "its training state has not the length that it says";
    assert_eq!(Blob::parse(&wrong.0).unwrap_err(), BlobError::Malformed { what });
    let training = TrainingState { best: &params, steps: 3, ..TrainingState::default() };
    let sound = written(Some(Checkpoint { training, ..Checkpoint::default() }));
    let read = Blob::parse(&sound.0).unwrap().checkpoint().unwrap().training;
    assert_eq!(read, TrainingState { params: &params, ..training });
}
