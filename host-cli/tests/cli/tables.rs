//! Tables whose values are missing, alike, repeated or no numbers: what is said of them.

use core::fmt::Write;

use crate::util::{Place, field};

/// Rows of `x,y,class`.
fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    let mut text = "x,y,class\n".to_owned();
    (0..count).for_each(|i| writeln!(text, "{}", row(i)).unwrap());
    text
}

#[test]
fn rows_to_predict_may_have_any_columns_of_words() {
    let place = Place::new();
    place.put(
        "a.csv",
        rows(40, |i| format!("{}.5,{},{}", i % 7, i % 5, ["a", "b"][i % 2])).as_bytes(),
    );
    place.ok("train --data a.csv --epochs 1 --quiet");
    let expected = place.ok("predict model.pmlp a.csv");
    let text = String::from_utf8(place.read("a.csv")).unwrap();
    let with_words = |(number, line): (usize, &str)| match number {
        0 => format!("note,{line},color,label\n"),
        _ => format!("good,{line},red,c\n"),
    };
    let words: String = text.lines().enumerate().map(with_words).collect();
    place.put("words.csv", words.as_bytes());
    assert_eq!(place.ok("predict model.pmlp words.csv"), expected);
    place.put(
        "words.csv",
        words.replacen("class", "kind", 1).replacen("label", "tag", 1).as_bytes(),
    );
    assert_eq!(place.ok("predict model.pmlp words.csv"), expected);
    // What is measured needs to know which of them is the target.
    place.fails(
        "eval model.pmlp --data words.csv",
        &["hold words: say which is the target by --target"],
    );
}

#[test]
fn what_a_table_cannot_teach_is_said_by_file_line_and_column() {
    let place = Place::new();
    let good = |i: usize| format!("{}.5,{},{}", i % 7, i % 5, ["a", "b"][i % 2]);
    let far = rows(70_010, |i| if i == 69_998 { "n.a.n,1,a".to_owned() } else { good(i) });
    for (text, part) in [
        (
            rows(20, |i| format!("{i}.5,1,a")),
            "a.csv: all 20 labels are `a`, expected at least two classes",
        ),
        (
            rows(20, |i| format!("{i}.5,{i},{}", 40 + 2 * i)),
            "a.csv: 79 classes in 20 rows, expected at least a row for each: is the target the right column? (--target)",
        ),
        (
            rows(4, good).replace("2.5", "NaN"),
            "a.csv, line 4, column 1 (`x`): expected a number (a missing value: --missing drop leaves the row out, mean or zero fill it), got `NaN`",
        ),
        (
            rows(4, good).replace("2.5", "-inf"),
            "a.csv, line 4, column 1 (`x`): expected a finite number, got `-inf`",
        ),
        (
            rows(4, good).replace("2.5", "1e99"),
            "a.csv, line 4, column 1 (`x`): expected a finite number, got `1e99`",
        ),
        (
            rows(20, good).replace("x,y", "x,x"),
            "a.csv, line 1: the header has the name `x` more than once: rename one column, or choose columns by number",
        ),
        (
            far,
            "a.csv, line 70000, column 1 (`x`): expected a number (leave a column of words out by --drop), got `n.a.n`",
        ),
        (
            rows(20, |i| format!("{i}.5,{i},{}", i % 2)).replace("class", "target") + "1.5,2,b\n",
            "a.csv, line 22, column 3 (`target`): expected a label, which is a number as in the rows before, got `b`",
        ),
    ] {
        place.put("a.csv", text.as_bytes());
        place.fails("train --data a.csv", &[part]);
    }
    place.put("a.csv", rows(30, |i| format!("{i}.5,7,{}", 0.25 * i as f64)).as_bytes());
    let text = place.ok("train --data a.csv --epochs 1");
    assert!(text.contains("the feature `y` is the same in every row: it tells nothing"), "{text}");
    place.put("a.csv", rows(30, |i| format!("{i}.5,7,2.5")).as_bytes());
    place.fails(
        "train --data a.csv --target-type value",
        &["a.csv: the target `class` is 2.5 in every row"],
    );
}

#[test]
fn a_missing_value_is_the_mean_of_the_training_samples_alone() {
    let place = Place::new();
    // The test samples, which are the last ones, have another mean.
    let value = |i: usize| match i {
        i if i >= 30 => "2.5".to_owned(),
        i if i % 5 == 2 => String::new(),
        i => (i % 3).to_string() + ".5",
    };
    let text = rows(40, |i| format!("{},{},{}", value(i), i % 4, ["a", "b"][i % 2]));
    place.put("a.csv", text.as_bytes());
    let line = "train --data a.csv --held-out last --test-split 10 --epochs 3 --missing mean";
    let trained = place.ok(line);
    let note = "6 missing values filled (--missing mean: the mean of the training samples)";
    assert!(trained.contains(note), "{trained}");
    let known: Vec<f64> = (0..30).filter_map(|i| value(i).parse().ok()).collect();
    let mean = (known.iter().sum::<f64>() / known.len() as f64) as f32;
    let filled = text.replace("\n,", &format!("\n{mean},"));
    place.put("filled.csv", filled.as_bytes());
    let by_hand = line.replace("a.csv", "filled.csv").replace(" --missing mean", " --out f.pmlp");
    let loss = |line: &str| {
        let lines = place.json(&format!("{line} --json"));
        lines.last().unwrap()["test_loss"].as_f64().unwrap()
    };
    let (found, expected) = (loss(line), loss(&by_hand));
    assert!((found / expected - 1.0).abs() < 1e-3, "{found}, {expected}");
    // The model fills what is missing in other data, too.
    place.put("new.csv", b"x,y\n,3\n1.5,2\n");
    place.put("known.csv", format!("x,y\n{mean},3\n1.5,2\n").as_bytes());
    let rows = place.json("predict model.pmlp new.csv --json");
    assert_eq!(rows, place.json("predict model.pmlp known.csv --json"));
    let eval = place.ok("eval model.pmlp --data a.csv");
    assert!(eval.contains("the 10 samples that training held out"), "{eval}");
    assert_eq!(field(&eval, "test accuracy"), field(&trained, "test accuracy"));
    place.ok("quantize model.pmlp --data a.csv -o q.pmlp");
    assert_eq!(place.json("predict q.pmlp --int8 new.csv --json").len(), 2);
    // One that records no means does not.
    place.fails("predict f.pmlp new.csv", &["new.csv, line 2, column 1 (`x`): expected a number"]);
    place.fails(
        "predict f.pmlp new.csv --missing mean",
        &["f.pmlp records no means of its features: leave --missing mean out"],
    );
    place.json(&format!("{line} --folds 3 --json").replace("--test-split 10", ""));
    place.fails(
        &format!("{line} --target inputs --drop class"),
        &["--missing mean is not for an autoencoder"],
    );
    place.put("gap.csv", "x,y,class\n,1,a\n,2,b\n,3,a\n,4,b\n1,5,a\n".as_bytes());
    let gap = "train --data gap.csv --held-out last --test-split 0.2 --missing mean";
    place.fails(gap, &["column 1 of the features is missing in every training sample"]);
}
