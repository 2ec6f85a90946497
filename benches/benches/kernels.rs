//! Every kernel beside its scalar twin, at several sizes and shares of nonzero inputs.
//!
//! Throughput is a billion a second of what limits the kernel:
//!
//! * dense kernels: "Gelem/s" is dense-equivalent GFLOP/s (zeros count as if they were multiplied, so a kernel that
//!   skips them may go past the machine's peak, which the program `machine` measures);
//! * element-wise kernels: GiB/s of what they read and write; the sizes fit L1 (2,048 values), L2 (65,536) or
//!   neither (4,194,304).
//!
//! Each pair must give the same bits before either is timed. `cargo bench -p picomlp-benches -- --test` does that alone.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use picomlp::kernels::{
    AdamCoefficients, Element, GradientSink, Simd, adam, adam_scalar, dense_forward,
    dense_forward_scalar, dense_input_gradient, dense_input_gradient_scalar, dense_update,
    dense_update_scalar, exp, exp_scalar, input_gradient_work, relu, relu_gradient,
    relu_gradient_scalar, relu_scalar, sgd, sgd_scalar, softmax_cross_entropy,
    softmax_cross_entropy_scalar, transpose64, transpose64_scalar, update_work,
};
use picomlp::{Adam, Batch, Optimizer, Serial, Sgd};
use picomlp_benches::{DENSITIES, Density, floats, pixels};
use picomlp_cli::flops::dense_flops;

fn main() {
    let mut c = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(350))
        .configure_from_args();
    dense_forwards(&mut c);
    dense_updates(&mut c);
    dense_input_gradients(&mut c);
    element_wise(&mut c);
    softmaxes(&mut c);
    optimizers(&mut c);
    transpositions(&mut c);
    c.final_summary();
}

/// A dense layer and a batch.
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    inputs: usize,
    outputs: usize,
}

const fn shape(batch: usize, inputs: usize, outputs: usize) -> Shape {
    Shape { batch, inputs, outputs }
}

/// The first layer at a batch of 64, for each width of the side-by-side, and at a batch of 1.
const FIRST_LAYERS: [Shape; 4] =
    [shape(64, 784, 32), shape(64, 784, 128), shape(64, 784, 512), shape(1, 784, 128)];
const FIRST_LAYER: Shape = shape(64, 784, 128);
const SECOND_LAYER: Shape = shape(64, 128, 10);

impl Shape {
    fn name(self) -> String {
        format!("{}x{}x{}", self.batch, self.inputs, self.outputs)
    }

    fn flops(self) -> Throughput {
        Throughput::Elements(dense_flops(self.batch, self.inputs, self.outputs))
    }

    fn params(self) -> usize {
        self.inputs * self.outputs + self.outputs
    }

    /// Parameters small enough for any number of steps.
    fn random_params(self) -> Vec<f32> {
        random(self.params(), 2).into_iter().map(|w| w / 32.0).collect()
    }
}

fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    picomlp_fixtures::fill(&mut values, seed);
    values
}

fn assert_same_bits(simd: &[f32], scalar: &[f32], what: &str) {
    let same = simd.iter().zip(scalar).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(simd.len() == scalar.len() && same, "{what}: SIMD and scalar differ");
}

/// Times both kernels on data of their own, under one name.
fn pair<D: Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    data: &D,
    mut simd: impl FnMut(&mut D),
    mut scalar: impl FnMut(&mut D),
) {
    // Scalar runs take up to 100 ms: rising numbers of iterations would take minutes.
    group.sampling_mode(SamplingMode::Flat);
    let mut mine = data.clone();
    group.bench_function(format!("{name}/simd"), |b| b.iter(|| simd(black_box(&mut mine))));
    let mut mine = data.clone();
    group.bench_function(format!("{name}/scalar"), |b| b.iter(|| scalar(black_box(&mut mine))));
}

fn dense_forwards(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense_forward");
    for shape in FIRST_LAYERS {
        for density in DENSITIES {
            forward(&mut group, "u8", shape, density, &pixels(shape.batch * shape.inputs, density));
        }
    }
    for (shape, densities) in
        [(FIRST_LAYER, &DENSITIES[..]), (SECOND_LAYER, &[Density::HALF, DENSITIES[3]])]
    {
        for &density in densities {
            let x = floats(shape.batch * shape.inputs, density);
            forward(&mut group, "f32", shape, density, &x);
        }
    }
}

fn forward<T: Element>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    of: &str,
    shape: Shape,
    density: Density,
    x: &[T],
) {
    let name = format!("{of} {} {density}", shape.name());
    let x = Batch::rows(x, shape.inputs).expect("whole samples");
    let params = shape.random_params();
    let (weights, bias) = params.split_at(shape.inputs * shape.outputs);
    let mut y = vec![0.0; shape.batch * shape.outputs];
    let mut expected = y.clone();
    dense_forward(&Serial, x, weights, bias, &mut y);
    dense_forward_scalar(x, weights, bias, &mut expected);
    assert_same_bits(&y, &expected, &name);
    group.throughput(shape.flops());
    pair(
        group,
        &name,
        &y,
        |y| dense_forward(&Serial, x, weights, bias, y),
        |y| dense_forward_scalar(x, weights, bias, y),
    );
}

fn dense_updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense_update");
    for density in DENSITIES {
        let len = FIRST_LAYER.batch * FIRST_LAYER.inputs;
        update_looked_at(&mut group, "u8", FIRST_LAYER, density, &pixels(len, density));
        update_looked_at(&mut group, "f32", FIRST_LAYER, density, &floats(len, density));
    }
    for shape in FIRST_LAYERS {
        let x = pixels(shape.batch * shape.inputs, Density::MNIST);
        update(&mut group, "u8", shape, Density::MNIST, &x, "sgd", Sgd::new(RATE));
        update(&mut group, "u8", shape, Density::MNIST, &x, "adam", Adam::new(RATE));
    }
    let x = pixels(FIRST_LAYER.batch * FIRST_LAYER.inputs, DENSITIES[3]);
    update(&mut group, "u8", FIRST_LAYER, DENSITIES[3], &x, "sgd", Sgd::new(RATE));
    update(&mut group, "u8", FIRST_LAYER, DENSITIES[3], &x, "adam", Adam::new(RATE));
    let x = floats(SECOND_LAYER.batch * SECOND_LAYER.inputs, Density::HALF);
    update_looked_at(&mut group, "f32", SECOND_LAYER, Density::HALF, &x);
    update(&mut group, "f32", SECOND_LAYER, Density::HALF, &x, "sgd", Sgd::new(RATE));
    update(&mut group, "f32", SECOND_LAYER, Density::HALF, &x, "adam", Adam::new(RATE));
}

/// So small that the parameters stay what they are, however often a step is timed.
const RATE: f32 = 1e-9;

/// Looks at the gradient and does nothing: what the sums alone cost.
struct Look;

impl GradientSink for Look {
    type Part<'p> = Look;

    fn params(&self) -> &[f32] {
        &[]
    }

    fn take<S: Simd>(&mut self, _: S, at: usize, gradient: &[f32]) {
        black_box((at, gradient));
    }

    fn take_zeros<S: Simd>(&mut self, _: S, at: usize, len: usize) {
        black_box((at, len));
    }

    fn split_at(&mut self, _at: usize) -> (Look, Look) {
        (Look, Look)
    }
}

/// Keeps the gradient, to compare it.
struct Keep<'a>(&'a mut [f32]);

impl GradientSink for Keep<'_> {
    type Part<'p>
        = Keep<'p>
    where
        Self: 'p;

    fn params(&self) -> &[f32] {
        &[]
    }

    fn take<S: Simd>(&mut self, _: S, at: usize, gradient: &[f32]) {
        self.0[at..at + gradient.len()].copy_from_slice(gradient);
    }

    fn take_zeros<S: Simd>(&mut self, _: S, at: usize, len: usize) {
        self.0[at..at + len].fill(0.0);
    }

    fn split_at(&mut self, at: usize) -> (Keep<'_>, Keep<'_>) {
        let (a, b) = self.0.split_at_mut(at);
        (Keep(a), Keep(b))
    }
}

fn update_looked_at<T: Element>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    of: &str,
    shape: Shape,
    density: Density,
    x: &[T],
) {
    let name = format!("{of} {} {density} no sink", shape.name());
    let x = Batch::rows(x, shape.inputs).expect("whole samples");
    let d_y = random(shape.batch * shape.outputs, 3);
    let mut work = vec![0.0; update_work(shape.outputs, shape.batch, 1)];
    let (mut got, mut expected) = (vec![f32::NAN; shape.params()], vec![f32::NAN; shape.params()]);
    dense_update(&Serial, x, &d_y, 0, &mut Keep(&mut got), &mut work);
    dense_update_scalar(x, &d_y, 0, &mut Keep(&mut expected));
    assert_same_bits(&got, &expected, &name);
    group.throughput(shape.flops());
    pair(
        group,
        &name,
        &(),
        |()| dense_update(&Serial, x, &d_y, 0, &mut Look, &mut work),
        |()| dense_update_scalar(x, &d_y, 0, &mut Look),
    );
}

fn update<T: Element, O: Optimizer + Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    of: &str,
    shape: Shape,
    density: Density,
    x: &[T],
    sink: &str,
    optimizer: O,
) {
    let name = format!("{of} {} {density} {sink}", shape.name());
    let x = Batch::rows(x, shape.inputs).expect("whole samples");
    let d_y = random(shape.batch * shape.outputs, 3);
    let mut work = vec![0.0; update_work(shape.outputs, shape.batch, 1)];
    let mut simd = |(optimizer, params, state): &mut (O, Vec<f32>, Vec<f32>)| {
        let mut step = optimizer.step(params, state).expect("state of the right length");
        dense_update(&Serial, x, &d_y, 0, &mut step, &mut work);
    };
    let scalar = |(optimizer, params, state): &mut (O, Vec<f32>, Vec<f32>)| {
        let mut step = optimizer.step(params, state).expect("state of the right length");
        dense_update_scalar(x, &d_y, 0, &mut step);
    };
    let state = vec![0.0; O::STATE_PER_PARAM * shape.params()];
    let data = (optimizer, shape.random_params(), state);
    let (mut a, mut b) = (data.clone(), data.clone());
    simd(&mut a);
    scalar(&mut b);
    assert_same_bits(&a.1, &b.1, &name);
    assert_same_bits(&a.2, &b.2, &name);
    group.throughput(shape.flops());
    pair(group, &name, &data, simd, scalar);
}

fn dense_input_gradients(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense_input_gradient");
    for shape in [SECOND_LAYER, shape(1, 128, 10), shape(64, 512, 10), shape(64, 512, 128)] {
        let Shape { batch, inputs, outputs } = shape;
        let (d_y, weights) = (random(batch * outputs, 1), random(inputs * outputs, 2));
        let mut work = vec![0.0; input_gradient_work(outputs, batch, 1)];
        let mut d_x = vec![0.0; batch * inputs];
        let mut expected = d_x.clone();
        dense_input_gradient(&Serial, batch, &d_y, &weights, &mut d_x, &mut work);
        dense_input_gradient_scalar(batch, &d_y, &weights, &mut expected);
        assert_same_bits(&d_x, &expected, &shape.name());
        group.throughput(shape.flops());
        pair(
            &mut group,
            &shape.name(),
            &d_x,
            |d_x| dense_input_gradient(&Serial, batch, &d_y, &weights, d_x, &mut work),
            |d_x| dense_input_gradient_scalar(batch, &d_y, &weights, d_x),
        );
    }
}

/// Values that fit L1, L2, and neither.
const LENGTHS: [usize; 3] = [2_048, 65_536, 4_194_304];

/// `read` and `written` are values of 4 bytes.
fn bytes(read: usize, written: usize) -> Throughput {
    Throughput::Bytes(4 * (read + written) as u64)
}

fn element_wise(c: &mut Criterion) {
    for len in LENGTHS {
        let values = random(len, 1);

        let mut group = c.benchmark_group("relu");
        group.throughput(bytes(len, len));
        let (mut a, mut b) = (values.clone(), values.clone());
        relu(&mut a);
        relu_scalar(&mut b);
        assert_same_bits(&a, &b, "relu");
        pair(&mut group, &len.to_string(), &values, |y| relu(y), |y| relu_scalar(y));
        group.finish();

        let mut group = c.benchmark_group("relu_gradient");
        group.throughput(bytes(2 * len, len));
        let y = a;
        let (mut a, mut b) = (values.clone(), values.clone());
        relu_gradient(&y, &mut a);
        relu_gradient_scalar(&y, &mut b);
        assert_same_bits(&a, &b, "relu_gradient");
        pair(
            &mut group,
            &len.to_string(),
            &values,
            |d_y| relu_gradient(&y, d_y),
            |d_y| relu_gradient_scalar(&y, d_y),
        );
        group.finish();
    }
    // Repeated in place, exp soon leaves the numbers; so each run begins from the same ones.
    let mut group = c.benchmark_group("exp");
    for len in [640, LENGTHS[0], LENGTHS[1]] {
        let values = random(len, 1);
        let (mut a, mut b) = (values.clone(), values.clone());
        exp(&mut a);
        exp_scalar(&mut b);
        assert_same_bits(&a, &b, "exp");
        group.throughput(bytes(len, len));
        pair(
            &mut group,
            &len.to_string(),
            &values,
            |y| {
                y.copy_from_slice(&values);
                exp(y);
            },
            |y| {
                y.copy_from_slice(&values);
                exp_scalar(y);
            },
        );
    }
}

fn softmaxes(c: &mut Criterion) {
    let mut group = c.benchmark_group("softmax_cross_entropy");
    for (batch, classes) in [(1, 10), (64, 10), (256, 10), (64, 100)] {
        let logits: Vec<f32> = random(batch * classes, 1).into_iter().map(|z| 8.0 * z).collect();
        let labels: Vec<u8> = (0..batch).map(|s| (s % classes) as u8).collect();
        let (mut a, mut b) = (logits.clone(), logits.clone());
        let loss = softmax_cross_entropy(&mut a, &labels, 0.5);
        let expected = softmax_cross_entropy_scalar(&mut b, &labels, 0.5);
        assert_same_bits(&a, &b, "softmax_cross_entropy");
        assert_same_bits(&[loss], &[expected], "softmax_cross_entropy, loss");
        group.throughput(bytes(logits.len(), logits.len()));
        // The kernel works in place: each run begins from the same logits.
        pair(
            &mut group,
            &format!("{batch}x{classes}"),
            &logits,
            |z| {
                z.copy_from_slice(&logits);
                black_box(softmax_cross_entropy(z, &labels, 0.5));
            },
            |z| {
                z.copy_from_slice(&logits);
                black_box(softmax_cross_entropy_scalar(z, &labels, 0.5));
            },
        );
    }
}

fn optimizers(c: &mut Criterion) {
    for len in LENGTHS {
        let (params, gradient) = (random(len, 1), random(len, 2));

        let mut group = c.benchmark_group("sgd");
        group.throughput(bytes(2 * len, len));
        let (mut a, mut b) = (params.clone(), params.clone());
        sgd(&mut a, &gradient, 0.1);
        sgd_scalar(&mut b, &gradient, 0.1);
        assert_same_bits(&a, &b, "sgd");
        pair(
            &mut group,
            &len.to_string(),
            &params,
            |w| sgd(w, &gradient, RATE),
            |w| sgd_scalar(w, &gradient, RATE),
        );
        group.finish();

        let mut group = c.benchmark_group("adam");
        group.throughput(bytes(4 * len, 3 * len));
        // The 100th step: the moments are neither new nor still.
        let coefficients = AdamCoefficients {
            beta1: 0.9,
            beta1_rest: 0.1,
            beta2: 0.999,
            beta2_rest: 0.001,
            step: RATE,
            root_correction: 3.24,
            epsilon: 1e-8,
        };
        let squares: Vec<f32> = gradient.iter().map(|g| g * g).collect();
        let state = (params, gradient.clone(), squares);
        type State = (Vec<f32>, Vec<f32>, Vec<f32>);
        let simd = |(w, m, v): &mut State| adam(w, &gradient, m, v, &coefficients);
        let scalar = |(w, m, v): &mut State| adam_scalar(w, &gradient, m, v, &coefficients);
        let (mut a, mut b) = (state.clone(), state.clone());
        simd(&mut a);
        scalar(&mut b);
        for (a, b) in [(&a.0, &b.0), (&a.1, &b.1), (&a.2, &b.2)] {
            assert_same_bits(a, b, "adam");
        }
        pair(&mut group, &len.to_string(), &state, simd, scalar);
        group.finish();
    }
}

fn transpositions(c: &mut Criterion) {
    let mut group = c.benchmark_group("transpose64");
    let mut rows = [0u64; 64];
    for (row, value) in rows.iter_mut().zip(random(64, 1)) {
        *row = u64::from(value.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    let (mut a, mut b) = (rows, rows);
    transpose64(&mut a);
    transpose64_scalar(&mut b);
    assert_eq!(a, b, "transpose64: fast and scalar differ");
    group.throughput(Throughput::Bytes(2 * 64 * 8));
    pair(&mut group, "64x64 bits", &rows, transpose64, transpose64_scalar);
}
