//! The gradient against central differences of the loss in f64.
//!
//! For a parameter `w` and a step `h`, `D = (f(w+h) - f(w-h))/2h` of the f64 loss `f`. The f32 gradient may
//! differ from `D` by the sum of three bounds, each computed for each parameter:
//!
//! * **Truncation**, `h²/6·max|f‴|`. Between kinks of ReLU the logits are affine in one parameter, `z + t·a`, so
//!   a sample's `f‴` is the third central moment of `a` under the softmax. Of all distributions in a range `R`
//!   the two-point ones have the largest, `p(1-p)(1-2p)·R³ ≤ R³/(6√3)`. `a` is measured: `(z⁺ - z⁻)/2h`.
//!   A step that turns a ReLU on or off has no such bound: the parameter is passed over, and counted.
//! * **Rounding of `D`**, `δf/h`. An f64 logit is off by `γₙ·Σ|terms|`, `n` being the roundings on the longest
//!   way through the network and `Σ|terms|` the logit of absolute values; the loss moves by twice that at the
//!   most (log-sum-exp moves no more than its largest argument), and its own few operations add an ε each.
//! * **Rounding of the f32 gradient**: the running bound of [`reference`](crate::reference).

use picomlp::kernels::PIXEL_SCALE;
use picomlp::{Init, IntoBatch, Layer, Network, Sequential, rng};

use crate::reference::{Reference, gamma};

/// 2⁻¹²: the f32 bound then outweighs the other two.
const H: f64 = 1.0 / 4096.0;

struct Case {
    widths: &'static [usize],
    batch: usize,
    seed: u64,
    /// How many parameters of each dense layer are looked at.
    sample: usize,
}

fn random(len: usize, seed: u64) -> Vec<f32> {
    picomlp_fixtures::values(seed).take(len).collect()
}

/// Up to `most` of the numbers `from..to`, seeded.
fn pick(from: usize, to: usize, most: usize) -> Vec<usize> {
    let mut order = vec![0; to - from];
    rng::shuffle(&mut order, 1, from as u64);
    order.iter().take(most).map(|i| from + *i as usize).collect()
}

/// Compares; returns the largest share of its bound that any difference used up.
fn check<'x>(case: &Case, input: impl IntoBatch<'x>, x: &[f32]) -> f64 {
    let Case { widths, batch, seed, sample } = *case;
    let net = Sequential::mlp(widths).unwrap();
    let reference = Reference { widths };
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, seed).unwrap();
    for (inputs, outputs, at) in reference.layers() {
        // Biases begin at zero, where a wrong sign would not show.
        let bias = &mut params[at + inputs * outputs..][..outputs];
        picomlp_fixtures::fill(bias, seed + at as u64);
        bias.iter_mut().for_each(|b| *b *= 0.25);
    }
    let labels: Vec<u8> = (0..batch).map(|s| (s * 7 % reference.classes()) as u8).collect();
    let mut gradient = vec![f32::NAN; params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch(batch)];
    let loss = net.gradient(&params, input, &labels[..], &mut gradient, &mut scratch).unwrap();

    let exact: Vec<f64> = params.iter().map(|p| f64::from(*p)).collect();
    let x64: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
    let bounded = reference.bounded(&params, x, &labels);
    let middle = reference.forward(&exact, &x64, &labels);
    let error = (f64::from(loss) - middle.loss).abs();
    assert!(error <= bounded.loss.error, "loss {loss} is not {}: {widths:?}", middle.loss);

    // Σ|terms| of the logits: the same network of absolute values.
    let [params_size, x_size] =
        [&exact, &x64].map(|v| v.iter().map(|v| v.abs()).collect::<Vec<_>>());
    let size = reference.forward(&params_size, &x_size, &labels);
    let size = size.logits.iter().copied().fold(0.0, f64::max);
    let longest: usize = widths.iter().map(|width| width + 1).sum();
    let u = f64::EPSILON / 2.0;
    let own = (batch + reference.classes() + 8) as f64 * f64::EPSILON * (size + middle.loss + 1.0);
    let difference_rounding = (2.0 * gamma(longest, u) * size + own) / H;

    let (mut looked_at, mut passed_over, mut telling, mut worst) = (0, 0, 0, 0.0f64);
    for (inputs, outputs, at) in reference.layers() {
        for k in pick(at, at + inputs * outputs + outputs, sample) {
            let shifted = |h| {
                let mut params = exact.clone();
                params[k] += h;
                reference.forward(&params, &x64, &labels)
            };
            let (up, down) = (shifted(H), shifted(-H));
            if up.pattern != middle.pattern || down.pattern != middle.pattern {
                passed_over += 1;
                continue;
            }
            let slopes: Vec<f64> = up
                .logits
                .iter()
                .zip(&down.logits)
                .map(|(up, down)| (up - down) / (2.0 * H))
                .collect();
            let third = slopes.chunks(reference.classes()).map(|a| {
                let max = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let min = a.iter().copied().fold(f64::INFINITY, f64::min);
                (max - min).powi(3) / (6.0 * 3f64.sqrt())
            });
            let truncation = H * H / 6.0 * third.sum::<f64>() / batch as f64;
            let bound = bounded.gradient[k].error + truncation + difference_rounding;
            let expected = (up.loss - down.loss) / (2.0 * H);
            let error = (f64::from(gradient[k]) - expected).abs();
            assert!(
                error <= bound,
                "{widths:?}, parameter {k}: {} is not {expected} within {bound:e}",
                gradient[k]
            );
            // The chain rule in f64, which the f32 bound was computed along, agrees far more closely.
            let error64 = (bounded.gradient[k].exact - expected).abs();
            assert!(
                error64 <= truncation + difference_rounding,
                "{widths:?}, parameter {k} in f64"
            );
            looked_at += 1;
            telling += usize::from(expected == 0.0 || bound < 0.01 * expected.abs());
            worst = worst.max(error / bound);
        }
    }
    println!(
        "{widths:?}: {looked_at} looked at, {passed_over} passed over, {telling} within 1 %, {worst}"
    );
    assert!(passed_over * 50 <= looked_at, "{passed_over} parameters at a kink");
    // A bound is worth something if it is small beside what it bounds: below a hundredth, in nine of ten.
    assert!(telling * 10 >= looked_at * 9, "{telling} of {looked_at} bounds are below 1 %");
    worst
}

#[test]
fn gradient_of_every_parameter_agrees_with_central_differences_through_two_hidden_layers() {
    let case = Case { widths: &[7, 5, 4, 3], batch: 5, seed: 3, sample: usize::MAX };
    let x = random(5 * 7, 11);
    check(&case, x.as_slice(), &x);
}

#[test]
fn gradient_of_a_lone_dense_layer_agrees_with_central_differences() {
    for batch in [1, 6] {
        let case = Case { widths: &[6, 4], batch, seed: 5, sample: usize::MAX };
        let x = random(batch * 6, 12);
        check(&case, x.as_slice(), &x);
    }
}

#[test]
fn gradient_of_one_sample_agrees_with_central_differences() {
    let case = Case { widths: &[9, 8, 7, 6, 4], batch: 1, seed: 8, sample: usize::MAX };
    let x = random(9, 13);
    check(&case, x.as_slice(), &x);
}

#[test]
fn gradient_of_a_digit_sized_network_agrees_with_central_differences() {
    let case = Case { widths: &[784, 32, 10], batch: 9, seed: 7, sample: 120 };
    let mut pixels = vec![0u8; 9 * 784];
    picomlp_fixtures::sparse_pixels(&mut pixels, 14, 207);
    let x: Vec<f32> = pixels.iter().map(|p| f32::from(*p) * PIXEL_SCALE).collect();
    check(&case, pixels.as_slice(), &x);
}

/// `½` and the doubling of a number are exact, so not even a bit may change.
#[test]
fn gradient_of_a_sample_taken_twice_is_that_of_the_sample_bit_for_bit() {
    let net = Sequential::mlp(&[7, 5, 4, 3]).unwrap();
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, 3).unwrap();
    let x = random(7, 15);
    let twice = [x.clone(), x.clone()].concat();
    let (mut one, mut two) = (vec![0.0; net.params()], vec![0.0; net.params()]);
    let mut scratch = vec![0.0; net.train_scratch(2)];
    let loss = net.gradient(&params, x.as_slice(), &[2], &mut one, &mut scratch).unwrap();
    let loss2 = net.gradient(&params, twice.as_slice(), &[2, 2], &mut two, &mut scratch).unwrap();
    assert_eq!(loss.to_bits(), loss2.to_bits());
    assert!(one.iter().zip(&two).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert!(one.iter().any(|g| *g != 0.0));
}

/// A rectifier may stand last: its gradient is zero where its output is, and else that of the layer without it.
#[test]
fn gradient_through_a_relu_on_the_logits_is_that_of_the_logits_it_lets_pass() {
    use picomlp::{Chain, Dense, Relu};
    let mut params = random(4 * 3 + 3, 5);
    // All logits positive, then the last one negative for every input.
    params[12..].copy_from_slice(&[5.0, 5.0, 5.0]);
    let x = random(2 * 4, 6);
    let plain = |params: &[f32], relu: bool| {
        let mut gradient = vec![f32::NAN; 15];
        let mut scratch = vec![f32::NAN; 1000];
        let (x, labels) = (x.as_slice(), [0, 1]);
        if relu {
            let net = Chain(Dense::<4, 3>::default(), Relu::<3>::default());
            net.gradient(params, x, &labels, &mut gradient, &mut scratch).unwrap();
        } else {
            let net = Dense::<4, 3>::default();
            net.gradient(params, x, &labels, &mut gradient, &mut scratch).unwrap();
        }
        gradient
    };
    assert_eq!(plain(&params, true), plain(&params, false));
    params[14] = -50.0;
    let gradient = plain(&params, true);
    let of_the_last = gradient.chunks(3).map(|row| row[2]);
    assert!(of_the_last.clone().all(|g| g == 0.0), "{gradient:?}");
    assert!(gradient.iter().any(|g| *g != 0.0));
}
