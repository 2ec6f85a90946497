//! CSV files: the forms that are about, what is found in them, what is refused, and Kaggle's way of answering.

use picomlp_fixtures::digits::{PIXELS, sample};

use crate::mnist::mnist;
use crate::util::{
    Place, TEST, TEST_IMAGES, TEST_LABELS, TRAIN, TRAIN_IMAGES, TRAIN_LABELS, bars_pixels, field,
    gzip, idx, kaggle, write_png,
};

const FLAGS: &str = "--hidden 6 --epochs 2";

/// Rows of text, each ended by `end`; the label first or last.
fn rows(
    images: &[u8],
    labels: &[u8],
    label_last: bool,
    end: &str,
    form: fn(u8) -> String,
) -> Vec<u8> {
    let mut text = String::new();
    for (image, &label) in images.chunks_exact(64).zip(labels) {
        let mut values = image.to_vec();
        values.insert(if label_last { 64 } else { 0 }, label);
        let values: Vec<String> = values.into_iter().map(form).collect();
        text += &values.join(",");
        text += end;
    }
    text.into_bytes()
}

/// With the bars as IDX files in `data` and as Kaggle's CSV files.
fn place() -> Place {
    let place = Place::with_data();
    let (images, labels) = bars_pixels(TRAIN, 1);
    place.put("train.csv", &kaggle(&images, Some(&labels), 64));
    let (images, labels) = bars_pixels(TEST, 2);
    place.put("test.csv", &kaggle(&images, Some(&labels), 64));
    place.put("unlabeled.csv", &kaggle(&images, None, 64));
    place
}

/// Digits as the optical recognition set has them: 8×8, 0 to 16, the first pixel always 0.
fn small_digits(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let (mut images, labels) = bars_pixels(count, seed);
    for image in images.chunks_exact_mut(64) {
        image.iter_mut().for_each(|pixel| *pixel = (*pixel).div_ceil(16));
        image[0] = 0;
    }
    (images, labels)
}

fn write(value: u8) -> String {
    value.to_string()
}

#[test]
fn every_form_of_the_same_data_gives_the_same_model() {
    let place = place();
    let expected = place.fingerprint(FLAGS);
    let (images, labels) = bars_pixels(TRAIN, 1);
    let kaggle = kaggle(&images, Some(&labels), 64);
    let with_mark = [&b"\xef\xbb\xbf"[..], &kaggle].concat();
    let lines = String::from_utf8(kaggle.clone()).unwrap();
    let quoted = lines.replace("label", "\"label\"").replace(",0,", ",\"0\",");
    let blank_lines = lines.replace('\n', "\n\n");
    let last_named = lines.lines().map(|line| {
        let (label, pixels) = line.split_once(',').unwrap();
        format!("{pixels},{label}\r\n")
    });
    let decimal = |value: u8| format!("{value}.0");
    let scientific = |value: u8| format!("{:.4e}", f64::from(value));
    let expected_data = &place.json(&format!("train --data data --json {FLAGS}"))[0];
    // Flags are for both files; what is not said is found in each.
    for (what, bytes, test, flags) in [
        ("Kaggle's", kaggle.clone(), "test.csv", ""),
        ("gzipped", gzip(&kaggle), "test.csv", ""),
        ("with a byte order mark", with_mark, "test.csv", ""),
        ("quoted", quoted.into_bytes(), "test.csv", ""),
        ("blank lines", blank_lines.into_bytes(), "test.csv", ""),
        ("label last by name, CR LF", last_named.collect::<String>().into_bytes(), "test.csv", ""),
        (
            "everything said",
            kaggle.clone(),
            "test.csv",
            "--csv-header yes --target LABEL --csv-max 255 --image-shape 8x8",
        ),
        ("another name", lines.replace("label", "digit").into_bytes(), "data", "--target digit"),
        ("no header", rows(&images, &labels, false, "\n", write), "test.csv", "--target first"),
        ("label last", rows(&images, &labels, true, "\r\n", write), "data", "--target last"),
        ("with decimals", rows(&images, &labels, true, "\n", decimal), "data", "--target last"),
        (
            "as savetxt writes",
            rows(&images, &labels, false, "\n", scientific),
            "data",
            "--target first",
        ),
    ] {
        place.put("some.csv", &bytes);
        let line = format!("train --json --data some.csv --test-data {test} {flags} {FLAGS}");
        let found = place.json(&line);
        assert_eq!(found.last().unwrap()["fingerprint"], expected.as_str(), "{what}");
        assert_eq!(found[0]["data_fingerprint"], expected_data["data_fingerprint"], "{what}");
    }
}

#[test]
fn what_was_found_is_printed_and_the_command_repeats_it() {
    let place = place();
    let (images, labels) = small_digits(TRAIN, 1);
    place.put("digits.csv", &rows(&images, &labels, true, "\n", |value| format!("{value}.0")));
    let text = place.ok(&format!("train --data digits.csv --test-split 0.25 --stratified {FLAGS}"));
    for part in [
        "digits.csv: 135 training, 15 validation, 50 test samples",
        "digits.csv: 200 rows without header, labels in column 65, images of 8×8, pixels from 0 to 16 (largest: 16)",
        "50 samples held out for testing: --test-split 0.25, stratified, seed 1",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let repeat = field(&text, "repeat");
    let expected = "--test-split 0.25 --stratified --csv-max 16 --out model.pmlp";
    assert!(repeat.ends_with(expected), "{repeat}");
    let again = place.ok(repeat.strip_prefix("picomlp ").unwrap());
    assert_eq!(field(&again, "fingerprint"), field(&text, "fingerprint"));
    assert_eq!(field(&again, "repeat"), repeat);
    assert!(
        place.ok("inspect model.pmlp").contains("8×8 pixels, 0 to 16 read as 0.0000 to 1.0000")
    );

    let text = place.ok(&format!("train --data train.csv {FLAGS}"));
    assert!(text.contains("200 rows after a header, labels in column 1 (`label`)"), "{text}");
    assert!(field(&text, "repeat").contains(" --test-split 0.1 "), "{text}");
}

#[test]
fn a_model_of_small_digits_is_trained_measured_and_used() {
    let place = place();
    let (images, labels) = small_digits(3000, 1);
    place.put("train.csv", &rows(&images, &labels, true, "\n", write));
    let (images, labels) = small_digits(TEST, 2);
    place.put("test.csv", &rows(&images, &labels, true, "\n", write));
    for flags in ["", "--inputs standardized", "--inputs raw", "--inputs signed"] {
        let lines = place.json(&format!(
            "train --data train.csv --test-data test.csv --hidden 16 --lr 0.01 --epochs 20 --json {flags}"
        ));
        let done = lines.last().unwrap();
        assert_eq!(lines[0]["network"], "64-16-4");
        assert!(done["test_accuracy"].as_f64().unwrap() >= 0.9, "{done}");
        let eval = place.json("eval model.pmlp --data test.csv --json").pop().unwrap();
        for name in ["test_accuracy", "test_loss", "fingerprint"] {
            assert_eq!(eval[name], done[name], "{name}");
        }
        assert!(place.ok("inspect model.pmlp").contains("0 to 16 read as"));
        // Pixels of another range would be misread; a PNG's are brought to that of the model.
        place.fails(
            "eval model.pmlp --data data",
            &["data: its pixels go to 255, those of the model to 16"],
        );
        place.fails("predict model.pmlp --data data", &["its pixels go to 255", "to 16"]);
        place.fails(
            "eval model.pmlp --data test.csv --csv-max 255",
            &["--csv-max 255 contradicts model.pmlp, whose pixels go to 16"],
        );
        write_png(
            &place.path("one.png"),
            8,
            &core::array::from_fn::<u8, 64, _>(|i| if (3..5).contains(&(i % 8)) { 255 } else { 0 }),
        );
        assert!(place.ok("predict model.pmlp one.png").starts_with("one.png: "));
        place.remove("one.png");
    }
}

#[test]
fn a_submission_has_the_classes_that_eval_counts() {
    let place = place();
    place.ok(&format!("train --data train.csv --test-data test.csv --quiet {FLAGS}"));
    let eval = place.json("eval model.pmlp --data test.csv --json").pop().unwrap();
    let said = place.ok("predict model.pmlp --data unlabeled.csv --submission out.csv");
    assert_eq!(said, "out.csv: 60 predictions as ImageId,Label\n");
    let submission = String::from_utf8(place.read("out.csv")).unwrap();
    let mut lines = submission.lines();
    assert_eq!(lines.next(), Some("ImageId,Label"));
    let (_, labels) = bars_pixels(TEST, 2);
    let mut right = 0;
    for ((id, label), line) in (1..).zip(&labels).zip(lines.by_ref()) {
        let (found_id, class) = line.split_once(',').unwrap();
        assert_eq!(found_id, id.to_string());
        right += u32::from(class == label.to_string());
    }
    assert_eq!((lines.next(), submission.ends_with('\n')), (None, true));
    assert_eq!(eval["test_accuracy"].as_f64().unwrap(), f64::from(right) / TEST as f64);

    // Labels are ignored; the same images in another format give the same file.
    for data in ["test.csv", "data"] {
        place.ok(&format!("predict model.pmlp --data {data} --submission other.csv"));
        assert_eq!(place.read("other.csv"), submission.as_bytes(), "{data}");
    }
    let rows = place.json("predict model.pmlp --data unlabeled.csv --json");
    let classes =
        rows.iter().map(|row| format!("{},{}\n", row["id"], row["class"].as_str().unwrap()));
    assert_eq!(format!("ImageId,Label\n{}", classes.collect::<String>()), submission);
    assert!(place.ok("predict model.pmlp --data unlabeled.csv").starts_with("1: "));
}

#[test]
fn a_submission_that_cannot_be_written_or_made_leaves_what_was_there() {
    let place = place();
    place.ok(&format!("train --data train.csv --test-data test.csv --quiet {FLAGS}"));
    place.put("out.csv", b"old");
    place.put("short.csv", b"pixel0,pixel1\n1,2\n");
    let line = "predict model.pmlp --data short.csv --submission out.csv";
    place.fails(line, &["short.csv, line 1: expected 64 columns for images of 8x8, or one more with labels, got 2"]);
    let line = "predict model.pmlp --data nowhere.csv --submission no/out.csv";
    place.fails(line, &["cannot write no/out.csv", "there is no folder no"]);
    place.fails("eval model.pmlp --data unlabeled.csv", &["unlabeled.csv: the file has no labels"]);
    place.fails("train --data unlabeled.csv", &["unlabeled.csv: the file has no labels"]);
}

#[test]
fn a_bad_row_is_named_by_file_line_and_column() {
    let place = place();
    let good = String::from_utf8(place.read("train.csv")).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let with = |line: usize, column: usize, field: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut fields: Vec<&str> = lines[line].split(',').collect();
        fields[column] = field;
        lines[line] = fields.join(",");
        (lines.join("\n") + "\n").into_bytes()
    };
    let mut not_utf8 = with(3, 9, "@");
    let at = not_utf8.iter().position(|&byte| byte == b'@').unwrap();
    not_utf8[at] = 0xff;
    let short = lines[..7].join("\n") + "\n" + lines[7].rsplit_once(',').unwrap().0 + "\n";
    let long = lines[..7].join("\n") + "\n" + lines[7] + ",0\n";
    let cell = "some.csv, line 4, column 10 (`pixel8`): expected a number";
    for (what, bytes, parts) in [
        ("short row", short.into_bytes(), vec!["line 8: expected 65 columns", "got 64"]),
        ("long row", long.into_bytes(), vec!["line 8: expected 65 columns", "got 66"]),
        ("text", with(3, 9, "abc"), vec![cell, "got `abc`"]),
        ("nothing", with(3, 9, ""), vec![cell, "(a missing value: --missing drop", "got nothing"]),
        ("nan", with(3, 9, "nan"), vec![cell, "got `nan`"]),
        ("not UTF-8", not_utf8, vec![cell, r"got `\xff`, which is not UTF-8 text"]),
        ("long field", with(3, 9, &"x".repeat(9999)), vec![cell, "xxx…`"]),
        (
            "no label",
            with(200, 0, ""),
            vec!["line 201, column 1 (`label`)", "expected a label", "got nothing"],
        ),
        ("one class", kaggle(&[255; 128], Some(&[3, 3]), 64), vec!["all 2 training labels are 3"]),
        (
            "two labels",
            good.replace("pixel3,", "class,").into_bytes(),
            vec!["columns 1 (`label`) and 5 (`class`)", "--target first"],
        ),
        ("empty", vec![], vec!["some.csv: the file is empty"]),
        ("blank lines", b"\n\n\n".to_vec(), vec!["some.csv: the file has no row"]),
        (
            "header only",
            lines[0].as_bytes().to_vec(),
            vec!["some.csv: the file has a header, but no row after it"],
        ),
        (
            "UTF-16",
            b"\xff\xfe1\0,\0".to_vec(),
            vec!["UTF-16 text, expected a CSV file: save it as UTF-8"],
        ),
        (
            "zip",
            b"PK\x03\x04\0 and so on".to_vec(),
            vec!["is a zip archive, expected a CSV file: unpack it"],
        ),
        ("bytes", b"1,2\0".to_vec(), vec!["no CSV file", "bytes of value 0"]),
        (
            "cut gzip",
            gzip(good.as_bytes())[..500].to_vec(),
            vec!["some.csv: the gzip data ends too early"],
        ),
    ] {
        println!("{what}");
        place.put("some.csv", &bytes);
        let message = place.fails("train --data some.csv --epochs 1", &parts);
        assert!(message.contains("some.csv"), "{message}");
    }
    place.put("some.csv", &with(60, 0, "4"));
    let line = "train --data train.csv --test-data some.csv";
    let expected = "line 61, column 1 (`label`): expected a label that the training data knows: 0 to 3, got `4`";
    place.fails(line, &["some.csv", expected]);
    place.fails(
        "train --data train.csv --csv-max 16",
        &["train.csv, line 2, column ", "expected a whole number from 0 to 16 (a pixel;"],
    );
}

#[test]
fn what_the_file_does_not_tell_must_be_said() {
    let place = place();
    let (images, labels) = bars_pixels(TRAIN, 1);
    place.put("some.csv", &rows(&images, &labels, true, "\n", write));
    let both = "the labels may be in the first or in the last of the 65 columns: say --target first or --target last";
    place.fails("train --data some.csv", &["some.csv", both]);
    let numbered = String::from_utf8(kaggle(&images, None, 64)).unwrap().replace("pixel", "");
    place.put("some.csv", numbered.as_bytes());
    place.fails(
        "train --data some.csv",
        &["line 1: it may be a header or not, as it counts from 0", "--csv-header"],
    );
    place.put("some.csv", b"a,1,2,3,4\n1,2,3,4,5\n");
    place.fails(
        "train --data some.csv",
        &["line 1", "4 of its 5 fields are numbers", "--csv-header yes"],
    );
    place.put("some.csv", b"1,2,3\n1,2,3\n");
    place.fails(
        "train --data some.csv",
        &["3 columns of numbers, and none is named label, class or target: say which is the target by --target"],
    );
    place.fails(
        "train --data some.csv --target last --image-shape 1x3",
        &["expected 4 columns for images of 1x3 and their labels, got 3"],
    );
    place.fails(
        "train --data some.csv --target last --csv-max 16",
        &["2 columns of pixels are no square", "--image-shape ROWSxCOLS"],
    );
    place.fails(
        "train --data some.csv --target b",
        &["--target: expected a column named `b`, got 1, 2, 3 (the file has no header)"],
    );
    place.fails(
        "train --data train.csv --target b",
        &["expected a column named `b`, got label, pixel0"],
    );
    place.put("some.csv", b"5,1,255,0\n5,0,0,0\n3,255,0,0\n");
    let text = place.ok("train --data some.csv --target first --image-shape 1x3 --test-split 0 --val-split 0 --epochs 1");
    assert!(text.contains("3 training, 0 validation, 0 test"), "{text}");
    assert!(text.contains("test accuracy  not measured: there is no test set"), "{text}");
    let text = place.ok("inspect model.pmlp");
    assert!(
        text.contains("1×3 features") && text.contains("test accuracy  not measured"),
        "{text}"
    );
    assert!(text.contains("3 vectors, passed bit for bit"), "{text}");
}

/// The first of MNIST's training images, or synthetic digits where MNIST is not at hand.
fn digits(count: usize) -> (Vec<u8>, Vec<u8>) {
    let folder = mnist("Kaggle's form of the real MNIST; synthetic digits are taken");
    let unpacked = |name: &str| {
        let folder = folder.as_ref()?;
        let plain = std::fs::read(folder.join(name)).ok();
        plain.or_else(|| {
            let file = std::fs::File::open(folder.join(format!("{name}.gz"))).ok()?;
            let mut bytes = Vec::new();
            std::io::copy(&mut flate2::read::GzDecoder::new(file), &mut bytes).ok()?;
            Some(bytes)
        })
    };
    if let (Some(images), Some(labels)) = (unpacked(TRAIN_IMAGES), unpacked(TRAIN_LABELS)) {
        return (images[16..][..count * PIXELS].to_vec(), labels[8..][..count].to_vec());
    }
    let mut images = vec![0; count * PIXELS];
    let (each, _) = images.as_chunks_mut::<PIXELS>();
    let labels = each.iter_mut().zip(0..).map(|(image, i)| sample(i, 1, image)).collect();
    (images, labels)
}

#[test]
fn kaggles_form_of_mnist_gives_the_model_that_its_idx_files_give() {
    let place = Place::new();
    let (images, labels) = digits(5000);
    let (train, test) = images.split_at(4000 * PIXELS);
    place.put(&format!("idx/{TRAIN_IMAGES}"), &idx(&[4000, 28, 28], train));
    place.put(&format!("idx/{TRAIN_LABELS}"), &idx(&[4000], &labels[..4000]));
    place.put(&format!("idx/{TEST_IMAGES}"), &idx(&[1000, 28, 28], test));
    place.put(&format!("idx/{TEST_LABELS}"), &idx(&[1000], &labels[4000..]));
    place.put("train.csv.gz", &gzip(&kaggle(train, Some(&labels[..4000]), PIXELS)));
    place.put("test.csv", &kaggle(test, None, PIXELS));
    place.put("labeled.csv", &kaggle(test, Some(&labels[4000..]), PIXELS));
    let ends = ["--data idx", "--data train.csv.gz --test-data labeled.csv"].map(|data| {
        let lines = place.json(&format!("train {data} --hidden 32 --epochs 2 --json"));
        let done = lines.last().unwrap();
        assert!(done["test_accuracy"].as_f64().unwrap() > 0.7, "{done}");
        [&lines[0]["data_fingerprint"], &done["fingerprint"], &done["test_loss"]].map(Clone::clone)
    });
    assert_eq!(ends[0], ends[1]);
    place.ok("predict model.pmlp --data test.csv --submission out.csv");
    let out = String::from_utf8(place.read("out.csv")).unwrap();
    let right = out.lines().skip(1).zip(&labels[4000..]);
    let right = right.filter(|(line, label)| line.ends_with(&format!(",{label}"))).count();
    let eval = place.json("eval model.pmlp --data labeled.csv --json").pop().unwrap();
    assert_eq!(eval["test_accuracy"].as_f64().unwrap(), right as f64 / 1000.0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_file_takes_the_memory_of_its_pixels() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    const ROWS: usize = 42_000; // Kaggle's training set
    let place = Place::new();
    let mut images = vec![0; 200 * PIXELS];
    let (each, _) = images.as_chunks_mut::<PIXELS>();
    let labels: Vec<u8> = each.iter_mut().zip(0..).map(|(image, i)| sample(i, 1, image)).collect();
    let some = kaggle(&images, Some(&labels), PIXELS);
    place.put("some.csv", &some);
    place.ok("train --data some.csv --test-split 0 --hidden 2 --epochs 1 --quiet");
    let header = some.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    place.put("large.csv", &[&some[..header], &some[header..].repeat(ROWS / 200)].concat());

    // The first answer is printed when all of the file has been read; the pipe is too small for all of them.
    let mut child = place
        .command("predict model.pmlp --data large.csv")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    answers.read_line(&mut line).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(answers); // only now: a program whose reader is gone ends
    assert!(line.starts_with("1: "), "{line}");
    let peak = field(&status.unwrap(), "VmHWM:").trim_end_matches(" kB").parse::<usize>().unwrap();
    // 38 MB when this was written. What comes on top of the pixels is the program itself, and the buffers of a row.
    let pixels = ROWS * PIXELS;
    assert!((pixels..pixels + (16 << 20)).contains(&(1024 * peak)), "{peak} kB");
}
