//! The dense kernels beside their scalar twins, at several sizes and shares of nonzero inputs, and the bit transposition.
//!
//! "Gelem/s" is dense-equivalent GFLOP/s (GOP/s in int8): zeros count as if they were multiplied, so a kernel that skips them may go
//! past the machine's peak, which the program `machine` measures.
//!
//! Each pair must give the same bits before either is timed. `cargo bench -p picomlp-benches -- --test` does that alone.

mod common;

use core::hint::black_box;

use common::{assert_same_bits, criterion, pair, random};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use picomlp::kernels::{
    Element, Gradient, INT8_BLOCK, INT8_PAIRS, Int8Row, Int8Weights, Sink, State, Update,
    dense_forward, dense_forward_scalar, dense_input_gradient, dense_input_gradient_scalar,
    dense_update, dense_update_scalar, int8_forward, int8_forward_scalar, int8_rows, transpose64,
    transpose64_scalar, update_work,
};
use picomlp::{Adam, Batch, Optimizer, Serial, Sgd};
use picomlp_benches::{DENSITIES, Density, floats, pixels};
use picomlp_cli::measure::flops::dense_flops;

fn main() {
    let mut c = criterion();
    dense_forwards(&mut c);
    dense_updates(&mut c);
    dense_input_gradients(&mut c);
    int8_forwards(&mut c);
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

impl Update for Look {
    fn apply(&self, _: &mut [f32], _: State<'_>, gradient: Gradient<'_>, _: bool) {
        black_box(gradient);
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
    let (mut got, mut expected) = (vec![0.0; shape.params()], vec![0.0; shape.params()]);
    let mut looked_at = vec![0.0; shape.params()];
    dense_update(&Serial, x, &d_y, 0, &mut Sink::keep(&[], &mut got, false), &mut work);
    dense_update_scalar(x, &d_y, 0, &mut Sink::keep(&[], &mut expected, false));
    assert_same_bits(&got, &expected, &name);
    group.throughput(shape.flops());
    pair(
        group,
        &name,
        &(),
        |()| {
            let mut sink = Sink::new(&mut looked_at, &mut [], &Look);
            dense_update(&Serial, x, &d_y, 0, &mut sink, &mut work);
        },
        |()| dense_update_scalar(x, &d_y, 0, &mut Sink::new(&mut got, &mut [], &Look)),
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
        let update = optimizer.begin();
        let mut step = Sink::new(params, state, &update);
        dense_update(&Serial, x, &d_y, 0, &mut step, &mut work);
    };
    let scalar = |(optimizer, params, state): &mut (O, Vec<f32>, Vec<f32>)| {
        let update = optimizer.begin();
        let mut step = Sink::new(params, state, &update);
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
        let mut d_x = vec![0.0; batch * inputs];
        let mut expected = d_x.clone();
        dense_input_gradient(&Serial, batch, &d_y, &weights, &mut d_x);
        dense_input_gradient_scalar(batch, &d_y, &weights, &mut expected);
        assert_same_bits(&d_x, &expected, &shape.name());
        group.throughput(shape.flops());
        pair(
            &mut group,
            &shape.name(),
            &d_x,
            |d_x| dense_input_gradient(&Serial, batch, &d_y, &weights, d_x),
            |d_x| dense_input_gradient_scalar(batch, &d_y, &weights, d_x),
        );
    }
}

/// One sample; weights of any bytes.
fn int8_forwards(c: &mut Criterion) {
    let mut group = c.benchmark_group("int8_forward");
    let shape = shape(1, 784, 128);
    let rows = int8_rows(shape.inputs, shape.outputs).expect("a size that fits");
    let words = random(4 * rows, 1).into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    let rows: &[Int8Row] = words.as_chunks::<4>().0;
    let weights = Int8Weights::new(rows, shape.inputs, shape.outputs).expect("as many rows");
    for density in DENSITIES {
        let x = pixels(shape.inputs, density);
        let begin = vec![[0; INT8_BLOCK]; shape.outputs.div_ceil(INT8_BLOCK)];
        let mut work = [[0; 2]; INT8_PAIRS];
        let (mut a, mut b) = (begin.clone(), begin.clone());
        int8_forward(&x, weights, &mut a, &mut work);
        int8_forward_scalar(&x, weights, &mut b);
        assert!(a == b, "int8_forward: fast and scalar differ");
        group.throughput(shape.flops());
        pair(
            &mut group,
            &format!("{} {density}", shape.name()),
            &begin,
            |y| int8_forward(black_box(&x), weights, y, &mut work),
            |y| int8_forward_scalar(black_box(&x), weights, y),
        );
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
