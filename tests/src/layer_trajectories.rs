//! 60 steps of SGD through each kind of layer and loss against PyTorch in float64.
//!
//! `golden/layer_trajectory.py` made `golden/layer_trajectory.json` and says how; the bound is found as in
//! [`pytorch`](crate::pytorch). Mistakes made on purpose move the result by (in bounds) 30,000 for another slope, 44,000
//! for a dropout that is not scaled, 66,000 for the mask of another step or layer, 9000 for a biased running variance,
//! 467,000 for batch statistics that are taken for constants on the way back, 4400 for a deviation of `n - 1`, 38 for
//! another ε, 48,000 for half of the square, 5600 for a label that gets no share of what is spread. The last test holds
//! each to 10 at least.

use picomlp::layers::LayerList;
use picomlp::{AnyLayer, Buffers, Layer, Loss, Sequential, Sgd, Trainer};
use serde_json::Value;

use crate::pytorch::{floats, furthest};

const SAMPLES: usize = 30;
const BATCH: usize = 8;
const INPUTS: usize = 20;
const HIDDEN: usize = 16;
const CLASSES: usize = 5;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/layer_trajectory.json")).unwrap()
}

/// The generator that the script describes.
struct Generator(u32);

impl Generator {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    fn values(&mut self, len: usize, scale: f32) -> Vec<f32> {
        (0..len).map(|_| (self.bits() as f32 / (1 << 23) as f32 - 1.0) * scale).collect()
    }
}

/// Initial parameters of these layers, in the script's order.
fn initial(net: &Sequential, generator: &mut Generator) -> Vec<f32> {
    let mut params = vec![];
    for layer in net.layers() {
        match layer {
            AnyLayer::Dense(dense) => {
                params.extend(generator.values(dense.inputs() * dense.outputs(), 0.5));
                let bias = if dense.has_bias() { dense.outputs() } else { 0 };
                params.extend(generator.values(bias, 0.125));
            }
            AnyLayer::LayerNorm(_) | AnyLayer::BatchNorm(_) => {
                params.extend([1.0; HIDDEN]);
                params.extend(generator.values(HIDDEN, 0.125));
                if let AnyLayer::BatchNorm(_) = layer {
                    params.extend([[0.0; HIDDEN], [1.0; HIDDEN]].concat());
                }
            }
            _ => {}
        }
    }
    params
}

fn follow(name: &str, hidden: &[AnyLayer], outputs: &[AnyLayer], loss: Loss) {
    let golden = golden();
    let run = golden["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).unwrap();
    let mut layers = LayerList::new();
    let first = AnyLayer::dense(INPUTS, HIDDEN);
    for layer in [&[first], hidden, outputs].concat() {
        layer.describe(&mut layers).unwrap();
    }
    let net = Sequential::new(layers).unwrap();
    let mut generator = Generator(1);
    let mut params = initial(&net, &mut generator);
    let x: Vec<f32> =
        generator.values(SAMPLES * INPUTS, 1.0).into_iter().map(|v| v.max(0.0)).collect();
    let labels: Vec<u8> = (0..SAMPLES).map(|_| (generator.bits() % 5) as u8).collect();
    let (expected_losses, expected) = (floats(&run["losses"]), floats(&run["params"]));
    let started_at = furthest(&params, &expected);

    let mut scratch = vec![f32::NAN; net.train_scratch(BATCH)];
    let sgd = Sgd::new(run["setting"]["lr"].as_f64().unwrap() as f32);
    let mut trainer = Trainer::new(
        net,
        sgd,
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )
    .unwrap()
    .with_loss(loss)
    .unwrap()
    .with_seed(5, 0);
    let batches = x.chunks(BATCH * INPUTS).zip(labels.chunks(BATCH)).cycle();
    let losses: Vec<f32> = batches
        .take(expected_losses.len())
        .map(|(x, labels)| trainer.step(x, labels).unwrap())
        .collect();
    let bound = |what: &str| run[what].as_f64().unwrap();
    let loss_error = furthest(&losses, &expected_losses);
    let param_error = furthest(trainer.params(), &expected);
    println!(
        "{name}: losses {loss_error:e} of {:e}, parameters {param_error:e} of {:e}",
        bound("loss_bound"),
        bound("param_bound")
    );
    assert!(loss_error <= bound("loss_bound"), "a loss is off by {loss_error:e}");
    assert!(param_error <= bound("param_bound"), "parameters are off by {param_error:e}");
    // The way that the parameters went is long beside the bound.
    assert!(started_at > 1e4 * bound("param_bound"), "{started_at:e}");
}

const OUTPUTS: AnyLayer = AnyLayer::dense(HIDDEN, CLASSES);

#[test]
fn steps_through_leaky_relu_with_smoothed_labels_agree_with_pytorch() {
    let loss = Loss::CROSS_ENTROPY.with_smoothing(0.125);
    follow("leaky_smoothed", &[AnyLayer::leaky_relu(HIDDEN, 0.25)], &[OUTPUTS], loss);
}

#[test]
fn steps_through_sigmoids_without_a_bias_on_squared_error_agree_with_pytorch() {
    let outputs = [AnyLayer::dense_no_bias(HIDDEN, CLASSES), AnyLayer::sigmoid(CLASSES)];
    follow("sigmoid_mse_no_bias", &[AnyLayer::sigmoid(HIDDEN)], &outputs, Loss::SQUARED_ERROR);
}

#[test]
fn steps_through_tanh_and_dropout_on_summed_cross_entropy_agree_with_pytorch() {
    let hidden = [AnyLayer::tanh(HIDDEN), AnyLayer::dropout(HIDDEN, 0.25)];
    follow("tanh_dropout_sum", &hidden, &[OUTPUTS], Loss::CROSS_ENTROPY.summed());
}

#[test]
fn steps_through_layer_normalisation_agree_with_pytorch() {
    let hidden = [AnyLayer::layer_norm(HIDDEN, 1e-5), AnyLayer::relu(HIDDEN)];
    follow("layer_norm", &hidden, &[OUTPUTS], Loss::CROSS_ENTROPY);
}

#[test]
fn steps_through_batch_normalisation_and_dropout_agree_with_pytorch() {
    let hidden = [
        AnyLayer::batch_norm(HIDDEN, 1e-5, 0.1),
        AnyLayer::relu(HIDDEN),
        AnyLayer::dropout(HIDDEN, 0.5),
    ];
    follow("batch_norm_dropout", &hidden, &[OUTPUTS], Loss::CROSS_ENTROPY);
}

#[test]
fn steps_on_summed_squared_error_with_smoothed_labels_agree_with_pytorch() {
    let loss = Loss::SQUARED_ERROR.summed().with_smoothing(0.125);
    follow("mse_sum_smoothed", &[AnyLayer::tanh(HIDDEN)], &[OUTPUTS], loss);
}

#[test]
fn bounds_on_the_distance_from_pytorch_forgive_no_known_mistake_in_a_layer_or_loss() {
    let golden = golden();
    let mut mistakes = 0;
    for run in golden["runs"].as_array().unwrap() {
        for (mistake, distance) in run["what_if"].as_object().unwrap() {
            let bounds = distance.as_f64().unwrap() / run["param_bound"].as_f64().unwrap();
            assert!(bounds >= 10.0, "{mistake}: {bounds} bounds");
            mistakes += 1;
        }
    }
    assert_eq!(mistakes, 20);
}
