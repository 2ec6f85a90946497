//! What a model answers: one of two classes by one output, several labels, weighted classes, and how these are measured.

use picomlp_fixtures::values;

use crate::util::{Place, field};

const FLAGS: &str = "--hidden 8 --epochs 60 --batch-size 16 --lr 0.01 --dropout 0 --test-split 80";

/// Songs: three numbers, of which each decides about one of three labels; and a word and a rare class besides.
fn songs() -> Place {
    let place = Place::new();
    let mut text = "tempo,bass,brass,mood,hit,rock,jazz,dance\n".to_owned();
    let mut values = values(5);
    for _ in 0..400 {
        let [tempo, bass, brass] = [(); 3].map(|()| values.next().unwrap());
        let mood = if tempo + bass > 0.0 { "wild" } else { "calm" };
        let hit = if tempo + brass + bass > 1.2 { "yes" } else { "no" };
        let [rock, jazz, dance] = [bass > 0.1, brass > -0.2, tempo > 0.3].map(u8::from);
        text += &format!("{tempo},{bass},{brass},{mood},{hit},{rock},{jazz},{dance}\n");
    }
    place.put("songs.csv", text.as_bytes());
    place
}

const LABELS: &str = "--data songs.csv --features 1-3 --target rock,jazz,dance";

#[test]
fn several_labels_are_trained_measured_predicted_and_quantized() {
    let place = songs();
    let text = place.ok(&format!("train {LABELS} {FLAGS}"));
    assert!(
        text.contains("labels (1: a sample has it; if 0 and 1 are values: --target-type value)"),
        "{text}"
    );
    assert!(field(&text, "test accuracy").contains("of 80 with all labels right"), "{text}");
    let eval = format!("eval model.pmlp {LABELS} --split test");
    let found = place.json(&format!("{eval} --json")).pop().unwrap();
    let measure = |name: &str| found[name].as_f64().unwrap();
    assert!(measure("test_accuracy") > 0.75 && measure("macro_f1") > 0.9, "{found}");
    assert!(measure("micro_f1") > 0.9 && measure("auc") > 0.97, "{found}");
    assert_eq!(found["recall"].as_array().unwrap().len(), 3);
    let shown = place.ok(&eval);
    for part in ["label             precision", "\nrock  ", "micro average", "ROC AUC"] {
        assert!(shown.contains(part), "`{part}` is missing: {shown}");
    }
    let rows = place.json("predict model.pmlp songs.csv --json");
    let first = &rows[0];
    let is_on = |name: &str| first["probabilities"][name].as_f64().unwrap() > 0.5;
    let names: Vec<_> =
        first["labels"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    assert!(
        ["rock", "jazz", "dance"].iter().all(|name| names.contains(name) == is_on(name)),
        "{first}"
    );
    assert!(place.ok("predict model.pmlp songs.csv").contains(": none   ("));
    let count = |line: &str| -> usize {
        let rows = place.json(line);
        rows.iter().map(|row| row["labels"].as_array().unwrap().len()).sum()
    };
    let line = "predict model.pmlp songs.csv --json";
    assert!(count(&format!("{line} --min-probability 0.999")) < count(line));
    assert!(place.ok("inspect model.pmlp").contains("labels         rock jazz dance"));
    place.ok(&format!("plot classes model.pmlp {LABELS}"));
    assert!(place.ok(&format!("report model.pmlp {LABELS}")).contains("3 parts"));
    place.ok(&format!("quantize model.pmlp {LABELS} -o q.pmlp"));
    let near =
        place.json(&format!("eval q.pmlp --int8 {LABELS} --split test --json")).pop().unwrap();
    assert!((near["macro_f1"].as_f64().unwrap() - measure("macro_f1")).abs() < 0.05, "{near}");

    let values =
        place.ok(&format!("train {LABELS} --target-type value --epochs 2 --test-split 80"));
    assert!(values.contains("validation R²"), "{values}");
    place
        .ok(&format!("train {LABELS} {FLAGS} --val-split 0.2 --monitor val_micro_f1 --patience 3"));
    for (flags, part) in [
        ("--loss cross-entropy", "--loss cross-entropy is for classes, and the targets are labels"),
        ("--class-weight balanced", "--class-weight balanced is for classes"),
        (
            "--monitor val_ece --val-split 0.1",
            "'--monitor val_ece' is measured of classes, and the targets are labels",
        ),
    ] {
        place.fails(&format!("train {LABELS} {flags}"), &[part]);
    }
    place.fails("eval model.pmlp --data songs.csv --top-k 2", &["--top-k is for classes"]);
    place.fails(&format!("plot confusion model.pmlp {LABELS}"), &["see `plot classes`"]);
    place.fails(
        "train --data songs.csv --features 1 --target bass,rock --target-type label",
        &["row 1, column 1", "expected 0 or 1"],
    );
    place.fails(
        "train --data songs.csv --target rock --features 1-3 --target-type label",
        &["one column of 0 and 1 is two classes"],
    );
}

#[test]
fn one_output_tells_two_classes_apart() {
    let place = songs();
    let data = "--data songs.csv --features 1-3 --target mood";
    let text = place.ok(&format!("train {data} {FLAGS} --loss bce"));
    assert!(field(&text, "network").starts_with("3-8-1,"), "{text}");
    let eval = format!("eval model.pmlp {data} --split test --json");
    let found = place.json(&eval).pop().unwrap();
    assert!(found["test_accuracy"].as_f64().unwrap() > 0.93, "{found}");
    assert!(
        found["auc"].as_f64().unwrap() > 0.98 && found["confusion"][1][1].as_u64().unwrap() > 20,
        "{found}"
    );
    assert!(place.ok("inspect model.pmlp").contains("classes        calm wild"));
    let rows = place.json("predict model.pmlp songs.csv --target mood --json");
    let classes: Vec<_> = rows.iter().map(|row| row["class"].as_str().unwrap()).collect();
    assert!(classes.contains(&"calm") && classes.contains(&"wild"));
    let top = &rows[0]["top"];
    let sum: f64 = [0, 1].map(|at| top[at]["probability"].as_f64().unwrap()).iter().sum();
    assert!((sum - 1.0).abs() < 1e-6 && top[0]["class"] == rows[0]["class"], "{top}");
    place.ok("predict model.pmlp --data songs.csv --target mood --submission out.csv");
    assert!(String::from_utf8(place.read("out.csv")).unwrap().contains(",wild\n"));
    let shown = place.ok("predict model.pmlp songs.csv --target mood --min-probability 0.999");
    assert!(shown.contains(": rejected   ("), "{shown}");
    let certificate =
        place.json(&format!("quantize model.pmlp {data} -o q.pmlp --json")).pop().unwrap();
    assert!(certificate["drop_points"].as_f64().unwrap() < 4.0, "{certificate}");
    let near = place.json("predict q.pmlp --int8 songs.csv --target mood --json");
    let same = near.iter().zip(&rows).filter(|(a, b)| a["class"] == b["class"]).count();
    assert!(same > 380, "{same}");
    assert!(place.ok(&format!("report model.pmlp {data}")).contains("8 parts"));
    place.fails(
        "train --data synthetic:motion --loss bce",
        &["--loss bce has one output for two classes, and the targets are 4 classes"],
    );
    place.misused("predict model.pmlp songs.csv --min-probability 2", &["from 0 to 1"]);
}

#[test]
fn class_weights_find_a_rare_class() {
    let place = songs();
    let data = "--data songs.csv --features 1-3 --target hit";
    let recall = |weights: &str| {
        place.ok(&format!(
            "train {data} --hidden 4 --epochs 20 --lr 0.01 --dropout 0 --test-split 80 {weights}"
        ));
        let found =
            place.json(&format!("eval model.pmlp {data} --split test --json")).pop().unwrap();
        found["recall"][1].as_f64().unwrap()
    };
    let plain = recall("");
    assert!(recall("--class-weight balanced") > plain + 0.1, "{plain}");
    assert!(recall("--class-weight yes=10 --loss bce") > plain + 0.1, "{plain}");
    let text = place.ok(&format!("train {data} --epochs 1 --class-weight no:0.5,yes=4"));
    assert!(text.contains("class weights: no 0.5000, yes 4.0000"), "{text}");
    assert!(field(&text, "repeat").contains("--class-weight no=0.5,yes=4"), "{text}");
    place.fails(
        &format!("train {data} --class-weight maybe=2"),
        &["no class is named `maybe`, expected one of no, yes"],
    );
    for weights in ["heavy", "no=-1", "=3", "no=x"] {
        place.misused(&format!("train {data} --class-weight {weights}"), &["--class-weight"]);
    }
}

#[test]
fn json_lines_have_all_measures_and_settings() {
    let place = songs();
    let data = "--data songs.csv --features 1-3 --target mood --hidden 4 --epochs 2 --json";
    let lines = place.json(&format!("train {data} --val-split 0.2"));
    let [start, epoch, .., done] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (&start["settings"]["hidden"], &start["settings"]["features"]),
        (&"4".into(), &"1-3".into())
    );
    for name in [
        "val_macro_f1",
        "val_auc",
        "val_partial_auc",
        "val_calibration_error",
        "val_balanced_accuracy",
    ] {
        assert!(epoch[name].is_number() && done[name].is_number(), "{name}: {epoch} {done}");
    }
    assert!(done["test_macro_f1"].is_number() && done["test_weighted_recall"].is_number());
    let lines = place
        .json(&format!("train {data} --folds 3").replace("mood", "bass").replace("1-3", "1,3"));
    let [.., fold, done] = &lines[..] else { panic!("{lines:?}") };
    assert!(fold["test_r2"].is_number() && fold["test_accuracy"].is_null(), "{fold}");
    assert!(done["test_r2_mean"].is_number() && done["test_accuracy_mean"].is_null(), "{done}");
    let eval = place.json("train --data songs.csv --target mood --features 1-3 --json --epochs 2");
    assert!(eval.last().unwrap()["test_accuracy"].is_number());
    let eval = place
        .json("eval model.pmlp --data songs.csv --target mood --top-k 2 --json")
        .pop()
        .unwrap();
    assert_eq!(eval["top_k_accuracy"], 1.0);
    assert_eq!(eval["support"].as_array().unwrap().len(), 2);
    let shown = place.ok("eval model.pmlp --data songs.csv --target mood --top-k 2");
    for part in
        ["macro average", "balanced accuracy", "top-2 accuracy       1.0000", "calibration error"]
    {
        assert!(shown.contains(part), "`{part}` is missing: {shown}");
    }
}

#[test]
fn an_anomaly_threshold_is_stored_and_applied() {
    let place = Place::new();
    let mut text = "a,b,c,state\n".to_owned();
    let mut values = values(9);
    for row in 0..600 {
        let [t, noise, other] = [(); 3].map(|()| values.next().unwrap());
        let is_odd = row >= 300 && row % 3 == 0;
        let c = if is_odd { 3.0 + other } else { t - noise };
        text += &format!("{t},{},{c},{}\n", t + noise, if is_odd { "odd" } else { "usual" });
    }
    let (train, test) = text.split_at(text.match_indices('\n').nth(300).unwrap().0 + 1);
    place.put("train.csv", train.as_bytes());
    place.put("test.csv", format!("a,b,c,state\n{test}").as_bytes());
    let line = "train --data train.csv --test-data test.csv --target inputs --normal usual --hidden 2 --activation none \
                --epochs 80 --lr 0.02 --dropout 0 --val-split 60 --threshold-quantile 0.98";
    let text = place.ok(line);
    assert!(
        field(&text, "threshold")
            .ends_with("98.00 % of 60 normal validation samples score no higher"),
        "{text}"
    );
    assert!(field(&text, "at threshold").starts_with("100 of 100 anomalies found, "), "{text}");
    assert!(field(&text, "repeat").contains("--threshold-quantile 0.98"));
    let eval = place.json("eval model.pmlp --data test.csv --normal usual --json").pop().unwrap();
    assert_eq!(eval["anomaly_recall"], 1.0);
    assert!(eval["anomaly_precision"].as_f64().unwrap() > 0.85, "{eval}");
    let anomalies = |flags: &str| {
        let rows = place.json(&format!("predict model.pmlp test.csv --json {flags}"));
        rows.iter().filter(|row| row["anomaly"] == true).count()
    };
    let found = anomalies("");
    assert!((100..120).contains(&found), "{found}");
    assert_eq!((anomalies("--threshold 0"), anomalies("--threshold 1e6")), (300, 0));
    assert!(place.ok("predict model.pmlp test.csv").contains("   anomaly\n"));
    let shown = place.ok("inspect model.pmlp");
    assert!(field(&shown, "threshold").contains("98.00 % of 60 normal samples"), "{shown}");
    // Few samples are all trained on.
    let text = place.ok(&line.replace("--val-split 60 ", ""));
    assert!(field(&text, "threshold").contains("of 300 normal training samples"), "{text}");
    place.misused(&line.replace("0.98", "1.5"), &["a fraction above 0, up to 1"]);
}

#[test]
fn augmentation_is_repeatable_and_off_by_default() {
    let place = Place::new();
    let print = |flags: &str| {
        let line = format!("train --data synthetic:motion --epochs 1 --json {flags}");
        place.json(&line).last().unwrap()["fingerprint"].as_str().unwrap().to_owned()
    };
    let plain = print("");
    let varied = print("--augment shift=5,scale=0.1,jitter=0.05");
    assert_ne!(varied, plain);
    assert_eq!(print("--augment shift=5,scale=0.1,jitter=0.05 --threads 1"), varied);
    assert_eq!(print("--augment shift=0"), plain);
    place.ok(
        "train --data synthetic:motion --epochs 1 --max-steps 2 --full-batch --augment shift=5",
    );
    for (flags, part) in [
        ("--data synthetic:motion --augment rotate=5", "--augment rotate is for images"),
        ("--augment jitter=1", "--augment jitter is for features, and synthetic holds images"),
        ("--augment shift=28", "--augment shift=28 is no less than the 28 columns"),
    ] {
        place.fails(&format!("train {flags}"), &[part]);
    }
    place.misused(
        "train --augment turn=5",
        &["expected KIND=AMOUNT, the kind one of shift, rotate"],
    );
}
