//! Files that cannot be written: known before any work is done, and what was there stays.

use crate::util::Place;

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
    place.ok("draw 1 -o a.png");
    for line in [
        "eval model.pmlp --data data",
        "eval model.pmlp --data data --json",
        "inspect model.pmlp",
        "predict model.pmlp a.png",
        "train --data data",
    ] {
        // As `picomlp … | head -0`: nobody reads from the beginning.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(line).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
    assert_eq!(place.names(), ["a.png", "data", "model.pmlp"]);
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let place = Place::with_model();
    for line in ["eval model.pmlp --data data", "inspect model.pmlp --json"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(line).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("No space left on device"), "{line}: {message}");
        assert!(!message.contains("panicked"), "{line}: {message}");
    }
}
