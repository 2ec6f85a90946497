//! Measures what this machine can do at most on one core, and prints it as one JSON object.
//!
//! * Arithmetic: `picomlp_cli::measure::machine::Peak`.
//! * Memory: sums of an array that fits L1, L2, or no cache; and a copy, whose bytes are counted twice, read and
//!   written.
//! * Clock: a chain of exclusive-or and rotation, one cycle each.
//!
//! Build it with `RUSTFLAGS="-C target-cpu=native"`: memory is read with the instructions that the build was allowed to use.

use core::hint::black_box;

use picomlp_cli::measure::machine::{Peak, cpu_model, target_features};
use picomlp_cli::measure::timing::best_of;
use serde_json::json;

/// Steps of the chain in one timed run: half a millisecond.
const STEPS: usize = 1_000_000;

/// Timed runs of which the shortest counts.
const ROUNDS: usize = 40;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn main() {
    let peak = Peak::measure();
    let cycle = best_of(ROUNDS, cycles) / (2 * STEPS) as f64;
    let result = json!({
        "what": "machine",
        "cpu": cpu_model(),
        "target_features": target_features(),
        "lanes": peak.lanes,
        "fma_gflops": peak.fma,
        "mul_add_gflops": peak.mul_add,
        "clock_ghz": 1e-9 / cycle,
        "l1_read_gbs": read_gbs(16 * KIB),
        "l2_read_gbs": read_gbs(256 * KIB),
        "memory_read_gbs": read_gbs(256 * MIB),
        "memory_copy_gbs": copy_gbs(128 * MIB),
    });
    println!("{result}");
}

/// `2 * STEPS` cycles: neither operation can begin before the other is done.
fn cycles() {
    let key = black_box(0x9e37_79b9_7f4a_7c15_u64);
    let mut x = 0;
    for _ in 0..STEPS {
        x = (x ^ key).rotate_left(7);
    }
    black_box(x);
}

/// Reading `bytes` again and again, in 10⁹ bytes a second.
fn read_gbs(bytes: usize) -> f64 {
    let values: Vec<u64> = (0..bytes as u64 / 8).collect();
    let passes = (64 * MIB / bytes).max(1);
    let seconds = best_of(ROUNDS.min(10), || {
        black_box(sum(&values, passes));
    });
    (passes * bytes) as f64 / seconds * 1e-9
}

/// Wrapping sums in 64 lanes: integers, so that the compiler may take any order.
fn sum(values: &[u64], passes: usize) -> [u64; 64] {
    let mut sums = [0u64; 64];
    for _ in 0..passes {
        for chunk in black_box(values).as_chunks::<64>().0 {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum = sum.wrapping_add(*value);
            }
        }
    }
    sums
}

/// Copying `bytes`, read and written bytes together, in 10⁹ a second.
fn copy_gbs(bytes: usize) -> f64 {
    let from = vec![1u8; bytes];
    let mut to = vec![0u8; bytes];
    let seconds = best_of(ROUNDS.min(10), || {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    });
    (2 * bytes) as f64 / seconds * 1e-9
}
