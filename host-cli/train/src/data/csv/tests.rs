use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::data::schema::CsvHeader;

fn put(text: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read_text(text: &str, format: &Schema) -> Result<Table> {
    let (_folder, path) = put(text.as_bytes());
    read(&path, format, None, Labels::Read)
}

fn message(text: &str, format: &Schema) -> String {
    format!("{:#}", read_text(text, format).unwrap_err())
}

fn labeled(label: LabelColumn) -> Schema {
    Schema { label, ..Schema::default() }
}

const KNOWN: Expected<'static> = Expected {
    of: "the model",
    shape: Shape { rows: 2, cols: 2 },
    max: 255,
    classes: 3,
    names: &[],
};

fn read_known(text: &str) -> Result<Table> {
    let (_folder, path) = put(text.as_bytes());
    read(&path, &Schema::default(), Some(&KNOWN), Labels::Read)
}

#[test]
fn the_end_that_is_the_same_in_every_row_is_no_label() {
    let first = read_text("7,1,2,255,0\n8,4,5,6,0\n", &Schema::default()).unwrap();
    assert_eq!(first.labels, Some(vec![7, 8]));
    assert_eq!(first.images, [1, 2, 255, 0, 4, 5, 6, 0]);
    assert_eq!(first.label_end, Some(LabelColumn::First));
    let last = read_text("0,1,2,255,7\n0,4,5,6,8\n", &Schema::default()).unwrap();
    assert_eq!(last.labels, Some(vec![7, 8]));
    assert_eq!(last.images, [0, 1, 2, 255, 0, 4, 5, 6]);
    assert_eq!(last.label_end, Some(LabelColumn::Last));
    assert!(last.note.ends_with(
        "some.csv: 2 rows without header, labels in column 5, images of 2×2, pixels from 0 to 255 (largest: 255)"
    ));
    for text in ["0,1,2,255,7\n1,4,5,6,8\n", "7,1,2,255,0\n7,4,5,6,0\n", "7,1,2,255,0\n"] {
        assert!(message(text, &Schema::default()).contains("say --label first or --label last"));
    }
}

#[test]
fn among_test_data_only_a_background_pixel_is_no_label() {
    // A test set of one class: the last column is the label, though the first one varies.
    let error = read_known("0,1,2,255,2\n1,4,5,6,2\n").unwrap_err();
    assert!(error.to_string().contains("say --label first or --label last"), "{error}");
    assert_eq!(read_known("1,1,2,255,0\n2,4,5,6,0\n").unwrap().labels, Some(vec![1, 2]));
    let error = read_known("1,1,2,255,0\n3,4,5,6,0\n").unwrap_err();
    assert!(error.to_string().ends_with("the label of row 2 is 3, expected 0 to 2"), "{error}");
}

#[test]
fn a_column_of_labels_that_are_not_wanted_may_hold_anything() {
    let (_folder, path) = put(b"id,a,b,c,d\n1000,1,2,255,0\nx,4,5,6,0\n");
    let format = labeled(LabelColumn::Named("id".into()));
    let table = read(&path, &format, Some(&KNOWN), Labels::Ignore).unwrap();
    assert_eq!((table.labels, table.images), (None, vec![1, 2, 255, 0, 4, 5, 6, 0]));
}

#[test]
fn a_limit_holds_for_the_end_that_turns_out_to_be_a_pixel() {
    let format = Schema { csv_max: CsvMax(Some(16)), ..Schema::default() };
    assert_eq!(read_text("20,1,2,16,0\n8,4,5,6,0\n", &format).unwrap().labels, Some(vec![20, 8]));
    let error = message("20,1,2,16,17\n8,4,5,6,17\n", &format);
    assert!(error.ends_with("a pixel of row 1 is 17, expected at most 16"), "{error}");
}

#[test]
fn columns_that_are_a_square_are_pixels_alone() {
    let table = read_text("1,2,255,0\n", &Schema::default()).unwrap();
    assert_eq!((table.labels, table.shape), (None, Shape { rows: 2, cols: 2 }));
    let error = read_text("1,2,255,0\n", &labeled(LabelColumn::First)).unwrap_err();
    assert!(error.to_string().contains("3 feature columns are no square"), "{error}");
}

#[test]
fn the_value_of_full_ink_is_said_or_one_of_the_usual() {
    let format = labeled(LabelColumn::None);
    for max in [1, 16, 255] {
        assert_eq!(read_text(&format!("0,0,0,{max}\n"), &format).unwrap().max, max);
    }
    for max in [0, 2, 15, 17, 254] {
        let error = message(&format!("0,0,0,{max}\n"), &format);
        assert!(error.contains(&format!("the largest pixel is {max}")), "{error}");
        let said = Schema { csv_max: CsvMax(Some(254)), ..format.clone() };
        assert_eq!(read_text(&format!("0,0,0,{max}\n"), &said).unwrap().max, 254);
    }
}

#[test]
fn headers_are_told_from_images() {
    let rows = "0,1,2,255\n";
    for (first, rows_expected) in [("a,b,c,d\n", 1), ("", 1), ("0,1,2,4\n", 2)] {
        let table = read_text(&format!("{first}{rows}"), &labeled(LabelColumn::None)).unwrap();
        assert_eq!(table.images.len() / 4, rows_expected, "{first}");
    }
    for first in ["0,1,2,3\n", "a,1,2,3\n", ",1,2,3\n"] {
        let text = format!("{first}{rows}");
        let error = message(&text, &labeled(LabelColumn::None));
        assert!(error.contains("say --csv-header yes or --csv-header no"), "{error}");
        let format =
            Schema { csv_header: CsvHeader::Yes, label: LabelColumn::None, ..Schema::default() };
        // A column without a name is left out.
        let format = Schema {
            image_shape: Some(Shape { rows: 1, cols: 4 - usize::from(first.starts_with(',')) }),
            ..format
        };
        assert_eq!(
            read_text(&text, &format).unwrap().images.len(),
            format.image_shape.unwrap().cols
        );
    }
    let table = read_text(
        &format!("0,Class,1,2\n{rows}"),
        &Schema { image_shape: Some(Shape { rows: 1, cols: 3 }), ..Schema::default() },
    );
    let table = table.unwrap();
    assert_eq!((table.labels, table.images), (Some(vec![1]), vec![0, 2, 255]));
}

#[test]
fn whole_reads_every_way_to_write_a_whole_number() {
    let whole = |text: &str| cell::whole(text.as_bytes(), 255);
    for (text, value) in [("0", 0), ("9", 9), ("16", 16), ("255", 255), ("007", 7), ("+5", 5)] {
        assert_eq!(whole(text), Some(value), "{text}");
    }
    for (text, value) in [("1.0", 1), ("1.6e+01", 16), (" 7 ", 7), ("-0.0", 0), ("0000255.", 255)] {
        assert_eq!(whole(text), Some(value), "{text}");
    }
    for text in ["", " ", "256", "1000", "-1", "0.5", "1e3", "nan", "inf", "0x1", "1 2", "१"] {
        assert_eq!(whole(text), None, "{text}");
    }
    assert_eq!(cell::whole(b"17", 16), None);
    assert_eq!(cell::whole(b"\xff", 255), None);
}

#[test]
fn read_keeps_no_more_than_the_pixels() {
    let row = vec!["255"; 784].join(",") + "\n";
    let table = read_text(&row.repeat(1000), &Schema::default()).unwrap();
    assert_eq!(table.images.len(), 784_000);
    assert!(table.images.capacity() < 784_000 + 784, "{}", table.images.capacity());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_a_file_is() {
    // `/dev/fd/N` is what a shell hands over for `<(…)`.
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"7,1,2,255,0\n8,4,5,6,0\n").unwrap();
    drop(writer);
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    assert_eq!(
        read(&path, &Schema::default(), None, Labels::Read).unwrap().labels,
        Some(vec![7, 8])
    );
}

#[test]
fn lines_of_spaces_are_empty_and_columns_may_be_aligned_by_several() {
    let table =
        read_text("  \n 7  1 2 255   0\n  8 4 5   6 0 \n   \n\n", &labeled(LabelColumn::First));
    let table = table.unwrap();
    assert_eq!((table.labels, table.images), (Some(vec![7, 8]), vec![1, 2, 255, 0, 4, 5, 6, 0]));
    assert!(table.note.contains("fields separated by spaces"), "{}", table.note);
}

/// Whatever a file holds, it is read or refused in a sentence that names it.
#[test]
fn no_text_makes_the_reader_panic() {
    use picomlp::rng::{Purpose, Stream};
    const TEXTS: [&str; 5] = [
        ",label,a,b,c,d\n0,1,1,2,255,0\n1,2,4,5,6,0\n",
        "7;1;2;255;0\n8;4;5;6;0\n",
        " 1 2 255 0 0 1\n 4 5 6 0 1 0\n",
        "a,0,2,255,0\nb,4,5,6,0,\n",
        "0,0.1,0.2,0.3,5\n'1',\"2\",3,4,5\n",
    ];
    const PIECES: &[u8] = b",;\t \"'\n\r.-0123456789ae@%\0\xff\xef";
    let mut stream = Stream::new(1, Purpose::Split, 0);
    let mut below = |n: usize| stream.below(n as u32) as usize;
    let (_folder, path) = put(b"");
    for _ in 0..4000 {
        let mut text = TEXTS[below(TEXTS.len())].as_bytes().to_vec();
        for _ in 0..below(6) {
            let at = below(text.len());
            match below(3) {
                0 => text[at] = PIECES[below(PIECES.len())],
                1 => text.insert(at, PIECES[below(PIECES.len())]),
                _ => text.truncate(at + 1),
            }
        }
        let labels = ["auto", "first", "last", "none", "last:2", "first:2", "label"];
        let format = Schema {
            label: labels[below(labels.len())].parse().unwrap(),
            csv_header: [CsvHeader::Auto, CsvHeader::Yes, CsvHeader::No][below(3)],
            ..Schema::default()
        };
        fs::write(&path, &text).unwrap();
        let known = [None, Some(&KNOWN)][below(2)];
        let wanted = [Labels::Read, Labels::Ignore][below(2)];
        if let Err(error) = read(&path, &format, known, wanted) {
            assert!(
                error.to_string().contains("some.csv"),
                "{error:#}: {:?}",
                text.escape_ascii().to_string()
            );
        }
    }
}
