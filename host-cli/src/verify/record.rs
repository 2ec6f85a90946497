//! `picomlp record`: features from a device's sensor, into a CSV file.

use core::time::Duration;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use picomlp_train::open::read_text;
use picomlp_train::output::Inputs;
use picomlp_train::text::grouped;

use super::link::Link;
use super::session::Session;
use super::timeout;
use crate::files;
use crate::interrupt::{self, Interrupted};

/// Features of a sample at most.
const MOST_FEATURES: usize = 16_384;

/// Bytes of a request that an earlier `verify` may have left unfinished.
const REQUEST: usize = 1024;

/// Bytes at most of a file that is added to.
const MOST: u64 = 1 << 30;

/// Record labeled samples from a device's sensor into a CSV file that `train` reads.
///
/// The device speaks the protocol of docs/device-protocol.md and gives the features of one sample after the other. Ctrl-C ends
/// the recording; what has come until then is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A serial port that is set up already, or a command to start, with its arguments as a shell takes them.
    device: String,
    /// CSV file to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Label of the samples.
    #[arg(long, value_parser = label, value_name = "LABEL")]
    label: String,
    /// Samples to record.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    samples: u32,
    /// Add to the file, which may have other labels.
    #[arg(long)]
    append: bool,
    /// Names of the features, with commas [default: f0,f1,…].
    #[arg(long, value_delimiter = ',', value_parser = label, value_name = "NAMES")]
    names: Vec<String>,
    /// Time to wait for each sample.
    #[arg(long, default_value = "10", value_parser = timeout, value_name = "SECONDS")]
    timeout: Duration,
}

/// Records, and reports on `out`.
///
/// # Errors
///
/// If the device cannot be started, does not answer as the protocol has it, has no sensor, or gives a number that is not finite or
/// another number of features than before; if the file exists and is not to be added to, has other columns, or cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let shown = args.out.display();
    let exists = args.out.exists();
    ensure!(
        args.append || !exists,
        "{shown} exists: add to it with --append, or name another file"
    );
    let before = if exists { read_text(&args.out, MOST)? } else { String::new() };
    let outputs = files::plan(&Inputs::default(), [&args.out])?;
    let mut memory = vec![0; 4 * MOST_FEATURES];
    let mut session = Session::new(Link::open(&args.device)?, args.timeout, &mut memory);
    session.hello(REQUEST).context("hello")?;

    let _deferred = interrupt::defer();
    let (mut text, mut recorded, mut width) = (before, 0, 0);
    while recorded < args.samples && interrupt::requested().is_none() {
        let sample = || format!("sample {recorded}");
        let features = session.features().with_context(sample)?;
        if recorded == 0 {
            width = features.len();
            begin(&mut text, args, width)?;
        }
        let got = features.len();
        ensure!(got == width, "{}: expected {width} features as before, got {got}", sample());
        for (feature, value) in features.iter().enumerate() {
            ensure!(value.is_finite(), "{}: feature {feature} is {value}", sample());
            text += &format!("{value},");
        }
        text += &format!("{}\n", args.label);
        recorded += 1;
    }
    if recorded > 0 {
        files::write(outputs, &[text.as_bytes()])?;
    }
    let said = format!(
        "{} samples of {width} features, {}, in {shown}",
        grouped(recorded as usize),
        args.label
    );
    ensure!(recorded == args.samples, Interrupted(said));
    writeln!(out, "{said}")?;
    Ok(())
}

/// Writes the titles of the columns, or compares them with the file's.
fn begin(text: &mut String, args: &Args, width: usize) -> Result<()> {
    let shown = args.out.display();
    ensure!(width > 0, "the device gives no features");
    let names: Vec<String> = match &args.names[..] {
        [] => (0..width).map(|feature| format!("f{feature}")).collect(),
        names => names.to_vec(),
    };
    let named = names.len();
    ensure!(
        named == width,
        "--names: expected {width} names, as the device has features, got {named}"
    );
    let titles = format!("{},label\n", names.join(","));
    if text.is_empty() {
        *text = titles;
        return Ok(());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let found = text.split_inclusive('\n').next().unwrap_or_default();
    ensure!(
        found.trim_end() == titles.trim_end(),
        "{shown}: expected the columns `{}` to add to, got `{}`",
        titles.trim_end(),
        found.trim_end()
    );
    Ok(())
}

/// A word that needs no quotes in a CSV file.
fn label(text: &str) -> Result<String> {
    let is_plain = |c: char| !c.is_control() && !",;\"'#".contains(c);
    ensure!(
        !text.trim().is_empty() && text.chars().all(is_plain),
        "expected a word without commas, semicolons, quotes or #"
    );
    Ok(text.trim().to_owned())
}
