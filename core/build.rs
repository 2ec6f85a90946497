//! Finds out which of the assembler kernels the target takes: stable Rust's `target_feature` says nothing of Arm's M profile.
//!
//! `picomlp_cortex_m`: a Cortex-M with an FPU. `picomlp_dsp`: one with the DSP extension.

use std::env::var;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(picomlp_cortex_m, picomlp_dsp)");
    println!("cargo::rerun-if-changed=build.rs");
    let target = var("TARGET").unwrap_or_default();
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if has_fpu(&target) {
        println!("cargo::rustc-cfg=picomlp_cortex_m");
    }
    if has_dsp(&target, &flags, var("CARGO_FEATURE_DSP").is_ok()) {
        println!("cargo::rustc-cfg=picomlp_dsp");
    }
}

/// Whether the target is a Cortex-M with an FPU. Other Arm processors have the same instructions in another encoding, and
/// the kernels were never tried there.
pub(crate) fn has_fpu(target: &str) -> bool {
    target.starts_with("thumb") && target.ends_with("-none-eabihf")
}

/// Whether the target has the DSP extension: every Armv7E-M core does, and on Armv8-M it is an option that comes with the
/// processor named by `-C target-cpu`, or with the feature `dsp` (`wanted`). `-C target-feature` has the last word.
/// `flags` are rustc's, separated by 0x1f.
pub(crate) fn has_dsp(target: &str, flags: &str, wanted: bool) -> bool {
    let option = target.starts_with("thumbv8m.main");
    if !(option || target.starts_with("thumbv7em")) {
        return false;
    }
    let values = |name: &'static str| {
        let words = flags.split('\x1f').map(|word| word.strip_prefix("-C").unwrap_or(word));
        words.filter_map(move |word| word.trim_start().strip_prefix(name))
    };
    let with_dsp = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];
    let processor = values("target-cpu=").next_back().and_then(|cpu| {
        let (cpu, modifiers) = cpu.split_once('+').unwrap_or((cpu, ""));
        with_dsp.contains(&cpu).then(|| !modifiers.split('+').any(|modifier| modifier == "nodsp"))
    });
    let mut features = values("target-feature=").flat_map(|features| features.split(','));
    let named = features.rfind(|feature| matches!(*feature, "+dsp" | "-dsp"));
    named.map_or_else(|| wanted || processor.unwrap_or(!option), |feature| feature == "+dsp")
}
