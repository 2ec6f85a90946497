//! Training on one set after the other, as they come.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use picomlp::{InputMap, Layer, TrainingState};

use super::Session;
use crate::data::Scaling;

/// What training on the next set goes on from. Scales are those of the first set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Online {
    /// Steps made.
    pub steps: u64,
    /// The parameters in training; empty before the first set.
    pub params: Vec<f32>,
    /// The optimizer's state.
    pub state: Vec<f32>,
    /// Scale and shift of pixels.
    pub map: [f32; 2],
    /// What features are brought to.
    pub features: Scaling,
    /// What values to predict are brought to.
    pub targets: Scaling,
}

impl Online {
    pub(super) fn training_state(&self, seed: u64) -> TrainingState<'_> {
        let Self { steps, ref params, ref state, .. } = *self;
        TrainingState { seed, steps, params, state, best: &[] }
    }
}

/// Takes the state, which is whole whoever panicked: it is replaced at once.
pub(super) fn locked(online: &Mutex<Online>) -> MutexGuard<'_, Online> {
    online.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Session<'a> {
    /// Goes on from `online` and leaves there what the next session goes on from.
    ///
    /// # Errors
    ///
    /// If it is of another network.
    pub fn online(mut self, online: &'a Mutex<Online>) -> Result<Self> {
        let (setup, mut known) = (&mut self.setup, locked(online));
        if known.params.is_empty() {
            known.map = [setup.map.scale, setup.map.shift];
            known.features = setup.features.clone();
            known.targets = setup.targets.clone();
        } else {
            let (before, now) = (known.params.len(), self.net.params());
            ensure!(
                before == now,
                "the network has {now} parameters, but {before} in the sets before"
            );
            setup.map = InputMap { scale: known.map[0], shift: known.map[1] };
            setup.features = known.features.clone();
            setup.targets = known.targets.clone();
            setup.outputs = known.targets.inverse();
        }
        drop(known);
        self.online = Some(online);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;
    use crate::data::{Amount, Dataset, Source};

    #[test]
    fn two_sets_in_their_order_train_as_one_does() {
        let data = Dataset::load(&Source::Motion, &Default::default()).unwrap();
        let mut config = TrainConfig { epochs: 1, shuffle: false, ..TrainConfig::mlp([8]) };
        config.scale = crate::data::Scale::None; // each set would have its own
        (config.split.test, config.split.validation) = (Some(Amount::NONE), Some(Amount::NONE));
        config.model.dropout = Some("0.25".parse().unwrap());
        let online = Mutex::new(Online::default());
        let train = |range: core::ops::Range<u32>, online| {
            let data = data.subset(&range.collect::<Vec<_>>());
            let session = Session::new(config.clone(), &data).unwrap();
            let session: Session<'_> = match online {
                Some(online) => session.online(online).unwrap(),
                None => session,
            };
            session.run(|_| ()).unwrap().fingerprint()
        };
        let whole = train(0..640, None);
        let first = train(0..320, Some(&online));
        assert_ne!(first, whole);
        assert_eq!(train(320..640, Some(&online)), whole);
        assert_eq!(online.lock().unwrap().steps, 10);
        config.model.hidden.0 = vec![9];
        let data = data.subset(&[0, 1, 2, 3]);
        let error = Session::new(config, &data).unwrap().online(&online).unwrap_err().to_string();
        assert!(error.starts_with("the network has "), "{error}");
    }
}
