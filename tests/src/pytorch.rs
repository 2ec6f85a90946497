//! 100 steps of each optimizer against PyTorch in float64, and the learning rates of schedules against its schedulers.
//!
//! `golden/trajectory.py` made `golden/trajectory.json` and says how: the problem, and the bound, which is how far
//! a float64 run strays when each of f32's roundings is put in at its largest. It also tells what the bound is
//! worth: the mistakes that could hide in an optimizer, each made on purpose, move the result by (in bounds, where
//! it shows best) 690,000 for a sum over the batch instead of the mean, 30,000 for a last batch of 6 that is divided
//! by 8, 1700 for a learning rate that is off by 0.1 %; with Adam 5400 without the first correction, 280,000
//! without the second, 2300 with both a step late, 48,000 with ε inside the root, 25,000 with ε added before the
//! correction (8 with the small default ε, hence the run with a large one), 93,000 with the betas swapped; 7200 for
//! Nesterov's momentum in place of the plain one; with decay 54,000 for coupled in place of decoupled, 7700 for biases
//! that do not decay, 19,000 for a decay that is clipped with the gradient. The last
//! test holds each to 10 at least; `trajectory.py --what-if` prints them all.

use picomlp::optim::{AnyOptimizer, Plateau, Schedule, Warmup};
use picomlp::{Adam, Buffers, Mlp, Momentum, Optimizer, RmsProp, Sgd, Trainer, WeightDecay};
use serde_json::Value;

type Net = Mlp<20, 16, 5>;

const SAMPLES: usize = 30;
const BATCH: usize = 8;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/trajectory.json")).unwrap()
}

/// Inputs, labels and initial parameters, from the generator that the script describes.
struct Problem {
    params: Vec<f32>,
    x: Vec<f32>,
    labels: Vec<u8>,
}

fn problem() -> Problem {
    let mut state = 1u32;
    let mut bits = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut value = || bits() as f32 / (1 << 23) as f32 - 1.0;
    let mut params = vec![];
    for (len, scale) in [(20 * 16, 0.5), (16, 0.125), (16 * 5, 0.5), (5, 0.125)] {
        params.extend((0..len).map(|_| value() * scale));
    }
    let x = (0..SAMPLES * Net::INPUTS).map(|_| value().max(0.0)).collect();
    let labels = (0..SAMPLES).map(|_| (bits() % 5) as u8).collect();
    Problem { params, x, labels }
}

pub(crate) fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(crate) fn furthest(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

/// Holds the losses and parameters of the run to PyTorch's: `train` goes on from the parameters with as many batches as
/// `batches` gives, and returns the losses.
fn follow_with(
    name: &str,
    train: impl FnOnce(&mut [f32], &mut dyn Iterator<Item = (&[f32], &[u8])>) -> Vec<f32>,
) {
    let golden = golden();
    let run = golden["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).unwrap();
    let (expected_losses, expected) = (floats(&run["losses"]), floats(&run["params"]));
    let Problem { mut params, x, labels } = problem();
    let started_at = furthest(&params, &expected);
    let batches = x.chunks(BATCH * Net::INPUTS).zip(labels.chunks(BATCH)).cycle();
    let losses = train(&mut params, &mut batches.take(expected_losses.len()));
    let (loss_bound, param_bound) =
        (run["loss_bound"].as_f64().unwrap(), run["param_bound"].as_f64().unwrap());
    let (loss_error, param_error) =
        (furthest(&losses, &expected_losses), furthest(&params, &expected));
    println!(
        "{name}: losses {loss_error:e} of {loss_bound:e}, parameters {param_error:e} of {param_bound:e}"
    );
    assert!(loss_error <= loss_bound, "a loss is off by {loss_error:e}, over {loss_bound:e}");
    assert!(
        param_error <= param_bound,
        "parameters are off by {param_error:e}, over {param_bound:e}"
    );
    // The way that the parameters went is long beside the bound.
    assert!(started_at > 1e4 * param_bound, "{started_at:e}");
}

fn follow<O: Optimizer>(name: &str, optimizer: O) {
    follow_with(name, |params, batches| {
        let mut state = vec![0.0; optimizer.state_per_param() * Net::PARAMS];
        let mut scratch = [0.0; Net::train_scratch(BATCH)];
        let mut trainer = Trainer::new(
            Net::default(),
            optimizer,
            Buffers { params: &mut *params, state: &mut state, workspace: &mut scratch },
        )
        .unwrap();
        batches.map(|(x, labels)| trainer.step(x, labels).unwrap()).collect()
    });
}

#[test]
fn hundred_steps_of_sgd_agree_with_pytorch() {
    follow("sgd", Sgd::new(0.1));
}

#[test]
fn hundred_steps_of_adam_agree_with_pytorch() {
    follow("adam", Adam::new(1e-3));
}

#[test]
fn hundred_steps_of_adam_with_a_large_epsilon_agree_with_pytorch() {
    let mut adam = Adam::new(1e-3);
    adam.epsilon = 1e-2;
    follow("adam_large_eps", adam);
}

/// One type for the rest, to compile them once; `optimizers.rs` says that its bits are theirs.
type Any = WeightDecay<AnyOptimizer>;

fn plain(optimizer: AnyOptimizer) -> Any {
    WeightDecay::l2(optimizer, 0.0)
}

#[test]
fn hundred_steps_of_momentum_agree_with_pytorch() {
    follow("momentum", plain(AnyOptimizer::Momentum(Momentum::new(0.025, 0.9))));
}

#[test]
fn hundred_steps_of_nesterov_agree_with_pytorch() {
    follow("nesterov", plain(AnyOptimizer::Momentum(Momentum::nesterov(0.02, 0.9))));
}

#[test]
fn hundred_steps_of_rms_prop_agree_with_pytorch() {
    let mut rms_prop = RmsProp::new(1e-3);
    rms_prop.epsilon = 1e-2;
    follow("rms_prop", plain(AnyOptimizer::RmsProp(rms_prop)));
}

#[test]
fn hundred_steps_of_adam_w_agree_with_pytorch() {
    follow("adam_w", WeightDecay::decoupled(AnyOptimizer::Adam(Adam::new(1e-3)), 0.1));
}

#[test]
fn hundred_steps_with_l2_agree_with_pytorch() {
    follow("sgd_l2", Any::l2(AnyOptimizer::Sgd(Sgd::new(0.1)), 1e-2));
    let mut adam = Adam::new(1e-3);
    adam.epsilon = 1e-2;
    follow("adam_l2", Any::l2(AnyOptimizer::Adam(adam), 1e-2));
}

#[test]
fn hundred_steps_with_clipping_agree_with_pytorch() {
    follow_with("sgd_clipped", |params, batches| {
        let mut gradient = [0.0; Net::PARAMS];
        let mut scratch = [0.0; Net::train_scratch(BATCH)];
        let (net, sgd) = (Net::default(), WeightDecay::l2(Sgd::new(0.1), 1e-2));
        let trainer = Trainer::new(
            net,
            sgd,
            Buffers { params: &mut *params, state: &mut [0.0; 0], workspace: &mut scratch },
        )
        .and_then(|trainer| trainer.with_gradient(&mut gradient))
        .unwrap();
        let mut trainer = trainer.clip_norm(0.25).unwrap();
        batches.map(|(x, labels)| trainer.step(x, labels).unwrap()).collect()
    });
}

/// PyTorch finds most rates from the turn's before, in at most eight roundings each, so 20 turns are off by at most
/// 160 roundings of the rate that they began with.
#[test]
fn schedules_agree_with_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../golden/schedules.json")).unwrap();
    let base = golden["rate"].as_f64().unwrap();
    let (step, warmup) = (Schedule::Step { every: 3, factor: 0.5 }, Warmup { turns: 8 });
    let cosine = Schedule::Cosine { turns: 20, lowest: 0.01 };
    let mut plateau = Plateau::new(2, 0.5).unwrap();
    let losses = floats(&golden["losses"]);
    let mut rates = |name: &str, turn: u64| match name {
        "step" => step.rate(base, turn),
        "cosine" => cosine.rate(base, turn),
        "warmup" => base * warmup.share(turn),
        "warmup_and_step" => step.rate(base, turn) * warmup.share(turn),
        "plateau" => {
            let rate = base * plateau.share();
            plateau.observe(losses[turn as usize]);
            rate
        }
        _ => unreachable!("{name}"),
    };
    let runs = golden["runs"].as_object().unwrap();
    assert_eq!(runs.len(), 5);
    for (name, expected) in runs {
        let expected = floats(expected);
        assert_eq!(expected.len(), 20);
        for (turn, expected) in (0..).zip(&expected) {
            let error = (rates(name, turn) - expected).abs();
            let bound = 160.0 * f64::EPSILON / 2.0 * base;
            assert!(error <= bound, "{name}, turn {turn}: off by {error:e}, over {bound:e}");
        }
        assert!(expected.iter().any(|rate| rate != &expected[19]), "{name} does nothing");
    }
}

/// What a mistake would have moved is written down by the script; a bound that forgave one would be too wide.
#[test]
fn bound_on_the_distance_from_pytorch_forgives_no_known_mistake() {
    let golden = golden();
    let runs = golden["runs"].as_array().unwrap();
    let mistakes = |run: &Value| run["what_if"].as_object().unwrap().clone();
    let mut best = serde_json::Map::new();
    for run in runs {
        for (mistake, distance) in mistakes(run) {
            let bounds = distance.as_f64().unwrap() / run["param_bound"].as_f64().unwrap();
            let before = best.get(&mistake).and_then(Value::as_f64).unwrap_or(0.0);
            best.insert(mistake, bounds.max(before).into());
        }
    }
    assert_eq!(best.len(), 24);
    for (mistake, bounds) in best {
        assert!(bounds.as_f64().unwrap() >= 10.0, "{mistake}: {bounds} bounds");
    }
}
