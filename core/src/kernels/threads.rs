//! Work that may be done by several threads, none of which the core knows.
//!
//! The core says what can be done at once, split by samples or by rows of weights and never inside a sum, so that
//! the number of threads cannot change a bit. A program that has threads implements [`Threads`].

use super::scalar::SCALAR;

/// A fork-join executor.
pub trait Threads: Sync {
    /// Calls that can run at once.
    fn count(&self) -> usize;

    /// Calls both, in any order or at once, and returns when both have returned.
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send));
}

/// One call after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Threads for Serial {
    fn count(&self) -> usize {
        1
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        a();
        b();
    }
}

/// Products, zeros counted, that are worth a thread: some microseconds, against one or two to hand over work.
const WORTH: usize = 1 << 15;

/// Into how many parts work of N products is split.
#[inline]
pub(crate) fn parts(threads: &dyn Threads, products: usize) -> usize {
    if SCALAR {
        return 1; // one core: the code that splits work isn't linked
    }
    threads.count().min(products / WORTH).max(1)
}

/// Work that can be split between threads.
pub(crate) trait Split: Sized + Send {
    /// The first `part` of `of` equal parts, and the rest.
    fn split(self, part: usize, of: usize) -> (Self, Self);

    /// Does the work on this thread.
    fn run(self);
}

/// Does work in N parts at once.
#[inline]
pub(crate) fn fork<W: Split>(threads: &dyn Threads, parts: usize, work: W) {
    if SCALAR || parts < 2 { work.run() } else { fork_in_two(threads, parts, work) }
}

fn fork_in_two<W: Split>(threads: &dyn Threads, parts: usize, work: W) {
    let half = parts / 2;
    let (a, b) = work.split(half, parts);
    let (mut a, mut b) = (Some(a), Some(b));
    threads.join(
        &mut || {
            if let Some(a) = a.take() {
                fork(threads, half, a);
            }
        },
        &mut || {
            if let Some(b) = b.take() {
                fork(threads, parts - half, b);
            }
        },
    );
}
