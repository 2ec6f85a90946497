//! Which of the runs train at the moment, and what their observer sees.

use core::mem::take;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::panicking;
use std::time::Instant;

use crate::event::Event;
use crate::session::Observer;

/// Time slice of a run, after which another one has its turn: much longer than it takes to wake a thread, much
/// shorter than a run.
const SLICE: Duration = Duration::from_millis(50);

/// Lets as many runs train at a time as there are threads. The others wait in line for their turn, first come, first
/// served.
#[derive(Debug)]
pub(super) struct Turns {
    threads: usize,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug)]
struct Line {
    /// Number of runs that have joined the line so far.
    joined: u64,
    /// Number of runs that have been given a turn, in the order in which they joined.
    called: u64,
    /// Number of folds that are not done.
    left: usize,
}

impl Turns {
    pub(super) fn new(threads: usize, folds: usize) -> Self {
        let line = Line { joined: 0, called: threads as u64, left: folds };
        Self { threads, line: Mutex::new(line), changed: Condvar::new() }
    }

    /// Waits until `run`, counted from 0, is needed: at once for as many as there are threads; for the others, when
    /// all folds that are left can be under way.
    pub(super) fn wait_for_start(&self, run: usize) {
        let is_early = |line: &mut Line| run >= self.threads && line.left >= 2 * self.threads;
        drop(self.changed.wait_while(lock(&self.line), is_early));
    }

    /// Waits for a turn, which lasts until it is dropped.
    pub(super) fn take(&self) -> Turn<'_> {
        self.wait(lock(&self.line));
        Turn(self)
    }

    fn wait(&self, mut line: MutexGuard<'_, Line>) {
        let place = line.joined;
        line.joined += 1;
        drop(self.changed.wait_while(line, |line| line.called <= place));
    }
}

/// The turn of a run.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Turn<'_> {
    /// Goes to the end of the line.
    fn pass(&self) {
        let mut line = lock(&self.0.line);
        line.called += 1;
        self.0.changed.notify_all();
        self.0.wait(line);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = lock(&self.0.line);
        line.called += 1;
        // After a panic nobody may wait for folds that are never begun.
        line.left = if panicking() { 0 } else { line.left.saturating_sub(1) };
        self.0.changed.notify_all();
    }
}

/// An observer of several runs, which sees their events in the order of the folds.
pub(super) struct Ordered<'a> {
    events: Mutex<Events<'a>>,
    /// The first fold, counted from 0, whose run is to stop; all later ones stop as well.
    end: AtomicUsize,
}

struct Events<'a> {
    observer: &'a mut (dyn Observer + Send),
    /// The first fold that is not done.
    current: usize,
    /// The events of each fold that the observer has not seen.
    waiting: Vec<VecDeque<Event>>,
}

impl<'a> Ordered<'a> {
    pub(super) fn new(observer: &'a mut (dyn Observer + Send), folds: usize) -> Self {
        let events = Events { observer, current: 0, waiting: vec![VecDeque::new(); folds] };
        Self { events: Mutex::new(events), end: AtomicUsize::new(usize::MAX) }
    }

    /// Stops the runs of `fold` and of later ones. Those before go on: the observer sees as much as if one run had
    /// followed the other.
    pub(super) fn stop_from(&self, fold: usize) {
        self.end.fetch_min(fold, Ordering::Relaxed);
    }

    /// Returns the observer of a fold, counted from 0.
    pub(super) fn fold<'f>(&'f self, fold: usize, turn: &'f Turn<'f>) -> OfFold<'a, 'f> {
        OfFold { ordered: self, fold, turn, since: Instant::now(), samples: 0 }
    }
}

/// The observer of one fold's run.
pub(super) struct OfFold<'a, 'f> {
    ordered: &'f Ordered<'a>,
    fold: usize,
    turn: &'f Turn<'f>,
    /// The beginning of the slice of time.
    since: Instant,
    /// Samples of the slice so far.
    samples: usize,
}

impl Observer for OfFold<'_, '_> {
    fn step(&mut self, samples: usize, epoch: u32, loss: f64) {
        self.samples += samples;
        if self.since.elapsed() >= SLICE {
            lock(&self.ordered.events).observer.step(take(&mut self.samples), epoch, loss);
        }
    }

    fn event(&mut self, event: &Event) {
        let Events { observer, current, waiting } = &mut *lock(&self.ordered.events);
        waiting[self.fold].push_back(event.clone());
        while let Some(event) = waiting.get_mut(*current).and_then(VecDeque::pop_front) {
            *current += usize::from(matches!(event, Event::Fold(_)));
            observer.event(&event);
        }
        if observer.stops() {
            self.ordered.stop_from(0);
        }
    }

    fn stops(&mut self) -> bool {
        if self.since.elapsed() >= SLICE {
            self.turn.pass();
            self.since = Instant::now();
            if lock(&self.ordered.events).observer.stops() {
                self.ordered.stop_from(0);
            }
        }
        self.fold >= self.ordered.end.load(Ordering::Relaxed)
    }
}

/// Locks also what a run that panicked has left; the panic goes on where its thread is joined.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Epoch, Fold};

    /// Records what it sees: fold and epoch, or 0 for a fold's end.
    #[derive(Default)]
    struct Notes {
        seen: Vec<(usize, u32)>,
        stops: bool,
    }

    impl Observer for Notes {
        fn event(&mut self, event: &Event) {
            self.seen.push(match event {
                Event::Epoch(epoch) => (epoch.fold.unwrap() as usize, epoch.epoch),
                Event::Fold(fold) => (fold.fold, 0),
                _ => unreachable!("no other event"),
            });
        }

        fn stops(&mut self) -> bool {
            self.stops
        }
    }

    fn epoch(fold: u32, epoch: u32) -> Event {
        Event::Epoch(Epoch { epoch, fold: Some(fold), ..Epoch::default() })
    }

    fn end(fold: usize) -> Event {
        Event::Fold(Fold { fold, ..Fold::default() })
    }

    #[test]
    fn no_more_runs_than_threads_have_a_turn() {
        let (turns, running) = (&Turns::new(2, 5), &AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(move || {
                    let turn = turns.take();
                    for _ in 0..200 {
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                        running.fetch_sub(1, Ordering::SeqCst);
                        turn.pass();
                    }
                });
            }
        });
        assert_eq!(lock(&turns.line).left, 0);
    }

    #[test]
    fn events_of_folds_are_seen_in_their_order() {
        let mut notes = Notes::default();
        let (turns, ordered) = (Turns::new(3, 3), Ordered::new(&mut notes, 3));
        let turn = turns.take();
        let [mut first, mut second, mut third] = [0, 1, 2].map(|fold| ordered.fold(fold, &turn));
        third.event(&epoch(3, 1));
        first.event(&epoch(1, 1));
        second.event(&epoch(2, 1));
        second.event(&end(2));
        third.event(&end(3));
        first.event(&epoch(1, 2));
        first.event(&end(1));
        let seen = [(1, 1), (1, 2), (1, 0), (2, 1), (2, 0), (3, 1), (3, 0)];
        assert_eq!(notes.seen, seen);
    }

    #[test]
    fn a_fold_that_fails_stops_only_later_ones() {
        let mut notes = Notes::default();
        let (turns, ordered) = (Turns::new(3, 3), Ordered::new(&mut notes, 3));
        let turn = turns.take();
        ordered.stop_from(2);
        assert_eq!([0, 1, 2].map(|fold| ordered.fold(fold, &turn).stops()), [false, false, true]);
    }

    #[test]
    fn an_observer_that_stops_stops_all() {
        let mut notes = Notes { stops: true, ..Notes::default() };
        let (turns, ordered) = (Turns::new(3, 2), Ordered::new(&mut notes, 2));
        let turn = turns.take();
        ordered.fold(1, &turn).event(&epoch(2, 1));
        assert!([0, 1].iter().all(|&fold| ordered.fold(fold, &turn).stops()));
    }
}
