//! What the epochs of a training brought, as lines of JSON: what `train --json` prints, and `train --plots` keeps.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::open::read_text;

/// Bytes of a file at most: 100,000 epochs' lines.
const MOST_TEXT: u64 = 64 << 20;

/// One epoch; what was not measured is nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Epoch {
    pub(crate) epoch: u32,
    /// Of a cross-validation; 0 without one.
    pub(crate) fold: u32,
    pub(crate) train_loss: Option<f64>,
    pub(crate) train_accuracy: Option<f64>,
    pub(crate) val_loss: Option<f64>,
    pub(crate) val_accuracy: Option<f64>,
}

/// A training, or the folds of a cross-validation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) epochs: Vec<Epoch>,
    /// The epoch whose parameters were kept.
    pub(crate) kept: Option<u32>,
}

impl History {
    /// Reads a file of `train`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a line is not what `train` prints, naming it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = read_text(path, MOST_TEXT)?;
        Self::parse(&text).with_context(|| shown.to_string())
    }

    /// As [`read`](Self::read), from the file's text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut history = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let at = || format!("line {number}");
            let value: Value = serde_json::from_str(line).with_context(|| {
                format!("line {number} is no JSON, expected what `train --json` prints")
            })?;
            match value["event"].as_str() {
                Some("epoch") => history.epochs.push(Epoch::new(&value).with_context(at)?),
                Some("done") => {
                    history.kept =
                        value["kept_epoch"].as_u64().and_then(|epoch| u32::try_from(epoch).ok());
                }
                Some(_) => {}
                None => {
                    bail!("line {number} has no `event`, expected what `train --json` prints")
                }
            }
        }
        ensure!(!history.epochs.is_empty(), "no epoch in it, expected what `train --json` prints");
        Ok(history)
    }
}

impl Epoch {
    fn new(line: &Value) -> Result<Self> {
        let whole = |name: &str| -> Result<Option<u32>> {
            match &line[name] {
                Value::Null => Ok(None),
                value => {
                    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                    let number = number.filter(|number| *number > 0);
                    let what = || format!("`{name}` is {value}, expected a whole number from 1");
                    Ok(Some(number.with_context(what)?))
                }
            }
        };
        let number = |name: &str, most: f64| -> Result<Option<f64>> {
            match &line[name] {
                Value::Null => Ok(None),
                value => {
                    let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
                    let range = if most == 1.0 { "from 0 to 1" } else { "of at least 0" };
                    let what = || format!("`{name}` is {value}, expected a number {range}");
                    Ok(Some(number.with_context(what)?))
                }
            }
        };
        Ok(Self {
            epoch: whole("epoch")?.context("`epoch` is missing, expected a whole number from 1")?,
            fold: whole("fold")?.unwrap_or(0),
            train_loss: number("train_loss", f64::MAX)?,
            train_accuracy: number("train_accuracy", 1.0)?,
            val_loss: number("val_loss", f64::MAX)?,
            val_accuracy: number("val_accuracy", 1.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_the_epochs_and_passes_over_other_events() {
        let text = r#"{"event":"start","network":"64-4"}
{"event":"epoch","epoch":1,"train_loss":0.5,"val_accuracy":0.75,"val_loss":null,"lr":0.1}

{"event":"epoch","epoch":2,"fold":3,"train_loss":0.25,"train_accuracy":1.0}
{"event":"done","kept_epoch":2}"#;
        let history = History::parse(text).unwrap();
        let first = history.epochs[0];
        assert_eq!((first.epoch, first.fold, first.train_loss), (1, 0, Some(0.5)));
        assert_eq!((first.val_accuracy, first.val_loss), (Some(0.75), None));
        assert_eq!((history.epochs[1].fold, history.epochs[1].train_accuracy), (3, Some(1.0)));
        assert_eq!(history.kept, Some(2));
    }

    #[test]
    fn parse_says_which_line_is_wrong_and_what_was_expected() {
        for (text, expected) in [
            ("", "no epoch in it"),
            ("{}", "line 1 has no `event`"),
            ("\nepoch 1", "line 2 is no JSON"),
            (r#"{"event":"epoch"}"#, "line 1: `epoch` is missing"),
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
                r#"line 1: `train_loss` is "x", expected a number of at least 0"#,
            ),
        ] {
            let error = format!("{:#}", History::parse(text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
