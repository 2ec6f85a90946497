//! [`Rescale`]: constants that no step moves, and the bits of inputs that were rescaled beforehand.

use picomlp::blob::{Aligned, Contents};
use picomlp::layers::trace;
use picomlp::{
    AdamW, AnyLayer, Batch, Buffers, Dense, Init, Layer, Loss, Mlp, Model, Network, Optimizer,
    Relu, Rescale, Sequential, Sgd, Trainer, chain,
};

type Plain = Mlp<9, 6, 3>;
type Net = chain![Rescale<9>, Dense<9, 6>, Relu<6>, Dense<6, 3>, Rescale<3>];

const BATCH: usize = 7;
const CONSTANTS: usize = 18;

fn constants() -> Vec<f32> {
    picomlp_fixtures::values(5).map(|value| 0.5 + value).take(CONSTANTS).collect()
}

fn inputs() -> Vec<f32> {
    picomlp_fixtures::values(6).map(|value| 50.0 * value).take(BATCH * 9).collect()
}

fn rescaled() -> Vec<f32> {
    let constants = constants();
    let (scale, shift) = constants.split_at(9);
    let of = |row: &[f32]| (0..9).map(|i| row[i] * scale[i] + shift[i]).collect::<Vec<_>>();
    inputs().chunks(9).flat_map(of).collect()
}

/// The last layer begins as the identity.
fn initial() -> Vec<f32> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 2).unwrap();
    assert_eq!(params[..9], [1.0; 9]);
    assert_eq!(params[9..CONSTANTS], [0.0; 9]);
    params[..CONSTANTS].copy_from_slice(&constants());
    params
}

/// Losses and parameters after ten steps, with a gradient buffer or without.
fn trained<N: Layer, O: Optimizer>(
    net: N,
    optimizer: O,
    params: &mut [f32],
    x: &[f32],
    buffered: bool,
) -> Vec<u32> {
    let targets: Vec<f32> = picomlp_fixtures::values(8).take(BATCH * 3).collect();
    let mut gradient = vec![f32::NAN; params.len()];
    let workspace = vec![f32::NAN; net.train_scratch(BATCH)];
    let state = vec![0.0; optimizer.state_len_of(&net)];
    let buffers = Buffers { params: &mut *params, state, workspace };
    let trainer = Trainer::new(net, optimizer, buffers).unwrap();
    let mut trainer = trainer.with_loss(Loss::MEAN_SQUARED_ERROR).unwrap();
    let losses: Vec<f32> = if buffered {
        let mut trainer = trainer.with_gradient(&mut gradient).unwrap();
        (0..10).map(|_| trainer.step(x, &targets[..]).unwrap()).collect()
    } else {
        (0..10).map(|_| trainer.step(x, &targets[..]).unwrap()).collect()
    };
    losses.iter().map(|loss| loss.to_bits()).collect()
}

#[test]
fn training_on_raw_features_has_the_bits_of_training_on_rescaled_ones_and_moves_no_constant() {
    let plain = Plain::PARAMS;
    for buffered in [false, true] {
        let (mut with, mut without) = (initial(), initial()[CONSTANTS..][..plain].to_vec());
        let optimizer = || AdamW::new(1e-2, 0.5);
        let losses = trained(Net::default(), optimizer(), &mut with, &inputs(), buffered);
        let expected = trained(Plain::default(), optimizer(), &mut without, &rescaled(), buffered);
        assert_eq!(losses, expected, "buffered: {buffered}");
        assert_eq!(with[CONSTANTS..][..plain], without);
        assert_eq!(with[..CONSTANTS], constants());
        assert_eq!(with[CONSTANTS + plain..], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn sizes_are_the_same_at_run_time_and_constants_are_counted() {
    let layers = [AnyLayer::rescale(9), AnyLayer::dense(9, 6)];
    let mut list = picomlp::layers::LayerList::new();
    layers.iter().for_each(|layer| layer.describe(&mut list).unwrap());
    let free = Sequential::new(list).unwrap();
    let fixed = <chain![Rescale<9>, Dense<9, 6>]>::default();
    assert_eq!(free.shape(), fixed.shape());
    assert_eq!(fixed.shape().constants, 18);
}

#[test]
fn a_blob_with_rescales_is_read_traced_and_folded_to_the_same_bits() {
    let (net, mut params) = (Net::default(), initial());
    trained(net, Sgd::new(1e-6), &mut params, &inputs(), false);
    let last = params.len() - 6;
    params[last..].copy_from_slice(&[2.0, 3.0, 4.0, -1.0, 0.0, 1.0]);
    let mut buffer = Aligned([0; 2048]);
    let len = Contents::new(&net, &params).write(&mut buffer.0).unwrap();
    let model = Model::<Net>::from_blob(&buffer[..len]).unwrap();
    let free = Model::<Sequential>::from_blob(&buffer[..len]).unwrap();
    assert_eq!(free.net().layers()[0].to_string(), "rescale 9→9");
    let (x, mut scratch) = (inputs(), [0.0; Net::INFER_SCRATCH]);
    let mut plain = [0.0; 3];
    let inner = &params[CONSTANTS..last];
    let rescaled = &rescaled()[..9];
    Plain::default().forward(inner, rescaled, &mut plain, &mut scratch).unwrap();
    let expected = [0, 1, 2].map(|o| plain[o] * params[last + o] + params[last + 3 + o]);
    assert_eq!(model.logits(&x[..9], &mut scratch).unwrap(), expected);
    assert_eq!(free.logits(&x[..9], &mut scratch).unwrap(), expected);
    let mut seen = vec![];
    let batch = Batch::rows(&x[..9], 9).unwrap();
    trace(&net, &params, batch, &mut scratch, |_, values| seen.push(values.to_vec())).unwrap();
    assert_eq!((&seen[0][..], &seen[4][..]), (rescaled, &expected[..]));
    let (folded, params) = net.fold(&mut params).unwrap();
    assert_eq!(folded.layers().len(), 5);
    let mut outputs = [0.0; 3];
    folded.forward(params, &x[..9], &mut outputs, &mut scratch).unwrap();
    assert_eq!(outputs, expected);
}
