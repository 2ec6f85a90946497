//! What `verify` prints.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::json;

use super::Args;
use super::compare::{Comparison, Difference};
use super::session::DeviceInfo;
use picomlp_train::text::{grouped, one_line, percent};

/// Reports on `out`.
///
/// # Errors
///
/// If the device differs from the host, with the first difference.
pub(super) fn report(
    args: &Args,
    out: &mut dyn Write,
    device: &DeviceInfo,
    all: &Comparison,
) -> Result<()> {
    let speed = all.samples as f64 / all.seconds;
    let accuracy = all.correct.map(|correct| correct as f64 / all.samples as f64);
    if args.json {
        let line = json!({
            "event": "verify",
            "model": args.model.display().to_string(),
            "data": args.data.to_string(),
            "device": device.name,
            "arithmetic": device.arithmetic.to_string(),
            "fingerprint": format!("{:016x}", device.fingerprint),
            "samples": all.samples,
            "equal": all.equal,
            "first_difference": all.first.as_ref().map(difference_json),
            "accuracy": accuracy,
            "seconds": all.seconds,
            "samples_per_second": speed,
        });
        writeln!(out, "{line}")?;
    } else {
        let model = args.model.display();
        writeln!(out, "device         {}, {}", one_line(&device.name), device.arithmetic)?;
        writeln!(out, "model          {model}, fingerprint {:016x} on both", device.fingerprint)?;
        let different = match all.samples - all.equal {
            0 => "all equal bit for bit in logits and class".to_owned(),
            count => format!("{} differ", grouped(count)),
        };
        writeln!(out, "samples        {} of {}: {different}", grouped(all.samples), args.data)?;
        if let Some(accuracy) = accuracy {
            writeln!(out, "accuracy       {} on these", percent(accuracy))?;
        }
        writeln!(out, "speed          {speed:.1} samples/s, there and back")?;
    }
    match &all.first {
        None => Ok(()),
        Some(first) => bail!(
            "the device differs from {} in {} of {} samples; the first: {first}",
            args.model.display(),
            grouped(all.samples - all.equal),
            grouped(all.samples)
        ),
    }
}

fn difference_json(first: &Difference) -> serde_json::Value {
    json!({
        "sample": first.sample,
        "output": first.output,
        "expected_bits": format!("{:08x}", first.expected),
        "got_bits": format!("{:08x}", first.got),
    })
}
