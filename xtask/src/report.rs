//! The report in a real browser: all of its parts are there, its script runs without an error, it can be looked at.

use core::time::Duration;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::mnist::{empty_folder, in_folder, picomlp};
use crate::run::{command, read_within, show};
use crate::tools::CHROMIUM;

/// What the page must have, as the browser writes it after its scripts have run.
const PARTS: [&str; 10] = [
    "settings",
    "curves",
    "confusion",
    "classes",
    "mistakes",
    "weights",
    "samples",
    "rotation",
    "pca",
    "cloud",
];

/// Catches what goes wrong in the page's scripts, ahead of them.
const WATCH: &str =
    "<script>onerror = message => { document.documentElement.dataset.error = message; };</script>";

/// Trains on synthetic digits, writes the report and opens it, in light and in dark.
pub(crate) fn check() -> Result<()> {
    CHROMIUM.need()?;
    let program = picomlp("", &["--release"])?;
    let folder = empty_folder("report")?;
    let run = |line: &str| show(in_folder(&program, &folder, &line.split(' ').collect::<Vec<_>>()));
    run("train --hidden 32 --epochs 2 --plots pictures")?;
    run("report model.pmlp --history pictures/history.jsonl -o report.html")?;
    let page = fs::read_to_string(folder.join("report.html"))?;
    let watched = page.replacen("<head>", &format!("<head>{WATCH}"), 1);
    ensure!(watched != page, "the page has no head");
    fs::write(folder.join("watched.html"), watched)?;

    let seen = browse(&folder, "watched.html", &["--dump-dom"])?;
    if let Some((_, error)) = seen.split_once("data-error=\"") {
        let error = error.split('"').next().unwrap_or_default();
        anyhow::bail!("a script of the report failed: {error}");
    }
    for part in PARTS {
        ensure!(
            seen.contains(&format!("<section id=\"{part}\">")),
            "the report has no part {part}"
        );
    }
    // The script writes down how many points it has drawn, and makes a button for each class.
    let (_, points) = seen.split_once("data-points=\"").context("the points were not drawn")?;
    let points: usize = points.split('"').next().unwrap_or_default().parse()?;
    ensure!(points > 1000, "{points} points were drawn");
    let buttons = seen.matches("aria-pressed=\"true\"").count();
    ensure!(buttons == 10, "{buttons} classes to choose, expected 10");

    for (name, dark) in [("light.png", false), ("dark.png", true)] {
        let shot = format!("--screenshot={}", folder.join(name).display());
        let mut flags = vec!["--window-size=1200,7200", &shot];
        if dark {
            flags.push("--force-dark-mode");
        }
        browse(&folder, "report.html", &flags)?;
        let bytes = fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        ensure!(bytes > 50_000, "{name}: a picture of {bytes} bytes shows nothing");
    }
    println!("{points} points, {} parts; {}/light.png, dark.png", PARTS.len(), folder.display());
    Ok(())
}

/// Opens a page without a window, and returns what the browser prints.
fn browse(folder: &Path, page: &str, flags: &[&str]) -> Result<String> {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let address = format!("file://{}", folder.join(page).display());
    // No sandbox: it needs rights that a container does not have, and the page is our own.
    let common = [
        "--headless",
        "--log-level=3", // fatal ones alone: there is no desktop to talk to
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--virtual-time-budget=5000",
        &profile,
    ];
    let args: Vec<_> = common.iter().chain(flags).copied().chain([address.as_str()]).collect();
    read_within(command(CHROMIUM.program, &args), Duration::from_secs(120))
}
