//! `cargo xtask firmware`: builds the bare-metal programs, runs them in QEMU, compares what they print with
//! `firmware/expected/`.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::code::{self, Code};
use crate::run::{command, read_within, root, show};
use crate::tools::{QEMU_ARM, need_target};
use crate::{device, inputs, on_the_host};

/// What `cargo xtask firmware` may be asked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run this program alone.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Write what the programs print to `firmware/expected/` instead of comparing it.
    #[arg(long)]
    overwrite: bool,
}

/// A board that QEMU knows; its memory is in `firmware/boards/`.
pub(crate) struct Board {
    /// QEMU's name of the machine.
    pub(crate) name: &'static str,
    /// The compiler's name of its processor.
    pub(crate) target: &'static str,
    /// Flags for the compiler.
    pub(crate) flags: &'static str,
    /// Feature of the core to switch on, if any.
    pub(crate) feature: &'static str,
}

impl Board {
    pub(crate) const fn new(name: &'static str, target: &'static str) -> Self {
        Self { name, target, flags: "", feature: "" }
    }

    const fn with_flags(self, flags: &'static str) -> Self {
        Self { flags, ..self }
    }

    const fn with_feature(self, feature: &'static str) -> Self {
        Self { feature, ..self }
    }
}

pub(crate) const CORTEX_M4: Board = Board::new("mps2-an386", "thumbv7em-none-eabihf");
const CORTEX_M7: Board = Board::new("mps2-an500", "thumbv7em-none-eabihf");
pub(crate) const CORTEX_M33: Board = Board::new("mps2-an505", "thumbv8m.main-none-eabihf");

/// A Cortex-M3 with code for a Cortex-M0, whose floating point is software: the boards with a real one lack the memory.
const CORTEX_M0: Board = Board::new("mps2-an385", "thumbv6m-none-eabi");

/// A real Cortex-M0: 16 KB of RAM, 256 KB of flash.
pub(crate) const MICROBIT: Board = Board::new("microbit", "thumbv6m-none-eabi");

/// Builds with the DSP extension and without it, by flags and by feature: the program fails if it has the wrong kernel.
const DSP_OR_NOT: &[Board] = &[
    CORTEX_M4,
    CORTEX_M33.with_flags("-C target-feature=+dsp"),
    CORTEX_M33.with_feature("dsp"),
    CORTEX_M33.with_flags("-C target-cpu=cortex-m33 -C target-feature=-dsp"),
    CORTEX_M4.with_flags("-C target-feature=-dsp"),
];

/// The boards whose processors have the FPU that the assembler kernels are for.
const WITH_FPU: &[Board] = &[CORTEX_M4, CORTEX_M4.with_feature("cortex-m4"), CORTEX_M7, CORTEX_M33];

/// A program under `firmware/src/bin/`, and where it runs: one output is expected of all of its boards.
struct Program {
    name: &'static str,
    boards: &'static [Board],
    /// Whether it includes what [`inputs::make`] makes.
    inputs: bool,
    /// By how much a number may differ from the expected one, as a share of it: counts move with every change of the code.
    tolerance: f64,
    /// What its code may be on its first board, if that matters.
    code: Option<Code>,
    /// What else must hold, given what it printed.
    check: fn(&str) -> Result<()>,
}

/// A program that needs no inputs and whose output says all.
const PLAIN: Program = Program {
    name: "",
    boards: &[CORTEX_M4],
    inputs: false,
    tolerance: 0.0,
    code: None,
    check: |_| Ok(()),
};

const PROGRAMS: &[Program] = &[
    Program { name: "hello", boards: WITH_FPU, ..PLAIN },
    Program { name: "kernels", boards: WITH_FPU, ..PLAIN },
    Program {
        name: "infer",
        boards: &[CORTEX_M4, CORTEX_M0],
        inputs: true,
        code: Some(Code { entry: "5infer8classify", most: 3328 }),
        check: on_the_host::infer,
        ..PLAIN
    },
    Program {
        name: "train",
        inputs: true,
        tolerance: 0.03,
        code: Some(Code { entry: "5train5train", most: 8940 }),
        check: on_the_host::train,
        ..PLAIN
    },
    Program { name: "head", inputs: true, tolerance: 0.03, check: on_the_host::head, ..PLAIN },
    Program {
        name: "monitor",
        tolerance: 0.03,
        code: Some(Code { entry: "rt_main", most: 30720 }),
        check: on_the_host::monitor,
        ..PLAIN
    },
    Program { name: "ticks", tolerance: 0.03, check: on_the_host::ticks, ..PLAIN },
    Program { name: "selftest", inputs: true, ..PLAIN },
    Program { name: "bench", inputs: true, tolerance: 0.03, check: on_the_host::bench, ..PLAIN },
    Program {
        name: "int8",
        inputs: true,
        tolerance: 0.03,
        code: Some(Code { entry: "4int88classify", most: 2458 }),
        check: |printed| {
            on_the_host::int8(printed, "model-int8")?;
            on_the_host::instructions_at_most(printed, "instructions a picture, mean: ", 42_000)
        },
        ..PLAIN
    },
    Program {
        name: "int8_small",
        boards: &[MICROBIT],
        inputs: true,
        tolerance: 0.03,
        code: Some(Code { entry: "4int88classify", most: 3064 }),
        check: |printed| on_the_host::int8(printed, "small-int8"),
    },
    Program { name: "int8_same", boards: DSP_OR_NOT, ..PLAIN },
    Program {
        name: "features",
        boards: &[CORTEX_M4, CORTEX_M0],
        inputs: true,
        check: on_the_host::features,
        ..PLAIN
    },
    Program {
        name: "ad",
        boards: &[CORTEX_M4, CORTEX_M4.with_feature("cortex-m4"), CORTEX_M33.with_feature("dsp")],
        inputs: true,
        check: on_the_host::ad,
        ..PLAIN
    },
    Program { name: "stack", boards: &[CORTEX_M4, CORTEX_M7, CORTEX_M33, CORTEX_M0], ..PLAIN },
];

/// The programs that `picomlp verify` talks to, and their models. They do not end by themselves and print nothing to
/// compare.
const DEVICES: [(&str, &str); 2] = [("device", "model.pmlp"), ("device_int8", "model-int8.pmlp")];

/// How long a program may run: none takes a tenth of it on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Builds and runs the programs.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| only == name);
    let programs: Vec<_> = PROGRAMS.iter().filter(|program| wanted(program.name)).collect();
    let devices: Vec<_> = DEVICES.into_iter().filter(|(name, _)| wanted(name)).collect();
    if programs.is_empty() && devices.is_empty() {
        let names = PROGRAMS.iter().map(|program| program.name);
        let names: Vec<_> = names.chain(DEVICES.map(|(name, _)| name)).collect();
        bail!("no program of that name; there are {}", names.join(", "));
    }
    if !devices.is_empty() || programs.iter().any(|program| program.inputs) {
        inputs::make()?;
    }
    let mut failed = Vec::new();
    for program in programs {
        if program.name == "ad" && !inputs::folder().join("ad.pmlp").exists() {
            println!(
                "== ad == left out: there is no ad01-f32.npz in {}",
                inputs::mlperf_ad().display()
            );
            continue;
        }
        for board in program.boards {
            let run =
                format!("{} on {} {} {}", program.name, board.name, board.flags, board.feature);
            println!("== {} ==", run.trim());
            if let Err(error) = run_one(program, board, args.overwrite) {
                println!("{error:#}");
                failed.push(run);
            }
        }
    }
    let board = CORTEX_M4;
    for (name, model) in devices {
        println!("== {name} on {} ==", board.name);
        let verified =
            build(name, &board).and_then(|image| device::verify(board.name, &image, model));
        if let Err(error) = verified {
            println!("{error:#}");
            failed.push(format!("{name} on {}", board.name));
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn run_one(program: &Program, board: &Board, overwrite: bool) -> Result<()> {
    let image = build(program.name, board)?;
    let first = program.boards.first().is_some_and(|first| first.name == board.name);
    if let Some(code) = program.code.as_ref().filter(|_| first) {
        code::check(&image, code)?;
    }
    let printed = emulate(board, &image)?;
    (program.check)(&printed)?;
    let measured = printed.lines().filter(|line| line.starts_with("measured "));
    measured.for_each(|line| println!("{line}"));
    let printed = without_blob(&printed);
    print!("{printed}");
    let path = root().join("firmware/expected").join(format!("{}.txt", program.name));
    if overwrite {
        return fs::write(&path, printed).with_context(|| path.display().to_string());
    }
    let expected = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    match first_difference(&expected, &printed, program.tolerance) {
        None => Ok(()),
        Some((line, expected, got)) => bail!(
            "{}:{line}: expected `{expected}`, got `{got}`; \
             if the change is meant: cargo xtask firmware --only {} --overwrite",
            path.display(),
            program.name
        ),
    }
}

/// What is compared: all but a blob or a log that was written out, and figures that differ from board to board.
fn without_blob(printed: &str) -> String {
    let written = [on_the_host::BLOB, on_the_host::LOG, "measured "];
    let left_out = |line: &&str| written.iter().any(|start| line.starts_with(start));
    let lines = printed.lines().filter(|line| !left_out(line));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The first line in which two texts differ, counted from 1; a line that is not there is empty.
fn first_difference<'a>(
    expected: &'a str,
    got: &'a str,
    tolerance: f64,
) -> Option<(usize, &'a str, &'a str)> {
    let (mut expected, mut got) = (expected.lines(), got.lines());
    for line in 1.. {
        match (expected.next(), got.next()) {
            (None, None) => break,
            (Some(a), Some(b)) if nearly_equal(a, b, tolerance) => {}
            (a, b) => return Some((line, a.unwrap_or_default(), b.unwrap_or_default())),
        }
    }
    None
}

/// Whether two lines agree but for numbers that differ by a share of `tolerance` at most.
fn nearly_equal(expected: &str, got: &str, tolerance: f64) -> bool {
    // Digits and a point between two marks: a fingerprint is no number.
    let number = |word: &str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        let digits = word.chars().all(|c| c.is_ascii_digit() || c == '.');
        word.parse::<f64>().ok().filter(|_| digits)
    };
    let near = |(a, b): (&str, &str)| match (number(a), number(b)) {
        (Some(a), Some(b)) if tolerance > 0.0 => (a - b).abs() <= tolerance * a.abs(),
        _ => a == b,
    };
    let (words, others) = (expected.split(' '), got.split(' '));
    words.clone().count() == others.clone().count() && words.zip(others).all(near)
}

/// Builds one program for a board; returns the path of the image.
pub(crate) fn build(name: &str, board: &Board) -> Result<PathBuf> {
    let Board { name: board, target, flags, feature } = board;
    need_target(target)?;
    // Each board links with a memory map of its own.
    let folder = root().join("target/firmware").join(board);
    let mut cargo = command("cargo", &["build", "--release", "--bin", name, "--target", target]);
    cargo.current_dir(root().join("firmware"));
    cargo.env("BOARD", board).env("PICOMLP_INPUTS", inputs::folder());
    cargo.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", flags);
    cargo.args(["--features", feature]);
    if flags.contains("-dsp") {
        cargo.env("WITHOUT_DSP", "");
    }
    show(cargo)?;
    Ok(folder.join(target).join("release").join(name))
}

/// Runs an image on a board; returns what it printed.
pub(crate) fn emulate(board: &Board, image: &Path) -> Result<String> {
    QEMU_ARM.need()?;
    let mut qemu = Command::new(QEMU_ARM.program);
    // Not `-nographic`: its serial port would make standard output non-blocking, and lines be lost while nobody reads.
    qemu.args(["-display", "none", "-serial", "none", "-monitor", "none"]);
    qemu.args(["-machine", board.name, "-icount", "shift=0"]);
    qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(image);
    // A file that a program writes lands beside its image.
    qemu.current_dir(image.parent().unwrap_or(image));
    read_within(qemu, TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_names_its_line_and_both_sides() {
        let difference = |expected, got| first_difference(expected, got, 0.0);
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(difference("a\nb\n", "a\n"), Some((2, "b", "")));
        assert_eq!(difference("100\n", "101\n"), Some((1, "100", "101")));
    }

    #[test]
    fn numbers_may_differ_by_the_tolerance_and_words_by_nothing() {
        assert!(nearly_equal("a: 1000 (5)", "a: 1030 (5)", 0.03));
        assert!(!nearly_equal("a: 1000 (5)", "a: 1031 (5)", 0.03));
        assert!(!nearly_equal("a: 1000 (5)", "b: 1000 (5)", 0.03));
        assert!(!nearly_equal("a: 1000", "a: 1000 b", 0.03));
    }
}
