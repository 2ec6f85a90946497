//! `cargo xtask golden`: builds the golden run for every target, runs it there, and compares what it ends in with the one
//! fingerprint of `tests/src/golden_run.rs`.

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::firmware::{self, Board};
use crate::run::{cargo, command, on_all_cores, read_within, root, show, target_folder};
use crate::tools::{GCC_AARCH64, NODE, QEMU_AARCH64, QEMU_RISCV, need_target};

/// What `cargo xtask golden` may be asked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run on this target alone.
    #[arg(long, value_name = "TARGET")]
    only: Option<String>,
    /// Name the targets and do nothing.
    #[arg(long)]
    list: bool,
}

/// Where the golden run is built for and run.
struct Target {
    name: &'static str,
    place: Place,
    /// What the program must say that it runs on: it fails if it was built for other instructions than it should be.
    instructions: Instructions,
}

enum Place {
    /// `tests/src/bin/golden.rs` on this machine, compiled with these flags.
    Here(&'static str),
    /// The same, compiled with these flags, looking for vectors when it runs.
    Found(&'static str),
    /// The same program under `qemu-aarch64`.
    Aarch64,
    /// `tests/targets/wasm` in Node, compiled with these flags.
    Wasm(&'static str),
    /// `tests/targets/riscv` on QEMU's `virt` board, with a processor that has no floating-point unit.
    RiscV,
    /// `firmware/src/bin/golden.rs` on a board that QEMU knows.
    CortexM(Board),
}

enum Instructions {
    These(&'static str),
    /// All that this machine's processor has.
    Native,
    /// The vectors that are detected on this machine, in a build for SSE2.
    Detected,
}

use Instructions::{Detected, Native, These};

const TARGETS: &[Target] = &[
    Target {
        name: "x86-64",
        place: Place::Here(""),
        instructions: These("x86_64 sse2, kernels sse2"),
    },
    Target { name: "x86-64-found", place: Place::Found(""), instructions: Detected },
    Target {
        name: "x86-64-found-avx2",
        place: Place::Found("--cfg disable_dispatch_avx512"),
        instructions: These("x86_64 sse2, kernels avx2"),
    },
    Target {
        name: "x86-64-avx2-fma",
        place: Place::Here("-C target-feature=+avx2,+fma"),
        instructions: These("x86_64 sse2 avx avx2 fma, kernels avx2"),
    },
    Target {
        name: "x86-64-native",
        place: Place::Here("-C target-cpu=native"),
        instructions: Native,
    },
    Target {
        name: "aarch64",
        place: Place::Aarch64,
        instructions: These("aarch64 neon, kernels neon"),
    },
    Target { name: "wasm32", place: Place::Wasm(""), instructions: These("wasm32") },
    Target {
        name: "wasm32-simd128",
        place: Place::Wasm(SIMD128),
        instructions: These("wasm32 simd128"),
    },
    Target {
        name: "riscv32imac",
        place: Place::RiscV,
        instructions: These("riscv32imac-unknown-none-elf, processor rv32acimu"),
    },
    // A processor without a floating-point unit, with the RAM that no emulated Cortex-M0 has.
    Target {
        name: "thumbv6m-an385",
        place: Place::CortexM(Board::new("mps2-an385", "thumbv6m-none-eabi")),
        instructions: These("thumbv6m-none-eabi, processor Cortex-M3"),
    },
    Target {
        name: "thumbv7em-an386",
        place: Place::CortexM(Board::new("mps2-an386", "thumbv7em-none-eabihf")),
        instructions: These("thumbv7em-none-eabihf, processor Cortex-M4"),
    },
    Target {
        name: "thumbv7em-an500",
        place: Place::CortexM(Board::new("mps2-an500", "thumbv7em-none-eabihf")),
        instructions: These("thumbv7em-none-eabihf, processor Cortex-M7"),
    },
    Target {
        name: "thumbv8m-an505",
        place: Place::CortexM(Board::new("mps2-an505", "thumbv8m.main-none-eabihf")),
        instructions: These("thumbv8m.main-none-eabihf, processor Cortex-M33"),
    },
];

const BUILD: &[&str] = &["build", "--quiet", "--release"];
const HOSTED: &[&str] =
    &["build", "--quiet", "--release", "-p", "picomlp-tests", "--bin", "golden"];

const AARCH64: &str = "aarch64-unknown-linux-gnu";
const WASM: &str = "wasm32-unknown-unknown";
const RISCV: &str = "riscv32imac-unknown-none-elf";
/// Linked statically, an emulator needs no folder with the target's libraries.
const STATIC: &str = "-C target-feature=+crt-static";
const SIMD128: &str = "-C target-feature=+simd128";

/// How long a run may take: none takes a tenth of it on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Builds, runs and compares.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        return Ok(());
    }
    let wanted = |target: &&Target| args.only.as_ref().is_none_or(|only| only == target.name);
    let targets: Vec<_> = TARGETS.iter().filter(wanted).collect();
    let results = run_all(&targets);
    if targets.is_empty() {
        bail!("no target of that name; `cargo xtask golden --list` names them");
    }
    ensure!(results.len() == targets.len(), "a target was lost: its run has panicked");
    println!(
        "\n{:<16} {:<52} {:<17} {:<17}",
        "target", "instruction set", "fingerprint", "features"
    );
    for (name, result) in &results {
        match result {
            Ok(run) => {
                let verdict = if run.passed() { "ok" } else { "FAILED" };
                let [features, _] = &run.features;
                let (instructions, golden) = (&run.instructions, &run.golden);
                println!("{name:<16} {instructions:<52} {golden:<17} {features:<17} {verdict}");
            }
            Err(_) => println!("{name:<16} {:<52} {:<35} FAILED", "not run, see above", ""),
        }
    }
    let passed = |result: &Result<Run>| result.as_ref().is_ok_and(Run::passed);
    let failed = results.iter().filter(|(_, result)| !passed(result)).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed > 0 {
        let mut ends: Vec<_> =
            results.iter().flat_map(|(_, run)| run).map(|r| [&r.golden, &r.features[0]]).collect();
        ends.dedup();
        match ends[..] {
            [[golden, features]] if args.only.is_none() => println!(
                "All that ran agree on {golden} and {features}. If the formulas have changed on purpose, those are the \
                 new FINGERPRINT and FEATURES of tests/src/golden_run.rs."
            ),
            _ => println!("The lines of each target above say in which part they differ."),
        }
        bail!("{failed} of {} targets failed", results.len());
    }
    Ok(())
}

/// Runs on all of them, as many at a time as this machine has cores: the slowest part of a build takes one.
fn run_all(targets: &[&Target]) -> Vec<(&'static str, Result<Run>)> {
    on_all_cores(targets, |target| {
        let result = run_on(target);
        if let Err(error) = &result {
            println!("== {} ==\n{error:#}", target.name);
        }
        (target.name, result)
    })
}

/// What a program said.
#[derive(Debug, PartialEq)]
struct Run {
    instructions: String,
    /// What it ended in, and what it should have: on pixels, on features.
    golden: String,
    expected: String,
    features: [String; 2],
}

impl Run {
    fn passed(&self) -> bool {
        self.golden == self.expected && self.features[0] == self.features[1]
    }

    /// Reads what a program printed: names and values, a line each.
    fn parse(printed: &str) -> Result<Self> {
        let value = |name: &str| {
            let mut lines = printed.lines().filter_map(|line| line.split_once(' '));
            let value = lines.find(|(first, _)| *first == name).map(|(_, value)| value.trim());
            value.map(str::to_owned).with_context(|| format!("no `{name}` in what it printed"))
        };
        let fingerprint = |name: &str| {
            let value = value(name)?;
            let digits = value.len() == 16 && value.chars().all(|c| c.is_ascii_hexdigit());
            ensure!(digits, "`{name}` is `{value}`, expected 16 hexadecimal digits");
            Ok(value)
        };
        Ok(Self {
            instructions: value("instructions")?,
            golden: fingerprint("golden")?,
            expected: fingerprint("expected")?,
            features: [fingerprint("features")?, fingerprint("expected-features")?],
        })
    }
}

fn run_on(target: &Target) -> Result<Run> {
    let wanted = match target.instructions {
        These(instructions) => instructions.to_owned(),
        Native => format!("{}, kernels {}", processor(), widest()),
        Detected => format!("x86_64 sse2, kernels {}", detected()),
    };
    let printed = match &target.place {
        Place::Here(rustflags) => {
            let there = processor();
            let features = wanted.split(',').next().unwrap_or_default();
            let mut needed = features.split(' ');
            let missing = needed.find(|name| !there.split(' ').any(|there| there == *name));
            if let Some(missing) = missing {
                bail!("this machine's processor has no {missing}, only {there}");
            }
            let program = build(cargo(HOSTED, rustflags), "", "golden")?;
            read_within(Command::new(program), TIMEOUT)?
        }
        Place::Found(flags) => {
            let mut cargo = cargo(HOSTED, flags);
            cargo.args(["--features", "std"]);
            let folder = root().join("target/golden").join(target.name);
            cargo.env("CARGO_TARGET_DIR", folder);
            read_within(Command::new(build(cargo, "", "golden")?), TIMEOUT)?
        }
        Place::Aarch64 => {
            QEMU_AARCH64.need()?;
            GCC_AARCH64.need()?;
            let mut qemu = Command::new(QEMU_AARCH64.program);
            qemu.arg(build(cargo_for(AARCH64, HOSTED, target.name, STATIC)?, AARCH64, "golden")?);
            read_within(qemu, TIMEOUT)?
        }
        Place::Wasm(rustflags) => {
            NODE.need()?;
            let mut cargo = cargo_for(WASM, BUILD, target.name, rustflags)?;
            cargo.current_dir(root().join("tests/targets/wasm"));
            let mut node = command(NODE.program, &["tests/targets/wasm/golden.mjs"]);
            node.arg(build(cargo, WASM, "picomlp_golden_wasm.wasm")?);
            read_within(node, TIMEOUT)?
        }
        Place::RiscV => {
            QEMU_RISCV.need()?;
            let mut cargo = cargo_for(RISCV, BUILD, target.name, "")?;
            cargo.current_dir(root().join("tests/targets/riscv"));
            let mut qemu = Command::new(QEMU_RISCV.program);
            qemu.args(["-machine", "virt", "-cpu", "sifive-e31", "-bios", "none", "-nographic"]);
            qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]);
            qemu.arg(build(cargo, RISCV, "picomlp-golden-riscv")?);
            read_within(qemu, TIMEOUT)?
        }
        Place::CortexM(board) => firmware::emulate(board, &firmware::build("golden", board)?)?,
    };
    println!("== {} ==\n{}", target.name, printed.trim_end());
    let run = Run::parse(&printed)?;
    ensure!(
        run.instructions == wanted,
        "it ran on `{}`, expected `{wanted}`: the requested instruction set was not tested",
        run.instructions
    );
    Ok(run)
}

/// The vector instructions of this machine's processor, as `tests/src/bin/golden.rs` names them.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("sse2", is_x86_feature_detected!("sse2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let features: [(&str, bool); 0] = [];
    let mut names = vec![std::env::consts::ARCH];
    names.extend(features.iter().filter(|(_, there)| *there).map(|(name, _)| name));
    names.join(" ")
}

/// The vectors that kernels use in a build for this machine's processor.
fn widest() -> &'static str {
    let processor = processor();
    let has = |feature: &&&str| processor.split(' ').any(|there| there == **feature);
    ["avx512f", "avx2", "avx", "sse2"].iter().find(has).copied().unwrap_or("none")
}

/// The vectors that a build for SSE2 detects: AVX-512 if it is that of Ice Lake, which is what `fearless_simd` asks
/// for.
fn detected() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512vbmi2") && is_x86_feature_detected!("avx512vpopcntdq") {
        return "avx512f";
    }
    "avx2"
}

/// Builds; returns the path of the `file` that comes of it.
fn build(cargo: Command, triple: &str, file: &str) -> Result<PathBuf> {
    let path = target_folder(&cargo).join(triple).join("release").join(file);
    show(cargo)?;
    Ok(path)
}

/// `cargo` for another machine than this one, with a target folder, a linker and a way to run that are its own.
fn cargo_for(triple: &str, args: &[&str], folder: &str, rustflags: &str) -> Result<Command> {
    need_target(triple)?;
    let mut cargo = command("cargo", args);
    cargo.args(["--target", triple]).env("RUSTFLAGS", rustflags);
    cargo.env("CARGO_TARGET_DIR", root().join("target/golden").join(folder));
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", GCC_AARCH64.program);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", QEMU_AARCH64.program);
    let wasi = root().join("tests/targets/wasm/wasi.mjs");
    let node = format!("{} --no-warnings {}", NODE.program, wasi.display());
    cargo.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", node);
    Ok(cargo)
}

/// What proves more than the golden run does: every kernel beside its scalar twin, at every size.
const TEST: &[&str] = &["test", "--release", "-p", "picomlp", "--lib"];

/// The core's unit tests with NEON.
pub(crate) fn test_aarch64() -> Result<()> {
    QEMU_AARCH64.need()?;
    GCC_AARCH64.need()?;
    show(cargo_for(AARCH64, TEST, "aarch64", STATIC)?)
}

/// The core's unit tests with WebAssembly's vectors.
pub(crate) fn test_wasm() -> Result<()> {
    NODE.need()?;
    show(cargo_for("wasm32-wasip1", TEST, "wasm32-simd128", SIMD128)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "instructions aarch64 neon\nsgd       0123456789abcdef\n\
         golden    0123456789abcdef\nexpected  0123456789abcdee\n\
         features  fedcba9876543210\nexpected-features fedcba9876543210\n";

    #[test]
    fn a_run_passes_if_it_ends_in_the_expected_fingerprint_alone() {
        let run = Run::parse(PRINTED).unwrap();
        assert_eq!(run.instructions, "aarch64 neon");
        assert!(!run.passed());
        let right = PRINTED.replace("cdee", "cdef");
        assert!(Run::parse(&right).unwrap().passed());
        assert!(!Run::parse(&right.replacen("3210", "3211", 1)).unwrap().passed());
    }

    #[test]
    fn output_without_a_fingerprint_is_an_error_that_names_what_is_missing() {
        let error = |printed: &str| Run::parse(printed).unwrap_err().to_string();
        assert_eq!(error(""), "no `instructions` in what it printed");
        assert_eq!(error(&PRINTED[..50]), "no `golden` in what it printed");
        assert_eq!(
            error(&PRINTED.replace("cdee", "cde")),
            "`expected` is `0123456789abcde`, expected 16 hexadecimal digits"
        );
    }
}
