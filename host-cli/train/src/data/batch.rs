//! The samples of a batch, next to each other.

use picomlp::Threads;

use super::dataset::{Dataset, Targets};
use super::scaling::Scaling;

/// Copies rows of `width` values, those of `samples`, next to each other into `place`, on all threads.
///
/// Shuffled samples lie all over the memory. Copied together, their cache misses overlap; left where they are, each
/// would stop the kernels.
///
/// # Panics
///
/// If a sample is none of the rows.
pub fn gather<T: Copy + Send + Sync>(
    values: &[T],
    width: usize,
    threads: &dyn Threads,
    samples: &[u32],
    place: &mut [T],
) {
    gather_in(threads.count(), values, width, threads, samples, place);
}

fn gather_in<T: Copy + Send + Sync>(
    parts: usize,
    values: &[T],
    width: usize,
    threads: &dyn Threads,
    samples: &[u32],
    place: &mut [T],
) {
    if parts < 2 || samples.len() < 2 {
        for (place, &sample) in place.chunks_exact_mut(width).zip(samples) {
            place.copy_from_slice(&values[sample as usize * width..][..width]);
        }
        return;
    }
    let (samples_a, samples_b) = samples.split_at(samples.len() * (parts / 2) / parts);
    let (place_a, place_b) = place.split_at_mut(samples_a.len() * width);
    threads.join(
        &mut || gather_in(parts / 2, values, width, threads, samples_a, place_a),
        &mut || gather_in(parts - parts / 2, values, width, threads, samples_b, place_b),
    );
}

/// The targets of some samples, next to each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct BatchTargets {
    labels: Vec<u16>,
    values: Vec<f32>,
}

impl BatchTargets {
    /// Takes the targets of `samples`; values are scaled.
    pub(crate) fn take(&mut self, data: &Dataset, samples: &[u32], scaling: &Scaling) {
        self.labels.clear();
        self.values.clear();
        match &data.targets {
            Targets::Classes(labels) => {
                self.labels.extend(samples.iter().map(|&sample| labels[sample as usize]));
            }
            Targets::Values(values) | Targets::Labels(values) => {
                let width = data.outputs();
                let row = |&sample: &u32| &values[sample as usize * width..][..width];
                self.values.extend(samples.iter().flat_map(row));
                scaling.apply(&mut self.values);
            }
        }
    }

    /// Returns them as the core takes them.
    pub(crate) fn get(&self) -> picomlp::Targets<'_> {
        if self.values.is_empty() {
            picomlp::Targets::WideClasses(&self.labels)
        } else {
            picomlp::Targets::Values(&self.values)
        }
    }

    /// Returns the classes, if they are classes.
    pub(crate) fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Returns the values, if they are values.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }
}
