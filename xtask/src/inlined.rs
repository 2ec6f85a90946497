//! Whether the kernels that are compiled for AVX2 are so down to the last operation.
//!
//! A function between `dispatch` and the vectors that is not inlined is compiled without AVX2, and then calls a function for each
//! operation. The bits are the same, and a step of momentum takes four times as long: nothing but the program's symbols
//! tells.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::mnist::picomlp;

/// How `fearless_simd` names the function of one operation.
const OPERATION: &[u8] = b"__fearless_simd_kernel";

/// No operation of a vector is left as a function of its own in the command line.
pub(crate) fn check() -> Result<()> {
    let program = picomlp("", &["--release"])?;
    let bytes = fs::read(&program).with_context(|| program.display().to_string())?;
    let calls = bytes.windows(OPERATION.len()).filter(|at| *at == OPERATION).count();
    ensure!(
        calls == 0,
        "{}: {calls} vector operations are functions of their own; `nm -C` names them, and the callers lack `inline(always)`",
        program.display()
    );
    println!("every vector operation is inlined");
    Ok(())
}
