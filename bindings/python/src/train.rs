//! Training, which Ctrl-C ends.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, anyhow};
use picomlp_train::data::Scaling;
use picomlp_train::event::Event;
use picomlp_train::{ModelFile, Observer, Session, Stopped};
use pyo3::{Py, PyAny, PyErr, PyRef, PyResult, Python, pyclass, pyfunction, pymethods};

use crate::arrays::{Answers, Inputs, Names, dataset, targets};
use crate::error::exception;
use crate::model::Model;
use crate::settings::config;

/// How often Python's signals are looked for.
const SIGNALS: Duration = Duration::from_millis(50);

/// Sends what happens to the thread that holds Python's attention, the only one that signals reach.
struct Watch<'a> {
    events: Sender<Event>,
    stop: &'a AtomicBool,
}

impl Observer for Watch<'_> {
    fn event(&mut self, event: &Event) {
        // Nobody listens any more once training is to stop.
        let _ = self.events.send(event.clone());
    }

    fn stops(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What a run leaves: the model, what speaks against it, and the exception that stopped the run.
type Outcome = (Option<Model>, Vec<String>, Option<PyErr>);

/// What training on the next samples goes on from.
#[pyclass(module = "picomlp._native")]
#[derive(Default)]
pub(crate) struct Online(Mutex<picomlp_train::Online>);

/// What pickle keeps of it: steps, and the arrays.
type Known = (u64, [f32; 2], [Vec<f32>; 6]);

#[pymethods]
impl Online {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __getstate__(&self) -> Known {
        let picomlp_train::Online { steps, params, state, map, features, targets } =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let scalings = [features.scales, features.shifts, targets.scales, targets.shifts];
        let [a, b, c, d] = scalings;
        (steps, map, [params, state, a, b, c, d])
    }

    // No scaling here fills gaps: arrays with NaN are refused.
    fn __setstate__(&mut self, known: Known) {
        let (steps, map, [params, state, scales, shifts, target_scales, target_shifts]) = known;
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = picomlp_train::Online {
            steps,
            params,
            state,
            map,
            features: Scaling { scales, shifts, ..Scaling::default() },
            targets: Scaling { scales: target_scales, shifts: target_shifts, ..Scaling::default() },
        };
    }
}

/// Trains a network on `x` and `y` and returns the model, warnings, and the exception of a signal that stopped the run; calls
/// `on_line` with each thing that the library chose, and with a line of JSON after each epoch. Goes on from `online`, if there is
/// one, and leaves there what follows.
#[pyfunction]
pub(crate) fn train(
    py: Python<'_>,
    x: Inputs<'_>,
    y: Option<Answers<'_>>,
    names: Names,
    settings: Vec<(String, String)>,
    on_line: Py<PyAny>,
    online: Option<PyRef<'_, Online>>,
) -> PyResult<Outcome> {
    let (inputs, width, targets) = (x.values()?, x.width(), targets(y.as_ref())?);
    let online = online.as_ref().map(|online| &online.0);
    py.detach(|| -> Result<Outcome> {
        let data = dataset(inputs, width, targets, names)?;
        let mut session = Session::new(config(&settings)?, &data)?;
        if let Some(online) = online {
            session = session.online(online)?;
        }
        let mut stopped_by = None;
        let tell = |text: Option<String>| {
            Python::attach(|py| {
                py.check_signals()?;
                text.map_or(Ok(()), |text| on_line.call1(py, (text,)).map(drop))
            })
        };
        for note in &session.split().notes {
            if let Err(exception) = tell(Some(note.clone())) {
                return Ok((None, Vec::new(), Some(exception)));
            }
        }
        let stop = AtomicBool::new(false);
        let ended = thread::scope(|scope| {
            let (sender, events) = channel();
            let mut watch = Watch { events: sender, stop: &stop };
            let run = scope.spawn(move || session.run_with(&mut watch));
            loop {
                let text = match events.recv_timeout(SIGNALS) {
                    Ok(event) => Some(event.to_json()),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if stopped_by.is_none()
                    && let Err(exception) = tell(text)
                {
                    stop.store(true, Ordering::Relaxed);
                    stopped_by = Some(exception);
                }
            }
            run.join()
        });
        let ended = ended.map_err(|_| anyhow!("the training thread panicked"))?;
        let trained = match ended {
            Ok(trained) => trained,
            Err(error) => match error.downcast::<Stopped>()? {
                Stopped { trained, .. } if stopped_by.is_some() => match trained {
                    Some(trained) => *trained,
                    None => return Ok((None, Vec::new(), stopped_by)),
                },
                stopped => return Err(stopped.into()),
            },
        };
        let file = ModelFile::from_bytes(
            Path::new("the model"),
            &trained.to_bytes(Path::new("model.pmlp"))?,
        )?;
        let warnings = trained.failure.into_iter().chain(trained.collapse).collect();
        Ok((Some(Model::new(file, false)?), warnings, stopped_by))
    })
    .map_err(exception)
}
