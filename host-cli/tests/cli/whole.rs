//! Runs that are killed at any moment, or find no room: every output is old, new or absent, and nothing else is left.
//!
//! `PICOMLP_KILLS` says how many are killed; `cargo xtask kills` sets it.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Instant;

use crate::util::{Place, Ran, json_lines};

/// A line, and what it writes; in pairs, the second file describes the first.
const COMMANDS: [(&str, &[&str]); 4] = [
    (
        "train --data data --hidden 6 --epochs 2 --plots plots --plots-format svg -o t.pmlp",
        &[
            "t.pmlp",
            "plots/history.jsonl",
            "plots/curves.svg",
            "plots/confusion.svg",
            "plots/classes.svg",
            "plots/mistakes.svg",
            "plots/weights.svg",
            "plots/samples.svg",
            "plots/rotation.svg",
            "plots/pca.svg",
            "plots/pca.html",
        ],
    ),
    ("quantize model.pmlp --data data -o q.pmlp", &["q.pmlp", "q.certificate.json"]),
    ("report model.pmlp --data data", &["report.html"]),
    ("plot confusion model.pmlp --data data", &["confusion.png"]),
];

const OLD: &[u8] = b"old";

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Absent,
    Old,
    New,
}

fn state(place: &Place, name: &str, new: &[u8]) -> State {
    match fs::read(place.path(name)) {
        Err(_) => State::Absent,
        Ok(bytes) if bytes == OLD => State::Old,
        Ok(bytes) if bytes == new => State::New,
        // The seconds differ from run to run.
        Ok(bytes) if name.ends_with(".jsonl") => {
            let lines = json_lines(core::str::from_utf8(&bytes).unwrap());
            assert_eq!(lines.last().unwrap()["event"], "done", "{name} is torn");
            State::New
        }
        Ok(bytes) => panic!("{name} is torn: {} of {} bytes", bytes.len(), new.len()),
    }
}

/// Numbers below 1 that differ from run to run: no two runs of the test try the same moments.
fn random() -> f64 {
    std::hash::RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// Kills at any moment of the run, or, every other time, soon after a file of it is seen.
fn kill(place: &Place, child: &mut Child, takes: Duration, on_sight: bool) {
    let (began, moment) = (Instant::now(), takes.mul_f64(random() * 1.1));
    while began.elapsed() < moment {
        sleep(Duration::from_micros(200));
    }
    let is_seen = || {
        let folders = [place.path(""), place.path("plots")];
        let mut entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".picomlp-"))
    };
    while on_sight && child.try_wait().unwrap().is_none() && !is_seen() {}
    if on_sight {
        sleep(Duration::from_secs_f64(random() * 2e-3));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_kill_leaves_every_output_old_new_or_absent_and_the_next_run_nothing_else() {
    let kills = std::env::var("PICOMLP_KILLS").map_or(12, |count| count.parse().unwrap());
    let place = Place::with_model();
    let inputs = place.names();
    for (number, (line, files)) in COMMANDS.iter().enumerate() {
        place.ok(line);
        let began = Instant::now();
        place.ok(line);
        let takes = began.elapsed();
        let new: Vec<_> = files.iter().map(|name| place.read(name)).collect();
        let complete: Vec<_> = place.everything().into_keys().collect();
        let mut left = 0;
        for round in 0..kills / COMMANDS.len() {
            let before = if round % 2 == 0 { State::Old } else { State::Absent };
            for name in *files {
                match before {
                    State::Old => place.put(name, OLD),
                    _ => place.remove(name),
                }
            }
            let mut child = place.command(line).stdout(Stdio::null()).spawn().unwrap();
            kill(&place, &mut child, takes, round % 4 < 2);
            let after: Vec<_> =
                files.iter().zip(&new).map(|(name, new)| state(&place, name, new)).collect();
            let why = format!("{line}: {files:?} {after:?}");
            if files[0].starts_with('q') {
                let (old, new, absent) = (State::Old, State::New, State::Absent);
                let pairs = [[before, before], [old, absent], [new, absent], [new, new]];
                assert!(pairs.iter().any(|pair| *pair == after[..]), "{why}");
            } else {
                assert!(after.iter().all(|state| [before, State::New].contains(state)), "{why}");
            }
            left += leftovers(&place);
            place.ok(line);
            let is_new = |(name, new): (&&str, &Vec<u8>)| state(&place, name, new) == State::New;
            assert!(files.iter().zip(&new).all(is_new), "{why}");
            assert!(place.everything().into_keys().eq(complete.iter().cloned()), "{why}");
        }
        let kills = kills / COMMANDS.len();
        println!("{line}: {kills} kills left {left} temporary files, which the next run removed");
        for name in *files {
            place.remove(name);
        }
        fs::remove_dir(place.path("plots")).ok();
        assert_eq!(place.names(), inputs, "after command {number}");
    }
}

/// The temporary files that are left.
fn leftovers(place: &Place) -> usize {
    let everything = place.everything();
    let names = everything.keys().filter_map(|path| path.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".picomlp-")).count()
}

/// Runs a line whose first words are a shell's.
#[cfg(unix)]
fn in_shell(place: &Place, before: &str, line: &str) -> Ran {
    let picomlp = place.command(line);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]).current_dir(place.path(""));
    shell.env_remove("CARGO").env_remove("CARGO_PKG_NAME"); // as `Place::command` does
    Ran::new(line, shell.arg(picomlp.get_program()).args(picomlp.get_args()).output().unwrap())
}

#[cfg(unix)]
#[test]
fn where_there_is_no_room_no_file_is_replaced_and_the_error_names_the_output() {
    let place = Place::with_model();
    for (line, files) in COMMANDS {
        place.ok(line);
        let new: Vec<_> = files.iter().map(|name| place.read(name)).collect();
        let complete: Vec<_> = place.everything().into_keys().collect();
        let mut failures = 0;
        // Limits the file size to N blocks of 512 or 1,024 bytes.
        for blocks in (0..8).map(|n| n * n * n).chain([100_000]) {
            files.iter().for_each(|name| place.put(name, OLD));
            let ran = in_shell(&place, &format!("trap '' XFSZ; ulimit -f {blocks}"), line);
            let states: Vec<_> =
                files.iter().zip(&new).map(|(name, new)| state(&place, name, new)).collect();
            if ran.code == 0 {
                assert!(states.iter().all(|state| *state == State::New), "{states:?} {ran:?}");
                break;
            }
            failures += 1;
            let names =
                |name: &&&str| ran.stderr.starts_with(&format!("picomlp: cannot write {name}: "));
            let name = files.iter().find(names).unwrap_or_else(|| panic!("{ran:?}"));
            ran.assert_failed(1, "picomlp: ", &["File too large"]);
            // The model of `train` is written before its images, all of which are written together.
            let written = usize::from(files[0] == "t.pmlp" && *name != "t.pmlp");
            assert!(
                states[..written].iter().all(|state| *state == State::New),
                "{states:?} {ran:?}"
            );
            assert!(
                states[written..].iter().all(|state| *state == State::Old),
                "{states:?} {ran:?}"
            );
            assert!(place.everything().into_keys().eq(complete.iter().cloned()), "{ran:?}");
        }
        assert!(failures > 0, "{line}");
    }
}

/// On a file system of its own, as small as it takes: in a user's namespace, for which nobody has to be root.
#[cfg(target_os = "linux")]
#[test]
fn on_a_full_or_protected_disk_no_file_is_replaced_and_the_error_names_the_output() {
    let place = Place::with_model();
    let namespace = ["unshare", "--user", "--map-root-user", "--mount"];
    let run = |script: &str| {
        let mut command = std::process::Command::new(namespace[0]);
        command.args(&namespace[1..]).args(["sh", "-c", script, env!("CARGO_BIN_EXE_picomlp")]);
        command.env_remove("CARGO").env_remove("CARGO_PKG_NAME");
        command.current_dir(place.path("")).output()
    };
    place.put("disk/empty", b"");
    place.remove("disk/empty");
    if !run("mount -t tmpfs tmpfs disk").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system lets nobody mount in a namespace");
        return;
    }
    for (line, files) in [
        ("train --data data --hidden 30 --epochs 1 --quiet -o disk/t.pmlp", &["t.pmlp"][..]),
        ("quantize model.pmlp --data data -o disk/q.pmlp", &["q.pmlp", "q.certificate.json"]),
        ("plot confusion model.pmlp --data data -o disk/c.png", &["c.png"]),
    ] {
        place.ok(line);
        let new: Vec<_> = files.iter().map(|name| place.read(&format!("disk/{name}"))).collect();
        files.iter().for_each(|name| place.remove(&format!("disk/{name}")));
        let mut failures = 0;
        for (kilobytes, then) in
            (8..400).step_by(4).map(|size| (size, ":")).chain([(400, "mount -o remount,ro disk")])
        {
            let script = format!(
                "mount -t tmpfs -o size={kilobytes}k tmpfs disk && (cd disk && for f in {names}; do printf old > $f || exit 9; done) && {then} || exit 9
                $0 {line}; code=$?; rm -rf seen; cp -R disk seen; exit $code",
                names = files.join(" ")
            );
            let output = run(&script).unwrap();
            let ran = Ran::new(line, output);
            if ran.code == 9 {
                continue;
            }
            let states: Vec<_> = files
                .iter()
                .zip(&new)
                .map(|(name, new)| state(&place, &format!("seen/{name}"), new))
                .collect();
            assert_eq!(fs::read_dir(place.path("seen")).unwrap().count(), files.len(), "{ran:?}");
            if ran.code == 0 && then == ":" {
                assert!(states.iter().all(|state| *state == State::New), "{states:?} {ran:?}");
                continue;
            }
            failures += 1;
            ran.assert_failed(
                1,
                "picomlp: cannot write disk/",
                &[if then == ":" { "No space left on device" } else { "Read-only file system" }],
            );
            let names = |name: &&str| ran.stderr.contains(&format!("disk/{name}: "));
            assert!(files.iter().any(names), "{ran:?}");
            assert!(states.iter().all(|state| *state == State::Old), "{states:?} {ran:?}");
        }
        assert!(failures > 1, "{line}");
    }
}
