//! Reads a CSV file, a sample in each row: an image of bytes, or features in their own units, and what is to be answered.
//!
//! The file is read once, from first byte to last (a pipe will do), and only inputs and targets are kept.
//!
//! What the flags do not say is found in the file; where more than one reading is left, the file is refused and the flag named.
//! What was found is in [`Dataset::notes`].
//!
//! * **Delimiter**: the first of semicolon, tab, comma and space that the first line has. Where it is no comma, decimals may have
//!   one.
//! * **Header**: a first line without a number in it, or with a column named `label`, `class` or `target`. A second line without
//!   a number holds units.
//! * **Left out**: a column named `id`, `index`, `Unnamed: 0` or not at all, an empty last field, lines that begin with `#`.
//! * **Target**: the column named `label`, `class` or `target`; else the one column of words. For images, the number of columns
//!   tells whether there is a label at all; it is the first or the last column: the one that is not the same in every row.
//! * **Classes or values**: words are classes, in their order, as the names of folders are; so are whole numbers if they are
//!   few different ones.
//! * **Pixels or features**: pixels are whole numbers from 0 to 255, as many as a square of at least 5×5 (or `--image-shape`) has,
//!   whose largest is 1, 16 or 255 (or below `--csv-max`). Everything else is features.

mod arff;
mod cell;
mod columns;
mod json;
mod rows;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use ::csv::ByteRecord;
use anyhow::{Context, Result, bail, ensure};

use self::cell::{is_missing, number, unquoted, whole};
use self::columns::{Columns, Kind};
use self::rows::{Rows, line};
pub(super) use self::targets::TargetReader;
use super::dataset::{Dataset, Targets, Values, count_classes};
use super::expected::Expected;
use super::groups::Groups;
use super::input::Input;
use super::schema::{CsvMax, Missing, Schema, Target, TargetType};
use super::windows;
use crate::file_kind::FileKind;
use crate::shape::Shape;
use crate::text::grouped;

/// Maximum values that are detected when they are the largest: bits, scikit-learn's digits, bytes.
pub(super) const USUAL_MAX: [u8; 3] = [1, 16, 255];

/// Whether targets are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// They are read and checked.
    Read,
    /// A column that holds them is ignored, whatever is in it.
    Ignore,
}

/// Reads the file at `path`, plain or compressed with gzip. With `expected`, inputs and targets must fit it. Without targets, or
/// if they are ignored, the set has none.
///
/// # Errors
///
/// Each names the file and, where there is one, line and column, what was expected and what came: it cannot be read; it
/// is not text or has no rows; a row is longer or shorter than the first; a field is no number, or no whole number from 0 to the
/// maximum value of a pixel; a label is none of the classes; what is not said by `schema` cannot be told from the file.
pub fn read(
    path: &Path,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
    wanted: Labels,
) -> Result<Dataset> {
    let name = path.display();
    let input = Input::open(path)?;
    check_start(&input, path)?;
    let mut rows = Rows::new(path, input, schema.csv_delimiter)?;
    let schema = &rows.schema(schema);
    // Header, units and a sample.
    let (mut first, mut record) = (Vec::new(), ByteRecord::new());
    while first.len() < 3 && rows.next(&mut record)? {
        first.push(record.clone());
    }
    ensure!(!first.is_empty(), "{name}: the file has no row, expected numbers with commas");
    let mut columns = Columns::new(path, &first, rows.delimiter, schema, expected, wanted)?;
    let skipped = usize::from(columns.has_header) + usize::from(columns.has_units);
    let mut first = first.into_iter().skip(skipped);
    if wanted == Labels::Ignore && !columns.is_an_end {
        columns.targets.clear();
    }

    let normal = &schema.normal.0;
    let class = columns.class.filter(|_| !normal.is_empty() && wanted == Labels::Read);
    ensure!(
        normal.is_empty() || wanted == Labels::Ignore || class.is_some(),
        "{name}: --normal needs --target inputs, and a column of classes (named label, class or target, or of words)"
    );

    let limit = limit(path, schema.csv_max, expected)?;
    // What is predicted must be as many rows as the file has.
    let missing = match schema.missing {
        Missing::Drop if wanted == Labels::Ignore => Missing::Refuse,
        missing => missing,
    };
    let width = columns.features.len();
    let mut samples = Samples {
        values: if columns.kind == Kind::Floats {
            Vec::<f32>::new().into()
        } else {
            Vec::<u8>::new().into()
        },
        kind: columns.kind,
        limit,
        delimiter: rows.delimiter,
        missing: 0,
    };
    let mut targets = TargetReader::new(expected, rows.delimiter);
    let are_values = columns.targets.len() > 1 && !columns.is_one_hot;
    let (mut count, mut dropped, mut left_out, mut anomalous) = (0, 0, 0, Vec::new());
    let (mut groups, mut seen) = (Groups::default(), HashMap::new());
    // Rows that do not follow each other, of a series.
    let (mut runs, mut run) = (Vec::new(), 0);
    loop {
        record = match first.next() {
            Some(record) => record,
            None if rows.next(&mut record)? => record,
            None => break,
        };
        samples.reserve(width, path)?;
        rows.check_growth(samples.values.len())?;
        let wrong = |column: usize, expected: &str| {
            rows.wrong(&record, &columns.title(column), expected, &record[column])
        };
        let is_gap = |column: &usize| is_missing(&record[*column]);
        if missing == Missing::Drop
            && (columns.features.iter().any(is_gap) || columns.targets.iter().any(is_gap))
        {
            (dropped, run) = (dropped + 1, run + 1);
            continue;
        }
        if let Some(column) = class {
            let word = unquoted(&record[column]);
            let is_normal = normal.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
            if expected.is_none() && !is_normal {
                (left_out, run) = (left_out + 1, run + 1);
                continue;
            }
            anomalous.push(!is_normal);
        }
        if !columns.channels.is_empty() {
            runs.push(run);
        }
        if let Some(column) = columns.group {
            groups.push(&mut seen, &String::from_utf8_lossy(unquoted(&record[column])));
        }
        // The usual case: features, none of them missing.
        let mut usual = 0;
        if let (Values::Floats(values), false) = (&mut samples.values, columns.is_an_end) {
            let (values, delimiter) = (values.to_mut(), samples.delimiter);
            let fields = columns.features.iter().map(|&column| &record[column]);
            for value in fields.map_while(|field| number(field, delimiter)) {
                values.push(value);
                usual += 1;
            }
        }
        for &column in &columns.features[usual..] {
            // Either end may turn out to be the label: then its limit is another.
            let is_end = columns.is_an_end && Some(&column) == columns.features.last();
            samples.limit = if is_end { u8::MAX } else { limit };
            samples.push(&record[column], missing).map_err(|what| wrong(column, &what))?;
        }
        if columns.is_one_hot && !columns.targets.is_empty() {
            let mut hot = None;
            for (class, &column) in columns.targets.iter().enumerate() {
                match whole(&record[column], 1) {
                    Some(0) => {}
                    Some(1) if hot.is_none() => hot = Some(class),
                    _ => {
                        return Err(wrong(column, "0, or 1 once in the columns of one-hot labels"));
                    }
                }
            }
            let class = hot.with_context(|| {
                let line = line(&record);
                format!("{name}, line {line}: expected a 1 in the columns of one-hot labels")
            })?;
            targets.push(class).with_context(|| format!("{name}, line {}", line(&record)))?;
        } else if schema.target != Target::Inputs {
            for &column in &columns.targets {
                let read = if are_values {
                    targets.value(&record[column])
                } else if columns.is_an_end {
                    samples.check_end(&record[column]).and_then(|()| targets.value(&record[column]))
                } else {
                    targets.read(&record[column])
                };
                read.map_err(|what| wrong(column, &what))?;
            }
        }
        count += 1;
    }
    ensure!(count > 0 || dropped == 0, "{name}: a value is missing in each of {dropped} rows");
    ensure!(
        count > 0 || left_out == 0,
        "{name}: none of {left_out} rows is of the normal classes {}",
        schema.normal
    );
    ensure!(count > 0, "{name}: the file has a header, but no row after it");
    let mut label_end = None;
    if columns.is_an_end {
        label_end = Some(settle_end(path, &mut samples.values, targets.ends(), width, expected)?);
        if label_end == Some(Target::Last) {
            // The first column is a feature, and the last one is none.
            columns.features.rotate_right(1);
            core::mem::swap(&mut columns.features[0], &mut columns.targets[0]);
        }
        targets.settle(wanted).with_context(|| name.to_string())?;
        if let Values::Bytes(pixels) = &samples.values
            && let Some(at) = pixels.iter().position(|pixel| *pixel > limit)
        {
            let (row, pixel) = (at / width + 1, pixels[at]);
            bail!("{name}: a pixel of row {row} is {pixel}, expected at most {limit}");
        }
        if wanted == Labels::Ignore {
            columns.targets.clear();
        }
    }
    let Samples { values, missing: filled, .. } = samples;
    let (inputs, shape, max, what) = finish(path, &columns, values, schema, expected)?;
    let is_image = matches!(inputs, Values::Bytes(_));
    let mut data = Dataset {
        inputs,
        rows: shape.rows,
        cols: shape.cols,
        max,
        label_end,
        ..Dataset::default()
    };
    if !is_image {
        data.features = match expected.filter(|_| schema.window.is_none()) {
            Some(expected) => expected.features.to_vec(),
            None => columns.described(),
        };
    }
    let mut kind = "labels".to_owned();
    if schema.target == Target::Inputs && wanted == Labels::Read {
        ensure!(
            filled == 0 || missing != Missing::Mean,
            "{name}: --missing mean is not for an autoencoder, which would learn the means: drop the rows"
        );
        let Values::Floats(values) = &data.inputs else {
            bail!("{name}: --target inputs takes features, and these are images");
        };
        data.targets = Targets::Values(values.to_vec());
        data.target_names = columns.target_names();
        "targets".clone_into(&mut kind);
    } else if !targets.is_empty() {
        let is_nominal = columns.targets.iter().all(|&column| rows.is_nominal(column));
        let kind_of_target = match schema.target_type {
            TargetType::Auto if is_nominal => TargetType::Class,
            kind => kind,
        };
        let found = targets.finish(count, columns.targets.len(), kind_of_target, is_image);
        let found = found.with_context(|| name.to_string())?;
        if let Targets::Values(_) | Targets::Labels(_) = found.targets {
            let is_values = matches!(found.targets, Targets::Values(_));
            let what = if is_values { "values to predict" } else { "labels" };
            kind = format!("{what}{}", found.note);
        } else if columns.is_one_hot {
            "one-hot labels".clone_into(&mut kind);
        }
        (data.targets, data.class_names) = (found.targets, found.names);
        data.target_names = columns.target_names();
        match expected {
            Some(expected) => data.classes = expected.classes,
            None => check_training(path, &mut data)?,
        }
    }
    let note = format!(
        "{name}: {} rows {}, {}, {what}",
        grouped(count),
        rows.how_delimited(columns.has_header),
        columns.describe(&kind),
    );
    data.notes.push(note);
    if left_out > 0 {
        let rows = grouped(left_out);
        data.notes
            .push(format!("{rows} rows of other classes left out (--normal {})", schema.normal));
    }
    (data.anomalous, data.groups) = (anomalous, groups);
    if dropped > 0 {
        data.notes.push(format!(
            "{} rows with a missing value left out (--missing drop)",
            grouped(dropped)
        ));
    }
    if filled > 0 {
        let of = if missing == Missing::Mean { ": the mean of the training samples" } else { "" };
        let filled = grouped(filled);
        data.notes.push(format!("{filled} missing values filled (--missing {missing}{of})"));
    }
    if schema.window.is_some() {
        let cut = windows::cut(data, &columns.described_channels(), &runs, schema);
        data = cut.with_context(|| name.to_string())?;
    }
    if expected.is_none() {
        data.notes.extend(constant_features(&data));
    }
    Ok(data)
}

/// The inputs that were read so far.
struct Samples {
    values: Values,
    kind: Kind,
    /// The largest value that a pixel may have.
    limit: u8,
    delimiter: u8,
    /// Missing values that were filled.
    missing: usize,
}

impl Samples {
    fn reserve(&mut self, width: usize, path: &Path) -> Result<()> {
        let room = match &mut self.values {
            Values::Bytes(values) => values.to_mut().try_reserve(width),
            Values::Floats(values) => values.to_mut().try_reserve(width),
        };
        room.with_context(|| {
            format!("{}: no memory beside {} values", path.display(), self.values.len())
        })
    }

    /// Reads a feature; an error says what was expected. The first that is no pixel makes features of all pixels before.
    #[inline]
    fn push(&mut self, field: &[u8], missing: Missing) -> Result<(), String> {
        match &mut self.values {
            Values::Floats(values) => match number(field, self.delimiter) {
                Some(value) => {
                    values.to_mut().push(value);
                    Ok(())
                }
                None => self.push_gap(field, missing),
            },
            Values::Bytes(values) => match whole(field, self.limit) {
                Some(value) => {
                    values.to_mut().push(value);
                    Ok(())
                }
                None if self.kind == Kind::Bytes => Err(format!(
                    "a whole number from 0 to {}{}",
                    self.limit,
                    if number(field, self.delimiter).is_some() {
                        " (a pixel; for features leave out --image-shape and --csv-max)"
                    } else {
                        ""
                    }
                )),
                None => {
                    self.make_floats();
                    self.push(field, missing)
                }
            },
        }
    }

    /// Checks a field that is a pixel or the label.
    fn check_end(&mut self, field: &[u8]) -> Result<(), String> {
        match (&self.values, self.kind) {
            (Values::Floats(_), _) => {}
            _ if whole(field, u8::MAX).is_some() => {}
            (_, Kind::Bytes) => return Err("a whole number from 0 to 255".to_owned()),
            _ => self.make_floats(),
        }
        Ok(())
    }

    /// Takes the pixels for features.
    #[cold]
    fn make_floats(&mut self) {
        if let Values::Bytes(pixels) = &self.values {
            self.values = Values::Floats(pixels.iter().map(|&pixel| f32::from(pixel)).collect());
        }
    }

    #[cold]
    fn push_gap(&mut self, field: &[u8], missing: Missing) -> Result<(), String> {
        if !is_missing(field) {
            let is_infinite = str::from_utf8(field).is_ok_and(|f| f.trim().parse::<f32>().is_ok());
            let what = if is_infinite { "a finite number" } else { "a number" };
            let hint = if is_infinite { "" } else { " (leave a column of words out by --drop)" };
            return Err(format!("{what}{hint}"));
        }
        let Values::Floats(values) = &mut self.values else { return Ok(()) };
        match missing {
            Missing::Mean => values.to_mut().push(f32::NAN),
            Missing::Zero => values.to_mut().push(0.0),
            Missing::Refuse | Missing::Drop => {
                return Err("a number (a missing value: --missing drop leaves the row out, mean or zero fill it)"
                    .to_owned());
            }
        }
        self.missing += 1;
        Ok(())
    }
}

/// The inputs as they are kept, their shape, the maximum value of a pixel, and all of that in words.
fn finish(
    path: &Path,
    columns: &Columns,
    mut values: Values,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
) -> Result<(Values, Shape, u8, String)> {
    let name = path.display();
    let shape = columns.shape;
    let mut why = String::new();
    if let Values::Bytes(pixels) = &mut values {
        let largest = pixels.iter().copied().max().unwrap_or(0);
        let max = expected.map(|expected| expected.max).or(schema.csv_max.0);
        let max = max.or(USUAL_MAX.contains(&largest).then_some(largest));
        if let Some(max) = max {
            pixels.to_mut().shrink_to_fit();
            let what = format!(
                "images of {}×{}, pixels from 0 to {max} (largest: {largest})",
                shape.rows, shape.cols
            );
            return Ok((values, shape, max, what));
        }
        ensure!(
            columns.kind == Kind::Either,
            "{name}: the largest pixel is {largest}, expected 1, 16 or 255: give the maximum value by --csv-max"
        );
        why = format!(" (for images of {}×{}: --csv-max {largest})", shape.rows, shape.cols);
        values = Values::Floats(pixels.iter().map(|&pixel| f32::from(pixel)).collect());
    }
    if let Values::Floats(values) = &mut values {
        values.to_mut().shrink_to_fit();
    }
    let count = columns.features.len();
    let (first, last) = (columns.features[0] + 1, columns.features[count - 1] + 1);
    let what = match count {
        1 => format!("1 feature in column {first}"),
        _ => format!("{count} features in columns {first} to {last}{why}"),
    };
    Ok((values, Shape { rows: 1, cols: count }, 0, what))
}

/// Counts the classes, and refuses targets that there is nothing to learn from.
pub(super) fn check_training(path: &Path, data: &mut Dataset) -> Result<()> {
    let name = path.display().to_string();
    if let Targets::Values(values) | Targets::Labels(values) = &data.targets {
        let width = data.target_names.len();
        for (target, title) in data.target_names.iter().enumerate() {
            let varies = values[target..].iter().step_by(width).any(|v| *v != values[target]);
            ensure!(varies, "{name}: the target `{title}` is {} in every row", values[target]);
        }
        return Ok(());
    }
    let labels = data.labels();
    let classes = match data.class_names.len() {
        0 => count_classes(labels).context(name.clone())?,
        1 => bail!(
            "{name}: all {} labels are `{}`, expected at least two classes",
            labels.len(),
            data.class_names[0]
        ),
        classes => classes,
    };
    ensure!(
        data.max > 0 || classes <= labels.len(),
        "{name}: {classes} classes in {} rows, expected at least a row for each: is the target the right column? (--target)",
        labels.len()
    );
    data.classes = classes;
    Ok(())
}

/// Names the features that are the same in every row.
pub(super) fn constant_features(data: &Dataset) -> Option<String> {
    let Values::Floats(values) = &data.inputs else { return None };
    let width = data.pixels();
    let mut varies = vec![false; width];
    for row in values.chunks_exact(width) {
        for ((varies, value), first) in varies.iter_mut().zip(row).zip(&values[..]) {
            *varies |= value != first && !value.is_nan();
        }
    }
    let mut constant = (0..width).filter(|&feature| !varies[feature]);
    let first = &data.features[constant.next()?];
    Some(match constant.count() {
        0 => format!("the feature `{first}` is the same in every row: it tells nothing"),
        more => format!(
            "the feature `{first}` and {more} more are the same in every row: they tell nothing"
        ),
    })
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
    input.check_kind("a CSV file", FileKind::is_arff)?;
    ensure!(
        !input.start().contains(&0),
        "{name} is no CSV file: it has bytes of value 0, expected text"
    );
    Ok(())
}

/// Finds out which end holds the labels. Before, `first` holds the first column; afterwards, the labels.
fn settle_end(
    path: &Path,
    values: &mut Values,
    first: &mut [f32],
    width: usize,
    expected: Option<&Expected<'_>>,
) -> Result<Target> {
    let last = || (0..first.len()).map(|row| values.get((row + 1) * width - 1));
    // Labels of two classes vary. A test set may have one class only, so there the pixel must be background.
    let is_pixel = |first: f32, all_alike: bool| all_alike && (expected.is_none() || first == 0.0);
    let first_is_pixel = is_pixel(first[0], first.iter().all(|&value| value == first[0]));
    let last_is_pixel = is_pixel(values.get(width - 1), last().all(|v| v == values.get(width - 1)));
    match (first_is_pixel, last_is_pixel) {
        (false, true) => Ok(Target::First),
        (true, false) => {
            match values {
                Values::Bytes(values) => {
                    swap_ends(values.to_mut(), first, width, |v| v as u8, f32::from)
                }
                Values::Floats(values) => swap_ends(values.to_mut(), first, width, |v| v, |v| v),
            }
            Ok(Target::Last)
        }
        _ => bail!(
            "{}: the labels may be in the first or in the last of the {} columns: say --target first or --target last",
            path.display(),
            width + 1
        ),
    }
}

/// Moves the column in `first` in front of the others, and the last column into `first`.
fn swap_ends<T: Copy>(
    values: &mut [T],
    first: &mut [f32],
    width: usize,
    narrow: impl Fn(f32) -> T,
    widen: impl Fn(T) -> f32,
) {
    for (row, first) in values.chunks_exact_mut(width).zip(first) {
        row.rotate_right(1);
        let label = widen(row[0]);
        row[0] = narrow(*first);
        *first = label;
    }
}
