//! Gives the linker its script. Not by flags in `.cargo/config.toml`, which a `RUSTFLAGS` in the environment replaces.

fn main() {
    println!(
        "cargo::rustc-link-search={}",
        std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()
    );
    println!("cargo::rustc-link-arg=-Tbare.x");
    println!("cargo::rustc-link-arg=--nmagic");
    println!("cargo::rerun-if-changed=bare.x");
}
