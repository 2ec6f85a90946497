//! Time series: cut into windows, split by recordings, answered by a vote.

use std::path::{Path, PathBuf};

use crate::util::{Place, field};

/// Twelve recordings of two channels, one in each row of `wide.csv`, a step in each row of `long.csv`.
fn recordings() -> Place {
    let place = Place::new();
    let wave = |recording: u32, channel: u32, step: u32| {
        let kind = f64::from(recording % 3);
        let phase = f64::from(recording * 7 % 11) + f64::from(step) * (0.3 + 0.4 * kind);
        (phase + f64::from(channel)).sin() * (1.0 + 0.3 * kind)
    };
    let word = |recording: u32| ["rest", "walk", "run"][recording as usize % 3];
    // The channels are not in the order in which steps are read, and steps count from 1.
    let names =
        |channel: &str| (1..=40).map(|step| format!("{channel}{step},")).collect::<String>();
    let mut wide = format!("{}{}state\n", names("a"), names("b"));
    let mut long = "s,b,a,rec,state\n".to_owned();
    for recording in 0..12 {
        for channel in 0..2 {
            for step in 0..40 {
                wide += &format!("{:.4},", wave(recording, channel, step));
            }
        }
        wide += &format!("{}\n", word(recording));
        for step in 0..40 {
            let [a, b] = [0, 1].map(|channel| wave(recording, channel, step));
            long += &format!("{step},{b:.4},{a:.4},r{recording},{}\n", word(recording));
        }
    }
    place.put("wide.csv", wide.as_bytes());
    place.put("long.csv", long.as_bytes());
    place
}

const FLAGS: &str = "--window 10 --stride 5 --epochs 40 --lr 0.01 --dropout 0 --hidden 16";

#[test]
fn a_row_may_be_a_recording_or_a_step() {
    let place = recordings();
    let wide = place.ok(&format!("train --data wide.csv {FLAGS} --test-split 0 --out w.pmlp"));
    let note = "84 windows of 10 steps and 2 channels, every 5 steps, from 12 recordings";
    assert!(wide.contains(note), "{wide}");
    let shown = place.ok("inspect w.pmlp");
    assert!(shown.contains("20 features: a_0, b_0, a_1, b_1, a_2"), "{shown}");
    let line = "train --data long.csv --target state --group rec --drop s --features a,b";
    let long = place.ok(&format!("{line} {FLAGS} --test-split 0 --out l.pmlp"));
    assert!(long.contains(note), "{long}");
    // The same numbers in the same order make the same model.
    assert_eq!(field(&wide, "fingerprint"), field(&long, "fingerprint"));

    // What was trained on one form reads the other, without a flag but for columns of words.
    let accuracy = |line: &str| {
        let eval = place.json(&format!("eval {line} --json")).pop().unwrap();
        (eval["samples"].clone(), eval["test_accuracy"].clone())
    };
    let expected = accuracy("w.pmlp --data wide.csv");
    assert_eq!(expected.0, 84);
    assert_eq!(accuracy("w.pmlp --data long.csv --target state --group rec"), expected);
    assert_eq!(accuracy("l.pmlp --data wide.csv"), expected);
    let rows = |line: &str| place.json(&format!("predict {line} --json"));
    assert_eq!(rows("w.pmlp long.csv --group rec"), rows("l.pmlp wide.csv"));
    assert_eq!(rows("w.pmlp wide.csv --stride 40").len(), 12);

    // Without a header, the number of channels says how a row is cut.
    let text = String::from_utf8(place.read("wide.csv")).unwrap();
    place.put("bare.csv", text.split_once('\n').unwrap().1.as_bytes());
    let bare = format!("train --data bare.csv {FLAGS} --test-split 0 --channels 2");
    assert_eq!(field(&place.ok(&bare), "fingerprint"), field(&wide, "fingerprint"));
    assert_eq!(accuracy("model.pmlp --data bare.csv"), expected);
    for (line, part) in [
        (
            "train --data bare.csv --window 10 --channels 3",
            "80 columns are no steps of --channels 3",
        ),
        (
            "train --data wide.csv --window 41 --channels 2",
            "none of 12 recordings has the 41 steps",
        ),
        (
            "eval w.pmlp --data wide.csv --window 20",
            "--window 20 contradicts w.pmlp, which reads windows of 10 steps",
        ),
        (
            "train --data synthetic --window 5",
            "--window is for the rows of a file, and synthetic has none",
        ),
    ] {
        place.fails(line, &[part]);
    }
    let missing = text.replacen("a1,", "c1,", 1);
    place.put("other.csv", missing.as_bytes());
    place.fails(
        "predict w.pmlp other.csv",
        &["expected columns named a (a step in each row) or a_0"],
    );
}

#[test]
fn no_window_crosses_a_recording_and_no_split_parts_one() {
    let place = recordings();
    let line = format!("train --data long.csv --target state --drop s {FLAGS} --vote mean");
    let text =
        place.ok(&format!("{line} --group rec --test-split 0.25 --val-split 0.2 --stratified"));
    for part in [
        "long.csv: 56 training, 7 validation, 21 test samples",
        "21 samples held out for testing: --test-split 0.25, stratified, seed 1, whole recordings",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let shown = place.ok("eval model.pmlp --data long.csv");
    assert!(shown.contains("the 21 samples that training held out"), "{shown}");
    assert!(shown.contains("vote           21 samples give 3 answers (--vote mean)"), "{shown}");
    assert_eq!(field(&shown, "test accuracy"), field(&text, "test accuracy"));
    let single = place.json("eval model.pmlp --data long.csv --vote none --json");
    assert_eq!(single[0]["samples"], 21);
    let rows = place.json("predict model.pmlp long.csv --json");
    assert_eq!((rows.len(), &rows[3]["group"], &rows[3]["samples"]), (12, &"r3".into(), &7.into()));
    assert_eq!(place.json("predict model.pmlp long.csv --json --vote majority").len(), 12);
    let folds = place.json(&format!("{line} --group rec --folds 4 --stratified --json"));
    let folds: Vec<_> = folds.iter().filter(|line| line["event"] == "fold").collect();
    assert!(folds.iter().all(|fold| fold["test_samples"] == 3), "{folds:?}");

    // Without a column that tells recordings apart, the class does. The end of a recording is no group.
    let line = line.replace("--drop s", "--drop s,rec");
    let text = place.ok(&format!("{line} --test-split 0.25 --held-out last"));
    assert!(
        text.contains("21 samples held out for testing: --test-split 0.25, the last ones\n"),
        "{text}"
    );
    place.put("one.csv", b"x,y\n1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,9\n8,8\n9,9\n10,11\n");
    let one =
        "train --data one.csv --target y --target-type value --window 3 --stride 1 --epochs 2";
    place.fails(one, &["are of one group or recording, which stays whole", "--held-out last"]);
    let text = place.ok(&format!("{one} --held-out last --test-split 2"));
    assert!(text.contains("8 windows of 3 steps and 1 channels, every 1 steps"), "{text}");
    assert!(text.contains("values to predict in column 2 (`y`), 1 feature in column 1"), "{text}");
    for (line, part) in [
        (format!("{one} --held-out last --vote mean"), "--vote is for classes"),
        (
            "train --data wide.csv --vote mean".to_owned(),
            "--vote needs samples that belong together",
        ),
    ] {
        place.fails(&line, &[part]);
    }
}

#[test]
fn all_commands_count_the_votes_that_eval_counts() {
    let place = recordings();
    let line =
        format!("train --data wide.csv {FLAGS} --vote mean --test-split 0.25 --val-split 0.25");
    let text = place.ok(&format!("{line} --plots figures --plots-format svg"));
    let note =
        "validation measures single samples, the test the answers of recordings (--vote mean)";
    assert!(text.contains(note), "{text}");
    let figure = |path: &str| String::from_utf8(place.read(path)).unwrap();
    assert!(figure("figures/confusion.svg").contains("of 3 test recordings"));

    let eval = place.json("eval model.pmlp --data wide.csv --json").pop().unwrap();
    assert_eq!(eval["samples"], 3);
    let quantize = "quantize model.pmlp --data wide.csv -o q.pmlp";
    let certificate = place.json(&format!("{quantize} --json")).pop().unwrap();
    assert_eq!(certificate["test_samples"], 3);
    assert_eq!(certificate["f32"]["accuracy"], eval["test_accuracy"]);
    assert!(place.ok(quantize).contains(" of 3 recordings change class"));
    let single = place.json(&format!("{quantize} --vote none --json")).pop().unwrap();
    assert_eq!(single["test_samples"], 21);

    place.ok(&line.replace("0.01", "0.02 --out other.pmlp"));
    let compared =
        place.json("compare model.pmlp other.pmlp --data wide.csv --json").pop().unwrap();
    assert_eq!(compared["samples"], 3);
    assert_eq!(compared["models"][0]["accuracy"], eval["test_accuracy"]);
    for kind in ["confusion", "mistakes"] {
        place.ok(&format!("plot {kind} model.pmlp --data wide.csv -o {kind}.svg"));
        assert!(figure(&format!("{kind}.svg")).contains("of 3 recordings"), "{kind}");
    }
    assert!(place.ok("report model.pmlp --data wide.csv").contains("report.html"));
    let page = figure("report.html");
    assert!(page.contains("measured on 3 recordings of wide.csv"), "{page:.600}");
}

#[test]
fn an_autoencoder_of_windows_tells_what_it_has_not_seen() {
    let place = recordings();
    let line = "train --data wide.csv --target inputs --normal rest,walk --window 10 --stride 5 --hidden 8 --test-split 0";
    let text = place.ok(&format!("{line} --epochs 200 --lr 0.01 --dropout 0"));
    assert!(text.contains("56 windows of 10 steps"), "{text}");
    let eval = place.json("eval model.pmlp --data wide.csv --json").pop().unwrap();
    assert!(eval["auc"].as_f64().unwrap() > 0.9, "{eval}");
}

#[test]
fn windows_and_a_vote_tell_the_motions_of_a_watch_apart() {
    let folder = std::env::var_os("PICOMLP_SENSORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/sensors"),
        PathBuf::from,
    );
    let [train, test] =
        ["train", "test"].map(|part| folder.join(format!("basic-motions-{part}.csv")));
    if !(train.is_file() && test.is_file()) {
        println!("left out: basic-motions is not in {}", folder.display());
        return;
    }
    let place = Place::new();
    let data = format!("--data {} --test-data {}", train.display(), test.display());
    let flags =
        "--hidden 32 --epochs 200 --batch-size 16 --lr 0.003 --window 25 --vote mean --json";
    let accuracy = |seed: u32| {
        let lines = place.json(&format!("train {data} {flags} --seed {seed}"));
        lines.last().unwrap()["test_accuracy"].as_f64().unwrap()
    };
    let found = [1, 2, 3].map(accuracy);
    assert!(found.iter().all(|accuracy| *accuracy >= 0.95), "{found:?}");
}
