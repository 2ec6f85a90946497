//! Tells the linker where its scripts lie, and the program what it is built for.

use std::env;

fn main() {
    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo::rustc-link-arg=-Tvirt.x");
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rustc-env=TARGET={}", env::var("TARGET").unwrap());
    println!("cargo::rerun-if-changed=virt.x");
}
