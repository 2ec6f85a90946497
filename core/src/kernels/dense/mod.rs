//! The three passes of a dense layer, each a [matrix product](super::matmul).
//!
//! * [`forward`]: `y = b + x·W`
//! * [`weight_gradient`]: `d_W = xᵀ·d_y`, handed to a [`Sink`](super::Sink) block by block
//! * [`input_gradient`]: `d_x = d_y·Wᵀ`

pub(crate) mod forward;
pub(crate) mod input_gradient;
pub(crate) mod weight_gradient;

use forward::{Forward, forward_rows};
use weight_gradient::{WeightGradient, weight_gradient_rows};

use super::matmul::{Finish, Ones, Product};
use super::scalar::{self, SCALAR};
use super::simd::{Simd, with_best_vectors};
use super::threads::{Threads, fork, parts};

/// The passes that read inputs, where there are vectors. They are compiled here, once for each type of input, and not in the user's crate.
pub trait Compiled: Sized {
    /// Adds all products to the outputs.
    fn forward(threads: &dyn Threads, work: Forward<'_, Self>);

    /// Sums the rows of the weight gradient.
    fn weight_gradient(threads: &dyn Threads, work: WeightGradient<'_, Self>);
}

macro_rules! compiled {
    ($($element:ty)*) => {$(
        impl Compiled for $element {
            fn forward(threads: &dyn Threads, work: Forward<'_, Self>) {
                if SCALAR {
                    return; // not called: nothing is to be compiled
                }
                let parts = parts(threads, work.products()).min(work.x.len());
                if parts > 1 {
                    return fork(threads, parts, work);
                }
                if forward::looks_dense(work.x) {
                    return forward::forward_dense(work);
                }
                with_best_vectors!(forward_rows(work: Forward<'_, $element>));
            }

            fn weight_gradient(threads: &dyn Threads, work: WeightGradient<'_, Self>) {
                if SCALAR {
                    return;
                }
                let parts = parts(threads, work.products()).min(work.inputs.len());
                if parts > 1 {
                    return fork(threads, parts, work);
                }
                with_best_vectors!(weight_gradient_rows(work: WeightGradient<'_, $element>));
            }
        }
    )*};
}
compiled!(u8 f32);

/// Adds all rows of a matrix to `sums`.
#[inline(never)] // one copy for all layers
fn add_rows(matrix: &[f32], sums: &mut [f32]) {
    let width = sums.len().max(1);
    if SCALAR {
        scalar::add_all_rows(matrix, sums);
        return;
    }
    with_best_vectors!(add_rows_with(matrix: &[f32], width: usize, sums: &mut [f32]));
}

#[inline(always)]
fn add_rows_with<S: Simd>(simd: S, matrix: &[f32], width: usize, sums: &mut [f32]) {
    let rows = matrix.len() / width.max(1);
    Product::new(matrix, width, Finish::Add).run::<S, S::Accumulator, _>(
        simd,
        #[inline(always)]
        |_| Ones(rows),
        sums,
    );
}
