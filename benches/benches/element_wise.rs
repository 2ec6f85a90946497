//! Kernels that take values one by one, row by row or column by column: activations, losses, normalisations, updates. Each
//! beside its scalar twin.
//!
//! Throughput is GiB/s of what a kernel reads and writes; the sizes fit L1 (2,048 values), L2 (65,536) or neither
//! (4,194,304: SGD and Adam alone).
//!
//! Each pair must give the same bits before either is timed. Repeated in place, most kernels would soon work on other numbers, zeros
//! or subnormal ones; so what a kernel changes is copied back before each run, and the copy counts.

mod common;

use core::hint::black_box;

use common::{assert_same_bits, criterion, pair, random};
use criterion::{Criterion, Throughput};
use picomlp::kernels::{
    AdamCoefficients, MomentumCoefficients, RmsPropCoefficients, adam, adam_scalar, add_scaled,
    add_scaled_scalar, column_statistics, column_statistics_scalar, exp, exp_scalar, leaky_relu,
    leaky_relu_gradient, leaky_relu_gradient_scalar, leaky_relu_scalar, momentum, momentum_scalar,
    normalise_columns, normalise_columns_gradient, normalise_columns_gradient_scalar,
    normalise_columns_scalar, normalise_rows, normalise_rows_gradient,
    normalise_rows_gradient_scalar, normalise_rows_scalar, relu, relu_gradient,
    relu_gradient_scalar, relu_scalar, rms_prop, rms_prop_scalar, scale, scale_columns,
    scale_columns_scalar, scale_gradient, scale_gradient_scalar, scale_scalar, sgd, sgd_scalar,
    sigmoid, sigmoid_gradient, sigmoid_gradient_scalar, sigmoid_scalar, smoothed_cross_entropy,
    smoothed_cross_entropy_scalar, softmax_cross_entropy, softmax_cross_entropy_scalar,
    sum_of_squares, sum_of_squares_scalar, tanh, tanh_gradient, tanh_gradient_scalar, tanh_scalar,
};

fn main() {
    let c = &mut criterion();
    activations(c);
    losses(c);
    normalisations(c);
    multiples(c);
    optimizers(c);
    c.final_summary();
}

/// Fit L1 and L2.
const LENGTHS: [usize; 2] = [2_048, 65_536];
/// Fits neither.
const LARGE: usize = 4_194_304;
const EPSILON: f32 = 1e-5;

/// Compares and times a kernel that reads slices and changes the first so many of them.
fn compare<const N: usize>(
    c: &mut Criterion,
    kernel: &str,
    name: &str,
    data: &[Vec<f32>; N],
    changed: usize,
    simd: impl Fn(&mut [Vec<f32>; N]),
    scalar: impl Fn(&mut [Vec<f32>; N]),
) {
    let (mut a, mut b) = (data.clone(), data.clone());
    simd(&mut a);
    scalar(&mut b);
    for (a, b) in a.iter().zip(&b) {
        assert_same_bits(a, b, kernel);
    }
    let values = |slices: &[Vec<f32>]| slices.iter().map(Vec::len).sum::<usize>();
    let mut group = c.benchmark_group(kernel);
    group.throughput(Throughput::Bytes(4 * (values(data) + values(&data[..changed])) as u64));
    let again = |slices: &mut [Vec<f32>; N]| {
        for (to, from) in slices.iter_mut().zip(data).take(changed) {
            to.copy_from_slice(from);
        }
    };
    pair(
        &mut group,
        name,
        data,
        |slices| {
            again(slices);
            simd(slices);
        },
        |slices| {
            again(slices);
            scalar(slices);
        },
    );
}

fn activations(c: &mut Criterion) {
    type InPlace = fn(&mut [f32]);
    type Back = fn(&[f32], &mut [f32]);
    let forward: [(&str, InPlace, InPlace); 5] = [
        ("relu", relu, relu_scalar),
        ("leaky_relu", |y| leaky_relu(y, 0.1), |y| leaky_relu_scalar(y, 0.1)),
        ("sigmoid", sigmoid, sigmoid_scalar),
        ("tanh", tanh, tanh_scalar),
        ("exp", exp, exp_scalar),
    ];
    let back: [(&str, Back, Back); 4] = [
        ("relu_gradient", relu_gradient, relu_gradient_scalar),
        (
            "leaky_relu_gradient",
            |y, d_y| leaky_relu_gradient(y, d_y, 0.1),
            |y, d_y| leaky_relu_gradient_scalar(y, d_y, 0.1),
        ),
        ("sigmoid_gradient", sigmoid_gradient, sigmoid_gradient_scalar),
        ("tanh_gradient", tanh_gradient, tanh_gradient_scalar),
    ];
    for len in LENGTHS {
        let name = len.to_string();
        for (kernel, simd, scalar) in forward {
            let data = [random(len, 1)];
            compare(c, kernel, &name, &data, 1, |[y]| simd(y), |[y]| scalar(y));
        }
        for (kernel, simd, scalar) in back {
            let mut y = random(len, 2);
            relu(&mut y); // half of the outputs are zero
            let data = [random(len, 1), y];
            let (simd, scalar) = (
                |[d_y, y]: &mut [Vec<f32>; 2]| simd(y, d_y),
                |[d_y, y]: &mut [Vec<f32>; 2]| scalar(y, d_y),
            );
            compare(c, kernel, &name, &data, 1, simd, scalar);
        }
    }
}

/// The loss is kept in a slice of its own, so that it is compared, too.
fn losses(c: &mut Criterion) {
    type Loss = fn(&mut [f32], &[u8]) -> f32;
    let kernels: [(&str, Loss, Loss); 2] = [
        (
            "softmax_cross_entropy",
            |z, labels| softmax_cross_entropy(z, labels, 0.5),
            |z, labels| softmax_cross_entropy_scalar(z, labels, 0.5),
        ),
        (
            "smoothed_cross_entropy",
            |z, labels| smoothed_cross_entropy(z, labels, 0.5, 0.1),
            |z, labels| smoothed_cross_entropy_scalar(z, labels, 0.5, 0.1),
        ),
    ];
    for (batch, classes) in [(1, 10), (64, 10), (256, 10), (64, 100)] {
        let logits: Vec<f32> = random(batch * classes, 1).into_iter().map(|z| 8.0 * z).collect();
        let labels: Vec<u8> = (0..batch).map(|s| (s % classes) as u8).collect();
        for (kernel, simd, scalar) in kernels {
            compare(
                c,
                kernel,
                &format!("{batch}x{classes}"),
                &[logits.clone(), vec![0.0]],
                1,
                |[z, loss]| loss[0] = simd(z, &labels),
                |[z, loss]| loss[0] = scalar(z, &labels),
            );
        }
    }
}

fn normalisations(c: &mut Criterion) {
    for (batch, width) in [(64, 128), (64, 1024)] {
        let name = &format!("{batch}x{width}");
        let x = || random(batch * width, 1);
        let row = |seed| random(width, seed);
        // Positive, as deviations are.
        let rstd = |len| random(len, 3).into_iter().map(|r| 1.5 + r).collect::<Vec<f32>>();
        compare(
            c,
            "normalise_rows",
            name,
            &[x(), vec![0.0; batch]],
            2,
            |[x, rstd]| normalise_rows(x, rstd, EPSILON),
            |[x, rstd]| normalise_rows_scalar(x, rstd, EPSILON),
        );
        compare(
            c,
            "normalise_rows_gradient",
            name,
            &[x(), random(batch * width, 2), rstd(batch), row(4)],
            1,
            |[d_y, x, rstd, gain]| normalise_rows_gradient(x, rstd, gain, d_y),
            |[d_y, x, rstd, gain]| normalise_rows_gradient_scalar(x, rstd, gain, d_y),
        );
        compare(
            c,
            "column_statistics",
            name,
            &[vec![0.0; width], vec![0.0; width], vec![0.0; width], x()],
            3,
            |[mean, variance, rstd, x]| column_statistics(x, mean, variance, rstd, EPSILON),
            |[mean, variance, rstd, x]| column_statistics_scalar(x, mean, variance, rstd, EPSILON),
        );
        compare(
            c,
            "normalise_columns",
            name,
            &[x(), row(2), rstd(width)],
            1,
            |[x, mean, factor]| normalise_columns(x, mean, factor),
            |[x, mean, factor]| normalise_columns_scalar(x, mean, factor),
        );
        compare(
            c,
            "normalise_columns_gradient",
            name,
            &[x(), random(batch * width, 2), rstd(width), row(4), row(5), row(6)],
            1,
            |[d_y, x, rstd, gain, d_gain, d_shift]| {
                normalise_columns_gradient(x, rstd, gain, d_gain, d_shift, d_y);
            },
            |[d_y, x, rstd, gain, d_gain, d_shift]| {
                normalise_columns_gradient_scalar(x, rstd, gain, d_gain, d_shift, d_y);
            },
        );
        compare(
            c,
            "scale_columns",
            name,
            &[x(), row(2), row(3)],
            1,
            |[x, gain, shift]| scale_columns(x, gain, shift),
            |[x, gain, shift]| scale_columns_scalar(x, gain, shift),
        );
        compare(
            c,
            "scale_gradient",
            name,
            &[vec![0.0; width], vec![0.0; width], x(), random(batch * width, 2)],
            2,
            |[d_gain, d_shift, x, d_y]| scale_gradient(x, d_y, d_gain, d_shift),
            |[d_gain, d_shift, x, d_y]| scale_gradient_scalar(x, d_y, d_gain, d_shift),
        );
    }
}

fn multiples(c: &mut Criterion) {
    for len in LENGTHS {
        let name = &len.to_string();
        compare(
            c,
            "scale",
            name,
            &[random(len, 1)],
            1,
            |[x]| scale(x, 0.99),
            |[x]| scale_scalar(x, 0.99),
        );
        compare(
            c,
            "add_scaled",
            name,
            &[random(len, 1), random(len, 2)],
            1,
            |[x, a]| add_scaled(x, a, 0.1),
            |[x, a]| add_scaled_scalar(x, a, 0.1),
        );
        compare(
            c,
            "sum_of_squares",
            name,
            &[vec![0.0], random(len, 1)],
            1,
            |[sum, x]| sum[0] = black_box(sum_of_squares(x)),
            |[sum, x]| sum[0] = black_box(sum_of_squares_scalar(x)),
        );
    }
}

fn optimizers(c: &mut Criterion) {
    let nesterov = MomentumCoefficients { rate: 0.1, momentum: 0.9, nesterov: true };
    let rms = RmsPropCoefficients { rate: 0.01, alpha: 0.99, alpha_rest: 0.01, epsilon: 1e-8 };
    // The 100th step: the moments are neither new nor still.
    let hundredth = AdamCoefficients {
        beta1: 0.9,
        beta1_rest: 0.1,
        beta2: 0.999,
        beta2_rest: 0.001,
        step: 0.001,
        root_correction: 3.24,
        epsilon: 1e-8,
    };
    for len in LENGTHS.into_iter().chain([LARGE]) {
        let name = &len.to_string();
        let (w, g) = (random(len, 1), random(len, 2));
        let squares: Vec<f32> = g.iter().map(|g| g * g).collect();
        compare(
            c,
            "sgd",
            name,
            &[w.clone(), g.clone()],
            1,
            |[w, g]| sgd(w, g, 0.1),
            |[w, g]| sgd_scalar(w, g, 0.1),
        );
        compare(
            c,
            "adam",
            name,
            &[w.clone(), g.clone(), squares.clone(), g.clone()],
            3,
            |[w, m, v, g]| adam(w, g, m, v, &hundredth),
            |[w, m, v, g]| adam_scalar(w, g, m, v, &hundredth),
        );
        if len == LARGE {
            continue;
        }
        compare(
            c,
            "momentum",
            name,
            &[w.clone(), g.clone(), g.clone()],
            2,
            |[w, v, g]| momentum(w, g, v, &nesterov),
            |[w, v, g]| momentum_scalar(w, g, v, &nesterov),
        );
        compare(
            c,
            "rms_prop",
            name,
            &[w, squares, g],
            2,
            |[w, v, g]| rms_prop(w, g, v, &rms),
            |[w, v, g]| rms_prop_scalar(w, g, v, &rms),
        );
    }
}
