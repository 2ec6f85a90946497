//! `compare`: what differs between two models, and whether it is more than chance.

use crate::util::Place;

#[test]
fn two_models_are_told_apart_by_settings_accuracy_and_samples() {
    let place = Place::with_data();
    place.train("--hidden 6 --epochs 1 --seed 2 -o a.pmlp --quiet");
    place.train("--hidden 8,4 --epochs 20 --optimizer adamw -o b.pmlp --quiet");
    let text = place.ok("compare a.pmlp b.pmlp --data data --list 2");
    for part in [
        "\n--hidden         6                    8,4\n",
        "\n--optimizer      adam                 adamw\n",
        "95 % interval",
        " of 60 samples: A alone is right in ",
        " more: --list ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let line = place.json("compare a.pmlp b.pmlp --data data --json --list 1").pop().unwrap();
    for (i, model) in ["a.pmlp", "b.pmlp"].iter().enumerate() {
        let accuracy =
            place.json(&format!("eval {model} --data data --json"))[0]["test_accuracy"].clone();
        assert_eq!(line["models"][i]["accuracy"], accuracy);
        let interval = &line["models"][i]["interval"];
        let within =
            interval[0].as_f64() < accuracy.as_f64() && accuracy.as_f64() <= interval[1].as_f64();
        assert!(within, "{line}");
    }
    assert_eq!(line["settings"]["network"], serde_json::json!(["64-6-4", "64-8-4-4"]));
    assert_eq!(line["first_disagreements"].as_array().unwrap().len(), 1);
    let by_chance = line["p_value"].as_f64().unwrap() >= 0.05;
    let verdict =
        if by_chance { "the difference may be chance" } else { " is better by more than chance" };
    assert!(text.contains(verdict), "{text}");
    let same = place.json("compare a.pmlp a.pmlp --data data --json").pop().unwrap();
    assert_eq!((&same["p_value"], &same["disagreements"]), (&1.0.into(), &0.into()));
    assert_eq!(same["settings"], serde_json::json!({}));
}

#[test]
fn models_of_values_are_compared_by_their_errors_and_of_other_data_not_at_all() {
    let place = Place::with_model();
    let rows: String =
        (0..60).map(|i| format!("{},{},{}\n", i % 7, i % 5, 2 * (i % 7) + i % 5)).collect();
    place.put("values.csv", format!("a,b,y\n{rows}").as_bytes());
    for (epochs, name) in [(1, "a.pmlp"), (30, "b.pmlp")] {
        place.ok(&format!("train --data values.csv --target y --loss mse --epochs {epochs} --test-split 0.5 -o {name} --quiet"));
    }
    let text = place.ok("compare a.pmlp b.pmlp --data values.csv --target y");
    assert!(
        text.contains("\nR²") && text.contains("\nmean abs. error") && !text.contains("McNemar"),
        "{text}"
    );
    place.fails(
        "compare a.pmlp model.pmlp --data data",
        &["a.pmlp and model.pmlp read different inputs"],
    );
}
