//! Ctrl-C and SIGTERM: the best model so far is written, and a second signal ends the process at once.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::util::{Place, field, json_lines};

/// A run in the background.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    printed: String,
}

impl Running {
    fn start(place: &Place, line: &str) -> Self {
        let mut command = place.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, printed: String::new() }
    }

    /// Waits for a line with this word.
    fn wait_for(&mut self, word: &str) {
        loop {
            let len = self.printed.len();
            assert_ne!(self.out.read_line(&mut self.printed).unwrap(), 0, "{}", self.printed);
            if self.printed[len..].contains(word) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Exit code, standard output and standard error.
    fn end(mut self) -> (Option<i32>, String, String) {
        self.out.read_to_string(&mut self.printed).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), self.printed, String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn the_model_of_the_last_finished_epoch_is_written_and_can_be_trained_again() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let place = Place::with_model();
        let old = place.read("model.pmlp");
        let line = "train --data data --epochs 1000000 --val-split 0 --json --plots plots";
        let mut run = Running::start(&place, line);
        run.wait_for("\"epoch\":3,");
        run.signal(signal);
        let (got, printed, message) = run.end();
        assert_eq!(got, Some(code), "{message}");
        let lines = json_lines(&printed);
        let (done, epochs) = (lines.last().unwrap(), lines.len() - 2);
        assert_eq!((&done["event"], &done["interrupted"]), (&"done".into(), &true.into()));
        assert_eq!(done["kept_epoch"], epochs);
        let expected =
            format!("picomlp: interrupted; model.pmlp holds the model of epoch {epochs}\n");
        assert_eq!(message, expected);
        assert_eq!(place.names(), ["data", "model.pmlp", "plots"]);
        assert_ne!(place.read("model.pmlp"), old);
        place.ok("eval model.pmlp --data data");

        // Its history is that of the finished epochs.
        let history = String::from_utf8(place.read("plots/history.jsonl")).unwrap();
        assert_eq!(json_lines(&history), lines[1..]);
        place.ok("plot curves plots/history.jsonl");

        // The command in the model trains the same one.
        let command = field(&place.ok("inspect model.pmlp"), "repeat").to_owned();
        let (_, again) = command.split_once(" train ").unwrap();
        let again = again.replace("model.pmlp", "again.pmlp");
        place.ok(&format!("train {again} --quiet"));
        let [one, two] = ["model", "again"]
            .map(|name| place.json(&format!("inspect {name}.pmlp --json")).pop().unwrap());
        assert_eq!(one["fingerprint"], two["fingerprint"]);
    }
}

#[test]
fn all_folds_of_a_cross_validation_stop() {
    let place = Place::with_data();
    let before = place.everything();
    for threads in [1, 2, 8] {
        let line =
            format!("train --data data --folds 4 --epochs 1000000 --json --threads {threads}");
        let mut run = Running::start(&place, &line);
        run.wait_for("\"epoch\":3,");
        run.signal("-INT");
        let (code, printed, message) = run.end();
        assert_eq!(code, Some(130), "{message}");
        assert!(json_lines(&printed)[1..].iter().all(|line| line["fold"] == 1), "{printed}");
        assert!(message.starts_with("picomlp: fold 1: "), "{message}");
        assert!(message.contains("interrupted; it was not finished"), "{message}");
    }
    assert!(place.everything() == before);
}

#[test]
fn nothing_is_written_where_no_epoch_was_finished() {
    let place = Place::with_model();
    let before = place.everything();
    // An epoch of 1,800 steps, each of which moves 4·10⁶ parameters.
    place.put_bars("more", 2_000);
    let line = "train --data more --batch-size 1 --hidden 2000,2000 --json";
    let mut run = Running::start(&place, line);
    run.wait_for("start");
    run.signal("-INT");
    let (code, printed, message) = run.end();
    assert_eq!(code, Some(130), "{message}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(
        message
            .contains("interrupted; no epoch was finished, so nothing was written to model.pmlp"),
        "{message}"
    );
    std::fs::remove_dir_all(place.path("more")).unwrap();
    assert!(place.everything() == before);
}

#[test]
fn a_second_signal_does_not_wait_for_the_step() {
    let place = Place::with_model();
    let before = place.everything();
    // A step of 200 samples and 9·10⁶ parameters is some 10 billion operations.
    let line = "train --data data --full-batch --hidden 3000,3000 --json --threads 1";
    let mut run = Running::start(&place, line);
    run.wait_for("start");
    run.signal("-INT");
    run.signal("-TERM");
    let (code, _, message) = run.end();
    // The kernel may deliver the second one first.
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    assert_eq!(message, "", "it has waited for the step");
    assert!(place.everything() == before);
}

#[test]
fn other_commands_end_at_once_and_write_nothing() {
    let place = Place::with_data();
    let before = place.everything();
    for line in [
        "gradcheck --data data --hidden 500,500 --samples 1000000",
        "bench --data data --hidden 1000,1000 --epochs 1000000",
    ] {
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let mut run = Running::start(&place, line);
            run.wait_for("");
            run.signal(signal);
            let (got, _, message) = run.end();
            assert_eq!((got, message.as_str()), (Some(code), ""), "{line}");
        }
    }
    assert!(place.everything() == before);
}
