//! The gradient through every kind of layer and of every loss against central differences in f64.
//!
//! As in [`gradients`](crate::gradients): the f32 gradient may differ from `D(h) = (f(w+h) - f(w-h))/2h` by the sum of
//!
//! * **truncation**: `D(h)` is off by `c·h²` up to terms of `h⁴`, so `|D(2h) - D(h)|` is three times that, and the whole
//!   of it is taken;
//! * **rounding of `D`**: fewer than 10,000 operations lead from a parameter to the loss, each off by ε/2;
//! * **rounding of the f32 gradient**: the running bound of [`reference`](crate::reference), which goes through the
//!   layers here in the steps that the kernels take.
//!
//! A parameter whose step changes the sign before a rectifier is passed over, and counted.

use picomlp::layers::{Draws, DropoutLayer, LayerList};
use picomlp::{AnyLayer, Init, Layer, Loss, LossKind, Network, Objective, Sequential, Targets};

use crate::reference::{Near, smoothed_cross_entropy, sum};

/// 2⁻¹²: the f32 bound then outweighs the other two.
const H: f64 = 1.0 / 4096.0;

/// `[sample][value]`.
type Rows<T> = Vec<Vec<T>>;

/// The factors of a dropout: 0 and the scale, which `layer_kinds` looks at.
fn mask(
    layer: &DropoutLayer<usize, picomlp::layers::Number>,
    draws: Draws,
    batch: usize,
) -> Vec<f32> {
    let mut mask = vec![1.0; batch * layer.inputs()];
    layer.drop(draws, &mut mask);
    mask
}

fn draws(objective: &Objective<'_>, layer: usize) -> Draws {
    Draws { seed: objective.seed, step: objective.step, layer, first: 0 }
}

/// The loss in f64 alone, and the signs before rectifiers.
fn loss64(
    net: &Sequential,
    objective: &Objective<'_>,
    params: &[f64],
    x: &Rows<f64>,
    targets: Targets<'_>,
) -> (f64, Vec<bool>) {
    let (mut rows, mut at, mut pattern) = (x.clone(), 0, vec![]);
    for (index, layer) in net.layers().iter().enumerate() {
        let params = &params[at..at + layer.params()];
        at += layer.params();
        let n = layer.outputs();
        let each = |rows: &mut Rows<f64>, f: &dyn Fn(f64) -> f64| {
            rows.iter_mut().flatten().for_each(|v| *v = f(*v));
        };
        match layer {
            AnyLayer::Dense(dense) => {
                let bias =
                    |o: usize| if dense.has_bias() { params[layer.inputs() * n + o] } else { 0.0 };
                let unit = |x: &Vec<f64>, o: usize| {
                    bias(o) + x.iter().enumerate().map(|(i, x)| x * params[i * n + o]).sum::<f64>()
                };
                rows = rows.iter().map(|x| (0..n).map(|o| unit(x, o)).collect()).collect();
            }
            AnyLayer::Relu(_) => {
                pattern.extend(rows.iter().flatten().map(|v| *v > 0.0));
                each(&mut rows, &|v| v.max(0.0));
            }
            AnyLayer::LeakyRelu(leaky) => {
                pattern.extend(rows.iter().flatten().map(|v| *v > 0.0));
                let slope = f64::from(leaky.slope());
                each(&mut rows, &|v| if v > 0.0 { v } else { slope * v });
            }
            AnyLayer::Sigmoid(_) => each(&mut rows, &|v| 1.0 / (1.0 + (-v).exp())),
            AnyLayer::Tanh(_) => each(&mut rows, &f64::tanh),
            AnyLayer::LayerNorm(norm) => {
                for row in &mut rows {
                    normalise64(row.iter_mut(), f64::from(norm.epsilon()));
                    for (o, v) in row.iter_mut().enumerate() {
                        *v = *v * params[o] + params[n + o];
                    }
                }
            }
            AnyLayer::BatchNorm(norm) => {
                for o in 0..n {
                    normalise64(rows.iter_mut().map(|row| &mut row[o]), f64::from(norm.epsilon()));
                    rows.iter_mut().for_each(|row| row[o] = row[o] * params[o] + params[n + o]);
                }
            }
            AnyLayer::Rescale(_) => {
                for row in &mut rows {
                    row.iter_mut()
                        .enumerate()
                        .for_each(|(o, v)| *v = *v * params[o] + params[n + o]);
                }
            }
            AnyLayer::Dropout(dropout) => {
                let mask = mask(dropout, draws(objective, index), rows.len());
                let factors = mask.iter().map(|m| f64::from(*m));
                rows.iter_mut().flatten().zip(factors).for_each(|(v, m)| *v *= m);
            }
            _ => unreachable!("no such layer"),
        }
    }
    let loss = objective.loss;
    let mut total = 0.0;
    for (s, row) in rows.iter().enumerate() {
        let pairs =
            row.iter().enumerate().map(|(o, a)| (*a, target(loss, targets, s, o, row.len())));
        let delta = f64::from(loss.delta());
        pattern.extend(pairs.clone().map(|(a, t)| match loss.kind() {
            LossKind::MeanAbsoluteError => a > t,
            LossKind::Huber => (a - t).abs() > delta,
            _ => false,
        }));
        total += match loss.kind() {
            LossKind::SquaredError => pairs.map(|(a, t)| (a - t).powi(2)).sum::<f64>(),
            LossKind::CrossEntropy => {
                let log_sum = row.iter().map(|z| z.exp()).sum::<f64>().ln();
                log_sum - pairs.map(|(z, t)| t * z).sum::<f64>()
            }
            kind => {
                let each = |(a, t): (f64, f64)| match kind {
                    LossKind::MeanSquaredError => (a - t).powi(2),
                    LossKind::MeanAbsoluteError => (a - t).abs(),
                    LossKind::Huber if (a - t).abs() <= delta => 0.5 * (a - t).powi(2),
                    LossKind::Huber => delta * ((a - t).abs() - 0.5 * delta),
                    _ => {
                        -t * (1.0 / (1.0 + (-a).exp())).ln()
                            - (1.0 - t) * (1.0 / (1.0 + a.exp())).ln()
                    }
                };
                pairs.map(each).sum::<f64>() / if loss.is_summed() { 1.0 } else { row.len() as f64 }
            }
        };
    }
    (if loss.is_summed() { total } else { total / rows.len() as f64 }, pattern)
}

/// What an output is held against: a value, or a smoothed class.
fn target(loss: Loss<'_>, targets: Targets<'_>, sample: usize, output: usize, n: usize) -> f64 {
    if let Some(value) = targets.values(sample, n).get(output) {
        return f64::from(*value);
    }
    let smoothing = f64::from(loss.smoothing());
    let spread = smoothing / n as f64;
    if targets.class(sample) == Some(output) { 1.0 - smoothing + spread } else { spread }
}

fn normalise64<'v>(values: impl Iterator<Item = &'v mut f64>, epsilon: f64) {
    let values: Vec<&mut f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().map(|v| **v).sum::<f64>() / n;
    let variance = values.iter().map(|v| (**v - mean).powi(2)).sum::<f64>() / n;
    values.into_iter().for_each(|v| *v = (*v - mean) / (variance + epsilon).sqrt());
}

/// Normalised values and `1/√(variance + ε)`, in the kernels' steps.
fn normalise(values: &[Near], epsilon: f32) -> (Vec<Near>, Near) {
    let one = Near::exactly(1.0);
    let share = one / Near::exactly(values.len() as f32);
    let mean = sum(values.iter().map(|v| (*v, one))) * share;
    let centred: Vec<Near> = values.iter().map(|v| *v - mean).collect();
    let variance = sum(centred.iter().map(|d| (*d, *d))) * share;
    let rstd = (variance + Near::exactly(epsilon)).rsqrt();
    (centred.iter().map(|d| *d * rstd).collect(), rstd)
}

/// What one layer's way back needs.
struct Kept {
    x: Rows<Near>,
    y: Rows<Near>,
    /// Of a normalisation: `[sample][value]`, and for each sample (layer) or value (batch).
    normalised: Rows<Near>,
    rstd: Vec<Near>,
}

fn columns(rows: &Rows<Near>) -> Rows<Near> {
    (0..rows[0].len()).map(|o| rows.iter().map(|row| row[o]).collect()).collect()
}

/// The gradient and its bounds.
fn bounded(
    net: &Sequential,
    objective: &Objective<'_>,
    params: &[f32],
    x: &Rows<f32>,
    targets: Targets<'_>,
) -> Vec<Near> {
    let params: Vec<Near> = params.iter().map(|p| Near::exactly(*p)).collect();
    let one = Near::exactly(1.0);
    let mut rows: Rows<Near> =
        x.iter().map(|row| row.iter().map(|v| Near::exactly(*v)).collect()).collect();
    let (mut kept, mut at) = (vec![], 0);
    for (index, layer) in net.layers().iter().enumerate() {
        let params = &params[at..at + layer.params()];
        let n = layer.outputs();
        let (mut normalised, mut rstd) = (vec![], vec![]);
        let each = |f: &dyn Fn(Near) -> Near| -> Rows<Near> {
            rows.iter().map(|row| row.iter().map(|v| f(*v)).collect()).collect()
        };
        let y = match layer {
            AnyLayer::Dense(dense) => {
                let weights = layer.inputs() * n;
                let unit = |x: &Vec<Near>, o: usize| {
                    let terms = x.iter().enumerate().map(|(i, x)| (*x, params[i * n + o]));
                    let bias = dense.has_bias().then(|| (params[weights + o], one));
                    sum(terms.chain(bias))
                };
                rows.iter().map(|x| (0..n).map(|o| unit(x, o)).collect()).collect()
            }
            AnyLayer::Relu(_) => each(&|v| if v.is_positive() { v } else { Near::default() }),
            AnyLayer::LeakyRelu(leaky) => {
                let slope = Near::exactly(leaky.slope());
                each(&|v| if v.is_positive() { v } else { v * slope })
            }
            // Slopes of at most 1/4 and 1; 3 and 2 units in the last place, of 2u each.
            AnyLayer::Sigmoid(_) => each(&|v| v.map(|v| 1.0 / (1.0 + (-v).exp()), 0.25, 6.0)),
            AnyLayer::Tanh(_) => each(&|v| v.map(f64::tanh, 1.0, 4.0)),
            AnyLayer::LayerNorm(norm) => {
                for row in &rows {
                    let (values, r) = normalise(row, norm.epsilon());
                    normalised.push(values);
                    rstd.push(r);
                }
                scaled(&normalised, params)
            }
            AnyLayer::BatchNorm(norm) => {
                let (values, r): (Vec<_>, Vec<_>) =
                    columns(&rows).iter().map(|c| normalise(c, norm.epsilon())).unzip();
                (normalised, rstd) = (columns(&values), r);
                scaled(&normalised, params)
            }
            AnyLayer::Rescale(_) => scaled(&rows, params),
            AnyLayer::Dropout(dropout) => {
                let mask = mask(dropout, draws(objective, index), rows.len());
                let masked = rows.iter().zip(mask.chunks(n));
                masked.map(|(row, mask)| times(row, mask)).collect()
            }
            _ => unreachable!("no such layer"),
        };
        at += layer.params();
        kept.push(Kept { x: rows, y: y.clone(), normalised, rstd });
        rows = y;
    }
    let mut d_y: Rows<Near> = rows
        .iter()
        .enumerate()
        .map(|(s, row)| d_loss(&objective.loss, row, targets, s, rows.len()))
        .collect();
    let mut gradient = vec![Near::default(); params.len()];
    for (index, (layer, kept)) in net.layers().iter().zip(&kept).enumerate().rev() {
        at -= layer.params();
        let (params, gradient) = (&params[at..], &mut gradient[at..]);
        let (i_n, n) = (layer.inputs(), layer.outputs());
        let pairs = |d_y: &Rows<Near>, f: &dyn Fn(Near, Near) -> Near| -> Rows<Near> {
            let rows = d_y.iter().zip(&kept.y);
            rows.map(|(d, y)| d.iter().zip(y).map(|(d, y)| f(*d, *y)).collect()).collect()
        };
        d_y = match layer {
            AnyLayer::Dense(dense) => {
                let over_samples = |f: &dyn Fn(usize) -> (Near, Near)| sum((0..d_y.len()).map(f));
                for o in 0..n {
                    for i in 0..i_n {
                        gradient[i * n + o] = over_samples(&|s| (kept.x[s][i], d_y[s][o]));
                    }
                    if dense.has_bias() {
                        gradient[i_n * n + o] = over_samples(&|s| (d_y[s][o], one));
                    }
                }
                let back = |d: &Vec<Near>| {
                    let input = |i: usize| sum((0..n).map(|o| (d[o], params[i * n + o])));
                    (0..i_n).map(input).collect()
                };
                d_y.iter().map(back).collect()
            }
            AnyLayer::Relu(_) => {
                pairs(&d_y, &|d, y| if y.exact > 0.0 { d } else { Near::default() })
            }
            AnyLayer::LeakyRelu(leaky) => {
                let slope = Near::exactly(leaky.slope());
                pairs(&d_y, &|d, y| if y.exact > 0.0 { d } else { d * slope })
            }
            AnyLayer::Sigmoid(_) => pairs(&d_y, &|d, y| d * (y * (one - y))),
            AnyLayer::Tanh(_) => pairs(&d_y, &|d, y| d * (one - y * y)),
            AnyLayer::LayerNorm(_) | AnyLayer::BatchNorm(_) => {
                for o in 0..n {
                    let rows = || d_y.iter().zip(&kept.normalised);
                    gradient[o] = sum(rows().map(|(d, x)| (d[o], x[o])));
                    gradient[n + o] = sum(rows().map(|(d, _)| (d[o], one)));
                }
                if let AnyLayer::LayerNorm(_) = layer {
                    let share = one / Near::exactly(n as f32);
                    let rows = d_y.iter().zip(&kept.normalised).zip(&kept.rstd);
                    let back = |((d, x), rstd): ((&Vec<Near>, &Vec<Near>), &Near)| {
                        let g: Vec<Near> = d.iter().zip(params).map(|(d, p)| *d * *p).collect();
                        let mean = sum(g.iter().map(|g| (*g, one))) * share;
                        let along = sum(g.iter().copied().zip(x.iter().copied())) * share;
                        let each = g.iter().zip(x).map(|(g, x)| (*g - mean - *x * along) * *rstd);
                        each.collect::<Vec<_>>()
                    };
                    rows.map(back).collect()
                } else {
                    let share = one / Near::exactly(d_y.len() as f32);
                    let value = |d: &Vec<Near>, x: &Vec<Near>, o: usize| {
                        let rest = d[o] - gradient[n + o] * share - x[o] * (gradient[o] * share);
                        rest * (params[o] * kept.rstd[o])
                    };
                    let rows = d_y.iter().zip(&kept.normalised);
                    rows.map(|(d, x)| (0..n).map(|o| value(d, x, o)).collect()).collect()
                }
            }
            AnyLayer::Rescale(_) => {
                let back = |d: &Vec<Near>| d.iter().zip(params).map(|(d, p)| *d * *p).collect();
                d_y.iter().map(back).collect()
            }
            AnyLayer::Dropout(dropout) => {
                let mask = mask(dropout, draws(objective, index), d_y.len());
                d_y.iter().zip(mask.chunks(n)).map(|(d, mask)| times(d, mask)).collect()
            }
            _ => unreachable!("no such layer"),
        };
    }
    gradient
}

fn scaled(normalised: &Rows<Near>, params: &[Near]) -> Rows<Near> {
    let n = params.len().min(normalised[0].len());
    let row =
        |row: &Vec<Near>| (0..n).map(|o| row[o] * params[o] + params[n + o]).collect::<Vec<_>>();
    normalised.iter().map(row).collect()
}

fn times(row: &[Near], mask: &[f32]) -> Vec<Near> {
    let value = |(v, m): (&Near, &f32)| {
        if *m == 0.0 { Near::default() } else { *v * Near::exactly(*m) }
    };
    row.iter().zip(mask).map(value).collect()
}

/// The gradient at the outputs of sample `s`.
fn d_loss(
    loss: &Loss<'_>,
    row: &[Near],
    targets: Targets<'_>,
    s: usize,
    batch: usize,
) -> Vec<Near> {
    let one = Near::exactly(1.0);
    let averaged = if loss.kind().averages_outputs() { batch * row.len() } else { batch };
    let share = if loss.is_summed() { one } else { one / Near::exactly(averaged as f32) };
    if loss.kind() == LossKind::CrossEntropy {
        let label = targets.class(s).unwrap();
        let (_, gradient) = smoothed_cross_entropy(row, label, f64::from(loss.smoothing()), 1);
        return gradient.into_iter().map(|g| g * share).collect();
    }
    let smoothing = Near::exactly(loss.smoothing());
    let spread = smoothing / Near::exactly(row.len() as f32);
    let kept = one - smoothing;
    let target = |o: usize| match targets.values(s, row.len()).get(o) {
        Some(value) => Near::exactly(*value),
        None if Some(o) == targets.class(s) => kept + spread,
        None => spread,
    };
    let delta = f64::from(loss.delta());
    let derivative = |(o, a): (usize, &Near)| match loss.kind() {
        LossKind::MeanAbsoluteError if (*a - target(o)).is_positive() => one,
        LossKind::MeanAbsoluteError => Near::exactly(-1.0),
        LossKind::Huber => (*a - target(o)).map(|d| d.clamp(-delta, delta), 1.0, 0.0),
        // An exponential (4 roundings), twice in a quotient, a sum and the quotient's own.
        LossKind::BinaryCrossEntropy => a.map(|z| 1.0 / (1.0 + (-z).exp()), 0.25, 10.0) - target(o),
        _ => (*a - target(o)) * Near::exactly(2.0),
    };
    row.iter().enumerate().map(|at| derivative(at) * share).collect()
}

/// Compares the gradients of all parameters; every fourth bound or fewer may say nothing.
fn check(layers: &[AnyLayer], loss: Loss<'_>, seed: u64) {
    let mut list = LayerList::new();
    layers.iter().for_each(|layer| layer.describe(&mut list).unwrap());
    let net = Sequential::new(list).unwrap();
    let objective = Objective { loss, seed, step: 2 };
    let batch = 7;
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, seed).unwrap();
    // Gains of 1, shifts and biases of 0 would hide mistakes.
    let noise = picomlp_fixtures::values(seed + 1);
    params.iter_mut().zip(noise).for_each(|(p, v)| *p += 0.25 * v);
    let x: Vec<f32> = picomlp_fixtures::values(seed + 2).take(batch * net.inputs()).collect();
    let labels: Vec<u8> = (0..batch).map(|s| (s * 7 % net.outputs()) as u8).collect();
    let values = picomlp_fixtures::values(seed + 3).map(|value| 0.5 + 0.5 * value);
    let values: Vec<f32> = values.take(batch * net.outputs()).collect();
    let is_of_values = loss.kind().averages_outputs();
    let targets = if is_of_values { Targets::Values(&values) } else { Targets::Classes(&labels) };
    let mut gradient = vec![f32::NAN; params.len()];
    let mut scratch = vec![f32::NAN; net.train_scratch(batch)];
    let x_slice = x.as_slice();
    let f32_loss = net
        .gradient_of(&objective, &params, x_slice, targets, &mut gradient, &mut scratch)
        .unwrap();

    let x: Rows<f32> = x.chunks(net.inputs()).map(<[f32]>::to_vec).collect();
    let x64: Rows<f64> = x.iter().map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
    let exact: Vec<f64> = params.iter().map(|p| f64::from(*p)).collect();
    let (middle, pattern) = loss64(&net, &objective, &exact, &x64, targets);
    // No bound of its own: the gradients, which come from it, have one.
    assert!((f64::from(f32_loss) - middle).abs() <= 1e-5 * middle.max(1.0), "{f32_loss} {middle}");
    let bounds = bounded(&net, &objective, &params, &x, targets);
    let rounding = 1e4 * f64::EPSILON * (middle + 1.0) / H;
    let (mut looked_at, mut passed_over, mut telling, mut worst) = (0, 0, 0, 0.0f64);
    let mut constants = vec![];
    for layer in net.layers() {
        let is_constant = matches!(layer, AnyLayer::Rescale(_));
        constants.extend((0..layer.params()).map(|_| is_constant));
    }
    for k in 0..params.len() {
        if constants[k] {
            assert_eq!(gradient[k], 0.0, "{net:?}: constant {k}");
            continue;
        }
        let shifted = |h: f64| {
            let mut params = exact.clone();
            params[k] += h;
            loss64(&net, &objective, &params, &x64, targets)
        };
        let (runs, steps) = ([shifted(H), shifted(-H), shifted(2.0 * H), shifted(-2.0 * H)], H);
        if runs.iter().any(|(_, other)| *other != pattern) {
            passed_over += 1;
            continue;
        }
        let slope = (runs[0].0 - runs[1].0) / (2.0 * steps);
        let twice = (runs[2].0 - runs[3].0) / (4.0 * steps);
        let own = (twice - slope).abs() + rounding;
        let Near { exact, error: of_f32 } = bounds[k];
        assert!(
            (exact - slope).abs() <= own,
            "{net:?}, {loss:?}: parameter {k} in f64: {exact} {slope}"
        );
        let (error, bound) = ((f64::from(gradient[k]) - slope).abs(), of_f32 + own);
        assert!(
            error <= bound,
            "{net:?}, {loss:?}: parameter {k}: {} is not {slope} within {bound:e}",
            gradient[k]
        );
        looked_at += 1;
        telling += usize::from(bound < 0.01 * slope.abs() || slope.abs() < 1e-4);
        worst = worst.max(error / bound);
    }
    println!("{looked_at} looked at, {passed_over} passed over, {telling} within 1 %, {worst:.3}");
    assert!(passed_over * 10 <= looked_at, "{passed_over} of {looked_at} parameters at a kink");
    assert!(telling * 4 >= looked_at * 3, "{telling} of {looked_at} bounds are below 1 %");
}

const LOSSES: [Loss<'_>; 8] = [
    Loss::CROSS_ENTROPY,
    Loss::CROSS_ENTROPY.summed().with_smoothing(0.1),
    Loss::SQUARED_ERROR,
    Loss::SQUARED_ERROR.summed().with_smoothing(0.1),
    Loss::MEAN_SQUARED_ERROR,
    Loss::MEAN_ABSOLUTE_ERROR,
    Loss::HUBER.with_delta(0.5),
    Loss::BINARY_CROSS_ENTROPY,
];

fn check_all(layers: &[AnyLayer]) {
    for (seed, loss) in (20..).step_by(10).zip(LOSSES) {
        check(layers, loss, seed);
    }
}

#[test]
fn gradient_through_each_activation_hidden_and_on_the_outputs_agrees_with_central_differences() {
    let each: [fn(usize) -> AnyLayer; 3] =
        [|n| AnyLayer::leaky_relu(n, 0.2), AnyLayer::sigmoid, AnyLayer::tanh];
    for layer in each {
        check_all(&[AnyLayer::dense(5, 6), layer(6), AnyLayer::dense(6, 4), layer(4)]);
    }
}

#[test]
fn gradient_through_layers_without_a_bias_agrees_with_central_differences() {
    check_all(&[AnyLayer::dense_no_bias(5, 6), AnyLayer::tanh(6), AnyLayer::dense_no_bias(6, 4)]);
    check_all(&[AnyLayer::dense(5, 6), AnyLayer::sigmoid(6), AnyLayer::dense_no_bias(6, 4)]);
}

#[test]
fn gradient_through_rescales_agrees_with_central_differences() {
    check_all(&[
        AnyLayer::rescale(5),
        AnyLayer::dense(5, 6),
        AnyLayer::rescale(6),
        AnyLayer::tanh(6),
        AnyLayer::dense(6, 4),
        AnyLayer::rescale(4),
    ]);
}

#[test]
fn gradient_through_layer_normalisation_agrees_with_central_differences() {
    check_all(&[
        AnyLayer::layer_norm(5, 1e-5),
        AnyLayer::dense(5, 6),
        AnyLayer::layer_norm(6, 1e-3),
        AnyLayer::tanh(6),
        AnyLayer::dense(6, 4),
    ]);
}

#[test]
fn gradient_through_batch_normalisation_agrees_with_central_differences() {
    check_all(&[
        AnyLayer::dense_no_bias(5, 6),
        AnyLayer::batch_norm(6, 1e-3, 0.1),
        AnyLayer::sigmoid(6),
        AnyLayer::dense(6, 4),
    ]);
}

#[test]
fn gradient_through_dropout_behind_each_activation_agrees_with_central_differences() {
    for layer in [AnyLayer::sigmoid(12), AnyLayer::tanh(12), AnyLayer::leaky_relu(12, 0.1)] {
        check_all(&[
            AnyLayer::dense(5, 12),
            layer,
            AnyLayer::dropout(12, 0.3),
            AnyLayer::dense(12, 4),
        ]);
    }
}
