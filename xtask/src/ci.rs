//! `cargo xtask ci`: the list of checks.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::run::{cargo, root, show};
use crate::tools::{self, CXX, DENY, MSRV, NEXTEST, need_target};
use crate::{
    c_library, firmware, fuzz, golden, inlined, kills, lines, miri, mnist, perf, python, recipes,
    report,
};

/// What `cargo xtask ci` may be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run this check alone.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Run those checks, too, that take long and repeat in another way what the others have shown.
    #[arg(long)]
    thorough: bool,
    /// Name the checks and do nothing.
    #[arg(long)]
    list: bool,
    /// First install what checks need and is missing: the compiler's targets, toolchains, packages, programs.
    #[arg(long)]
    install: bool,
}

/// The microcontroller target that the core must build for: a Cortex-M4 with an FPU.
const BARE: &str = "thumbv7em-none-eabihf";

struct Check {
    name: &'static str,
    run: fn() -> Result<()>,
}

/// Cheapest first.
const CHECKS: &[Check] = &[
    Check { name: "fmt", run: fmt },
    Check { name: "lines", run: lines::run },
    Check { name: "deny", run: deny },
    Check { name: "package", run: package },
    Check { name: "msrv", run: msrv },
    Check { name: "clippy", run: clippy },
    Check { name: "no_std", run: no_std },
    Check { name: "test", run: test },
    Check {
        name: "doc",
        run: || {
            let mut doc = cargo(&["doc", "--workspace", "--no-deps"], "");
            doc.env("RUSTDOCFLAGS", "-D warnings");
            show(doc)
        },
    },
    Check { name: "examples", run: examples },
    Check { name: "test-native", run: || show(cargo(&numeric(&[]), "-C target-cpu=native")) },
    Check {
        name: "fuzz",
        run: || {
            CXX.need()?;
            fuzz::run(&fuzz::Args::CI)
        },
    },
    Check { name: "miri", run: miri::run },
    Check { name: "golden", run: || golden::run(&golden::Args::default()) },
    Check { name: "inlined", run: inlined::check },
    Check { name: "perf", run: || perf::run(perf::Args::default()) },
    Check { name: "first-run", run: mnist::first_run },
    Check { name: "same-bits", run: mnist::same_bits },
    Check { name: "report", run: report::check },
    Check { name: "python", run: python::quick },
    Check { name: "firmware", run: firmware },
    Check { name: "c-library", run: c_library::quick },
    Check { name: "mnist", run: mnist::accuracy },
    Check { name: "recipes", run: recipes::quick },
];

/// What `--thorough` adds: `golden` has compared the bits of these builds, these test each kernel in them.
const THOROUGH: &[Check] = &[
    Check {
        name: "test-release",
        run: || show(cargo(&numeric(&["--release", "--features", "std"]), "")),
    },
    Check {
        name: "test-avx2-fma",
        run: || show(cargo(&numeric(&[]), "-C target-feature=+avx2,+fma")),
    },
    Check { name: "test-aarch64", run: golden::test_aarch64 },
    Check { name: "kills", run: || kills::run(&kills::Args::default()) },
    Check { name: "same-bits-of-builds", run: mnist::same_bits_of_builds },
    Check { name: "python-thorough", run: python::thorough },
    Check { name: "c-library-targets", run: c_library::thorough },
    Check { name: "test-wasm", run: golden::test_wasm },
    Check {
        name: "bench-once",
        run: || show(cargo(&["bench", "-p", "picomlp-benches", "--", "--test"], "")),
    },
];

/// Workspaces of their own, since cargo reads target settings from the folder that it runs in.
const FOLDERS: [&str; 5] =
    ["firmware", "bindings/python", "tests/bare", "tests/targets/riscv", "tests/targets/wasm"];

fn fmt() -> Result<()> {
    show(cargo(&["fmt", "--all", "--check"], ""))?;
    FOLDERS.iter().try_for_each(|folder| {
        let mut fmt = cargo(&["fmt", "--check"], "");
        fmt.current_dir(root().join(folder));
        show(fmt)
    })
}

fn clippy() -> Result<()> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    show(cargo(&args, ""))
}

/// Runs the core's examples, which assert what they show.
fn examples() -> Result<()> {
    ["xor", "mnist", "transfer", "custom_layer", "custom_optimizer", "threads"]
        .iter()
        .try_for_each(|name| show(cargo(&["run", "-p", "picomlp", "--example", name], "")))
}

/// Clippy last, since the programs include what the run has made.
fn firmware() -> Result<()> {
    firmware::run(&firmware::Args::default())?;
    let mut clippy = cargo(&["clippy", "--release", "--target", BARE, "--", "-D", "warnings"], "");
    clippy.current_dir(root().join("firmware"));
    show(clippy)
}

/// The kernels' tests, compiled in another way. What crosses crates is compared by `golden` and `same-bits`.
fn numeric<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["test", "-p", "picomlp", "--lib"].into_iter().chain(more.iter().copied()).collect()
}

/// Licenses, duplicates and origins of all dependencies, also of the workspaces that are not this one.
fn deny() -> Result<()> {
    ["."].iter().chain(&FOLDERS).try_for_each(|folder| {
        let manifest = format!("{folder}/Cargo.toml");
        let mut deny = DENY.command(&["--manifest-path", &manifest, "--config", "deny.toml"])?;
        deny.args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
        show(deny)
    })
}

/// The crates that are published, in the order in which they can be.
const PUBLISHED: [&str; 7] = [
    "picomlp-fixtures",
    "picomlp",
    "picomlp-store",
    "picomlp-link",
    "picomlp-train",
    "picomlp-plots",
    "picomlp-cli",
];

/// Each published crate makes a package.
fn package() -> Result<()> {
    let mut package = cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"], "");
    package.args(PUBLISHED.iter().flat_map(|name| ["-p", name]));
    show(package)
}

/// They build with the oldest compiler that they promise to build with, the core without its feature and with it.
fn msrv() -> Result<()> {
    let check = |args: &[&str]| {
        let mut cargo = MSRV.cargo(&["--version"], &["check", "--quiet", "--locked"])?;
        cargo.args(args).env("CARGO_TARGET_DIR", root().join("target/msrv"));
        show(cargo)
    };
    check(&["-p", "picomlp"])?;
    check(&PUBLISHED.map(|name| ["-p", name]).concat())
}

/// All tests, each in a process of its own that is stopped if it hangs; then the examples in the docs.
fn test() -> Result<()> {
    let mut tests = NEXTEST.command(&["nextest", "run", "--workspace", "--no-fail-fast"])?;
    tests.env("RUSTFLAGS", "");
    show(tests)?;
    show(cargo(&["test", "--workspace", "--doc"], ""))
}

/// The core and the store build for a bare target, and a program without an allocator links it.
fn no_std() -> Result<()> {
    need_target(BARE)?;
    show(cargo(&["build", "-p", "picomlp", "--release", "--target", BARE], ""))?;
    show(cargo(&["check", "-p", "picomlp", "--features", "defmt", "--target", BARE], ""))?;
    let store = ["build", "-p", "picomlp-store", "--all-features", "--target", BARE];
    show(cargo(&store, ""))?;
    let mut bare = cargo(&["build", "--release", "--target", BARE], "");
    bare.current_dir(root().join("tests/bare"));
    show(bare)
}

/// Runs the checks and counts them.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        CHECKS.iter().for_each(|check| println!("{}", check.name));
        THOROUGH.iter().for_each(|check| println!("{} (with --thorough)", check.name));
        return Ok(());
    }
    if args.install {
        tools::install()?;
    }
    let wanted = |check: &&Check| args.only.as_ref().is_none_or(|only| only == check.name);
    let more = if args.thorough || args.only.is_some() { THOROUGH } else { &[] };
    let mut results = Vec::new();
    for check in CHECKS.iter().chain(more).filter(wanted) {
        println!("\n== {} ==", check.name);
        let began = Instant::now();
        let result = (check.run)();
        if let Err(error) = &result {
            println!("{error:#}");
        }
        results.push((check.name, result.is_ok(), began.elapsed().as_secs_f64()));
    }
    println!("\n== checks ==");
    for (name, passed, seconds) in &results {
        println!("{:<6} {name:<20} {seconds:>7.1} s", if *passed { "ok" } else { "FAILED" });
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    if results.is_empty() {
        bail!("no check of that name; `cargo xtask ci --list` names them");
    }
    if failed > 0 {
        bail!("{failed} of {} checks failed", results.len());
    }
    Ok(())
}
