//! Finds out whether the target has Arm's DSP extension, of which stable Rust's `target_feature` says nothing.
//!
//! Every Armv7E-M core has it; on Armv8-M it is an option that `-C target-cpu` or `-C target-feature=+dsp` names. The
//! assembler refuses the instructions if this is wrong.

use std::env::var;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(picomlp_dsp)");
    println!("cargo::rerun-if-changed=build.rs");
    let target = var("TARGET").unwrap_or_default();
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let named =
        ["+dsp", "target-cpu=cortex-m33", "target-cpu=cortex-m35p", "target-cpu=cortex-m55"];
    let option = target.starts_with("thumbv8m.main") && named.iter().any(|n| flags.contains(n));
    if target.starts_with("thumbv7em") || option {
        println!("cargo::rustc-cfg=picomlp_dsp");
    }
}
