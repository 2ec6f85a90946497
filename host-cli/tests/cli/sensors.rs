//! Features in, classes or values out: tables and sensors, from the file to the answer.

use std::path::{Path, PathBuf};

use picomlp::blob::{Contents, Input, InputKind};
use picomlp::{InputMap, Sequential};

use crate::util::{Place, field};

const FLAGS: &str = "--hidden 32 --epochs 200 --batch-size 16 --lr 0.003";

/// Fisher's iris, in `train.csv` and `test.csv`.
fn iris() -> Place {
    let place = Place::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data");
    for part in ["train", "test"] {
        let bytes = std::fs::read(data.join(format!("iris-{part}.csv"))).unwrap();
        place.put(&format!("{part}.csv"), &bytes);
    }
    place
}

/// A pump: its power is a function of pressure (in pascal) and speed, whose values lie far apart.
fn pump() -> Place {
    let place = Place::new();
    let mut text = "time;pressure;speed;power\ns;Pa;1/s;W\n".to_owned();
    for row in 0..300 {
        let (p, v) = (f64::from(row % 17) - 8.0, f64::from(row % 23) / 11.0 - 1.0);
        let power = 500.0 + 20.0 * p + 150.0 * v + 4.0 * p * v;
        text += &format!("{row};{};{v:.3e};{power:.2}\n", 101_325.0 + 40.0 * p).replace('.', ",");
    }
    place.put("pump.csv", text.as_bytes());
    place
}

#[test]
fn iris_is_trained_measured_and_predicted() {
    let place = iris();
    let text = place.ok(&format!("train --data train.csv --test-data test.csv {FLAGS}"));
    for part in [
        "112 rows after a header, labels in column 5 (`class`), 4 features in columns 1 to 4",
        "fewer than 1000 samples of features: --val-split 0 and --dropout 0.4 unless said otherwise",
        "picomlp predict model.pmlp --data FILE.csv",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let repeat = field(&text, "repeat").strip_prefix("picomlp ").unwrap().to_owned();
    let again = place.ok(&repeat);
    assert_eq!(field(&again, "fingerprint"), field(&text, "fingerprint"));
    assert_eq!(field(&again, "repeat"), field(&text, "repeat"));

    let eval = place.json("eval model.pmlp --data test.csv --json").pop().unwrap();
    assert!(eval["test_accuracy"].as_f64().unwrap() >= 0.97, "{eval}");
    assert!(eval["macro_f1"].as_f64().unwrap() >= 0.97 && eval["auc"].is_null(), "{eval}");
    let shown = place.ok("eval model.pmlp --data test.csv");
    assert!(shown.contains("class             precision    recall        f1   samples"), "{shown}");
    let rows = place.json("predict model.pmlp test.csv --json");
    assert_eq!((rows.len(), &rows[0]["class"]), (38, &"setosa".into()));
    let shown = place.ok("inspect model.pmlp");
    assert!(
        shown.contains("4 features: sepal_length_(cm)")
            && shown.contains("classes        setosa versicolor")
    );
    assert!(place.ok("report model.pmlp --data test.csv").contains("8 parts"));
    for kind in ["mistakes", "samples", "pca"] {
        let model = if kind == "mistakes" { "model.pmlp" } else { "" };
        assert!(
            place.ok(&format!("plot {kind} {model} --data test.csv -o {kind}.png")).contains(kind)
        );
    }
    for (line, part) in [
        ("train --data train.csv --inputs signed", "--inputs signed is for pixels"),
        ("train --data train.csv --loss mae", "--loss mae is for values to predict"),
        ("train --data train.csv --monitor val_r2", "'--monitor val_r2' is measured of values"),
        (
            "train --data train.csv --monitor val_auc",
            "'--monitor val_auc' is measured of two classes",
        ),
        (
            "quantize model.pmlp -o q.pmlp --data train.csv",
            "train.csv has no test set, and training held none out: name one by --test-data",
        ),
        ("plot rotation model.pmlp --data test.csv", "test.csv holds features"),
        ("plot residuals model.pmlp --data test.csv", "the targets are classes"),
        ("eval model.pmlp", "synthetic data has 10 classes, but the model tells 3 apart"),
    ] {
        place.fails(line, &[part]);
    }
}

#[test]
fn values_are_predicted_in_their_own_units() {
    let place = pump();
    let line = "train --data pump.csv --target power --drop time --test-split 60";
    let text = place.ok(&format!("{line} {FLAGS} --dropout 0"));
    for part in [
        "300 rows after a header, fields separated by semicolons, values to predict in column 4 (`power`)",
        "units in line 2, 2 features in columns 2 to 3",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let eval = place
        .json("eval model.pmlp --data pump.csv --target power --drop time --split test --json");
    let eval = &eval[0];
    let measure = |name: &str| eval[name].as_f64().unwrap();
    assert!(measure("test_r2") > 0.98 && eval["test_accuracy"].is_null(), "{eval}");
    assert!(measure("test_mae") <= measure("test_rmse") && measure("test_rmse") < 25.0, "{eval}");
    let shown = place.ok("predict model.pmlp pump.csv");
    let first: f64 =
        shown.lines().next().unwrap().strip_prefix("1: power ").unwrap().parse().unwrap();
    assert!((first - 222.0).abs() < 75.0, "{first}");
    place.ok("predict model.pmlp --data pump.csv --submission out.csv");
    assert!(place.read("out.csv").starts_with(b"Id,power\n1,"));
    let shown = place.ok("inspect model.pmlp");
    assert!(
        shown.contains("2 features: pressure [Pa], speed [1/s]") && shown.contains("test R²"),
        "{shown}"
    );
    place.ok("plot residuals model.pmlp --data pump.csv");
    assert!(place.ok("report model.pmlp --data pump.csv").contains("3 parts"));
    let folds = place
        .ok(&format!("{line} --folds 3 --epochs 2 --val-split 0.1").replace("--test-split 60", ""));
    assert!(folds.contains("test R²  ") && folds.contains("the mean of 3 folds"), "{folds}");

    let stopped = place.ok(&format!("{line} {FLAGS} --monitor val_mae --patience 5 --loss huber"));
    assert!(stopped.contains("no better validation mae for 5 epochs"), "{stopped}");
    // Few whole numbers are classes, unless the loss is one of values.
    place.put(
        "few.csv",
        b"a,b,grade\n0.5,1,3\n1.5,2,5\n2.5,1,4\n3.5,2,6\n4.5,0,7\n5.5,1,1\n6,7,2\n7,8,0\n",
    );
    let few = "train --data few.csv --target grade --epochs 20 --test-split 0 --out few.pmlp";
    assert!(place.ok(few).contains("labels in column 3"));
    assert!(place.ok(&format!("{few} --loss mse")).contains("train loss         validation R²"));
    place.fails(
        &format!("{line} --loss cross-entropy"),
        &["--loss cross-entropy is for classes, and the targets are values"],
    );
    place.fails(&format!("{line} --stratified"), &["--stratified needs classes"]);
    place.fails("plot confusion model.pmlp --data pump.csv", &["see `plot residuals`"]);
}

#[test]
fn scales_are_those_of_the_training_samples_alone() {
    let place = iris();
    let print = |flags: &str| {
        place
            .json(&format!("train --data train.csv --test-data test.csv --json {flags}"))
            .last()
            .unwrap()["fingerprint"]
            .clone()
    };
    let expected = print("--epochs 2");
    assert_eq!(print("--epochs 2 --scale standardize"), expected);
    assert_ne!(print("--epochs 2 --scale minmax"), expected);
    assert_ne!(print("--scale none --lr 0.01 --epochs 20"), expected);
    // Other test samples change nothing.
    place.put("test.csv", b"a,b,c,d,class\n1000,2,3,4,setosa\n5,6,7,-1e9,virginica\n");
    place.fails(
        "train --data train.csv --test-data test.csv",
        &["expected a column named", "sepal"],
    );
    place.put("test.csv", b"1000,2,3,4,setosa\n5,6,7,-1e9,virginica\n");
    assert_eq!(print("--epochs 2"), expected);
}

/// The median of five seeds, or nothing where the sets are not at hand.
fn median(place: &Place, set: &str, measure: &str, flags: &str) -> Option<f64> {
    let folder = std::env::var_os("PICOMLP_SENSORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/sensors"),
        PathBuf::from,
    );
    let files = ["train", "test"].map(|part| folder.join(format!("{set}-{part}.csv")));
    if !files.iter().all(|file| file.is_file()) {
        println!("left out: {set} is not in {}", folder.display());
        return None;
    }
    let [train, test] = files.map(|file| file.display().to_string());
    let seed = |seed: u32| {
        let line =
            format!("train --data {train} --test-data {test} {FLAGS} --seed {seed} --json {flags}");
        place.json(&line).last().unwrap()[measure].as_f64().unwrap()
    };
    let mut found: Vec<f64> = (1..=5).map(seed).collect();
    found.sort_by(f64::total_cmp);
    Some(found[2])
}

#[test]
fn sensors_are_learned_as_well_as_scikit_learn_does() {
    let place = Place::new();
    for (set, measure, least) in [
        ("basic-motions", "test_accuracy", 0.775),
        ("italy-power", "test_accuracy", 0.945),
        ("iris", "test_accuracy", 0.97),
        ("diabetes", "test_r2", 0.30),
    ] {
        let found = median(&place, set, measure, "");
        assert!(found.is_none_or(|found| found >= least), "{set}: {found:?}");
    }
}

#[test]
fn shifts_of_a_movement_teach_more_of_it() {
    let found = median(&Place::new(), "basic-motions", "test_accuracy", "--augment shift=25");
    assert!(found.is_none_or(|found| found >= 0.95), "{found:?}");
}

#[test]
fn an_autoencoder_that_has_seen_two_movements_tells_two_others_apart() {
    let flags = "--target inputs --normal Standing,Walking";
    let found = median(&Place::new(), "basic-motions", "test_auc", flags);
    assert!(found.is_none_or(|found| found >= 0.99), "{found:?}");
}

#[test]
fn an_autoencoder_tells_what_it_has_not_seen() {
    let place = iris();
    let line = "train --data train.csv --test-data test.csv --target inputs --normal setosa";
    let text =
        place.ok(&format!("{line} --hidden 8 --epochs 200 --batch-size 8 --lr 0.01 --dropout 0"));
    assert!(text.contains("rows of other classes left out (--normal setosa)"), "{text}");
    assert!(field(&text, "anomalies").starts_with("ROC AUC 1.0000, partial 1.0000"), "{text}");
    let eval = place.json("eval model.pmlp --data test.csv --normal setosa --json").pop().unwrap();
    assert_eq!(eval["auc"], 1.0);
    let rows = place.json("predict model.pmlp test.csv --threshold 1 --json");
    assert_eq!((&rows[0]["anomaly"], rows.len()), (&false.into(), 38));
    place.fails("train --data train.csv --normal setosa", &["--normal needs --target inputs"]);
    place.fails(
        &line.replace("setosa", "rose"),
        &["none of 112 rows is of the normal classes rose"],
    );
}

#[test]
fn a_model_of_features_is_quantized_measured_and_predicts_in_int8() {
    let place = iris();
    place.ok(&format!("train --data train.csv --test-data test.csv {FLAGS}"));
    let quantize = "quantize model.pmlp --data train.csv --test-data test.csv -o q.pmlp";
    let certificate = place.json(&format!("{quantize} --max-drop 3 --json")).pop().unwrap();
    assert!(certificate["drop_points"].as_f64().unwrap() <= 3.0, "{certificate}");
    // Standardized features lie on both sides of 0.
    let [low, high] = [0, 1].map(|end| certificate["input_range"][end].as_f64().unwrap());
    assert!(low < -1.5 && high > 1.5, "{certificate}");
    for (model, form) in [("model.pmlp", "f32"), ("q.pmlp --int8", "int8")] {
        let eval = place.json(&format!("eval {model} --data test.csv --json")).pop().unwrap();
        assert_eq!(certificate[form]["accuracy"], eval["test_accuracy"], "{form}");
    }
    let classes = |line: &str| {
        let rows = place.json(&format!("predict {line} test.csv --json"));
        rows.iter().map(|row| row["class"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [exact, near] = ["model.pmlp", "q.pmlp --int8"].map(classes);
    let changed = exact.iter().zip(&near).filter(|(exact, near)| exact != near).count();
    assert_eq!(certificate["changed_classes"], changed);
    let shown = place.ok("inspect q.pmlp");
    assert!(shown.contains("4 features: sepal_length_(cm)"), "{shown}");
    assert!(place.ok(quantize).contains("of 38 samples change class"));
    // Features are found by name in test data, but calibration takes them as they come.
    let text = String::from_utf8(place.read("train.csv")).unwrap();
    place.put("other.csv", text.replacen("sepal", "petiole", 1).as_bytes());
    let parts = ["other.csv: expected the features of model.pmlp", "petiole"];
    place.fails(&quantize.replace("train.csv", "other.csv"), &parts);
    // Without scales the network reads features as they are.
    place.ok("train --data train.csv --test-data test.csv --scale none --lr 0.01 --epochs 60");
    place.ok(&format!("{quantize} --max-drop 3"));

    // An imported network may read its features by a map, which the int8 form does not know.
    let net = Sequential::mlp(&[4, 2, 3]).unwrap();
    let map = InputMap { scale: 0.5, shift: 0.0 };
    let input = Input { kind: InputKind::Features, max: None, ..Input::image(1, 4, map) };
    let class_names = ["setosa", "versicolor", "virginica"];
    let params = [0.5; 19];
    let contents =
        Contents { input: Some(input), class_names: &class_names, ..Contents::new(&net, &params) };
    let mut bytes = Vec::new();
    contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
    place.put("mapped.pmlp", &bytes);
    place.fails(
        &quantize.replace("model.pmlp", "mapped.pmlp"),
        &["mapped.pmlp: its features are read as x·0.5 + 0, which has no int8 form"],
    );

    place.ok("train --data train.csv --target inputs --normal setosa --epochs 2");
    place.fails(
        &format!("{quantize} --target inputs"),
        &["anomaly scores are computed in f32 alone"],
    );
}

#[test]
fn a_model_of_values_is_quantized_and_both_errors_are_given() {
    let place = pump();
    let data = "--data pump.csv --target power --drop time";
    place.ok(&format!("train {data} --test-split 60 {FLAGS} --dropout 0"));
    let quantize = format!("quantize model.pmlp {data} -o q.pmlp");
    let certificate = place.json(&format!("{quantize} --json")).pop().unwrap();
    for (model, form) in [("model.pmlp", "f32"), ("q.pmlp --int8", "int8")] {
        let line = format!("eval {model} {data} --split test --json");
        let eval = place.json(&line).pop().unwrap();
        for measure in ["r2", "mae", "rmse"] {
            assert_eq!(certificate[form][measure], eval[format!("test_{measure}")], "{form}");
        }
    }
    let r2 = |form: &str| certificate[form]["r2"].as_f64().unwrap();
    assert!(r2("int8") > r2("f32") - 0.03 && certificate["drop_points"].is_null(), "{certificate}");
    let shown = place.ok(&quantize);
    assert!(field(&shown, "test R²").contains("in f32, 0.9"), "{shown}");
    assert!(place.ok("predict q.pmlp --int8 pump.csv").starts_with("1: power 2"));
    assert!(place.ok("inspect q.pmlp").contains("2 features: pressure [Pa], speed [1/s]"));
    place.fails(
        &format!("{quantize} --max-drop 1"),
        &["--max-drop is in points of accuracy, but model.pmlp predicts values"],
    );
}

#[test]
fn synthetic_movements_are_told_apart_with_the_defaults() {
    let place = Place::new();
    let text = place.ok("train --data synthetic:motion");
    assert!(
        text.contains("synthetic:motion: 1,800 training, 200 validation, 1,000 test"),
        "{text}"
    );
    let line = "eval model.pmlp --data synthetic:motion --json";
    let eval = place.json(line).pop().unwrap();
    assert!(eval["test_accuracy"].as_f64().unwrap() > 0.95, "{eval}");
    place.ok("eval model.pmlp --data synthetic:motion --split test");
    let shown = place.ok("inspect model.pmlp");
    assert!(shown.contains("150 features: acc_x_0 [g], acc_y_0 [g]"), "{shown}");
    let rows = place.json("predict model.pmlp --data synthetic:motion --json");
    assert_eq!((rows.len(), &rows[2]["class"]), (1000, &"running".into()));
    place.ok("quantize model.pmlp --data synthetic:motion -o q.pmlp --max-drop 1");

    // Four other classes, of other features.
    let header: Vec<String> = (0..150).map(|i| format!("f{i}")).collect();
    let mut csv = format!("{},class\n", header.join(","));
    for row in 0..8 {
        csv += &format!("{}{}\n", format!("{row}.5,").repeat(150), ["a", "b", "c", "d"][row % 4]);
    }
    place.put("other.csv", csv.as_bytes());
    for (line, part) in [
        ("eval model.pmlp", "synthetic data has 10 classes, but the model tells 4 apart"),
        (
            "train --data other.csv --test-data synthetic:motion",
            "synthetic:motion data does not have the features of the training data",
        ),
        (
            "train --data synthetic:motion --target inputs",
            "leave --target, which is for files, out",
        ),
        ("eval model.pmlp --data synthetic:motion --drop acc_x_0", "leave --drop, which is"),
    ] {
        place.fails(line, &[part]);
    }
    place.misused("train --data synthetic:letters", &["there is no such synthetic data"]);
}
