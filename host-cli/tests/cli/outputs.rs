//! Files that cannot be written: known before any work is done, and what was there stays.

use crate::util::{Place, Ran, bars_pixels, kaggle, write_png};

/// Every command that writes takes these paths for what they are.
const UNWRITABLE: [(&str, [&str; 2]); 6] = [
    ("no/file", ["cannot write no/file", "there is no folder no"]),
    ("no/such/file", ["cannot write no/such/file", "there is no folder no/such"]),
    ("data", ["cannot write data", "it is a folder"]),
    (".", ["cannot write .", "it is a folder"]),
    ("old/file", ["cannot write old/file", "there is no folder old"]), // `old` is a file
    ("new/", ["cannot write new/", "it names no file"]),
];

#[test]
fn train_refuses_an_output_path_before_it_reads_the_data() {
    let place = Place::with_data();
    place.put("old", b"not a folder");
    for (path, parts) in UNWRITABLE {
        // Had it read the data, it would have complained of that.
        place.fails(&format!("train --data nowhere --out {path}"), &parts);
        // `fails` wants stdout empty, so not even an epoch's heading was printed.
        place.fails(&format!("train --data data --out {path}"), &parts);
    }
}

#[test]
fn draw_refuses_an_output_path() {
    let place = Place::with_data();
    place.put("old", b"not a folder");
    for (path, parts) in UNWRITABLE {
        place.fails(&format!("draw 3 --out {path}"), &parts);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    // A rename onto /dev/null would work, too, for root; a socket does no harm where this test fails.
    let place = Place::with_data();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    for line in ["train --data data --out socket", "draw 3 --out socket"] {
        place.fails(line, &["cannot write socket", "a device or a pipe"]);
    }
    assert!(!place.path("socket").is_file());
}

#[test]
fn train_and_draw_replace_a_file_and_leave_no_other() {
    let place = Place::with_data();
    place.put("a.pmlp", b"old");
    place.put("a.png", b"old");
    place.train("--hidden 3 --epochs 1 --quiet -o a.pmlp");
    place.ok("draw 3 -o a.png");
    assert_eq!(place.names(), ["a.pmlp", "a.png", "data"]);
    assert!(place.read("a.png").starts_with(b"\x89PNG"));
    place.ok("inspect a.pmlp");
}

#[cfg(unix)]
#[test]
fn a_model_is_readable_as_any_other_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_model();
    place.put("plain", b"");
    let mode = |name| place.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("model.pmlp"), mode("plain"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::with_model();
    crate::util::write_png(&place.path("a.png"), 8, &[90; 64]);
    for line in [
        "eval model.pmlp --data data",
        "eval model.pmlp --data data --json",
        "inspect model.pmlp",
        "predict model.pmlp a.png",
        "train --data data --folds 2",
    ] {
        let output = place.command(line).stdout(closed_pipe()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
    assert_eq!(place.names(), ["a.png", "data", "model.pmlp"]);
}

/// What is written by each command, and the line that writes it.
const WRITTEN: [(&str, &str); 5] = [
    ("t.pmlp", "train --data data --hidden 6 --epochs 2 --json --out t.pmlp"),
    ("q.pmlp", "quantize model.pmlp --data data --out q.pmlp"),
    ("s.csv", "predict model.pmlp --data data --submission s.csv"),
    ("r.html", "report model.pmlp --data data --out r.html"),
    ("d.png", "draw 3 --out d.png"),
];

#[test]
fn what_cannot_be_printed_costs_no_file() {
    let place = Place::with_model();
    for (name, line) in WRITTEN {
        place.ok(line);
        let expected = place.read(name);
        place.remove(name);
        let output = place.command(line).stdout(closed_pipe()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
        assert!(place.read(name) == expected, "{line}");
        if cfg!(target_os = "linux") {
            place.remove(name);
            let output = place.command(line).stdout(full()).output().unwrap();
            let ran = Ran::new(line, output);
            ran.assert_failed(1, "picomlp: cannot write to standard output: No space left", &[]);
            assert!(place.read(name) == expected, "{line}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_error_that_cannot_be_printed_is_an_error_all_the_same() {
    let place = Place::new();
    let mut outputs: Vec<std::process::Stdio> = vec![closed_pipe().into()];
    if cfg!(target_os = "linux") {
        outputs.push(full().into());
    }
    for stderr in outputs {
        let status = place.command("inspect none.pmlp").stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(1));
    }
}

/// As `picomlp … | head -0`: nobody reads from the beginning.
fn closed_pipe() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

/// A device on which there is no room.
fn full() -> std::fs::File {
    std::fs::File::options().write(true).open("/dev/full").unwrap()
}

#[cfg(unix)]
#[test]
fn an_output_is_written_through_symbolic_links() {
    use std::os::unix::fs::symlink;
    let place = Place::with_model();
    place.put("far/old", b"old");
    // Relative to where each link lies; the second one leads to the first, the third one to nothing yet.
    for (link, leads) in [("far/one", "old"), ("two", "far/one"), ("three", "far/new")] {
        symlink(leads, place.path(link)).unwrap();
    }
    for (link, target) in [("two", "far/old"), ("three", "far/new"), ("three", "far/new")] {
        for (name, line) in WRITTEN {
            place.ok(line);
            place.ok(&line.replace(&format!(" {name}"), &format!(" {link}")));
            // A model holds the name that it was written to.
            let (written, expected) = (place.read(target), place.read(name));
            assert_eq!(written[..4], expected[..4], "{line} to {link}");
            assert_eq!(written == expected, name != "t.pmlp", "{line} to {link}");
            assert!(place.path(link).is_symlink(), "{line} to {link}");
        }
    }
    symlink("circle", place.path("circle")).unwrap();
    symlink("none/file", place.path("nowhere")).unwrap();
    place.fails("draw 3 -o circle", &["cannot write circle: ", "lead in a circle"]);
    place.fails("draw 3 -o nowhere", &["cannot write nowhere: it leads to ", "there is no folder"]);
}

/// Never the real `/dev/stdout`: where this test failed as root, it would be gone.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_leads_to_standard_output_or_a_pipe_is_refused() {
    let place = Place::with_model();
    std::os::unix::fs::symlink("/proc/self/fd/1", place.path("link")).unwrap();
    std::process::Command::new("mkfifo").arg(place.path("fifo")).status().unwrap();
    for (name, line) in WRITTEN {
        for special in ["link", "fifo"] {
            let line = line.replace(&format!(" {name}"), &format!(" {special}"));
            let file = std::fs::File::create(place.path("stdout")).unwrap();
            let before = place.names();
            let ran = Ran::new(&line, place.command(&line).stdout(file).output().unwrap());
            ran.assert_failed(
                1,
                &format!("picomlp: cannot write {special}: "),
                &["a file is needed"],
            );
            assert_eq!((place.read("stdout").len(), place.names()), (0, before), "{line}");
            assert!(place.path("link").is_symlink() && !place.path("fifo").is_file(), "{line}");
        }
    }
}

#[test]
fn an_output_that_is_an_input_is_refused_under_any_name() {
    let place = Place::with_data();
    let printed = place.train("--hidden 6 --epochs 2 --json");
    place.put("history.jsonl", printed.as_bytes());
    place.put("plots/history.jsonl", printed.as_bytes());
    place.put("q.certificate.json", &place.read("model.pmlp"));
    place.put("r.toml", b"[train]\nepochs = 2\n");
    let (images, labels) = bars_pixels(40, 1);
    place.put("a.csv", &kaggle(&images, Some(&labels), 64));
    for (i, (image, label)) in images.chunks_exact(64).zip(&labels).enumerate() {
        let name = format!("pngs/{label}/{i}.png");
        place.put(&name, b"");
        write_png(&place.path(&name), 8, image);
    }
    std::fs::hard_link(place.path("a.csv"), place.path("hard.csv")).unwrap();
    let model_is = "it is the model model.pmlp";
    for (line, why) in [
        ("train --data a.csv --out a.csv", "it is --data a.csv"),
        ("train --data a.csv --out ./data/../a.csv", "it is --data a.csv"),
        ("train --data a.csv --out hard.csv", "it is --data a.csv"),
        ("train --data data --test-data a.csv --out a.csv", "it is --test-data a.csv"),
        ("train --data data --recipe ./r.toml --out r.toml", "it is --recipe ./r.toml"),
        ("train --data data --out data/train-images-idx3-ubyte", "it is a file of --data data"),
        ("train --data pngs --out pngs/0/0.png", "it is a file of --data pngs"),
        ("train --data data --plots plots --out plots/history.jsonl", "the same file as"),
        ("predict model.pmlp --data a.csv --submission a.csv", "it is --data a.csv"),
        ("predict model.pmlp --data a.csv --submission model.pmlp", model_is),
        ("report model.pmlp --data data --out model.pmlp", model_is),
        ("report model.pmlp --data a.csv --out a.csv", "it is --data a.csv"),
        (
            "report model.pmlp --history history.jsonl -o history.jsonl",
            "it is --history history.jsonl",
        ),
        ("quantize model.pmlp --data data -o model.pmlp", model_is),
        ("quantize q.certificate.json --data data -o q.pmlp", "it is the model q.certificate.json"),
        ("quantize model.pmlp --data data --test-data a.csv -o a.csv", "it is --test-data a.csv"),
        ("plot weights model.pmlp -o model.pmlp --format svg", model_is),
        (
            "plot curves history.jsonl -o history.jsonl --format png",
            "it is the history history.jsonl",
        ),
        ("plot samples --data a.csv -o a.csv --format png", "it is --data a.csv"),
        ("plot confusion model.pmlp --data a.csv -o a.csv --format png", "it is --data a.csv"),
    ] {
        place.fails(line, &["cannot write ", why]);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.csv", place.path("link.csv")).unwrap();
        place.fails(
            "train --data a.csv --out link.csv",
            &["cannot write link.csv: it is --data a.csv"],
        );
        place.fails(
            "train --data link.csv --out a.csv",
            &["cannot write a.csv: it is --data link.csv"],
        );
    }
}

#[test]
fn outputs_may_lie_beside_the_data_and_be_replaced() {
    let place = Place::with_data();
    for _ in 0..2 {
        place.ok("train --data data --epochs 1 --out data/model.pmlp --plots data/plots");
        place.ok("plot confusion data/model.pmlp --data data -o data/confusion.png");
        place.ok("quantize data/model.pmlp --data data -o data/small.pmlp");
    }
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_permissions_and_a_protected_one_is_not_replaced() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.put("a.png", b"old");
    set_permissions(place.path("a.png"), Permissions::from_mode(0o600)).unwrap();
    place.ok("draw 3 -o a.png");
    assert_eq!(place.path("a.png").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    set_permissions(place.path("a.png"), Permissions::from_mode(0o400)).unwrap();
    place.fails("draw 4 -o a.png", &["cannot write a.png: it is read-only"]);
}

#[test]
fn the_next_run_removes_what_a_killed_one_has_left() {
    let place = Place::with_model();
    for (name, line) in WRITTEN {
        place.put(".picomlp-a1b2c3", b"half a model");
        place.ok(line);
        assert!(!place.path(".picomlp-a1b2c3").exists(), "{line}");
        assert!(place.path(name).exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let place = Place::with_model();
    for line in ["eval model.pmlp --data data", "inspect model.pmlp --json", "--help", "--version"]
    {
        let output = place.command(line).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("No space left on device"), "{line}: {message}");
        assert!(!message.contains("panicked"), "{line}: {message}");
    }
}
