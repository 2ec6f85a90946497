//! Models and data that are streams, or no files at all, or unpack to gigabytes.

use std::fs;
use std::process::{Command, Stdio};

use crate::util::{Place, TRAIN_IMAGES, gzip, idx, kaggle, put_classes};

#[test]
fn a_model_is_read_from_a_stream() {
    let place = Place::with_model();
    let expected = place.ok("eval model.pmlp --data data");
    let model = fs::File::open(place.path("model.pmlp")).unwrap();
    let mut cat = Command::new("cat").stdin(model).stdout(Stdio::piped()).spawn().unwrap();
    let mut eval = place.command("eval /dev/stdin --data data");
    let output = eval.stdin(cat.stdout.take().unwrap()).output().unwrap();
    assert!(cat.wait().unwrap().success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_no_file_is_refused_wherever_a_file_is_read() {
    let place = Place::with_model();
    put_classes(&place, "png", 8, 1);
    let pipes = ["png/0/pipe.png", "pipe", "pipe.toml"].map(|name| place.path(name));
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    let what = ["it is a named pipe", "expected a file"];
    for line in [
        "eval pipe --data data",
        "predict model.pmlp pipe",
        "train --data pipe",
        "train --data png",
        "train --recipe ./pipe.toml",
        "plot curves pipe",
    ] {
        let ran = place.run(line);
        ran.assert_failed(1, "picomlp: ", &what);
    }
    for line in
        ["eval /dev/zero --data data", "train --data /dev/zero", "predict model.pmlp /dev/zero"]
    {
        place.run(line).assert_failed(
            1,
            "picomlp: ",
            &["/dev/zero", "it is a device, expected a file"],
        );
    }
}

/// Runs the program with at most so much address space.
fn run_within(place: &Place, mib: usize, line: &str) -> (Option<i32>, String) {
    let program = format!("ulimit -v {}; exec \"$0\" \"$@\"", mib << 10);
    let output = Command::new("sh")
        .args(["-c", &program, env!("CARGO_BIN_EXE_picomlp")])
        .args(line.split(' '))
        .current_dir(place.path(""))
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn gzip_files_that_unpack_to_gigabytes_are_refused_in_little_memory() {
    let place = Place::with_data();
    // Members of gzip follow one another: 6 GiB in 6 MB.
    let member = |byte: u8| gzip(&vec![byte; 16 << 20]).repeat(384);
    let field = [gzip(b"label,pixel0\n1,"), member(b'1')].concat();
    place.put("field.csv.gz", &field);
    let (code, message) = run_within(&place, 200, "train --data field.csv.gz");
    assert!(
        code == Some(1) && message.contains("field.csv.gz: a row has more than 8 MiB"),
        "{message}"
    );

    let header = idx(&[6 << 20, 32, 32], &[]);
    place.put(&format!("data/{TRAIN_IMAGES}"), &[gzip(&header), member(0)].concat());
    let (code, message) = run_within(&place, 700, "train --data data");
    assert!(code == Some(1) && message.contains("bytes of gzip data unpack to"), "{message}");
    // Where even that is not to be had, it is an error, too, and not one of the file.
    let (code, message) = run_within(&place, 150, "train --data data");
    assert!(code == Some(1) && message.contains("there is no memory for its data"), "{message}");
    assert!(!message.contains("damaged"), "{message}");

    let row = "0,".repeat(63) + "0\n";
    let rows = gzip(row.repeat(1 << 17).as_bytes()).repeat(80);
    place.put("rows.csv.gz", &[gzip(&kaggle(&[255; 64], None, 64)), rows].concat());
    let (code, message) = run_within(&place, 700, "train --data rows.csv.gz");
    assert!(code == Some(1) && message.contains("bytes of gzip data unpack to"), "{message}");
}
