//! The network and its loss.

use core::fmt;
use core::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::TargetKind;
use picomlp::layers::LayerList;
use picomlp::{AnyLayer, Layer, Loss, Sequential};

use crate::named;

/// The weight of a batch in the running statistics of batch normalization, and what is added to each variance: PyTorch's
/// defaults.
const MOMENTUM: f32 = 0.1;
const EPSILON: f32 = 1e-5;

/// The dropout of networks on few samples of features, unless said otherwise. 0.5, the usual value for wide networks,
/// costs accuracy where few features tell much: `docs/data.md` has the comparison.
pub(crate) const DROPOUT_OF_FEW: Dropout = Dropout(0.4);

/// A multi-layer perceptron. A hidden layer is dense → norm → activation → dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Widths of the hidden layers.
    pub hidden: Hidden,
    /// Activations of the hidden layers.
    pub activation: PerLayer<Activation>,
    /// Activation of the outputs, before the loss.
    pub output_activation: Activation,
    /// Slope of leaky ReLU below zero.
    pub leaky_slope: f32,
    /// Normalization in front of the activations.
    pub norm: PerLayer<Norm>,
    /// Dropout behind the activations; without it, 0.4 for fewer than 1,000 samples of features.
    pub dropout: Option<PerLayer<Dropout>>,
    /// Which dense layers have a bias.
    pub bias: BiasSpec,
}

impl Default for ModelSpec {
    /// One hidden layer of 128 ReLUs.
    fn default() -> Self {
        Self {
            hidden: Hidden::default(),
            activation: PerLayer::default(),
            output_activation: Activation::None,
            leaky_slope: 0.01,
            norm: PerLayer::default(),
            dropout: None,
            bias: BiasSpec::default(),
        }
    }
}

impl ModelSpec {
    /// Builds the network between `inputs` and `outputs`.
    ///
    /// # Errors
    ///
    /// If a list has neither one value nor one for each hidden layer, or there are too many layers.
    pub fn build(&self, inputs: usize, outputs: usize) -> Result<Sequential> {
        let hidden = &self.hidden.0;
        self.activation.check("--activation", hidden.len())?;
        self.norm.check("--norm", hidden.len())?;
        let dropout = self.dropout.clone().unwrap_or_default();
        dropout.check("--dropout", hidden.len())?;
        let mut layers = LayerList::new();
        let mut before = inputs;
        for (i, &width) in hidden.iter().enumerate() {
            let group = [
                Some(dense(before, width, self.bias != BiasSpec::None)),
                match self.norm.of(i) {
                    Norm::None => None,
                    Norm::Layer => Some(AnyLayer::layer_norm(width, EPSILON)),
                    Norm::Batch => Some(AnyLayer::batch_norm(width, EPSILON, MOMENTUM)),
                },
                self.activation_layer(self.activation.of(i), width),
                match dropout.of(i) {
                    Dropout(0.0) => None,
                    Dropout(probability) => Some(AnyLayer::dropout(width, probability)),
                },
            ];
            for layer in group.into_iter().flatten() {
                layer.describe(&mut layers).context("--hidden")?;
            }
            before = width;
        }
        dense(before, outputs, self.bias == BiasSpec::All)
            .describe(&mut layers)
            .context("--hidden")?;
        if let Some(layer) = self.activation_layer(self.output_activation, outputs) {
            layer.describe(&mut layers).context("--output-activation")?;
        }
        Sequential::new(layers).context("--hidden")
    }

    /// Returns the settings that build these layers, which those that scale values may enclose; `None` if no settings
    /// do.
    #[must_use]
    pub fn of(layers: &[AnyLayer]) -> Option<Self> {
        let is_built = |layer: &&AnyLayer| !matches!(layer, AnyLayer::Rescale(_));
        let layers: Vec<AnyLayer> = layers.iter().filter(is_built).copied().collect();
        let (first, last) = (layers.first()?, layers.last()?);
        let mut spec = Self::default();
        let (mut widths, mut biases) = (Vec::new(), Vec::new());
        let (mut activations, mut norms) = (Vec::new(), Vec::new());
        let mut rest = &layers[..];
        while let [AnyLayer::Dense(dense), after @ ..] = rest {
            let (norm, after) = match after {
                [AnyLayer::LayerNorm(_), after @ ..] => (Norm::Layer, after),
                _ => (Norm::None, after),
            };
            let activation = match after.first() {
                Some(AnyLayer::Relu(_)) => Activation::Relu,
                Some(AnyLayer::LeakyRelu(layer)) => {
                    spec.leaky_slope = layer.slope();
                    Activation::LeakyRelu
                }
                Some(AnyLayer::Sigmoid(_)) => Activation::Sigmoid,
                Some(AnyLayer::Tanh(_)) => Activation::Tanh,
                _ => Activation::None,
            };
            rest = if activation == Activation::None { after } else { &after[1..] };
            widths.push(dense.outputs());
            biases.push(dense.has_bias());
            activations.push(activation);
            norms.push(norm);
        }
        widths.pop()?;
        norms.pop()?;
        spec.output_activation = activations.pop()?;
        spec.bias = match (biases.pop()?, biases.contains(&true)) {
            (true, _) => BiasSpec::All,
            (false, true) => BiasSpec::Hidden,
            (false, false) => BiasSpec::None,
        };
        (spec.activation, spec.norm) = (PerLayer::of_all(activations), PerLayer::of_all(norms));
        spec.hidden = Hidden(widths);
        // What has no setting shows in other layers.
        let built = spec.build(first.inputs(), last.outputs()).ok()?;
        (built.layers() == layers).then_some(spec)
    }

    fn activation_layer(&self, activation: Activation, width: usize) -> Option<AnyLayer> {
        match activation {
            Activation::Relu => Some(AnyLayer::relu(width)),
            Activation::LeakyRelu => Some(AnyLayer::leaky_relu(width, self.leaky_slope)),
            Activation::Sigmoid => Some(AnyLayer::sigmoid(width)),
            Activation::Tanh => Some(AnyLayer::tanh(width)),
            Activation::None => None,
        }
    }
}

fn dense(inputs: usize, outputs: usize, bias: bool) -> AnyLayer {
    if bias { AnyLayer::dense(inputs, outputs) } else { AnyLayer::dense_no_bias(inputs, outputs) }
}

/// The loss that training minimizes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSpec {
    /// Which loss.
    pub kind: LossFunction,
    /// The fraction of the target that is spread over all classes.
    pub label_smoothing: f32,
}

impl LossSpec {
    /// Returns the core's form of it, for targets of a kind.
    ///
    /// # Errors
    ///
    /// If the loss is not for such targets, in the names of the flags.
    pub fn build(self, targets: TargetKind) -> Result<Loss<'static>> {
        let (kind, are_classes) = (self.resolve(targets), targets == TargetKind::Classes);
        let are_values = matches!(targets, TargetKind::Values | TargetKind::Inputs);
        let loss = match kind {
            LossFunction::CrossEntropy if are_classes => Loss::CROSS_ENTROPY,
            LossFunction::CrossEntropySum if are_classes => Loss::CROSS_ENTROPY.summed(),
            LossFunction::Mse if are_classes => Loss::SQUARED_ERROR,
            LossFunction::Bce if !are_values => Loss::BINARY_CROSS_ENTROPY,
            LossFunction::Mse if are_values => Loss::MEAN_SQUARED_ERROR,
            LossFunction::Mae if are_values => Loss::MEAN_ABSOLUTE_ERROR,
            LossFunction::Huber if are_values => Loss::HUBER,
            _ => {
                let is_for = match kind {
                    LossFunction::Bce => "two classes, or labels of 0 and 1",
                    LossFunction::Mse | LossFunction::Mae | LossFunction::Huber => {
                        "values to predict"
                    }
                    _ => "classes",
                };
                let are = match targets {
                    TargetKind::Classes => "classes",
                    TargetKind::Labels => "labels",
                    _ => "values",
                };
                bail!("--loss {kind} is for {is_for}, and the targets are {are}: see --target-type")
            }
        };
        ensure!(
            are_classes || self.label_smoothing == 0.0,
            "--label-smoothing is for classes, and the targets are labels or values"
        );
        Ok(loss.with_smoothing(self.label_smoothing))
    }

    /// The loss that `auto` stands for.
    fn resolve(self, targets: TargetKind) -> LossFunction {
        match (self.kind, targets) {
            (LossFunction::Auto, TargetKind::Classes) => LossFunction::CrossEntropy,
            (LossFunction::Auto, TargetKind::Labels) => LossFunction::Bce,
            (LossFunction::Auto, _) => LossFunction::Mse,
            (kind, _) => kind,
        }
    }

    /// Describes the loss: `mse, label smoothing 0.1`.
    pub(crate) fn describe(self, targets: TargetKind) -> String {
        let kind = self.resolve(targets);
        match self.label_smoothing {
            0.0 => kind.to_string(),
            smoothing => format!("{kind}, label smoothing {smoothing}"),
        }
    }
}

/// Widths of the hidden layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden(pub Vec<usize>);

impl Default for Hidden {
    fn default() -> Self {
        Self(vec![128])
    }
}

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let width = |word: &str| match word.trim().parse() {
            Ok(0) => Err("invalid width '0': leave the layer out, or give '' for none".to_owned()),
            Ok(width) => Ok(width),
            Err(_) => Err(format!(
                "invalid width '{word}': expected whole numbers separated by commas, as in 200,100"
            )),
        };
        text.split(',').map(width).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(&self.0, f)
    }
}

/// A setting for all hidden layers, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub struct PerLayer<T>(pub Vec<T>);

impl<T: Copy> PerLayer<T> {
    pub(crate) fn check(&self, flag: &str, hidden: usize) -> Result<()> {
        let count = self.0.len();
        ensure!(
            count == 1 || count == hidden,
            "{flag} has {count} values: expected one for all hidden layers or one for each of {hidden}"
        );
        Ok(())
    }

    /// The setting of hidden layer `i`, after [`check`](Self::check).
    pub(crate) fn of(&self, i: usize) -> T {
        if self.0.len() == 1 { self.0[0] } else { self.0[i] }
    }
}

impl<T: Copy + Default + PartialEq> PerLayer<T> {
    /// One setting if all are the same.
    fn of_all(mut all: Vec<T>) -> Self {
        let first = all.first().copied().unwrap_or_default();
        if all.iter().all(|one| *one == first) {
            all = vec![first];
        }
        Self(all)
    }
}

impl<T: Default> Default for PerLayer<T> {
    fn default() -> Self {
        Self(vec![T::default()])
    }
}

impl<T: FromStr<Err = String>> FromStr for PerLayer<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|word| word.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for PerLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(&self.0, f)
    }
}

/// Writes values with commas between them.
fn list<T: fmt::Display>(values: &[T], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let words: Vec<String> = values.iter().map(T::to_string).collect();
    f.write_str(&words.join(","))
}

/// A probability to drop a value: at least 0 and below 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout(f32);

impl FromStr for Dropout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match crate::number::below_one(text) {
            Ok(probability) => Ok(Self(probability as f32)),
            Err(why) => Err(format!("invalid probability '{text}': {why}")),
        }
    }
}

impl fmt::Display for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

named! {
    /// An activation function.
    #[non_exhaustive]
    pub enum Activation {
        /// `max(x, 0)`.
        Relu = "relu",
        /// ReLU with [`ModelSpec::leaky_slope`] below zero.
        LeakyRelu = "leaky-relu",
        /// `1 / (1 + exp(-x))`.
        Sigmoid = "sigmoid",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// Identity.
        None = "none",
    }
}

named! {
    /// Normalization of a hidden layer.
    #[non_exhaustive]
    pub enum Norm {
        /// No normalization.
        None = "none",
        /// Over the values of a sample.
        Layer = "layer",
        /// Over the samples of a batch.
        Batch = "batch",
    }
}

named! {
    /// Which dense layers have a bias.
    #[non_exhaustive]
    pub enum BiasSpec {
        /// All.
        All = "all",
        /// All but the last.
        Hidden = "hidden",
        /// None.
        None = "none",
    }
}

named! {
    /// A loss function.
    #[non_exhaustive]
    pub enum LossFunction {
        /// Cross-entropy for classes, binary cross-entropy for labels, mean squared error for values.
        Auto = "auto",
        /// Softmax cross-entropy, mean over the batch.
        CrossEntropy = "cross-entropy",
        /// Softmax cross-entropy, sum over the batch.
        CrossEntropySum = "cross-entropy-sum",
        /// Binary cross-entropy: of one output for two classes, or of an output for each label.
        Bce = "bce",
        /// Squared error: for values the mean over outputs and batch; for classes against one-hot targets, summed over the
        /// outputs, mean over the batch.
        Mse = "mse",
        /// Absolute error, mean over outputs and batch.
        Mae = "mae",
        /// Half the squared error up to 1 standard deviation of the targets, a line beyond.
        Huber = "huber",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_a_network_are_found_in_its_layers() {
        let word = |word: &str| word.parse().unwrap();
        let plain = ModelSpec { hidden: word("7"), ..ModelSpec::default() };
        let mixed = ModelSpec {
            hidden: word("7,6,5"),
            activation: "tanh,none,leaky-relu".parse().unwrap(),
            output_activation: Activation::Sigmoid,
            leaky_slope: 0.25,
            norm: "layer,none,none".parse().unwrap(),
            bias: BiasSpec::Hidden,
            dropout: None,
        };
        let none = ModelSpec { hidden: word(""), bias: BiasSpec::None, ..ModelSpec::default() };
        for spec in [plain, mixed, none] {
            let net = spec.build(9, 3).unwrap();
            assert_eq!(ModelSpec::of(net.layers()), Some(spec));
        }
        let dense = AnyLayer::dense(4, 4);
        for other in [
            &[dense, AnyLayer::relu(4), AnyLayer::tanh(4), dense][..],
            &[AnyLayer::relu(4), dense],
            &[dense, AnyLayer::layer_norm(4, 0.5), dense],
            &[],
        ] {
            assert_eq!(ModelSpec::of(other), None);
        }
    }
}
