//! Models of other tools, in and out: ONNX, safetensors, NumPy archives; and C and Rust source, out alone.
//!
//! Readers drive a `Builder`, which puts the layers together and folds batch normalization.
//! `docs/interchange.md` says what each format can hold.

mod about;
mod builder;
mod npz;
mod onnx;
mod onnx_write;
mod protobuf;
mod safetensors;
mod source;
mod tensors;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{
    Blob, Contents, Feature, Input, InputKind, Preparation, Provenance, TargetKind,
};
use picomlp::{InputMap, Layer, LossKind, Sequential};

use crate::config::{Activation, PerLayer};
use crate::data::Inputs;
use crate::file_kind;
use crate::model_file::ModelFile;
use crate::named;
use crate::open::open;
use crate::shape::Shape;
use crate::text::widths;
use crate::trained::written;
use about::About;

named! {
    /// A file format of models.
    pub enum Format {
        /// Open Neural Network Exchange.
        Onnx = "onnx",
        /// Tensors by name, as PyTorch writes them.
        Safetensors = "safetensors",
        /// Tensors by name, as NumPy writes them.
        Npz = "npz",
        /// A header and a source file.
        C = "c",
        /// A module.
        Rust = "rust",
    }
}

impl Format {
    /// Returns the format that a file's extension names.
    ///
    /// # Errors
    ///
    /// If it names none.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        Ok(match extension.as_str() {
            "onnx" => Self::Onnx,
            "safetensors" => Self::Safetensors,
            "npz" => Self::Npz,
            "h" | "c" => Self::C,
            "rs" => Self::Rust,
            _ => bail!(
                "{}: its extension names no format: give it one of .onnx, .safetensors, .npz, .h and .rs, or --format",
                path.display()
            ),
        })
    }
}

/// What the user says of a file that does not say it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format; by default that of the extension.
    pub format: Option<Format>,
    /// Inputs, and outputs of each dense layer, which must be those of the file.
    pub widths: Option<Vec<usize>>,
    /// Activations between the dense layers, for formats that hold weights alone.
    pub activation: Option<PerLayer<Activation>>,
    /// Activation of the outputs, likewise.
    pub output_activation: Activation,
    /// Slope of leaky ReLU below zero, likewise.
    pub leaky_slope: f32,
    /// How raw values from 0 to 255 become inputs.
    pub inputs: Option<Inputs>,
    /// The same where the file does not say it; by default 0 to 1 for images, and raw otherwise.
    pub assumed: Option<Inputs>,
    /// Rows and columns of the images that the network reads.
    pub image_shape: Option<Shape>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            widths: None,
            activation: None,
            output_activation: Activation::None,
            leaky_slope: 0.01,
            inputs: None,
            assumed: None,
            image_shape: None,
        }
    }
}

/// A model that was read from another tool's file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network.
    pub net: Sequential,
    /// Its parameters.
    pub params: Vec<f32>,
    /// What it reads.
    pub input: Input,
    /// Names of the classes, if the file has them.
    pub class_names: Vec<String>,
    /// Name and unit of each input, if the file has them.
    pub features: Vec<[String; 2]>,
    /// What kind of answer its outputs are, if the file says so.
    pub targets: Option<TargetKind>,
    /// What it was trained with, if the file says so.
    pub loss: LossKind,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Reads a model file of another tool.
///
/// # Errors
///
/// If it cannot be read, is damaged, or holds what picomlp has no layer for, naming it; if it does not say what `options` do
/// not say either, or contradicts them.
pub fn import(path: &Path, options: &Options) -> Result<Imported> {
    /// A model file's length is a 32-bit number.
    const MOST: u64 = u32::MAX as u64;
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = open(path)?.take(MOST).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {shown}"))?;
    let format = match options.format {
        Some(format) => format,
        None => Format::of(path)?,
    };
    if let Some(kind) = file_kind::detect(&bytes)
        && format != Format::Npz
    {
        bail!("{shown}: it is {}, expected {format}", kind.name);
    }
    read_bytes(format, &bytes, path.parent(), options).with_context(|| shown.to_string())
}

/// Reads a model from memory; `folder` is where files that it refers to lie, if it may.
///
/// # Errors
///
/// Those of [`import`].
pub fn read_bytes(
    format: Format,
    bytes: &[u8],
    folder: Option<&Path>,
    options: &Options,
) -> Result<Imported> {
    let (mut builder, about, dims) = match format {
        Format::Onnx => {
            let onnx::Onnx { builder, metadata, dims } = onnx::read(bytes, folder)?;
            (builder, about::read(&metadata)?, dims)
        }
        Format::Safetensors | Format::Npz => {
            let read = if format == Format::Npz { npz::read } else { safetensors::read };
            let (tensors, metadata) = read(bytes)?;
            let about = about::read(&metadata)?;
            (tensors::build(tensors, about.kinds.as_deref(), options)?, about, vec![])
        }
        Format::C | Format::Rust => bail!("{format} is written, not read: import the .pmlp file"),
    };
    let is_image = |inputs| image_shape(inputs, &about, &dims, options).holds_an_image();
    // A graph begins with raw values; tensors say nothing of them.
    let is_graph = format == Format::Onnx;
    let has_map = |inputs| match about.input {
        // Features that are bytes have a maximum value, others no map.
        Some(input) => is_graph && (input.kind == InputKind::Image || input.max.is_some()),
        None => is_graph && is_image(inputs),
    };
    let (net, params, map) = builder.finish(has_map)?;
    let map = map.filter(|_| is_graph);
    if let Some(expected) = &options.widths {
        let (expected, got) = (expected.iter().map(usize::to_string), widths(&net));
        let expected = expected.collect::<Vec<_>>().join("-");
        ensure!(got == expected, "it holds a network of {got}, expected --layers {expected}");
    }
    let mut notes = builder.notes;
    let input = input(net.inputs(), map, &about, &dims, options, &mut notes)?;
    let About { class_names, features, targets, loss, .. } = about;
    Ok(Imported { net, params, input, class_names, features, targets, loss, notes })
}

/// The shape of a sample: what the user says, else what the file says, else what the inputs' number suggests.
fn image_shape(inputs: usize, about: &About, dims: &[usize], options: &Options) -> Shape {
    // A file's dimensions, such as 1×28×28, without those of 1.
    let dims: Vec<usize> = dims.iter().copied().filter(|dim| *dim != 1).collect();
    let from_dims = match dims[..] {
        [rows, cols] if rows.checked_mul(cols) == Some(inputs) => Some(Shape { rows, cols }),
        _ => Shape::square(inputs),
    };
    let from_dims = from_dims.filter(Shape::holds_an_image);
    let recorded = about.input.map(|input| Shape { rows: input.rows, cols: input.cols });
    let row = Shape { rows: 1, cols: inputs };
    options.image_shape.or(recorded).or(from_dims).unwrap_or(row)
}

/// What the network reads, likewise, with a note.
fn input(
    inputs: usize,
    map: Option<InputMap>,
    about: &About,
    dims: &[usize],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Input> {
    let shape = image_shape(inputs, about, dims, options);
    ensure!(
        shape.rows.checked_mul(shape.cols) == Some(inputs),
        "its network reads {inputs} values, not {shape}: give their shape by --image-shape"
    );
    let is_image = shape.holds_an_image();
    let guessed = if is_image { Inputs::Unit } else { Inputs::Raw };
    let fixed = |inputs: Inputs| {
        let map = inputs.fixed(u8::MAX);
        map.with_context(|| {
            format!("--inputs {inputs} needs the training data: give unit, signed or raw")
        })
    };
    let given = options.inputs.map(fixed).transpose()?;
    let read = map.or(about.input.map(|input| input.map));
    if let (Some(given), Some(read)) = (given, read) {
        ensure!(given == read, "--inputs contradicts the file, which says how it reads its inputs");
    }
    let map = match (read.or(given), options.assumed) {
        (Some(map), _) => map,
        (None, Some(assumed)) => fixed(assumed)?,
        (None, None) => {
            notes.push(format!(
                "the file does not say how raw values become inputs; they are read as --inputs {guessed} has it"
            ));
            fixed(guessed)?
        }
    };
    let kind = if is_image { InputKind::Image } else { InputKind::Features };
    // A range is one of bytes; features without it are any numbers.
    let max = options.inputs.filter(|range| *range != Inputs::Raw).map(|_| u8::MAX);
    let unknown = Input { kind, max, ..Input::image(shape.rows, shape.cols, map) };
    Ok(match about.input {
        Some(input) => Input { rows: shape.rows, cols: shape.cols, map, ..input },
        None => unknown,
    })
}

impl Imported {
    /// Returns the model file.
    ///
    /// # Errors
    ///
    /// If network or names do not fit into the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let names: Vec<&str> = self.class_names.iter().map(String::as_str).collect();
        let features = self.features.iter().map(|[name, unit]| Feature { name, unit });
        let features: Vec<Feature<'_>> = features.collect();
        let provenance = Provenance { loss: self.loss, ..Provenance::default() };
        written(&Contents {
            input: Some(self.input),
            features: &features,
            targets: self.targets,
            class_names: &names,
            provenance: (self.loss != LossKind::default()).then_some(provenance),
            ..Contents::new(&self.net, &self.params)
        })
    }
}

/// Files to write, and what the user should know.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Path and content of each.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// What the format does not hold.
    pub notes: Vec<String>,
}

/// The files that [`export`] writes: C has a header and a source file.
#[must_use]
pub fn paths(format: Format, out: &Path) -> Vec<PathBuf> {
    match format {
        Format::C => vec![out.with_extension("h"), out.with_extension("c")],
        _ => vec![out.to_owned()],
    }
}

/// Writes a model in another tool's format; ONNX gets its int8 form if `int8` says so or it has no other, C and Rust
/// the whole file.
///
/// # Errors
///
/// If the model is damaged, has no parameters of the form that the format takes, or a layer that the format has no
/// form for.
pub fn export(file: &ModelFile, format: Format, int8: bool, out: &Path) -> Result<Exported> {
    let blob = file.blob()?;
    let int8 = int8 || format == Format::Onnx && blob.params().is_err();
    let (contents, notes) = match format {
        Format::C => {
            (source::c(file, &out.with_extension("h"))?.map(String::into_bytes).to_vec(), vec![])
        }
        Format::Rust => (vec![source::rust(file)?.into_bytes()], vec![]),
        Format::Onnx if int8 => {
            let model = file.quantized()?;
            let bytes = onnx_write::int8(&model, &about::write(&blob, model.net())?);
            (vec![bytes], notes(&blob, format))
        }
        _ if int8 => bail!("{format} takes f32 parameters: leave out --int8, or export to onnx"),
        _ => {
            let model = file.model()?;
            let (net, params, map) = (model.net(), model.params(), blob.input_map());
            let (metadata, mut notes) = (about::write(&blob, net)?, notes(&blob, format));
            if blob.int8_params().is_ok() {
                let cure = if format == Format::Onnx { "; --int8 exports it" } else { "" };
                notes.push(format!("the int8 form is left out: {format} gets the f32 form{cure}"));
            }
            if format != Format::Onnx && map != (InputMap { scale: 1.0, shift: 0.0 }) {
                notes.push(format!(
                    "{format} holds weights alone: raw values are to be read as x·{} + {}, which stands in its metadata",
                    map.scale, map.shift
                ));
            }
            let bytes = match format {
                Format::Onnx => onnx_write::f32(net, params, map, &metadata)?,
                Format::Npz => npz::write(&tensors::named(net, params)?, &metadata)?,
                _ => safetensors::write(&tensors::named(net, params)?, metadata)?,
            };
            (vec![bytes], notes)
        }
    };
    Ok(Exported { files: paths(format, out).into_iter().zip(contents).collect(), notes })
}

/// What the user should know of a model in a format that holds weights or a graph.
fn notes(blob: &Blob<'_>, format: Format) -> Vec<String> {
    let is_prepared = blob.input().is_some_and(|input| input.preparation == Preparation::MnistForm);
    let note = is_prepared.then(|| {
        format!("{format} has no place for the preparation of images: bring them into MNIST's form first")
    });
    note.into_iter().collect()
}

#[cfg(test)]
mod tests;
