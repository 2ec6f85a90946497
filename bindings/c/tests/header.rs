//! The header that is shipped is the one that cbindgen writes.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_header_is_what_cbindgen_writes() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut written = Vec::new();
    cbindgen::generate(crate_folder).unwrap().write(&mut written);
    let header = crate_folder.join("include/picomlp.h");
    if env::var_os("OVERWRITE").is_some() {
        fs::write(&header, &written).unwrap();
    }
    let is_same = fs::read(&header).unwrap_or_default() == written;
    assert!(is_same, "OVERWRITE=1 cargo test -p picomlp-c --test header writes it anew");
}

#[test]
fn the_example_in_the_docs_is_the_one_that_ci_compiles() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(crate_folder.join("examples/minimal/minimal.c")).unwrap();
    let docs = fs::read_to_string(crate_folder.join("../../docs/c.md")).unwrap();
    assert!(
        docs.contains(&format!("```c\n{example}```")),
        "docs/c.md: not examples/minimal/minimal.c"
    );
}

#[test]
fn the_manifests_of_the_package_have_the_version_of_the_crate() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("package");
    let version = env!("CARGO_PKG_VERSION");
    for (file, expected) in [
        ("library.properties", format!("\nversion={version}\n")),
        ("library.json", format!("\"version\": \"{version}\"")),
        ("lib/cmake/picomlp/picomlpConfigVersion.cmake", format!("PACKAGE_VERSION {version})")),
    ] {
        let text = fs::read_to_string(package.join(file)).unwrap();
        assert!(text.contains(&expected), "{file}: no `{expected}`");
    }
}
