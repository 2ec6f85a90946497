//! Tensors by name, as safetensors and NumPy archives hold them, and the layers that they stand for.

use core::fmt;
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use picomlp::{AnyLayer, Layer, Sequential};
use serde::{Deserialize, Serialize};

use super::Options;
use super::builder::{Affine, Builder, Fold};
use crate::config::{Activation, PerLayer};
use crate::named::Named;
use crate::npy::half;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
}

/// Numbers and their shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f32>,
}

impl Tensor {
    /// Decodes little-endian elements; a float64 is rounded.
    pub(super) fn decode(dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> Result<Self> {
        fn words<const N: usize>(bytes: &[u8], float: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks().0.iter().map(|word| float(*word)).collect()
        }
        let size = match dtype {
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        };
        let len = shape.iter().try_fold(size, |len: usize, side| len.checked_mul(*side));
        ensure!(
            len == Some(bytes.len()),
            "{} bytes of data do not fill its shape {shape:?} of {size}-byte numbers",
            bytes.len()
        );
        let data = match dtype {
            Dtype::F16 => words(bytes, |word| half(u16::from_le_bytes(word))),
            Dtype::Bf16 => {
                words(bytes, |word| f32::from_bits(u32::from(u16::from_le_bytes(word)) << 16))
            }
            Dtype::F32 => words(bytes, f32::from_le_bytes),
            Dtype::F64 => words(bytes, |word| f64::from_le_bytes(word) as f32),
        };
        Ok(Self { shape, data })
    }

    /// Whether its shape is a single row or a single value.
    pub(super) fn is_row(&self) -> bool {
        let before = self.shape.len().saturating_sub(1);
        self.data.len() == 1 || self.shape.iter().take(before).all(|side| *side == 1)
    }

    /// The transpose of a matrix; what is none stays.
    pub(super) fn transposed(&self) -> Self {
        let [rows, cols] = self.shape[..] else { return self.clone() };
        let cells = (0..cols).flat_map(|c| (0..rows).map(move |r| r * cols + c));
        Self { shape: vec![cols, rows], data: cells.map(|i| self.data[i]).collect() }
    }

    /// The little-endian bytes.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.data.iter().flat_map(|value| value.to_le_bytes())
    }
}

pub(super) fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// The kind of a layer, and its setting.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slope: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epsilon: Option<f32>,
}

impl Kind {
    fn named(kind: &str) -> Self {
        Self { kind: kind.to_owned(), slope: None, epsilon: None }
    }

    fn of(layer: &AnyLayer) -> Self {
        let mut kind = Self::named(layer.name());
        match layer {
            AnyLayer::LeakyRelu(layer) => kind.slope = Some(layer.slope()),
            AnyLayer::LayerNorm(layer) => kind.epsilon = Some(layer.epsilon()),
            _ => {}
        }
        kind
    }
}

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Weights `[out, in]`, as PyTorch has them; or the scale of a normalization.
    Weight,
    /// Weights `[in, out]`, as scikit-learn, Keras and Flax have them.
    Kernel,
    /// Weights of unknown layout.
    Matrix,
    Bias,
    Mean,
    Variance,
}

/// The words by which a tensor is known, in any case, at the end of its name or in front of a number: `0.weight`, `coefs_0`, `W1`.
const ROLES: [(&str, Role); 15] = [
    ("weight", Role::Weight),
    ("weights", Role::Matrix),
    ("coefs", Role::Kernel),
    ("kernel", Role::Kernel),
    ("w", Role::Matrix),
    ("bias", Role::Bias),
    ("biases", Role::Bias),
    ("intercepts", Role::Bias),
    ("b", Role::Bias),
    ("gamma", Role::Weight),
    ("beta", Role::Bias),
    ("running_mean", Role::Mean),
    ("moving_mean", Role::Mean),
    ("running_var", Role::Variance),
    ("moving_variance", Role::Variance),
];

/// The layer that a tensor belongs to, as text that sorts by the numbers in it, and what it is to the layer.
fn role(name: &str) -> Option<(String, Role)> {
    let lower = name.to_lowercase();
    let (layer, role) = ROLES.iter().find_map(|(word, role)| {
        let before = lower.strip_suffix(word).filter(|rest| !rest.ends_with(char::is_alphanumeric));
        let number = || {
            let rest = lower.strip_prefix(word)?.trim_start_matches(['_', '.']);
            rest.starts_with(|c: char| c.is_ascii_digit()).then_some(rest)
        };
        Some((before.or_else(number)?, *role))
    })?;
    let (mut sorted, mut digits) = (String::new(), String::new());
    for c in layer.chars().chain(['.']) {
        if c.is_ascii_digit() {
            digits.push(c);
        } else {
            if !digits.is_empty() {
                sorted += &format!("{digits:0>20}");
                digits.clear();
            }
            sorted.push(c);
        }
    }
    Some((sorted, role))
}

/// The tensors of a layer.
#[derive(Default)]
struct Group {
    /// The name of one of its tensors.
    name: String,
    /// Whether a name is one that Keras gives.
    is_of_keras: bool,
    tensors: BTreeMap<Role, Tensor>,
}

impl Group {
    /// Its weights, and what their name says of them.
    fn weights(&self) -> Option<(Role, &Tensor)> {
        let roles = [Role::Weight, Role::Kernel, Role::Matrix];
        roles.iter().find_map(|role| Some((*role, self.tensors.get(role)?)))
    }

    fn kind(&self) -> &'static str {
        match self.weights() {
            Some((_, weights)) if weights.shape.len() == 2 => "dense",
            _ if self.tensors.contains_key(&Role::Mean) => "batch-norm",
            _ => "layer-norm",
        }
    }

    fn values(&self, role: Role) -> Result<&[f32]> {
        let tensor = self.tensors.get(&role);
        Ok(&tensor.with_context(|| format!("its {role} is missing"))?.data)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = ROLES.iter().find(|(_, role)| role == self);
        f.write_str(named.map_or("tensor", |(word, _)| word))
    }
}

/// Builds the network that these tensors are the parameters of. `kinds` are its layers, if the file says so.
pub(super) fn build(
    tensors: Vec<(String, Tensor)>,
    kinds: Option<&[Kind]>,
    options: &Options,
) -> Result<Builder> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (name, tensor) in tensors {
        let (layer, role) = role(&name).with_context(|| {
            format!(
                "tensor '{name}': its name does not say what it is; expected a layer and weight, bias, kernel, running_mean or \
                 running_var, as in 0.weight, or scikit-learn's coefs_0 and intercepts_0, or W1 and b1"
            )
        })?;
        let group = groups.entry(layer).or_default();
        group.is_of_keras |= name.to_lowercase().contains("moving_");
        if group.tensors.insert(role, tensor).is_some() {
            bail!("tensor '{name}': its layer has two tensors of this meaning");
        }
        group.name = name;
    }
    let groups: Vec<Group> = groups.into_values().collect();
    let kinds = match kinds {
        Some(kinds) => kinds,
        None => &guessed(&groups, options)?,
    };
    let matrix = known_layout(&groups);
    let (mut builder, mut rest) = (Builder::default(), groups.iter());
    for kind in kinds {
        let activation = Activation::from_name(&kind.kind);
        if let Ok(activation) = activation {
            let slope = kind.slope.unwrap_or(options.leaky_slope);
            add(&mut builder, activation, slope).with_context(|| kind.kind.clone())?;
            continue;
        }
        let group = rest.next().context("it has fewer weights than its layers need")?;
        let at = || format!("tensor '{}'", group.name);
        let is_dense = kind.kind == "dense";
        ensure!(
            is_dense == (group.kind() == "dense"),
            "{}: it is no parameter of a {} layer, which comes next",
            at(),
            kind.kind
        );
        add_group(&mut builder, group, kind, matrix).with_context(at)?;
    }
    if let Some(group) = rest.next() {
        bail!("tensor '{}': it belongs to no layer of the network", group.name);
    }
    Ok(builder)
}

fn add_group(
    builder: &mut Builder,
    group: &Group,
    kind: &Kind,
    matrix: Option<Role>,
) -> Result<()> {
    let epsilon = kind.epsilon.unwrap_or(1e-5);
    let (role, weights) = group.weights().context("its weights are missing")?;
    match kind.kind.as_str() {
        "dense" => {
            let layout = if role == Role::Matrix { matrix } else { Some(role) };
            let weights = match layout {
                Some(Role::Weight) => &weights.transposed(),
                Some(_) => weights,
                None => bail!(
                    "whether it is [in][out] or [out][in] cannot be told: name it kernel (the first) or weight (the second)"
                ),
            };
            let bias = group.tensors.get(&Role::Bias).map(|bias| &bias.data[..]);
            builder.dense([weights.shape[0], weights.shape[1]], &weights.data, bias)
        }
        "batch-norm" => {
            let (default, tool) =
                if group.is_of_keras { (1e-3, "Keras") } else { (1e-5, "PyTorch") };
            let epsilon = kind.epsilon.unwrap_or(default);
            if kind.epsilon.is_none() {
                builder.notes.push(format!(
                    "the file does not say the ε of '{}'; {epsilon} is assumed, {tool}'s default",
                    group.name
                ));
            }
            let [beta, mean, variance] = [Role::Bias, Role::Mean, Role::Variance];
            let [beta, mean, variance] =
                [group.values(beta)?, group.values(mean)?, group.values(variance)?];
            builder.affine(
                Affine::batch_norm([&weights.data, beta, mean, variance], epsilon)?,
                Fold::Always,
            )
        }
        "layer-norm" => {
            let params = [&weights.data, group.values(Role::Bias)?];
            builder.in_place(|width| AnyLayer::layer_norm(width, epsilon), &params)
        }
        "rescale" => {
            let [scale, shift] = [&weights.data, group.values(Role::Bias)?].map(doubles);
            builder.affine(Affine { scale, shift }, Fold::Never)
        }
        other => bail!("unknown kind of layer '{other}'"),
    }
}

/// Adds an activation.
fn add(builder: &mut Builder, activation: Activation, slope: f32) -> Result<()> {
    let layer = |width| match activation {
        Activation::Relu => Some(AnyLayer::relu(width)),
        Activation::LeakyRelu => Some(AnyLayer::leaky_relu(width, slope)),
        Activation::Sigmoid => Some(AnyLayer::sigmoid(width)),
        Activation::Tanh => Some(AnyLayer::tanh(width)),
        Activation::None => None,
    };
    match layer(1) {
        None => Ok(()),
        Some(_) => builder.in_place(|width| layer(width).unwrap_or(AnyLayer::relu(width)), &[]),
    }
}

/// The layers of a file that holds weights alone: the activation that the user names behind each hidden dense layer and its
/// normalization.
fn guessed(groups: &[Group], options: &Options) -> Result<Vec<Kind>> {
    let dense = groups.iter().filter(|group| group.kind() == "dense").count();
    let hidden = dense.saturating_sub(1);
    let activation = match &options.activation {
        Some(activation) => activation,
        None if hidden == 0 => &PerLayer::default(),
        None => bail!(
            "it holds {dense} dense layers and does not say what stands between them: give --activation relu, or another one"
        ),
    };
    activation.check("--activation", hidden)?;
    let (mut kinds, mut seen) = (Vec::new(), 0);
    for group in groups {
        if group.kind() == "dense" {
            if seen > 0 {
                kinds.push(Kind::named(activation.of(seen - 1).name()));
            }
            seen += 1;
        }
        kinds.push(Kind::named(group.kind()));
    }
    kinds.push(Kind::named(options.output_activation.name()));
    Ok(kinds)
}

/// The layout of all weights whose names do not tell, found by a bias beside a matrix that is not square.
fn known_layout(groups: &[Group]) -> Option<Role> {
    groups.iter().find_map(|group| {
        let (matrix, bias) = (group.tensors.get(&Role::Matrix)?, group.tensors.get(&Role::Bias)?);
        let [rows, cols] = matrix.shape[..] else { return None };
        match (bias.data.len() == rows, bias.data.len() == cols) {
            (true, false) => Some(Role::Weight),
            (false, true) => Some(Role::Kernel),
            _ => None,
        }
    })
}

/// The parameters of a network under the names that they have in PyTorch's `nn.Sequential`, weights `[out, in]`.
pub(super) fn named(net: &Sequential, params: &[f32]) -> Result<Vec<(String, Tensor)>> {
    let (mut tensors, mut rest) = (Vec::new(), params);
    for (i, layer) in net.layers().iter().enumerate() {
        let (own, after) = rest.split_at(layer.params());
        rest = after;
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let (weights, bias) = match layer {
            AnyLayer::Dense(_) => {
                let (weights, bias) = own.split_at(inputs * outputs);
                let weights = Tensor { shape: vec![inputs, outputs], data: weights.to_vec() };
                (weights.transposed(), bias)
            }
            AnyLayer::LayerNorm(_) | AnyLayer::Rescale(_) => {
                let (gamma, beta) = own.split_at(inputs);
                (Tensor { shape: vec![inputs], data: gamma.to_vec() }, beta)
            }
            _ if layer.params() == 0 => continue,
            _ => bail!("layer {i} ({layer}) has no form in this format"),
        };
        tensors.push((format!("{i}.weight"), weights));
        if !bias.is_empty() {
            let bias = Tensor { shape: vec![bias.len()], data: bias.to_vec() };
            tensors.push((format!("{i}.bias"), bias));
        }
    }
    Ok(tensors)
}

/// The layers of a network, for the metadata.
pub(super) fn kinds(net: &Sequential) -> Vec<Kind> {
    net.layers().iter().map(Kind::of).collect()
}

/// Whether a tensor is PyTorch's count of batches, which is no parameter.
pub(super) fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}
