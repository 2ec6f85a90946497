//! What the columns of a CSV file are: header, label, pixels.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use csv::ByteRecord;

use super::cell::{number, shown};
use super::{CsvHeader, Format, Known, LabelColumn, Shape};

/// Names that say that a column holds the labels, in capitals or not.
const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

/// Where the labels are, as far as the first line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    None,
    At(usize),
    /// In the first or the last column.
    AnEnd,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) label: Place,
    /// The shape of the pixels, as many as there are other columns.
    pub(super) shape: Shape,
    /// From the header; empty if there is none.
    names: Vec<String>,
}

impl Columns {
    /// Finds out from the first row what can be known.
    pub(super) fn new(
        path: &Path,
        first: &ByteRecord,
        format: &Format,
        known: Option<&Known<'_>>,
    ) -> Result<Self> {
        let (name, count) = (path.display(), first.len());
        if count == 1 && first[0].iter().any(|byte| b";\t| ".contains(byte)) {
            bail!(
                "{name}, line 1: expected columns with commas between them, got {}",
                shown(&first[0])
            );
        }
        let has_header = has_header(path, first, format.csv_header)?;
        let name_of = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
        let names: Vec<String> =
            if has_header { first.iter().map(name_of).collect() } else { Vec::new() };
        let pixels = match (known, format.image_shape) {
            (Some(known), Some(shape)) if known.shape != shape => bail!(
                "{name}: --image-shape {shape} was given, but the pictures of {} are {}",
                known.of,
                known.shape
            ),
            (Some(known), _) => Some(known.shape),
            (None, shape) => shape,
        };
        let label = place(path, count, &names, &format.label, pixels)?;
        let rest = count - usize::from(label != Place::None);
        let shape = match pixels {
            Some(shape) if shape.pixels() == rest => shape,
            Some(shape) => bail!(
                "{name}, line 1: expected {} columns for pictures of {shape}{}{}, got {count}",
                shape.pixels() + count - rest,
                known.map_or_else(String::new, |known| format!(" (those of {})", known.of)),
                if rest == count { "" } else { " and their labels" },
            ),
            None => Shape::square(rest).with_context(|| {
                format!(
                    "{name}: {rest} pixels are no square: say the pictures' shape by --image-shape, as in 1x{rest}"
                )
            })?,
        };
        Ok(Self { count, label, shape, names })
    }

    pub(super) fn has_header(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn is_end(&self, column: usize) -> bool {
        column == 0 || column + 1 == self.count
    }

    /// A column as a message names it, counted from 1.
    pub(super) fn title(&self, column: usize) -> String {
        match self.names.get(column) {
            Some(name) => format!("column {} (`{name}`)", column + 1),
            None => format!("column {}", column + 1),
        }
    }

    /// Where the labels were found, in words.
    pub(super) fn describe(&self, end: Option<&LabelColumn>) -> String {
        let column = match (self.label, end) {
            (Place::At(column), _) => column,
            (Place::AnEnd, Some(LabelColumn::Last)) => self.count - 1,
            (Place::AnEnd, _) => 0,
            (Place::None, _) => return "no labels".to_owned(),
        };
        format!("labels in {}", self.title(column))
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
    let counts = first.iter().zip(0u32..).all(|(field, i)| number(field) == Some(f64::from(i)));
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

fn is_label_name(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    LABEL_NAMES.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
}

/// Where the labels are.
fn place(
    path: &Path,
    count: usize,
    names: &[String],
    choice: &LabelColumn,
    shape: Option<Shape>,
) -> Result<Place> {
    let name = path.display();
    match choice {
        LabelColumn::None => return Ok(Place::None),
        LabelColumn::First | LabelColumn::Last => {
            ensure!(
                count > 1,
                "{name}, line 1: expected a label and pixels with commas, got 1 column"
            );
            return Ok(Place::At(if *choice == LabelColumn::First { 0 } else { count - 1 }));
        }
        LabelColumn::Named(wanted) => {
            ensure!(
                !names.is_empty(),
                "{name}: --label {wanted} names a column, but the file has no header"
            );
            let is_it = |found: &&str| found.eq_ignore_ascii_case(wanted);
            return only(path, names, is_it)?.with_context(|| {
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
    if let Some(place) = only(path, names, |found| is_label_name(found.as_bytes()))? {
        return Ok(place);
    }
    let (all, without_one) = match shape {
        Some(shape) => (shape.pixels() == count, shape.pixels() + 1 == count),
        None => (Shape::square(count).is_some(), Shape::square(count - 1).is_some()),
    };
    match (all, without_one) {
        (true, _) => Ok(Place::None),
        (_, true) => Ok(Place::AnEnd),
        _ => match shape {
            Some(shape) => bail!(
                "{name}, line 1: expected {} columns for pictures of {shape}, or one more with labels, got {count}",
                shape.pixels()
            ),
            None => bail!(
                "{name}, line 1: {count} columns are neither a square picture nor one with a label: \
                 say --label and --image-shape"
            ),
        },
    }
}

/// The one column whose name `is_it`; an error if there are several.
fn only(path: &Path, names: &[String], is_it: impl Fn(&&str) -> bool) -> Result<Option<Place>> {
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
    Ok(Some(Place::At(column)))
}
