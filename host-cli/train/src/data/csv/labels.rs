//! The labels of a CSV file: numbers, or words that become the names of classes.

use super::cell::{number, unquoted, whole};
use crate::data::expected::Expected;

/// Reads the labels of all rows.
pub(super) struct LabelReader<'a> {
    expected: Option<&'a Expected<'a>>,
    /// Of each row; where labels are words, the index in `words`.
    labels: Vec<u8>,
    /// In the order of their appearance.
    words: Vec<String>,
}

impl<'a> LabelReader<'a> {
    pub(super) fn new(expected: Option<&'a Expected<'a>>) -> Self {
        Self { expected, labels: Vec::new(), words: Vec::new() }
    }

    /// Reads a label: the name of a expected class, a whole number, or, in data that names its classes itself, a word. An
    /// error says what was expected.
    pub(super) fn read(&mut self, field: &[u8]) -> Result<(), String> {
        let field = unquoted(field);
        let whole = whole(field, u8::MAX);
        let text = str::from_utf8(field).unwrap_or_default();
        if let Some(expected) = self.expected {
            let label =
                expected.class_named(text).or_else(|| expected.class_named(&whole?.to_string()));
            let label = label
                .ok_or_else(|| format!("a label that {} knows: {}", expected.of, expected.list()));
            self.labels.push(label?);
            return Ok(());
        }
        let is_word = !text.is_empty() && number(field).is_none();
        let label = match whole {
            Some(label) if self.words.is_empty() => label,
            None if is_word && (self.labels.is_empty() || !self.words.is_empty()) => {
                self.word(text)?
            }
            Some(_) => return Err("a label, which is a word as in the rows before".to_owned()),
            None if self.labels.is_empty() => {
                return Err("a label, which is a whole number from 0 to 255, or a word".to_owned());
            }
            None if self.words.is_empty() => {
                return Err("a label, which is a whole number from 0 to 255".to_owned());
            }
            None => return Err("a label, which is a word as in the rows before".to_owned()),
        };
        self.labels.push(label);
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<u8, String> {
        let index = self.words.iter().position(|expected| expected == word).unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        });
        u8::try_from(index).map_err(|_| "one of the 256 labels of the rows before".to_owned())
    }

    /// Takes a class of one-hot labels.
    pub(super) fn push(&mut self, class: u8) -> anyhow::Result<()> {
        if let Some(expected) = self.expected {
            anyhow::ensure!(
                usize::from(class) < expected.classes,
                "the label is class {class}, but {} has {} classes",
                expected.of,
                expected.classes
            );
        }
        self.labels.push(class);
        Ok(())
    }

    /// Returns the labels, and the names of classes if these are words: in order.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<String>) {
        let Self { mut labels, words, .. } = self;
        let mut sorted = words.clone();
        sorted.sort();
        let place = |word| sorted.iter().position(|sorted| sorted == word).unwrap_or(0) as u8;
        let places: Vec<u8> = words.iter().map(place).collect();
        if !places.is_empty() {
            labels.iter_mut().for_each(|label| *label = places[usize::from(*label)]);
        }
        (labels, sorted)
    }
}
