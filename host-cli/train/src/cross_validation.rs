//! Cross-validation: each fold in turn is what a run has as its test set.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use picomlp::Network;
use picomlp::fingerprint::fingerprint;

use crate::classifier::Classifier;
use crate::config::TrainConfig;
use crate::data::{Dataset, Scaling, Split};
use crate::event::{Event, Fold, measures};
use crate::pool::Pool;
use crate::scaled::in_own_units;
use crate::session::{Observer, Session};
use crate::trained::{Ending, Setup, Stopped};
use crate::vote;

/// A cross-validation: one run for each fold, which is what the run would have as its test set.
#[derive(Debug)]
pub struct CrossValidation<'a>(Vec<Session<'a>>);

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
        let pool = Arc::new(Pool::new(config.threads)?);
        let session = |(fold, split)| {
            Session::of_split(config.clone(), data, split, Arc::clone(&pool), Some(fold))
                .with_context(|| format!("fold {fold}"))
        };
        Ok(Self((1..).zip(splits).map(session).collect::<Result<_>>()?))
    }

    /// Returns the run of each fold.
    #[must_use]
    pub fn sessions(&self) -> &[Session<'a>] {
        &self.0
    }

    /// Trains for each fold and measures on it.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if a run diverges or the observer stops it.
    pub fn run(&self, observer: &mut (dyn Observer + Send)) -> Result<Vec<Fold>> {
        let mut folds = Vec::with_capacity(self.0.len());
        for (number, session) in (1..).zip(&self.0) {
            let (mut params, ended) = session.learn(observer)?;
            let (Some(kept), Ending::Finished | Ending::Patience(_)) = (ended.kept, ended.ending)
            else {
                let stopped = Stopped { ending: ended.ending, trained: None };
                return Err(anyhow!(stopped).context(format!("fold {number}")));
            };
            let (net, params) = session.net.fold(&mut params)?;
            let Setup { features, targets, .. } = &session.setup;
            let (net, params) = in_own_units(&net, params, features, &targets.inverse())?;
            let gaps = Scaling { fill: features.fill.clone(), ..Scaling::default() };
            let classifier =
                Classifier::new(&net, &params, session.setup.map, session.setup.loss.kind())
                    .scaled(&gaps);
            let (data, samples) = (session.setup.data, &session.setup.split.test);
            let test = vote::evaluate(&classifier, &session.pool, data, samples, data.schema.vote)?;
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
            folds.push(fold);
        }
        Ok(folds)
    }
}
