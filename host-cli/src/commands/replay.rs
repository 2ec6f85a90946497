//! `picomlp replay`: whether a PC decides what a device's monitor has decided.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use picomlp_train::replay::{DECISIONS, replay};
use picomlp_train::text::grouped;
use serde_json::json;

/// Recompute from its log what a device's monitor decided, bit for bit.
///
/// The log is a CSV file: the features of each sample, its number, the device's score and decision; the first line holds the
/// monitor's settings (docs/field.md). Where the device was cut off and went on from a saved state, so does the replay.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device's log, from its first sample on.
    log: PathBuf,
    /// The model that the device began to learn with.
    #[arg(long, value_name = "FILE")]
    device_model: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Replays and reports on `out`.
///
/// # Errors
///
/// If log or model cannot be read or do not fit each other, or device and PC differ.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let found = replay(&args.log, &args.device_model)?;
    let decisions = || DECISIONS.into_iter().zip(found.decisions);
    if args.json {
        let decisions: serde_json::Map<_, _> =
            decisions().map(|(name, count)| (name.to_owned(), count.into())).collect();
        let first = found.first_difference.as_ref().map(|first| {
            json!({
                "line": first.line,
                "column": first.column,
                "expected": first.expected,
                "got": first.got,
            })
        });
        let line = json!({
            "event": "replay",
            "log": args.log.display().to_string(),
            "device_model": args.device_model.display().to_string(),
            "samples": found.samples,
            "restarts": found.restarts,
            "decisions": decisions,
            "threshold": found.threshold,
            "first_difference": first,
        });
        writeln!(out, "{line}")?;
    } else {
        let decisions: Vec<_> =
            decisions().map(|(name, count)| format!("{} {name}", grouped(count))).collect();
        let equal = if found.first_difference.is_none() { ", all equal bit for bit" } else { "" };
        writeln!(out, "samples        {}{equal}", grouped(found.samples))?;
        writeln!(out, "decisions      {}", decisions.join(", "))?;
        writeln!(out, "threshold      {}", found.threshold)?;
        writeln!(out, "restarts       {}", grouped(found.restarts))?;
    }
    match &found.first_difference {
        None => Ok(()),
        Some(first) => bail!("{}, {first}", args.log.display()),
    }
}
