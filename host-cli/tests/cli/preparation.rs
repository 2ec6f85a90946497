//! What was done to images before training is a property of the model: every command does the same, and refuses a flag
//! that contradicts it.

use crate::util::{
    Place, TEST_IMAGES, TEST_LABELS, bars_pixels, field, json_lines, kaggle, to_version_1,
    write_png,
};

/// Dark bars on light in the folders of their classes, and a model of them as they are.
fn dark_on_light(flags: &str) -> Place {
    let place = Place::new();
    for (folder, count, seed) in [("png/train", 80, 1), ("png/test", 40, 2)] {
        let (images, labels) = bars_pixels(count, seed);
        for (i, (image, label)) in images.chunks_exact(64).zip(labels).enumerate() {
            let dark: Vec<u8> = image.iter().map(|pixel| 255 - pixel).collect();
            let name = format!("{folder}/{label}/{i:03}.png");
            place.put(&name, b"");
            write_png(&place.path(&name), 8, &dark);
        }
    }
    place.ok(&format!("train --data png --hidden 16 --epochs 20 --lr 0.01 --batch-size 8 --inputs standardized --quiet {flags}"));
    place
}

#[test]
fn predict_reads_images_as_training_did() {
    for flags in ["", "--normalize", "--normalize"] {
        let place = dark_on_light(flags);
        let eval = place.json("eval model.pmlp --data png --json").pop().unwrap();
        let lines = place
            .json("predict model.pmlp png/test/0 png/test/1 png/test/2 png/test/3 --json --quiet");
        let is_right = |line: &&serde_json::Value| {
            let folder = format!("png/test/{}/", line["class"].as_str().unwrap());
            line["file"].as_str().unwrap().starts_with(&folder)
        };
        let right = lines.iter().filter(is_right).count() as f64;
        assert_eq!(lines.len(), 40);
        assert_eq!(right / 40.0, eval["test_accuracy"].as_f64().unwrap(), "{flags}");
        let said = place.ok("inspect model.pmlp");
        let form = if flags.is_empty() { "as they are" } else { "brought into MNIST's form" };
        assert_eq!(field(&said, "images"), form);
    }
}

#[test]
fn every_command_prepares_images_as_training_did_without_a_flag() {
    let place = dark_on_light("--normalize");
    let done = place
        .json("train --data png --hidden 16 --epochs 20 --lr 0.01 --batch-size 8 --inputs standardized --normalize --json")
        .pop()
        .unwrap();
    let eval = place.json("eval model.pmlp --data png --json").pop().unwrap();
    for name in ["test_accuracy", "test_loss"] {
        assert_eq!(eval[name], done[name], "{name}");
    }
    let line = "quantize model.pmlp --data png -o small.pmlp --json";
    let certificate = place.json(line).pop().unwrap();
    assert_eq!(certificate["f32"]["accuracy"], done["test_accuracy"]);
    // The flag says what the model says, in either spelling.
    for flag in ["--normalize", "--normalize"] {
        assert_eq!(place.json(&format!("eval model.pmlp --data png --json {flag}"))[0], eval);
    }
    place.ok("report model.pmlp --data png");
    let small = place.json("eval small.pmlp --data png --int8 --json").pop().unwrap();
    assert_eq!(small["test_accuracy"], certificate["int8"]["accuracy"]);
}

#[test]
fn a_flag_that_contradicts_the_model_is_refused() {
    let place = dark_on_light("");
    let contradicts = "--normalize contradicts model.pmlp, which was trained on images as they are";
    for command in [
        "eval model.pmlp --data png",
        "predict model.pmlp png/test/0",
        "predict model.pmlp --data png",
        "quantize model.pmlp --data png -o small.pmlp",
        "report model.pmlp --data png",
        "plot confusion model.pmlp --data png",
        "verify model.pmlp --data png --device false",
    ] {
        place.fails(&format!("{command} --normalize"), &[contradicts]);
    }
    place.fails(
        "eval model.pmlp --data png --image-shape 4x16",
        &["--image-shape 4x16 contradicts model.pmlp, which reads 8x8"],
    );
    place.fails(
        "eval model.pmlp --data png --csv-max 16",
        &["--csv-max 16 contradicts model.pmlp, whose pixels go to 255"],
    );
}

#[test]
fn an_image_of_another_size_is_refused_where_images_are_taken_as_they_are() {
    let place = dark_on_light("");
    place.ok("draw 1 -o one.png");
    let parts = ["one.png: the image is 28x28 (rows x columns), expected 8x8", "--normalize"];
    place.fails("predict model.pmlp one.png", &parts);
}

#[test]
fn images_that_are_in_mnists_form_are_known_by_it() {
    let place = Place::with_digits();
    place.train("--hidden 8 --epochs 5 --lr 0.01 --quiet");
    assert_eq!(field(&place.ok("inspect model.pmlp"), "images"), "brought into MNIST's form");
    let shown = place.train("--hidden 8 --epochs 5 --lr 0.01");
    assert!(shown.contains("picomlp draw 7 --seed 3 -o seven.png"), "{shown}");
    // A digit of any size and color is brought into it.
    let large = image::GrayImage::from_fn(90, 70, |x, y| {
        image::Luma([if (40..46).contains(&x) && (10..60).contains(&y) { 20 } else { 240 }])
    });
    large.save(place.path("one.png")).unwrap();
    place.ok("predict model.pmlp one.png");

    let place = Place::with_model();
    assert_eq!(field(&place.ok("inspect model.pmlp"), "images"), "as they are");
    let shown = place.train("--hidden 6 --epochs 5 --lr 0.01");
    assert!(!shown.contains("draw 7"), "{shown}");
    assert!(
        shown.contains("a PNG image of 8x8 (rows x columns) like those of the data"),
        "{shown}"
    );
}

#[test]
fn white_strokes_on_nothing_are_read_and_doubtful_ink_gets_a_note() {
    let place = Place::with_digits();
    place.train("--hidden 8 --epochs 5 --lr 0.01 --quiet");
    let is_bar = |x: u32, y: u32| (40..46).contains(&x) && (10..60).contains(&y);
    let dark =
        image::GrayImage::from_fn(90, 70, |x, y| image::Luma([if is_bar(x, y) { 0 } else { 255 }]));
    dark.save(place.path("dark.png")).unwrap();
    let white = image::GrayAlphaImage::from_fn(90, 70, |x, y| {
        image::LumaA([255, if is_bar(x, y) { 255 } else { 0 }])
    });
    white.save(place.path("white.png")).unwrap();
    let [dark, white] = ["dark", "white"]
        .map(|name| place.json(&format!("predict model.pmlp {name}.png --json")).pop().unwrap());
    assert_eq!(dark["top"], white["top"]);
    assert!(dark["note"].is_null(), "{dark}");
    let two = image::GrayImage::from_fn(90, 70, |x, y| {
        image::Luma([if is_bar(x, y) || is_bar(x + 20, y) { 0 } else { 255 }])
    });
    two.save(place.path("two.png")).unwrap();
    let ran = place.run("predict model.pmlp two.png --json");
    assert!(ran.code == 0 && ran.stderr.contains("two.png: the ink has several pieces"), "{ran:?}");
    assert!(json_lines(&ran.stdout)[0]["note"].is_string(), "{ran:?}");
}

#[test]
fn images_are_refused_where_the_inputs_are_features() {
    let place = Place::new();
    let rows = (0..150).map(|i| format!("{},{},{},{},{}\n", 50 + i % 7, 30, i, i / 3, i / 50));
    place.put("iris.csv", rows.collect::<String>().as_bytes());
    let line = "train --data iris.csv --csv-header no --target last --csv-max 255 --hidden 8 --epochs 40 --lr 0.01";
    let shown = place.ok(line);
    assert!(!shown.contains("draw") && !shown.contains(".png"), "{shown}");
    assert!(shown.contains("picomlp predict model.pmlp --data FILE.csv"), "{shown}");
    place.ok("draw 7 -o seven.png");
    let parts = ["model.pmlp reads 4 features, not images", "--data"];
    place.fails("predict model.pmlp seven.png", &parts);
    assert!(place.ok("inspect model.pmlp").contains("2×2 features, 0 to 255 read as"));
    place.ok("predict model.pmlp --data iris.csv --csv-header no --target last");
    let old = to_version_1(&place.read("model.pmlp"));
    place.put("old.pmlp", &old);
    place.fails("predict old.pmlp seven.png", &["old.pmlp reads 4 features, not images"]);
}

#[test]
fn a_model_of_version_1_is_used_as_before_with_a_word_about_what_it_does_not_record() {
    let place = Place::with_digits();
    place.train("--hidden 8 --epochs 5 --lr 0.01 --quiet");
    place.put("old.pmlp", &to_version_1(&place.read("model.pmlp")));
    place.ok("draw 3 -o three.png");
    let ran = place.run("predict old.pmlp three.png --quiet");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("old.pmlp does not record how its images were prepared"),
        "{ran:?}"
    );
    assert_eq!(ran.stdout, place.ok("predict model.pmlp three.png --quiet"));
    let [old, new] = ["old", "model"]
        .map(|name| place.json(&format!("eval {name}.pmlp --data data --json")).pop().unwrap());
    assert_eq!((&old["test_loss"], &old["confusion"]), (&new["test_loss"], &new["confusion"]));
    let parts = ["old.pmlp does not record how its training data was split"];
    place.fails("eval old.pmlp --data data --split test", &parts);
    // What is written anew is of version 2.
    place.ok("quantize old.pmlp --data data -o small.pmlp");
    assert!(place.ok("inspect small.pmlp").contains("format version 2"));
}

#[test]
fn data_far_from_what_was_trained_on_gets_a_warning() {
    let place = Place::with_digits();
    place.train("--hidden 8 --epochs 5 --lr 0.01 --quiet");
    place.ok("eval model.pmlp --data data");
    let (images, labels) =
        (place.read(&format!("data/{TEST_IMAGES}")), place.read(&format!("data/{TEST_LABELS}")));
    let changed = |change: fn(u8) -> u8| {
        let mut changed = images.clone();
        changed[16..].iter_mut().for_each(|pixel| *pixel = change(*pixel));
        place.put(&format!("other/{TEST_IMAGES}"), &changed);
        place.put(&format!("other/{TEST_LABELS}"), &labels);
        for line in ["eval model.pmlp", "predict model.pmlp --json", "report model.pmlp"] {
            let ran = place.run(&format!("{line} --data other"));
            assert_eq!(ran.code, 0, "{ran:?}");
            let expected = "picomlp: warning: other: the mean of its values is ";
            assert!(ran.stderr.contains(expected), "{ran:?}");
        }
    };
    changed(|pixel| 255 - pixel);
    changed(|pixel| pixel / 255);
    // One class alone is no other data.
    place.put("one.csv", &kaggle(&images[16..][..784], None, 784));
    place.ok("predict model.pmlp --data one.csv");
    // As they are: light on dark, where training had dark on light.
    let place = dark_on_light("");
    let bar: [u8; 64] = core::array::from_fn(|i| if i / 8 == 3 { 250 } else { 0 });
    write_png(&place.path("bar.png"), 8, &bar);
    let ran = place.run("predict model.pmlp bar.png");
    assert!(ran.code == 0 && ran.stderr.contains("the images: the mean of its values"), "{ran:?}");
}

#[test]
fn predict_goes_on_past_files_that_it_cannot_read_and_fails_at_the_end() {
    let place = Place::with_digits();
    place.train("--hidden 8 --epochs 5 --lr 0.01 --quiet");
    std::fs::create_dir(place.path("batch")).unwrap();
    for name in ["a.png", "c.png"] {
        place.ok(&format!("draw 7 -o batch/{name}"));
    }
    write_png(&place.path("batch/b.png"), 28, &[255; 784]);
    place.put("batch/._a.png", b"no image");
    place.put("batch/__MACOSX/._a.png", b"no image");
    let ran = place.run("predict model.pmlp batch missing.png --json");
    ran.assert_failed(1, "picomlp: ", &["b.png: no ink found", "missing.png", "2 of 4 files"]);
    let lines = json_lines(&ran.stdout);
    let files: Vec<_> = lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["batch/a.png", "batch/b.png", "batch/c.png", "missing.png"]);
    let errors: Vec<_> = lines.iter().map(|line| line["error"].is_string()).collect();
    assert_eq!(errors, [false, true, false, true]);
    assert!(lines[1]["class"].is_null() && lines[2]["class"].is_string(), "{lines:?}");
    let ran = place.run("predict model.pmlp batch --quiet");
    ran.assert_failed(1, "picomlp: ", &["b.png: no ink found", "1 of 3 files"]);
    assert_eq!(ran.stdout.lines().count(), 4, "{ran:?}");
}

#[test]
fn eval_and_quantize_repeat_the_split_that_training_made() {
    let place = Place::new();
    let (images, labels) = bars_pixels(200, 1);
    place.put("all.csv", &kaggle(&images, Some(&labels), 64));
    place.put("fewer.csv", &kaggle(&images[64..], Some(&labels[1..]), 64));
    let mut changed = images.clone();
    changed[70] ^= 1;
    place.put("changed.csv", &kaggle(&changed, Some(&labels), 64));
    let line = "train --data all.csv --csv-max 255 --hidden 8 --epochs 9 --lr 0.01 --seed 5";
    for flags in ["", "--stratified --held-out last", "--test-split 50 --val-split 0.25"] {
        let done = place.json(&format!("{line} --json {flags}")).pop().unwrap();
        let part = |part: &str| {
            let line = format!("eval model.pmlp --data all.csv --split {part} --json");
            place.json(&line).pop().unwrap()
        };
        for (name, found) in [("test", part("test")), ("val", part("validation"))] {
            let [accuracy, loss] = ["accuracy", "loss"].map(|what| &done[format!("{name}_{what}")]);
            assert_eq!((&found["test_accuracy"], &found["test_loss"]), (accuracy, loss), "{flags}");
        }
        let samples = ["train", "validation", "test"].map(|name| part(name)["samples"].as_u64());
        assert_eq!(samples.iter().flatten().sum::<u64>(), 200, "{flags}");
        let certificate =
            place.json("quantize model.pmlp --data all.csv -o small.pmlp --json").pop().unwrap();
        assert_eq!(certificate["f32"]["accuracy"], done["test_accuracy"], "{flags}");
        let json = place.json("inspect small.pmlp --json").pop().unwrap();
        assert_eq!(json["split"]["samples"], 200);
    }
    let shown = place.ok(line);
    assert!(shown.ends_with("eval model.pmlp --data all.csv\n"), "{shown}");
    place.ok("eval model.pmlp --data all.csv --split test --csv-max 255");
    let parts = ["fewer.csv has 199 training samples, but model.pmlp was trained on data with 200"];
    place.fails("eval model.pmlp --data fewer.csv --split test", &parts);
    let parts = ["changed.csv is not what model.pmlp was trained on: the fingerprint"];
    place.fails("eval model.pmlp --data changed.csv --split test", &parts);
    let parts = ["fewer.csv has no test set", "--test-split", "199 training samples"];
    place.fails("quantize model.pmlp --data fewer.csv -o other.pmlp", &parts);
    let line = "quantize model.pmlp --data fewer.csv --test-split 40 -o other.pmlp --json";
    assert_eq!(place.json(line)[0]["test_samples"], 40);
    place.put_bars("data", 20);
    let parts = ["--test-split 0.5 was given, but data has a test set of its own"];
    place.fails("quantize model.pmlp --data data --test-split 0.5 -o other.pmlp", &parts);
}

#[test]
fn quantize_and_eval_take_the_shape_of_images_from_the_model() {
    let place = Place::new();
    let (images, labels) = bars_pixels(200, 1);
    // 60 pixels make no square.
    let short: Vec<u8> = images.chunks(64).flat_map(|image| &image[..60]).copied().collect();
    place.put("all.csv", &kaggle(&short, Some(&labels), 60));
    let flags = "--csv-max 255 --image-shape 6x10 --hidden 8 --epochs 9 --lr 0.01 --quiet";
    place.ok(&format!("train --data all.csv {flags}"));
    place.ok("eval model.pmlp --data all.csv");
    place.ok("quantize model.pmlp --data all.csv -o small.pmlp");
    place.fails(
        "quantize model.pmlp --data all.csv --image-shape 10x6 -o other.pmlp",
        &["--image-shape 10x6 contradicts model.pmlp, which reads 6x10"],
    );
}

#[test]
fn classes_of_other_names_are_not_calibrated_on() {
    let place = dark_on_light("");
    // Without class 0, the others keep their labels.
    std::fs::remove_dir_all(place.path("png/test/0")).unwrap();
    let eval = place.json("eval model.pmlp --data png --json").pop().unwrap();
    let line = "quantize model.pmlp --data png -o small.pmlp --json";
    assert_eq!(place.json(line)[0]["f32"]["accuracy"], eval["test_accuracy"]);
}
