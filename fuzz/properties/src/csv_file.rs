//! CSV files of images.

use core::fmt::Write;

use picomlp_train::Shape;
use picomlp_train::data::csv::{Labels, Table, read};
use picomlp_train::data::{CsvHeader, CsvMax, Expected, LabelColumn, Schema};

use crate::source::{Source, with_file};

/// Reads the file by flags that the first bytes choose. What was read is written again, with all that was found said by flags,
/// and gives the same images and labels.
pub fn csv(data: &[u8]) -> bool {
    let mut from = Source(data);
    let flags = from.byte();
    let schema = Schema {
        csv_header: [CsvHeader::Auto, CsvHeader::Auto, CsvHeader::Yes, CsvHeader::No]
            [usize::from(flags & 3)],
        label: match flags >> 2 & 7 {
            0 => LabelColumn::First,
            1 => LabelColumn::Last,
            2 => LabelColumn::None,
            3 => LabelColumn::Named("digit".to_owned()),
            _ => LabelColumn::Auto,
        },
        csv_max: CsvMax((flags & 0x20 != 0).then_some(16)),
        image_shape: (flags & 0x40 != 0).then_some(Shape { rows: 2, cols: 3 }),
        ..Schema::default()
    };
    let names = ["cat".to_owned(), "7".to_owned(), "ä".to_owned()];
    let known = (flags & 0x80 != 0).then_some(Expected {
        of: "the model",
        shape: Shape { rows: 1, cols: 4 },
        max: 16,
        classes: 3,
        names: &names,
    });
    let wanted = if from.below(4) > 0 { Labels::Read } else { Labels::Ignore };
    let Some(table) = read_text(from.0, &schema, known.as_ref(), wanted) else {
        return false;
    };

    let rows = table.images.len() / table.shape.pixels();
    assert_eq!(rows * table.shape.pixels(), table.images.len());
    assert!(rows > 0 && table.images.iter().all(|pixel| *pixel <= table.max));
    assert!(table.labels.as_ref().is_none_or(|labels| labels.len() == rows));
    assert!(!table.note.is_empty());

    let mut text = String::new();
    for (row, image) in table.images.chunks_exact(table.shape.pixels()).enumerate() {
        for pixel in image {
            write!(text, "{pixel},").unwrap();
        }
        let label = table.labels.as_ref().map_or(0, |labels| labels[row]);
        writeln!(text, "{label}").unwrap();
    }
    let said = Schema {
        csv_header: CsvHeader::No,
        label: LabelColumn::Last,
        csv_max: CsvMax(Some(table.max).filter(|max| *max > 0)),
        image_shape: Some(table.shape),
        ..Schema::default()
    };
    let again = read_text(text.as_bytes(), &said, None, Labels::Read).unwrap();
    assert_eq!((again.images, again.shape, again.max), (table.images, table.shape, table.max));
    assert!(table.labels.is_none_or(|labels| Some(labels) == again.labels));
    true
}

fn read_text(
    text: &[u8],
    schema: &Schema,
    known: Option<&Expected<'_>>,
    wanted: Labels,
) -> Option<Table> {
    with_file(text, |path| match read(path, schema, known, wanted) {
        Ok(table) => Some(table),
        Err(error) => {
            assert!(format!("{error:#}").contains(&*path.to_string_lossy()), "{error:#}");
            None
        }
    })
}
