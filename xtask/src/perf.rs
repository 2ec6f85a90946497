//! `cargo xtask perf`: how many instructions fixed steps take, compared with a committed table.
//!
//! Valgrind counts them, so that neither the machine nor what else it does changes a digit; a count belongs to the pinned compiler.
//! Valgrind knows no AVX-512: its path is the same source as AVX2's, with other widths. What processors without vectors execute is
//! counted by `cargo xtask firmware`.

use core::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::run::{cargo, command, read, root, target_folder};
use crate::tools::VALGRIND;

/// Counts, one a line: builds, case and instructions of a step, parted by tabs.
const TABLE: &str = "xtask/perf.txt";

/// By so much may a count be above the table's, in percent.
const MORE: f64 = 1.0;

/// What `cargo xtask perf` may be asked.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Write the counts to the table instead of comparing.
    #[arg(long)]
    write: bool,
}

/// Builds: the vectors in use, the compiler's flags, and the core's features.
const BUILDS: [(&str, &str, &[&str]); 3] = [
    ("sse2", "", &[]),
    // Valgrind knows no AVX-512.
    ("avx2 by detection", "--cfg disable_dispatch_avx512", &["--features", "std"]),
    ("avx2", "-C target-feature=+avx2,+bmi1,+bmi2,+lzcnt,+popcnt", &[]),
];

pub(crate) fn run(args: Args) -> Result<()> {
    let table = fs::read_to_string(root().join(TABLE)).unwrap_or_default();
    let mut counted = String::new();
    let mut above = Vec::new();
    for (build, flags, features) in BUILDS {
        let mut cargo = cargo(&["build", "--quiet", "--release", "-p", "picomlp-tests"], flags);
        cargo.args(["--bin", "steps"]).args(features);
        let folder = root().join("target/perf").join(build.replace(' ', "-"));
        cargo.env("CARGO_TARGET_DIR", folder);
        let program = target_folder(&cargo).join("release/steps");
        read(cargo)?;
        let program = program.to_str().context("a path that is not UTF-8")?;
        let said = read(command(program, &[]))?;
        let (cases, vectors) = said.trim().rsplit_once('\n').context("steps named no case")?;
        ensure!(build.starts_with(vectors), "{build}: the program uses {vectors}");
        for case in cases.lines() {
            // What starting takes is in both.
            let [one, three] = [1, 3].map(|steps| count(program, case, steps));
            let instructions = (three? - one?) / 2;
            let known = table.lines().find_map(|line| {
                line.strip_prefix(&format!("{build}\t{case}\t"))?.parse::<u64>().ok()
            });
            let percent = known.map(|known| 100.0 * (instructions as f64 / known as f64 - 1.0));
            let change = percent.map_or_else(|| "new".to_owned(), |p| format!("{p:+.2} %"));
            println!("{build:<18} {case:<38} {instructions:>10} {change:>10}");
            writeln!(counted, "{build}\t{case}\t{instructions}")?;
            if percent.is_none_or(|percent| percent > MORE) {
                above.push(format!("{build}, {case}: {change}"));
            }
        }
    }
    if args.write {
        return fs::write(root().join(TABLE), counted).context(TABLE);
    }
    ensure!(
        above.is_empty(),
        "more instructions than {TABLE} allows: {}; `cargo xtask perf --write` writes new counts, whose reason belongs into the commit",
        above.join("; ")
    );
    Ok(())
}

/// Instructions of a whole run.
fn count(program: &str, case: &str, steps: u64) -> Result<u64> {
    let mut valgrind = VALGRIND.command(&[
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--log-fd=1",
        program,
        case,
        &steps.to_string(),
    ])?;
    valgrind.env_clear();
    let printed = read(valgrind)?;
    let count =
        printed.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.with_context(|| format!("valgrind counted nothing:\n{printed}"))
}
