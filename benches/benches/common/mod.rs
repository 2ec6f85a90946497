//! What the benchmarks of kernels share: data, the comparison of bits, and the timing of a pair.

use core::hint::black_box;
use core::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(350))
        .configure_from_args()
}

pub(crate) fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    picomlp_fixtures::fill(&mut values, seed);
    values
}

pub(crate) fn assert_same_bits(simd: &[f32], scalar: &[f32], what: &str) {
    let same = simd.iter().zip(scalar).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(simd.len() == scalar.len() && same, "{what}: SIMD and scalar differ");
}

/// Times both kernels on data of their own, under one name.
pub(crate) fn pair<D: Clone>(
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
