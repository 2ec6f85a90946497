//! The epochs of a run, as lines of JSON: what `train --json` prints, and `train --plots` keeps.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::error::Category;

use crate::event::{Epoch, Event};
use crate::open::read_text;

/// Bytes of a file at most: 100,000 epochs' lines.
const MAX_TEXT: u64 = 64 << 20;

/// A training run, or the folds of a cross-validation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// All epochs; what was not measured is `None`.
    pub epochs: Vec<Epoch>,
    /// The epoch whose parameters were kept.
    pub kept: Option<u32>,
}

impl History {
    /// Takes what an event says.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Epoch(epoch) => self.epochs.push(epoch.clone()),
            Event::Done(done) => self.kept = done.kept_epoch,
            _ => {}
        }
    }

    /// Reads a file of `train`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a line is not what `train` prints, naming it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, MAX_TEXT)?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses the text of such a file.
    ///
    /// # Errors
    ///
    /// If a line is not what `train` prints, naming it.
    pub fn parse(text: &str) -> Result<Self> {
        let mut history = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let event = serde_json::from_str(line).map_err(|error| match error.classify() {
                Category::Data => {
                    let why = error.to_string();
                    anyhow!("line {number}: {}", why.split(" at line ").next().unwrap_or_default())
                }
                _ => {
                    anyhow!("line {number} is not JSON, expected what `train --json` prints")
                }
            })?;
            if let Event::Epoch(epoch) = &event {
                check(epoch).with_context(|| format!("line {number}"))?;
            }
            history.add(&event);
        }
        ensure!(!history.epochs.is_empty(), "no epoch in it, expected what `train --json` prints");
        Ok(history)
    }
}

/// Checks that the values of an epoch can be drawn.
pub(crate) fn check(epoch: &Epoch) -> Result<()> {
    for (name, value) in [("epoch", Some(epoch.epoch)), ("fold", epoch.fold)] {
        ensure!(value != Some(0), "`{name}` is 0, expected a whole number from 1");
    }
    for (name, value, most) in [
        ("train_loss", epoch.train_loss, f64::MAX),
        ("train_accuracy", epoch.train_accuracy, 1.0),
        ("val_loss", epoch.val_loss, f64::MAX),
        ("val_accuracy", epoch.val_accuracy, 1.0),
    ] {
        let range = if most == 1.0 { "from 0 to 1" } else { "of at least 0" };
        if let Some(value) = value.filter(|value| !(0.0..=most).contains(value)) {
            anyhow::bail!("`{name}` is {value}, expected a number {range}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_the_epochs_and_ignores_other_events() {
        let text = r#"{"event":"start","network":"64-4"}
{"event":"epoch","epoch":1,"train_loss":0.5,"val_accuracy":0.75,"val_loss":null,"lr":0.1}

{"event":"epoch","epoch":2,"fold":3,"train_loss":0.25,"train_accuracy":1.0}
{"event":"fold","fold":1}
{"event":"done","kept_epoch":2}"#;
        let history = History::parse(text).unwrap();
        let first = &history.epochs[0];
        assert_eq!((first.epoch, first.fold, first.train_loss), (1, None, Some(0.5)));
        assert_eq!((first.val_accuracy, first.val_loss), (Some(0.75), None));
        assert_eq!(
            (history.epochs[1].fold, history.epochs[1].train_accuracy),
            (Some(3), Some(1.0))
        );
        assert_eq!(history.kept, Some(2));
    }

    #[test]
    fn parse_says_which_line_is_wrong_and_what_was_expected() {
        for (text, expected) in [
            ("", "no epoch in it"),
            ("{}", "line 1: missing field `event`"),
            ("\nepoch 1", "line 2 is not JSON"),
            (r#"{"event":"epoch"}"#, "line 1: missing field `epoch`"),
            (
                r#"{"event":"epoch","epoch":0}"#,
                "line 1: `epoch` is 0, expected a whole number from 1",
            ),
            (
                r#"{"event":"epoch","epoch":1,"val_accuracy":97}"#,
                "line 1: `val_accuracy` is 97, expected a number from 0 to 1",
            ),
            (
                r#"{"event":"epoch","epoch":1,"train_loss":"x"}"#,
                r#"line 1: invalid type: string "x", expected f64"#,
            ),
        ] {
            let error = format!("{:#}", History::parse(text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
