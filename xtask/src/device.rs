//! The firmware's `device`, compared with this machine by `picomlp verify` as a user runs it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::inputs;
use crate::mnist::{data, picomlp};
use crate::run::read;

/// Runs `image`, which has `model`, on QEMU's `board`, and `verify` beside it: as a command, then through a serial port.
pub(crate) fn verify(board: &str, image: &Path, model: &str) -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let (model, pictures) = (inputs::folder().join(model), data()?);
    let compare = |device: &str, images: u32| {
        compare(&program, &model, &pictures, &[], board, device, images)
    };
    compare(&as_command(board, image), 100)?;

    // QEMU makes a serial port and prints its name.
    let mut emulator = Command::new(QEMU);
    emulator.args(machine(board)).args(["-serial", "pty", "-kernel"]).arg(image);
    let mut emulator = emulator.stdout(Stdio::piped()).spawn().context("qemu-system-arm")?;
    let mut line = String::new();
    let printed = emulator.stdout.take().context("no output to read")?;
    let result = BufReader::new(printed).read_line(&mut line).map_err(Into::into).and_then(|_| {
        let port = line.split_whitespace().find(|word| word.starts_with("/dev/"));
        compare(port.with_context(|| format!("no port in `{line}`"))?, 20)
    });
    emulator.kill()?;
    emulator.wait()?;
    result
}

/// As [`verify`], as a command alone, on a few pictures of any data set, whose form is said in flags.
pub(crate) fn verify_once(
    program: &Path,
    board: &str,
    image: &Path,
    model: &Path,
    data: &Path,
    form: &[&str],
) -> Result<()> {
    compare(program, model, data, form, board, &as_command(board, image), 20)
}

const QEMU: &str = "qemu-system-arm";

fn machine(board: &str) -> [&str; 6] {
    ["-machine", board, "-display", "none", "-monitor", "none"]
}

/// What `verify --device` takes to run the image.
fn as_command(board: &str, image: &Path) -> String {
    format!("{QEMU} {} -serial stdio -kernel '{}'", machine(board).join(" "), image.display())
}

/// Compares the first pictures.
fn compare(
    program: &Path,
    model: &Path,
    data: &Path,
    form: &[&str],
    board: &str,
    device: &str,
    images: u32,
) -> Result<()> {
    let mut verify = Command::new(program);
    verify.arg("verify").arg(model).arg("--data").arg(data).args(form);
    verify.args(["--json", "--timeout", "60", "--limit", &images.to_string(), "--device", device]);
    let printed = read(verify)?;
    print!("{printed}");
    let line: Value = serde_json::from_str(&printed).context("not a line of JSON")?;
    ensure!(
        line["device"] == board && line["samples"] == images && line["equal"] == images,
        "not {images} equal images on {board}"
    );
    Ok(())
}
