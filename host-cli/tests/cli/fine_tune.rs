//! Fine-tuning: what a run takes over from a saved model, and what it leaves as it is.

use core::fmt::Write;
use std::path::Path;

use picomlp::layers::for_each_group;
use picomlp_train::ModelFile;

use crate::util::Place;

/// Bits of the parameters of each dense layer.
fn layers(place: &Place, model: &str) -> Vec<Vec<u32>> {
    let file = ModelFile::from_bytes(Path::new(model), &place.read(model)).unwrap();
    let model = file.model().unwrap();
    let mut layers = Vec::<Vec<u32>>::new();
    for_each_group(model.net(), |group| {
        if group.name == "weight" {
            layers.push(Vec::new());
        }
        let values = model.params()[group.range].iter().map(|value| value.to_bits());
        layers.last_mut().unwrap().extend(values);
    })
    .unwrap();
    layers
}

/// A table of three features, around another centre for each class.
fn table(classes: &[&str], rows: usize) -> String {
    let mut text = "length,width,depth,kind\n".to_owned();
    for row in 0..rows {
        let (class, noise) = (row % classes.len(), (row * 37 % 101) as f32 / 50.0);
        let [a, b, c] = [100.0 * class as f32 + 9.0 * noise, noise - class as f32, 3.0 * noise];
        writeln!(text, "{a},{b},{c},{}", classes[class]).unwrap();
    }
    text
}

fn with_base() -> Place {
    let place = Place::with_data();
    place.train("--hidden 6,5 --activation tanh --epochs 2 --inputs signed -o base.pmlp --quiet");
    place
}

#[test]
fn frozen_layers_keep_their_bits_with_every_optimizer_and_on_every_number_of_threads() {
    let place = with_base();
    let base = layers(&place, "base.pmlp");
    assert_eq!(base.len(), 3);
    for (freeze, flags) in [
        (0, "--optimizer sgd"),
        (1, "--optimizer adamw --weight-decay 0.1 --dropout 0.4"),
        (2, "--optimizer momentum --clip-norm 0.5 --schedule cosine"),
        (1, "--optimizer rms-group --lr 0.01 --full-batch --augment shift=1"),
        (2, "--optimizer sgd --full-batch --keep-lowest-loss --val-split 0"),
        (1, "--optimizer adam --norm none,batch --hidden 6,5"),
    ] {
        let line = format!(
            "--init-from base.pmlp --freeze {freeze} {flags} --batch-size 48 --max-steps 9 --quiet"
        );
        let line =
            if flags.contains("full-batch") { line.replace("--batch-size 48", "") } else { line };
        place.train(&format!("{line} --threads 1 -o one.pmlp"));
        place.train(&format!("{line} --threads 2 -o one2.pmlp"));
        let tuned = layers(&place, "one.pmlp");
        assert_eq!(tuned, layers(&place, "one2.pmlp"), "{flags}");
        for (number, (tuned, base)) in tuned.iter().zip(&base).enumerate() {
            assert_eq!(tuned == base, number < freeze, "layer {number}: --freeze {freeze} {flags}");
        }
    }
}

#[test]
fn a_run_says_which_layers_come_from_where_and_its_command_repeats_it() {
    let place = with_base();
    let start =
        &place.json("train --data data --json --init-from base.pmlp --freeze 1 --epochs 1")[0];
    let notes = start["data_notes"].to_string();
    let note = "from base.pmlp: dense 64→6 (frozen), dense 6→5, dense 5→4";
    assert!(notes.contains(&format!("{note}\"")), "{notes}");
    assert_eq!(start["network"], "64-6-5-4");
    assert!(start["layers"].to_string().contains("tanh"), "{start}");
    let command = start["command"].as_str().unwrap();
    let first = place.read("model.pmlp");
    place.remove("model.pmlp");
    place.ok(&format!("{} --quiet", command.strip_prefix("picomlp ").unwrap()));
    assert!(place.read("model.pmlp") == first);
    // Other widths from the second layer on.
    let start =
        &place.json("train --data data --json --init-from base.pmlp --hidden 6,7 --epochs 1")[0];
    let notes = start["data_notes"].to_string();
    assert!(notes.contains("from base.pmlp: dense 64→6; new: dense 6→7, dense 7→4\""), "{notes}");
}

#[test]
fn other_classes_get_a_last_layer_of_their_own_and_features_the_scales_of_the_model() {
    let place = Place::new();
    place.put("base.csv", table(&["a", "b", "c"], 300).as_bytes());
    place.put("other.csv", table(&["d", "e"], 200).as_bytes());
    place.put("same.csv", table(&["x", "b", "c"], 300).as_bytes());
    place.ok("train --data base.csv --target kind --hidden 6 --epochs 20 -o base.pmlp --quiet");
    for (data, classes) in [("other.csv", 2), ("same.csv", 3)] {
        let line = format!(
            "train --data {data} --target kind --init-from base.pmlp --freeze 1 --epochs 30 --lr 0.05 --dropout 0 --json"
        );
        let lines = place.json(&line);
        let notes = lines[0]["data_notes"].to_string();
        let note = format!("from base.pmlp: dense 3→6 (frozen); new: dense 6→{classes}");
        assert!(notes.contains(&note), "{notes}");
        assert_eq!(notes.contains("(its outputs are a, b, c, here "), classes == 3, "{notes}");
        assert!(lines.last().unwrap()["test_accuracy"].as_f64().unwrap() > 0.9, "{lines:?}");
        // The frozen layer reads what it has been trained on.
        let base = ModelFile::from_bytes(Path::new("b"), &place.read("base.pmlp")).unwrap();
        let tuned = ModelFile::from_bytes(Path::new("t"), &place.read("model.pmlp")).unwrap();
        let len = 2 * 3 + (3 + 1) * 6;
        assert_eq!(tuned.model().unwrap().params()[..len], base.model().unwrap().params()[..len]);
    }
}

#[test]
fn a_fine_tuning_run_goes_on_from_its_checkpoint() {
    let place = with_base();
    let line = "--init-from base.pmlp --freeze 1 --optimizer adam --dropout 0.2 --quiet";
    place.train(&format!("{line} --epochs 4 -o whole.pmlp"));
    place.train(&format!("{line} --epochs 2 --checkpoint ck"));
    place.ok("train --resume ck --epochs 4 -o resumed.pmlp --quiet");
    assert_eq!(layers(&place, "whole.pmlp"), layers(&place, "resumed.pmlp"));
    place.fails(
        "train --resume ck --epochs 5 --freeze 2",
        &["--freeze is 2, but 1 in the checkpoint"],
    );
    place.train("--hidden 6,5 --activation tanh --seed 2 --epochs 1 -o base.pmlp --quiet");
    place.fails(
        "train --resume ck --epochs 5",
        &["the fingerprint of the model of --init-from is ", "in the checkpoint"],
    );
    place.remove("base.pmlp");
    place.fails("train --resume ck --epochs 5", &["cannot read base.pmlp"]);
}

#[test]
fn what_does_not_fit_the_model_is_refused_by_name() {
    let place = with_base();
    let line = "train --data data --init-from base.pmlp";
    for (flags, parts) in [
        (
            "--hidden 7",
            &["--init-from base.pmlp: its first layer is dense 64→6", "dense 64→7: give --hidden"]
                [..],
        ),
        ("--freeze 3", &["the network has 3 dense layers, of which at most 2 can be frozen"]),
        ("--freeze 2 --hidden 6,8", &["a frozen layer is dense 6→5 there, but dense 6→8"]),
        ("--freeze 1 --norm batch", &["a frozen layer is tanh 6→6 there, but batch-norm 6→6"]),
        ("--freeze 1 --activation relu", &["a frozen layer is tanh 6→6 there, but relu 6→6"]),
    ] {
        place.fails(&format!("{line} {flags}"), parts);
    }
    place.put("t.csv", table(&["a", "b"], 100).as_bytes());
    place.fails(
        "train --data t.csv --target kind --init-from base.pmlp",
        &["--init-from base.pmlp: it reads 64 values, but the data's samples have 1×3 = 3"],
    );
    place.misused(&format!("{line} --inputs unit"), &["cannot be used with"]);
    place.misused("train --data data --freeze 1", &["'--freeze' needs '--init-from'"]);
    place.fails(&format!("{line} -o base.pmlp"), &["base.pmlp", "--init-from"]);
    place.put("no.pmlp", b"PMLP");
    place.fails("train --data data --init-from no.pmlp", &["no.pmlp"]);
    place.train("--hidden 6 --epochs 2 -o m.pmlp --quiet");
    place.ok("quantize m.pmlp --data data -o small.pmlp");
    place.fails(
        "train --data data --init-from small.pmlp",
        &["small.pmlp: the model has int8 parameters alone"],
    );
}
