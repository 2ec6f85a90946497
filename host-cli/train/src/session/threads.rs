//! Finds the number of threads on which a run is fastest, if the user gives none.
//!
//! A second thread halves the arithmetic of a step, but each pass has to be handed over, and weights that one core
//! has changed have to be sent to the other. That costs 1 to 20 microseconds, depending on the machine and on what
//! else it does. So it is measured: the run makes a few steps on one thread, two, four and so on, in turn, and the
//! next thousand on the fastest number. The bits do not depend on it.

use core::time::Duration;

use crate::pool::Pool;

/// Consecutive steps on one number of threads; in the first of them, weights still come from other cores.
const STEPS: usize = 4;

/// Times that a trial goes through all numbers of threads.
const ROUNDS: usize = 3;

/// Steps between two trials.
const HOLDS: usize = 1_000;

/// More threads are used only below this share of the time: other programs of the machine could use them as well.
const SAVES: f64 = 0.95;

/// Measures on how many threads steps are fastest.
pub(super) struct Tuner<'a> {
    pool: &'a Pool,
    /// Numbers of threads, each with its fastest step in this trial.
    trial: Vec<(usize, Duration)>,
    /// Steps since the trial began.
    step: usize,
}

impl<'a> Tuner<'a> {
    pub(super) fn new(pool: &'a Pool) -> Self {
        let most = pool.threads();
        let powers = (0..usize::BITS).map(|bit| 1 << bit).take_while(|&threads| threads < most);
        let trial = powers.chain([most]).map(|threads| (threads, Duration::MAX)).collect();
        let tuner = Self { pool, trial, step: 0 };
        tuner.apply();
        tuner
    }

    /// Records the time of a step, and sets the number of threads of the next one.
    pub(super) fn took(&mut self, time: Duration) {
        let numbers = self.trial.len();
        if self.step < self.trial_steps() {
            let (_, fastest) = &mut self.trial[self.step / STEPS % numbers];
            *fastest = time.min(*fastest);
        }
        self.step += 1;
        if self.step == self.trial_steps() + HOLDS {
            self.step = 0;
            self.trial.iter_mut().for_each(|(_, fastest)| *fastest = Duration::MAX);
        }
        self.apply();
    }

    fn trial_steps(&self) -> usize {
        ROUNDS * STEPS * self.trial.len()
    }

    fn apply(&self) {
        if self.step < self.trial_steps() {
            self.pool.use_threads(self.trial[self.step / STEPS % self.trial.len()].0, false);
        } else if self.step == self.trial_steps() {
            self.pool.use_threads(self.fastest(), true);
        }
    }

    /// Returns the number that was fastest; the smaller one of two that are equally fast.
    fn fastest(&self) -> usize {
        let (mut best, mut least) = self.trial[0];
        for &(threads, time) in &self.trial[1..] {
            if time < least.mul_f64(SAVES) {
                (best, least) = (threads, time);
            }
        }
        best
    }
}

impl Drop for Tuner<'_> {
    fn drop(&mut self) {
        self.pool.use_threads(self.pool.threads(), false);
    }
}

#[cfg(test)]
mod tests {
    use picomlp::Threads;

    use super::*;
    use crate::config::TrainConfig;
    use crate::data::{Dataset, Source};
    use crate::pool::cores;
    use crate::session::Session;

    /// Runs a trial in which a step on N threads takes `time(N)` microseconds. Returns what is used after it.
    fn choice(tuner: &mut Tuner<'_>, pool: &Pool, time: impl Fn(usize) -> u64) -> usize {
        for _ in 0..tuner.trial_steps() {
            tuner.took(Duration::from_micros(time(pool.count())));
        }
        pool.count()
    }

    #[test]
    fn the_number_of_threads_is_the_fastest_one_and_of_equals_the_smallest() {
        let pool = Pool::new(Some(6)).unwrap();
        let mut tuner = Tuner::new(&pool);
        assert_eq!(
            tuner.trial.iter().map(|&(threads, _)| threads).collect::<Vec<_>>(),
            [1, 2, 4, 6]
        );
        assert_eq!(choice(&mut tuner, &pool, |threads| 100 + 10 * threads as u64), 1);
        for _ in 0..HOLDS {
            assert_eq!(pool.count(), 1);
            tuner.took(Duration::from_micros(1));
        }
        assert_eq!(choice(&mut tuner, &pool, |threads| 1_000 / threads as u64), 6);
        (0..HOLDS).for_each(|_| tuner.took(Duration::ZERO));
        assert_eq!(choice(&mut tuner, &pool, |threads| if threads == 1 { 200 } else { 100 }), 2);
        drop(tuner);
        assert_eq!(pool.count(), 6);
    }

    #[test]
    fn a_run_that_measures_gives_the_bits_of_one_thread() {
        let data = Dataset::load(&Source::Motion, &Default::default()).unwrap();
        let train = |threads| {
            let config =
                TrainConfig { threads, batch_size: 4, epochs: 7, ..TrainConfig::mlp([64]) };
            let trained = Session::new(config, &data).unwrap().run(|_| ()).unwrap();
            assert!(trained.steps > 2 * HOLDS as u64 && (1..=cores()).contains(&trained.threads));
            trained.fingerprint()
        };
        assert_eq!(train(None), train(Some(1)));
    }

    #[test]
    fn one_thread_is_all_there_is_on_one_core() {
        let pool = Pool::new(Some(1)).unwrap();
        assert_eq!(choice(&mut Tuner::new(&pool), &pool, |_| 1), 1);
    }
}
