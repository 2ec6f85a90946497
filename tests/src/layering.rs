//! Who may import whom, read off the sources.
//!
//! `fixtures` knows nothing of ours; inside the core, `kernels` know slices, `layers` and `optim` know kernels,
//! and so on up. `wide` stays under `kernels/`, `fearless_simd` in one file there, `libm` in `math.rs`, and nothing that fuses or reorders a sum
//! appears at all. Comments, strings and `#[cfg(test)]` items are blanked before anything is searched.

use core::fmt;
use core::ops::Range;
use std::path::{Path, PathBuf};

/// A source file of the workspace.
struct Source {
    /// Relative to the workspace, with `/`.
    path: String,
    text: String,
    /// `text` with comments and strings blanked: the same lines.
    code: String,
    /// `code` with `#[cfg(test)]` items blanked too.
    shipped: String,
}

/// What broke a rule, and where.
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_strings(text);
        let shipped = blank_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    fn finding(&self, at: usize, what: impl Into<String>) -> Finding {
        let line = 1 + self.code[..at].matches('\n').count();
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All `.rs` files of a folder of the workspace, build outputs aside.
fn sources(folder: &str) -> Vec<Source> {
    let root = root();
    let mut folders = vec![root.join(folder)];
    let mut sources = vec![];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source::new(&path, &text));
            }
        }
    }
    assert!(!sources.is_empty(), "no sources in {folder}");
    let test_files: Vec<String> = sources.iter().flat_map(test_files).collect();
    for source in &mut sources {
        if test_files.contains(&source.path) {
            source.shipped.clear();
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The files of modules that `source` declares as `#[cfg(test)] mod name;`.
fn test_files(source: &Source) -> Vec<String> {
    let folder = source.path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().fold(folder, |f, end| f.trim_end_matches(end));
    let items = source.code.split("#[cfg(test)]").skip(1);
    let names = items.filter_map(|item| item.trim_start().strip_prefix("mod ")?.split_once(';'));
    let names = names.filter(|(name, _)| name.chars().all(is_word));
    names.map(|(name, _)| format!("{folder}/{name}.rs")).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `code` as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// Spaces in place of everything but line ends.
fn blank(code: &mut [char], range: Range<usize>) {
    for c in &mut code[range] {
        if *c != '\n' {
            *c = ' ';
        }
    }
}

fn blank_comments_and_strings(text: &str) -> String {
    let mut code: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < code.len() {
        let start = at;
        let next = |n: usize| code.get(start + n).copied().unwrap_or('\n');
        match code[at] {
            '/' if next(1) == '/' => {
                while at < code.len() && code[at] != '\n' {
                    at += 1;
                }
            }
            '/' if next(1) == '*' => {
                let mut depth = 0;
                loop {
                    match (code.get(at), code.get(at + 1)) {
                        (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                        (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= code.len() {
                        break;
                    }
                }
            }
            'r' if (start == 0 || !is_word(code[start - 1]) || code[start - 1] == 'b')
                && raw_string_hashes(&code[start + 1..]).is_some() =>
            {
                let hashes = raw_string_hashes(&code[start + 1..]).unwrap_or(0);
                let end: Vec<char> = core::iter::once('"').chain(['#'].repeat(hashes)).collect();
                at += 2 + hashes;
                while at < code.len() && !code[at..].starts_with(&end) {
                    at += 1;
                }
                at += end.len();
            }
            '"' => {
                at += 1;
                while at < code.len() && code[at] != '"' {
                    at += if code[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            // A character, not a lifetime: 'x' or an escape.
            '\'' if next(1) == '\\' || next(2) == '\'' => {
                at += if next(1) == '\\' { 3 } else { 2 };
                while at < code.len() && code[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            _ => {
                at += 1;
                continue;
            }
        }
        at = at.min(code.len());
        blank(&mut code, start..at);
    }
    code.into_iter().collect()
}

/// The number of `#` if a raw string begins here, after its `r`.
fn raw_string_hashes(after_r: &[char]) -> Option<usize> {
    let hashes = after_r.iter().take_while(|c| **c == '#').count();
    (after_r.get(hashes) == Some(&'"')).then_some(hashes)
}

/// Blanks each item marked `#[cfg(test)]`: up to its `;`, or to the end of its braces.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut code: Vec<char> = code.chars().collect();
    let mark: Vec<char> = MARK.chars().collect();
    let mut at = 0;
    while at < code.len() {
        if !code[at..].starts_with(&mark) {
            at += 1;
            continue;
        }
        let (start, mut depth) = (at, 0);
        at += mark.len();
        while at < code.len() {
            match code[at] {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(code[at - 1], ';' | '}') {
                break;
            }
        }
        blank(&mut code, start..at);
    }
    code.into_iter().collect()
}

/// The module that each `crate::` path names first, with its place: `crate::a::B` and `crate::{a::B, c}`.
fn crate_modules(code: &str) -> Vec<(usize, &str)> {
    let name = |at: usize| {
        let rest = &code[at..];
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    };
    let mut modules = vec![];
    for at in words(code, "crate") {
        let Some(rest) = code[at..].strip_prefix("crate::") else { continue };
        let inside = at + "crate::".len();
        if !rest.starts_with('{') {
            modules.push((inside, name(inside)));
            continue;
        }
        let (mut depth, mut fresh) = (0, false);
        for (offset, c) in rest.char_indices() {
            match c {
                '{' => (depth, fresh) = (depth + 1, depth == 0),
                '}' => depth -= 1,
                ',' => fresh = depth == 1,
                c if is_word(c) && fresh => {
                    modules.push((inside + offset, name(inside + offset)));
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

/// Every use of `word` in what is shipped of files that `allowed` does not name.
fn misplaced(sources: &[Source], word: &str, allowed: impl Fn(&str) -> bool) -> Vec<Finding> {
    let elsewhere = sources.iter().filter(|source| !allowed(&source.path));
    elsewhere
        .flat_map(|source| {
            words(&source.shipped, word).map(|at| source.finding(at, format!("`{word}` here")))
        })
        .collect()
}

/// What the files below each path of the core may name after `crate::`. The first path that fits counts.
const MODULES: &[(&str, &[&str])] = &[
    ("core/src/lib.rs", &[]),
    ("core/src/error.rs", &[]),
    ("core/src/math.rs", &[]),
    ("core/src/rng.rs", &["math"]),
    ("core/src/fingerprint.rs", &[]),
    ("core/src/samples.rs", &[]),
    ("core/src/checksum.rs", &[]),
    ("core/src/kernels/", &["math", "Error", "kernels"]),
    ("core/src/init.rs", &["math", "rng"]),
    ("core/src/int8/", &["kernels", "layers"]),
    ("core/src/loss.rs", &["Error", "kernels"]),
    ("core/src/layers/", &["Error", "kernels", "init", "int8", "layers", "math", "rng"]),
    ("core/src/network.rs", &["Error", "kernels", "init", "layers", "loss"]),
    ("core/src/optim/", &["Error", "kernels", "layers", "math", "network", "optim"]),
    ("core/src/buffered.rs", &["Error", "kernels", "layers", "loss", "math", "network", "optim"]),
    ("core/src/trainer.rs", &["Error", "kernels", "layers", "loss", "network", "optim", "samples"]),
    (
        "core/src/blob/",
        &[
            "Error",
            "int8",
            "kernels",
            "layers",
            "network",
            "fingerprint",
            "checksum",
            "blob",
            "loss",
            "Sgd",
            "Adam",
        ],
    ),
    (
        "core/src/protocol/",
        &["Error", "layers", "network", "fingerprint", "checksum", "blob", "protocol"],
    ),
];

fn wrong_modules(sources: &[Source]) -> Vec<Finding> {
    let mut findings = vec![];
    for source in sources {
        let rule = MODULES.iter().find(|(path, _)| source.path.starts_with(path));
        let Some((_, allowed)) = rule else {
            findings.push(source.finding(0, "no rule says what this file may import"));
            continue;
        };
        for (at, module) in crate_modules(&source.shipped) {
            if !allowed.contains(&module) {
                findings.push(source.finding(at, format!("may not import `crate::{module}`")));
            }
        }
        // The other way up and out of a folder, which the search above would not see.
        for at in source.shipped.match_indices("super::super").map(|(at, _)| at) {
            findings.push(source.finding(at, "write `crate::` instead of `super::super`"));
        }
    }
    findings
}

fn none(findings: Vec<Finding>) {
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn modules_of_the_core_import_only_what_is_below_them() {
    none(wrong_modules(&sources("core/src")));
}

#[test]
fn each_library_of_arithmetic_is_named_in_one_place_of_the_core() {
    let core = sources("core/src");
    none(misplaced(&core, "wide", |path| path.starts_with("core/src/kernels/")));
    none(misplaced(&core, "fearless_simd", |path| path == "core/src/kernels/simd/found.rs"));
    none(misplaced(&core, "libm", |path| path == "core/src/math.rs"));
}

#[test]
fn nothing_in_the_core_fuses_or_reorders_a_sum() {
    let core = sources("core");
    for word in ["mul_add", "mul_sub", "mul_neg_add", "mul_neg_sub", "reduce_add", "reduce_mul"] {
        none(misplaced(&core, word, |_| false));
    }
    // Libraries of fused or approximate arithmetic by another name.
    for word in ["fmaf", "fma", "fast_max", "fast_min", "core_intrinsics"] {
        none(misplaced(&core, word, |_| false));
    }
}

#[test]
fn core_denies_unsafe_and_std_and_fixtures_know_nothing_of_ours() {
    // `kernels/arm/` lifts it, for assembler; a `forbid` could not be lifted.
    for (path, level) in [("core/src/lib.rs", "deny"), ("fixtures/src/lib.rs", "forbid")] {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let lib = Source::new(path, &text);
        for attribute in ["#![no_std]".to_owned(), format!("#![{level}(unsafe_code)]")] {
            assert!(lib.code.contains(&attribute), "{path}:1: `{attribute}` is missing");
        }
    }
    let fixtures = sources("fixtures");
    for word in ["picomlp", "picomlp_cli", "picomlp_tests"] {
        none(misplaced(&fixtures, word, |_| false));
    }
    for word in ["std", "alloc"] {
        none(misplaced(&fixtures, word, |_| false));
        none(misplaced(&sources("core/src"), word, |_| false));
    }
    none(misplaced(&sources("core"), "picomlp_fixtures", |path| path.starts_with("core/benches/")));
}

/// Names under a table of a manifest, with their lines.
fn manifest_table(path: &str, table: &str) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let lines = text.lines().enumerate();
    let after = lines.skip_while(|(_, line)| line.trim() != format!("[{table}]")).skip(1);
    let inside = after.take_while(|(_, line)| !line.starts_with('['));
    let entries = inside.filter(|(_, line)| line.starts_with(is_word));
    let name = |line: &str| line.chars().take_while(|c| is_word(*c) || *c == '-').collect();
    entries.map(|(i, line)| (i + 1, name(line))).collect()
}

/// What the core depends on to look for vectors when it runs.
const X86_64: &str = "target.'cfg(target_arch = \"x86_64\")'.dependencies";

#[test]
fn manifests_name_no_dependency_that_the_layout_does_not() {
    let no_std = ["wide", "bytemuck", "libm", "heapless", "rand_xoshiro", "crc"];
    let rules: [(&str, &str, &[&str]); 5] = [
        ("core/Cargo.toml", "dependencies", &no_std),
        ("core/Cargo.toml", X86_64, &["fearless_simd"]),
        ("core/Cargo.toml", "dev-dependencies", &["picomlp-fixtures"]),
        ("fixtures/Cargo.toml", "dependencies", &["libm", "rand_xoshiro"]),
        ("tests/Cargo.toml", "dependencies", &["picomlp", "picomlp-fixtures"]),
    ];
    for (path, table, allowed) in rules {
        let names = manifest_table(path, table);
        assert!(!names.is_empty(), "{path}: no [{table}]");
        for (line, name) in names {
            assert!(allowed.contains(&name.as_str()), "{path}:{line}: `{name}` in [{table}]");
        }
    }
    for (line, name) in manifest_table("host-cli/Cargo.toml", "dependencies") {
        let ours = name.starts_with("picomlp");
        let allowed = ["picomlp", "picomlp-fixtures"].contains(&name.as_str());
        assert!(!ours || allowed, "host-cli/Cargo.toml:{line}: `{name}`");
    }
}

#[test]
fn unsafe_code_stands_in_three_named_places_alone() {
    // The assembler kernels, the counting allocator, and the edge of the WebAssembly module.
    let allowed =
        ["core/src/kernels/arm/", "tests/src/no_alloc.rs", "tests/targets/wasm/src/lib.rs"];
    let mut findings = vec![];
    for folder in ["core", "host-cli", "fixtures", "tests", "xtask"] {
        for source in sources(folder) {
            if allowed.iter().any(|path| source.path.starts_with(path)) {
                continue;
            }
            for word in ["unsafe", "allow(unsafe_code", "expect(unsafe_code"] {
                let found = words(&source.code, word).map(|at| source.finding(at, word));
                findings.extend(found.collect::<Vec<_>>());
            }
        }
    }
    none(findings);
}

#[test]
fn sources_name_no_place_on_the_machine_they_were_written_on() {
    let mut findings = vec![];
    for folder in ["core", "host-cli", "fixtures", "tests", "xtask"] {
        for source in sources(folder) {
            // In two parts, so as not to find themselves.
            for place in [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"], ["/o", "pt/"]] {
                let place = place.concat();
                if let Some(at) = source.text.find(&place) {
                    let line = 1 + source.text[..at].matches('\n').count();
                    let what = format!("names {place}");
                    findings.push(Finding { path: source.path.clone(), line, what });
                }
            }
        }
    }
    none(findings);
}

/// The rules on sources that break them: each finding names its file and line.
#[test]
fn broken_rules_are_found_at_their_file_and_line() {
    let bad = "//! wide\n\nuse crate::{\n    math,\n    network::{Network, argmax},\n    layers::Layer,\n};\n\
               fn f() { let _ = \"libm::exp\"; x.mul_add(y, z); }\n\
               #[cfg(test)]\nmod tests {\n    fn g() { libm::exp(1.0); }\n}\nuse wide::f32x8;\n";
    let source = [Source::new("core/src/kernels/bad.rs", bad)];
    let found = |findings: Vec<Finding>| format!("{findings:?}");
    assert_eq!(
        found(wrong_modules(&source)),
        "[core/src/kernels/bad.rs:5: may not import `crate::network`, \
         core/src/kernels/bad.rs:6: may not import `crate::layers`]"
    );
    let mul_add = misplaced(&source, "mul_add", |_| false);
    assert_eq!(found(mul_add), "[core/src/kernels/bad.rs:8: `mul_add` here]");
    assert_eq!(found(misplaced(&source, "libm", |_| false)), "[]");
    let wide = misplaced(&source, "wide", |path| path.starts_with("core/src/layers/"));
    assert_eq!(found(wide), "[core/src/kernels/bad.rs:13: `wide` here]");
}

#[test]
fn comments_strings_and_characters_are_blanked_and_lifetimes_are_not() {
    let text =
        "a /* b /* c */ d */ 'e' '\\'' \"f\\\"g\" r#\"h\"i\"# &'j k // l\nm b\"n\" '\\u{1F}'";
    let words: Vec<String> =
        blank_comments_and_strings(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "&'j", "k", "m", "b"]);
}
