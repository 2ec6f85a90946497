//! Parts of a set: what is held out, and cross-validation.

use picomlp_train::data::{SplitSpec, Strata};

use crate::util::{Place, TEST, TRAIN, bars_pixels, field, kaggle};

#[test]
fn the_two_sets_are_pooled_and_parted_anew() {
    let place = Place::with_data();
    let line = "train --data data --merge --test-split 52 --val-split 48 --stratified --hidden 5 --epochs 2";
    let text = place.ok(line);
    for part in [
        "data: 160 training, 48 validation, 52 test samples",
        "training and test set together: 260 samples (--merge)",
        "52 samples held out for testing: --test-split 52, stratified, seed 1",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    assert!(field(&text, "repeat").contains(" --val-split 48 "), "{text}");
    assert!(
        field(&text, "repeat").contains(" --merge --test-split 52 --stratified --out "),
        "{text}"
    );
    let print = field(&text, "fingerprint");
    assert_eq!(field(&place.ok(line), "fingerprint"), print);
    for other in ["--seed 2", "--test-split 51"] {
        let line = line.replace("--test-split 52", other);
        assert_ne!(field(&place.ok(&line), "fingerprint"), print, "{other}");
    }
    assert_ne!(field(&place.ok(&line.replace("--stratified", "")), "fingerprint"), print);
}

#[test]
fn a_validation_set_may_be_given_by_share_or_count() {
    let place = Place::with_data();
    let flags = "--hidden 5 --epochs 2 --val-split";
    assert_eq!(
        place.fingerprint(&format!("{flags} 0.1")),
        place.fingerprint(&format!("{flags} 20"))
    );
}

#[test]
fn cross_validation_measures_every_sample_once_and_writes_no_model() {
    let place = Place::with_data();
    let before = place.everything();
    let line = "train --data data --folds 4 --stratified --hidden 5 --epochs 3 --json";
    let lines = place.json(line);
    let folds: Vec<_> = lines.iter().filter(|line| line["event"] == "fold").collect();
    let samples: u64 = folds.iter().map(|fold| fold["test_samples"].as_u64().unwrap()).sum();
    assert_eq!((folds.len(), samples), (4, TRAIN as u64));
    let epochs = lines.iter().filter(|line| line["event"] == "epoch" && line["fold"] == 2);
    assert_eq!(epochs.count(), 3);
    let accuracies: Vec<f64> =
        folds.iter().map(|fold| fold["test_accuracy"].as_f64().unwrap()).collect();
    let mean = accuracies.iter().sum::<f64>() / 4.0;
    let done = lines.last().unwrap();
    assert!((done["test_accuracy_mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{done}");
    assert_eq!((&done["event"], &done["folds"]), (&"done".into(), &4.into()));
    assert_eq!(place.json(line)[1]["train_loss"], lines[1]["train_loss"]);

    let text = place.ok(&line.replace("--json", "--threads 2"));
    assert!(
        text.contains("135 training, 15 validation, 50 test samples in the first fold"),
        "{text}"
    );
    assert!(text.contains("60 test samples, which play no part in the cross-validation"), "{text}");
    assert!(text.contains("model          none is written by a cross-validation"), "{text}");
    assert!(field(&text, "test accuracy").ends_with(": the mean of 4 folds"), "{text}");
    assert!(
        field(&text, "repeat").ends_with(" --val-split 0.1 --init he --stratified --folds 4"),
        "{text}"
    );
    assert!(place.everything() == before, "{:?}", place.names());
}

#[test]
fn lines_of_a_cross_validation_do_not_depend_on_the_number_of_threads() {
    let place = Place::with_data();
    // Long enough that folds take turns on two and three threads; patience ends them at different epochs.
    let line =
        "train --data data --folds 5 --hidden 64 --epochs 60 --batch-size 4 --patience 12 --json";
    let lines = |threads: &str| {
        let mut lines = place.json(&format!("{line} --threads {threads}"));
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("seconds");
        }
        lines
    };
    let one = lines("1");
    let folds = one.iter().filter_map(|line| line["fold"].as_u64());
    assert!(folds.is_sorted() && one.len() > 5 * 13, "{one:?}");
    for threads in ["2", "3", "4", "12"] {
        assert!(lines(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_fold_is_what_a_run_on_the_others_measures() {
    let place = Place::new();
    let (images, labels) = bars_pixels(TRAIN, 1);
    place.put("all.csv", &kaggle(&images, Some(&labels), 64));
    let flags = "--hidden 5 --epochs 3 --seed 3 --stratified --json";
    let lines = place.json(&format!("train --data all.csv --folds 3 {flags}"));
    let found = lines.iter().filter(|line| line["event"] == "fold");

    let all: Vec<u32> = (0..TRAIN as u32).collect();
    let spec = SplitSpec { stratified: true, ..SplitSpec::default() };
    let classes: Vec<u16> = labels.iter().map(|&label| label.into()).collect();
    let folds = spec.fold_samples(3, &all, Strata { labels: &classes, groups: &[] }, 3);
    for (fold, found) in folds.iter().zip(found) {
        for (name, is_test) in [("train.csv", false), ("test.csv", true)] {
            let samples = all.iter().filter(|sample| fold.contains(sample) == is_test);
            let samples: Vec<usize> = samples.map(|&sample| sample as usize).collect();
            let images: Vec<u8> =
                samples.iter().flat_map(|i| &images[64 * i..][..64]).copied().collect();
            let labels: Vec<u8> = samples.iter().map(|&i| labels[i]).collect();
            place.put(name, &kaggle(&images, Some(&labels), 64));
        }
        let run = format!("train --data train.csv --test-data test.csv --csv-max 255 {flags}");
        let done = place.json(&run).pop().unwrap();
        for name in ["fingerprint", "test_accuracy", "test_loss", "kept_epoch"] {
            assert_eq!(found[name], done[name], "{name}");
        }
    }
}

#[test]
fn folds_of_the_pooled_sets_hold_the_samples_of_both() {
    let place = Place::with_data();
    let line = "train --data data --merge --folds 2 --val-split 0 --hidden 3 --epochs 1 --json";
    let lines = place.json(line);
    assert_eq!(lines[0]["train_samples"], (TRAIN + TEST) / 2);
    assert_eq!(lines[0]["data_notes"].as_array().unwrap().len(), 1);
    let folds = lines.iter().filter(|line| line["event"] == "fold");
    assert!(folds.clone().all(|fold| fold["test_samples"] == (TRAIN + TEST) / 2), "{lines:?}");
    assert_eq!(folds.count(), 2);
}

#[test]
fn a_cross_validation_that_diverges_says_in_which_fold() {
    let place = Place::with_data();
    let ran = place.run("train --data data --folds 3 --optimizer sgd --lr 1e30 --quiet");
    ran.assert_failed(1, "picomlp: ", &["fold 1: the loss became NaN or infinite", "--lr"]);
}

/// Ten walks and runs of four persons each: 12 rows of a person and an activity, with an offset of the person's own.
fn walks() -> Place {
    let place = Place::new();
    let mut text = "acc;gyro;who;activity;time\n".to_owned();
    for row in 0..240_u32 {
        let (person, kind) = (row / 12 % 10, row / 120);
        let value = f64::from(kind) + 0.1 * f64::from(person) + 0.01 * f64::from(row % 7);
        let word = ["walk", "run"][kind as usize];
        text += &format!("{value:.3};{:.3};p{person};{word};{row}\n", 0.5 - value);
    }
    place.put("walks.csv", text.as_bytes());
    place
}

#[test]
fn the_samples_held_out_are_what_is_measured_without_a_flag() {
    let place = walks();
    let train = "train --data walks.csv --target activity --drop time,who --test-split 0.25";
    let text = place.ok(&format!("{train} --epochs 3"));
    assert!(text.contains("picomlp eval model.pmlp --data walks.csv\n"), "{text}");
    let held_out = "data           walks.csv: the 60 samples that training held out for testing";
    let eval = place.ok("eval model.pmlp --data walks.csv");
    assert!(eval.starts_with(&format!("{held_out} (all: --split all)\n")), "{eval}");
    assert_eq!(field(&eval, "test accuracy"), field(&text, "test accuracy"));
    let all = place.json("eval model.pmlp --data walks.csv --split all --json");
    assert_eq!(all[0]["samples"], 240);
    for (split, samples) in [("train", 180), ("test", 60)] {
        let line = format!("eval model.pmlp --data walks.csv --split {split} --json");
        assert_eq!(place.json(&line)[0]["samples"], samples);
    }
    assert!(place.ok("report model.pmlp --data walks.csv").contains(held_out));
    assert!(place.ok("plot confusion model.pmlp --data walks.csv").contains(held_out));
    let quantize = "quantize model.pmlp --data walks.csv -o q.pmlp";
    assert_eq!(place.json(&format!("{quantize} --json"))[0]["test_samples"], 60);
    let eval = place.ok("eval q.pmlp --int8 --data walks.csv");
    assert!(eval.starts_with(held_out), "{eval}");

    // Other data is measured as a whole, also without the columns that training left out or predicted.
    let text = String::from_utf8(place.read("walks.csv")).unwrap();
    let without = |column: usize, rows: usize| {
        let lines = text.lines().take(rows + 1).map(|line| {
            let mut fields: Vec<_> = line.split(';').collect();
            fields.remove(column);
            fields.join(";") + "\n"
        });
        lines.collect::<String>()
    };
    place.put("other.csv", without(4, 30).as_bytes());
    assert_eq!(place.json("eval model.pmlp --data other.csv --json")[0]["samples"], 30);
    place.put("new.csv", without(3, 30).as_bytes());
    assert_eq!(place.json("predict model.pmlp new.csv --json").len(), 30);
    place
        .fails("eval model.pmlp --data new.csv", &["new.csv, line 1: --target: expected a column"]);

    place.ok(&train.replace("0.25", "0 --epochs 2"));
    let eval = place.ok("eval model.pmlp --data walks.csv");
    let expected =
        "walks.csv: all 240 samples that the model was trained on; training held none out";
    assert!(eval.contains(expected), "{eval}");
}

#[test]
fn groups_are_whole_in_every_part() {
    let place = walks();
    let train = "train --data walks.csv --target activity --drop time --group who --epochs 2";
    let text = place.ok(&format!("{train} --test-split 0.25 --val-split 0.2"));
    for part in [
        "walks.csv: 168 training, 24 validation, 48 test samples",
        "labels in column 4 (`activity`), groups in column 3 (`who`), 2 features in columns 1 to 2",
        "48 samples held out for testing: --test-split 0.25, at random, seed 1, whole groups",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let eval = place.ok("eval model.pmlp --data walks.csv");
    assert!(eval.contains("the 48 samples that training held out for testing"), "{eval}");
    for part in ["train", "validation", "test"] {
        place.ok(&format!("eval model.pmlp --data walks.csv --split {part}"));
    }
    let repeat = field(&text, "repeat").strip_prefix("picomlp ").unwrap().to_owned();
    assert!(repeat.contains(" --group who "), "{repeat}");
    assert_eq!(field(&place.ok(&repeat), "fingerprint"), field(&text, "fingerprint"));

    let last = place.ok(&format!("{train} --test-split 48 --held-out last"));
    assert!(last.contains("48 samples held out for testing"), "{last}");
    let folds = place.json(&format!("{train} --folds 5 --stratified --json"));
    let sizes: Vec<_> = folds.iter().filter(|line| line["event"] == "fold").collect();
    assert!(sizes.iter().all(|fold| fold["test_samples"] == 48), "{sizes:?}");
    place.fails(
        &format!("{train} --folds 11"),
        &["--folds 11: there are fewer groups, so that a fold is empty"],
    );
    place.fails(
        &train.replace("time --group who", "time,who --group activity --test-split 0.25"),
        &["--test-split 0.25 holds out every group or recording of class"],
    );
    place.fails(
        &train.replace("--group who", "--group where"),
        &["walks.csv, line 1: --group: expected a column named `where`, got acc, gyro"],
    );
}
