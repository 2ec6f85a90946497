//! The optimizers beyond SGD and Adam, and the trainer that keeps a gradient: equal bits where the arithmetic is the
//! same, and f64 where it is only near.

use picomlp::layers::{LayerList, for_each_group};
use picomlp::optim::{AdamBf16, AnyOptimizer, GroupRms};
use picomlp::{
    Adam, AdamW, AnyLayer, Batch, Buffers, Error, Init, InputMap, Layer, Mlp, Momentum, Network,
    Optimizer, RmsProp, Sequential, Sgd, Threads, Trainer, WeightDecay, supports_micro_batches,
};

use crate::reference::{U, gamma};

type Net = Mlp<131, 43, 10>;

const SAMPLES: usize = 70;

/// Reports N threads and runs the halves in reverse order.
struct Backwards(usize);

impl Threads for Backwards {
    fn count(&self) -> usize {
        self.0
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        b();
        a();
    }
}

/// Pixels with zeros, some of them in every sample; as they are read by default, or standardised.
struct Data {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    map: InputMap,
}

impl Data {
    fn new(inputs: usize, map: InputMap) -> Self {
        let mut pixels = vec![0; SAMPLES * inputs];
        picomlp_fixtures::sparse_pixels(&mut pixels, 1, 207);
        pixels.chunks_mut(inputs).for_each(|sample| sample[..9].fill(0));
        Self { pixels, labels: (0..SAMPLES).map(|s| (s * s % 10) as u8).collect(), map }
    }

    fn batch(&self, inputs: usize) -> Batch<'_, u8> {
        Batch::rows(&self.pixels, inputs).unwrap().with_map(self.map)
    }
}

const MAPS: [InputMap; 2] = [InputMap::PIXELS, InputMap { scale: 0.0127, shift: -0.42 }];

fn bits(losses: &[f32], params: &[f32]) -> Vec<u32> {
    losses.iter().chain(params).map(|value| value.to_bits()).collect()
}

fn initial(net: &impl Layer) -> Vec<f32> {
    let mut params = vec![f32::NAN; net.params()];
    net.init(&mut params, Init::He, 6).unwrap();
    params
}

const STEPS: usize = 4;

/// Losses of four steps on one batch, then the parameters.
fn fused(net: &(impl Layer + Clone), o: impl Optimizer, data: &Data, threads: usize) -> Vec<u32> {
    let mut params = initial(net);
    let mut state = vec![0.0; o.state_per_param() * params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch_on(threads, SAMPLES)];
    let trainer = Trainer::new(
        net.clone(),
        o,
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .unwrap();
    let (x, threads) = (data.batch(net.inputs()), Backwards(threads));
    let mut trainer = trainer.with_threads(&threads);
    let mut step = || trainer.step(x, &data.labels[..]).unwrap();
    let losses: [f32; STEPS] = core::array::from_fn(|_| step());
    bits(&losses, &params)
}

/// The same with a gradient that is kept, and a workspace for N samples.
fn buffered(
    net: &(impl Layer + Clone),
    o: impl Optimizer,
    data: &Data,
    threads: usize,
    chunk: usize,
    clip: Option<f32>,
) -> Vec<u32> {
    let mut params = initial(net);
    let mut state = vec![0.0; o.state_len_of(net)];
    let mut gradient = vec![f32::NAN; params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch_on(threads, chunk)];
    let trainer = Trainer::new(
        net.clone(),
        o,
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient));
    let mut trainer = trainer.unwrap();
    if let Some(most) = clip {
        trainer = trainer.clip_norm(most).unwrap();
    }
    let (x, threads) = (data.batch(net.inputs()), Backwards(threads));
    let mut trainer = trainer.with_threads(&threads);
    let mut step = || trainer.step(x, &data.labels[..]).unwrap();
    let losses: [f32; STEPS] = core::array::from_fn(|_| step());
    bits(&losses, &params)
}

/// Sizes in the type and at run time, one thread and three, fused and buffered: the same bits; returns them.
fn agree(o: WeightDecay<AnyOptimizer>, data: &Data) -> Vec<u32> {
    let (fixed, free) = (Net::default(), free());
    let expected = fused(&free, o, data, 1);
    assert!(expected == fused(&free, o, data, 3), "on three threads");
    assert!(expected == fused(&fixed, o, data, 1), "in the type");
    assert!(expected == buffered(&free, o, data, 1, SAMPLES, None), "buffered");
    assert!(expected == buffered(&fixed, o, data, 3, 17, None), "in chunks of 17");
    expected
}

fn free() -> Sequential {
    Sequential::mlp(&[131, 43, 10]).unwrap()
}

#[test]
fn every_optimizer_gives_the_same_bits_in_the_type_at_run_time_on_threads_and_buffered() {
    let plain = |o| WeightDecay::l2(o, 0.0);
    let sgd = AnyOptimizer::Sgd(Sgd::new(0.1));
    let momentum = AnyOptimizer::Momentum(Momentum::new(0.02, 0.9));
    let nesterov = AnyOptimizer::Momentum(Momentum::nesterov(0.02, 0.9));
    let rms_prop = AnyOptimizer::RmsProp(RmsProp::new(1e-3));
    let adam = AnyOptimizer::Adam(Adam::new(1e-3));
    let all = [
        plain(sgd),
        plain(momentum),
        plain(nesterov),
        plain(rms_prop),
        plain(adam),
        plain(AnyOptimizer::AdamBf16(AdamBf16::new(1e-3))),
        WeightDecay::decoupled(adam, 0.1),
        WeightDecay::l2(sgd, 0.1),
        WeightDecay::l2(sgd, 0.1).weights_only(),
        WeightDecay::decoupled(nesterov, 0.1).weights_only(),
    ];
    for map in MAPS {
        let data = Data::new(131, map);
        let results = all.map(|o| agree(o, &data));
        for (i, one) in results.iter().enumerate() {
            assert!(results[..i].iter().all(|other| other != one), "{:?} is another one", all[i]);
        }
        let [sgd, momentum, _, rms_prop, adam, _, adam_w, ..] = &results;
        // Chosen at compile time.
        let net = free();
        assert!(fused(&net, Sgd::new(0.1), &data, 1) == *sgd);
        assert!(fused(&net, Momentum::new(0.02, 0.9), &data, 1) == *momentum);
        assert!(fused(&net, RmsProp::new(1e-3), &data, 1) == *rms_prop);
        assert!(fused(&net, Adam::new(1e-3), &data, 1) == *adam);
        assert!(fused(&net, AdamW::new(1e-3, 0.1), &data, 1) == *adam_w);
    }
}

#[test]
fn a_batch_larger_than_the_scratch_gives_the_same_bits_in_chunks_of_any_size() {
    for map in MAPS {
        let data = Data::new(131, map);
        for clip in [None, Some(0.5)] {
            let net = free();
            let expected = buffered(&net, Sgd::new(0.1), &data, 1, SAMPLES, clip);
            for chunk in 1..SAMPLES {
                let got = buffered(&net, Sgd::new(0.1), &data, 1, chunk, clip);
                assert!(got == expected, "{map:?}, clip {clip:?}, chunks of {chunk}");
            }
        }
    }
}

/// As [`buffered`], by one [`Trainer::accumulate`] for each length in `cut`, then an update in slices of 37 parameters for each.
fn accumulated(
    net: &Sequential,
    o: impl Optimizer,
    data: &Data,
    clip: Option<f32>,
    mut cut: impl FnMut() -> usize,
) -> Vec<u32> {
    let mut params = initial(net);
    let mut state = vec![0.0; o.state_len_of(net)];
    let mut gradient = vec![f32::NAN; params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch(SAMPLES)];
    let buffers = Buffers { params: &mut params, state: &mut state, workspace: &mut scratch };
    let trainer = Trainer::new(net.clone(), o, buffers);
    let mut trainer = trainer.and_then(|trainer| trainer.with_gradient(&mut gradient)).unwrap();
    if let Some(most) = clip {
        trainer = trainer.clip_norm(most).unwrap();
    }
    let mut losses = [0.0; STEPS];
    for loss in &mut losses {
        let before = trainer.params().to_vec();
        let (mut x, mut labels) = (data.batch(net.inputs()), &data.labels[..]);
        while !labels.is_empty() {
            let n = cut().clamp(1, labels.len());
            let (here, rest) = x.split_at(n);
            trainer.accumulate(here, &labels[..n], SAMPLES).unwrap();
            assert_eq!(trainer.params(), before, "before the step");
            (x, labels) = (rest, &labels[n..]);
        }
        let mut update = trainer.apply_in_slices().unwrap();
        *loss = loop {
            if let Some(loss) = update.advance(37 * cut()).unwrap() {
                break loss;
            }
        };
    }
    bits(&losses, &params)
}

#[test]
fn an_accumulated_batch_gives_the_bits_of_a_step_however_it_and_its_update_are_cut() {
    let dropout = with_layers(&[
        AnyLayer::dense(131, 43),
        AnyLayer::layer_norm(43, 1e-5),
        AnyLayer::dropout(43, 0.25),
        AnyLayer::dense(43, 10),
    ]);
    let mut bytes = [0; 4096];
    picomlp_fixtures::sparse_pixels(&mut bytes, 7, 0);
    let mut random = bytes.iter().cycle().map(|byte| usize::from(*byte));
    for (net, map) in [(free(), MAPS[0]), (free(), MAPS[1]), (dropout, MAPS[0])] {
        let data = Data::new(131, map);
        let adam_w = AdamW::new(1e-3, 0.1);
        let (sgd, adam) = (fused(&net, any(0.1), &data, 1), fused(&net, adam_w, &data, 1));
        let clipped = buffered(&net, any(0.1), &data, 1, SAMPLES, Some(0.5));
        assert!(clipped != sgd, "the gradient is too short to be clipped");
        // Random micro-batch sizes, up to a maximum.
        for most in [1, 2, 3, 5, 8, 13, 21, 34, SAMPLES] {
            for _ in 0..3 {
                let mut cut = || random.next().unwrap() % most + 1;
                assert!(accumulated(&net, any(0.1), &data, None, &mut cut) == sgd, "{most}");
                assert!(accumulated(&net, adam_w, &data, None, &mut cut) == adam, "{most}");
                let clip = Some(0.5);
                assert!(accumulated(&net, any(0.1), &data, clip, &mut cut) == clipped, "{most}");
            }
        }
    }
}

#[test]
fn accumulate_and_apply_refuse_what_is_no_batch_and_begin_anew() {
    let data = Data::new(131, MAPS[0]);
    let (x, labels) = (data.batch(131), &data.labels);
    let (first, rest) = x.split_at(30);
    let net = free();
    let mut params = initial(&net);
    let (before, mut gradient) = (params.clone(), vec![0.0; net.params()]);
    let mut scratch = vec![0.0; net.train_scratch(SAMPLES)];
    let buffers = Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch };
    let trainer = Trainer::new(net, Sgd::new(0.1), buffers);
    let mut trainer = trainer.and_then(|trainer| trainer.with_gradient(&mut gradient)).unwrap();
    let batch = |expected, got| Error::BufferLength { what: "batch", expected, got };
    assert_eq!(trainer.apply(), Err(Error::EmptyBatch));
    // Samples are missing.
    trainer.accumulate(first, &labels[..30], SAMPLES).unwrap();
    assert_eq!(trainer.apply(), Err(batch(SAMPLES, 30)));
    // They were dropped: nothing is left to apply.
    assert_eq!(trainer.apply(), Err(Error::EmptyBatch));
    // More samples than the batch has; another batch than that of the samples before.
    trainer.accumulate(first, &labels[..30], 40).unwrap();
    assert_eq!(trainer.accumulate(rest, &labels[30..], 40), Err(batch(40, SAMPLES)));
    trainer.accumulate(first, &labels[..30], SAMPLES).unwrap();
    let other = trainer.accumulate(rest, &labels[30..], SAMPLES + 1);
    assert_eq!(other, Err(batch(SAMPLES + 1, SAMPLES)));
    // What is wrong with samples is as with `step`, and drops those before.
    trainer.accumulate(first, &labels[..30], SAMPLES).unwrap();
    let short = trainer.accumulate(rest, &labels[31..], SAMPLES);
    assert_eq!(short, Err(Error::BufferLength { what: "labels", expected: 40, got: 39 }));
    trainer.accumulate(first, &labels[..30], SAMPLES).unwrap();
    let none = Batch::rows(&[0u8; 0], 131).unwrap();
    assert_eq!(trainer.accumulate(none, &[0u8; 0], SAMPLES), Err(Error::EmptyBatch));
    assert_eq!(trainer.apply(), Err(Error::EmptyBatch));
    assert_eq!((trainer.params(), trainer.steps()), (&before[..], 0));
    // A batch that is whole after all of this makes the step that it makes alone.
    trainer.accumulate(first, &labels[..30], SAMPLES).unwrap();
    trainer.accumulate(rest, &labels[30..], SAMPLES).unwrap();
    let loss = trainer.apply().unwrap();
    assert_eq!(trainer.steps(), 1);
    let expected = fused(&free(), Sgd::new(0.1), &data, 1);
    assert_eq!(loss.to_bits(), expected[0]);
    // Batch normalisation compares the samples of a batch.
    let net = with_layers(&[AnyLayer::dense(131, 43), AnyLayer::batch_norm(43, 1e-5, 0.1)]);
    let mut params = initial(&net);
    let mut gradient = vec![0.0; net.params()];
    let mut scratch = vec![0.0; net.train_scratch(SAMPLES)];
    let buffers = Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch };
    let trainer = Trainer::new(net, Sgd::new(0.1), buffers);
    let mut trainer = trainer.and_then(|trainer| trainer.with_gradient(&mut gradient)).unwrap();
    let part = trainer.accumulate(first, &labels[..30], SAMPLES);
    assert_eq!(part, Err(Error::MustBeWhole));
    trainer.accumulate(x, &labels[..], SAMPLES).unwrap();
    trainer.apply().unwrap();
}

/// These layers, a dense one of 131-43 first.
fn with_layers(layers: &[AnyLayer]) -> Sequential {
    let mut list = LayerList::new();
    layers.iter().for_each(|layer| list.push(*layer).unwrap());
    Sequential::new(list).unwrap()
}

#[test]
fn layers_that_look_at_one_sample_give_the_same_bits_in_chunks_of_any_size() {
    let net = with_layers(&[
        AnyLayer::dense(131, 43),
        AnyLayer::layer_norm(43, 1e-5),
        AnyLayer::sigmoid(43),
        AnyLayer::dropout(43, 0.25),
        AnyLayer::dense_no_bias(43, 10),
    ]);
    let data = Data::new(131, MAPS[1]);
    for o in [any(0.0), any(0.1).weights_only()] {
        let expected = fused(&net, o, &data, 1);
        for (threads, chunk) in [(1, SAMPLES), (1, 1), (3, 2), (1, 33), (1, 64)] {
            let got = buffered(&net, o, &data, threads, chunk, None);
            assert!(got == expected, "{threads} threads, chunks of {chunk}");
        }
    }
}

#[test]
fn running_statistics_do_not_decay_and_a_batch_that_supports_micro_batches_is_not_cut() {
    let net = with_layers(&[
        AnyLayer::dense(131, 43),
        AnyLayer::batch_norm(43, 1e-5, 0.1),
        AnyLayer::relu(43),
        AnyLayer::dense(43, 10),
    ]);
    let no_bias = with_layers(&[AnyLayer::dense_no_bias(131, 10)]);
    let decay = any(0.5);
    for map in MAPS {
        let data = Data::new(131, map);
        assert!(buffered(&net, decay, &data, 1, SAMPLES, None) == fused(&net, decay, &data, 1));
        assert_eq!(supports_micro_batches(&net, map), Ok(false));
        assert_eq!(supports_micro_batches(&free(), map), Ok(true));
        assert_eq!(supports_micro_batches(&no_bias, map), Ok(map.shift == 0.0));
        let whole = fused(&no_bias, decay, &data, 1);
        assert!(buffered(&no_bias, decay, &data, 1, SAMPLES, None) == whole);
    }
    let data = Data::new(131, MAPS[1]);
    let (mut params, mut gradient) = (initial(&no_bias), vec![0.0; no_bias.params()]);
    let mut scratch = vec![0.0; no_bias.train_scratch(SAMPLES - 1)];
    let needed = no_bias.train_scratch(SAMPLES);
    let expected = Error::BufferTooShort { what: "scratch", needed, got: scratch.len() };
    let mut trainer = Trainer::new(
        no_bias,
        decay,
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    let refused = trainer.step(data.batch(131), &data.labels[..]);
    assert_eq!(refused.unwrap_err(), expected);
}

/// SGD with L2.
fn any(decay: f32) -> WeightDecay<AnyOptimizer> {
    WeightDecay::l2(AnyOptimizer::Sgd(Sgd::new(0.1)), decay)
}

#[test]
fn group_rms_gives_the_same_bits_in_chunks_and_on_threads() {
    let data = Data::new(300, MAPS[1]);
    let net = Sequential::mlp(&[300, 120, 10]).unwrap();
    let group_rms = GroupRms { decay: 1e-3, ..GroupRms::new(0.5) };
    let expected = buffered(&net, group_rms, &data, 1, SAMPLES, None);
    for (threads, chunk) in [(1, 1), (2, 64), (3, 33), (7, SAMPLES)] {
        assert!(buffered(&net, group_rms, &data, threads, chunk, None) == expected);
    }
}

/// One step in f64 from the gradient that f32 found, hence a bound by the roundings of that step alone: of `Σg²` the
/// 45 that a sum of 5633 squares has at most (1 product, 257 and 16 additions of blocks and 2 of totals: 276), halved by
/// the root, then coefficients, sum, quotient; of the update product and difference.
#[test]
fn group_rms_agrees_with_f64() {
    let data = Data::new(131, MAPS[0]);
    let net = free();
    let mut params = initial(&net);
    let mut gradient = vec![0.0; Net::PARAMS];
    let mut state = [0.25, 0.0, 4.0, 1.0];
    let mut scratch = vec![0.0; Net::train_scratch(SAMPLES)];
    let x = data.batch(131);
    net.gradient(&params, x, &data.labels[..], &mut gradient, &mut scratch).unwrap();
    let (before, state_before) = (params.clone(), state);
    let mut group_rms = GroupRms { decay: 1e-2, decay_biases: false, ..GroupRms::new(0.5) };
    let mut scaled = gradient.clone();
    group_rms.prepare(&net, &params, &mut scaled, &mut state).unwrap();
    // The step is the gradient, scaled by each group's rate.
    params.iter_mut().zip(&scaled).for_each(|(w, g)| *w -= g);
    let (mut number, mut moved) = (0, 0.0f64);
    for_each_group(&net, |group| {
        let decay = if group.bias { 0.0 } else { f64::from(0.01f32) };
        let g = |i: usize| f64::from(gradient[i]) + decay * f64::from(before[i]);
        let square: f64 = group.range.clone().map(|i| g(i) * g(i)).sum();
        let mean = 0.99 * f64::from(state_before[number]) + 0.01 * square;
        let rate = 0.5 / (mean + f64::from(1e-3f32)).sqrt();
        let error = (f64::from(state[number]) - mean).abs();
        // Each g of the sum has two roundings of its own, which count twice in its square.
        let relative = gamma(276 + 4 + 4, U);
        assert!(error <= relative * mean, "s of group {number} is off by {error:e}");
        for i in group.range {
            let step = rate * g(i);
            // A sum that cancels: its roundings are relative to its terms.
            let terms = f64::from(gradient[i]).abs() + decay * f64::from(before[i]).abs();
            let bound = (relative / 2.0 + gamma(6, U)) * rate * terms;
            let expected = f64::from(before[i]) - step;
            let bound = bound + U * (expected.abs() + bound);
            let error = (f64::from(params[i]) - expected).abs();
            assert!(error <= bound, "parameter {i} is off by {error:e}, over {bound:e}");
            moved = moved.max(step.abs() / bound);
        }
        number += 1;
    })
    .unwrap();
    assert_eq!(number, 4);
    assert!(moved > 1e4, "the bound is as wide as the step: {moved}");
}

/// Clipping is a product with one factor: what plain SGD does with a rate that is shorter by it, but for rounding.
#[test]
fn clipping_shortens_the_gradient_to_the_norm_and_leaves_shorter_ones_alone() {
    let data = Data::new(131, MAPS[0]);
    let unclipped = buffered(&free(), Sgd::new(0.1), &data, 1, SAMPLES, None);
    assert!(buffered(&free(), Sgd::new(0.1), &data, 1, SAMPLES, Some(100.0)) == unclipped);

    let (before, mut gradient) = (initial(&free()), vec![0.0; Net::PARAMS]);
    let mut params = before.clone();
    let mut scratch = vec![0.0; free().train_scratch(SAMPLES)];
    let sgd = Sgd::new(1.0);
    let trainer = Trainer::new(
        free(),
        sgd,
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    let mut trainer = trainer.clip_norm(1e-2).unwrap();
    trainer.step(data.batch(131), &data.labels[..]).unwrap();
    let square: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
    // Relative: the norm's own roundings, half of 276 for the root, six more, and 1e-6 beside a norm above 0.01.
    let error = (square.sqrt() / 1e-2 - 1.0).abs();
    assert!(error <= gamma(276 / 2 + 6, U) + 1e-6 / 1e-2, "the norm is off by {error:e}");
    for ((after, before), g) in params.iter().zip(before).zip(&gradient) {
        assert_eq!(*after, before - g);
    }
}

#[test]
fn decay_draws_parameters_of_no_gradient_towards_zero_and_biases_only_if_asked() {
    let data = Data::new(131, MAPS[0]);
    let params = |o| -> Vec<f32> {
        let all = fused(&free(), o, &data, 1);
        all[STEPS..].iter().map(|bits| f32::from_bits(*bits)).collect()
    };
    let (before, sgd) = (initial(&free()), AnyOptimizer::Sgd(Sgd::new(0.5)));
    // Input 0 is zero in every sample, so its weights have no gradient but the decay's.
    for o in [WeightDecay::l2(sgd, 0.5), WeightDecay::decoupled(sgd, 0.5)] {
        for (after, before) in params(o).iter().zip(&before).take(43) {
            let expected = f64::from(*before) * 0.75f64.powi(STEPS as i32);
            let error = (f64::from(*after) - expected).abs();
            assert!(error <= gamma(3 * STEPS, U) * f64::from(before.abs()), "{after}, {expected}");
        }
    }
    // The biases of one step do not know of the weights' decay.
    let one = |o| {
        let (net, mut params) = (free(), vec![0.5; Net::PARAMS]);
        let mut scratch = vec![0.0; net.train_scratch(SAMPLES)];
        let mut trainer = Trainer::new(
            net,
            o,
            Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
        )
        .unwrap();
        trainer.step(data.batch(131), &data.labels[..]).unwrap();
        params[131 * 43..][..43].to_vec()
    };
    let l2 = WeightDecay::l2(sgd, 0.5);
    assert_eq!(one(l2.weights_only()), one(WeightDecay::l2(sgd, 0.0)));
    assert_ne!(one(l2), one(l2.weights_only()));
}

#[test]
fn buffered_trainer_refuses_what_does_not_fit_and_changes_nothing() {
    let data = Data::new(131, MAPS[0]);
    let net = free();
    let before = initial(&net);
    let (mut params, mut gradient, mut state) = (before.clone(), before.clone(), [0.5; 4]);
    let mut scratch = vec![0.0; Net::train_scratch(3)];
    let short = Trainer::new(
        net.clone(),
        GroupRms::new(0.5),
        Buffers { params: &mut params, state: &mut state[..3], workspace: &mut scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient));
    let expected = Error::BufferLength { what: "state", expected: 4, got: 3 };
    assert_eq!(short.unwrap_err(), expected);
    let group_rms = GroupRms::new(0.5);
    let mut trainer = Trainer::new(
        net,
        group_rms,
        Buffers { params: &mut params, state: &mut state, workspace: &mut scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    let x = data.batch(131);
    let mut wrong = data.labels.clone();
    wrong[69] = 10;
    let expected = Error::LabelOutOfRange { index: 69, label: 10, classes: 10 };
    assert_eq!(trainer.step(x, &wrong[..]).unwrap_err(), expected);
    assert!(matches!(trainer.step(x, &wrong[1..]), Err(Error::BufferLength { .. })));
    let none = Batch::rows(&[0u8; 0], 131).unwrap();
    assert_eq!(trainer.step(none, &[0u8; 0]).unwrap_err(), Error::EmptyBatch);
    let huge = x.with_map(InputMap { scale: 1e37, shift: 0.0 });
    assert_eq!(trainer.step(huge, &data.labels[..]).unwrap_err(), Error::LossNotFinite);
    assert!(trainer.clip_norm(0.0).is_err());
    assert_eq!(params, before);
    assert_eq!(state, [0.5; 4]);
}
