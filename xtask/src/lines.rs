//! `cargo xtask lines`: how much code each crate has, and that it is no more than its budget.
//!
//! A line counts if anything is left on it once comments, string literals and what is compiled for tests alone are taken out. So
//! explaining and testing cost nothing.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::run::root;
use crate::sources::sources;

/// The budgets: a folder and its lines in each row.
const BUDGETS: &str = "xtask/lines.txt";

/// Counts, prints and compares.
pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(root().join(BUDGETS)).context(BUDGETS)?;
    let mut over = Vec::new();
    println!("{:<22} {:>6} {:>6}", "folder", "lines", "budget");
    for row in text.lines().filter(|row| !row.starts_with('#')) {
        let row = row
            .split_once(' ')
            .and_then(|(folder, lines)| Some((folder, lines.trim().parse().ok()?)));
        let (folder, budget): (_, usize) = row.context("a row is a folder and a number")?;
        let lines = count(folder);
        println!("{folder:<22} {lines:>6} {budget:>6}");
        if lines > budget {
            over.push(format!("{folder} has {lines} lines, {budget} are budgeted"));
        }
    }
    ensure!(
        over.is_empty(),
        "{}; a higher budget in {BUDGETS} needs its reason in the commit",
        over.join(", ")
    );
    Ok(())
}

/// Lines of code in a folder.
fn count(folder: &str) -> usize {
    let lines = |shipped: &str| shipped.lines().filter(|line| !line.trim().is_empty()).count();
    sources(folder).iter().map(|source| lines(&source.shipped)).sum()
}

#[cfg(test)]
mod tests {
    use crate::sources::Source;

    #[test]
    fn comments_blank_lines_text_and_tests_do_not_count() {
        let text = "//! A\n\nfn f() { // b\n    /* c\n    d */ let _ = \"e\n    f\";\n}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let shipped = Source::new("a.rs", text).shipped;
        let left: Vec<_> = shipped.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(left, ["fn f() {", "let _ =", ";", "}"]);
    }
}
