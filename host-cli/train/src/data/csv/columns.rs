//! What the columns of a CSV file are: header, units, targets, features.

use std::collections::HashSet;
use std::path::Path;

use ::csv::ByteRecord;
use anyhow::{Context, Result, anyhow, bail, ensure};

use super::Labels;
use super::cell::{is_missing, number, unquoted};
use crate::data::dataset::Feature;
use crate::data::expected::Expected;
use crate::data::schema::{CsvHeader, Schema, Selection, Target};
use crate::data::windows::{self, Series};
use crate::shape::Shape;

/// Names that say that a column holds the labels, in capitals or not.
const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

/// Names of columns that count rows, in capitals or not: what pandas and SQL write beside the data.
const INDEX_NAMES: [&str; 3] = ["id", "index", "Unnamed: 0"];

/// What the features may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pixels: whole numbers from 0 to 255.
    Bytes,
    /// Pixels, unless a value is no whole number from 0 to 255.
    Either,
    /// Numbers.
    Floats,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Those of the features, in the order in which the network reads them.
    pub(super) features: Vec<usize>,
    /// Those of the targets.
    pub(super) targets: Vec<usize>,
    /// The column of the classes that an autoencoder does not read.
    pub(super) class: Option<usize>,
    /// The column that says which rows belong together.
    pub(super) group: Option<usize>,
    /// Where rows hold steps of a series: the channels, and the first column of each.
    pub(super) channels: Vec<(String, usize)>,
    /// Whether the targets are one-hot.
    pub(super) is_one_hot: bool,
    /// Whether the target may be the last feature instead.
    pub(super) is_an_end: bool,
    pub(super) kind: Kind,
    /// The shape of the features.
    pub(super) shape: Shape,
    pub(super) has_header: bool,
    /// Whether the second row holds units.
    pub(super) has_units: bool,
    /// From the header; numbers if there is none.
    names: Vec<String>,
    units: Vec<String>,
    /// Dropped by their names.
    dropped: Vec<usize>,
}

impl Columns {
    /// Finds out from the first rows what can be expected.
    pub(super) fn new(
        path: &Path,
        first: &[ByteRecord],
        delimiter: u8,
        schema: &Schema,
        expected: Option<&Expected<'_>>,
        wanted: Labels,
    ) -> Result<Self> {
        let name = path.display();
        let is_number = |field: &[u8]| number(field, delimiter).is_some();
        let has_header = has_header(path, first, delimiter, schema.csv_header)?;
        let text = |field: &[u8]| String::from_utf8_lossy(unquoted(field)).into_owned();
        let count = first[0].len();
        let mut names: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
        if has_header {
            names = first[0].iter().map(text).collect();
        }
        // Below a header, a row without a number before one with numbers.
        let has_units = has_header
            && first.len() > 2
            && !first[1].iter().any(is_number)
            && first[2].iter().any(is_number);
        let units = if has_units {
            first[1].iter().map(text).collect()
        } else {
            vec![String::new(); count]
        };
        let sample = first.get(usize::from(has_header) + usize::from(has_units));

        let select = |selection: &Selection, flag: &str| {
            let columns = selection.columns(&names);
            columns.map_err(|why| {
                let hint = if has_header { "" } else { " (the file has no header)" };
                anyhow!("{name}, line 1: {flag}: {why}{hint}")
            })
        };
        // A model knows its features by their names. Then other columns need not be there.
        let known = expected.map_or(&[][..], |expected| expected.features);
        let have_names =
            (1..).zip(known).any(|(number, f): (usize, _)| f.name != number.to_string());
        let are_named = has_header && have_names;
        let window = schema.window.map(|_| schema.window_and_stride().0);
        let channels = window.map(|window| windows::channels_of(known, window));
        let channels = channels.filter(|channels| has_header && !channels.is_empty());
        let is_bare = expected.is_some_and(|expected| match window {
            None => expected.shape.pixels() == count,
            Some(window) => count.is_multiple_of((expected.shape.pixels() / window).max(1)),
        });
        let choose = |selection: &Selection, flag: &str| match are_named || is_bare {
            true => Ok(selection.columns(&names).unwrap_or_default()),
            false => select(selection, flag),
        };
        let target = match schema.target {
            // Nothing but features: a file to predict.
            _ if wanted == Labels::Ignore && is_bare => &Target::None,
            ref target => target,
        };
        let mut targets = match target {
            Target::Columns(columns) if wanted == Labels::Ignore => choose(columns, "--target")?,
            Target::Columns(columns) => select(columns, "--target")?,
            _ => Vec::new(),
        };
        let mut features = choose(&schema.features, "--features")?;
        let drop = choose(&schema.drop, "--drop")?;
        let group = match &choose(&schema.group, "--group")?[..] {
            [] => None,
            [column] => Some(*column),
            [_, ..] => {
                bail!("{name}: --group {} names several columns, expected one", schema.group)
            }
        };
        let is_index = |column: &usize| has_header && is_index_name(&names[*column]);
        let dropped: Vec<usize> = (0..count)
            .filter(is_index)
            .filter(|column| !targets.contains(column) && !features.contains(column))
            .collect();
        let is_read = |column: &usize| {
            !drop.contains(column) && !dropped.contains(column) && group != Some(*column)
        };
        if features.is_empty() {
            features = (0..count).filter(is_read).collect();
        } else {
            features.retain(is_read);
        }
        let read = features.clone();

        let mut series = match &channels {
            Some(channels) => Some(Series::known(channels, &names).with_context(|| {
                format!(
                    "{name}, line 1: expected columns named {0} (a step in each row) or {0}_0, {0}_1 … (a recording in each row), \
                     and likewise for all {1} channels of {2}",
                    channels[0],
                    channels.len(),
                    expected.map_or("", |expected| expected.of)
                )
            })?),
            None => None,
        };
        let (mut is_one_hot, mut is_an_end, mut class) = (false, false, None);
        let is_label = |column: &usize| is_label_name(names[*column].as_bytes());
        let is_word = |column: &usize| {
            let field = sample.map_or(&b"0"[..], |sample| &sample[*column]);
            !is_number(field) && !is_missing(field)
        };
        match *target {
            Target::Columns(_) | Target::None => {}
            Target::Inputs => {
                class = read.iter().copied().find(is_label);
                class = class.or_else(|| read.iter().copied().find(is_word));
                features.retain(|column| Some(*column) != class);
            }
            Target::First => targets.extend(read.first()),
            Target::Last => targets.extend(read.last()),
            Target::FirstOf(len) | Target::LastOf(len) => {
                let (len, columns) = (usize::from(len), read.len());
                ensure!(
                    columns > len,
                    "{name}, line 1: expected {len} columns of one-hot labels and features, got {columns} columns"
                );
                is_one_hot = true;
                let is_first = matches!(*target, Target::FirstOf(_));
                let from = if is_first { 0 } else { columns - len };
                targets.extend(&read[from..from + len]);
            }
            Target::Auto => {
                let trained = expected.map_or(&[][..], |expected| expected.target_names);
                let place = |target: &String| names.iter().position(|name| name == target);
                targets.extend(trained.iter().filter_map(place).filter(|_| has_header));
                if targets.is_empty() {
                    targets = read.iter().copied().filter(is_label).collect();
                    if let ([one, other, ..], Labels::Read) = (&targets[..], wanted) {
                        let (one, other) = (*one, *other);
                        bail!(
                            "{name}, line 1: columns {} (`{}`) and {} (`{}`) may both be the target: say --target first, \
                             last, or a column's name",
                            one + 1,
                            names[one],
                            other + 1,
                            names[other]
                        );
                    }
                }
                let is_feature = |column: &usize| match &series {
                    Some(series) => series.columns.contains(column),
                    None => are_named && known.iter().any(|feature| feature.name == names[*column]),
                };
                let others = read.iter().copied().filter(|column| !is_feature(column));
                if targets.is_empty() {
                    targets = others.clone().filter(is_word).collect();
                    if let ([one, other, ..], Labels::Read) = (&targets[..], wanted) {
                        let (one, other) = (*one, *other);
                        bail!(
                            "{name}: {} and {} hold words: say which is the target by --target, and leave \
                             others out by --drop",
                            title(&names, has_header, one),
                            title(&names, has_header, other)
                        );
                    }
                }
                if targets.is_empty() && are_named {
                    targets.extend(others.clone().next().filter(|_| others.count() == 1));
                } else if targets.is_empty() {
                    is_an_end = may_have_target(path, read.len(), schema, expected)?;
                    targets.extend(read.first().filter(|_| is_an_end));
                }
            }
        }
        if let Some(series) = &series {
            features.clone_from(&series.columns);
        } else if are_named && window.is_none() {
            let column = |feature: &Feature| {
                let found = names.iter().position(|name| *name == feature.name);
                found.with_context(|| {
                    format!(
                        "{name}, line 1: expected a column named `{}`, which {} reads",
                        feature.name,
                        expected.map_or("", |expected| expected.of)
                    )
                })
            };
            features = known.iter().map(column).collect::<Result<_>>()?;
        } else {
            features.retain(|column| !targets.contains(column));
        }
        if let (Some(window), None, false) = (window, &series, features.is_empty()) {
            let known = expected.map(|expected| expected.shape.pixels() / window);
            let channels = known.or(schema.channels.map(|channels| channels as usize));
            let found = Series::detect(&features, &names, window, channels);
            let found = found.map_err(|why| anyhow!("{name}, line 1: {why}"))?;
            features.clone_from(&found.columns);
            series = Some(found);
        }
        let mut seen = HashSet::new();
        for &column in targets.iter().chain(&features) {
            ensure!(
                !has_header || *target == Target::Inputs || seen.insert(&names[column]),
                "{name}, line 1: the header has the name `{}` more than once: rename one column, or choose columns by number",
                names[column]
            );
        }
        ensure!(
            !features.is_empty(),
            "{name}, line 1: expected features beside the target, got {count} columns"
        );
        let (kind, shape) = match window {
            None => shape_of(path, features.len(), targets.len(), schema, expected)?,
            Some(_) => (Kind::Floats, Shape { rows: 1, cols: features.len() }),
        };
        if *target == Target::Inputs {
            targets = features.clone();
        }
        Ok(Self {
            features,
            targets,
            class,
            group,
            channels: series.map(|series| series.channels).unwrap_or_default(),
            is_one_hot,
            is_an_end,
            kind,
            shape,
            has_header,
            has_units,
            names,
            units,
            dropped,
        })
    }

    /// A column as a message names it, counted from 1.
    pub(super) fn title(&self, column: usize) -> String {
        title(&self.names, self.has_header, column)
    }

    /// The names of the targets.
    pub(super) fn target_names(&self) -> Vec<String> {
        self.targets.iter().map(|&column| self.feature(column).name).collect()
    }

    /// The features by name and unit.
    pub(super) fn described(&self) -> Vec<Feature> {
        self.features.iter().map(|&column| self.feature(column)).collect()
    }

    /// The channels by name and unit.
    pub(super) fn described_channels(&self) -> Vec<Feature> {
        let channel = |(name, column): &(String, usize)| Feature {
            name: name.clone(),
            unit: self.units[*column].clone(),
        };
        self.channels.iter().map(channel).collect()
    }

    fn feature(&self, column: usize) -> Feature {
        Feature { name: self.names[column].clone(), unit: self.units[column].clone() }
    }

    /// Where the targets were found, and what is left out, in words.
    pub(super) fn describe(&self, what: &str) -> String {
        let mut text = match self.targets[..] {
            _ if self.targets == self.features => format!("{what}: the features"),
            [] => "no labels".to_owned(),
            [column] => format!("{what} in {}", self.title(column)),
            [from, .., to] => format!("{what} in columns {} to {}", from + 1, to + 1),
        };
        for &column in &self.dropped {
            text += &format!(", {} dropped (an index, by its name)", self.title(column));
        }
        if let Some(column) = self.group {
            text += &format!(", groups in {}", self.title(column));
        }
        if self.has_units {
            text += ", units in line 2";
        }
        text
    }
}

fn title(names: &[String], has_header: bool, column: usize) -> String {
    match &names[column] {
        _ if !has_header => format!("column {}", column + 1),
        name if name.is_empty() => format!("column {} (unnamed)", column + 1),
        name => format!("column {} (`{name}`)", column + 1),
    }
}

/// Whether the first row is a header.
fn has_header(path: &Path, rows: &[ByteRecord], delimiter: u8, choice: CsvHeader) -> Result<bool> {
    match choice {
        CsvHeader::Yes => return Ok(true),
        CsvHeader::No => return Ok(false),
        CsvHeader::Auto => {}
    }
    let (first, number) = (&rows[0], |field: &[u8]| number(field, delimiter));
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
            first.iter().skip(skip).take(len).map(|field| number(field).unwrap_or(f32::NAN));
        let start = fields.next().unwrap_or(f32::NAN);
        fields.zip(1u16..).all(|(value, i)| value == start + f32::from(i)).then_some(start)
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
    // Words where the next row has words are data. So is one at one end beside numbers that do not count.
    let is_word = |field: &[u8]| number(field).is_none() && !is_missing(field);
    let is_alike = |second: &ByteRecord| {
        first
            .iter()
            .zip(second)
            .all(|(a, b)| is_word(a) == is_word(b) || is_missing(a) || is_missing(b))
    };
    let word = first.iter().position(is_word);
    let is_at_an_end = word.is_some_and(|word| word == 0 || word + 1 == first.len());
    let word_counts = is_at_an_end && counts_up(usize::from(word == Some(0)), numbers).is_some();
    let is_data = word.is_some() || !first[0].is_empty();
    if numbers < first.len() && is_data && !word_counts && rows.get(1).is_none_or(is_alike) {
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

fn is_index_name(name: &str) -> bool {
    name.is_empty() || INDEX_NAMES.iter().any(|index| name.eq_ignore_ascii_case(index))
}

fn is_label_name(field: &[u8]) -> bool {
    let field = unquoted(field);
    LABEL_NAMES.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
}

/// A square that an image may have.
fn image(count: usize) -> Option<Shape> {
    Shape::square(count).filter(Shape::holds_an_image)
}

/// Whether one of the ends of `count` columns of numbers is the target: there is one column more than features.
fn may_have_target(
    path: &Path,
    count: usize,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
) -> Result<bool> {
    let name = path.display();
    let known = expected.map(|expected| expected.shape).or(schema.image_shape);
    let (all, without_one) = match known {
        Some(shape) => (shape.pixels() == count, shape.pixels() + 1 == count),
        None => (image(count).is_some(), count > 0 && image(count - 1).is_some()),
    };
    if all || without_one {
        return Ok(!all);
    }
    let pixels = known.map_or_else(|| count.isqrt().pow(2), |shape| shape.pixels());
    let hint = match count.checked_sub(pixels) {
        Some(labels @ 2..=256) => {
            format!(
                " (if the labels are one-hot in the last {labels} columns: --target last:{labels})"
            )
        }
        _ => String::new(),
    };
    match known {
        Some(shape) if shape.rows == 1 => bail!(
            "{name}, line 1: expected {} columns of features, or one more with the target, got {count}{hint}",
            shape.pixels()
        ),
        Some(shape) => bail!(
            "{name}, line 1: expected {} columns for images of {shape}, or one more with labels, got {count}{hint}",
            shape.pixels()
        ),
        None => bail!(
            "{name}, line 1: {count} columns of numbers, and none is named label, class or target: say which is the target by \
             --target (a name, a number, first, last, none, or inputs){hint}"
        ),
    }
}

/// What `count` features are, beside the columns of `targets`.
fn shape_of(
    path: &Path,
    count: usize,
    targets: usize,
    schema: &Schema,
    expected: Option<&Expected<'_>>,
) -> Result<(Kind, Shape)> {
    let name = path.display();
    let row = Shape { rows: 1, cols: count };
    let (known, of) = match (expected, schema.image_shape) {
        (Some(expected), Some(shape)) if expected.shape != shape => bail!(
            "{name}: --image-shape {shape} was given, but the images of {} are {}",
            expected.of,
            expected.shape
        ),
        (Some(expected), _) => (Some(expected.shape), format!(" (those of {})", expected.of)),
        (None, shape) => (shape, String::new()),
    };
    if let Some(shape) = known {
        let is_features = expected.is_some_and(|expected| expected.max == 0);
        ensure!(
            shape.pixels() == count,
            "{name}, line 1: expected {} columns for {}{of}{}, got {}",
            shape.pixels() + targets,
            if is_features { "features".to_owned() } else { format!("images of {shape}") },
            if targets == 0 { "" } else { " and their labels" },
            count + targets
        );
        return Ok((if is_features { Kind::Floats } else { Kind::Bytes }, shape));
    }
    match (schema.csv_max.0, image(count)) {
        (Some(_), _) => {
            let shape = Shape::square(count).with_context(|| {
                format!(
                    "{name}: {count} columns of pixels are no square: for other images give --image-shape ROWSxCOLS"
                )
            })?;
            Ok((Kind::Bytes, shape))
        }
        (None, Some(shape)) => Ok((Kind::Either, shape)),
        (None, None) => Ok((Kind::Floats, row)),
    }
}
