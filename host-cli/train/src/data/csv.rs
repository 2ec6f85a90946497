//! Reads a CSV file of images, a row each: pixels as whole numbers, and perhaps a label.
//!
//! The file is read once, from first byte to last (a pipe will do), and only pixels and labels are kept.
//!
//! What the flags do not say is found in the file, by rules that cannot be wrong in silence: where more than one
//! reading is left, the file is refused and the flag named. What was found is in [`Table::note`].
//!
//! * **Delimiter**: the first of semicolon, comma, tab and space that the first line has.
//! * **Header**: a first line without a number in it, or with a column named `label`, `class` or `target`.
//! * **Left out**: a column named `id`, `index`, `Unnamed: 0` or not at all, and an empty last field.
//! * **Label**: the column of that name. Without one, a word beside numbers at an end of the row; or the number of columns
//!   tells whether there is a label at all: the
//!   pixels' (of the expected shape, or a square) or one more. It is the first or the last column: the one that is not
//!   the same in every row.
//! * **Classes**: numbers, or words: in their order, as the names of folders are.
//! * **Shape**: that of the model or training data, or `--image-shape`, or a square.
//! * **Maximum value**: that of the model or training data, or `--csv-max`, or the largest pixel if that is 1, 16
//!   or 255.

mod cell;
mod columns;
mod labels;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use anyhow::{Context, Result, anyhow, bail, ensure};

use self::cell::{shown, whole};
use self::columns::{Columns, Role};
use self::labels::LabelReader;
use super::dataset::{Dataset, count_classes};
use super::expected::Expected;
use super::input::Input;
use super::schema::{CsvMax, LabelColumn, Schema};
use crate::shape::Shape;
use crate::text::grouped;

/// Bytes of a row at most: two million pixels, and what a row of empty fields may cost.
const MOST_ROW: usize = 8 << 20;

/// Maximum values that are detected when they are the largest: bits, scikit-learn's digits, bytes.
const USUAL_MAX: [u8; 3] = [1, 16, 255];

/// The images of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The pixels, `[rows][shape.rows][shape.cols]`.
    pub images: Vec<u8>,
    /// A label each, if the file has them.
    pub labels: Option<Vec<u8>>,
    /// The names of the classes; empty if they are numbers.
    pub names: Vec<String>,
    /// The shape of each image.
    pub shape: Shape,
    /// The value of the maximum value; no pixel is above it.
    pub max: u8,
    /// First or last, if that was found by comparing the two; a file like this one will have them there.
    pub label_end: Option<LabelColumn>,
    /// What was found, in a sentence that names the file.
    pub note: String,
}

impl Table {
    /// Returns the table as training data: its classes are those up to the largest label.
    ///
    /// # Errors
    ///
    /// If there are no labels, or only one class.
    pub fn into_training(self, path: &Path) -> Result<Dataset> {
        let labels = self.labels.as_deref().with_context(|| unlabeled(path))?;
        let classes = count_classes(labels).with_context(|| path.display().to_string())?;
        let class_names = self.names.clone();
        Ok(Dataset { classes, class_names, ..self.into_dataset(path)? })
    }

    /// Returns the table as test data, with the classes of `expected`.
    ///
    /// # Errors
    ///
    /// If there are no labels.
    pub fn into_test(self, path: &Path, expected: &Expected<'_>) -> Result<Dataset> {
        let (classes, class_names) = (expected.classes, expected.names.to_vec());
        Ok(Dataset { classes, class_names, ..self.into_dataset(path)? })
    }

    fn into_dataset(self, path: &Path) -> Result<Dataset> {
        let Self { images, labels, shape: Shape { rows, cols }, max, label_end, note, .. } = self;
        let labels = labels.with_context(|| unlabeled(path))?;
        let notes = vec![note];
        Ok(Dataset { images, labels, rows, cols, max, label_end, notes, ..Dataset::default() })
    }
}

fn unlabeled(path: &Path) -> String {
    format!(
        "{}: the file has no labels (if it has: --label first, last or a column's name)",
        path.display()
    )
}

/// Whether labels are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// They are read and checked.
    Read,
    /// A column that holds them is ignored, whatever is in it.
    Ignore,
}

/// Reads the file at `path`, plain or compressed with gzip. With `expected`, images and labels must fit it.
///
/// # Errors
///
/// Each names the file and, where there is one, line and column, what was expected and what came: it cannot be read; it
/// is no text or has no rows; a row is longer or shorter than the first; a field is no whole number from 0 to the value
/// of the maximum value; a label is none of the classes; what is not said by `schema` cannot be told from the file.
pub fn read(
    path: &Path,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
    wanted: Labels,
) -> Result<Table> {
    let name = path.display();
    let input = Input::open(path)?;
    check_start(&input, path)?;
    let mut file = File::new(path, input);
    let mut record = ByteRecord::new();
    ensure!(file.next(&mut record)?, "{name}: the file has no row, expected numbers with commas");
    let columns = Columns::new(path, &record, schema, expected)?;
    if columns.has_header() {
        ensure!(file.next(&mut record)?, "{name}: the file has a header, but no row after it");
    }

    let limit = limit(path, schema.csv_max, expected)?;
    let is_one_hot = columns.has(|role| matches!(role, Role::Hot(_)));
    let (mut images, mut ends, mut labels) = (Vec::new(), Vec::new(), LabelReader::new(expected));
    loop {
        file.check_len(&record, &columns)?;
        let room = images.try_reserve(columns.shape.pixels() + 1);
        room.with_context(|| format!("{name}: no memory beside {} bytes of pixels", images.len()))?;
        file.reader.get_ref().input.check_growth(images.len())?;
        let mut hot = None;
        for ((column, field), &role) in record.iter().enumerate().zip(&columns.roles) {
            let wrong = |expected: &str| file.wrong(&record, &columns, column, expected, field);
            let number = |limit: u8| {
                whole(field, limit).ok_or_else(|| {
                    wrong(&format!("a whole number from 0 to {limit}{}", cell::advice(field)))
                })
            };
            match role {
                Role::Pixel => images.push(number(limit)?),
                Role::LeftOut => {}
                Role::Label | Role::Hot(_) if wanted == Labels::Ignore => {}
                Role::Label => labels.read(field).map_err(|expected| wrong(&expected))?,
                Role::Hot(class) => match whole(field, 1) {
                    Some(0) => {}
                    Some(1) if hot.is_none() => hot = Some(class),
                    _ => return Err(wrong("0, or 1 once in the columns of one-hot labels")),
                },
                // Either end may turn out to be the label: then its limit is another.
                Role::First => ends.push(number(u8::MAX)?),
                Role::Last => images.push(number(u8::MAX)?),
            }
        }
        if is_one_hot && wanted == Labels::Read {
            let class = hot.with_context(|| {
                format!(
                    "{name}, line {}: expected a 1 in the columns of one-hot labels",
                    line(&record)
                )
            })?;
            labels.push(class).with_context(|| format!("{name}, line {}", line(&record)))?;
        }
        if !file.next(&mut record)? {
            break;
        }
    }
    images.shrink_to_fit();

    let pixels = columns.shape.pixels();
    let rows = images.len() / pixels;
    let (mut labels, names) = labels.finish();
    let mut label_end = None;
    if columns.has(|role| role == Role::First) {
        label_end = Some(settle_end(path, &mut images, &mut ends, pixels, expected)?);
        labels = ends;
        let expected = expected.filter(|_| wanted == Labels::Read);
        check_settled(path, &images, pixels, &mut labels, limit, expected)?;
    }
    let largest = images.iter().copied().max().unwrap_or(0);
    let max = match (expected, schema.csv_max.0) {
        (Some(expected), _) => expected.max,
        (None, Some(max)) => max,
        (None, None) => {
            ensure!(
                USUAL_MAX.contains(&largest),
                "{name}: the largest pixel is {largest}, expected 1, 16 or 255: give the maximum value by --csv-max"
            );
            largest
        }
    };
    let note = format!(
        "{name}: {} rows {} header{}, {}, images of {}×{}, pixels from 0 to {max} (largest: {largest})",
        grouped(rows),
        if columns.has_header() { "after a" } else { "without" },
        file.how_delimited(),
        columns.describe(label_end.as_ref()),
        columns.shape.rows,
        columns.shape.cols,
    );
    let is_labeled =
        columns.has(|role| !matches!(role, Role::Pixel | Role::LeftOut)) && wanted == Labels::Read;
    let labels = is_labeled.then_some(labels);
    Ok(Table { images, labels, names, shape: columns.shape, max, label_end, note })
}

/// The largest value that a pixel may have.
fn limit(path: &Path, asked: CsvMax, expected: Option<&Expected<'_>>) -> Result<u8> {
    match (expected, asked.0) {
        (Some(expected), Some(max)) if expected.max != max => bail!(
            "{}: --csv-max {max} was given, but the pixels of {} go to {}",
            path.display(),
            expected.of,
            expected.max
        ),
        (Some(expected), _) => Ok(expected.max),
        (None, max) => Ok(max.unwrap_or(u8::MAX)),
    }
}

/// Refuses what is no text, with a sentence that says what it is.
fn check_start(input: &Input, path: &Path) -> Result<()> {
    let name = path.display();
    ensure!(
        !input.start().is_empty(),
        "{name}: the file is empty, expected rows of numbers with commas"
    );
    input.check_kind("a CSV file", |_| false)?;
    ensure!(
        !input.start().contains(&0),
        "{name} is no CSV file: it has bytes of value 0, expected text"
    );
    Ok(())
}

/// Finds out which end holds the labels. Before, `labels` holds the first column; afterwards, the labels.
fn settle_end(
    path: &Path,
    images: &mut [u8],
    labels: &mut [u8],
    pixels: usize,
    expected: Option<&Expected<'_>>,
) -> Result<LabelColumn> {
    let last = || images.iter().copied().skip(pixels - 1).step_by(pixels);
    // Labels of two classes vary. A test set may have one class only, so there the pixel must be background.
    let is_pixel = |first: u8, all_alike: bool| all_alike && (expected.is_none() || first == 0);
    let first_is_pixel = is_pixel(labels[0], labels.iter().all(|&value| value == labels[0]));
    let last_is_pixel =
        is_pixel(images[pixels - 1], last().all(|value| value == images[pixels - 1]));
    match (first_is_pixel, last_is_pixel) {
        (false, true) => Ok(LabelColumn::First),
        (true, false) => {
            for (image, label) in images.chunks_exact_mut(pixels).zip(labels) {
                image.rotate_right(1);
                core::mem::swap(&mut image[0], label);
            }
            Ok(LabelColumn::Last)
        }
        _ => bail!(
            "{}: the labels may be in the first or in the last of the {} columns: say --label first or --label last",
            path.display(),
            pixels + 1
        ),
    }
}

/// Checks what could not be checked before it was expected which end holds the labels.
fn check_settled(
    path: &Path,
    images: &[u8],
    pixels: usize,
    labels: &mut [u8],
    limit: u8,
    expected: Option<&Expected<'_>>,
) -> Result<()> {
    let name = path.display();
    if let Some(at) = images.iter().position(|&value| value > limit) {
        let (row, value) = (at / pixels + 1, images[at]);
        bail!("{name}: a pixel of row {row} is {value}, expected at most {limit}");
    }
    let Some(expected) = expected else { return Ok(()) };
    for (row, label) in (1..).zip(labels) {
        let class = expected.class_named(&label.to_string());
        *label = class.with_context(|| {
            format!("{name}: the label of row {row} is {label}, expected {}", expected.list())
        })?;
    }
    Ok(())
}

/// The file's rows, and sentences about them.
struct File<'a> {
    path: &'a Path,
    reader: Reader<Capped>,
    delimiter: u8,
    /// Whether an empty last field was dropped.
    drops_last: bool,
    /// The fields of the first row.
    count: Option<usize>,
}

/// Reads on, up to a number of bytes that is set anew for each row, so that a field without an end does not fill the memory.
struct Capped {
    input: Input,
    left: usize,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let what =
                format!("a row has more than {} MiB: no end of it was found", MOST_ROW >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, what));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

impl<'a> File<'a> {
    fn new(path: &'a Path, input: Input) -> Self {
        let line =
            input.start().split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let line = line.unwrap_or_default().trim_ascii();
        // A semicolon first: beside it, commas may be decimal points.
        let delimiter = *b";,\t ".iter().find(|byte| line.contains(byte)).unwrap_or(&b',');
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(Capped { input, left: 0 });
        Self { path, reader, delimiter, drops_last: false, count: None }
    }

    /// Reads the next row; returns false at the end. Skips empty lines, and an empty field after the last column.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool> {
        loop {
            self.reader.get_mut().left = MOST_ROW;
            let is_row = self.reader.read_byte_record(record);
            let is_row = is_row.map_err(|error| match error.into_kind() {
                ::csv::ErrorKind::Io(error) => self.reader.get_ref().input.explain(error),
                other => anyhow!("{}: {other:?}", self.path.display()),
            })?;
            if !is_row {
                return Ok(false);
            }
            if self.delimiter == b' ' {
                // Columns may be aligned by several spaces; a line of spaces alone is empty.
                let position = record.position().cloned();
                *record = record.iter().filter(|field| !field.is_empty()).collect();
                record.set_position(position);
            }
            if !record.is_empty() {
                break;
            }
        }
        let is_last_empty = record.len() > 1 && record[record.len() - 1].is_empty();
        if is_last_empty && self.count.is_none_or(|count| record.len() == count + 1) {
            record.truncate(record.len() - 1);
            self.drops_last = true;
        }
        self.count.get_or_insert(record.len());
        Ok(true)
    }

    /// How fields are separated, in words, if not by commas.
    fn how_delimited(&self) -> String {
        let delimiter = match self.delimiter {
            b';' => ", fields separated by semicolons",
            b'\t' => ", fields separated by tabs",
            b' ' => ", fields separated by spaces",
            _ => "",
        };
        let last = if self.drops_last { ", an empty last column dropped" } else { "" };
        format!("{delimiter}{last}")
    }

    fn check_len(&self, record: &ByteRecord, columns: &Columns) -> Result<()> {
        ensure!(
            record.len() == columns.roles.len(),
            "{}, line {}: expected {} columns as in the first line, got {}",
            self.path.display(),
            line(record),
            columns.roles.len(),
            record.len()
        );
        Ok(())
    }

    fn wrong(
        &self,
        record: &ByteRecord,
        columns: &Columns,
        column: usize,
        expected: &str,
        got: &[u8],
    ) -> anyhow::Error {
        anyhow!(
            "{}, line {}, {}: expected {expected}, got {}",
            self.path.display(),
            line(record),
            columns.title(column),
            shown(got)
        )
    }
}

/// The line on which a row begins, from 1.
fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, ::csv::Position::line)
}
