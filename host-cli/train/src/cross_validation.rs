//! Cross-validation: each fold is what one run has as its test set. The runs train side by side.

mod turns;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};
use picomlp::Network;
use picomlp::fingerprint::fingerprint;
use turns::{Ordered, Turns};

use crate::classifier::Classifier;
use crate::config::TrainConfig;
use crate::data::{Dataset, Split};
use crate::event::{Event, Fold, measures};
use crate::pool::{Pool, cores};
use crate::session::{Observer, Session};
use crate::trained::{Ending, Stopped};
use crate::vote;

/// A cross-validation: one run for each fold, which is what the run has as its test set.
///
/// As many runs train at a time as there are threads, each on one thread (on its share of them, if there are more
/// threads than folds). When fewer than two folds a thread are left, all of them take turns, so that no core is idle
/// at the end while one fold has most of its way to go. Each run has its own parameters, optimizer state and
/// workspace: the memory is that of `2 · threads - 1` runs at most. Neither results nor their order depend on the
/// number of threads.
#[derive(Debug)]
pub struct CrossValidation<'a> {
    sessions: Vec<Session<'a>>,
    threads: usize,
    /// One for each run that may be under way.
    pools: Vec<Arc<Pool>>,
}

impl<'a> CrossValidation<'a> {
    /// Splits the data into `folds` folds. Each run starts from the same initial weights and trains on all folds but one, of
    /// which the validation samples are held out.
    ///
    /// # Errors
    ///
    /// Those of [`Session::new`]; if a fold would be empty.
    pub fn new(config: &TrainConfig, data: &'a Dataset, folds: usize) -> Result<Self> {
        let mut config = config.clone();
        let settled = config.settle(data);
        let mut splits = Split::folds(data, &config.split, config.seed, folds)?;
        splits.iter_mut().for_each(|split| split.notes.extend(settled.clone()));
        let threads = config.threads.unwrap_or_else(cores).max(1);
        let share = |run: usize| Pool::new(Some(((threads + run) / folds).max(1)));
        let runs = folds.min(2 * threads - 1);
        let pools: Vec<_> = (0..runs).map(|run| share(run).map(Arc::new)).collect::<Result<_>>()?;
        let session = |(fold, split)| {
            Session::of_split(config.clone(), data, split, Arc::clone(&pools[0]), Some(fold))
                .with_context(|| format!("fold {fold}"))
        };
        let sessions = (1..).zip(splits).map(session).collect::<Result<_>>()?;
        Ok(Self { sessions, threads, pools })
    }

    /// Returns the run of each fold.
    #[must_use]
    pub fn sessions(&self) -> &[Session<'a>] {
        &self.sessions
    }

    /// Trains for each fold and measures on it. The observer sees the epochs of a fold and then its result, fold
    /// after fold, as soon as all folds before are done.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if a run diverges or the observer stops it.
    pub fn run(self, observer: &mut (dyn Observer + Send)) -> Result<Vec<Fold>> {
        let turns = &Turns::new(self.threads, self.sessions.len());
        let ordered = &Ordered::new(observer, self.sessions.len());
        let results: Mutex<Vec<_>> = Mutex::new(self.sessions.iter().map(|_| None).collect());
        let queue = &Mutex::new(self.sessions.into_iter().enumerate());
        thread::scope(|scope| {
            for (run, pool) in self.pools.iter().enumerate() {
                let results = &results;
                scope.spawn(move || {
                    turns.wait_for_start(run);
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((fold, mut session)) = next else { break };
                        session.pool = Arc::clone(pool);
                        let turn = turns.take();
                        let result = train(&session, fold + 1, &mut ordered.fold(fold, &turn));
                        if result.is_err() {
                            ordered.stop_from(fold + 1);
                        }
                        results.lock().unwrap_or_else(PoisonError::into_inner)[fold] = Some(result);
                    }
                });
            }
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
    }
}

/// Trains for one fold and measures on it.
fn train(
    session: &Session<'_>,
    number: usize,
    observer: &mut (dyn Observer + Send),
) -> Result<Fold> {
    let (mut params, ended) = session.learn(observer)?;
    let (Some(kept), Ending::Finished | Ending::Patience(_)) = (ended.kept, ended.ending) else {
        let stopped = Stopped { ending: ended.ending, trained: None };
        return Err(anyhow!(stopped).context(format!("fold {number}")));
    };
    let (net, params) = session.net.fold(&mut params)?;
    let setup = &session.setup;
    let (net, params) = setup.in_own_units(&net, params)?;
    let gaps = setup.gaps();
    let classifier = Classifier::new(&net, &params, setup.map, setup.loss.kind()).scaled(&gaps);
    let test = vote::evaluate(&classifier, &session.pool, setup.data, &setup.split.test)?;
    let fold = Fold {
        fold: number,
        measures: measures(Some(&test), "test_", &[]).collect(),
        main: test.main_measure(),
        are_values: test.regression.is_some(),
        test_loss: test.loss,
        test_samples: test.samples,
        kept_epoch: kept.epoch,
        fingerprint: format!("{:016x}", fingerprint(&params)),
        seconds: ended.training.as_secs_f64(),
    };
    observer.event(&Event::Fold(fold.clone()));
    Ok(fold)
}
