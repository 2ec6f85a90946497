//! `picomlp import`: a model of another tool as a model file.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use picomlp::Layer;
use picomlp::fingerprint::fingerprint;
use picomlp_train::Shape;
use picomlp_train::config::{Activation, PerLayer};
use picomlp_train::data::Inputs as InputRange;
use picomlp_train::interchange::{Format, Options, import};
use picomlp_train::number::not_negative;
use picomlp_train::output::Inputs;
use picomlp_train::text::{grouped, widths};

use crate::args::named;
use crate::files;
use crate::text::warn;

/// Make a model file of a network from PyTorch, Keras, scikit-learn or NumPy: ONNX, safetensors or npz.
///
/// ONNX files say what the layers are, and so do files that `export` wrote; other safetensors and npz files hold weights alone.
/// Batch normalization is folded into the dense layer before it; a softmax at the end is left out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File to read.
    file: PathBuf,
    /// Model file to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Format of the file [default: that of its extension].
    #[arg(long, value_parser = named::<Format>())]
    format: Option<Format>,
    /// Inputs, and outputs of each dense layer, as in 784-128-10; refuse a file that holds another network.
    #[arg(long, value_parser = parse_widths, value_name = "WIDTHS")]
    layers: Option<Widths>,
    /// Activation between the dense layers, where the file holds weights alone: relu, leaky-relu, sigmoid, tanh or none; one for
    /// all, or one for each.
    #[arg(long, value_name = "NAME[,NAME]")]
    activation: Option<PerLayer<Activation>>,
    /// Activation of the outputs, where the file holds weights alone.
    #[arg(long, value_parser = named::<Activation>(), default_value_t = Activation::None, value_name = "NAME")]
    output_activation: Activation,
    /// Slope of leaky-relu below zero, where the file holds weights alone.
    #[arg(long, default_value_t = 0.01, value_parser = not_negative, value_name = "SLOPE")]
    leaky_slope: f32,
    /// How values from 0 to 255 become inputs, where the file does not say: unit (0 to 1), signed (-1 to 1) or raw.
    #[arg(long, value_parser = named::<InputRange>(), value_name = "RANGE")]
    inputs: Option<InputRange>,
    /// Rows and columns of the images that the network reads, as in 28x28.
    #[arg(long, value_name = "RxC")]
    image_shape: Option<Shape>,
}

/// The value of `--layers`.
#[derive(Clone, Debug)]
struct Widths(Vec<usize>);

/// Reads the file, writes the model and reports on `out`.
///
/// # Errors
///
/// If the file cannot be read, is damaged, or holds what picomlp has no layer for. Nothing is written then.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let inputs = Inputs::default().and("the imported file", [&args.file]);
    let outputs = files::plan(&inputs, [&args.out])?;
    let imported = import(
        &args.file,
        &Options {
            format: args.format,
            widths: args.layers.clone().map(|widths| widths.0),
            activation: args.activation.clone(),
            output_activation: args.output_activation,
            leaky_slope: args.leaky_slope,
            inputs: args.inputs,
            image_shape: args.image_shape,
            assumed: None,
        },
    )?;
    let bytes = imported.to_bytes()?;
    files::write(outputs, &[&bytes])?;
    for note in &imported.notes {
        warn(&format!("{}: {note}", args.file.display()));
    }
    let (net, shown) = (&imported.net, args.out.display());
    writeln!(out, "imported       {shown}, {} bytes", grouped(bytes.len()))?;
    writeln!(out, "network        {}, {} parameters", widths(net), grouped(net.params()))?;
    let layers: Vec<&str> = net.layers().iter().map(|layer| layer.name()).collect();
    writeln!(out, "layers         {}", layers.join(", "))?;
    writeln!(out, "fingerprint    {:016x}", fingerprint(&imported.params))?;
    Ok(())
}

fn parse_widths(text: &str) -> Result<Widths, String> {
    let widths = text.split('-').map(|width| width.parse().ok().filter(|width| *width > 0));
    let widths: Option<Vec<usize>> = widths.collect();
    let widths = widths.filter(|widths| widths.len() > 1);
    widths.map(Widths).ok_or_else(|| "expected widths, as in 784-128-10".to_owned())
}
