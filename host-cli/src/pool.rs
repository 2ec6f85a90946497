//! The desktop's threads, for the core's passes.

use core::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use picomlp::Threads;

/// A pool of threads (rayon's). What runs in [`run`](Self::run) may split its work over them.
#[derive(Debug)]
pub struct Pool {
    pool: rayon::ThreadPool,
    threads: usize,
}

impl Pool {
    /// A pool of so many threads; one for each core if it is not said how many.
    ///
    /// # Errors
    ///
    /// If the system gives no threads.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(cores);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .with_context(|| format!("cannot start {threads} threads"))?;
        Ok(Self { pool, threads })
    }

    /// Runs `work` on one of the threads. The others stay awake until it is done: waking one takes longer than the work
    /// that a training step has to hand over (some 50 microseconds in a virtual machine, against 1 or 2).
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let done = &AtomicBool::new(false);
        self.pool.install(|| {
            rayon::scope(|scope| {
                let _done = SetWhenDropped(done);
                let here = rayon::current_thread_index();
                scope.spawn_broadcast(move |_, thread| {
                    while Some(thread.index()) != here && !done.load(Ordering::Relaxed) {
                        if rayon::yield_now() != Some(rayon::Yield::Executed) {
                            std::thread::yield_now();
                        }
                    }
                });
                work()
            })
        })
    }
}

/// Sets its flag also when `work` panics, so that nobody waits forever.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Threads for Pool {
    fn count(&self) -> usize {
        self.threads
    }

    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        rayon::join(a, b);
    }
}

/// The value of `--threads`.
pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("expected a number of threads from 1 to 1024".to_owned()),
    }
}
