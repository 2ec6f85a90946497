//! CSV files: images, features and targets.

use core::fmt::Write;

use picomlp::blob::TargetKind;
use picomlp_train::Shape;
use picomlp_train::data::csv::{Labels, read};
use picomlp_train::data::{
    CsvDelimiter, CsvHeader, CsvMax, Dataset, Expected, Missing, Schema, Target, TargetType,
    Targets, Values,
};

use crate::source::{Source, with_file};

/// Reads the file by flags that the first bytes choose. What was read is written again, with all that was found said by flags,
/// and gives the same inputs and targets.
pub fn csv(data: &[u8]) -> bool {
    let mut from = Source(data);
    let (flags, more) = (from.byte(), from.byte());
    let selection = |bit: u8, text: &str| {
        if more & bit == 0 { Ok(Default::default()) } else { text.parse() }.unwrap_or_default()
    };
    let schema = Schema {
        csv_header: [CsvHeader::Auto, CsvHeader::Auto, CsvHeader::Yes, CsvHeader::No]
            [usize::from(flags & 3)],
        target: match flags >> 2 & 7 {
            0 => Target::First,
            1 => Target::Last,
            2 => Target::None,
            3 => Target::Columns("digit,3".parse().unwrap_or_default()),
            4 => Target::Inputs,
            _ => Target::Auto,
        },
        target_type: [TargetType::Auto, TargetType::Class, TargetType::Value, TargetType::Label]
            [usize::from(more & 3)],
        missing: [Missing::Refuse, Missing::Drop, Missing::Mean, Missing::Zero]
            [usize::from(more >> 2 & 3)],
        csv_delimiter: if more & 0x10 == 0 { CsvDelimiter::Auto } else { CsvDelimiter::Semicolon },
        features: selection(0x20, "a*,2-3"),
        drop: selection(0x40, "?,1"),
        csv_max: CsvMax((flags & 0x20 != 0).then_some(16)),
        image_shape: (flags & 0x40 != 0).then_some(Shape { rows: 2, cols: 3 }),
        ..Schema::default()
    };
    let names = ["cat".to_owned(), "7".to_owned(), "ä".to_owned()];
    let known = (flags & 0x80 != 0).then_some(Expected {
        of: "the model",
        shape: Shape { rows: 1, cols: 4 },
        max: if more & 0x80 == 0 { 16 } else { 0 },
        features: &[],
        target_names: &[],
        kind: TargetKind::Classes,
        classes: 3,
        names: &names,
    });
    let wanted = if from.below(4) > 0 { Labels::Read } else { Labels::Ignore };
    let Some(table) = read_text(from.0, &schema, known.as_ref(), wanted) else {
        return false;
    };

    let (rows, width) = (table.len(), table.pixels());
    assert!(rows > 0 && rows * width == table.inputs.len());
    // Missing values get the mean of the training samples, once these are known.
    let waits = matches!(schema.missing, Missing::Mean);
    match &table.inputs {
        Values::Bytes(pixels) => assert!(pixels.iter().all(|pixel| *pixel <= table.max)),
        Values::Floats(values) => {
            assert!(values.iter().all(|value| value.is_finite() || waits && value.is_nan()));
        }
    }
    let outputs = match &table.targets {
        Targets::Classes(labels) => {
            assert!(labels.is_empty() || labels.len() == rows);
            assert!(labels.iter().all(|label| usize::from(*label) < table.classes));
            usize::from(!labels.is_empty())
        }
        Targets::Values(values) | Targets::Labels(values) => {
            assert_eq!(values.len(), rows * table.outputs());
            table.outputs()
        }
    };
    assert!(!table.notes.is_empty());

    let mut text = String::new();
    for row in 0..rows {
        for column in 0..width {
            write!(text, "{},", table.inputs.get(row * width + column)).unwrap();
        }
        for output in 0..outputs {
            match &table.targets {
                Targets::Classes(labels) => write!(text, "{},", labels[row]).unwrap(),
                Targets::Values(values) | Targets::Labels(values) => {
                    write!(text, "{},", values[row * outputs + output]).unwrap();
                }
            }
        }
        text.push('\n');
    }
    let said = Schema {
        csv_header: CsvHeader::No,
        csv_delimiter: CsvDelimiter::Comma,
        target: match outputs {
            0 => Target::None,
            _ => format!("{}-{}", width + 1, width + outputs).parse().unwrap(),
        },
        target_type: match table.targets {
            Targets::Classes(_) => TargetType::Class,
            Targets::Values(_) => TargetType::Value,
            Targets::Labels(_) => TargetType::Label,
        },
        missing: if waits { Missing::Mean } else { Missing::Refuse },
        csv_max: CsvMax(Some(table.max).filter(|max| *max > 0)),
        image_shape: (table.max > 0).then(|| table.shape()),
        ..Schema::default()
    };
    let expected = Expected { target_names: &[], features: &[], ..Expected::training(&table) };
    let known = if outputs == 0 { None } else { Some(&expected) };
    let by_number = Expected { names: &[], ..expected };
    let again = read_text(text.as_bytes(), &said, known.map(|_| &by_number), Labels::Read).unwrap();
    let bits = |table: &Dataset| {
        let values = 0..rows * width;
        values.map(|i| table.inputs.get(i).to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&again), bits(&table));
    assert_eq!((again.shape(), again.max), (table.shape(), table.max));
    assert!(outputs == 0 || again.targets == table.targets);
    true
}

fn read_text(
    text: &[u8],
    schema: &Schema,
    known: Option<&Expected<'_>>,
    wanted: Labels,
) -> Option<Dataset> {
    with_file(text, |path| match read(path, schema, known, wanted) {
        Ok(table) => Some(table),
        Err(error) => {
            assert!(format!("{error:#}").contains(&*path.to_string_lossy()), "{error:#}");
            None
        }
    })
}
