//! The desktop's threads, for the core's passes.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, Ordering};
use std::thread::{available_parallelism, yield_now};

use anyhow::{Context, Result};
use picomlp::Threads;

/// A pool of threads (rayon's). What runs in [`run`](Self::run) may split its work over them.
///
/// A training step hands over some microseconds of work a few times, so nobody sleeps meanwhile: waking a thread takes some 50
/// microseconds in a virtual machine. Who waits looks again and again; with more threads than cores, it lets the others
/// run in between.
#[derive(Debug)]
pub struct Pool {
    pool: rayon::ThreadPool,
    threads: usize,
    /// Whether each thread has a core for itself, so that waiting costs nobody anything.
    have_cores: bool,
}

impl Pool {
    /// A pool of so many threads; one for each core if it is not said how many.
    ///
    /// # Errors
    ///
    /// If the system gives no threads.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or(cores);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .with_context(|| format!("cannot start {threads} threads"))?;
        Ok(Self { pool, threads, have_cores: threads <= cores })
    }

    /// Runs `work` on one of the threads. The others stay awake until it is done.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let done = &AtomicBool::new(false);
        self.pool.install(|| {
            rayon::scope(|scope| {
                let _done = SetWhenDropped(done);
                let here = rayon::current_thread_index();
                scope.spawn_broadcast(move |_, thread| {
                    if Some(thread.index()) != here {
                        self.wait_for(done);
                    }
                });
                work()
            })
        })
    }

    /// Does what others hand over until `done` is set.
    fn wait_for(&self, done: &AtomicBool) {
        while !done.load(Ordering::Acquire) {
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                continue;
            }
            if self.have_cores {
                spin_loop();
            } else {
                yield_now();
            }
        }
    }
}

/// Sets its flag also when the work panics, so that nobody waits forever.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Threads for Pool {
    fn count(&self) -> usize {
        self.threads
    }

    /// Not rayon's own `join`: that one goes to sleep if the other half takes more than 10 microseconds longer.
    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        let done = &AtomicBool::new(false);
        rayon::scope(|scope| {
            scope.spawn(|_| {
                let _done = SetWhenDropped(done);
                b();
            });
            a();
            self.wait_for(done);
        });
    }
}

/// The value of `--threads`.
pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("expected a number of threads from 1 to 1024".to_owned()),
    }
}
