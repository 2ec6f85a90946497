//! The firmware's `device`, compared with this machine by `picomlp verify` as a user runs it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::inputs;
use crate::mnist::{data, picomlp};
use crate::run::read;

/// MNIST's first test images that the device classifies.
const IMAGES: u32 = 200;

/// Runs `image` on QEMU's `board`, its first serial port joined to `verify`.
pub(crate) fn verify(board: &str, image: &Path) -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let device = format!(
        "qemu-system-arm -machine {board} -display none -monitor none -serial stdio -kernel '{}'",
        image.display()
    );
    let run = |model: &Path| {
        let mut verify = Command::new(&program);
        verify.arg("verify").arg(model).arg("--json").args(["--timeout", "60", "--limit", &IMAGES.to_string()]);
        verify.arg("--data").arg(data()?).args(["--device", &device]);
        anyhow::Ok(verify)
    };
    let model = inputs::folder().join("model.pmlp");
    let printed = read(run(&model)?)?;
    print!("{printed}");
    let line: Value = serde_json::from_str(&printed).context("not a line of JSON")?;
    ensure!(
        line["device"] == board && line["images"] == IMAGES,
        "not {IMAGES} images on {board}"
    );
    ensure!(line["equal"] == line["images"], "not all images are equal");
    Ok(())
}
