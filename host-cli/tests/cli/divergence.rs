//! A loss that stops being a number: training stops, says where, and the last good model stays.

use crate::util::{Place, TRAIN, json_lines};

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
        let done = place.json(&format!("train {flags} --epochs {good}")).pop().unwrap();
        assert_eq!(kept["fingerprint"], done["fingerprint"]);
        place.ok("eval model.pmlp --data data");
    }
}
