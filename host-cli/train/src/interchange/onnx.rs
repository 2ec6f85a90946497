//! ONNX: a graph of operators in Protocol Buffers. Multi-layer perceptrons are chains of a few of them.
//!
//! The field numbers are those of `onnx.proto`. Reading follows one value through the nodes, which a file lists in the order of
//! computation: from the graph's input, through every node that takes it, to the last layer.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use picomlp::AnyLayer;

use super::about::Metadata;
use super::builder::{Affine, Builder, Fold};
use super::protobuf::Value::{Bytes, Varint};
use super::protobuf::{Value, fields, varint};
use super::tensors::{Dtype, Tensor, doubles};
use crate::open::open;

/// Operators that change no number and no order at inference.
const PASSED: [&str; 7] =
    ["Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"];

/// Operators that choose a class or name it: they may follow the last layer, and are left out.
const HEADS: [&str; 5] = ["ArgMax", "ArrayFeatureExtractor", "Softmax", "LogSoftmax", "ZipMap"];

const SUPPORTED: &str = "Gemm, MatMul, Add, Sub, Mul, Div, Relu, LeakyRelu, Sigmoid, Tanh, BatchNormalization, \
     LayerNormalization, Softmax at the end, Flatten, Reshape, Squeeze, Unsqueeze, Cast, Dropout and Identity";

/// What a file holds.
pub(super) struct Onnx {
    pub(super) builder: Builder,
    pub(super) metadata: Metadata,
    /// The input's dimensions but the first; 0 where they are not given.
    pub(super) dims: Vec<usize>,
}

#[derive(Default)]
struct Node<'a> {
    op: &'a str,
    name: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    attributes: Vec<Attribute<'a>>,
}

#[derive(Default)]
struct Attribute<'a> {
    name: &'a str,
    float: Option<f32>,
    int: Option<i64>,
    tensor: Option<&'a [u8]>,
    floats: Vec<f32>,
}

enum Constant<'a> {
    /// A `TensorProto`.
    Stored(&'a [u8]),
    Made(Tensor),
    /// Made by arithmetic, as exporters take a batch normalization apart.
    Computed(Tensor),
}

/// The values that are known before the input is.
struct Constants<'a> {
    values: HashMap<&'a str, Constant<'a>>,
    /// Where files of weights lie.
    folder: Option<&'a Path>,
}

fn text(bytes: &[u8]) -> Result<&str> {
    str::from_utf8(bytes).context("it is no ONNX file: a name is not UTF-8")
}

/// The entry of a map from text to text.
fn entry(message: &[u8]) -> Result<(&str, &str)> {
    let (mut key, mut value) = ("", "");
    for field in fields(message) {
        match field? {
            (1, Bytes(bytes)) => key = text(bytes)?,
            (2, Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Adds integers, packed or not.
fn push_ints(value: Value<'_>, to: &mut Vec<u64>) {
    match value {
        Varint(int) => to.push(int),
        Bytes(mut packed) => to.extend(core::iter::from_fn(|| varint(&mut packed))),
    }
}

fn float(bytes: &[u8]) -> Option<f32> {
    Some(f32::from_le_bytes(bytes.try_into().ok()?))
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8]) -> Result<Self> {
        let mut node = Self::default();
        for field in fields(message) {
            match field? {
                (1, Bytes(name)) => node.inputs.push(text(name)?),
                (2, Bytes(name)) => node.outputs.push(text(name)?),
                (3, Bytes(name)) => node.name = text(name)?,
                (4, Bytes(op)) => node.op = text(op)?,
                (5, Bytes(attribute)) => node.attributes.push(Attribute::read(attribute)?),
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|attribute| attribute.float).unwrap_or(default)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.int).unwrap_or(default)
    }

    fn is_one_of(&self, ops: &[&str]) -> bool {
        ops.contains(&self.op)
    }
}

impl<'a> Attribute<'a> {
    fn read(message: &'a [u8]) -> Result<Self> {
        let mut attribute = Self::default();
        for field in fields(message) {
            match field? {
                (1, Bytes(name)) => attribute.name = text(name)?,
                (2, Bytes(bytes)) => attribute.float = float(bytes),
                (3, Varint(int)) => attribute.int = Some(int as i64),
                (5, Bytes(tensor)) => attribute.tensor = Some(tensor),
                (7, Bytes(bytes)) => attribute.floats.extend(bytes.chunks(4).filter_map(float)),
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl Constants<'_> {
    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        let at = || format!("tensor '{name}'");
        let constant = self.values.get(name);
        match constant.with_context(|| {
            format!("{}: it is not constant, or of a kind that is not read", at())
        })? {
            Constant::Made(tensor) | Constant::Computed(tensor) => Ok(tensor.clone()),
            Constant::Stored(message) => self.read(message).with_context(at),
        }
    }

    /// Reads a `TensorProto`, whose numbers are in one of several fields or in another file.
    fn read(&self, message: &[u8]) -> Result<Tensor> {
        let (mut dims, mut kind, mut data, mut outside) = (Vec::new(), 0, Vec::new(), Vec::new());
        for field in fields(message) {
            match field? {
                (1, value) => push_ints(value, &mut dims),
                (2, Varint(number)) => kind = number,
                // Floats, raw data or doubles; packed numbers and single ones are the same bytes.
                (4 | 9 | 10, Bytes(bytes)) => data.extend_from_slice(bytes),
                (13, Bytes(message)) => outside.push(entry(message)?),
                _ => {}
            }
        }
        let dtype = match kind {
            1 => Dtype::F32,
            10 => Dtype::F16,
            11 => Dtype::F64,
            16 => Dtype::Bf16,
            _ => bail!("its numbers are of type {kind}, expected floats"),
        };
        if !outside.is_empty() {
            data = self.read_outside(&outside)?;
        }
        Tensor::decode(dtype, dims.iter().map(|dim| *dim as usize).collect(), &data)
    }

    /// Reads numbers from a file beside the model.
    fn read_outside(&self, entries: &[(&str, &str)]) -> Result<Vec<u8>> {
        let find =
            |key: &str| entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let number = |key: &str| find(key).map(str::parse).transpose();
        let name = Path::new(find("location").unwrap_or_default());
        let is_beside = name.components().all(|part| matches!(part, Component::Normal(_)));
        let folder = self.folder.filter(|_| is_beside && name.file_name().is_some());
        let path = folder
            .with_context(|| {
                format!("its numbers are in '{}', not beside the model", name.display())
            })?
            .join(name);
        let at = || format!("cannot read its numbers from {}", path.display());
        let mut file = open(&path)?;
        file.seek(SeekFrom::Start(number("offset")?.unwrap_or(0))).with_context(at)?;
        let mut data = Vec::new();
        let len = number("length")?.unwrap_or(u64::MAX);
        file.take(len).read_to_end(&mut data).with_context(at)?;
        Ok(data)
    }

    fn vector(&self, node: &Node<'_>, input: usize) -> Result<Vec<f32>> {
        let name = node.inputs.get(input).filter(|name| !name.is_empty());
        Ok(self.tensor(name.with_context(|| format!("input {input} is missing"))?)?.data)
    }

    /// Computes a node whose inputs are all constants, if it can; another node that needs it says what is missing.
    fn fold(&self, node: &Node<'_>) -> Option<Constant<'static>> {
        let input = |i: usize| self.tensor(node.inputs.get(i)?).ok();
        // Rows are all that a chain of layers needs, so [n] and [1, n] are the same.
        let row = |i| input(i).filter(Tensor::is_row);
        let each = |f: fn(f32) -> f32| {
            let mut tensor = row(0)?;
            tensor.data.iter_mut().for_each(|value| *value = f(*value));
            Some(Constant::Computed(tensor))
        };
        let both = |f: fn(f32, f32) -> f32| {
            let [a, b] = [row(0)?.data, row(1)?.data];
            let len = a.len().max(b.len());
            let of = |values: &[f32], i: usize| values.get(i).or(values.first()).copied();
            let fits = [&a, &b].iter().all(|values| [1, len].contains(&values.len()));
            let data: Option<Vec<f32>> =
                (0..len).map(|i| Some(f(of(&a, i)?, of(&b, i)?))).collect();
            Some(Constant::Computed(Tensor { shape: vec![len], data: data.filter(|_| fits)? }))
        };
        match node.op {
            "Constant" => self.read(node.attribute("value")?.tensor?).ok().map(Constant::Made),
            "Identity" | "Cast" => input(0).map(Constant::Made),
            "Transpose" => input(0).map(|tensor| Constant::Made(tensor.transposed())),
            "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => row(0).map(Constant::Made),
            "Neg" => each(|x| -x),
            "Sqrt" => each(f32::sqrt),
            "Reciprocal" => each(f32::recip),
            "Add" => both(|a, b| a + b),
            "Sub" => both(|a, b| a - b),
            "Mul" => both(|a, b| a * b),
            "Div" => both(|a, b| a / b),
            _ => None,
        }
    }
}

/// Reads a model; `folder` is where files that it refers to lie.
pub(super) fn read(bytes: &[u8], folder: Option<&Path>) -> Result<Onnx> {
    let (mut graph, mut metadata) = (None, Metadata::new());
    for field in fields(bytes) {
        match field? {
            (7, Bytes(message)) => graph = Some(message),
            (14, Bytes(message)) => {
                let (key, value) = entry(message)?;
                metadata.insert(key.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
    let graph = graph.context("it is no ONNX file: there is no graph in it")?;
    let (mut nodes, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    let mut constants = Constants { values: HashMap::new(), folder };
    for field in fields(graph) {
        match field? {
            (1, Bytes(message)) => nodes.push(Node::read(message)?),
            (5, Bytes(tensor)) => {
                let name = fields(tensor).find_map(|field| match field {
                    Ok((8, Bytes(name))) => Some(text(name)),
                    _ => None,
                });
                constants.values.insert(name.unwrap_or(Ok(""))?, Constant::Stored(tensor));
            }
            (11, Bytes(message)) => inputs.push(value_info(message)?),
            (12, Bytes(message)) => outputs.push(value_info(message)?.0),
            _ => {}
        }
    }
    inputs.retain(|(name, _)| !constants.has(name));
    ensure!(inputs.len() == 1, "the graph has {} inputs, expected one", inputs.len());
    let (input, dims) = inputs.swap_remove(0);
    let mut walk = Walk {
        builder: Builder::default(),
        constants,
        current: input,
        aside: HashSet::new(),
        heads: HashSet::new(),
        dropped: Vec::new(),
    };
    for node in &nodes {
        walk.node(node).with_context(|| format!("node '{}' ({})", node.name, node.op))?;
    }
    for output in outputs {
        ensure!(
            output == walk.current || walk.heads.contains(output),
            "the graph's output '{output}' is not that of its last layer"
        );
    }
    let Walk { mut builder, dropped, .. } = walk;
    if !dropped.is_empty() {
        let ops = dropped.join(", ");
        builder
            .notes
            .push(format!("left out behind the last layer, whose outputs are logits: {ops}"));
    }
    Ok(Onnx { builder, metadata, dims })
}

/// The name of a `ValueInfoProto` and its dimensions but the first.
fn value_info(message: &[u8]) -> Result<(&str, Vec<usize>)> {
    let inside = |message, number| {
        let found = fields(message).filter_map(Result::ok).find(|(n, _)| *n == number);
        found.map_or(&[][..], |(_, value)| if let Bytes(bytes) = value { bytes } else { &[] })
    };
    let name = text(inside(message, 1))?;
    // type, tensor_type, shape
    let shape = inside(inside(inside(message, 2), 1), 2);
    let mut dims = Vec::new();
    for field in fields(shape) {
        if let (1, Bytes(dim)) = field? {
            let known = fields(dim).find_map(|field| match field {
                Ok((1, Varint(dim))) => usize::try_from(dim).ok(),
                _ => None,
            });
            dims.push(known.unwrap_or(0));
        }
    }
    Ok((name, dims.into_iter().skip(1).collect()))
}

/// The way through the graph.
struct Walk<'a> {
    builder: Builder,
    constants: Constants<'a>,
    /// The value that the layers so far compute.
    current: &'a str,
    /// Shapes, what is computed from them, and constants that no layer can use.
    aside: HashSet<&'a str>,
    /// Values behind the last layer.
    heads: HashSet<&'a str>,
    /// The operators behind the last layer.
    dropped: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &Node<'a>) -> Result<()> {
        let fresh = |name: &&&str| !name.is_empty() && !self.constants.has(name);
        let fresh: Vec<&str> = node.inputs.iter().filter(fresh).copied().collect();
        let Some(&output) = node.outputs.first() else { return Ok(()) };
        if fresh.is_empty() {
            match self.constants.fold(node) {
                Some(constant) => drop(self.constants.values.insert(output, constant)),
                None => self.aside.extend(&node.outputs),
            }
            return Ok(());
        }
        if node.op == "Shape" || fresh.iter().all(|name| self.aside.contains(name)) {
            self.aside.extend(&node.outputs);
            return Ok(());
        }
        let values: Vec<&str> =
            fresh.into_iter().filter(|name| !self.aside.contains(name)).collect();
        let is_head = values.iter().all(|name| self.heads.contains(name));
        if node.is_one_of(&HEADS) || (is_head && node.is_one_of(&PASSED)) {
            ensure!(
                is_head || values == [self.current],
                "it does not take the last layer's output"
            );
            self.heads.extend(&node.outputs);
            self.dropped.push(node.op);
            return Ok(());
        }
        let [value] = values[..] else {
            bail!("it has {} inputs that are not constant", values.len())
        };
        ensure!(
            value == self.current && self.heads.is_empty(),
            "it takes '{value}', which is not the output of the layer before: the graph is no chain of layers"
        );
        let place = node.inputs.iter().position(|name| *name == value).unwrap_or(0);
        self.layer(node, place)?;
        self.current = output;
        Ok(())
    }

    /// Adds what a node computes from the current value, its input number `place`.
    fn layer(&mut self, node: &Node<'_>, place: usize) -> Result<()> {
        let Self { builder, constants, .. } = self;
        let in_place =
            |builder: &mut Builder, layer: &dyn Fn(usize) -> AnyLayer| builder.in_place(layer, &[]);
        match node.op {
            op if PASSED.contains(&op) => Ok(()),
            "Relu" => in_place(builder, &AnyLayer::relu),
            "Sigmoid" => in_place(builder, &AnyLayer::sigmoid),
            "Tanh" => in_place(builder, &AnyLayer::tanh),
            "LeakyRelu" => {
                let slope = node.float("alpha", 0.01);
                in_place(builder, &|width| AnyLayer::leaky_relu(width, slope))
            }
            "Gemm" | "MatMul" => dense(builder, constants, node, place),
            "Add" | "Sub" | "Mul" | "Div" => {
                let other =
                    node.inputs.get(1 - place.min(1)).context("its second input is missing")?;
                let is_sum = node.op == "Add" || (node.op == "Sub" && place == 0);
                let fold = match constants.values.get(other) {
                    Some(Constant::Computed(_)) => Fold::Always,
                    _ if is_sum => Fold::AsBias,
                    _ => Fold::Never,
                };
                builder.affine(arithmetic(node.op, place, &constants.tensor(other)?)?, fold)
            }
            // scikit-learn's StandardScaler and its like.
            "Scaler" => {
                let floats = |name| node.attribute(name).map_or(&[][..], |a| &a.floats[..]);
                let [offset, scale] = ["offset", "scale"].map(floats);
                builder.affine(
                    Affine::shift(offset.iter().map(|x| -f64::from(*x)).collect()),
                    Fold::Never,
                )?;
                builder.affine(Affine::scale(doubles(scale)), Fold::Never)
            }
            "BatchNormalization" => {
                let [gamma, beta, mean, variance] =
                    [1, 2, 3, 4].map(|input| constants.vector(node, input));
                let [gamma, beta, mean, variance] = [gamma?, beta?, mean?, variance?];
                let vectors = [&gamma[..], &beta, &mean, &variance];
                builder
                    .affine(Affine::batch_norm(vectors, node.float("epsilon", 1e-5))?, Fold::Always)
            }
            "LayerNormalization" => {
                ensure!(node.int("axis", -1).abs() == 1, "its axis is not the last one");
                let gamma = constants.vector(node, 1)?;
                let beta = match node.inputs.len() {
                    2 => vec![0.0; gamma.len()],
                    _ => constants.vector(node, 2)?,
                };
                let epsilon = node.float("epsilon", 1e-5);
                builder.in_place(|width| AnyLayer::layer_norm(width, epsilon), &[&gamma, &beta])
            }
            "QuantizeLinear" | "DequantizeLinear" => bail!(
                "the graph is quantized, and f32 weights are read: import the model that it was made from, then run \
                 `picomlp quantize`"
            ),
            _ => bail!("unsupported operator; supported are {SUPPORTED}"),
        }
    }
}

fn dense(
    builder: &mut Builder,
    constants: &Constants<'_>,
    node: &Node<'_>,
    place: usize,
) -> Result<()> {
    ensure!(place == 0 && node.int("transA", 0) == 0, "its weights are the left factor");
    let weights = node.inputs.get(1).context("its weights are missing")?;
    let mut weights = constants.tensor(weights)?;
    if node.int("transB", 0) != 0 {
        weights = weights.transposed();
    }
    let [inputs, outputs] = weights.shape[..] else {
        bail!("its weights have the shape {:?}, expected a matrix", weights.shape);
    };
    let times = |values: &mut Vec<f32>, factor: f32| {
        values.iter_mut().for_each(|value| *value *= factor);
    };
    times(&mut weights.data, node.float("alpha", 1.0));
    let bias = match node.inputs.get(2).filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => {
            let mut bias = constants.tensor(name)?.data;
            times(&mut bias, node.float("beta", 1.0));
            Some(if bias.len() == 1 { vec![bias[0]; outputs] } else { bias })
        }
    };
    builder.dense([inputs, outputs], &weights.data, bias.as_deref())
}

/// `x + c`, `x - c`, `x·c`, `x / c`, or the same with `c` on the left, where `place` is 1.
fn arithmetic(op: &str, place: usize, constant: &Tensor) -> Result<Affine> {
    ensure!(constant.is_row(), "its constant has the shape {:?}, expected one row", constant.shape);
    let values = doubles(&constant.data);
    let each = |f: fn(f64) -> f64| values.iter().map(|value| f(*value)).collect();
    Ok(match (op, place) {
        ("Add", _) => Affine::shift(values),
        ("Mul", _) => Affine::scale(values),
        ("Sub", 0) => Affine::shift(each(|value| -value)),
        ("Sub", _) => Affine { scale: vec![-1.0], shift: values },
        ("Div", 0) => Affine::scale(each(|value| 1.0 / value)),
        _ => bail!("it divides a constant by its input"),
    })
}
