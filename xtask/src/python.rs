//! The Python package: installed as a user does, tested, its notebook and examples run.

use anyhow::{Context, Result};

use crate::mnist::picomlp;
use crate::run::{command, root, show};
use crate::tools::PYTHON;

/// What `pip install ./bindings/python` gives, with scikit-learn, pandas, ONNX Runtime and Dask beside it.
pub(crate) fn quick() -> Result<()> {
    check(&[])
}

/// With PyTorch and Ray, too.
pub(crate) fn thorough() -> Result<()> {
    check(&["-r", "bindings/python/requirements-thorough.txt"])
}

fn check(more: &[&str]) -> Result<()> {
    let requirements = ["-r", "bindings/python/requirements.txt"];
    let program = environment("python", &[&requirements, more, &["./bindings/python"]].concat())?;
    let mut tests = command(&program, &["-m", "pytest", "bindings/python"]);
    tests.env("PICOMLP_CLI", picomlp("", &["--release"])?);
    show(tests)
}

/// Makes a virtual environment `target/NAME` with these packages; returns its interpreter.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<String> {
    let venv = root().join("target").join(name);
    let mut make = PYTHON.command(&["-m", "venv"])?;
    make.arg(&venv);
    show(make)?;
    let program = venv.join("bin/python").to_str().context("a path that is not UTF-8")?.to_owned();
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    show(command(&program, &[&install[..], packages].concat()))?;
    Ok(program)
}
