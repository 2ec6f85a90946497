//! `cargo xtask fuzz`: builds the fuzz targets with libFuzzer, runs each for a while, and prints what was tried.
//!
//! It does what `cargo fuzz run` does, with the pinned compiler and without a sanitizer: the readers are safe Rust, in which a
//! sanitizer finds nothing that a panic does not say, and takes most of the time. What counts as a failure besides a panic:
//! an input that takes more than a second, a process above 1 GB, one allocation above 500 MB.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, on_all_cores, read, root, show};

/// What `cargo xtask fuzz` may be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run this target alone.
    #[arg(long, value_name = "TARGET")]
    only: Option<String>,
    /// Time for each target.
    #[arg(long, default_value_t = 15, value_name = "N")]
    seconds: u32,
    /// Add what reaches new code to the committed corpus.
    #[arg(long)]
    keep: bool,
}

impl Args {
    /// What CI runs.
    pub(crate) const CI: Self = Self { only: None, seconds: 15, keep: false };
}

/// Coverage as cargo-fuzz has it: a counter for each edge, and the operands of comparisons.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 --cfg fuzzing";

/// The longest input.
const MAX_LEN: &str = "-max_len=4096";

/// What is a failure besides a panic.
const LIMITS: [&str; 3] = ["-timeout=1", "-rss_limit_mb=1000", "-malloc_limit_mb=500"];

/// What was tried of one target.
struct Tried {
    inputs: u64,
    seconds: f64,
    /// Seconds that the slowest input took, rounded down.
    slowest: u64,
    peak_mb: u64,
}

/// Builds, runs and reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut targets = names()?;
    targets.retain(|name| args.only.as_ref().is_none_or(|only| only == name));
    ensure!(!targets.is_empty(), "no target of that name; fuzz/fuzz_targets has one file for each");
    let programs = build()?;
    let results = on_all_cores(&targets, |name| fuzz(&programs.join(name), name, args));

    println!(
        "\n{:<12} {:>14} {:>9} {:>10} {:>9} {:>7}",
        "target", "inputs", "seconds", "inputs/s", "slowest", "peak"
    );
    let (mut inputs, mut failed) = (0, 0);
    for (name, result) in targets.iter().zip(&results) {
        match result {
            Ok(Tried { inputs: tried, seconds, slowest, peak_mb }) => {
                inputs += tried;
                let rate = *tried as f64 / seconds;
                println!(
                    "{name:<12} {tried:>14} {seconds:>9.0} {rate:>10.0} {slowest:>7} s {peak_mb:>4} MB"
                );
            }
            Err(error) => {
                failed += 1;
                println!("{name:<12} FAILED: {error:#}");
            }
        }
    }
    println!("{inputs} inputs in all");
    ensure!(failed == 0, "{failed} of {} targets failed", targets.len());
    if args.keep {
        targets.iter().try_for_each(|name| merge(&programs.join(name), name))?;
    }
    Ok(())
}

/// The targets, by their files.
fn names() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Builds all targets; returns the folder of their programs.
fn build() -> Result<PathBuf> {
    let version = read(crate::run::command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc names no host")?;
    // Naming the target keeps the flags away from build scripts, which have no libFuzzer.
    let mut cargo = cargo(&["build", "--release", "--target", host], "");
    cargo.current_dir(root().join("fuzz")).env("RUSTFLAGS", RUSTFLAGS);
    cargo.env("CARGO_TARGET_DIR", work());
    show(cargo)?;
    Ok(work().join(host).join("release"))
}

/// Where programs, logs, failures and new inputs lie.
fn work() -> PathBuf {
    root().join("target/fuzz")
}

fn corpus(name: &str) -> PathBuf {
    root().join("fuzz/corpus").join(name)
}

/// Runs one target, and reads what libFuzzer says at the end.
fn fuzz(program: &Path, name: &str, args: &Args) -> Result<Tried> {
    let found = work().join("corpus").join(name);
    fs::create_dir_all(&found).with_context(|| found.display().to_string())?;
    let failures = work().join("failures");
    fs::create_dir_all(&failures).with_context(|| failures.display().to_string())?;
    let log = work().join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| log.display().to_string())?;

    let mut command = Command::new(program);
    command.arg(format!("-max_total_time={}", args.seconds)).args(LIMITS).arg(MAX_LEN);
    command.arg(format!("-artifact_prefix={}/{name}-", failures.display()));
    command.args(["-print_final_stats=1", "-reload=0"]).arg(found).arg(corpus(name));
    // Refused inputs are errors, and RUST_BACKTRACE would give each a backtrace; panics keep theirs.
    command.env("RUST_LIB_BACKTRACE", "0");
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).status();
    let status = status.with_context(|| program.display().to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let lines: Vec<_> = said.lines().collect();
        lines
            .iter()
            .skip(lines.len().saturating_sub(30))
            .for_each(|line| println!("{name}: {line}"));
        bail!("{status}; the input is in {}, the log in {}", failures.display(), log.display());
    }
    let stat = |stat: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(stat));
        line.and_then(|line| line.trim().parse().ok())
            .with_context(|| format!("{}: no {stat} in it", log.display()))
    };
    Ok(Tried {
        inputs: stat("stat::number_of_executed_units:")?,
        seconds,
        slowest: stat("stat::slowest_unit_time_sec:")?,
        peak_mb: stat("stat::peak_rss_mb:")?,
    })
}

/// Copies the smallest inputs that reach new code to the committed corpus.
fn merge(program: &Path, name: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["-merge=1", MAX_LEN]).arg(corpus(name)).arg(work().join("corpus").join(name));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    show(command)
}
