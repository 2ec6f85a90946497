//! Work that may be done by several threads, none of which the core knows.
//!
//! The core says what can be done at once, split by samples or by rows of weights and never inside a sum, so that
//! the number of threads cannot change a bit. Who has threads implements [`Threads`].

use super::{Batch, Element};

/// Whoever can do two things at once.
pub trait Threads: Sync {
    /// How many things can be done at once.
    fn count(&self) -> usize;

    /// Does both, in any order or at once, and returns when both are done.
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send);
}

/// One thing after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Threads for Serial {
    #[inline]
    fn count(&self) -> usize {
        1
    }

    #[inline]
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        a();
        b();
    }
}

/// Products, zeros counted, that are worth a thread: some microseconds, against one or two to hand over work.
const WORTH: usize = 1 << 15;

/// Into how many parts work of so many products is split.
#[inline]
pub(crate) fn parts(threads: &impl Threads, products: usize) -> usize {
    threads.count().min(products / WORTH).max(1)
}

/// Calls `work` with parts of the samples and their outputs.
#[inline]
pub(super) fn over_samples<T: Element, H: Threads>(
    threads: &H,
    parts: usize,
    x: Batch<'_, T>,
    outputs: usize,
    y: &mut [f32],
    work: &(impl Fn(Batch<'_, T>, &mut [f32]) + Sync),
) {
    let at = share(x.len(), parts);
    if at == 0 {
        return work(x, y);
    }
    let (x_a, x_b) = x.split_at(at);
    let (y_a, y_b) = y.split_at_mut(y.len().min(at * outputs));
    threads.join(
        || over_samples(threads, parts / 2, x_a, outputs, y_a, work),
        || over_samples(threads, parts - parts / 2, x_b, outputs, y_b, work),
    );
}

/// Where `len` things are cut for the first half of `parts`; 0 if they are not.
#[inline]
pub(crate) fn share(len: usize, parts: usize) -> usize {
    if parts < 2 { 0 } else { len * (parts / 2) / parts }
}
