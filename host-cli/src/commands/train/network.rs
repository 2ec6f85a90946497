//! The flags that say what is trained: layers and loss.

use core::fmt;
use core::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use picomlp::layers::LayerList;
use picomlp::{AnyLayer, Layer, Loss, LossKind, Sequential};

use super::args::Hidden;
use crate::text::shell_word;

/// A batch's share in the running statistics of batch normalisation, and what is added to each variance: PyTorch's
/// defaults.
const MOMENTUM: f32 = 0.1;
const EPSILON: f32 = 1e-5;

/// Layers and loss. A hidden layer is dense → norm → activation → dropout.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Network and loss")]
pub(crate) struct NetworkArgs {
    /// Widths of the hidden layers, separated by commas; '' for none.
    #[arg(long, default_value_t, value_name = "WIDTHS")]
    pub(crate) hidden: Hidden,
    /// Activation of the hidden layers: relu, leaky-relu, sigmoid, tanh or none; one for all, or one for each.
    #[arg(long, default_value_t, value_name = "NAME[,NAME]")]
    activation: PerLayer<Activation>,
    /// Activation of the outputs, before the loss.
    #[arg(long, value_enum, default_value_t = Activation::None, value_name = "NAME")]
    output_activation: Activation,
    /// Slope of leaky-relu below zero.
    #[arg(long, default_value_t = 0.01, value_parser = slope, value_name = "SLOPE")]
    leaky_slope: f32,
    /// Normalisation before the activation of the hidden layers: none, layer or batch; one for all, or one for each.
    /// The model file holds batch normalisation worked into the dense layers.
    #[arg(long, default_value_t, value_name = "NAME[,NAME]")]
    norm: PerLayer<Norm>,
    /// Probability that training drops a value behind a hidden layer's activation (so 0.4 keeps 60 %); one for all
    /// hidden layers, or one for each.
    #[arg(long, default_value_t, value_name = "P[,P]")]
    dropout: PerLayer<Drop>,
    /// Which dense layers have a bias: all, the hidden ones, or none.
    #[arg(long, value_enum, default_value_t)]
    bias: BiasIn,
    /// The same as `--bias none`.
    #[arg(long, conflicts_with = "bias")]
    no_bias: bool,
    /// What training makes small: softmax cross-entropy, as the mean or the sum over the batch, or the squared error
    /// against one-hot targets, summed over the classes, as the mean over the batch.
    #[arg(long, value_enum, default_value_t)]
    loss: LossName,
    /// Share of the target that is spread over all classes alike.
    #[arg(long, default_value_t = 0.0, value_parser = smoothing, value_name = "SHARE")]
    label_smoothing: f32,
}

impl NetworkArgs {
    /// The network between so many inputs and classes.
    ///
    /// # Errors
    ///
    /// If a flag's list fits the hidden layers neither one for all nor one for each, or there are too many layers.
    pub(crate) fn network(&self, inputs: usize, classes: usize) -> Result<Sequential> {
        let hidden = &self.hidden.0;
        self.activation.check("--activation", hidden.len())?;
        self.norm.check("--norm", hidden.len())?;
        self.dropout.check("--dropout", hidden.len())?;
        let mut layers = LayerList::new();
        let mut before = inputs;
        for (i, &width) in hidden.iter().enumerate() {
            let group = [
                Some(dense(before, width, self.bias() != BiasIn::None)),
                match self.norm.of(i) {
                    Norm::None => None,
                    Norm::Layer => Some(AnyLayer::layer_norm(width, EPSILON)),
                    Norm::Batch => Some(AnyLayer::batch_norm(width, EPSILON, MOMENTUM)),
                },
                self.layer(self.activation.of(i), width),
                match self.dropout.of(i) {
                    Drop(0.0) => None,
                    Drop(probability) => Some(AnyLayer::dropout(width, probability)),
                },
            ];
            for layer in group.into_iter().flatten() {
                layer.describe(&mut layers).context("--hidden")?;
            }
            before = width;
        }
        dense(before, classes, self.bias() == BiasIn::All)
            .describe(&mut layers)
            .context("--hidden")?;
        if let Some(layer) = self.layer(self.output_activation, classes) {
            layer.describe(&mut layers).context("--output-activation")?;
        }
        Sequential::new(layers).context("--hidden")
    }

    /// The loss to train with.
    pub(crate) fn loss(&self) -> Loss {
        let loss = match self.loss {
            LossName::CrossEntropy => Loss::CROSS_ENTROPY,
            LossName::CrossEntropySum => Loss::CROSS_ENTROPY.summed(),
            LossName::Mse => Loss::SQUARED_ERROR,
        };
        loss.with_smoothing(self.label_smoothing)
    }

    /// The loss in words: `mse, label smoothing 0.1`.
    pub(crate) fn loss_name(&self) -> String {
        match self.label_smoothing {
            0.0 => self.loss.to_string(),
            share => format!("{}, label smoothing {share}", self.loss),
        }
    }

    fn bias(&self) -> BiasIn {
        if self.no_bias { BiasIn::None } else { self.bias }
    }

    fn layer(&self, activation: Activation, width: usize) -> Option<AnyLayer> {
        match activation {
            Activation::Relu => Some(AnyLayer::relu(width)),
            Activation::LeakyRelu => Some(AnyLayer::leaky_relu(width, self.leaky_slope)),
            Activation::Sigmoid => Some(AnyLayer::sigmoid(width)),
            Activation::Tanh => Some(AnyLayer::tanh(width)),
            Activation::None => None,
        }
    }

    /// The flags that are not at their defaults, `--hidden` aside, with a space before each.
    pub(crate) fn flags(&self) -> String {
        let defaults = Self::default();
        let mut flags = String::new();
        let mut flag = |name: &str, value: &dyn fmt::Display, default: &dyn fmt::Display| {
            let (value, default) = (value.to_string(), default.to_string());
            if value != default {
                flags.push_str(&format!(" --{name} {}", shell_word(&value)));
            }
        };
        flag("activation", &self.activation, &defaults.activation);
        flag("output-activation", &self.output_activation, &defaults.output_activation);
        flag("leaky-slope", &self.leaky_slope, &defaults.leaky_slope);
        flag("norm", &self.norm, &defaults.norm);
        flag("dropout", &self.dropout, &defaults.dropout);
        flag("bias", &self.bias(), &defaults.bias);
        flag("loss", &self.loss, &defaults.loss);
        flag("label-smoothing", &self.label_smoothing, &defaults.label_smoothing);
        flags
    }
}

impl Default for NetworkArgs {
    /// What `train` does without flags.
    fn default() -> Self {
        Self {
            hidden: Hidden::default(),
            activation: PerLayer::default(),
            output_activation: Activation::None,
            leaky_slope: 0.01,
            norm: PerLayer::default(),
            dropout: PerLayer::default(),
            bias: BiasIn::default(),
            no_bias: false,
            loss: LossName::default(),
            label_smoothing: 0.0,
        }
    }
}

fn dense(inputs: usize, outputs: usize, bias: bool) -> AnyLayer {
    if bias { AnyLayer::dense(inputs, outputs) } else { AnyLayer::dense_no_bias(inputs, outputs) }
}

/// A setting for all hidden layers, or one for each.
#[derive(Clone, Debug, PartialEq)]
struct PerLayer<T>(Vec<T>);

impl<T: Copy> PerLayer<T> {
    fn check(&self, flag: &str, hidden: usize) -> Result<()> {
        let count = self.0.len();
        ensure!(
            count == 1 || count == hidden,
            "{flag} names {count} values, expected one for all hidden layers or one for each of {hidden}"
        );
        Ok(())
    }

    /// That of hidden layer `i`; [`check`](Self::check) has seen that there is one.
    fn of(&self, i: usize) -> T {
        if self.0.len() == 1 { self.0[0] } else { self.0[i] }
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
        let words: Vec<String> = self.0.iter().map(T::to_string).collect();
        f.write_str(&words.join(","))
    }
}

/// A probability to drop a value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Drop(f32);

impl FromStr for Drop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(p) if (0.0..1.0).contains(&p) => Ok(Self(p)),
            _ => Err(format!(
                "'{text}' is no probability to drop a value: expected at least 0 and below 1"
            )),
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Activation {
    #[default]
    Relu,
    LeakyRelu,
    Sigmoid,
    Tanh,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Norm {
    #[default]
    None,
    Layer,
    Batch,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum BiasIn {
    #[default]
    All,
    Hidden,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LossName {
    #[default]
    CrossEntropy,
    CrossEntropySum,
    Mse,
}

/// Written and read, in a list too, as clap names the values.
macro_rules! by_name {
    ($($name:ty),*) => {
        $(
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let value = self.to_possible_value();
                    f.write_str(value.as_ref().map_or("", |value| value.get_name()))
                }
            }

            impl FromStr for $name {
                type Err = String;

                fn from_str(text: &str) -> Result<Self, String> {
                    <Self as ValueEnum>::from_str(text, false).map_err(|_| {
                        let names = Self::value_variants().iter().map(Self::to_string);
                        let names: Vec<String> = names.collect();
                        format!("'{text}' is none of: {}", names.join(", "))
                    })
                }
            }
        )*
    };
}
by_name!(Activation, Norm, BiasIn, LossName);

/// What `eval`, `inspect` and `train` call a loss.
pub(crate) const fn loss_name(kind: LossKind) -> &'static str {
    match kind {
        LossKind::SquaredError => "squared error",
        _ => "cross-entropy",
    }
}

fn slope(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(slope) if slope.is_finite() && slope >= 0.0 => Ok(slope),
        _ => Err("expected a finite number, 0 or more".to_owned()),
    }
}

fn smoothing(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share of 1: at least 0 and below 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: NetworkArgs,
    }

    fn parse(line: &str) -> Result<NetworkArgs, String> {
        let words = core::iter::once("train").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    fn layers(line: &str) -> Vec<String> {
        let net = parse(line).unwrap().network(9, 3).unwrap();
        net.layers().iter().map(AnyLayer::to_string).collect()
    }

    #[test]
    fn network_without_flags_is_dense_relu_dense() {
        assert_eq!(layers(""), ["dense 9→128", "relu 128→128", "dense 128→3"]);
        assert_eq!(parse("").unwrap().loss(), Loss::CROSS_ENTROPY);
        assert_eq!(parse("").unwrap().flags(), "");
    }

    #[test]
    fn network_takes_one_value_for_all_hidden_layers_or_one_for_each() {
        let line =
            "--hidden 5,4 --activation sigmoid --norm layer,none --dropout 0,0.25 --bias hidden";
        assert_eq!(
            layers(line),
            [
                "dense 9→5",
                "layer-norm 5→5, epsilon 0.00001",
                "sigmoid 5→5",
                "dense 5→4",
                "sigmoid 4→4",
                "dropout 4→4, probability 0.25",
                "dense 4→3, no bias"
            ]
        );
    }

    #[test]
    fn network_puts_an_activation_on_the_outputs() {
        let line = "--hidden 5 --activation leaky-relu --leaky-slope 0.2 --output-activation tanh --no-bias";
        assert_eq!(
            layers(line),
            ["dense 9→5, no bias", "leaky-relu 5→5, slope 0.2", "dense 5→3, no bias", "tanh 3→3"]
        );
    }

    #[test]
    fn a_list_that_fits_no_layers_is_refused_by_its_flag() {
        let args = parse("--hidden 5,4,3 --dropout 0.1,0.2").unwrap();
        let error = args.network(9, 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "--dropout names 2 values, expected one for all hidden layers or one for each of 3"
        );
        assert!(parse("--activation relu,gelu").unwrap_err().contains("'gelu' is none of: relu"));
        assert!(parse("--dropout 1").unwrap_err().contains("below 1"));
        assert!(parse("--no-bias --bias all").unwrap_err().contains("cannot be used with"));
    }

    #[test]
    fn flags_repeat_what_is_not_at_its_default() {
        let line = "--activation relu,tanh --output-activation sigmoid --leaky-slope 0.5 --norm batch \
                    --dropout 0.4,0.25 --bias hidden --loss mse --label-smoothing 0.1";
        let args = parse(line).unwrap();
        assert_eq!(args.flags().trim_start(), line);
        assert_eq!(args.loss(), Loss::SQUARED_ERROR.with_smoothing(0.1));
        assert_eq!(parse("--no-bias").unwrap().flags(), " --bias none");
    }
}
