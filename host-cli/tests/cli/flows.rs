//! What users do: train, measure, look, repeat.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::util::{FILES, Place, field, gzip};

#[test]
fn the_default_train_works_in_an_empty_folder_and_its_model_reads_drawn_digits() {
    let place = Place::new();
    let shown = place.ok("train --max-steps 80");
    assert_eq!(place.names(), ["model.pmlp"]);
    assert!(shown.contains("synthetic: 54,000 training, 6,000 validation, 10,000 test"), "{shown}");
    assert!(field(&shown, "network").starts_with("784-128-10, 101,770 parameters"), "{shown}");
    assert!(shown.contains("picomlp predict model.pmlp seven.png"), "{shown}");
    assert!(shown.contains("picomlp train --data DIR"), "{shown}");

    let measured = place.ok("eval model.pmlp");
    assert_eq!(field(&measured, "test accuracy"), field(&shown, "test accuracy"));

    // The commands that it names as the next ones.
    place.ok("draw 7 --seed 3 -o seven.png");
    let seen = place.ok("predict model.pmlp seven.png");
    assert!(seen.starts_with("seven.png: "), "{seen}");
    assert!(place.ok("inspect model.pmlp").contains("self-test      4 vectors, passed"));
}

#[test]
fn a_small_network_learns_a_small_set() {
    let place = Place::new();
    place.put_bars("data", 3000);
    let lines = place.json("train --data data --hidden 16 --lr 0.01 --epochs 20 --json");
    let done = lines.last().unwrap();
    // The fixtures' own words: a network with 16 hidden units learns them all.
    assert!(done["test_accuracy"].as_f64().unwrap() >= 0.95, "{done}");
    let loss = |line: &Value| line["train_loss"].as_f64().unwrap();
    assert!(loss(&lines[20]) < loss(&lines[1]) / 5.0, "{lines:?}");
}

#[test]
fn eval_prints_the_accuracy_that_train_printed_and_where_it_goes_wrong() {
    let place = Place::with_data();
    let trained = place.train("--hidden 8 --epochs 3");
    let measured = place.ok("eval model.pmlp --data data");
    let result = field(&measured, "test accuracy");
    assert_eq!(result, field(&trained, "test accuracy"));
    assert!(result.contains("of 60), loss "), "{measured}");
    assert!(measured.contains("columns: predicted class; rows: true class"), "{measured}");

    let done = place.json("train --data data --hidden 8 --epochs 3 --json").pop().unwrap();
    let eval = place.json("eval model.pmlp --data data --json").pop().unwrap();
    for name in ["test_accuracy", "test_loss", "fingerprint", "model"] {
        assert_eq!(eval[name], done[name], "{name}");
    }
    let rows: Vec<Vec<u64>> = serde_json::from_value(eval["confusion"].clone()).unwrap();
    // Classes take turns in the fixture.
    assert!(rows.len() == 4 && rows.iter().all(|row| row.iter().sum::<u64>() == 15), "{eval}");
    let right: u64 = (0..4).map(|class| rows[class][class]).sum();
    assert_eq!(eval["test_accuracy"].as_f64().unwrap(), right as f64 / 60.0);
}

#[test]
fn json_lines_have_the_fields_that_the_design_names() {
    let place = Place::with_data();
    let lines = place.json("train --data data --json --hidden 5 --epochs 2 --out a.pmlp");
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start", "epoch", "epoch", "done"]);
    let has = |line: &Value, names: &[&str]| {
        let keys: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(names.iter().all(|name| keys.contains(name)), "{names:?}: {line}");
    };
    has(&lines[0], &["seed", "command", "data_fingerprint", "network", "lr", "train_samples"]);
    for (number, line) in (1..).zip(&lines[1..3]) {
        has(line, &["epoch", "train_loss", "val_accuracy", "seconds"]);
        assert_eq!(line["epoch"], number);
        let accuracy = line["val_accuracy"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy), "{line}");
        assert!(line["train_loss"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["seconds"].as_f64().unwrap() >= 0.0, "{line}");
    }
    let done = &lines[3];
    has(done, &["test_accuracy", "test_loss", "fingerprint", "seconds", "model"]);
    assert_eq!(done["model"], "a.pmlp");
    assert_eq!(done["steps"], 6); // 180 samples in batches of 64, twice
    assert_eq!(done["bytes"], place.read("a.pmlp").len());
    assert!((0.0..=1.0).contains(&done["test_accuracy"].as_f64().unwrap()), "{done}");
    let fingerprint = done["fingerprint"].as_str().unwrap();
    let is_hex = fingerprint.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    assert!(fingerprint.len() == 16 && is_hex, "{done}");
}

#[test]
fn without_a_validation_set_its_accuracy_is_null_and_the_last_epoch_is_kept() {
    let place = Place::with_data();
    let lines = place.json("train --data data --json --hidden 5 --epochs 3 --val-split 0");
    assert_eq!(lines[0]["train_samples"], 200);
    assert_eq!(lines[0]["validation_samples"], 0);
    assert!(lines[1..4].iter().all(|line| line["val_accuracy"].is_null()), "{lines:?}");
    assert_eq!(lines[4]["kept_epoch"], 3);
    let text = place.train("--hidden 5 --epochs 3 --val-split 0");
    assert!(!text.contains("best in validation"), "{text}");
}

#[test]
fn a_share_that_holds_out_no_sample_is_as_none() {
    let place = Place::with_data();
    let text = place.train("--hidden 5 --epochs 3 --val-split 0.001");
    assert!(text.contains("200 training, 0 validation, 60 test"), "{text}");
    assert!(!text.contains("best in validation"), "{text}");
}

#[test]
fn the_epoch_that_is_best_in_validation_is_kept() {
    let place = Place::with_data();
    let lines = place.json("train --data data --json --hidden 8 --epochs 12 --lr 0.03 --seed 2");
    let done = lines.last().unwrap();
    let accuracy = |line: &Value| line["val_accuracy"].as_f64().unwrap();
    let epochs = &lines[1..13];
    let best = epochs.iter().map(accuracy).fold(0.0, f64::max);
    let last_best = epochs.iter().rfind(|line| accuracy(line) == best).unwrap();
    assert_eq!(done["kept_epoch"], last_best["epoch"], "{lines:?}");
    let inspected = place.json("inspect model.pmlp --json").pop().unwrap();
    assert_eq!(inspected["fingerprint"], done["fingerprint"]);
}

#[test]
fn eval_reads_the_pixels_of_a_standardized_model_as_training_did() {
    let place = Place::with_data();
    let done =
        place.json("train --data data --hidden 6 --inputs standardized --json").pop().unwrap();
    let eval = place.json("eval model.pmlp --data data --json").pop().unwrap();
    for name in ["test_accuracy", "test_loss", "fingerprint"] {
        assert_eq!(eval[name], done[name], "{name}");
    }
    let text = place.ok("inspect model.pmlp");
    assert!(!text.contains("0 to 255 read as 0.0000"), "{text}");
    assert!(text.contains("passed bit for bit"), "{text}");
}

#[test]
fn the_number_of_threads_does_not_change_the_model() {
    let place = Place::with_data();
    // Wide enough that the work is split.
    let base = "--hidden 300,40 --epochs 1 --threads";
    let first = place.fingerprint(&format!("{base} 1"));
    for threads in [2, 3, 8] {
        assert_eq!(place.fingerprint(&format!("{base} {threads}")), first, "{threads} threads");
    }
}

#[test]
fn the_same_seed_gives_the_same_model_and_every_setting_another() {
    let place = Place::with_data();
    let base = "--hidden 5,4 --epochs 2 --val-split 0.1";
    let first = place.fingerprint(base);
    let bytes = place.read("model.pmlp");
    assert_eq!(place.fingerprint(base), first);
    assert_eq!(place.read("model.pmlp"), bytes);
    assert_eq!(place.fingerprint(&format!("{base} --seed 1 --optimizer adam --lr 0.001")), first);

    let mut seen = vec![first];
    for flags in [
        "--seed 2",
        "--no-shuffle",
        "--init xavier",
        "--optimizer sgd",
        "--optimizer sgd --lr 0.2",
        "--lr 0.002",
        "--batch-size 63",
        "--batch-size 1",
        "--max-steps 3",
        "--inputs signed",
        "--inputs standardized",
        "--inputs raw",
    ] {
        let fingerprint = place.fingerprint(&format!("{base} {flags}"));
        assert!(!seen.contains(&fingerprint), "{flags} changed nothing: {fingerprint}");
        seen.push(fingerprint);
    }
}

#[test]
fn plain_and_gzipped_files_under_any_of_their_names_give_the_same_model() {
    let place = Place::with_data();
    let flags = "--hidden 4 --epochs 1";
    let expected = place.fingerprint(flags);
    let files = FILES.map(|name| (name, place.read(&format!("data/{name}"))));
    for (what, dotted, packed, named_gz) in [
        ("dotted", true, false, false),
        ("gzipped", false, true, true),
        ("dotted and gzipped", true, true, true),
        ("gzipped under a plain name", false, true, false),
        ("plain under a gzip name", false, false, true),
    ] {
        std::fs::remove_dir_all(place.path("data")).unwrap();
        for (name, bytes) in &files {
            let name = if dotted { name.replace("-idx", ".idx") } else { (*name).to_owned() };
            let name = format!("data/{name}{}", if named_gz { ".gz" } else { "" });
            place.put(&name, &if packed { gzip(bytes) } else { bytes.clone() });
        }
        assert_eq!(place.fingerprint(flags), expected, "{what}");
    }
}

#[test]
fn max_steps_counts_steps_and_a_last_smaller_batch_is_one() {
    let place = Place::with_data();
    let done = |flags: &str| {
        place.json(&format!("train --data data --json --hidden 3 {flags}")).pop().unwrap()
    };
    assert_eq!(done("--max-steps 3")["steps"], 3);
    assert_eq!(done("--max-steps 7 --epochs 2")["steps"], 6);
    // 200 samples: three batches of 64 and one of 8.
    let whole = done("--val-split 0 --epochs 1");
    assert_eq!(whole["steps"], 4);
    let without_last = done("--val-split 0 --epochs 1 --max-steps 3");
    assert_ne!(whole["fingerprint"], without_last["fingerprint"]);
    // A batch larger than the set is the set.
    assert_eq!(done("--val-split 0 --epochs 2 --batch-size 1000000")["steps"], 2);
}

#[test]
fn hidden_layers_may_be_none_or_any() {
    let place = Place::with_data();
    for (hidden, network, parameters) in [
        ("''", "64-4", 260),
        ("1", "64-1-4", 73),
        ("5,4", "64-5-4-4", 369),
        ("67", "64-67-4", 4627),
        ("9,8,7,6", "64-9-8-7-6-4", 804),
    ] {
        for optimizer in ["sgd", "adam"] {
            let flags = format!("--hidden {hidden} --optimizer {optimizer} --max-steps 2 --json");
            let start = &place.json(&format!("train --data data {flags}"))[0];
            assert_eq!(
                (&start["network"], &start["parameters"]),
                (&network.into(), &parameters.into())
            );
            let inspected = place.json("inspect model.pmlp --json").pop().unwrap();
            assert_eq!(inspected["parameters"], parameters);
        }
    }
}

#[cfg(unix)]
#[test]
fn the_printed_command_run_by_a_shell_gives_the_same_model() {
    let place = Place::new();
    place.put_bars("my data's", 150);
    for flags in ["--hidden 5 --optimizer sgd --no-shuffle --max-steps 3 --seed 9", "--hidden ''"] {
        let mut command = place.command(&format!("train --epochs 2 {flags}"));
        let output = command.args(["--data", "my data's", "--out", "a b.pmlp"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let repeat = field(&text, "repeat");
        assert!(repeat.starts_with("picomlp train --data 'my data'"), "{text}");
        let model = place.read("a b.pmlp");
        place.remove("a b.pmlp");

        let program = env!("CARGO_BIN_EXE_picomlp");
        let again = std::process::Command::new("sh")
            .args(["-c", &format!("picomlp() {{ \"$PICOMLP\" \"$@\"; }}; {repeat}")])
            .env("PICOMLP", program)
            .env_remove("CARGO")
            .env_remove("CARGO_PKG_NAME")
            .current_dir(place.path(""))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text_again = String::from_utf8(again.stdout).unwrap();
        assert_eq!(field(&text_again, "fingerprint"), field(&text, "fingerprint"));
        assert_eq!(field(&text_again, "repeat"), repeat);
        assert!(place.read("a b.pmlp") == model, "the file differs, the fingerprint does not");
    }
}

#[test]
fn commands_are_printed_as_they_were_typed() {
    let place = Place::with_data();
    let mut command = place.command("train --data data --max-steps 1 --quiet");
    // As `cargo run` sets them.
    let output =
        command.env("CARGO", "cargo").env("CARGO_PKG_NAME", "picomlp-cli").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let repeat = field(&text, "repeat");
    assert!(
        repeat.starts_with("cargo run --release -p picomlp-cli -- train --data data "),
        "{text}"
    );
}

#[test]
fn quiet_prints_the_result_alone() {
    let place = Place::with_data();
    let text = place.train("--hidden 3 --epochs 2 --quiet");
    let names: Vec<&str> = text.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(names, ["test accuracy", "fingerprint", "time", "model", "repeat"]);
    assert_eq!(
        place.ok("train --data data --hidden 3 --quiet --json --epochs 2").lines().count(),
        4
    );
}

#[test]
fn inspect_shows_what_a_model_is_made_of_and_where_it_comes_from() {
    let place = Place::with_data();
    let trained = place.train("--hidden 6,5 --epochs 2 --seed 77 --lr 0.003 --val-split 0");
    let text = place.ok("inspect model.pmlp");
    let bytes = place.read("model.pmlp").len();
    // 64·6 + 6, 6·5 + 5, 5·4 + 4
    let parameters = 390 + 35 + 24;
    assert!(
        field(&text, "network").contains(&format!("64-6-5-4, {parameters} parameters")),
        "{text}"
    );
    for part in [
        format!("model.pmlp, {},{:03} bytes, format version 2", bytes / 1000, bytes % 1000),
        "dense  64→6".to_owned(),
        "relu   6→6".to_owned(),
        "dense  6→5".to_owned(),
        "dense  5→4".to_owned(),
        "8×8 pixels".to_owned(),
        "classes        0 1 2 3".to_owned(),
        "1,796 bytes of flash for the weights".to_owned(),
        "bytes of RAM for inference, weights in flash".to_owned(),
        "bytes of RAM for training with SGD, batch 1".to_owned(),
        "bytes of RAM for training with Adam, batch 1".to_owned(),
        "8 steps of Adam, to the end of epoch 2; learning rate 0.003, batch 64, seed 77".to_owned(),
        "200 training samples, fingerprint ".to_owned(),
        "of 60 samples".to_owned(),
        "4 vectors, passed bit for bit".to_owned(),
    ] {
        assert!(text.contains(&part), "`{part}` is missing: {text}");
    }
    for name in ["fingerprint", "repeat"] {
        assert_eq!(field(&text, name), field(&trained, name));
    }
    let checksums = field(&text, "checksums");
    assert_eq!(checksums.matches(" right").count(), 2, "{text}");
    let json = place.json("inspect model.pmlp --json").pop().unwrap();
    assert_eq!(json["layers"].as_array().unwrap().len(), 5);
    assert_eq!(json["fingerprint"], field(&trained, "fingerprint"));
    assert_eq!(json["command"], field(&trained, "repeat"));
    assert!(json["sgd_ram"].as_u64() < json["adam_ram"].as_u64(), "{json}");
    assert!(json["inference_ram"].as_u64() < json["sgd_ram"].as_u64(), "{json}");
}
