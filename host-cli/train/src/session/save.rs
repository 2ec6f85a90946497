//! Checkpoints of a session: how it writes them, and goes on from one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use picomlp::optim::Optimizer;
use picomlp::{Layer, Network, TrainingState, blob};

use super::Session;
use crate::checkpoint::{Checkpoint, Checkpoints, Progress, flags};
use crate::config::{Built, ScheduleSpec};
use crate::event::Epoch;
use crate::trained::{Place, Setup, Trained, all_settings};

impl<'a> Session<'a> {
    /// Writes checkpoints in the run.
    ///
    /// # Errors
    ///
    /// If the folder has checkpoints of another run: later ones than the one to go on from, or any at all. So
    /// [`resume`](Self::resume) comes first.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Result<Self> {
        checkpoints.check_later(self.resumed.as_ref().map(|(from, _)| from))?;
        self.checkpoints = Some(checkpoints);
        Ok(self)
    }

    /// Goes on from a checkpoint. The run ends in the same bits, the same history and the same model file as one that never
    /// stopped. More epochs than before are no other setting, unless the schedule depends on their number.
    ///
    /// # Errors
    ///
    /// If the checkpoint is of other data or settings, naming the difference, unless `force`: then the first epoch that is not
    /// done starts over. If it is of another network or optimizer, or has more epochs.
    pub fn resume(mut self, from: Checkpoint, force: bool) -> Result<Self> {
        let (setup, shown) = (&self.setup, from.path().display());
        let mut settings = flags(all_settings(&setup.config, setup.data, &setup.split));
        let mut free = vec!["data", "test-data", "init-from"]; // which may have moved
        if !matches!(setup.config.schedule, ScheduleSpec::Cosine { .. }) {
            free.push("epochs");
        }
        for flag in free {
            let there = from.settings.get(flag).cloned();
            there.into_iter().for_each(|value| _ = settings.insert(flag.to_owned(), value));
        }
        let mut differences = from.differences(&settings);
        let test_print = &from.progress.test_fingerprint;
        let test_print = u64::from_str_radix(test_print, 16).with_context(|| {
            format!("{shown}: its fingerprint of the test samples is '{test_print}'")
        })?;
        let prints = [
            ("training", from.provenance()?.data_fingerprint, &setup.split.seen()),
            ("test", test_print, &setup.split.test),
        ];
        for (name, there, samples) in prints {
            let here = setup.data.fingerprint(samples);
            if here != there {
                differences.push(format!(
                    "the fingerprint of the {name} samples is {here:016x}, but {there:016x} in the checkpoint"
                ));
            }
        }
        let (here, there) = (base_fingerprint(setup), &from.progress.base_fingerprint);
        // With other layers that stay as they are, the trained ones mean nothing.
        ensure!(
            here == *there,
            "{shown}: it is of another run: the fingerprint of the model of --init-from is {here}, but {there} in the checkpoint"
        );
        if !differences.is_empty() && !force {
            let differences = differences.join("; ");
            bail!("{shown}: it is of another run: {differences}. --force goes on all the same");
        }
        let training = from.training()?;
        let (_, trained) = self.parts()?;
        let state = match setup.config.optimizer.build() {
            Built::Fused(optimizer) => optimizer.state_len_of(&trained),
            Built::Grouped(optimizer) => optimizer.state_len_of(&trained),
        };
        let (got, expected) =
            ([training.params.len(), training.state.len()], [self.net.params(), state]);
        ensure!(
            got == expected,
            "{shown}: it is of another network or optimizer: it has {} parameters and {} values of the optimizer's state, \
             expected {} and {}",
            got[0],
            got[1],
            expected[0],
            expected[1]
        );
        let (done, epochs) = (from.epochs().len(), setup.config.epochs);
        ensure!(
            done <= epochs as usize,
            "{shown}: it has {done} epochs, and the run is to have {epochs}: give --epochs {done} or more"
        );
        let mut progress = from.progress.clone();
        let steps = setup.split.train.len().div_ceil(setup.batch_size) as u64;
        ensure!(
            progress.batches < steps && progress.batches <= training.steps
                || !differences.is_empty(),
            "{shown}: it stands at batch {} of an epoch of {steps}",
            progress.batches
        );
        if !differences.is_empty() {
            (progress.batches, progress.loss_sum, progress.seconds) = (0, 0.0, 0.0);
        }
        self.resumed = Some((from, progress));
        Ok(self)
    }

    /// Returns the epochs that are done before the run begins.
    #[must_use]
    pub fn epochs_done(&self) -> &[Epoch] {
        self.resumed.as_ref().map_or(&[], |(_, progress)| &progress.epochs)
    }
}

/// Writes the checkpoints of a run.
pub(super) struct Saver {
    pub(super) to: Checkpoints,
    /// The step of the last one.
    pub(super) saved: Option<u64>,
    /// The model and what its file records, most of which stays.
    model: Option<Trained>,
    test_fingerprint: String,
}

impl Saver {
    pub(super) fn new(to: Checkpoints) -> Self {
        Self { to, saved: None, model: None, test_fingerprint: String::new() }
    }

    /// Writes a checkpoint: the model at `place`, as it is used, and what training goes on from.
    pub(super) fn save(
        &mut self,
        session: &Session<'_>,
        training: TrainingState<'_>,
        progress: &Progress,
        place: Place,
    ) -> Result<PathBuf> {
        self.saved = Some(training.steps);
        let setup = &session.setup;
        let best = if training.best.is_empty() { training.params } else { training.best };
        let mut params = best.to_vec();
        let (net, params) = session.net.fold(&mut params)?;
        let (net, params) = setup.in_own_units(&net, params)?;
        let model = match &mut self.model {
            Some(model) => {
                model.update(setup, params, place)?;
                model
            }
            none => {
                self.test_fingerprint =
                    format!("{:016x}", setup.data.fingerprint(&setup.split.test));
                none.insert(Trained::new(setup, net, params, place, None)?)
            }
        };
        let progress = Progress {
            test_fingerprint: self.test_fingerprint.clone(),
            base_fingerprint: base_fingerprint(setup),
            outputs: flags(self.to.outputs.iter().cloned()),
            ..progress.clone()
        };
        let path = self.to.file(progress.epochs.len(), training.steps);
        let settings = flags(all_settings(&setup.config, setup.data, &setup.split));
        let [progress, settings] =
            [serde_json::to_string(&progress)?, serde_json::to_string(&settings)?];
        let checkpoint = blob::Checkpoint { training, progress: &progress, settings: &settings };
        self.to.write(&path, &model.to_bytes_with(&path, Some(checkpoint))?)?;
        Ok(path)
    }
}

/// Fingerprint of the model that a run starts from; empty if there is none.
fn base_fingerprint(setup: &Setup<'_>) -> String {
    setup.base.as_ref().map_or(String::new(), |base| format!("{:016x}", base.fingerprint))
}
