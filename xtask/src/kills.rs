//! `cargo xtask kills`: the test that kills runs, more often than `cargo test` does.

use anyhow::Result;

use crate::run::{cargo, show};

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
    show(test)
}
