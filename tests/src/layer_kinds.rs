//! What every kind of layer and loss must keep: the same bits with sizes in the type and at run time, in any batch and
//! on any number of threads; what training and use have in common and what not; folding.

use picomlp::fingerprint::fingerprint;
use picomlp::layers::{Draws, DropoutLayer, LayerList};
use picomlp::{
    Adam, AnyLayer, Batch, BatchNorm, Buffers, Chain, Dense, DenseNoBias, Dropout, Error,
    FixedLayer, Layer, LayerNorm, LeakyRelu, Loss, Network, Objective, Relu, Sequential, Sgd,
    Sigmoid, Tanh, Trainer,
};

use crate::reference::gamma;
use crate::same_bits::{Backwards, bits, forward, initial, labels, pixels};

const DROP: u32 = 0.25f32.to_bits();

type LeakyNet = Chain<Chain<Dense<131, 43>, LeakyRelu<43, { 0.2f32.to_bits() }>>, Dense<43, 10>>;
/// Sigmoid and tanh go back from their values, which dropout must not write over.
type SigmoidNet = Chain<
    Chain<Chain<Chain<Dense<70, 33>, Sigmoid<33>>, Dropout<33, DROP>>, Dense<33, 10>>,
    Sigmoid<10>,
>;
type TanhNet = Chain<Chain<Chain<DenseNoBias<70, 33>, Tanh<33>>, Dropout<33>>, Dense<33, 10>>;
type LayerNormNet =
    Chain<Chain<Chain<Dense<70, 33>, LayerNorm<33>>, Relu<33>>, DenseNoBias<33, 10>>;
type BatchNormNet = Chain<
    Chain<Chain<Chain<DenseNoBias<70, 33>, BatchNorm<33>>, Relu<33>>, Dropout<33, DROP>>,
    Chain<Chain<Dense<33, 17>, BatchNorm<17>>, Chain<Tanh<17>, Dense<17, 10>>>,
>;
/// In-place layers first, and activations behind each other.
type OddNet = Chain<
    Chain<LayerNorm<20>, Chain<LeakyRelu<20>, Sigmoid<20>>>,
    Chain<Chain<Dropout<20, DROP>, Dense<20, 7>>, Chain<Tanh<7>, Relu<7>>>,
>;

const LOSSES: [Loss; 4] = [
    Loss::CROSS_ENTROPY,
    Loss::CROSS_ENTROPY.summed().with_smoothing(0.1),
    Loss::SQUARED_ERROR,
    Loss::SQUARED_ERROR.summed().with_smoothing(0.1),
];

/// The same layers, put together at run time.
fn free(net: &impl Layer) -> Sequential {
    let mut layers = LayerList::new();
    net.describe(&mut layers).unwrap();
    Sequential::new(layers).unwrap()
}

/// Losses of five steps and the parameters after them: all their bits.
fn train(net: &(impl Layer + Clone), loss: Loss, threads: usize, x: &[u8], y: &[u8]) -> Vec<u32> {
    let mut params = initial(net, 6);
    let mut state = vec![0.0; Adam::state_len(params.len())];
    let mut scratch = vec![f32::NAN; net.train_scratch_on(threads, y.len())];
    let (adam, threads) = (Adam::new(1e-3), Backwards(threads));
    let trainer = Trainer::new(
        net.clone(),
        adam,
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .unwrap();
    let mut trainer = trainer.with_loss(loss).unwrap().with_seed(9, 3).with_threads(&threads);
    let x = Batch::rows(x, net.inputs()).unwrap();
    let mut result: Vec<f32> = (0..5).map(|_| trainer.step(x, y).unwrap()).collect();
    result.extend(trainer.params());
    assert!(result.iter().all(|value| value.is_finite()));
    bits(&result)
}

fn compare<N: FixedLayer>() {
    let fixed = N::default();
    let free = free(&fixed);
    assert_eq!(N::PARAMS, free.params());
    assert_eq!(initial(&fixed, 6), initial(&free, 6));
    let params = initial(&fixed, 6);
    for batch in [2, 5, 67] {
        // Chained from the right, a network may need more memory between its layers.
        assert!(fixed.train_scratch(batch) >= free.train_scratch(batch));
        assert_eq!(fixed.train_scratch(batch), picomlp::layers::train_scratch::<N>(batch));
        let (x, labels) = (pixels(batch * N::INPUTS, batch as u64), labels(batch, N::OUTPUTS));
        let y = bits(&forward(&fixed, &params, &x));
        assert_eq!(y, bits(&forward(&free, &params, &x)), "batch {batch}");
        let one_by_one = x.chunks(N::INPUTS).flat_map(|x| bits(&forward(&fixed, &params, x)));
        assert_eq!(y, one_by_one.collect::<Vec<_>>(), "batch {batch}, one by one");
        for loss in LOSSES {
            let trained = train(&fixed, loss, 1, &x, &labels);
            assert!(trained == train(&free, loss, 1, &x, &labels), "{loss:?}, batch {batch}");
            assert!(trained == train(&free, loss, 3, &x, &labels), "{loss:?}, on three threads");
        }
    }
}

#[test]
fn every_kind_of_layer_gives_the_same_bits_in_the_type_at_run_time_and_on_threads() {
    compare::<LeakyNet>();
    compare::<SigmoidNet>();
    compare::<TanhNet>();
    compare::<LayerNormNet>();
    compare::<BatchNormNet>();
    compare::<OddNet>();
}

/// What a net without dropout behind it gives, times the mask: so the way back through the sigmoid was not spoiled.
#[test]
fn dropout_leaves_the_way_back_through_a_sigmoid_as_it_is() {
    type Plain = Chain<Dense<6, 5>, Sigmoid<5>>;
    type Dropped = Chain<Plain, Dropout<5, { 0.5f32.to_bits() }>>;
    let params = initial(&Plain::default(), 2);
    let x: Vec<f32> = picomlp_fixtures::values(4).take(6).collect();
    let mut y = forward(&Plain::default(), &params, &x);
    let mut mask = vec![1.0; 5];
    let draws = Draws { seed: 1, step: 7, layer: 2, first: 0 };
    DropoutLayer::new(5usize, 0.5).drop(draws, &mut mask);
    assert!(mask.contains(&0.0) && mask.contains(&2.0), "{mask:?}");
    let objective = Objective { loss: Loss::SQUARED_ERROR, seed: 1, step: 7 };
    let mut gradient = vec![f32::NAN; params.len()];
    let mut scratch = vec![f32::NAN; Dropped::default().train_scratch(1)];
    Dropped::default()
        .gradient_of(&objective, &params, x.as_slice(), &[3], &mut gradient, &mut scratch)
        .unwrap();
    // 2·(y·mask - t)·mask·y·(1 - y), rounded as the kernels round.
    for (o, (y, mask)) in y.iter_mut().zip(&mask).enumerate() {
        let target = if o == 3 { 1.0 } else { 0.0 };
        let d = if *mask == 0.0 { 0.0 } else { (*y * mask - target) * 2.0 * mask };
        let expected = d * (*y * (1.0 - *y));
        assert_eq!(gradient[30 + o], expected, "bias {o}");
    }
}

#[test]
fn dropout_repeats_with_its_step_drops_its_share_and_differs_by_step_layer_and_sample() {
    let layer = DropoutLayer::new(1000usize, 0.4);
    let mask = |seed, step, place| {
        let mut values = vec![1.0f32; 2000];
        layer.drop(Draws { seed, step, layer: place, first: 0 }, &mut values);
        values
    };
    let base = mask(1, 2, 3);
    assert_eq!(base, mask(1, 2, 3));
    for other in [mask(2, 2, 3), mask(1, 3, 3), mask(1, 2, 4)] {
        assert_ne!(base, other);
    }
    assert_ne!(base[..1000], base[1000..]);
    assert!(base.iter().all(|v| *v == 0.0 || *v == 1.0 / (1.0 - 0.4)));
    let dropped = base.iter().filter(|v| **v == 0.0).count() as f64;
    // Five standard deviations of 2000 draws: 5·√(2000·0.4·0.6).
    assert!((dropped - 800.0).abs() < 109.6, "{dropped}");
}

#[test]
fn dropout_is_the_identity_in_use_and_changes_each_training_step() {
    type Net = Chain<Chain<Dense<20, 16>, Relu<16>>, Dropout<16>>;
    let params = initial(&Net::default(), 3);
    let x = pixels(5 * 20, 3);
    let without = Chain(Dense::<20, 16>::default(), Relu::<16>::default());
    assert_eq!(bits(&forward(&Net::default(), &params, &x)), bits(&forward(&without, &params, &x)));
    let loss_at = |step| {
        let objective = Objective { step, ..Objective::default() };
        let net = Net::default();
        let (mut gradient, mut scratch) =
            (vec![0.0; params.len()], vec![0.0; net.train_scratch(5)]);
        let y = labels(5, 16);
        net.gradient_of(&objective, &params, &x[..], &y[..], &mut gradient, &mut scratch).unwrap()
    };
    assert_eq!(loss_at(4).to_bits(), loss_at(4).to_bits());
    assert_ne!(loss_at(4), loss_at(5));
}

/// A run that stops and goes on draws what it would have drawn.
#[test]
fn training_goes_on_with_the_draws_of_its_step() {
    type Net = Chain<Chain<Chain<Dense<20, 16>, Relu<16>>, Dropout<16>>, Dense<16, 5>>;
    let (x, y) = (pixels(8 * 20, 5), labels(8, 5));
    let steps = |params: &mut Vec<f32>, from: u64, to: u64| {
        let mut scratch = vec![0.0; Net::train_scratch(8)];
        let trainer = Trainer::new(
            Net::default(),
            Sgd::new(0.1),
            Buffers { params: &mut *params, state: &mut [0.0; 0], workspace: &mut scratch },
        );
        let mut trainer = trainer.unwrap().with_seed(4, from);
        for _ in from..to {
            trainer.step(&x[..], &y[..]).unwrap();
        }
    };
    let (mut whole, mut parts) = (initial(&Net::default(), 1), initial(&Net::default(), 1));
    steps(&mut whole, 0, 9);
    steps(&mut parts, 0, 4);
    steps(&mut parts, 4, 9);
    assert_eq!(fingerprint(&whole), fingerprint(&parts));
}

#[test]
fn batch_normalisation_refuses_a_batch_of_one_and_moves_its_statistics_by_no_gradient() {
    type Net = Chain<Dense<20, 6>, BatchNorm<6>>;
    let (x, y) = (pixels(8 * 20, 5), labels(8, 6));
    let mut params = initial(&Net::default(), 1);
    let start = Net::PARAMS - 12;
    assert_eq!(params[start..], [[0.0; 6], [1.0; 6]].concat());
    let mut gradient = vec![f32::NAN; Net::PARAMS];
    let mut scratch = vec![0.0; Net::train_scratch(8)];
    let net = Net::default();
    net.gradient(&params, &x[..], &y[..], &mut gradient, &mut scratch).unwrap();
    assert_eq!(gradient[start..], [0.0; 12]);
    let before = params.clone();
    let mut state = vec![0.0; Adam::state_len(Net::PARAMS)];
    let mut trainer = Trainer::new(
        net,
        Adam::new(1e-3),
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .unwrap();
    let error = trainer.step(&x[..20], &y[..1]).unwrap_err();
    assert_eq!(error, Error::BatchTooSmall { needed: 2, got: 1 });
    assert_eq!(trainer.params(), before);
    trainer.step(&x[..], &y[..]).unwrap();
    // momentum 0.1 of the batch's, the variance divided by 7 and not by 8.
    let dense = forward(&Dense::<20, 6>::default(), &before[..126], &x);
    for o in 0..6 {
        let column: Vec<f64> = dense.iter().skip(o).step_by(6).map(|v| f64::from(*v)).collect();
        let mean = column.iter().sum::<f64>() / 8.0;
        let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 7.0;
        // Sums of eight and three roundings more, on magnitudes below 4.
        let bound = gamma(11, 1.0 / f64::from(1 << 24)) * 16.0;
        let [new_mean, new_variance] = [0, 6].map(|k| f64::from(trainer.params()[start + k + o]));
        assert!((new_mean - 0.1 * mean).abs() <= bound);
        assert!((new_variance - (0.9 + 0.1 * variance)).abs() <= bound);
        assert!(column.iter().all(|v| v.abs() < 4.0) && mean.abs() > 100.0 * bound);
    }
}

/// `docs/numerics.md` has the bound. Unfolded: IN products and sums, three roundings more; folded: one more on each
/// weight. Both lie within `γ(IN + 6)·(|f|·(|b| + Σ|x·W| + |mean|) + |shift|)` of the exact value, apart by twice that.
#[test]
fn folded_network_gives_the_outputs_of_the_unfolded_one_within_the_bound() {
    type Net = Chain<Dense<131, 43>, BatchNorm<43>>;
    let (x, y) = (pixels(64 * 131, 5), labels(64, 43));
    let mut params = initial(&Net::default(), 1);
    let mut scratch = vec![0.0; Net::train_scratch(64)];
    let mut trainer = Trainer::new(
        Net::default(),
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )
    .unwrap();
    for _ in 0..30 {
        trainer.step(&x[..], &y[..]).unwrap();
    }
    let unfolded = forward(&Net::default(), &params, &x);
    let mut copy = params.clone();
    let (net, folded_params) = Net::default().fold(&mut copy).unwrap();
    assert_eq!(net.layers(), [AnyLayer::dense(131, 43)]);
    let folded = forward(&net, folded_params, &x);
    let (weights, rest) = params.split_at(131 * 43);
    let [bias, gain, shift, mean, variance] = [0, 1, 2, 3, 4].map(|k| &rest[43 * k..][..43]);
    let mut largest: f64 = 0.0;
    for (s, x) in x.chunks(131).enumerate() {
        for o in 0..43 {
            let products = x
                .iter()
                .enumerate()
                .map(|(i, x)| (f64::from(*x) / 255.0 * f64::from(weights[i * 43 + o])).abs());
            let size = f64::from(bias[o].abs() + mean[o].abs()) + products.sum::<f64>();
            let factor = f64::from(gain[o].abs()) / f64::from(variance[o] + 1e-5).sqrt();
            let size = factor * size + f64::from(shift[o].abs());
            let bound = 2.0 * gamma(131 + 6, 1.0 / f64::from(1 << 24)) * size;
            let error = f64::from(folded[s * 43 + o]) - f64::from(unfolded[s * 43 + o]);
            assert!(error.abs() <= bound, "{error:e} over {bound:e}");
            largest = largest.max(bound);
        }
    }
    assert!(largest < 1e-3, "the bound {largest:e} says nothing");
    assert!(gain.iter().any(|g| *g != 1.0) && mean.iter().any(|m| *m != 0.0));
}

#[test]
fn fold_leaves_out_dropout_gives_a_bias_and_refuses_what_stands_alone() {
    let net = BatchNormNet::default();
    let mut params = initial(&net, 3);
    let (folded, of_folded) = net.fold(&mut params).unwrap();
    let names: Vec<String> = folded.layers().iter().map(ToString::to_string).collect();
    let expected = ["dense 70→33", "relu 33→33", "dense 33→17", "tanh 17→17", "dense 17→10"];
    assert_eq!(names, expected);
    assert_eq!(of_folded.len(), folded.params());
    // A network without either comes back as it is, bit for bit.
    let mut other = initial(&folded, 8);
    let before = fingerprint(&other);
    let (again, of_again) = folded.fold(&mut other).unwrap();
    assert_eq!((again, fingerprint(of_again)), (folded, before));

    let alone = free(&Chain(Relu::<5>::default(), BatchNorm::<5>::default()));
    let mut params = initial(&alone, 1);
    let error = alone.fold(&mut params).unwrap_err();
    assert_eq!(error, Error::CannotFold { layer: 1 });
    assert_eq!(params, initial(&alone, 1));
    assert!(matches!(net.fold(&mut [0.0; 3]), Err(Error::BufferLength { what: "params", .. })));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let one = |layer: AnyLayer| {
        let mut layers = LayerList::new();
        layer.describe(&mut layers).unwrap();
        Sequential::new(layers)
    };
    for layer in [
        AnyLayer::leaky_relu(4, -0.1),
        AnyLayer::leaky_relu(4, f32::NAN),
        AnyLayer::layer_norm(4, 0.0),
        AnyLayer::batch_norm(4, f32::INFINITY, 0.1),
        AnyLayer::batch_norm(4, 1e-5, 1.5),
        AnyLayer::dropout(4, 1.0),
    ] {
        assert!(matches!(one(layer), Err(Error::Setting { .. })), "{layer}");
    }
    assert!(one(AnyLayer::dropout(4, 0.0)).is_ok());
}
