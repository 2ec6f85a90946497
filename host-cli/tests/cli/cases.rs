//! Data in the forms in which people have it: read where that is plain, else named as what it is, with the way out.

use std::fs;

use crate::util::{
    FILES, Place, TEST, TEST_IMAGES, TEST_LABELS, TRAIN, TRAIN_IMAGES, TRAIN_LABELS, bars_pixels,
    field, gzip, idx, kaggle, put_classes,
};

const FLAGS: &str = "--hidden 6 --epochs 2 --test-split 40";

/// Kaggle's form of the bars, line by line.
fn lines() -> Vec<String> {
    let (images, labels) = bars_pixels(TRAIN, 1);
    let text = String::from_utf8(kaggle(&images, Some(&labels), 64)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The lines of [`lines`], changed: the header, then each row's number, label and pixels.
fn changed(header: fn(&str) -> String, row: fn(usize, &str, &str) -> String) -> Vec<u8> {
    let lines = lines();
    let mut text = header(&lines[0]) + "\n";
    for (number, line) in lines[1..].iter().enumerate() {
        let (label, pixels) = line.split_once(',').unwrap();
        text += &(row(number, label, pixels) + "\n");
    }
    text.into_bytes()
}

fn same(header: &str) -> String {
    header.to_owned()
}

/// The fingerprint of a training on `some.csv`, and its notes.
#[track_caller]
fn trained(place: &Place, flags: &str) -> (String, String) {
    let lines = place.json(&format!("train --data some.csv --json {FLAGS} {flags}"));
    let print = lines.last().unwrap()["fingerprint"].as_str().unwrap().to_owned();
    (print, lines[0]["data_notes"].to_string())
}

#[test]
fn csv_files_of_many_habits_give_the_same_model() {
    let place = Place::new();
    place.put("some.csv", &(lines().join("\n") + "\n").into_bytes());
    let (expected, notes) = trained(&place, "");
    assert!(!notes.contains("dropped"), "{notes}");
    let one_hot = |label: &str| {
        let class: usize = label.parse().unwrap();
        let hot: Vec<&str> = (0..4).map(|i| if i == class { "1" } else { "0" }).collect();
        hot.join(",")
    };
    let last = changed(
        |header| header.split_once(',').unwrap().1.to_owned() + ",c0,c1,c2,c3",
        |_, label, pixels| format!("{pixels},{label}"),
    );
    let hot_last: Vec<String> = String::from_utf8(last)
        .unwrap()
        .lines()
        .map(|line| match line.rsplit_once(',') {
            Some((pixels, label)) if label != "c3" => format!("{pixels},{}", one_hot(label)),
            _ => line.to_owned(),
        })
        .collect();
    let blanks = |line: &String| line.replace(',', "  ") + " ";
    for (what, bytes, flags, note) in [
        (
            "pandas' index column",
            changed(|h| format!(",{h}"), |i, label, pixels| format!("{i},{label},{pixels}")),
            "",
            "column 1 (unnamed) dropped (an index, by its name)",
        ),
        (
            "an id",
            changed(
                |h| format!("Id,{h}"),
                |i, label, pixels| format!("{},{label},{pixels}", i + 1),
            ),
            "",
            "column 1 (`Id`) dropped",
        ),
        (
            "the index column of a file that was written twice",
            changed(
                |h| format!("Unnamed: 0,{h}"),
                |i, label, pixels| format!("{i},{label},{pixels}"),
            ),
            "",
            "dropped (an index, by its name)",
        ),
        (
            "pandas' numbers as names, and its index column",
            changed(
                |_| (0..65).map(|i| format!(",{i}")).collect(),
                |i, label, pixels| format!("{i},{label},{pixels}"),
            ),
            "--target first",
            "dropped (an index, by its name)",
        ),
        (
            "a comma at every end",
            changed(|h| format!("{h},"), |_, label, pixels| format!("{label},{pixels},")),
            "",
            "an empty last column dropped",
        ),
        (
            "Weka's quotes",
            changed(
                |h| h.replace("label", "'label'"),
                |_, label, pixels| format!("'{label}',{pixels}"),
            ),
            "",
            "labels in column 1 (`label`)",
        ),
        (
            "semicolons",
            lines().join("\n").replace(',', ";").into_bytes(),
            "",
            "separated by semicolons",
        ),
        ("tabs", lines().join("\n").replace(',', "\t").into_bytes(), "", "separated by tabs"),
        (
            "blanks",
            lines().iter().map(blanks).collect::<Vec<_>>().join("\n").into_bytes(),
            "",
            "separated by spaces",
        ),
        (
            "one-hot labels",
            hot_last.join("\n").into_bytes(),
            "--target last:4",
            "one-hot labels in columns 65 to 68",
        ),
    ] {
        place.put("some.csv", &bytes);
        let (print, notes) = trained(&place, flags);
        assert_eq!(print, expected, "{what}");
        assert!(notes.contains(note), "{what}: {notes}");
    }
}

#[test]
fn words_are_the_names_of_classes() {
    let place = Place::new();
    let letter = |_: usize, label: &str, pixels: &str| {
        format!("{},{pixels}", ["north", "east", "south", "west"][label.parse::<usize>().unwrap()])
    };
    place.put("some.csv", &changed(same, letter));
    let (print, _) = trained(&place, "");
    let text = place.ok("inspect model.pmlp");
    assert!(text.contains("classes        east north south west"), "{text}");
    place.ok("eval model.pmlp --data some.csv");
    // Without a header, a word beside numbers says itself that it is a label.
    let text = String::from_utf8(place.read("some.csv")).unwrap();
    place.put("some.csv", text.split_once('\n').unwrap().1.as_bytes());
    let (again, notes) = trained(&place, "");
    assert_eq!(again, print);
    assert!(notes.contains("without header, labels in column 1,"), "{notes}");
    for (row, parts) in [
        ("7", ["line 202, column 1", "a word as in the rows before, got `7`"]),
        ("''", ["line 202, column 1", r"got `\'\'`"]),
    ] {
        place.put("some.csv", (text.clone() + row + &",0".repeat(64) + "\n").as_bytes());
        place.fails("train --data some.csv", &parts);
    }
    let mixed = lines().join("\n") + "\n?" + &",0".repeat(64);
    place.put("some.csv", mixed.as_bytes());
    place.fails(
        "train --data some.csv",
        &["line 202, column 1", "a number as in the rows before, got `?`"],
    );
}

#[test]
fn a_csv_file_that_cannot_be_read_says_what_to_do() {
    let place = Place::new();
    let numbers: Vec<String> =
        (0..64).map(|i| if i == 0 { "0".into() } else { format!("0.{i}") }).collect();
    let header = format!("5,{}\n", numbers.join(","));
    let rows: String = lines()[1..].iter().map(|line| format!("{line}\n")).collect();
    let fractions = |_: usize, label: &str, pixels: &str| {
        let pixels: Vec<String> = pixels
            .split(',')
            .map(|p| format!("{:.3}", p.parse::<f32>().unwrap() / 255.0))
            .collect();
        format!("{label},{}", pixels.join(","))
    };
    let fractions = changed(same, fractions);
    let comma = String::from_utf8(fractions.clone()).unwrap().replace(',', ";").replace('.', ",");
    let hot: String = (0..8).map(|i| format!("{}0,0,1,{i}\n", "0,".repeat(64))).collect();
    for (what, bytes, parts) in [
        (
            "pandas' header",
            format!("{header}{rows}").into_bytes(),
            vec!["line 1 looks like a header", "--csv-header yes"],
        ),
        ("one-hot", hot.into_bytes(), vec!["68 columns", "--target last:4"]),
        (
            "ARFF",
            b"% by\n@RELATION d\n@ATTRIBUTE a real\n@DATA\n1,2\n".to_vec(),
            vec!["some.csv, line 5: expected 1 columns as in the first line, got 2"],
        ),
        (
            "npy",
            b"\x93NUMPY\x01\0v\0{'descr'".to_vec(),
            vec!["array `x`: it is no NumPy array, or its header is damaged"],
        ),
        ("Parquet", b"PAR1\0\0\0".to_vec(), vec!["is a Parquet file", "read_parquet"]),
        ("bzip2", b"BZh91AY&SY\xf4\xb8\x8f".to_vec(), vec!["is bzip2 data", "bunzip2"]),
        ("HTML", b"\n<!DOCTYPE html>\n<html>".to_vec(), vec!["is an HTML page", "download"]),
        (
            "LFS",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(),
            vec!["is a git-lfs pointer", "git lfs pull"],
        ),
        (
            "packed twice",
            gzip(&gzip(b"1,2\n")),
            vec!["is gzip data that holds gzip data", "gunzip"],
        ),
        ("tar.gz", gzip(&[&[b'a'; 257][..], b"ustar\0"].concat()), vec!["holds a tar archive"]),
    ] {
        println!("{what}");
        place.put("some.csv", &bytes);
        place.fails("train --data some.csv", &parts);
    }
    place.put("some.csv", format!("{header}{rows}").as_bytes());
    trained(&place, "--csv-header yes --target first");
    place.put("some.csv", &fractions);
    let (print, notes) = trained(&place, "");
    assert!(notes.contains("64 features in columns 2 to 65"), "{notes}");
    place.fails(
        "train --data some.csv --image-shape 8x8",
        &["(`pixel0`): expected a whole number from 0 to 255 (a pixel; for features leave out --image-shape"],
    );
    place.put("some.csv", comma.as_bytes());
    assert_eq!(trained(&place, "").0, print);
}

#[test]
fn classes_without_samples_are_told_of() {
    let place = Place::new();
    for (row, expected) in [
        (
            (|_, label, pixels| format!("{},{pixels}", label.parse::<u8>().unwrap() + 1))
                as fn(usize, &str, &str) -> String,
            "no training sample of class 0:",
        ),
        (
            |_, label, pixels| format!("{},{pixels}", label.parse::<u8>().unwrap() * 2),
            "no training sample of 3 classes, 1 to 5:",
        ),
    ] {
        place.put("some.csv", &changed(same, row));
        let (_, notes) = trained(&place, "");
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn idx_files_are_found_where_others_put_them() {
    let place = Place::with_data();
    let line = "--hidden 6 --epochs 2 --json";
    let expected = place.fingerprint("--hidden 6 --epochs 2");
    let file = |name: &str| place.read(&format!("data/{name}"));
    for name in FILES {
        let bytes = file(name);
        place.put(&format!("torch/MNIST/raw/{name}"), &bytes);
        place.put(&format!("torch/MNIST/raw/{name}.gz"), &gzip(&bytes));
        place.put(&format!("each/{name}/{}", name.replace("-idx", ".idx")), &bytes);
        place.put(&format!("emnist/emnist-digits-{name}.gz"), &gzip(&bytes));
        place.put(&format!("two/emnist-digits-{name}"), &bytes);
        place.put(&format!("two/emnist-letters-{name}"), &bytes);
    }
    for (data, note) in [
        ("torch", "torch: found in torch/MNIST/raw"),
        ("torch/MNIST", "torch/MNIST: found in torch/MNIST/raw"),
        ("torch/MNIST/raw", "[]"),
        ("each", "[]"),
        ("emnist --transpose no", "[]"),
        ("two/emnist-digits --transpose no", "[]"),
    ] {
        let lines = place.json(&format!("train --data {data} {line}"));
        assert_eq!(lines.last().unwrap()["fingerprint"], expected.as_str(), "{data}");
        let notes = lines[0]["data_notes"].to_string();
        assert!(notes.contains(note), "{data}: {notes}");
        place.ok(&format!("eval model.pmlp --data {data}"));
    }
    place.fails(
        "train --data two",
        &["several sets, emnist-digits, emnist-letters", "two/emnist-digits"],
    );
    place.put("torch/Fashion/raw/train-images-idx3-ubyte", b"");
    place.fails("train --data torch", &["did you mean torch/Fashion/raw or torch/MNIST/raw?"]);

    // Other types of elements and dimensions.
    let (images, labels) = bars_pixels(TRAIN, 1);
    let with_code = |mut bytes: Vec<u8>, code: u8| {
        bytes[2] = code;
        bytes
    };
    let as_i32 =
        |values: &[u8]| values.iter().flat_map(|&v| i32::from(v).to_be_bytes()).collect::<Vec<_>>();
    let as_f32 =
        |values: &[u8]| values.iter().flat_map(|&v| f32::from(v).to_be_bytes()).collect::<Vec<_>>();
    place.put(&format!("data/{TRAIN_LABELS}"), &with_code(idx(&[TRAIN], &as_i32(&labels)), 0x0c));
    place.put(
        &format!("data/{TRAIN_IMAGES}"),
        &with_code(idx(&[TRAIN, 64], &as_f32(&images)), 0x0d),
    );
    assert_eq!(place.fingerprint("--hidden 6 --epochs 2"), expected);
    let fractions: Vec<u8> =
        images.iter().flat_map(|&v| (f32::from(v) / 255.0).to_be_bytes()).collect();
    place.put(&format!("data/{TRAIN_IMAGES}"), &with_code(idx(&[TRAIN, 8, 8], &fractions), 0x0d));
    // Fractions are features.
    assert!(
        place.ok("train --data data --epochs 1").contains("200 training, 0 validation, 60 test")
    );
}

#[test]
fn what_lies_in_place_of_an_idx_file_is_named() {
    let place = Place::with_data();
    let good = place.read(&format!("data/{TRAIN_IMAGES}"));
    place.remove(&format!("data/{TRAIN_IMAGES}"));
    for (bytes, parts) in [
        (
            b"<!DOCTYPE html>\n<html>403".to_vec(),
            ["is an HTML page, expected an IDX file of images", "download"],
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            ["is a git-lfs pointer", "git lfs pull"],
        ),
        (gzip(&gzip(&good)), ["is gzip data that holds gzip data", "gunzip"]),
        (b"\x89HDF\r\n\x1a\n".to_vec(), ["is an HDF5 file", "CSV"]),
    ] {
        place.put(&format!("data/{TRAIN_IMAGES}.gz"), &bytes);
        let message = place.fails("train --data data", &parts);
        assert!(message.contains("data/train-images-idx3-ubyte.gz"), "{message}");
    }
    place.put("parquet/train-00000-of-00001.parquet", b"PAR1\0\0");
    place.fails(
        "train --data parquet",
        &["train-00000-of-00001.parquet is a Parquet file", "to_csv"],
    );
    place.put("csv/train.csv", b"1,2\n");
    place.fails("train --data csv", &["did you mean csv/train.csv?"]);
    fs::create_dir(place.path("empty")).unwrap();
    place.fails(
        "train --data empty",
        &["the folder empty is empty, expected a folder with MNIST's"],
    );
}

#[test]
fn a_folder_to_validate_on_is_used_for_that() {
    let place = Place::new();
    put_classes(&place, "png/Train", TRAIN, 1);
    put_classes(&place, "png/Val", 40, 3);
    put_classes(&place, "png/Test", TEST, 2);
    let text = place.ok("train --data png --hidden 6 --epochs 2");
    assert!(text.contains("200 training, 40 validation, 60 test samples"), "{text}");
    assert!(text.contains("40 samples to validate on, instead of --val-split"), "{text}");
    place.ok("eval model.pmlp --data png/Val");
    let text = place.ok("train --data png --hidden 6 --epochs 2 --merge --test-split 30");
    assert!(text.contains("243 training, 27 validation, 30 test samples"), "{text}");
    let text = place.ok("train --data png --hidden 6 --epochs 1 --folds 2");
    assert!(text.contains("the validation set is part of the training set here"), "{text}");
    fs::remove_dir_all(place.path("png/Test")).unwrap();
    let text = place.ok("train --data png --hidden 6 --epochs 2");
    assert!(text.contains("180 training, 40 validation, 20 test samples"), "{text}");
    place.fails("eval model.pmlp --data png", &["no folder `test`; did you mean png/Val?"]);
    fs::remove_dir_all(place.path("png/Train")).unwrap();
    place.fails("train --data png", &["png has validation images but no folder `train`"]);
}

#[test]
fn folders_too_high_are_found_and_folders_too_low_are_named() {
    let place = Place::new();
    put_classes(&place, "wrapped/mnist_png/train", TRAIN, 1);
    put_classes(&place, "wrapped/mnist_png/test", TEST, 2);
    place.put("wrapped/__MACOSX/._mnist_png", b"");
    place.put("wrapped/mnist_png/train/__MACOSX/0/._0000.png", b"");
    place.put("wrapped/mnist_png/train/0/.DS_Store", b"");
    let text = place.ok("train --data wrapped --hidden 6 --epochs 2");
    assert!(
        text.contains("wrapped/mnist_png/train: 200 images of 8×8 in 4 class folders"),
        "{text}"
    );
    place.ok("eval model.pmlp --data wrapped");
    place.fails(
        "train --data wrapped/mnist_png/train/0",
        &["has images but no folder for each class", "did you mean wrapped/mnist_png/train?"],
    );
    place.put("gif/train/0/0.gif", b"GIF89a\x01\0");
    place.put("gif/train/1/0.gif", b"GIF89a\x01\0");
    let parts = ["gif/train/0/0.gif is a GIF image", "only PNG and JPEG", "convert"];
    place.fails("train --data gif", &parts);
}

#[test]
fn jpeg_files_in_class_folders_are_trained_on_and_predicted() {
    let place = Place::new();
    let (images, labels) = crate::util::bars_pixels(80, 1);
    for (at, (pixels, label)) in images.chunks_exact(64).zip(labels).enumerate() {
        let name = format!("jpg/train/{label}/{at:03}.{}", ["jpg", "JPEG"][at / 4 % 2]);
        place.put(&name, b"");
        let image = image::GrayImage::from_raw(8, 8, pixels.to_vec()).unwrap();
        image.save_with_format(place.path(&name), image::ImageFormat::Jpeg).unwrap();
    }
    let text = place.ok("train --data jpg --hidden 6 --epochs 2");
    assert!(text.contains("jpg/train: 80 images of 8×8 in 4 class folders"), "{text}");
    let text = place.ok("predict model.pmlp jpg/train/2 --quiet");
    assert!(text.contains(".jpg: ") && text.contains(".JPEG: "), "{text}");
}

#[test]
fn names_from_data_reach_no_terminal_as_they_are() {
    let place = Place::new();
    let (images, labels) = bars_pixels(TRAIN, 1);
    place.put("some.csv", &kaggle(&images, Some(&labels), 64));
    let text = String::from_utf8(place.read("some.csv")).unwrap();
    let names = ["\x1b[2Jred", "two\u{202e}", "c", "d\u{9b}31m"];
    let named: String = text
        .lines()
        .map(|line| match line.split_once(',') {
            Some((label, pixels)) if label != "label" => {
                format!("{},{pixels}\n", names[label.parse::<usize>().unwrap()])
            }
            _ => format!("{line}\n"),
        })
        .collect();
    place.put("some.csv", named.as_bytes());
    let is_plain =
        |text: &str| !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}');
    let text = place.ok(&format!("train --data some.csv {FLAGS}"));
    assert!(is_plain(&text), "{text:?}");
    for line in [
        "inspect model.pmlp",
        "eval model.pmlp --data some.csv",
        "predict model.pmlp --data some.csv",
    ] {
        let text = place.ok(line);
        assert!(is_plain(&text) && text.contains(r"\u001b[2Jred"), "{line}: {text:?}");
    }
    // JSON keeps the name.
    let lines = place.json("predict model.pmlp --data some.csv --json");
    assert!(lines.iter().all(|line| names.contains(&line["class"].as_str().unwrap())));
    place.put("x\x1b[31m.csv", b"1,2\n1\n");
    place.fails("train --data x\x1b[31m.csv", &[r"x\u001b[31m.csv"]);
    let ran = place.run("eval no\x1bmodel.pmlp");
    assert!(ran.code == 1 && is_plain(&ran.stderr), "{ran:?}");
    assert_eq!(
        field(&place.ok("inspect model.pmlp"), "classes "),
        r"\u001b[2Jred c d\u009b31m two\u202e"
    );
}

#[test]
fn one_hot_labels_that_are_none_are_named() {
    let place = Place::new();
    let rows = |hot: &str| format!("{}1,0\n{}{hot}\n", "0,".repeat(4), "1,".repeat(4));
    for (hot, part) in [
        (
            "1,1",
            "line 2, column 6: expected 0, or 1 once in the columns of one-hot labels, got `1`",
        ),
        ("0,0", "line 2: expected a 1 in the columns of one-hot labels"),
        ("0,2", "line 2, column 6: expected 0, or 1 once"),
    ] {
        place.put("some.csv", rows(hot).as_bytes());
        place.fails("train --data some.csv --target last:2", &[part]);
    }
    place.put("some.csv", rows("0,1").as_bytes());
    place.ok(
        "train --data some.csv --target last:2 --test-split 0 --val-split 0 --epochs 1 --quiet",
    );
    place.misused("train --data some.csv --target last:1", &["2 to 256 columns"]);
}

#[test]
fn test_files_alone_do_for_eval_under_any_name() {
    let place = Place::with_model();
    let expected = place.ok("eval model.pmlp --data data");
    for name in [TEST_IMAGES, TEST_LABELS] {
        place.put(&format!("alone/qmnist-{name}.gz"), &gzip(&place.read(&format!("data/{name}"))));
    }
    let found = place.ok("eval model.pmlp --data alone");
    assert_eq!(found.replace("alone: 60", "data: 60"), expected);
    place
        .fails("train --data alone", &["lacks 2 of the 4 files", "qmnist-train-images-idx3-ubyte"]);
}
