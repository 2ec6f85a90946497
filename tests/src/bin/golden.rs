//! The golden run where there is an operating system; `cargo xtask golden` builds and runs it.

use picomlp::kernels::vectors;
use picomlp_tests::golden_run;

/// The vector instructions that this program was compiled to use, and those that its kernels use: more, where they look
/// for them.
fn instruction_set() -> String {
    let features = [
        ("sse2", cfg!(target_feature = "sse2")),
        ("avx", cfg!(target_feature = "avx")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("fma", cfg!(target_feature = "fma")),
        ("avx512f", cfg!(target_feature = "avx512f")),
        ("neon", cfg!(target_feature = "neon")),
    ];
    let mut names = vec![std::env::consts::ARCH];
    names.extend(features.iter().filter(|(_, there)| *there).map(|(name, _)| name));
    format!("{}, kernels {}", names.join(" "), vectors())
}

fn main() -> Result<(), picomlp::Error> {
    println!("instructions {}\n{}", instruction_set(), golden_run::run()?);
    Ok(())
}
