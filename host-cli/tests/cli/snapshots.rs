//! Snapshots of every help text and of what commands report.
//!
//! `INSTA_UPDATE=always cargo test -p picomlp-cli --test cli snapshots` writes them anew; the difference is for the reviewer.

use insta::assert_snapshot;

use crate::util::{Place, bars_pixels, kaggle};

/// Prints what must not depend on the terminal.
fn help(line: &str) -> String {
    let place = Place::new();
    let output = place.command(line).env_remove("COLUMNS").output().unwrap();
    assert!(output.status.success(), "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Replaces what differs from run to run: times, and samples a second.
fn without_times(text: &str) -> String {
    let line = |line: &str| {
        let is_epoch = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        match line {
            _ if line.starts_with("time ") => "time           TIME".to_owned(),
            _ if is_epoch && line.contains(" %   ") => {
                format!("{} TIME", line.split(" %   ").next().unwrap_or_default())
            }
            line => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_texts() {
    assert_snapshot!("help", help("--help"));
    assert_snapshot!("help_train", help("train --help"));
    assert_snapshot!("help_train_all", help("train --help-all"));
    for command in [
        "eval",
        "predict",
        "inspect",
        "draw",
        "plot",
        "report",
        "recipes",
        "quantize",
        "import",
        "export",
        "verify",
        "record",
        "replay",
        "bench",
        "gradcheck",
    ] {
        assert_snapshot!(format!("help_{command}"), help(&format!("{command} --help")));
    }
    for kind in ["curves", "mistakes", "pca"] {
        assert_snapshot!(format!("help_plot_{kind}"), help(&format!("plot {kind} --help")));
    }
}

#[test]
fn reports() {
    let place = Place::with_data();
    let (images, labels) = bars_pixels(120, 1);
    place.put("bars.csv", &kaggle(&images, Some(&labels), 64));
    let run = |line: &str| without_times(&place.ok(line));
    assert_snapshot!("train", run("train --data data --hidden 6 --epochs 3 --threads 1"));
    assert_snapshot!("inspect", run("inspect model.pmlp"));
    assert_snapshot!("eval", run("eval model.pmlp --data data"));
    assert_snapshot!("quantize", run("quantize model.pmlp --data data -o int8.pmlp"));
    // The errors are of f64's exp, which is the system's.
    let gradcheck = run("gradcheck --data data --hidden 6 --samples 20");
    let rows: Vec<&str> = gradcheck.lines().map(|line| line.get(..80).unwrap_or(line)).collect();
    assert_snapshot!("gradcheck", rows.join("\n"));
    let csv =
        "train --data bars.csv --hidden 6 --epochs 2 --dropout 0.1 --clip-norm 1 --out b.pmlp";
    assert_snapshot!("train_csv", run(csv));
    assert_snapshot!("train_folds", run("train --data bars.csv --hidden 6 --epochs 2 --folds 3"));
    assert_snapshot!("eval_split", run("eval b.pmlp --data bars.csv --split validation"));
}
