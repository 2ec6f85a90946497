//! What the columns of a CSV file are: header, label, pixels.

use std::collections::HashSet;
use std::path::Path;

use ::csv::ByteRecord;
use anyhow::{Context, Result, bail, ensure};

use super::cell::{number, unquoted};
use crate::data::expected::Expected;
use crate::data::schema::{CsvHeader, LabelColumn, Schema};
use crate::shape::Shape;

/// Names that say that a column holds the labels, in capitals or not.
const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

/// Names of columns that count rows, in capitals or not: what pandas and SQL write beside the data.
const INDEX_NAMES: [&str; 3] = ["id", "index", "Unnamed: 0"];

/// Where the labels are among the columns that are read, as far as the first line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    None,
    At(usize),
    /// In the first or the last column.
    AnEnd,
    /// One-hot: N columns, from this one.
    Hot(usize, usize),
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Pixel,
    Label,
    /// 1 where the label is this class.
    Hot(u8),
    /// A pixel, or the label.
    First,
    /// A pixel, or the label.
    Last,
    LeftOut,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// What each holds.
    pub(super) roles: Vec<Role>,
    /// The shape of the pixels, as many as there are other columns.
    pub(super) shape: Shape,
    /// From the header; empty if there is none.
    names: Vec<String>,
}

impl Columns {
    /// Finds out from the first row what can be expected.
    pub(super) fn new(
        path: &Path,
        first: &ByteRecord,
        schema: &Schema,
        expected: Option<&Expected<'_>>,
    ) -> Result<Self> {
        let name = path.display();
        let has_header = has_header(path, first, schema.csv_header)?;
        let name_of = |field: &[u8]| String::from_utf8_lossy(unquoted(field)).into_owned();
        let names: Vec<String> =
            if has_header { first.iter().map(name_of).collect() } else { Vec::new() };
        let pixels = match (expected, schema.image_shape) {
            (Some(expected), Some(shape)) if expected.shape != shape => bail!(
                "{name}: --image-shape {shape} was given, but the images of {} are {}",
                expected.of,
                expected.shape
            ),
            (Some(expected), _) => Some(expected.shape),
            (None, shape) => shape,
        };
        let mut roles = vec![Role::Pixel; first.len()];
        for (role, name) in roles.iter_mut().zip(&names) {
            let is_label = matches!(&schema.label, LabelColumn::Named(label) if label.eq_ignore_ascii_case(name));
            if !is_label && is_index_name(name) {
                *role = Role::LeftOut;
            }
        }
        let read: Vec<usize> = (0..first.len()).filter(|&i| roles[i] == Role::Pixel).collect();
        let count = read.len();
        let label = place(path, &read, &names, first, &schema.label, pixels)?;
        let labels = match label {
            Place::None => 0,
            Place::At(column) => {
                roles[read[column]] = Role::Label;
                1
            }
            Place::AnEnd => {
                roles[read[0]] = Role::First;
                roles[read[count - 1]] = Role::Last;
                1
            }
            Place::Hot(from, len) => {
                let columns = (0..=u8::MAX).zip(&read[from..from + len]);
                columns.for_each(|(class, &column)| roles[column] = Role::Hot(class));
                len
            }
        };
        let rest = count - labels;
        let shape = match pixels {
            Some(shape) if shape.pixels() == rest => shape,
            Some(shape) => bail!(
                "{name}, line 1: expected {} columns for images of {shape}{}{}, got {count}",
                shape.pixels() + labels,
                expected.map_or_else(String::new, |expected| format!(" (those of {})", expected.of)),
                if labels == 0 { "" } else { " and their labels" },
            ),
            None => Shape::square(rest).with_context(|| {
                format!(
                    "{name}: {rest} feature columns are no square: for other samples give --image-shape ROWSxCOLS, as in 1x{rest}"
                )
            })?,
        };
        Ok(Self { roles, shape, names })
    }

    pub(super) fn has_header(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn has(&self, what: impl Fn(Role) -> bool) -> bool {
        self.roles.iter().any(|&role| what(role))
    }

    /// A column as a message names it, counted from 1.
    pub(super) fn title(&self, column: usize) -> String {
        match self.names.get(column) {
            Some(name) if name.is_empty() => format!("column {} (unnamed)", column + 1),
            Some(name) => format!("column {} (`{name}`)", column + 1),
            None => format!("column {}", column + 1),
        }
    }

    /// Where the labels were found, and what is left out, in words.
    pub(super) fn describe(&self, end: Option<&LabelColumn>) -> String {
        let label = match end {
            Some(LabelColumn::Last) => Role::Last,
            Some(_) => Role::First,
            None => Role::Label,
        };
        let hot: Vec<usize> = self.columns(|role| matches!(role, Role::Hot(_))).collect();
        let mut text = match (self.columns(|role| role == label).next(), &hot[..]) {
            (Some(column), _) => format!("labels in {}", self.title(column)),
            (None, [from, .., to]) => {
                format!("one-hot labels in columns {} to {}", from + 1, to + 1)
            }
            _ => "no labels".to_owned(),
        };
        for column in self.columns(|role| role == Role::LeftOut) {
            text += &format!(", {} dropped (an index, by its name)", self.title(column));
        }
        text
    }

    fn columns(&self, what: impl Fn(Role) -> bool) -> impl Iterator<Item = usize> {
        self.roles
            .iter()
            .enumerate()
            .filter(move |(_, role)| what(**role))
            .map(|(column, _)| column)
    }
}

/// Whether the first row is a header.
fn has_header(path: &Path, first: &ByteRecord, choice: CsvHeader) -> Result<bool> {
    match choice {
        CsvHeader::Yes => return Ok(true),
        CsvHeader::No => return Ok(false),
        CsvHeader::Auto => {}
    }
    if first.iter().any(is_label_name) {
        return Ok(true);
    }
    let numbers = first.iter().filter(|field| number(field).is_some()).count();
    if numbers == 0 {
        return Ok(true);
    }
    // Whether the fields from `skip` on count, all `len` of them.
    let counts_up = |skip: usize, len: usize| {
        let mut fields =
            first.iter().skip(skip).take(len).map(|field| number(field).unwrap_or(f64::NAN));
        let start = fields.next().unwrap_or(f64::NAN);
        fields.zip(1u32..).all(|(value, i)| value == start + f64::from(i)).then_some(start)
    };
    // pandas' row numbers have no name, where its columns may have numbers for names.
    if first.len() > 2 && first[0].is_empty() && counts_up(1, numbers) == Some(0.0) {
        return Ok(true);
    }
    let counts = counts_up(0, first.len()) == Some(0.0);
    if repeats_are_numbered(first) {
        bail!(
            "{}, line 1 looks like a header: pandas makes such numbers (0, 0.1, 0.2 …) of a row of repeated values: \
             say --csv-header yes",
            path.display()
        );
    }
    // A word at one end beside numbers that do not count is the label of a row.
    if let Some(end) = word_at_an_end(first)
        && counts_up(usize::from(end == 0), numbers).is_none()
    {
        return Ok(false);
    }
    let why = if numbers < first.len() {
        format!("{numbers} of its {} fields are numbers", first.len())
    } else if first.len() > 2 && counts {
        "it counts from 0".to_owned()
    } else {
        return Ok(false);
    };
    bail!(
        "{}, line 1: it may be a header or not, as {why}: say --csv-header yes or --csv-header no",
        path.display()
    )
}

/// Whether the row holds names that pandas gave to repeated values: `0`, `0.1`, `0.2` for three times 0.
fn repeats_are_numbered(first: &ByteRecord) -> bool {
    let mut seen = HashSet::new();
    let mut repeats = 0;
    for field in first {
        let text = String::from_utf8_lossy(field.trim_ascii());
        if let Some((value, repeat)) = text.split_once('.') {
            let before = match repeat.parse::<u32>() {
                Ok(1) => value.to_owned(),
                Ok(repeat) if repeat > 1 => format!("{value}.{}", repeat - 1),
                _ => return false,
            };
            if !seen.contains(&before) {
                return false;
            }
            repeats += 1;
        }
        if !seen.insert(text.into_owned()) {
            return false;
        }
    }
    repeats > 2
}

/// The first or the last column, if nothing but numbers is in the others, and a word in it.
fn word_at_an_end(first: &ByteRecord) -> Option<usize> {
    let mut words = (0..first.len()).filter(|&column| number(&first[column]).is_none());
    let column = words.next().filter(|&column| first.len() > 2 && !first[column].is_empty())?;
    (words.next().is_none() && (column == 0 || column + 1 == first.len())).then_some(column)
}

fn is_index_name(name: &str) -> bool {
    name.is_empty() || INDEX_NAMES.iter().any(|index| name.eq_ignore_ascii_case(index))
}

fn is_label_name(field: &[u8]) -> bool {
    let field = unquoted(field);
    LABEL_NAMES.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
}

/// Where the labels are among the columns of `read`.
fn place(
    path: &Path,
    read: &[usize],
    names: &[String],
    first: &ByteRecord,
    choice: &LabelColumn,
    shape: Option<Shape>,
) -> Result<Place> {
    let (name, count) = (path.display(), read.len());
    let at = |column: usize| read.iter().position(|&read| read == column).map(Place::At);
    match *choice {
        LabelColumn::None => return Ok(Place::None),
        LabelColumn::First | LabelColumn::Last => {
            ensure!(
                count > 1,
                "{name}, line 1: expected a label and pixels with commas, got {count} column"
            );
            return Ok(Place::At(if *choice == LabelColumn::First { 0 } else { count - 1 }));
        }
        LabelColumn::FirstOf(len) | LabelColumn::LastOf(len) => {
            let len = usize::from(len);
            ensure!(
                count > len,
                "{name}, line 1: expected {len} columns of one-hot labels and pixels, got {count} columns"
            );
            let is_first = matches!(choice, LabelColumn::FirstOf(_));
            return Ok(Place::Hot(if is_first { 0 } else { count - len }, len));
        }
        LabelColumn::Named(ref wanted) => {
            ensure!(
                !names.is_empty(),
                "{name}: --label {wanted} names a column, but the file has no header"
            );
            let is_it = |found: &&str| found.eq_ignore_ascii_case(wanted);
            return only(path, names, is_it)?.and_then(at).with_context(|| {
                let few: Vec<_> = names.iter().take(5).map(String::as_str).collect();
                let dots = if names.len() > few.len() { ", …" } else { "" };
                format!(
                    "{name}, line 1: expected a column named `{wanted}`, got {}{dots}",
                    few.join(", ")
                )
            });
        }
        LabelColumn::Auto => {}
    }
    let named = only(path, names, |found| is_label_name(found.as_bytes()))?;
    if let Some(place) = named.and_then(at) {
        return Ok(place);
    }
    if let (true, Some(column)) = (names.is_empty(), word_at_an_end(first)) {
        return Ok(Place::At(column));
    }
    let (all, without_one) = match shape {
        Some(shape) => (shape.pixels() == count, shape.pixels() + 1 == count),
        None => (Shape::square(count).is_some(), count > 0 && Shape::square(count - 1).is_some()),
    };
    if all || without_one {
        return Ok(if all { Place::None } else { Place::AnEnd });
    }
    let pixels = shape.map_or_else(|| count.isqrt().pow(2), |shape| shape.pixels());
    let hint = match count.checked_sub(pixels) {
        Some(labels @ 2..=256) => {
            format!(
                " (if the labels are one-hot in the last {labels} columns: --label last:{labels})"
            )
        }
        _ => String::new(),
    };
    match shape {
        Some(shape) => bail!(
            "{name}, line 1: expected {} columns for images of {shape}, or one more with labels, got {count}{hint}",
            shape.pixels()
        ),
        None => bail!(
            "{name}, line 1: {count} columns are neither a square image nor one with a label: \
             say --label and --image-shape{hint}"
        ),
    }
}

/// The one column whose name `is_it`; an error if there are several.
fn only(path: &Path, names: &[String], is_it: impl Fn(&&str) -> bool) -> Result<Option<usize>> {
    let mut found = names.iter().enumerate().filter(|(_, name)| is_it(&name.as_str()));
    let Some((column, name)) = found.next() else { return Ok(None) };
    if let Some((other, second)) = found.next() {
        bail!(
            "{}, line 1: columns {} (`{name}`) and {} (`{second}`) may both be the labels: say --label first or last",
            path.display(),
            column + 1,
            other + 1
        );
    }
    Ok(Some(column))
}
