//! Who may import whom, read off the sources.
//!
//! `fixtures` knows nothing of ours; inside the core, `kernels` know slices, `layers` and `optim` know kernels,
//! and so on up. `wide` stays under `kernels/`, `fearless_simd` in `simd/` there, `libm` in `math.rs`, and nothing that fuses or reorders a sum
//! appears at all. Comments, strings and `#[cfg(test)]` items are blanked before anything is searched.

use core::fmt;

use super::sources::{Source, blank_comments_and_strings, is_word, root, sources};

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
    fn finding(&self, at: usize, what: impl Into<String>) -> Finding {
        let line = 1 + self.code[..at].matches('\n').count();
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

/// Where `word` stands in `code` as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
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
    ("core/src/frames.rs", &[]),
    ("core/src/buffers.rs", &[]),
    ("core/src/training.rs", &[]),
    ("core/src/kernels/", &["math", "Error", "kernels", "frames"]),
    ("core/src/init.rs", &["math", "rng"]),
    ("core/src/int8/", &["kernels", "layers"]),
    ("core/src/loss.rs", &["Error", "kernels", "math"]),
    (
        "core/src/layers/",
        // The last two are what `chain!` names.
        &["Error", "kernels", "init", "int8", "layers", "math", "rng", "Chain", "chain"],
    ),
    ("core/src/network.rs", &["Error", "kernels", "init", "layers", "loss", "math", "step"]),
    ("core/src/step.rs", &["Error", "kernels", "layers", "loss", "network"]),
    ("core/src/optim/", &["Error", "kernels", "layers", "math", "network", "optim"]),
    (
        "core/src/trainer/",
        &[
            "Error", "buffers", "kernels", "layers", "loss", "math", "network", "optim", "samples",
            "step", "training",
        ],
    ),
    (
        "core/src/monitor.rs",
        &["Error", "kernels", "layers", "loss", "math", "network", "optim", "trainer"],
    ),
    (
        "core/src/blob/",
        &[
            "Error",
            "int8",
            "kernels",
            "layers",
            "math",
            "network",
            "fingerprint",
            "checksum",
            "blob",
            "loss",
            "samples",
            "training",
            "Sgd",
            "Adam",
        ],
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
    none(misplaced(&core, "fearless_simd", |path| path.starts_with("core/src/kernels/simd/")));
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
        // What a hidden feature of the core needs, for `cargo xtask frames`.
        let allowed = |path: &str| path == "core/src/frames.rs" || path == "core/src/lib.rs";
        none(misplaced(&sources("core/src"), word, allowed));
    }
    none(misplaced(&sources("core/src"), "picomlp_fixtures", |_| false));
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
    let no_std = ["wide", "bytemuck", "libm", "heapless", "rand_xoshiro", "crc", "defmt"];
    let rules: [(&str, &str, &[&str]); 7] = [
        ("core/Cargo.toml", "dependencies", &no_std),
        ("core/Cargo.toml", X86_64, &["fearless_simd"]),
        ("core/Cargo.toml", "dev-dependencies", &["picomlp-fixtures"]),
        ("fixtures/Cargo.toml", "dependencies", &["libm", "rand_xoshiro"]),
        (
            "store/Cargo.toml",
            "dependencies",
            &["crc", "embedded-storage", "embedded-storage-async"],
        ),
        ("link/Cargo.toml", "dependencies", &["bytemuck", "crc", "picomlp"]),
        (
            "tests/Cargo.toml",
            "dependencies",
            &["embedded-storage", "picomlp", "picomlp-fixtures", "picomlp-link", "picomlp-store"],
        ),
    ];
    for (path, table, allowed) in rules {
        let names = manifest_table(path, table);
        assert!(!names.is_empty(), "{path}: no [{table}]");
        for (line, name) in names {
            assert!(allowed.contains(&name.as_str()), "{path}:{line}: `{name}` in [{table}]");
        }
    }
    // Below the command line nothing parses arguments or draws progress; what figures need, training does not.
    let ours: [(&str, &[&str]); 3] = [
        ("host-cli/train/Cargo.toml", &["picomlp", "picomlp-fixtures"]),
        ("host-cli/plots/Cargo.toml", &["picomlp", "picomlp-fixtures", "picomlp-train"]),
        (
            "host-cli/Cargo.toml",
            &["picomlp", "picomlp-fixtures", "picomlp-link", "picomlp-plots", "picomlp-train"],
        ),
    ];
    for (path, allowed) in ours {
        for (line, name) in manifest_table(path, "dependencies") {
            let is_wrong = name.starts_with("picomlp") && !allowed.contains(&name.as_str());
            let is_cli = ["clap", "indicatif", "signal-hook"].contains(&name.as_str());
            let is_thin = path == "host-cli/Cargo.toml";
            assert!(!is_wrong && (is_thin || !is_cli), "{path}:{line}: `{name}`");
        }
    }
}

/// The modules of a crate, by file, that each module names after `crate::`, its own folder aside.
fn imports(folder: &str) -> Vec<(String, String)> {
    let module = |path: &str| {
        let inside = path.trim_start_matches(folder).trim_start_matches('/');
        inside.split(['/', '.']).next().unwrap_or_default().to_owned()
    };
    let mut edges = vec![];
    for source in sources(folder).iter().filter(|source| !source.path.ends_with("/lib.rs")) {
        let from = module(&source.path);
        let named = crate_modules(&source.shipped).into_iter().map(|(_, to)| to.to_owned());
        edges.extend(named.filter(|to| *to != from).map(|to| (from.clone(), to)));
    }
    edges
}

#[test]
fn no_two_modules_of_the_host_import_each_other_and_no_command_another() {
    for folder in ["host-cli/src", "host-cli/train/src", "host-cli/plots/src"] {
        let edges = imports(folder);
        let mut modules: Vec<&String> = edges.iter().map(|(from, _)| from).collect();
        modules.sort();
        modules.dedup();
        // Takes away what imports nothing that is left, again and again: a circle stays.
        loop {
            let before = modules.len();
            let left = modules.clone();
            modules.retain(|m| edges.iter().any(|(from, to)| from == *m && left.contains(&to)));
            if modules.len() == before {
                break;
            }
        }
        assert!(modules.is_empty(), "{folder}: import each other in a circle: {modules:?}");
    }
    let commands = sources("host-cli/src/commands");
    none(misplaced(&commands, "commands", |path| path.ends_with("/mod.rs")));
}

#[test]
fn unsafe_code_stands_in_named_places_alone() {
    // The bindings' boundaries, the assembler kernels, the counting allocator, the test that changes the float mode, painted stack, and the edge of
    // the WebAssembly module.
    let allowed = [
        "bindings/c/",
        "bindings/python/src/arrays.rs",
        "core/src/kernels/arm/",
        "tests/src/no_alloc.rs",
        "tests/src/refused.rs",
        "tests/targets/riscv/src/stack.rs",
        "tests/targets/wasm/src/lib.rs",
    ];
    let mut findings = vec![];
    for folder in ["bindings", "core", "host-cli", "fixtures", "tests", "xtask"] {
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
