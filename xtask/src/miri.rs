//! `cargo xtask miri`: the core's tests under Miri, as far as it gets in minutes.

use anyhow::Result;

use crate::run::show;
use crate::tools::NIGHTLY;

/// Runs them.
pub(crate) fn run() -> Result<()> {
    let args = ["miri", "test", "--package", "picomlp", "--lib"];
    show(NIGHTLY.cargo(&["miri", "--version"], &args)?)
}
