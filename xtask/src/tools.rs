//! What must be installed beside Rust's own tools, and the commands that install it.

use std::io::ErrorKind;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::run::{command, read};

/// A program that is not part of the project.
pub(crate) struct Tool {
    /// Its name on the path.
    pub(crate) program: &'static str,
    /// The command that installs it on Debian and Ubuntu.
    install: &'static str,
}

// The trailing minus keeps qemu-utils away, which may conflict with a newer one.
pub(crate) const QEMU_ARM: Tool = Tool {
    program: "qemu-system-arm",
    install: "apt-get install -y --no-install-recommends qemu-system-arm qemu-utils-",
};
pub(crate) const QEMU_RISCV: Tool = Tool {
    program: "qemu-system-riscv32",
    install: "apt-get install -y --no-install-recommends qemu-system-misc qemu-utils-",
};
pub(crate) const QEMU_AARCH64: Tool = Tool {
    program: "qemu-aarch64",
    install: "apt-get install -y --no-install-recommends qemu-user",
};
pub(crate) const GCC_AARCH64: Tool = Tool {
    program: "aarch64-linux-gnu-gcc",
    install: "apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
};
pub(crate) const CHROMIUM: Tool =
    Tool { program: "chromium", install: "apt-get install -y --no-install-recommends chromium" };
pub(crate) const NODE: Tool =
    Tool { program: "node", install: "apt-get install -y --no-install-recommends nodejs" };

impl Tool {
    /// An error that names the command that installs it, if it is not there.
    pub(crate) fn need(&self) -> Result<()> {
        let Self { program, install } = self;
        let mut version = command(program, &["--version"]);
        match version.stdout(Stdio::null()).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("{program} is missing; install it with: {install}")
            }
            Err(error) => Err(error).with_context(|| format!("cannot run {program}")),
            Ok(_) => Ok(()),
        }
    }
}

/// An error that names the command that installs it, if the compiler cannot build for this target.
pub(crate) fn need_target(target: &str) -> Result<()> {
    let installed = read(command("rustup", &["target", "list", "--installed"]))?;
    if !installed.lines().any(|line| line == target) {
        bail!("the target {target} is missing; install it with: rustup target add {target}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_or_target_is_an_error_that_says_how_to_install_it() {
        let tool = Tool { program: "no-such-program", install: "make it" };
        let error = tool.need().unwrap_err().to_string();
        assert_eq!(error, "no-such-program is missing; install it with: make it");
        let error = need_target("pdp11").unwrap_err().to_string();
        assert!(error.ends_with("install it with: rustup target add pdp11"), "{error}");
    }
}
