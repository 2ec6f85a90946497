//! A monitor's log: what `picomlp replay` reads, and `picomlp train` too.

use picomlp::monitor::Threshold;
use picomlp::{MonitorSettings, Observation};
use ryu::Buffer;

use crate::console::Decimal;

/// Writes a log in pieces, to a file, a serial port or a card.
pub struct MonitorLog<W> {
    write: W,
}

impl<W: FnMut(&str)> MonitorLog<W> {
    /// Begins a log: the settings of a monitor that is trained with Adam at its default settings, and the titles of the columns.
    pub fn new(write: W, rate: f32, settings: &MonitorSettings, features: u32) -> Self {
        let mut log = Self { write };
        log.text("# picomlp monitor: optimizer=adam lr=");
        log.float(rate);
        for (name, count) in [
            (" learn=", settings.learn),
            (" patience=", settings.patience),
            (" calibrate=", settings.calibrate),
            (" votes=", settings.votes_needed),
            ("/", settings.votes_of),
        ] {
            log.text(name);
            log.count(count);
        }
        let (name, threshold) = match settings.threshold {
            Threshold::Quantile(fraction) => (" quantile=", fraction),
            Threshold::Deviations(deviations) => (" deviations=", deviations),
        };
        log.text(name);
        log.float(threshold);
        if let Some(rate) = settings.drift {
            log.text(" drift=");
            log.float(rate);
        }
        log.text("\n");
        for feature in 0..features {
            log.text("f");
            log.count(feature);
            log.text(",");
        }
        log.text("sample,score,decision\n");
        log
    }

    /// Adds an observation; `sample` is the number of samples in the monitor's phase before it.
    pub fn row(&mut self, features: &[f32], sample: u32, said: Observation) {
        for feature in features {
            self.float(*feature);
            self.text(",");
        }
        self.count(sample);
        self.text(",");
        self.float(said.score());
        self.text(",");
        self.text(said.decision());
        self.text("\n");
    }

    fn text(&mut self, text: &str) {
        (self.write)(text);
    }

    fn count(&mut self, number: u32) {
        (self.write)(Decimal::new(number).as_str());
    }

    /// The shortest digits that are read back as the same bits; the monitor takes and gives finite numbers alone.
    fn float(&mut self, number: f32) {
        self.text(Buffer::new().format_finite(number));
    }
}
