//! `picomlp verify`: whether a device computes the bits that this machine computes.

mod compare;
mod fault;
mod link;
pub mod record;
mod report;
mod session;

use core::time::Duration;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use picomlp::Layer;
use picomlp_link::{Arithmetic, ModelDevice, QuantizedDevice};
use picomlp_train::data::Source;
use picomlp_train::{ModelFile, ModelInput};

use crate::args::data::SchemaArgs;
use crate::text::warn;
use link::Link;
use session::{Session, memory_len};

/// Compare a device with this machine, bit for bit: fingerprint, logits and class of every sample.
///
/// The device speaks the protocol of docs/device-protocol.md over the command's standard input and output; the firmware
/// program `device` is such a device.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model that the device should have, as `train` writes it.
    model: PathBuf,
    /// A command to start, with its arguments as a shell takes them, or a serial port that is set up already.
    #[arg(long, value_name = "COMMAND")]
    device: String,
    /// `synthetic`, a folder with MNIST's test images and labels, a CSV file, or a folder of PNG files by class.
    #[arg(long, default_value_t, value_name = "DATA")]
    data: Source,
    #[command(flatten)]
    schema: SchemaArgs,
    /// Samples to send, from the first on.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limit: u32,
    /// Time to wait for each answer.
    #[arg(long, default_value = "10", value_parser = timeout, value_name = "SECONDS")]
    timeout: Duration,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the device, compares and reports on `out`.
///
/// # Errors
///
/// If model or data cannot be read or do not fit each other, if the device cannot be started, has another model,
/// does not answer as the protocol has it, or differs in a bit.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let file = ModelFile::read(&args.model)?;
    let blob = file.blob()?;
    let net = blob.network()?;
    let input = ModelInput::new(&file, &blob, &net);
    let data = input.load_test(&args.data, &args.schema.schema())?;
    if let Some(what) = input.foreign(data.images(), &args.data) {
        warn(&what);
    }
    ensure!(!data.is_empty(), "{}: there is no sample to send", args.data);
    // Features are sent in f32, and a device copies them before it reads them.
    let (request, room) = if input.reads_features() {
        (4 * net.inputs(), 2 * net.inputs())
    } else {
        (net.inputs(), 0)
    };

    let mut memory = vec![0; memory_len(net.outputs())];
    let mut session = Session::new(Link::open(&args.device)?, args.timeout, &mut memory);
    let device = session.hello(request).context("hello")?;
    let (name, limit) = ("host", args.limit as usize);
    // The model's form is the one that the device runs.
    let all = if device.arithmetic == Arithmetic::Int8 {
        let model = file.quantized().context("the device computes in int8")?;
        let mut scratch = vec![0; model.scratch_len() + room];
        let mut host = QuantizedDevice { model, name, scratch: &mut scratch };
        compare::check_model(&host, &device, file.path())?;
        compare::compare(&mut session, &mut host, &data, limit)?
    } else {
        let model = file.model().context("the device computes in f32")?;
        let mut scratch = vec![0.0; net.infer_scratch(1) + room];
        let mut host = ModelDevice { model, name, scratch: &mut scratch };
        compare::check_model(&host, &device, file.path())?;
        compare::compare(&mut session, &mut host, &data, limit)?
    };
    report::report(args, out, &device, &all)
}

/// Seconds, more than none.
fn timeout(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().context("expected a number of seconds")?;
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
    timeout.filter(|t| t.as_secs() <= 86_400).context("expected seconds above 0, a day at most")
}

/// Talks to a device that says `answers` and nothing more, whatever it is asked; returns how many of these were right, and what
/// ended the conversation.
#[doc(hidden)]
#[must_use]
pub fn converse(answers: Vec<u8>, inputs: usize, outputs: usize) -> (usize, anyhow::Error) {
    let mut memory = vec![0; memory_len(outputs)];
    let link = Link::new(None, std::io::Cursor::new(answers), std::io::sink());
    let mut session = Session::new(link, Duration::from_secs(10), &mut memory);
    let mut fault = session.hello(inputs).err();
    let mut answered = usize::from(fault.is_none());
    loop {
        if let Some(fault) = fault {
            return (answered, fault.into());
        }
        fault = session.classify(&vec![0; inputs], outputs).err();
        answered += usize::from(fault.is_none());
    }
}
