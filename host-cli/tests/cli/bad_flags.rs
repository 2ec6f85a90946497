//! Wrong usage: exit code 2, the flag and the value named, and nothing done.

use crate::util::Place;

#[test]
fn train_names_the_flag_and_the_value_that_it_refuses() {
    let place = Place::with_data();
    for (flag, value, expected) in [
        ("--lr", "nan", "a finite number above 0"),
        ("--lr", "0", "a finite number above 0"),
        ("--lr", "-1", "a finite number above 0"),
        ("--lr", "-0.0", "a finite number above 0"),
        ("--lr", "inf", "a finite number above 0"),
        ("--lr", "1e39", "a finite number above 0"), // infinite as f32
        ("--lr", "1e-60", "a finite number above 0"), // 0 as f32
        ("--lr", "fast", "a finite number above 0"),
        ("--hidden", "0", "invalid width '0'"),
        ("--hidden", "12,0", "invalid width '0'"),
        ("--hidden", "12,x", "invalid width 'x'"),
        ("--hidden", "12,,3", "invalid width ''"),
        ("--hidden", "-5", "invalid width '-5'"),
        ("--hidden", "1.5", "invalid width '1.5'"),
        ("--hidden", "99999999999999999999", "invalid width '99999999999999999999'"),
        ("--batch-size", "0", "0 is not in 1..=1000000"),
        ("--batch-size", "-2", "-2 is not in 1..=1000000"),
        ("--batch-size", "1000001", "1000001 is not in 1..=1000000"),
        ("--batch-size", "many", "invalid digit"),
        ("--val-split", "1.5", "at least 0 and below 1"),
        ("--val-split", "1", "at least 0 and below 1"),
        ("--val-split", "-0.1", "at least 0 and below 1"),
        ("--val-split", "nan", "at least 0 and below 1"),
        ("--epochs", "0", "0 is not in 1.."),
        ("--epochs", "-3", "-3 is not in 1.."),
        ("--max-steps", "0", "0 is not in 1.."),
        ("--threads", "0", "is not in 1..=1024"),
        ("--threads", "many", "invalid digit"),
        ("--val-split", "10%", "at least 0 and below 1, or a whole number of samples"),
        ("--test-split", "1", "at least 0 and below 1, or a whole number of samples"),
        ("--test-split", "-5", "at least 0 and below 1, or a whole number of samples"),
        ("--folds", "1", "1 is not in 2..=1000"),
        ("--folds", "many", "invalid digit"),
        ("--csv-header", "maybe", "auto, yes, no"),
        ("--csv-max", "0", "auto, or a whole number from 1 to 255"),
        ("--csv-max", "256", "auto, or a whole number from 1 to 255"),
        ("--image-shape", "8", "rows and columns of pixels, as in 28x28"),
        ("--image-shape", "0x8", "rows and columns of pixels, as in 28x28"),
        (
            "--optimizer",
            "foo",
            "adam, adamw, adam-bf16, sgd, momentum, nesterov, rmsprop, rms-group",
        ),
        ("--init", "ones", "he, he-normal, xavier, xavier-normal, normal:STDDEV or zeros"),
        ("--init", "normal", "he, he-normal, xavier, xavier-normal, normal:STDDEV or zeros"),
        ("--init", "normal:0", "'0': expected a finite number above 0"),
        ("--init", "he:1", "he, he-normal, xavier, xavier-normal, normal:STDDEV or zeros"),
        ("--momentum", "1", "at least 0 and below 1"),
        ("--beta1", "-0.1", "at least 0 and below 1"),
        ("--beta2", "0.99999999999", "at least 0 and below 1"), // 1 as f32
        ("--alpha", "nan", "at least 0 and below 1"),
        ("--epsilon", "0", "a finite number above 0"),
        ("--weight-decay", "-1", "a finite number of at least 0"),
        ("--weight-decay", "inf", "a finite number of at least 0"),
        ("--clip-norm", "0", "a finite number above 0"),
        ("--schedule", "linear", "expected constant, step:EPOCHS:FACTOR, cosine"),
        ("--schedule", "step", "expected constant, step:EPOCHS:FACTOR, cosine"),
        ("--schedule", "step:0:0.5", "invalid number of epochs '0'"),
        ("--schedule", "step:3:1", "invalid factor '1': expected above 0 and below 1"),
        ("--schedule", "cosine:-1", "invalid learning rate '-1'"),
        ("--schedule", "plateau:x:0.5", "invalid number of epochs 'x'"),
        ("--warmup", "-1", "invalid digit"),
        ("--patience", "0", "0 is not in 1.."),
        ("--seed", "-1", "invalid digit"),
        ("--seed", "99999999999999999999", "too large"),
    ] {
        let line = format!("train --data data {flag} {value}");
        place.misused(&line, &[&format!("'{value}' for '{flag} "), expected]);
    }
}

#[test]
fn unknown_words_and_missing_ones_are_named() {
    let place = Place::new();
    for (line, parts) in [
        ("train --foo", vec!["unexpected argument '--foo'", "Usage: picomlp train"]),
        ("train extra", vec!["unexpected argument 'extra'"]),
        ("train --lr", vec!["a value is required for '--lr <"]),
        ("train --out ''", vec!["a value is required for '--out <"]),
        ("train --data ''", vec!["'' for '--data <", "expected a folder, a file or `synthetic`"]),
        ("train --lr 1 --lr 2", vec!["'--lr <", "cannot be used multiple times"]),
        ("train --label ''", vec!["'--target <COLUMN>'"]),
        ("train --test-data a --test-split 0.1", vec!["--test-data <", "cannot be used with"]),
        ("train --folds 5 --out a.pmlp", vec!["--folds <K>", "cannot be used with"]),
        ("predict m.pmlp a.png --data b", vec!["--data <", "cannot be used with"]),
        ("predict m.pmlp --submission a.csv", vec!["required", "--data <DATA>"]),
        ("trian", vec!["unrecognized subcommand 'trian'", "'train'"]),
        ("eval", vec!["required", "<MODEL>"]),
        ("predict m.pmlp", vec!["required", "<FILE>"]),
        ("inspect", vec!["required", "<MODEL>"]),
        ("draw", vec!["required", "<DIGIT>", "--out <"]),
        ("draw 3", vec!["required", "--out <"]),
        ("draw 10 -o a.png", vec!["'10' for '<DIGIT>'", "0..=9"]),
        ("draw x -o a.png", vec!["'x' for '<DIGIT>'"]),
    ] {
        place.misused(line, &parts);
    }
}

#[test]
fn without_a_subcommand_it_lists_them_all() {
    let place = Place::new();
    let ran = place.run("");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    for word in ["Usage: picomlp <COMMAND>", "train", "eval", "predict", "inspect", "draw", "bench"]
    {
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let place = Place::new();
    for line in
        ["--help", "train --help", "eval -h", "predict -h", "inspect -h", "draw -h", "bench -h"]
    {
        assert!(place.ok(line).contains("Usage: picomlp "), "{line}");
    }
    assert_eq!(place.ok("--version"), concat!("picomlp ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn settings_that_do_not_fit_the_data_or_the_machine_are_refused() {
    let place = Place::with_data();
    place.put_bars("few", 20);
    for (line, parts) in [
        ("--data few --val-split 0.99", ["--val-split 0.99", "20 training samples leaves none"]),
        ("--data few --val-split 20", ["--val-split 20", "20 training samples leaves none"]),
        ("--data few --folds 21", ["--folds 21", "of 20 samples leaves a fold empty"]),
        (
            "--data few --merge --test-split 80",
            ["--test-split 80", "80 training samples leaves none"],
        ),
        ("--data few --test-split 0.1", ["a test set of its own", "pool both by --merge"]),
        ("--data data --hidden 4000000000,4000000000", ["--hidden", "network is too large"]),
        ("--data data --hidden 18446744073709551615", ["--hidden", "network is too large"]),
        // 10^16 bytes: no address space has room for them.
        ("--data data --hidden 40000000000000", ["--hidden", "no memory for parameters"]),
    ] {
        place.fails(&format!("train {line}"), &parts);
    }
    let deep = ["1"; 100].join(",");
    place.fails(&format!("train --data data --hidden {deep}"), &["--hidden", "64 layers"]);
}
