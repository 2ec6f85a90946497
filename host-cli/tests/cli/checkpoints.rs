//! Checkpoints: a run that is killed and resumed ends in the bytes of one that never stopped.

use core::time::Duration;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::util::{Place, json_lines};

/// Runs of 20 epochs of 25 steps: every kind of state there is to keep.
const RUNS: [&str; 7] = [
    "--optimizer sgd --schedule cosine --warmup 60",
    "--optimizer adam --dropout 0.5 --norm batch --schedule plateau:1:0.5",
    "--optimizer momentum --norm layer --clip-norm 0.5 --schedule step:5:0.5 --patience 6 --monitor val_f1",
    "--optimizer adam-bf16 --dropout 0.2",
    "--optimizer rms-group --lr 0.01 --dropout 0.2 --val-split 0 --no-shuffle",
    "--optimizer adamw --norm batch --clip-norm 1 --max-steps 333",
    "--optimizer rmsprop --full-batch --keep-lowest-loss --val-split 0",
];

const SETTINGS: &str = "--data data --hidden 12,8 --epochs 20 --seed 3 --log log.csv --quiet";

fn line(run: &str) -> String {
    let batch = if run.contains("--full-batch") { "" } else { "--batch-size 8" };
    format!("train {SETTINGS} {batch} {run}")
}

/// The history without the seconds, which are the last column.
fn history(place: &Place) -> Vec<String> {
    let text = String::from_utf8(place.read("log.csv")).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// Numbers that look random, and are the same in every test run.
struct Moments(u64);

impl Moments {
    fn below(&mut self, most: Duration) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        most.mul_f64((self.0 >> 40) as f64 / (1 << 24) as f64)
    }
}

fn start(place: &Place, line: &str) -> Child {
    place.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the run with SIGKILL at `kills` moments of its time, and resumes it each time; it ends as one that never stopped, and so
/// does the last of its checkpoints.
fn kill_and_resume(run: &str, threads: usize, kills: usize) {
    let (whole, killed) = (Place::with_data(), Place::with_data());
    let line = line(run);
    let began = Instant::now();
    whole.ok(&line);
    let time = began.elapsed();
    let first = format!(
        "{line} --checkpoint ck --checkpoint-every 7steps --keep-last 2 --threads {threads}"
    );
    let mut moments = Moments(1 + threads as u64);
    let mut command = first.clone();
    for _ in 0..kills {
        let mut child = start(&killed, &command);
        std::thread::sleep(moments.below(time.mul_f64(0.8)));
        child.kill().unwrap();
        child.wait().unwrap();
        // Killed before its first checkpoint, it has nothing to go on from.
        let has_some = fs::read_dir(killed.path("ck")).is_ok_and(|mut files| {
            files.any(|file| file.unwrap().file_name().to_string_lossy().starts_with("epoch-"))
        });
        command = if has_some {
            format!("train --resume ck --threads {threads} --quiet")
        } else {
            first.clone()
        };
    }
    killed.ok(&command);
    assert!(killed.read("model.pmlp") == whole.read("model.pmlp"), "{run}: another model");
    assert_eq!(history(&killed), history(&whole), "{run}");
    // No temporary file is left, and no more checkpoints than there are to be.
    let files: Vec<_> =
        fs::read_dir(killed.path("ck")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    // Every command reads the last one, and it goes on to the same model.
    let last = files.iter().max().unwrap().to_str().unwrap();
    killed.ok(&format!("eval ck/{last} --data data"));
    killed.remove("model.pmlp");
    killed.ok(&format!("train --resume ck/{last} --quiet"));
    assert!(killed.read("model.pmlp") == whole.read("model.pmlp"), "{run}: another model");
}

/// All at once, since a run waits more than it computes.
#[test]
fn a_run_killed_fifty_times_ends_in_the_model_and_the_history_of_one_that_never_stopped() {
    std::thread::scope(|scope| {
        for run in RUNS {
            for threads in [1, 2] {
                scope.spawn(move || kill_and_resume(run, threads, 50));
            }
        }
    });
}

#[test]
fn an_interrupted_run_writes_a_checkpoint_and_says_how_to_go_on() {
    let (whole, place) = (Place::with_data(), Place::with_data());
    let line = "train --data data --hidden 200,200 --batch-size 2 --epochs 40 --val-split 0 --json";
    whole.ok(line);
    let mut child = place.command(&format!("{line} --checkpoint ck --log log.csv"));
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while fs::read_dir(place.path("ck")).map_or(0, Iterator::count) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (out, message) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("; go on with `picomlp train --resume "), "{message}");
    let before = json_lines(&String::from_utf8(out).unwrap());

    let output = place.command("train --json --resume ck").output().unwrap();
    let after = json_lines(&String::from_utf8(output.stdout).unwrap());
    let epochs = |lines: &[Value]| lines.iter().filter(|line| line["event"] == "epoch").count();
    assert_eq!(after[0]["resumed_epochs"], epochs(&before));
    assert_eq!(epochs(&before) + epochs(&after), 40);
    assert_eq!(place.read("log.csv").iter().filter(|byte| **byte == b'\n').count(), 41);
    assert!(place.read("model.pmlp") == whole.read("model.pmlp"));
}

#[test]
fn a_run_with_more_epochs_goes_on_and_other_settings_or_data_are_refused_by_name() {
    let place = Place::with_data();
    place.train("--hidden 6 --epochs 5 -o whole.pmlp --quiet");
    place.train("--hidden 6 --epochs 2 --checkpoint ck --quiet");
    for (flags, parts) in [
        (
            "--lr 0.5",
            &["it is of another run: --lr is 0.5, but 0.001 in the checkpoint. --force"][..],
        ),
        ("--optimizer sgd", &["--optimizer is sgd, but adam in the checkpoint"]),
        ("--no-shuffle", &["--no-shuffle is set, but not set in the checkpoint"]),
        (
            "--schedule cosine --epochs 3",
            &["--epochs is 3, but 2", "--schedule is cosine, but not set"],
        ),
        ("--epochs 1", &["it has 2 epochs, and the run is to have 1: give --epochs 2 or more"]),
        ("--hidden 7 --force", &["it is of another network or optimizer: it has 418 parameters"]),
    ] {
        place.fails(&format!("train --resume ck {flags}"), parts);
    }
    place.ok("train --resume ck --epochs 5 -o whole2.pmlp --quiet");
    let fingerprint =
        |name: &str| place.json(&format!("inspect {name} --json"))[0]["fingerprint"].clone();
    assert_eq!(fingerprint("whole.pmlp"), fingerprint("whole2.pmlp"));
    // A checkpoint is found where it is; the data, too.
    fs::rename(place.path("ck"), place.path("moved")).unwrap();
    fs::rename(place.path("data"), place.path("data2")).unwrap();
    place.ok("train --resume moved --data data2 --epochs 6 -o m.pmlp --quiet");
    assert!(!place.path("ck").exists());
    place.put_bars("data2", 190);
    place.fails(
        "train --resume moved --data data2 --epochs 7",
        &["the fingerprint of the training samples is "],
    );
    place.ok("train --resume moved --data data2 --epochs 7 --force --quiet");
    place.fails(
        "train --checkpoint moved --data data2",
        &["is in the folder already: go on from it with --resume moved"],
    );
}

#[test]
fn without_a_path_a_run_goes_on_from_its_folder_or_begins() {
    let place = Place::with_data();
    let line = "train --data data --hidden 6 --epochs 3 --checkpoint ck --resume --quiet";
    let ran = place.run(line);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "picomlp: warning: no checkpoint in ck yet: training begins\n");
    let first = place.read("model.pmlp");
    place.ok(line);
    assert!(place.read("model.pmlp") == first);
    place.misused("train --resume --data data", &["'--resume' needs a folder: '--checkpoint DIR'"]);
    place.misused("train --keep-last 1 --data data", &["'--keep-last' needs a folder"]);
    place.misused("train --data data --force", &["'--force' needs '--resume'"]);
    let every = "expected a number and its unit: 1epoch, 500steps, 30s, 10min, 1h";
    place.misused("train --data data --checkpoint c --checkpoint-every 5", &[every]);
}

#[test]
fn what_is_no_checkpoint_or_damaged_is_refused_by_name() {
    let place = Place::with_model();
    place.fails(
        "train --resume model.pmlp",
        &["model.pmlp: cannot be resumed: the model has no training state"],
    );
    place.fails(
        "train --resume data",
        &["data: no checkpoint in this folder: `picomlp train --checkpoint DIR`"],
    );
    place.fails("train --resume nowhere", &["cannot read nowhere"]);
    place.train("--hidden 6 --epochs 1 --checkpoint ck --checkpoint-every 1h --quiet");
    let name = "ck/epoch-0001-step-00000003.pmlp";
    let sound = place.read(name);
    let mut damaged = sound.clone();
    *damaged.last_mut().unwrap() ^= 1;
    place.put(name, &damaged);
    place.fails("train --resume ck", &[name, "the model's payload is damaged"]);
    place.put(name, &sound[..sound.len() - 1]);
    place.fails("train --resume ck", &[name, "cut short"]);
}

#[test]
fn a_run_goes_on_from_the_latest_whole_checkpoint_of_a_folder() {
    let place = Place::with_data();
    let line = "--hidden 6 --epochs 5 --log log.csv --quiet";
    place.train(line);
    let (whole, log) = (place.read("model.pmlp"), history(&place));
    place.train(&format!("{line} --checkpoint ck"));
    let names = [3, 4, 5].map(|epoch| format!("ck/epoch-{epoch:04}-step-{:08}.pmlp", 3 * epoch));
    let [_, torn, flipped] = &names;
    let sound = place.read(torn);
    place.put(torn, &sound[..sound.len() / 2]);
    let mut bytes = place.read(flipped);
    *bytes.last_mut().unwrap() ^= 1;
    place.put(flipped, &bytes);
    place.remove("model.pmlp");
    // Named, a damaged one is an error.
    place.fails(&format!("train --resume {flipped}"), &[flipped, "the model's payload is damaged"]);
    let ran = place.run("train --resume ck --quiet");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [torn, "cut short", flipped, "payload is damaged", "; going on from ", &names[0]] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(place.read("model.pmlp") == whole);
    assert_eq!(history(&place), log);
    // The run has written whole ones in the place of those.
    assert_eq!(place.run("train --resume ck --epochs 6 --quiet").stderr, "");
}

#[test]
fn tensorboard_gets_an_event_file_of_sound_records() {
    let place = Place::with_data();
    place.train("--hidden 6 --epochs 2 --tensorboard board --quiet");
    let files: Vec<_> = fs::read_dir(place.path("board")).unwrap().map(|f| f.unwrap()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert!(file.file_name().to_str().unwrap().starts_with("events.out.tfevents."));
    let bytes = fs::read(file.path()).unwrap();
    let (mut rest, mut records) = (&bytes[..], 0);
    while let Some((head, after)) = rest.split_at_checked(12) {
        let len = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(masked_crc32c(&head[..8]).to_le_bytes(), head[8..]);
        assert_eq!(masked_crc32c(&after[..len]).to_le_bytes(), after[len..][..4]);
        let has = |word: &str| after[..len].windows(word.len()).any(|part| part == word.as_bytes());
        assert!(if records == 0 {
            has("brain.Event:2")
        } else {
            has("train_loss") && has("val_accuracy")
        });
        (rest, records) = (&after[len + 4..], records + 1);
    }
    assert_eq!((rest.len(), records), (0, 3));
}

/// As TFRecord has it; CRC-32C bit by bit.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}
