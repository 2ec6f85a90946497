//! What the core's build script finds out about a target.

#[path = "../../core/build.rs"]
#[allow(dead_code, reason = "cargo calls its main")]
mod build;

use build::{has_dsp, has_fpu};

const M4F: &str = "thumbv7em-none-eabihf";
const M33: &str = "thumbv8m.main-none-eabihf";

#[test]
fn the_dsp_kernel_is_for_processors_with_the_extension_and_flags_have_the_last_word() {
    let cases = [
        (M4F, "", true),
        ("thumbv7em-none-eabi", "", true),
        (M4F, "-C\x1ftarget-feature=-dsp", false),
        (M33, "", false),
        (M33, "-C\x1ftarget-feature=+dsp", true),
        ("thumbv8m.main-none-eabi", "-Ctarget-feature=+fp-armv8d16sp,+dsp", true),
        (M33, "-C\x1ftarget-cpu=cortex-m33", true),
        (M33, "-C target-cpu=cortex-m85", true),
        (M33, "-Ctarget-cpu=cortex-m55", true),
        (M33, "-C\x1ftarget-cpu=cortex-m33+nodsp", false),
        (M33, "-C\x1ftarget-cpu=cortex-m23", false),
        (M33, "-C\x1ftarget-cpu=cortex-m33\x1f-C\x1ftarget-feature=-dsp", false),
        (M33, "-C\x1ftarget-feature=-dsp\x1f-C\x1ftarget-feature=+dsp", true),
        (M33, "-C\x1ftarget-cpu=cortex-m33\x1f-C\x1ftarget-cpu=generic", false),
        ("thumbv6m-none-eabi", "-C\x1ftarget-feature=+dsp", false),
        ("armv7r-none-eabihf", "", false),
        ("x86_64-unknown-linux-gnu", "-C\x1ftarget-feature=+dsp", false),
    ];
    for (target, flags, expected) in cases {
        assert_eq!(has_dsp(target, flags, false), expected, "{target} {flags:?}");
    }
}

#[test]
fn the_feature_dsp_needs_no_flag_yields_to_one_and_does_nothing_on_other_targets() {
    let cases = [
        (M33, "", true),
        (M33, "-C\x1ftarget-feature=-dsp", false),
        (M4F, "", true),
        ("thumbv8m.base-none-eabi", "", false),
        ("thumbv6m-none-eabi", "", false),
        ("x86_64-unknown-linux-gnu", "", false),
    ];
    for (target, flags, expected) in cases {
        assert_eq!(has_dsp(target, flags, true), expected, "{target} {flags:?}");
    }
}

#[test]
fn the_assembler_for_cortex_m_is_for_no_other_arm_processor() {
    let cases = [
        (M4F, true),
        (M33, true),
        ("thumbv7em-none-eabi", false),
        ("thumbv6m-none-eabi", false),
        ("armv7r-none-eabihf", false),
        ("armv8r-none-eabihf", false),
        ("armv7a-none-eabihf", false),
        ("armv7-unknown-linux-gnueabihf", false),
    ];
    for (target, expected) in cases {
        assert_eq!(has_fpu(target), expected, "{target}");
    }
}
