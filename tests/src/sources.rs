//! The workspace's sources, with what is no code blanked. `cargo xtask lines` counts by it, too.

use core::ops::Range;
use std::path::{Path, PathBuf};

/// A source file of the workspace.
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// `text` with comments and strings blanked: the same lines.
    pub(crate) code: String,
    /// `code` with `#[cfg(test)]` items blanked too.
    pub(crate) shipped: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_strings(text);
        let shipped = blank_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All `.rs` files of a folder of the workspace, build outputs aside.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
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

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Spaces in place of everything but line ends.
fn blank(code: &mut [char], range: Range<usize>) {
    for c in &mut code[range] {
        if *c != '\n' {
            *c = ' ';
        }
    }
}

pub(crate) fn blank_comments_and_strings(text: &str) -> String {
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
