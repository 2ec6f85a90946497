//! Checkpoints: whatever is read can be resumed or is refused.

use std::path::Path;

use picomlp::blob::{Checkpoint as Sections, Contents};
use picomlp::{Sequential, TrainingState};
use picomlp_train::config::TrainConfig;
use picomlp_train::data::Dataset;
use picomlp_train::{Checkpoint, ModelFile, Session};

use crate::blob::{Bytes, seal};

/// A checkpoint file, as it is and repaired; and a sound one whose progress and settings are the two halves of a text.
pub fn checkpoint(data: &[u8]) -> bool {
    let mut bytes = Bytes::from_slice(16, data);
    let mut taken = resumed(&bytes);
    seal(&mut bytes);
    taken |= resumed(&bytes);
    if let Some((progress, settings)) = str::from_utf8(data).ok().and_then(|t| t.split_once('\n')) {
        let net = Sequential::mlp(&[2, 3]).unwrap();
        let [params, state] = [[0.5; 9].as_slice(), &[0.25; 18]];
        for best in [&[][..], params] {
            let training = TrainingState { seed: 1, steps: 4, params, state, best };
            let checkpoint = Some(Sections { training, progress, settings });
            let contents = Contents { checkpoint, ..Contents::new(&net, params) };
            let mut bytes = Bytes::new(16);
            contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
            taken |= resumed(&bytes);
        }
    }
    taken
}

/// Reads a checkpoint, and goes on from it on a tiny set if it is of such a network.
fn resumed(bytes: &[u8]) -> bool {
    let file = ModelFile::from_bytes(Path::new("c.pmlp"), bytes).unwrap();
    let checkpoint = match Checkpoint::of_file(file) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            assert!(format!("{error:#}").starts_with("c.pmlp: "), "{error:#}");
            return false;
        }
    };
    assert!(
        checkpoint.flags().all(|(_, value)| value.is_none_or(|value| value.len() <= bytes.len()))
    );
    let data = Dataset {
        inputs: vec![0u8, 9, 9, 0, 5, 5, 0, 1].into(),
        targets: vec![0u8, 1, 2, 0].into(),
        rows: 1,
        cols: 2,
        classes: 3,
        max: 9,
        ..Dataset::default()
    };
    let config = TrainConfig { epochs: 3, batch_size: 2, threads: Some(1), ..TrainConfig::mlp([]) };
    let session = || Session::new(config.clone(), &data).unwrap();
    if let Err(error) = session().resume(checkpoint.clone(), false) {
        assert!(format!("{error:#}").starts_with("c.pmlp: "), "{error:#}");
    }
    if let Ok(session) = session().resume(checkpoint, true) {
        let done = session.epochs_done().len() as u32;
        let mut next = done + 1;
        let ended = session.run(|epoch| {
            assert_eq!(epoch.epoch, next);
            next += 1;
        });
        assert!(ended.is_err() || next == 4);
    }
    true
}
