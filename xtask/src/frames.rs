//! How many calls lie between `Trainer::step` and an inner loop, in a build without optimization.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::run::{cargo, root};

/// More calls than this are too many to follow.
const MOST: usize = 14;

/// Prints the calls to three inner loops, in which the core's hidden feature `frames` panics.
pub(crate) fn run() -> Result<()> {
    let mut longest = 0;
    for (what, optimizer, place) in [
        ("forward pass", "sgd", "forward"),
        ("SGD, a row of weights", "sgd", "move"),
        ("Adam, the bias", "adam", "adam"),
    ] {
        let mut command = cargo(
            &[
                "run",
                "-q",
                "-p",
                "picomlp",
                "--example",
                "frames",
                "--features",
                "std,frames",
                "--",
                optimizer,
            ],
            "",
        );
        let command = command
            .env("CARGO_TARGET_DIR", root().join("target/frames"))
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("PICOMLP_FRAME", place)
            .env("RUST_BACKTRACE", "full")
            .stderr(Stdio::piped());
        let output = command.output().context("cargo")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let frames = between(&text);
        ensure!(!frames.is_empty(), "no backtrace from `Trainer::step`:\n{text}");
        println!("{what}: {} calls", frames.len());
        frames.iter().for_each(|frame| println!("    {frame}"));
        longest = longest.max(frames.len());
    }
    ensure!(longest <= MOST, "{longest} calls to an inner loop, expected at most {MOST}");
    Ok(())
}

/// The functions of a backtrace from `Trainer::step` down to the one that panicked, outermost first.
fn between(backtrace: &str) -> Vec<&str> {
    let functions = backtrace.lines().filter_map(|line| {
        let (number, function) = line.trim_start().split_once(": ")?;
        number.parse::<usize>().ok().and(Some(function.trim_start()))
    });
    let ours = functions.map(|function| match function.split_once(" - ") {
        Some((address, name)) if address.starts_with("0x") => name,
        _ => function,
    });
    let mut frames = Vec::new();
    for function in
        ours.skip_while(|function| !function.contains("picomlp::") || function.contains("stop_at"))
    {
        frames.push(function);
        if function.contains("::step") && function.contains("Trainer") {
            frames.reverse();
            return frames;
        }
    }
    Vec::new()
}
