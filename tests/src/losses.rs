//! Losses as the trainer uses them: targets of every kind, parts of a batch, weights, a loss of one's own, refusals.

use picomlp::{
    Buffers, Criterion, Error, Init, Loss, LossKind, Mlp, Network, Sgd, Targets, Terms, Trainer,
};

type Net = Mlp<6, 5, 3>;

const SAMPLES: usize = 12;
const OF_VALUES: [Loss<'_>; 5] = [
    Loss::SQUARED_ERROR,
    Loss::MEAN_SQUARED_ERROR,
    Loss::MEAN_ABSOLUTE_ERROR,
    Loss::HUBER.with_delta(0.25),
    Loss::BINARY_CROSS_ENTROPY,
];

fn inputs() -> Vec<f32> {
    picomlp_fixtures::values(1).take(SAMPLES * Net::INPUTS).collect()
}

/// From 0 to 1, as binary cross-entropy wants them.
fn values() -> Vec<f32> {
    let values = picomlp_fixtures::values(2).map(|value| 0.5 + 0.5 * value);
    values.take(SAMPLES * Net::OUTPUTS).collect()
}

fn initial() -> Vec<f32> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 3).unwrap();
    params
}

/// The bits of the losses and parameters of 20 steps; in parts of `part` samples if there is a gradient buffer.
fn trained(loss: Loss<'_>, targets: Targets<'_>, part: Option<usize>) -> (f32, Vec<u32>) {
    let (x, mut params) = (inputs(), initial());
    let mut workspace = vec![f32::NAN; Net::train_scratch(part.unwrap_or(SAMPLES))];
    let mut gradient = vec![f32::NAN; Net::PARAMS];
    let buffers = Buffers { params: &mut params, state: vec![], workspace: &mut workspace };
    let trainer = Trainer::new(Net::default(), Sgd::new(0.05), buffers);
    let trainer = trainer.unwrap().with_loss(loss).unwrap();
    let losses: Vec<f32> = if part.is_some() {
        let mut trainer = trainer.with_gradient(&mut gradient).unwrap();
        (0..20).map(|_| trainer.step(&x[..], targets).unwrap()).collect()
    } else {
        let mut trainer = trainer;
        (0..20).map(|_| trainer.step(&x[..], targets).unwrap()).collect()
    };
    let bits = losses.iter().chain(&params).map(|value| value.to_bits());
    (losses[19] / losses[0], bits.collect())
}

#[test]
fn every_loss_falls_on_values_and_a_batch_in_parts_has_the_bits_of_the_whole() {
    let values = values();
    for loss in OF_VALUES {
        let targets = Targets::Values(&values);
        let (fallen, whole) = trained(loss, targets, None);
        assert!(fallen < 0.99, "{loss:?} fell to {fallen} of what it was");
        for part in [1, 5, SAMPLES] {
            assert!(trained(loss, targets, Some(part)).1 == whole, "{loss:?} in parts of {part}");
        }
    }
}

#[test]
fn classes_of_8_and_16_bits_train_to_the_same_bits_with_every_loss() {
    let bytes: Vec<u8> = (0..SAMPLES).map(|s| (s % 3) as u8).collect();
    let words: Vec<u16> = bytes.iter().map(|class| u16::from(*class)).collect();
    let weights = [0.5, 1.0, 4.0];
    for loss in OF_VALUES.into_iter().chain([Loss::CROSS_ENTROPY]) {
        for loss in [loss, loss.with_smoothing(0.1).with_class_weights(&weights)] {
            let (_, whole) = trained(loss, Targets::from(&bytes[..]), None);
            assert!(trained(loss, Targets::from(&words[..]), None).1 == whole, "{loss:?}");
            assert!(trained(loss, Targets::from(&words[..]), Some(5)).1 == whole, "{loss:?}");
        }
    }
}

#[test]
fn weights_of_classes_multiply_the_losses_of_their_samples_and_weights_of_1_change_no_bit() {
    let weights = [1.0, 8.0, 0.0];
    for loss in [Loss::CROSS_ENTROPY, Loss::MEAN_SQUARED_ERROR] {
        let sum = |loss: Loss<'_>, class: u8| {
            let mut outputs = [0.3, -0.2, 1.5];
            (loss.sum(&mut outputs, &[class], 3).unwrap(), outputs)
        };
        for (class, weight) in (0..3).zip(weights) {
            let ((plain, d_plain), (weighted, d_weighted)) =
                (sum(loss, class), sum(loss.with_class_weights(&weights), class));
            // A power of two: exact.
            assert_eq!(weighted, plain * weight, "{loss:?}");
            assert_eq!(d_weighted, d_plain.map(|d| d * weight), "{loss:?}");
        }
        let classes: Vec<u8> = (0..SAMPLES).map(|s| (s % 3) as u8).collect();
        let targets = Targets::Classes(&classes);
        let ones = trained(loss.with_class_weights(&[1.0; 3]), targets, None);
        assert!(ones.1 == trained(loss, targets, None).1, "{loss:?}");
    }
}

/// Mean squared error as one writes it down.
#[derive(Debug)]
struct Obvious;

impl Criterion for Obvious {
    fn kind(&self) -> LossKind {
        LossKind::MeanSquaredError
    }

    fn gradient(&self, outputs: &mut [f32], targets: Targets<'_>, terms: &Terms<'_>) -> f32 {
        let mut total = terms.loss_before;
        for (s, outputs) in outputs.chunks_exact_mut(terms.outputs).enumerate() {
            let mut sum = 0.0;
            for (a, t) in outputs.iter_mut().zip(targets.values(s, terms.outputs)) {
                let d = *a - t;
                sum += d * d;
                *a = 2.0 * d * terms.scale;
            }
            total += sum;
        }
        total
    }
}

#[test]
fn a_loss_of_ones_own_trains_to_the_bits_of_the_one_that_it_imitates() {
    let values = values();
    let targets = Targets::Values(&values);
    let own = trained(Loss::custom(&Obvious), targets, None);
    assert!(own.1 == trained(Loss::MEAN_SQUARED_ERROR, targets, None).1);
    assert!(own.1 == trained(Loss::custom(&Obvious), targets, Some(5)).1);
    assert_eq!(Loss::custom(&Obvious).kind(), LossKind::MeanSquaredError);
}

/// `mse_loss`, `l1_loss`, `huber_loss(delta=0.5)` and `binary_cross_entropy_with_logits` as PyTorch documents them, in f64.
#[test]
fn losses_and_gradients_are_those_of_pytorchs_formulas() {
    let outputs = [0.5, -1.25, 2.0, 0.125];
    let targets = [1.0, 0.0, 0.25, 0.5];
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let softplus = |z: f64| (1.0 + z.exp()).ln();
    let of =
        |f: fn(f64) -> f64| outputs.iter().zip(targets).map(|(a, t)| f(a - t)).sum::<f64>() / 4.0;
    let bce = outputs.iter().zip(targets).map(|(a, t)| softplus(*a) - a * t).sum::<f64>() / 4.0;
    let huber = |d: f64| if d.abs() <= 0.5 { 0.5 * d * d } else { 0.5 * (d.abs() - 0.25) };
    type Case<'a> = (Loss<'a>, f64, &'a dyn Fn(f64, f64) -> f64);
    let cases: [Case<'_>; 4] = [
        (Loss::MEAN_SQUARED_ERROR, of(|d| d * d), &|a, t| 2.0 * (a - t)),
        (Loss::MEAN_ABSOLUTE_ERROR, of(f64::abs), &|a, t| (a - t).signum()),
        (Loss::HUBER.with_delta(0.5), of(huber), &|a, t| (a - t).clamp(-0.5, 0.5)),
        (Loss::BINARY_CROSS_ENTROPY, bce, &|a, t| sigmoid(a) - t),
    ];
    let values = targets.map(|t| t as f32);
    // Each value goes through fewer than ten roundings.
    let unit = 10.0 * f64::from(f32::EPSILON);
    for (loss, expected, derivative) in cases {
        let mut gradient = outputs.map(|a| a as f32);
        let got = f64::from(loss.sum(&mut gradient, &values, 4).unwrap());
        assert!((got - expected).abs() <= unit * expected, "{loss:?}: {got} is not {expected}");
        for ((g, a), t) in gradient.iter().zip(outputs).zip(targets) {
            assert!((f64::from(*g) - derivative(a, t)).abs() <= unit, "{loss:?}: {g}");
        }
    }
}

#[test]
fn targets_that_do_not_suit_the_loss_are_refused_and_change_nothing() {
    let (x, mut params) = (inputs(), initial());
    let before = params.clone();
    let mut workspace = vec![0.0; Net::train_scratch(SAMPLES)];
    let mut step = |loss: Loss<'_>, targets: Targets<'_>| {
        let buffers =
            Buffers { params: &mut params[..], state: vec![], workspace: &mut workspace[..] };
        let trainer = Trainer::new(Net::default(), Sgd::new(0.1), buffers).unwrap();
        trainer.with_loss(loss)?.step(&x[..], targets).map(drop)
    };
    let good = values();
    let with = |at: usize, value: f32| {
        let mut values = good.clone();
        values[at] = value;
        values
    };
    let classes = [0u8; SAMPLES];
    let range = |expected| Error::TargetOutOfRange { sample: 1, output: 1, expected };
    let mse = Loss::MEAN_SQUARED_ERROR;
    for (loss, value, expected) in [
        (mse, f32::NAN, range("a finite number")),
        (Loss::HUBER, f32::INFINITY, range("a finite number")),
        (Loss::MEAN_ABSOLUTE_ERROR, f32::NEG_INFINITY, range("a finite number")),
        (Loss::BINARY_CROSS_ENTROPY, 1.5, range("from 0 to 1")),
        (Loss::BINARY_CROSS_ENTROPY, -0.5, range("from 0 to 1")),
        (Loss::BINARY_CROSS_ENTROPY, f32::NAN, range("from 0 to 1")),
        (Loss::CROSS_ENTROPY, 0.5, Error::TargetKind { expected: "classes" }),
    ] {
        assert_eq!(step(loss, Targets::Values(&with(4, value))), Err(expected), "{loss:?} {value}");
    }
    let length = |what, expected, got| Err(Error::BufferLength { what, expected, got });
    assert_eq!(step(mse, Targets::Values(&good[1..])), length("targets", 36, 35));
    assert_eq!(step(mse, Targets::WideClasses(&[0; 3])), length("labels", 12, 3));
    let too_high = Error::LabelOutOfRange { index: 2, label: 300, classes: 3 };
    let mut wide = [0u16; SAMPLES];
    wide[2] = 300;
    assert_eq!(step(Loss::CROSS_ENTROPY, Targets::WideClasses(&wide)), Err(too_high));
    let two = Loss::CROSS_ENTROPY.with_class_weights(&[1.0; 2]);
    assert_eq!(step(two, Targets::Classes(&classes)), length("class weights", 3, 2));
    let weighted = mse.with_class_weights(&[1.0; 3]);
    let no_classes = Error::TargetKind { expected: "classes, since they have weights" };
    assert_eq!(step(weighted, Targets::Values(&good)), Err(no_classes));
    for (loss, what) in [
        (Loss::CROSS_ENTROPY.with_class_weights(&[1.0, -1.0, 1.0]), "class weights"),
        (Loss::CROSS_ENTROPY.with_class_weights(&[1.0, f32::NAN, 1.0]), "class weights"),
        (Loss::HUBER.with_delta(0.0), "delta"),
        (Loss::HUBER.with_delta(f32::NAN), "delta"),
    ] {
        let refused = step(loss, Targets::Classes(&classes));
        assert!(matches!(refused, Err(Error::Setting { what: of, .. }) if of == what), "{loss:?}");
    }
    assert_eq!(params, before);
}
