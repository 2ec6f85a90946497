//! `cargo xtask kills`: the test that kills runs, more often than `cargo test` does, and how long Ctrl-C takes on MNIST.

use core::time::Duration;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::mnist;
use crate::run::{cargo, command, root, show};

/// What `cargo xtask kills` may be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs to kill, a quarter each of `train`, `quantize`, `report` and `plot`.
    #[arg(long, default_value_t = 200, value_name = "N")]
    count: u32,
}

impl Default for Args {
    fn default() -> Self {
        Self { count: 200 }
    }
}

/// Kills, and looks at what is left.
pub(crate) fn run(args: &Args) -> Result<()> {
    let test = ["test", "-p", "picomlp-cli", "--test", "cli", "whole::", "--", "--nocapture"];
    let mut test = cargo(&test, "");
    test.env("PICOMLP_KILLS", args.count.to_string());
    show(test)?;
    interrupt()
}

/// Interrupts training on MNIST after two seconds: it ends within a second, with exit code 130 and the model of a finished
/// epoch.
fn interrupt() -> Result<()> {
    let program = mnist::picomlp("", &["--release"])?;
    let model = root().join("target/interrupted.pmlp");
    fs::remove_file(&model).ok();
    let mut train = Command::new(&program);
    train.args(["train", "--epochs", "1000", "--quiet", "--data"]).arg(mnist::data()?);
    train.arg("--out").arg(&model).stdout(Stdio::null());
    let mut run = train.spawn().context("picomlp train")?;
    sleep(Duration::from_secs(2));
    let began = Instant::now();
    show(command("kill", &["-INT", &run.id().to_string()]))?;
    let code = run.wait()?.code();
    let took = began.elapsed();
    ensure!(code == Some(130), "exit code {code:?} after an interrupt, expected 130");
    println!("an interrupted training ended after {:.0} ms", took.as_secs_f64() * 1e3);
    ensure!(
        took < Duration::from_secs(1),
        "{took:?} from the interrupt to the end, expected at most 1 s"
    );
    let mut inspect = Command::new(program);
    inspect.arg("inspect").arg(&model);
    show(inspect)
}
