//! A loss that stops being a number: training stops, says where, and the last good model stays. A model that is no better
//! than guessing: it is written, and both `train` and `eval` say so.

use picomlp::blob::{Contents, Input};
use picomlp::{InputMap, Sequential};

use crate::util::{Place, TRAIN, json_lines};

#[test]
fn train_fails_where_the_loss_is_above_that_of_guessing() {
    let place = Place::with_data();
    for flags in [
        "--optimizer sgd --lr 300 --json",
        "--optimizer sgd --lr 300 --val-split 0",
        "--optimizer sgd --lr 1 --loss mse --hidden ''",
        "--optimizer sgd --lr 30 --loss cross-entropy-sum",
    ] {
        let ran = place.run(&format!("train --data data --epochs 3 {flags}"));
        let parts = ["model.pmlp was written", "is above that of guessing, ", "try another --lr"];
        ran.assert_failed(1, "picomlp: ", &parts);
        let guessing = if flags.contains("mse") { "guessing, 0.7500" } else { "guessing, 1.3863" };
        assert!(ran.stderr.contains(guessing), "{ran:?}");
        if flags.contains("json") {
            assert_eq!(json_lines(&ran.stdout).last().unwrap()["event"], "done", "{ran:?}");
        }
        let ran = place.run("eval model.pmlp --data data");
        assert!(ran.code == 0 && ran.stderr.contains(guessing), "{ran:?}");
        place.remove("model.pmlp");
    }
}

#[test]
fn train_and_eval_warn_where_one_class_is_predicted_for_all() {
    let place = Place::with_data();
    // Nothing is learned at all: every logit stays 0.
    let ran = place.run("train --data data --init zeros --optimizer sgd --lr 1e-30 --epochs 1");
    assert_eq!(ran.code, 0, "{ran:?}");
    let what = "class 0 is predicted for all 60 samples measured";
    assert!(ran.stderr.contains(&format!("picomlp: warning: {what}: try another --lr")), "{ran:?}");
    let ran = place.run("eval model.pmlp --data data");
    assert!(ran.code == 0 && ran.stderr.contains(what), "{ran:?}");
}

#[test]
fn eval_fails_where_the_loss_is_no_finite_number() {
    let place = Place::with_data();
    let net = Sequential::mlp(&[64, 4]).unwrap();
    let params: Vec<f32> = (0..260).map(|i| if i % 2 == 0 { 3e38 } else { -3e38 }).collect();
    let mut contents = Contents::new(&net, &params);
    contents.input = Some(Input::image(8, 8, InputMap::PIXELS));
    let mut blob = vec![];
    contents.write_pieces(|piece| blob.extend_from_slice(piece)).unwrap();
    place.put("model.pmlp", &blob);
    let ran = place.run("eval model.pmlp --data data --json");
    ran.assert_failed(1, "picomlp: ", &["model.pmlp: the loss is ", "no finite number"]);
    assert_eq!(json_lines(&ran.stdout).len(), 1, "{ran:?}");
}

#[test]
fn train_says_at_which_step_the_loss_was_lost_and_writes_nothing() {
    for flags in [
        "--optimizer sgd --lr 1e30",
        "--optimizer sgd --lr 3e38 --hidden ''",
        "--optimizer sgd --lr 1e30 --hidden 5,4 --batch-size 1 --no-shuffle",
        "--optimizer adam --lr 1e38 --val-split 0",
    ] {
        let line = format!("train --data data --quiet {flags}");
        for place in [Place::with_data(), Place::with_model()] {
            // An old model stays as it was, and none is made where none was: `fails` compares all files.
            let message = place.fails(&line, &["loss became NaN or infinite", "(epoch 1)", "--lr"]);
            assert!(message.contains("nothing was written to model.pmlp"), "{message}");
            let step = message.split("at step ").nth(1).unwrap().split(' ').next().unwrap();
            // The first loss is that of the initial weights.
            assert!((2..=4).contains(&step.parse::<u32>().unwrap()), "{message}");
        }
    }
}

#[test]
fn train_prints_json_lines_only_when_the_loss_was_lost() {
    let place = Place::with_data();
    let ran = place.run("train --data data --json --optimizer sgd --lr 1e30");
    ran.assert_failed(1, "picomlp: ", &["loss became NaN or infinite"]);
    let lines = json_lines(&ran.stdout);
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start"]);
    assert_eq!(place.names(), ["data"]);
}

#[test]
fn train_keeps_the_model_of_the_last_good_epoch_when_a_later_one_loses_the_loss() {
    // At these rates the weights grow by a power a step. All samples in one step, or in two.
    for (batch_size, lr) in [(200, "1e9"), (150, "1e6")] {
        let flags = format!(
            "--data data --json --hidden 16,16 --optimizer sgd --lr {lr} --val-split 0 --batch-size {batch_size}"
        );
        let place = Place::with_model();
        let old = place.read("model.pmlp");
        let ran = place.run(&format!("train {flags} --epochs 50"));
        let lines = json_lines(&ran.stdout);
        let good = lines.iter().filter(|line| line["event"] == "epoch").count();
        assert!(good >= 1, "{ran:?}");
        assert_eq!(lines.len(), good + 1, "a `start`, then epochs, no `done`: {ran:?}");
        let steps_in_epoch = TRAIN.div_ceil(batch_size);
        let parts = [
            "the loss became NaN or infinite at step ",
            &format!("(epoch {})", good + 1),
            &format!("model.pmlp holds the model of epoch {good}"),
        ];
        ran.assert_failed(1, "picomlp: ", &parts);
        assert_eq!(place.names(), ["data", "model.pmlp"]);

        // It is the model that training for so long only would have made, and says so.
        assert_ne!(place.read("model.pmlp"), old);
        let shown = place.ok("inspect model.pmlp");
        let trained =
            format!("{} steps of SGD, to the end of epoch {good};", good * steps_in_epoch);
        assert!(shown.contains(&trained), "{trained}: {shown}");
        let kept = place.json("inspect model.pmlp --json").pop().unwrap();
        let ran = place.run(&format!("train {flags} --epochs {good}"));
        let done = json_lines(&ran.stdout).pop().unwrap();
        assert_eq!(kept["fingerprint"], done["fingerprint"]);
    }
}
