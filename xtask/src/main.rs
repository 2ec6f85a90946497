//! `cargo xtask`: everything that CI runs, as one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod c_library;
mod ci;
mod code;
mod device;
mod firmware;
mod frames;
mod fuzz;
mod golden;
mod inlined;
mod inputs;
mod kills;
mod lines;
mod miri;
mod mnist;
mod on_the_host;
mod perf;
mod python;
mod recipes;
mod report;
mod run;
#[path = "../../tests/src/sources.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests read more of it, and panic where they cannot"
)]
mod sources;
mod tools;

/// Development tasks of picomlp.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check, cheapest first; all of them, whatever fails.
    Ci(ci::Args),
    /// Build the bare-metal programs, run them in QEMU, compare what they print.
    Firmware(firmware::Args),
    /// Build the C library for every target and pack it for Arduino, PlatformIO, Zephyr and CMake.
    CLibrary(c_library::Args),
    /// Run the fuzz targets, and say how many inputs were tried.
    Fuzz(fuzz::Args),
    /// Show the calls from a training step to the inner loops, in a build without optimization.
    Frames,
    /// Build the golden run for every target, run it, compare its fingerprint.
    Golden(golden::Args),
    /// Count each crate's lines of code, and compare with its budget.
    Lines,
    /// Run the core's tests under Miri.
    Miri,
    /// Count the instructions of fixed training steps, and compare with `xtask/perf.txt`.
    Perf(perf::Args),
    /// Train the published networks by their names and compare what they reach; the long ones take half an hour.
    Recipes(recipes::Args),
    /// Kill runs of the command line at random moments and look at what they leave.
    Kills(kills::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Ci(args) => ci::run(&args),
        Task::Firmware(args) => firmware::run(&args),
        Task::CLibrary(args) => c_library::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Frames => frames::run(),
        Task::Golden(args) => golden::run(&args),
        Task::Lines => lines::run(),
        Task::Miri => miri::run(),
        Task::Perf(args) => perf::run(args),
        Task::Recipes(args) => recipes::run(&args),
        Task::Kills(args) => kills::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
