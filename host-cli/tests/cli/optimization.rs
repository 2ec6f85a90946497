//! Optimizers, schedules, initial weights, early stopping: what their flags do, and which do not go together.

use serde_json::Value;

use crate::util::{Place, field, json_lines};

/// Flags of each optimizer, and what `inspect` calls it.
const OPTIMIZERS: [(&str, &str); 11] = [
    ("--optimizer sgd", "SGD"),
    ("--optimizer sgd --weight-decay 0.001 --decay-weights-only", "SGD"),
    ("--optimizer momentum --lr 0.05", "SGD with momentum"),
    ("--optimizer nesterov --lr 0.05 --momentum 0.8 --clip-norm 0.5", "SGD with Nesterov momentum"),
    ("--optimizer rmsprop --lr 0.01 --alpha 0.9 --epsilon 0.000001", "RMSprop"),
    ("--optimizer rms-group --lr 0.05 --alpha 0.9 --epsilon 0.01", "RMSprop with one rate a group"),
    ("--optimizer rms-group --lr 0.05 --weight-decay 0.000001", "RMSprop with one rate a group"),
    ("--optimizer adam --lr 0.01 --beta1 0.8 --beta2 0.99", "Adam"),
    ("--optimizer adam --lr 0.01 --weight-decay 0.0001", "Adam"),
    ("--optimizer adam --lr 0.01 --clip-norm 1", "Adam"),
    ("--optimizer adamw --lr 0.01", "AdamW"),
];

fn done(lines: &[Value]) -> &Value {
    lines.last().unwrap()
}

#[test]
fn keep_lowest_loss_keeps_what_a_run_that_ends_there_has() {
    let place = Place::with_data();
    // So large a rate that the loss goes up and down.
    let flags =
        "train --data data --hidden 6 --full-batch --val-split 0 --optimizer sgd --lr 4 --json";
    let lines = place.json(&format!("{flags} --epochs 12 --keep-lowest-loss"));
    let kept = lines.last().unwrap()["kept_epoch"].as_u64().unwrap();
    // An epoch's loss is that of the parameters before its only step.
    let loss = |epoch: usize| lines[epoch]["train_loss"].as_f64().unwrap();
    let lowest = (2..=12).min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap();
    assert!((kept as usize) < 12 && lowest == kept as usize + 1, "{lines:?}");
    let short = place.json(&format!("{flags} --epochs {kept}"));
    assert_eq!(lines.last().unwrap()["fingerprint"], short.last().unwrap()["fingerprint"]);
    place.misused("train --data data --keep-lowest-loss", &["--full-batch"]);
    place.misused(
        "train --data data --full-batch --keep-lowest-loss",
        &["'--keep-lowest-loss' needs '--val-split 0'"],
    );
}

#[test]
fn every_optimizer_learns_and_its_command_repeats_the_run_on_any_number_of_threads() {
    let place = Place::new();
    place.put_bars("data", 1000);
    let mut fingerprints = vec![];
    for (flags, name) in OPTIMIZERS {
        let line = format!("train --data data --hidden 16 --epochs 20 --json --threads 1 {flags}");
        let lines = place.json(&line);
        let accuracy = done(&lines)["test_accuracy"].as_f64().unwrap();
        assert!(accuracy >= 0.8, "{flags}: {accuracy}");
        let command = lines[0]["command"].as_str().unwrap();
        let (_, again) = command.split_once(" train ").unwrap();
        let again = place.json(&format!("train {again} --json --threads 3"));
        assert_eq!(done(&again)["fingerprint"], done(&lines)["fingerprint"], "{flags}");
        assert!(!fingerprints.contains(&done(&lines)["fingerprint"]), "{flags} did nothing");
        fingerprints.push(done(&lines)["fingerprint"].clone());
        let shown = place.ok("inspect model.pmlp");
        let trained = field(&shown, "trained");
        assert!(trained.contains(&format!(" steps of {name}, to ")), "{trained}");
        assert!(shown.contains(command), "{shown}");
    }
}

#[test]
fn a_full_batch_is_one_step_an_epoch_and_the_batch_of_all_samples_in_order() {
    let place = Place::with_data();
    let lines = place.json("train --data data --hidden 6 --epochs 9 --json --full-batch");
    assert_eq!(done(&lines)["steps"], 9);
    assert_eq!(lines[0]["batch_size"], 180);
    let other = place.fingerprint("--hidden 6 --epochs 9 --batch-size 180 --no-shuffle");
    assert_eq!(done(&lines)["fingerprint"], other.as_str());
    let shown = place.ok("inspect model.pmlp");
    assert!(shown.contains("batch 180"), "{shown}");
}

#[test]
fn a_full_batch_of_more_than_a_part_gives_the_bits_of_one_batch() {
    let place = Place::new();
    place.put_bars("data", 2500);
    let flags = "--hidden 6 --epochs 3 --val-split 0 --inputs standardized --optimizer sgd";
    let parts = place.fingerprint(&format!("{flags} --full-batch --threads 2"));
    let whole = place.fingerprint(&format!("{flags} --batch-size 2500 --no-shuffle"));
    assert_eq!(parts, whole);
}

/// The rates that the epochs ended with.
fn rates(place: &Place, flags: &str) -> Vec<f64> {
    let lines = place.json(&format!(
        "train --data data --hidden 6 --batch-size 180 --optimizer sgd --json --lr 0.5 {flags}"
    ));
    let epochs = lines.iter().filter(|line| line["event"] == "epoch");
    // What is printed is an f32.
    epochs.map(|line| (line["lr"].as_f64().unwrap() * 1e6).round() / 1e6).collect()
}

#[test]
fn schedules_and_warmup_set_the_rates_that_are_told() {
    let place = Place::with_data();
    assert_eq!(rates(&place, "--epochs 3"), [0.5; 3]);
    let step = rates(&place, "--epochs 5 --schedule step:2:0.1");
    assert_eq!(step, [0.5, 0.5, 0.05, 0.05, 0.005]);
    let cosine = rates(&place, "--epochs 4 --schedule cosine:0.1");
    assert_eq!(cosine, [0.5, 0.441421, 0.3, 0.158579]);
    // One step an epoch.
    assert_eq!(rates(&place, "--epochs 4 --warmup 3"), [0.166667, 0.333333, 0.5, 0.5]);
    let both = rates(&place, "--epochs 4 --warmup 2 --schedule step:2:0.5");
    assert_eq!(both, [0.25, 0.5, 0.25, 0.25]);
}

#[test]
fn a_plateau_lowers_the_rate_and_the_rate_of_the_kept_epoch_is_in_the_model() {
    let place = Place::with_data();
    // At this rate nothing falls by a ten-thousandth, and the model is no better than guessing: exit code 1.
    let flags = "--lr 0.0000001 --epochs 6 --schedule plateau:1:0.5 --hidden 6 --optimizer sgd";
    let ran = place.run(&format!("train --data data --json {flags}"));
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines = json_lines(&ran.stdout);
    let rate = |line: &Value| (line["lr"].as_f64().unwrap() * 1e10).round();
    let rates: Vec<f64> = lines[1..7].iter().map(rate).collect();
    assert_eq!(rates, [1000.0, 1000.0, 1000.0, 500.0, 500.0, 250.0]);
    let kept = done(&lines)["kept_epoch"].as_u64().unwrap() as usize;
    let shown = place.ok("inspect model.pmlp");
    let expected = format!("learning rate {}", lines[kept]["lr"].as_f64().unwrap() as f32);
    assert!(shown.contains(&expected), "{shown}, {expected}");
}

#[test]
fn patience_ends_the_training_and_says_so() {
    let place = Place::with_data();
    let flags = "--hidden 6 --optimizer sgd --lr 0.0000001 --epochs 50 --patience 3";
    let ran = place.run(&format!("train --data data --json {flags}"));
    assert_eq!(ran.code, 1, "nothing was learned: {ran:?}");
    let lines = json_lines(&ran.stdout);
    let events = lines.iter().filter(|line| line["event"] == "epoch").count();
    // The first epoch is better than none, unless it finds no digit at all.
    assert!(events == 4, "{events} epochs");
    assert_eq!(done(&lines)["stopped_early"], true);
    let shown = place.run(&format!("train --data data {flags}")).stdout;
    assert!(shown.contains("stopped: no better validation accuracy for 3 epochs"), "{shown}");
    let lines = place.json("train --data data --json --hidden 6 --epochs 2 --patience 9");
    assert_eq!(done(&lines)["stopped_early"], false);
}

#[test]
fn initial_weights_are_what_the_flag_says() {
    let place = Place::with_data();
    let names = ["he", "he-normal", "xavier", "xavier-normal", "normal:0.1", "normal:0.2", "zeros"];
    let mut seen = vec![];
    for name in names {
        let flags = format!("--hidden 6 --max-steps 3 --init {name} --quiet");
        let fingerprint = place.fingerprint(&flags);
        assert!(!seen.contains(&fingerprint), "{name}");
        seen.push(fingerprint);
        let shown = place.ok("inspect model.pmlp");
        assert!(shown.contains(&format!("--init {name} ")), "{shown}");
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let place = Place::with_data();
    for (flags, parts) in [
        ("--momentum 0.9", ["'--momentum' is for `momentum`, `nesterov`", "not for `adam`"]),
        ("--optimizer sgd --beta1 0.9", ["'--beta1' is for `adam`, `adamw`", "not for `sgd`"]),
        ("--optimizer rmsprop --beta2 0.9", ["'--beta2' is for `adam`", "not for `rmsprop`"]),
        ("--alpha 0.9", ["'--alpha' is for `rmsprop`, `rms-group`", "not for `adam`"]),
        ("--optimizer nesterov --epsilon 1", ["'--epsilon' is for", "not for `nesterov`"]),
        ("--decay-weights-only", ["'--decay-weights-only' needs", "'--weight-decay' above 0"]),
        ("--optimizer adamw --weight-decay 2 --lr 0.5", ["'--weight-decay'", "less than 1"]),
        ("--schedule cosine:0.1", ["'--schedule cosine:0.1'", "below the '--lr' of 0.001"]),
        ("--schedule plateau:3:0.5 --val-split 0", ["plateau", "'--val-split' above 0"]),
        ("--patience 3 --val-split 0", ["'--patience' needs", "'--val-split' above 0"]),
        ("--full-batch --batch-size 8", ["'--full-batch'", "'--batch-size <N>'"]),
    ] {
        let usage = "Usage: picomlp train";
        place.misused(&format!("train --data data {flags}"), &[parts[0], parts[1], usage]);
    }
    // Known only when the data is: a share that holds out nothing.
    for flags in ["--patience 3", "--schedule plateau:3:0.5"] {
        let line = format!("train --data data {flags} --val-split 0.001");
        place.fails(&line, &["--val-split 0.001 holds out no sample", "needs one"]);
    }
}
