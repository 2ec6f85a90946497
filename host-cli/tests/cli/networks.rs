//! Every kind of layer and loss from the command line: trained, written, read, looked at, and its gradient checked.

use crate::util::Place;

/// Flags of networks that hold every kind of layer and loss.
const NETWORKS: [&str; 6] = [
    "--hidden 6 --activation leaky-relu --leaky-slope 0.2 --loss cross-entropy-sum --lr 1e-3",
    "--hidden 6 --activation sigmoid --output-activation sigmoid --loss mse --optimizer sgd",
    "--hidden 6,5 --activation tanh,relu --dropout 0,0.25 --bias hidden --label-smoothing 0.1",
    "--hidden 6,5 --norm layer --no-bias",
    "--hidden 6,5 --norm batch --dropout 0.4 --batch-size 50",
    "--hidden '' --output-activation leaky-relu --loss mse --label-smoothing 0.1",
];

#[test]
fn every_network_trains_alike_on_any_number_of_threads_and_evaluates_as_train_said() {
    let place = Place::with_data();
    for flags in NETWORKS {
        let line = format!("train --data data --epochs 40 {flags} --json");
        let one = place.json(&format!("{line} --threads 1 --out one.pmlp"));
        let three = place.json(&format!("{line} --threads 3 --out three.pmlp"));
        let [one, three] = [one, three].map(|lines| lines.last().unwrap().clone());
        assert_eq!(one["fingerprint"], three["fingerprint"], "{flags}");
        let eval = place.json("eval one.pmlp --data data --json");
        for value in ["test_accuracy", "test_loss"] {
            assert_eq!(eval[0][value], one[value], "{flags}: {value}");
        }
        assert!(place.ok("inspect one.pmlp").contains("passed bit for bit"), "{flags}");
    }
}

#[test]
fn the_command_that_train_prints_repeats_the_run() {
    let place = Place::with_data();
    let flags =
        "--hidden 6,5 --norm layer,none --activation tanh --dropout 0.25 --bias none --loss mse";
    let start = &place.json(&format!("train --data data --epochs 1 {flags} --json"))[0];
    let (_, command) = start["command"].as_str().unwrap().split_once(" train ").unwrap();
    let again = &place.json(&format!("train {command} --json"))[0];
    assert_eq!(start, again);
}

#[test]
fn batch_normalization_and_dropout_are_not_in_the_model_file() {
    let place = Place::with_data();
    place.train("--hidden 6 --norm batch --dropout 0.4 --epochs 2 --no-bias --quiet");
    let lines = place.json("inspect model.pmlp --json");
    let kinds: Vec<_> = lines[0]["layers"].as_array().unwrap().iter().map(|l| &l["kind"]).collect();
    assert_eq!(kinds, ["dense", "relu", "dense"]);
    // What is folded needs a bias, the output layer still has none.
    assert_eq!(lines[0]["parameters"], 64 * 6 + 6 + 6 * 4);
}

#[test]
fn inspect_shows_slope_epsilon_and_missing_biases() {
    let place = Place::with_data();
    let flags = "--activation leaky-relu --leaky-slope 0.25 --norm layer --no-bias --loss mse";
    place.train(&format!("--hidden 6 {flags} --epochs 1 --quiet"));
    let text = place.ok("inspect model.pmlp");
    for part in [
        "dense  64→6, no bias",
        "layer-norm 6→6, epsilon 0.00001",
        "leaky-relu 6→6, slope 0.25",
        "loss           squared error",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn batch_normalization_refuses_a_last_batch_of_one_before_anything_is_trained() {
    let place = Place::with_data();
    place.fails(
        "train --data data --norm batch --val-split 0 --batch-size 199 --out model.pmlp",
        &["--norm batch needs 2 samples in a batch", "--batch-size 199", "200 samples"],
    );
    assert!(!place.names().contains(&"model.pmlp".to_owned()));
}

#[test]
fn lists_that_fit_no_layers_and_values_out_of_range_are_refused_by_their_flag() {
    let place = Place::with_data();
    place.fails(
        "train --data data --hidden 6,5,4 --norm layer,none",
        &["--norm has 2 values", "one for each of 3"],
    );
    for (flag, value, expected) in [
        ("--activation", "gelu", "'gelu': expected one of relu, leaky-relu, sigmoid, tanh, none"),
        ("--dropout", "1", "at least 0 and below 1"),
        ("--dropout", "0.1,x", "invalid probability 'x'"),
        ("--label-smoothing", "1", "at least 0 and below 1"),
        ("--leaky-slope", "-0.1", "a finite number of at least 0"),
        ("--loss", "hinge", "cross-entropy, cross-entropy-sum, bce, mse"),
    ] {
        let line = format!("train --data data {flag} {value}");
        place.misused(&line, &[&format!("'{value}' for '{flag} "), expected]);
    }
}

#[test]
fn gradcheck_finds_every_gradient_right_and_says_so_layer_by_layer() {
    let place = Place::with_data();
    for flags in NETWORKS {
        // Batch size, optimizer and rate are no flags of the check.
        let words: Vec<&str> = flags.split(" --").collect();
        let kept = words.iter().enumerate().filter(|(_, word)| {
            !["batch-size", "optimizer", "lr"].iter().any(|other| word.starts_with(other))
        });
        let flags: Vec<String> = kept
            .map(|(i, word)| if i == 0 { (*word).to_owned() } else { format!("--{word}") })
            .collect();
        let line = format!("gradcheck --data data {} --tolerance 1e-3", flags.join(" "));
        let text = place.ok(&line);
        assert!(text.contains("largest error") && text.contains("dense 64→"), "{text}");
    }
    let lines = place.json("gradcheck --data data --hidden 6 --norm batch --json");
    let names: Vec<_> = lines.iter().map(|line| line["layer"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(lines.iter().all(|line| line["looked_at"].as_u64().unwrap() > 0));
}

#[test]
fn gradcheck_fails_where_an_error_is_larger_than_the_tolerance() {
    let place = Place::with_data();
    let ran = place.run("gradcheck --data data --hidden 6 --tolerance 1e-12");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("more than --tolerance"), "{ran:?}");
    assert!(ran.stdout.contains("dense 64→6"), "the layers are told all the same: {ran:?}");
}

#[test]
fn folds_are_evaluated_as_the_network_in_use_and_refused_before_the_first_if_a_batch_is_too_small()
{
    let place = Place::with_data();
    let line = "train --data data --folds 4 --hidden 6 --norm batch --dropout 0.2 --loss mse --epochs 2 --json";
    let [one, three] = [1, 3].map(|threads| place.json(&format!("{line} --threads {threads}")));
    let folds = |lines: &[serde_json::Value]| -> Vec<_> {
        let folds = lines.iter().filter(|line| line["event"] == "fold");
        folds.map(|fold| (fold["fingerprint"].clone(), fold["test_accuracy"].clone())).collect()
    };
    assert_eq!((folds(&one).len(), folds(&one)), (4, folds(&three)));
    let line = "train --data data --folds 4 --hidden 6 --norm batch --val-split 0 --batch-size 149";
    place.fails(line, &["fold 1", "--norm batch needs 2 samples", "last of 150 samples"]);
}

#[test]
fn quantize_refuses_layers_without_an_int8_form_by_name_and_writes_nothing() {
    let place = Place::with_data();
    for (flags, layer) in [
        ("--hidden 6 --activation sigmoid", "layer 1, sigmoid 6→6, is not supported in int8"),
        ("--hidden 6 --norm layer", "layer 1, layer-norm 6→6, epsilon 0.00001, is not supported"),
        ("--hidden 6 --bias hidden", "layer 2, dense 6→4, no bias, is not supported in int8"),
    ] {
        place.train(&format!("{flags} --epochs 1 --quiet"));
        place.fails("quantize model.pmlp --data data -o small.pmlp", &["model.pmlp", layer]);
    }
    assert!(!place.names().iter().any(|name| name.starts_with("small")));
    // Batch normalization and dropout are gone from the network in use.
    place.train("--hidden 6 --norm batch --dropout 0.2 --epochs 1 --quiet");
    place.ok("quantize model.pmlp --data data -o small.pmlp");
}

#[test]
fn probabilities_after_squared_error_are_shares_of_the_outputs_in_f32_and_in_int8() {
    let place = Place::with_data();
    place.train("--hidden 6 --loss mse --epochs 8 --quiet");
    place.ok("quantize model.pmlp --data data -o small.pmlp");
    let losses = ["model.pmlp", "small.pmlp --int8"].map(|model| {
        let lines = place.json(&format!("predict {model} --data data --json"));
        let mut shares = lines.iter().flat_map(|line| line["top"].as_array().unwrap());
        // A softmax is never 0; an output below 0 is.
        assert!(shares.any(|class| class["probability"] == 0.0), "{model}");
        let eval = place.json(&format!("eval {model} --data data --json"));
        eval[0]["test_loss"].as_f64().unwrap()
    });
    assert!((losses[0] - losses[1]).abs() < 0.05, "{losses:?}");
}

#[test]
fn inspect_says_which_chips_a_model_fits() {
    let place = Place::with_model();
    let table = place.ok("inspect model.pmlp --fit");
    assert!(
        table.lines().any(|line| line.starts_with("nRF52840") && line.contains("yes, ")),
        "{table}"
    );
    let one = place.ok("inspect model.pmlp --fit stm32g031k8");
    assert!(
        one.starts_with("STM32G031K8: Cortex-M0+ 64 MHz, 64 KB flash, 8 KB RAM (DS12992"),
        "{one}"
    );
    assert!(one.contains("SGD") && one.contains("KB of RAM"), "{one}");
    let parts = ["--fit Z80: no chip of that name is known; there are ESP32-C3"];
    place.fails("inspect model.pmlp --fit Z80", &parts);
}
