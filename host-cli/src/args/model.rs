//! The flags that say what is trained: layers and loss.

use picomlp_train::config::{
    Activation, BiasSpec, Dropout, Hidden, LossFunction, LossSpec, ModelSpec, Norm, PerLayer,
};
use picomlp_train::number::{below_one, not_negative};

use super::named;

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
    #[arg(long, value_parser = named::<Activation>(), default_value_t = Activation::None, value_name = "NAME")]
    output_activation: Activation,
    /// Slope of leaky-relu below zero.
    #[arg(long, default_value_t = 0.01, value_parser = not_negative, value_name = "SLOPE")]
    leaky_slope: f32,
    /// Normalization in front of the hidden layers' activation: none, layer or batch; one for all, or one for each. The
    /// model file holds batch normalization folded into the dense layers.
    #[arg(long, default_value_t, value_name = "NAME[,NAME]")]
    norm: PerLayer<Norm>,
    /// Dropout probability behind the hidden layers' activation (0.4 keeps 60 %); one for all, or one for each [default: 0, or
    /// 0.4 for fewer than 1000 samples of features].
    #[arg(long, value_name = "P[,P]")]
    dropout: Option<PerLayer<Dropout>>,
    /// Dense layers with a bias.
    #[arg(long, value_parser = named::<BiasSpec>(), default_value_t)]
    bias: BiasSpec,
    /// The same as `--bias none`.
    #[arg(long, conflicts_with = "bias")]
    no_bias: bool,
    /// Training loss: for classes softmax cross-entropy (batch mean or sum), binary cross-entropy (bce) of one output for two
    /// classes, or squared error against one-hot targets; for labels binary cross-entropy; for values squared (mse), absolute
    /// (mae) or huber error. `auto`: cross-entropy for classes, bce for labels, mse for values.
    #[arg(long, value_parser = named::<LossFunction>(), default_value_t)]
    loss: LossFunction,
    /// Fraction of the target that is spread over all classes.
    #[arg(long, default_value_t = 0.0, value_parser = smoothing, value_name = "FRACTION")]
    label_smoothing: f32,
}

impl NetworkArgs {
    /// Returns the settings of the network.
    pub(crate) fn model(&self) -> ModelSpec {
        ModelSpec {
            hidden: self.hidden.clone(),
            activation: self.activation.clone(),
            output_activation: self.output_activation,
            leaky_slope: self.leaky_slope,
            norm: self.norm.clone(),
            dropout: self.dropout.clone(),
            bias: if self.no_bias { BiasSpec::None } else { self.bias },
        }
    }

    /// Returns the settings of the loss.
    pub(crate) fn loss(&self) -> LossSpec {
        LossSpec { kind: self.loss, label_smoothing: self.label_smoothing }
    }
}

fn smoothing(text: &str) -> Result<f32, String> {
    below_one(text).map(|fraction| fraction as f32)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use picomlp::blob::TargetKind;
    use picomlp::{Loss, LossKind};
    use picomlp_train::config::TrainConfig;

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

    /// The settings that are not at their defaults, as flags.
    fn settings(line: &str) -> String {
        let args = parse(line).unwrap();
        let (model, loss) = (args.model(), args.loss());
        let config = TrainConfig { model, loss, ..TrainConfig::default() };
        let words = config.model_settings().into_iter();
        let words = words.map(|(flag, value)| format!("--{flag} {}", value.unwrap()));
        words.collect::<Vec<_>>().join(" ")
    }

    fn built(line: &str, targets: TargetKind) -> LossKind {
        parse(line).unwrap().loss().build(targets).unwrap().kind()
    }

    fn layers(line: &str) -> Vec<String> {
        let net = parse(line).unwrap().model().build(9, 3).unwrap();
        net.layers().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn network_without_flags_is_dense_relu_dense() {
        assert_eq!(layers(""), ["dense 9→128", "relu 128→128", "dense 128→3"]);
        assert_eq!(built("", TargetKind::Classes), Loss::CROSS_ENTROPY.kind());
        assert_eq!(built("", TargetKind::Values), Loss::MEAN_SQUARED_ERROR.kind());
        assert_eq!(built("", TargetKind::Labels), Loss::BINARY_CROSS_ENTROPY.kind());
        assert_eq!(settings(""), "");
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
        let error = args.model().build(9, 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "--dropout has 2 values: expected one for all hidden layers or one for each of 3"
        );
        assert!(
            parse("--activation relu,gelu").unwrap_err().contains("'gelu': expected one of relu")
        );
        assert!(parse("--dropout 1").unwrap_err().contains("below 1"));
        assert!(parse("--no-bias --bias all").unwrap_err().contains("cannot be used with"));
    }

    #[test]
    fn flags_repeat_what_is_not_at_its_default() {
        let line = "--activation relu,tanh --output-activation sigmoid --leaky-slope 0.5 --norm batch \
                    --dropout 0.4,0.25 --bias hidden --loss mse --label-smoothing 0.1";
        assert_eq!(settings(line), line);
        assert_eq!(built(line, TargetKind::Classes), Loss::SQUARED_ERROR.kind());
        let error =
            parse("--loss mae").unwrap().loss().build(TargetKind::Classes).unwrap_err().to_string();
        assert!(error.contains("--loss mae is for values to predict"), "{error}");
        let error = parse("--loss cross-entropy")
            .unwrap()
            .loss()
            .build(TargetKind::Values)
            .unwrap_err()
            .to_string();
        assert!(error.contains("is for classes, and the targets are values"), "{error}");
        assert_eq!(settings("--no-bias"), "--bias none");
    }
}
