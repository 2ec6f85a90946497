use std::fs;
use std::path::PathBuf;

use picomlp::blob::TargetKind;
use tempfile::TempDir;

use super::*;
use crate::data::schema::{CsvHeader, Selection, TargetType};

fn put(text: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read_text(text: &str, format: &Schema) -> Result<Dataset> {
    let (_folder, path) = put(text.as_bytes());
    read(&path, format, None, Labels::Read)
}

fn message(text: &str, format: &Schema) -> String {
    format!("{:#}", read_text(text, format).unwrap_err())
}

/// Images of 2×2.
fn square() -> Schema {
    Schema { image_shape: Some(Shape { rows: 2, cols: 2 }), ..Schema::default() }
}

fn labeled(target: Target) -> Schema {
    Schema { target, ..square() }
}

const KNOWN: Expected<'static> = Expected {
    of: "the model",
    shape: Shape { rows: 2, cols: 2 },
    max: 255,
    features: &[],
    target_names: &[],
    kind: TargetKind::Classes,
    classes: 3,
    names: &[],
};

fn read_known(text: &str) -> Result<Dataset> {
    let (_folder, path) = put(text.as_bytes());
    read(&path, &Schema::default(), Some(&KNOWN), Labels::Read)
}

#[test]
fn the_end_that_is_the_same_in_every_row_is_no_label() {
    let first = read_text("7,1,2,255,0\n8,4,5,6,0\n", &square()).unwrap();
    assert_eq!(first.labels(), [7, 8]);
    assert_eq!(first.images(), [1, 2, 255, 0, 4, 5, 6, 0]);
    assert_eq!(first.label_end, Some(Target::First));
    let last = read_text("0,1,2,255,7\n0,4,5,6,8\n", &square()).unwrap();
    assert_eq!(last.labels(), [7, 8]);
    assert_eq!(last.images(), [0, 1, 2, 255, 0, 4, 5, 6]);
    assert_eq!(last.label_end, Some(Target::Last));
    assert!(last.notes[0].ends_with(
        "some.csv: 2 rows without header, labels in column 5, images of 2×2, pixels from 0 to 255 (largest: 255)"
    ));
    for text in ["0,1,2,255,7\n1,4,5,6,8\n", "7,1,2,255,0\n7,4,5,6,0\n", "7,1,2,255,0\n"] {
        assert!(message(text, &square()).contains("say --target first or --target last"));
    }
}

#[test]
fn among_test_data_only_a_background_pixel_is_no_label() {
    // A test set of one class: the last column is the label, though the first one varies.
    let error = read_known("0,1,2,255,2\n1,4,5,6,2\n").unwrap_err();
    assert!(error.to_string().contains("say --target first or --target last"), "{error}");
    assert_eq!(read_known("1,1,2,255,0\n2,4,5,6,0\n").unwrap().labels(), [1, 2]);
    let error = read_known("1,1,2,255,0\n3,4,5,6,0\n").unwrap_err();
    assert!(format!("{error:#}").ends_with("the label of row 2 is 3, expected 0 to 2"), "{error}");
}

#[test]
fn a_column_of_labels_that_are_not_wanted_may_hold_anything() {
    let (_folder, path) = put(b"id,a,b,c,d\n1000,1,2,255,0\nx,4,5,6,0\n");
    let format = labeled(Target::Columns("id".parse().unwrap()));
    let table = read(&path, &format, Some(&KNOWN), Labels::Ignore).unwrap();
    assert_eq!((table.labels(), table.images()), (&[][..], &[1, 2, 255, 0, 4, 5, 6, 0][..]));
}

#[test]
fn a_limit_holds_for_the_end_that_turns_out_to_be_a_pixel() {
    let format = Schema { csv_max: CsvMax(Some(16)), ..square() };
    assert_eq!(read_text("20,1,2,16,0\n8,4,5,6,0\n", &format).unwrap().labels(), [20, 8]);
    let error = message("20,1,2,16,17\n8,4,5,6,17\n", &format);
    assert!(error.ends_with("a pixel of row 1 is 17, expected at most 16"), "{error}");
}

#[test]
fn columns_that_are_a_square_are_pixels_alone() {
    let table = read_text("1,2,255,0\n", &square()).unwrap();
    assert_eq!((table.labels(), table.shape()), (&[][..], Shape { rows: 2, cols: 2 }));
    let error = read_text("1,2,255,0\n", &labeled(Target::First)).unwrap_err();
    assert!(
        error.to_string().contains("expected 5 columns for images of 2x2 and their labels, got 4"),
        "{error}"
    );
}

#[test]
fn the_value_of_full_ink_is_said_or_one_of_the_usual() {
    let format = labeled(Target::None);
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
        let table = read_text(&format!("{first}{rows}"), &labeled(Target::None)).unwrap();
        assert_eq!(table.images().len() / 4, rows_expected, "{first}");
    }
    for first in ["0,1,2,3\n", "a,1,2,3\n", ",1,2,3\n"] {
        let text = format!("{first}{rows}");
        let error = message(&text, &labeled(Target::None));
        assert!(error.contains("say --csv-header yes or --csv-header no"), "{error}");
        let format =
            Schema { csv_header: CsvHeader::Yes, target: Target::None, ..Schema::default() };
        // A column without a name is left out.
        let format = Schema {
            image_shape: Some(Shape { rows: 1, cols: 4 - usize::from(first.starts_with(',')) }),
            ..format
        };
        assert_eq!(
            read_text(&text, &format).unwrap().images().len(),
            format.image_shape.unwrap().cols
        );
    }
    let table = read_text(
        &format!("0,Class,1,2\n{rows}0,0,2,255\n"),
        &Schema { image_shape: Some(Shape { rows: 1, cols: 3 }), ..Schema::default() },
    );
    let table = table.unwrap();
    assert_eq!((table.labels(), table.images()), (&[1, 0][..], &[0, 2, 255, 0, 2, 255][..]));
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

fn floats(data: &Dataset) -> &[f32] {
    let Values::Floats(values) = &data.inputs else { panic!("{:?}", data.inputs) };
    values
}

#[test]
fn features_are_read_in_every_way_that_people_write_them() {
    let expected = [1.5, -2.0, 0.001, 30.0, 0.0, 7.0];
    for (what, text) in [
        ("plain", "a,b,c,kind\n1.5,-2,1e-3,up\n30,0,7,down\n"),
        ("no header", "1.5,-2,1e-3,up\n30,0,7,down\n"),
        ("the word first", "kind,a,b,c\nup,1.5,-2,1e-3\ndown,30,0,7\n"),
        ("the word inside", "a,kind,b,c\n1.5,up,-2,1e-3\n30,down,0,7\n"),
        ("no header, the word inside", "1.5,up,-2,1e-3\n30,down,0,7\n"),
        ("decimal commas", "a;b;c;kind\n1,5;-2,0;1e-3;up\n3e1;0;+7;down\n"),
        ("tabs", "a\tb\tc\tkind\n1,5\t-2\t0,001\tup\n30\t0\t7\tdown\n"),
        ("spaces", "1.5  -2 1E-3 up\n 30 0 7. down\n"),
        ("blanks and quotes", "a, b, c, kind\n 1.5, \"-2\", 1e-3, 'up'\n30, 0, 7, down\n"),
        (
            "comments, CRLF, a mark",
            "\u{feff}# made\r\na,b,c,kind\r\n1.5,-2,.001,up\r\n# half\r\n30,0,7,down\r\n",
        ),
        ("Excel's word", "sep=;\r\na;b;c;kind\r\n1,5;-2;1e-3;up\r\n30;0;7;down\r\n"),
        ("an index", "id,a,b,c,kind\n0,1.5,-2,1e-3,up\n1,30,0,7,down\n"),
    ] {
        let data = read_text(text, &Schema::default()).unwrap();
        assert_eq!(floats(&data), expected, "{what}");
        assert_eq!(
            (data.labels(), &data.class_names[..]),
            (&[1, 0][..], &["down".to_owned(), "up".to_owned()][..])
        );
        assert_eq!(data.shape(), Shape { rows: 1, cols: 3 });
    }
}

#[test]
fn features_have_names_and_units() {
    let text = "t,x,kwh\ns,m/s^2,kWh\n1,2.5,0.5\n2,3.5,1.25\n";
    let schema = Schema { target: "kwh".parse().unwrap(), ..Schema::default() };
    let data = read_text(text, &schema).unwrap();
    let features: Vec<String> = data.features.iter().map(ToString::to_string).collect();
    assert_eq!(features, ["t [s]", "x [m/s^2]"]);
    assert_eq!(data.target_names, ["kwh"]);
    assert_eq!(data.targets, Targets::Values(vec![0.5, 1.25]));
    assert!(data.notes[0].ends_with(
        "2 rows after a header, values to predict in column 3 (`kwh`), units in line 2, 2 features in columns 1 to 2"
    ));
}

#[test]
fn columns_are_chosen_by_name_number_and_pattern() {
    let text = "day,acc_x,acc_y,state,acc_z\nmon,1,2,0,3.5\ntue,4,5,1,6.5\n";
    let read = |features: &str, drop: &str, target: &str| {
        let columns =
            |text: &str| if text.is_empty() { Selection::default() } else { text.parse().unwrap() };
        let target = target.parse().unwrap();
        let schema = Schema {
            features: columns(features),
            drop: columns(drop),
            target,
            ..Schema::default()
        };
        read_text(text, &schema)
    };
    let data = read("acc_*", "", "state").unwrap();
    assert_eq!((floats(&data), data.labels()), (&[1.0, 2.0, 3.5, 4.0, 5.0, 6.5][..], &[0, 1][..]));
    let dropped = read("", "day", "4").unwrap();
    assert_eq!((dropped.inputs, dropped.targets), (data.inputs.clone(), data.targets.clone()));
    assert_eq!(floats(&read("5,2-3", "3", "state").unwrap()), [3.5, 1.0, 6.5, 4.0]);
    let several = read("acc_x", "", "acc_z,acc_y").unwrap();
    assert_eq!(several.targets, Targets::Values(vec![3.5, 2.0, 6.5, 5.0]));
    assert_eq!(
        read("acc_*", "", "inputs").unwrap().targets,
        Targets::Values(floats(&data).to_vec())
    );
    for (features, drop, target, expected) in [
        (
            "gyro_*",
            "",
            "state",
            "line 1: --features: expected a column named `gyro_*`, got day, acc_x, acc_y, state, acc_z",
        ),
        ("", "9", "state", "line 1: --drop: expected a column named `9`"),
        (
            "",
            "",
            "state",
            "line 2, column 1 (`day`): expected a number (leave a column of words out by --drop), got `mon`",
        ),
        (
            "acc_*",
            "",
            "auto",
            "3 columns of numbers, and none is named label, class or target: say which is the target by --target",
        ),
        (
            "acc_*",
            "",
            "state,day",
            "line 2, column 1 (`day`): expected a number, the value to predict, got `mon`",
        ),
    ] {
        let error = format!("{:#}", read(features, drop, target).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn missing_values_are_refused_or_handled_as_said() {
    let text = "a,b,class\n1,2.5,x\nNA,4,y\n3,,x\n5,1.5,y\n";
    let with = |missing| read_text(text, &Schema { missing, ..Schema::default() });
    let error = format!("{:#}", with(Missing::Refuse).unwrap_err());
    assert!(
        error
            .contains("line 3, column 1 (`a`): expected a number (a missing value: --missing drop"),
        "{error}"
    );
    let data = with(Missing::Drop).unwrap();
    assert_eq!((floats(&data), data.labels()), (&[1.0, 2.5, 5.0, 1.5][..], &[0, 1][..]));
    assert_eq!(data.notes[1], "2 rows with a missing value left out (--missing drop)");
    assert_eq!(floats(&with(Missing::Zero).unwrap()), [1.0, 2.5, 0.0, 4.0, 3.0, 0.0, 5.0, 1.5]);
    // The mean is that of the training samples, which are not known here.
    let mut data = with(Missing::Mean).unwrap();
    assert!(floats(&data)[2].is_nan() && floats(&data)[5].is_nan());
    assert_eq!(
        data.notes[1],
        "2 missing values filled (--missing mean: the mean of the training samples)"
    );
    data.fill(&[7.0, 8.0]);
    assert_eq!(floats(&data), [1.0, 2.5, 7.0, 4.0, 3.0, 8.0, 5.0, 1.5]);
    let error = message(
        "a,b,class\n1,NaN,x\n2,3,\n",
        &Schema { missing: Missing::Zero, ..Schema::default() },
    );
    assert!(error.contains("line 3, column 3 (`class`): expected a label"), "{error}");
    for (field, expected) in [
        ("inf", "expected a finite number, got `inf`"),
        ("1e39", "a finite number"),
        ("0x1", "a number"),
    ] {
        let error = message(&format!("a,b,class\n1.5,2,x\n1,{field},y\n"), &Schema::default());
        assert!(error.contains("line 3, column 2 (`b`): ") && error.contains(expected), "{error}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_refused_and_what_tells_nothing_is_noted() {
    let message = |text: &str| message(text, &Schema::default());
    for (text, expected) in [
        ("a,b,class\n1.5,2,x\n1,3,x\n", "all 2 labels are `x`, expected at least two classes"),
        ("a,b,class\n1.5,2,0\n1,3,0\n", "all 2 training labels are 0"),
        ("a,b,class\n1.5,2,0\n1,3,7\n", "8 classes in 2 rows, expected at least a row for each"),
        ("a,b,target\n1.5,2,0.5\n1,3,0.5\n", "the target `target` is 0.5 in every row"),
        ("a,b,a,class\n1.5,2,3,x\n1,3,3,y\n", "the header has the name `a` more than once"),
        ("a,b,c\n1.5,x,y\n1,z,w\n", "column 2 (`b`) and column 3 (`c`) hold words"),
        ("class\nx\ny\n", "expected features beside the target, got 1 columns"),
    ] {
        let error = message(text);
        assert!(error.contains("some.csv") && error.contains(expected), "{error}");
    }
    let data = read_text("a,b,c,class\n1.5,2,7,x\n1.5,3,7,y\n", &Schema::default()).unwrap();
    assert_eq!(
        data.notes[1],
        "the feature `a` and 1 more are the same in every row: they tell nothing"
    );
    // A word deep in a file that began well.
    let rows: String =
        (0..70_000).map(|row| format!("{}.5,{},{}\n", row, row % 7, row % 2)).collect();
    let error = message(&format!("a,b,class\n{rows}oops,1,0\n"));
    assert!(error.contains("line 70002, column 1 (`a`): expected a number"), "{error}");
}

#[test]
fn whole_numbers_are_classes_if_they_are_few() {
    let rows = |different: u32| -> String {
        (0..100).map(|row| format!("{}.5,{}\n", row, row % different)).collect()
    };
    let targets = |text: &str, target_type| {
        let schema = Schema { target_type, target: Target::Last, ..Schema::default() };
        read_text(text, &schema).map(|data| (data.classes, data.notes[0].clone()))
    };
    assert_eq!(targets(&rows(20), TargetType::Auto).unwrap().0, 20);
    let (classes, note) = targets(&rows(21), TargetType::Auto).unwrap();
    assert!(
        classes == 0
            && note.contains("(21 different numbers; if they are classes: --target-type class)"),
        "{note}"
    );
    assert_eq!(targets(&rows(21), TargetType::Class).unwrap().0, 21);
    assert_eq!(targets(&rows(5), TargetType::Value).unwrap().0, 0);
    let fractions = rows(5).replace(",4\n", ",4.5\n");
    assert_eq!(targets(&fractions, TargetType::Auto).unwrap().0, 0);
    let error = format!("{:#}", targets(&fractions, TargetType::Class).unwrap_err());
    assert!(error.contains("the target 4.5 names no class"), "{error}");
}

#[test]
fn test_data_has_its_features_found_by_name() {
    let train = read_text("a,b,kind\n1.5,2,x\n3,4,y\n", &Schema::default()).unwrap();
    let expected = Expected::training(&train);
    let read = |text: &str, wanted| {
        let (_folder, path) = put(text.as_bytes());
        read(&path, &Schema::default(), Some(&expected), wanted)
    };
    let other = read("time,b,kind,a\nnow,20,y,10\n", Labels::Read).unwrap();
    assert_eq!((floats(&other), other.labels()), (&[10.0, 20.0][..], &[1][..]));
    let alone = read("b,a\n20,10\n", Labels::Ignore).unwrap();
    assert_eq!((floats(&alone), alone.labels().len()), (&[10.0, 20.0][..], 0));
    assert_eq!(floats(&read("10,20\n", Labels::Ignore).unwrap()), [10.0, 20.0]);
    let error = format!("{:#}", read("c,a\n20,10\n", Labels::Ignore).unwrap_err());
    assert!(
        error.contains("expected a column named `b`, which the training data reads"),
        "{error}"
    );
    let error = format!("{:#}", read("a,b,kind\n20,10,z\n", Labels::Read).unwrap_err());
    assert!(error.contains("line 2, column 3 (`kind`): expected a label that the training data knows: one of x, y, got `z`"), "{error}");
}

#[test]
fn read_keeps_no_more_than_the_pixels() {
    let row = vec!["255"; 784].join(",") + "\n";
    let table = read_text(&row.repeat(1000), &Schema::default()).unwrap();
    assert_eq!(table.images().len(), 784_000);
    let Values::Bytes(pixels) = table.inputs else { panic!() };
    let capacity = pixels.into_owned().capacity();
    assert!(capacity < 784_000 + 784, "{capacity}");
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
    assert_eq!(read(&path, &square(), None, Labels::Read).unwrap().labels(), [7, 8]);
}

#[test]
fn lines_of_spaces_are_empty_and_columns_may_be_aligned_by_several() {
    let table = read_text("  \n 7  1 2 255   0\n  8 4 5   6 0 \n   \n\n", &labeled(Target::First));
    let table = table.unwrap();
    assert_eq!((table.labels(), table.images()), (&[7, 8][..], &[1, 2, 255, 0, 4, 5, 6, 0][..]));
    assert!(table.notes[0].contains("fields separated by spaces"), "{:?}", table.notes);
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
            target: labels[below(labels.len())].parse().unwrap(),
            missing: [Missing::Refuse, Missing::Drop, Missing::Mean, Missing::Zero][below(4)],
            image_shape: [None, "2x2".parse().ok()][below(2)],
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
