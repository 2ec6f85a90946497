//! The desktop's threads, for the core's passes.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::thread::{available_parallelism, sleep, yield_now};
use std::time::Instant;

use anyhow::{Context, Result};
use picomlp::Threads;

/// Returns the number of cores that this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// A pool of threads (rayon's). What runs in [`run`](Self::run) may split its work over them.
///
/// A training step hands over some microseconds of work a few times, so nobody sleeps meanwhile: waking a thread takes some 50
/// microseconds in a virtual machine. Who waits looks again and again, and after a while lets other programs run in between.
#[derive(Debug)]
pub struct Pool {
    pool: rayon::ThreadPool,
    threads: usize,
    /// Number of threads that share the work.
    used: AtomicUsize,
    /// Whether the others sleep, while a single thread does all the work.
    rests: AtomicBool,
    /// In vain, before others may run; 0 if there are more threads than cores, since then they wait for each other.
    looks: u32,
    /// Whether somebody keeps the threads awake.
    awake: AtomicBool,
}

impl Pool {
    /// Starts a pool of N threads; one for each core by default.
    ///
    /// # Errors
    ///
    /// If the system gives no threads.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        let cores = cores();
        let threads = threads.unwrap_or(cores);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .with_context(|| format!("cannot start {threads} threads"))?;
        let looks = if threads <= cores { LOOKS } else { 0 };
        let (used, rests) = (AtomicUsize::new(threads), AtomicBool::new(false));
        Ok(Self { pool, threads, used, rests, looks, awake: AtomicBool::new(false) })
    }

    /// Returns the number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Splits work over this many threads from now on. The others stay awake, unless `others_rest` and all work is
    /// done by one.
    pub(crate) fn use_threads(&self, threads: usize, others_rest: bool) {
        self.used.store(threads.clamp(1, self.threads), Ordering::Relaxed);
        self.rests.store(others_rest && threads == 1, Ordering::Relaxed);
    }

    /// Runs `work` on one of the threads. The others stay awake until it is done, unless they have other work: a second run at
    /// the same time has no such helpers.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        // Two that each wait for the other's end, on each other's thread, would wait forever.
        if self.awake.swap(true, Ordering::AcqRel) {
            return self.pool.install(work);
        }
        let _asleep = SetWhenDropped(&self.awake, false);
        let (done, helpers) = (&AtomicBool::new(false), &AtomicUsize::new(0));
        self.pool.scope(|scope| {
            let _done = SetWhenDropped(done, true);
            let here = self.pool.current_thread_index();
            scope.spawn_broadcast(move |_, thread| {
                if Some(thread.index()) != here && helpers.fetch_add(1, Ordering::AcqRel) < CLOSED {
                    self.wait_for(done);
                }
            });
            // Who came later might have a part of `work` below it on its stack, which it would keep waiting, forever.
            let began = Instant::now();
            while helpers.load(Ordering::Acquire) < self.threads - 1 && began.elapsed() < GATHERING
            {
                yield_now();
            }
            helpers.fetch_add(CLOSED, Ordering::AcqRel);
            work()
        })
    }

    /// Does what others hand over until `done` is set.
    fn wait_for(&self, done: &AtomicBool) {
        let mut looks = 0;
        while !done.load(Ordering::Acquire) {
            if self.rests.load(Ordering::Relaxed) {
                sleep(REST);
            }
            if self.pool.yield_now() == Some(rayon::Yield::Executed) {
                looks = 0;
            } else if looks < self.looks {
                looks += 1;
                spin_loop();
            } else {
                yield_now();
            }
        }
    }
}

/// Some 50 microseconds of looking: longer than one half of a step's work keeps the other waiting, as a rule.
const LOOKS: u32 = 2_000;

/// Time between two looks of a thread that has no work. It sleeps meanwhile.
const REST: Duration = Duration::from_micros(500);

/// How long a run waits for its helpers at most; as a rule they are there in a tenth of a millisecond.
const GATHERING: Duration = Duration::from_millis(10);

/// So many helpers are no more taken.
const CLOSED: usize = usize::MAX / 2;

/// Sets its flag also when the work panics, so that nobody waits forever.
struct SetWhenDropped<'a>(&'a AtomicBool, bool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Release);
    }
}

impl Threads for Pool {
    fn count(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Not rayon's own `join`: that one goes to sleep if the other half takes more than 10 microseconds longer.
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        let done = &AtomicBool::new(false);
        self.pool.scope(|scope| {
            scope.spawn(|_| {
                let _done = SetWhenDropped(done, true);
                b();
            });
            a();
            self.wait_for(done);
        });
    }
}

#[cfg(test)]
mod tests {
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::sync::Barrier;

    use super::*;

    /// Counts the leaves of a tree of hand-overs.
    fn count(pool: &Pool, depth: u32) -> usize {
        let leaves = AtomicUsize::new(0);
        hand_over(pool, depth, &leaves);
        leaves.into_inner()
    }

    fn hand_over(pool: &Pool, depth: u32, leaves: &AtomicUsize) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
        } else {
            pool.join(&mut || hand_over(pool, depth - 1, leaves), &mut || {
                hand_over(pool, depth - 1, leaves)
            });
        }
    }

    #[test]
    fn halves_of_halves_are_all_done_on_any_number_of_threads() {
        for threads in [1, 2, 3, 16] {
            let pool = Pool::new(Some(threads)).unwrap();
            assert_eq!(pool.run(|| count(&pool, 6)), 64, "{threads} threads");
            assert_eq!(count(&pool, 6), 64, "{threads} threads, outside of a run");
        }
    }

    #[test]
    fn run_within_a_run_is_done() {
        let pool = Pool::new(Some(2)).unwrap();
        assert_eq!(pool.run(|| pool.run(|| count(&pool, 4)) + count(&pool, 4)), 32);
        assert_eq!(pool.run(|| count(&pool, 4)), 16);
    }

    #[test]
    fn two_runs_that_begin_together_both_come_to_an_end() {
        let pool = &Pool::new(Some(2)).unwrap();
        let both = &Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..20 {
                        both.wait();
                        let begin = || pool.join(&mut || _ = both.wait(), &mut || ());
                        pool.run(|| (begin(), assert_eq!(count(pool, 4), 16)));
                    }
                });
            }
        });
    }

    #[test]
    fn panic_in_either_half_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(Some(2)).unwrap();
        let fails = || panic!("meant to");
        let nothing = || ();
        let caught = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_err();
        assert!(caught(&mut || pool.run(|| pool.join(&mut { fails }, &mut { nothing }))));
        assert!(caught(&mut || pool.run(|| pool.join(&mut { nothing }, &mut { fails }))));
        assert!(caught(&mut || pool.run(fails)));
        assert_eq!(pool.run(|| count(&pool, 4)), 16);
    }
}
