//! Runs commands from the workspace's root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A command with the root as its folder.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// `cargo` with these arguments, and these flags for the compiler (none, whatever the environment says, if empty).
///
/// Flags get a target folder of their own, so that builds with different flags do not throw each other's away.
pub(crate) fn cargo(args: &[&str], rustflags: &str) -> Command {
    let mut command = command("cargo", args);
    command.env("RUSTFLAGS", rustflags);
    if !rustflags.is_empty() {
        let name = rustflags.rsplit('=').next().unwrap_or_default().replace([',', '+'], "-");
        command.env("CARGO_TARGET_DIR", root().join("target").join(format!("flags-{name}")));
    }
    command
}

/// Runs it and shows its output.
pub(crate) fn show(mut command: Command) -> Result<()> {
    let text = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot run {text}"))?;
    if !status.success() {
        bail!("{text}: {status}");
    }
    Ok(())
}

/// Runs it and returns its standard output.
pub(crate) fn read(mut command: Command) -> Result<String> {
    let text = format!("{command:?}");
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {text}"))?;
    if !output.status.success() {
        bail!("{text}: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{text}: output is not UTF-8"))
}
