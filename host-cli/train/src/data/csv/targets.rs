//! What the network is to answer: classes (numbers, or words that become their names), or values.

use std::collections::{HashMap, HashSet};

use super::Labels;
use super::cell::{number, unquoted};
use crate::data::dataset::Targets;
use crate::data::expected::Expected;
use crate::data::schema::TargetType;
use picomlp::blob::TargetKind;

/// Classes at most.
const MOST_CLASSES: usize = 65_536;

/// Different numbers that may be classes in a file of any length.
const FEW: usize = 20;

/// Reads the targets of all rows.
pub(in crate::data) struct TargetReader<'a> {
    expected: Option<&'a Expected<'a>>,
    delimiter: u8,
    /// Of each row: the class that `expected` knows, or the index in `words`.
    labels: Vec<u16>,
    /// In the order of their appearance.
    words: HashMap<String, u16>,
    /// Of each row, where they are numbers.
    numbers: Vec<f32>,
    /// The different ones, as bits.
    different: HashSet<u32>,
    /// The first number that can be no class.
    no_class: Option<f32>,
}

/// What all rows have.
pub(in crate::data) struct Found {
    pub(in crate::data) targets: Targets,
    /// Of the classes, if they are words.
    pub(in crate::data) names: Vec<String>,
    pub(in crate::data) note: String,
}

impl<'a> TargetReader<'a> {
    pub(in crate::data) fn new(expected: Option<&'a Expected<'a>>, delimiter: u8) -> Self {
        let names = expected.map_or(&[][..], |expected| expected.names);
        let words = names.iter().cloned().zip(0..).collect();
        Self {
            expected,
            delimiter,
            labels: Vec::new(),
            words,
            numbers: Vec::new(),
            different: HashSet::new(),
            no_class: None,
        }
    }

    /// Reads a value to predict. An error says what was expected.
    pub(in crate::data) fn value(&mut self, field: &[u8]) -> Result<(), String> {
        self.numbers.push(number(field, self.delimiter).ok_or("a number, the value to predict")?);
        Ok(())
    }

    /// Reads a class: one that `expected` knows; else a whole number, or a word; or a value to predict. An error says what was
    /// expected.
    pub(in crate::data) fn read(&mut self, field: &[u8]) -> Result<(), String> {
        let field = unquoted(field);
        let number = number(field, self.delimiter);
        let text = str::from_utf8(field).unwrap_or_default();
        if let Some(expected) = self.expected {
            if expected.classes == 0 {
                return self.value(field);
            }
            let by_number = || expected.class_named(&number?.to_string());
            let class = self.words.get(text).copied().or_else(|| expected.class_named(text));
            let class = class.or_else(by_number);
            let wrong = || format!("a label that {} knows: {}", expected.of, expected.list());
            self.labels.push(class.ok_or_else(wrong)?);
            return Ok(());
        }
        match number {
            Some(number) if self.words.is_empty() => {
                self.numbers.push(number);
                if number.fract() != 0.0 || !(0.0..MOST_CLASSES as f32).contains(&number) {
                    self.no_class.get_or_insert(number);
                }
                if self.different.len() <= MOST_CLASSES {
                    self.different.insert(number.to_bits());
                }
                Ok(())
            }
            Some(_) => Err("a label, which is a word as in the rows before".to_owned()),
            None if !self.numbers.is_empty() => {
                Err("a label, which is a number as in the rows before".to_owned())
            }
            None if text.is_empty() => Err("a label, which is a number or a word".to_owned()),
            None => {
                let (len, next) = (self.words.len(), u16::try_from(self.words.len()));
                let next = next.map_err(|_| format!("one of the {len} labels of the rows before"));
                let label = match self.words.get(text) {
                    Some(label) => *label,
                    None => *self.words.entry(text.to_owned()).or_insert(next?),
                };
                self.labels.push(label);
                Ok(())
            }
        }
    }

    /// Takes a class of one-hot labels.
    pub(in crate::data) fn push(&mut self, class: usize) -> anyhow::Result<()> {
        if let Some(expected) = self.expected {
            anyhow::ensure!(
                class < expected.classes,
                "the label is class {class}, but {} has {} classes",
                expected.of,
                expected.classes
            );
        }
        self.labels.push(u16::try_from(class)?);
        Ok(())
    }

    /// Returns the values read, for the column that may be the labels.
    pub(in crate::data) fn ends(&mut self) -> &mut [f32] {
        &mut self.numbers
    }

    /// Takes the values read for labels after all.
    ///
    /// # Errors
    ///
    /// If one is none of the classes.
    pub(in crate::data) fn settle(&mut self, wanted: Labels) -> anyhow::Result<()> {
        let numbers = core::mem::take(&mut self.numbers);
        if wanted == Labels::Ignore {
            return Ok(());
        }
        for (row, number) in (1..).zip(numbers) {
            let number = number.to_string();
            self.read(number.as_bytes()).map_err(|_| {
                let list = self.expected.map(Expected::list).unwrap_or_default();
                anyhow::anyhow!("the label of row {row} is {number}, expected {list}")
            })?;
        }
        Ok(())
    }

    /// Whether no row had a target.
    pub(in crate::data) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.numbers.is_empty()
    }

    /// Returns the targets, `width` in each row, of which there are `rows`.
    ///
    /// # Errors
    ///
    /// If numbers are said to be classes and cannot be.
    pub(in crate::data) fn finish(
        self,
        rows: usize,
        width: usize,
        are: TargetType,
        is_image: bool,
    ) -> anyhow::Result<Found> {
        let found = |targets, names, note| Found { targets, names, note };
        if let Some(expected) = self.expected {
            let names = expected.names.to_vec();
            return Ok(match expected.kind {
                TargetKind::Classes => found(Targets::Classes(self.labels), names, String::new()),
                TargetKind::Labels => {
                    check_labels(&self.numbers, width)?;
                    found(Targets::Labels(self.numbers), Vec::new(), String::new())
                }
                _ => found(Targets::Values(self.numbers), Vec::new(), String::new()),
            });
        }
        if !self.labels.is_empty() {
            anyhow::ensure!(
                are == TargetType::Auto || are == TargetType::Class,
                "the target is a word in each row, but --target-type {are} needs numbers"
            );
            let mut names: Vec<String> = self.words.keys().cloned().collect();
            names.sort();
            let mut places = vec![0; names.len()];
            for (place, name) in (0..).zip(&names) {
                places[usize::from(self.words[name])] = place;
            }
            let mut labels = self.labels;
            if !names.is_empty() {
                labels.iter_mut().for_each(|label| *label = places[usize::from(*label)]);
            }
            return Ok(found(Targets::Classes(labels), names, String::new()));
        }
        let labels = check_labels(&self.numbers, width);
        if are == TargetType::Label || (are == TargetType::Auto && labels.is_ok()) {
            labels?;
            let note = " (1: a sample has it; if 0 and 1 are values: --target-type value)";
            return Ok(found(Targets::Labels(self.numbers), Vec::new(), note.to_owned()));
        }
        let different = self.different.len();
        let many = different > FEW.max(rows / 10);
        let are_classes = match are {
            TargetType::Class => {
                if let Some(number) = self.no_class {
                    anyhow::bail!(
                        "the target {number} names no class, expected whole numbers from 0 to 65535: \
                         leave out --target-type class (or --loss cross-entropy) to predict values"
                    );
                }
                true
            }
            TargetType::Value | TargetType::Label => false,
            TargetType::Auto => width == 1 && self.no_class.is_none() && (is_image || !many),
        };
        if are_classes {
            let labels = self.numbers.iter().map(|number| *number as u16).collect();
            return Ok(found(Targets::Classes(labels), Vec::new(), String::new()));
        }
        let note = match self.no_class {
            None if are == TargetType::Auto && width == 1 => {
                format!(
                    " ({different} different numbers; if they are classes: --target-type class)"
                )
            }
            _ => String::new(),
        };
        Ok(found(Targets::Values(self.numbers), Vec::new(), note))
    }
}

/// Checks that numbers, rows of `width`, are labels.
fn check_labels(numbers: &[f32], width: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        width > 1,
        "--target-type label is for several columns: one column of 0 and 1 is two classes, leave it out"
    );
    match numbers.iter().position(|number| *number != 0.0 && *number != 1.0) {
        None => Ok(()),
        Some(at) => anyhow::bail!(
            "the target in row {}, column {} of the labels is {}, expected 0 or 1",
            at / width + 1,
            at % width + 1,
            numbers[at]
        ),
    }
}
