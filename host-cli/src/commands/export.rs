//! `picomlp export`: a model in another tool's format, or as source code.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use picomlp_train::ModelFile;
use picomlp_train::interchange::{Format, export, paths};
use picomlp_train::output::Inputs;
use picomlp_train::text::grouped;

use crate::args::named;
use crate::files;
use crate::text::warn;

/// Write a model for another tool: ONNX, safetensors, npz, or C or Rust source that holds the model file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model, as `train` writes it.
    model: PathBuf,
    /// File to write; for C, a header (FILE with the ending `.h`) and a source file (`.c`).
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Format to write [default: that of FILE's extension].
    #[arg(long, value_parser = named::<Format>())]
    format: Option<Format>,
    /// Write the int8 form, between QuantizeLinear and DequantizeLinear; for ONNX [default: if the model has no other].
    #[arg(long)]
    int8: bool,
}

/// Reads the model, writes the files and names them on `out`.
///
/// # Errors
///
/// If the model cannot be read, or the format has no form for it. Nothing is written then.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let format = match args.format {
        Some(format) => format,
        None => Format::of(&args.out)?,
    };
    let inputs = Inputs::default().and("the model", [&args.model]);
    let outputs = files::plan(&inputs, paths(format, &args.out))?;
    let exported = export(&ModelFile::read(&args.model)?, format, args.int8, &args.out)?;
    let contents: Vec<&[u8]> = exported.files.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    files::write(outputs, &contents)?;
    for note in &exported.notes {
        warn(&format!("{}: {note}", args.model.display()));
    }
    for (path, bytes) in &exported.files {
        writeln!(out, "exported       {}, {} bytes", path.display(), grouped(bytes.len()))?;
    }
    Ok(())
}
