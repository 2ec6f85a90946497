//! Picks the board's memory map (`BOARD`, a file under `boards/`) and says where the programs' inputs lie.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let board = env::var("BOARD").unwrap_or_else(|_| "mps2-an386".into());
    let memory = here.join("boards").join(format!("{board}.x"));
    fs::copy(&memory, out.join("memory.x"))
        .unwrap_or_else(|error| panic!("BOARD={board}: {}: {error}", memory.display()));
    let inputs = env::var_os("PICOMLP_INPUTS")
        .map_or_else(|| here.join("../target/firmware/inputs"), PathBuf::from);

    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic"); // sections at addresses that are no multiple of 64 KiB
    println!("cargo:rustc-env=BOARD={board}");
    println!("cargo:rustc-env=TARGET={}", env::var("TARGET").unwrap());
    println!("cargo:rustc-env=PICOMLP_INPUTS={}", inputs.display());
    println!("cargo:rerun-if-env-changed=BOARD");
    println!("cargo:rerun-if-env-changed=PICOMLP_INPUTS");
    println!("cargo:rerun-if-changed=boards");
}
