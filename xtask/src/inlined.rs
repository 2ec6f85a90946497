//! Whether the kernels that are compiled for AVX2 and AVX-512 are so down to the last operation.
//!
//! A function between `with_best_vectors` and the vectors that is not inlined is compiled without them, and then
//! calls a function for each operation. The bits are the same, and a step of momentum takes four times as long:
//! nothing but the program's symbols tells.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::mnist::picomlp;

/// How `fearless_simd` names the function of one operation.
const OPERATION: &[u8] = b"6kernel22__fearless_simd_kernel";

/// The function in which a kernel is compiled for detected vectors: that one is never inlined, so a program with
/// symbols has it.
const BEGINNING: &[u8] = b"5entry22__fearless_simd_kernel";

/// No operation of a vector is left as a function of its own in the command line.
pub(crate) fn check() -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let bytes = fs::read(&program).with_context(|| program.display().to_string())?;
    let count = |name: &[u8]| bytes.windows(name.len()).filter(|at| *at == name).count();
    ensure!(
        !cfg!(target_arch = "x86_64") || count(BEGINNING) > 0,
        "{}: no function for detected vectors by its name, so nothing could be said of those in it",
        program.display()
    );
    let calls = count(OPERATION);
    ensure!(
        calls == 0,
        "{}: {calls} vector operations are functions of their own; `nm -C` names them, and the callers lack `inline(always)`",
        program.display()
    );
    println!("every vector operation is inlined");
    Ok(())
}
