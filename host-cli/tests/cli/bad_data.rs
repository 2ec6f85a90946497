//! Data that cannot be used: the message says which file, where, what was expected and what came.

use crate::util::{
    FILES, Place, TEST, TEST_IMAGES, TEST_LABELS, TRAIN, TRAIN_IMAGES, TRAIN_LABELS, bars, gzip,
    idx,
};

/// Trains on `data` with one file replaced; the message must have `parts` and the file's name.
#[track_caller]
fn refuses(file: &str, bytes: &[u8], parts: &[&str]) {
    let place = Place::with_data();
    place.put(&format!("data/{file}"), bytes);
    let message = place.fails("train --data data", parts);
    assert!(message.contains(&format!("data/{file}")), "{message}");
}

#[test]
fn train_says_what_is_wrong_with_an_image_file() {
    let (good, _) = bars(TRAIN, 1);
    let mut count_too_high = good.clone();
    count_too_high[7] += 1;
    let mut count_too_low = good.clone();
    count_too_low[7] -= 1;
    let mut wide = good.clone();
    wide[15] = 9;
    let pixels = TRAIN * 64;
    let (expected, one_less) = (format!("expected {pixels} bytes"), pixels - 1);
    for (what, bytes, parts) in [
        ("empty", vec![], vec!["the file is empty", "images"]),
        ("one byte", good[..1].to_vec(), vec!["shorter than its header", "16 bytes", "got 1"]),
        ("half a header", good[..9].to_vec(), vec!["shorter than its header", "16", "got 9"]),
        ("header only", good[..16].to_vec(), vec!["too short", &expected, "got 0"]),
        (
            "truncated",
            good[..good.len() - 1].to_vec(),
            vec!["too short", "200 images of 8x8", &expected, &format!("got {one_less}")],
        ),
        ("long", [&good[..], &[0]].concat(), vec!["too long", &expected, "more follow"]),
        ("wrong magic", b"hello, I am no IDX file".to_vec(), vec!["not an IDX file", "68656c6c"]),
        (
            "floats",
            [&[0, 0, 13, 3], &good[4..]].concat(),
            vec!["too short", "expected 51200 bytes"],
        ),
        ("four dimensions", [&[0, 0, 8, 4], &good[4..]].concat(), vec!["too short", "200 images"]),
        ("labels", bars(TRAIN, 1).1, vec!["label file, images were expected", "0x00000801"]),
        ("count too high", count_too_high, vec!["too short", "201 images of 8x8"]),
        ("count too low", count_too_low, vec!["too long", "199 images of 8x8"]),
        ("wide", wide, vec!["too short", "200 images of 8x9"]),
        ("no images", idx(&[0, 8, 8], &[]), vec!["dimension of 0", "0 images of 8x8"]),
        ("no pixels", idx(&[TRAIN, 0, 8], &[]), vec!["dimension of 0", "200 images of 0x8"]),
        (
            "a header that lies",
            idx(&[0xffff_ffff, 0xffff_ffff, 0xffff_ffff], &[1, 2, 3]),
            vec!["4294967295 images of 4294967295x4294967295", "more bytes than can be addressed"],
        ),
        (
            "a header that exaggerates",
            idx(&[0xffff_ffff, 28, 28], &[1, 2, 3]),
            vec!["too short", "4294967295 images of 28x28", "got 3"],
        ),
    ] {
        println!("{what}");
        refuses(TRAIN_IMAGES, &bytes, &parts);
    }
}

#[test]
fn train_says_what_is_wrong_with_a_label_file() {
    let (images, good) = bars(TEST, 2);
    let mut unknown_class = good.clone();
    unknown_class[8 + 17] = 4;
    for (what, bytes, parts) in [
        ("empty", vec![], vec!["the file is empty", "labels"]),
        ("half a header", good[..6].to_vec(), vec!["shorter than its header", "8 bytes", "got 6"]),
        (
            "truncated",
            good[..good.len() - 2].to_vec(),
            vec!["too short", "expected 60 bytes for 60 labels", "got 58"],
        ),
        ("long", [&good[..], &[0]].concat(), vec!["too long", "expected 60 bytes"]),
        (
            "wrong magic",
            b"PK\x03\x04\0 a zip file".to_vec(),
            vec!["is a zip archive, expected an IDX file of labels"],
        ),
        ("images", images, vec!["image file, labels were expected"]),
        (
            "one label less",
            bars(TEST - 1, 2).1,
            vec!["differ in number", TEST_IMAGES, "has 60 images", "has 59 labels"],
        ),
        (
            "a class that training does not know",
            unknown_class,
            vec!["label 4 at index 17", "past the class count", "labels below 4"],
        ),
    ] {
        println!("{what}");
        refuses(TEST_LABELS, &bytes, &parts);
    }
}

#[test]
fn train_refuses_training_labels_of_one_class_and_test_images_of_another_shape() {
    refuses(TRAIN_LABELS, &idx(&[TRAIN], &[2; TRAIN]), &["all 200 training labels are 2", "two"]);
    let other_shape = idx(&[TEST, 4, 8], &[0; TEST * 32]);
    refuses(TEST_IMAGES, &other_shape, &["differ in shape", TRAIN_IMAGES, "8x8", "4x8"]);
}

#[test]
fn train_says_what_is_wrong_with_a_gzip_file() {
    let (images, _) = bars(TRAIN, 1);
    let good = gzip(&images);
    let end = good.len();
    let with_byte = |at: usize, change: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= change;
        bytes
    };
    for (what, bytes, part) in [
        ("the magic number alone", good[..2].to_vec(), "ends too early"),
        ("header only", good[..10].to_vec(), "ends too early"),
        ("half", good[..end / 2].to_vec(), "ends too early"),
        ("without its last byte", good[..end - 1].to_vec(), "ends too early"),
        ("unknown method", with_byte(2, 0xff), "the gzip data is damaged"),
        ("wrong checksum", with_byte(end - 8, 1), "the gzip data is damaged"),
        ("wrong length", with_byte(end - 1, 1), "the gzip data is damaged"),
        ("text after it", [&good[..], b"<html>"].concat(), "follow its end"),
        ("IDX of other length in it", gzip(&images[..100]), "too short"),
    ] {
        println!("{what}");
        // The plain file's name: content decides.
        refuses(TRAIN_IMAGES, &bytes, &[part]);
    }
}

#[test]
fn train_survives_a_gzip_file_with_any_byte_changed() {
    let (images, _) = bars(TRAIN, 1);
    let good = gzip(&images);
    let place = Place::with_data();
    for at in (0..40).chain((40..good.len()).step_by(211)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        place.put(&format!("data/{TRAIN_IMAGES}"), &bytes);
        let ran = place.run("train --data data --hidden 2 --max-steps 1 --quiet");
        // Some bytes play no part, such as the time in the header.
        match ran.code {
            0 => assert!((3..10).contains(&at), "byte {at} was not missed: {ran:?}"),
            _ => ran.assert_failed(1, "picomlp: ", &[TRAIN_IMAGES]),
        }
    }
}

#[test]
fn train_says_which_file_a_folder_lacks() {
    for name in FILES {
        let place = Place::with_data();
        place.remove(&format!("data/{name}"));
        let parts = ["the folder data lacks 1 of the 4 files", name];
        let message = place.fails("train --data data", &parts);
        let others = FILES.iter().filter(|other| **other != name);
        assert!(others.into_iter().all(|other| !message.contains(other)), "{message}");
    }
}

#[test]
fn train_says_that_the_data_folder_is_missing_or_a_file_or_empty() {
    let place = Place::with_data();
    let file = format!("data/{TEST_LABELS}");
    place.fails("train --data no/where", &["no/where does not exist", "MNIST", "PNG", "CSV"]);
    place.fails(
        &format!("train --data {file}"),
        &[&file, "is an IDX file", "the folder that holds the images"],
    );
    std::fs::create_dir(place.path("empty")).unwrap();
    place.fails(
        "train --data empty",
        &["the folder empty is empty, expected a folder with MNIST's"],
    );
}

#[test]
fn train_keeps_the_old_model_when_the_data_is_bad() {
    let place = Place::with_model();
    place.put(&format!("data/{TRAIN_IMAGES}"), b"");
    // `fails` compares every file with what it was.
    place.fails("train --data data --out model.pmlp", &["the file is empty"]);
}

#[test]
fn eval_says_what_is_wrong_with_the_test_set() {
    let place = Place::with_model();
    place.remove(&format!("data/{TRAIN_IMAGES}"));
    place.ok("eval model.pmlp --data data");
    let (images, labels) = bars(TEST, 2);
    for (file, bytes, parts) in [
        (TEST_IMAGES, &images[..500], ["too short", "expected 3840 bytes", "got 484"]),
        (TEST_LABELS, &labels[..0], ["the file is empty", TEST_LABELS, "labels"]),
        (TEST_LABELS, &idx(&[TEST], &[7; TEST])[..], ["label 7", "index 0", "labels below 4"]),
    ] {
        place.put_bars("data", TRAIN);
        place.put(&format!("data/{file}"), bytes);
        let message = place.fails("eval model.pmlp --data data", &parts);
        assert!(message.contains(&format!("data/{file}")), "{message}");
    }
    place.fails("eval model.pmlp --data nowhere", &["nowhere does not exist, expected a folder"]);
    place.remove(&format!("data/{TEST_LABELS}"));
    place.fails("eval model.pmlp --data data", &["lacks 1 of the 2 files", TEST_LABELS]);
}
