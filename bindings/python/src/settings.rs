//! Settings by name, as the flags of `picomlp train` have them with underscores.

use core::fmt::Display;
use core::str::FromStr;

use anyhow::{Result, anyhow, bail};
use picomlp_train::config::{ClassWeight, TrainConfig};
use picomlp_train::data::Amount;
use picomlp_train::number::{above_zero, below_one, not_negative};
use pyo3::pyfunction;

/// Lists each setting: name, field, and what its text is parsed by. Those after `optional` are `None` by default.
macro_rules! settings {
    (
        always { $($name:literal: $($field:ident).+ = $parse:expr;)+ }
        optional { $($may:literal: $($option:ident).+ = $parse_some:expr;)+ }
    ) => {
        fn set(config: &mut TrainConfig, name: &str, text: &str) -> Result<()> {
            let invalid = |why: String| anyhow!("invalid value '{text}' for '{name}': {why}");
            match name {
                $($name => config.$($field).+ = $parse(text).map_err(invalid)?,)+
                $($may => config.$($option).+ = Some($parse_some(text).map_err(invalid)?),)+
                _ => bail!("unknown setting '{name}'"),
            }
            Ok(())
        }

        /// Returns every setting with the text of its default.
        #[pyfunction]
        pub(crate) fn defaults() -> Vec<(&'static str, Option<String>)> {
            let config = TrainConfig::default();
            vec![
                $(($name, Some(config.$($field).+.to_string())),)+
                $(($may, config.$($option).+.as_ref().map(ToString::to_string)),)+
            ]
        }
    };
}

settings! {
    always {
        "hidden": model.hidden = word;
        "activation": model.activation = word;
        "epochs": epochs = positive;
        "batch_size": batch_size = positive;
        "optimizer": optimizer.kind = word;
        "seed": seed = word_of;
        "loss": loss.kind = word;
        "norm": model.norm = word;
        "output_activation": model.output_activation = word;
        "leaky_slope": model.leaky_slope = not_negative;
        "bias": model.bias = word;
        "label_smoothing": loss.label_smoothing = fraction;
        "schedule": schedule = word;
        "warmup": warmup = word_of;
        "monitor": monitor = word;
        "full_batch": full_batch = word_of;
        "keep_lowest_loss": keep_lowest_loss = word_of;
        "decay_weights_only": optimizer.decay_weights_only = word_of;
        "shuffle": shuffle = word_of;
        "stratified": split.stratified = word_of;
        "init": init = word;
        "inputs": inputs = word;
        "scale": scale = word;
    }
    optional {
        "lr": optimizer.learning_rate = above_zero;
        "dropout": model.dropout = word;
        "val_split": split.validation = word;
        "patience": patience = positive;
        "momentum": optimizer.momentum = below_one;
        "beta1": optimizer.beta1 = below_one;
        "beta2": optimizer.beta2 = below_one;
        "alpha": optimizer.alpha = below_one;
        "epsilon": optimizer.epsilon = above_zero;
        "weight_decay": optimizer.weight_decay = not_negative;
        "clip_norm": clip_norm = above_zero;
        "max_steps": max_steps = positive;
        "threads": threads = positive;
    }
}

/// Returns the settings, the defaults in place of those that are not given.
pub(crate) fn config(given: &[(String, String)]) -> Result<TrainConfig> {
    let mut config = TrainConfig::default();
    config.split.test = Some(Amount::NONE); // the caller has already held out the test set
    given.iter().try_for_each(|(name, text)| match name.as_str() {
        "class_weight" => weigh(&mut config, text),
        _ => set(&mut config, name, text),
    })?;
    Ok(config)
}

/// Weighs classes: `balanced`, or one of them, as `CLASS=WEIGHT`. A class's name may have any characters here.
fn weigh(config: &mut TrainConfig, text: &str) -> Result<()> {
    let Some((class, weight)) = text.rsplit_once('=') else {
        config.class_weight = Some(word(text).map_err(anyhow::Error::msg)?);
        return Ok(());
    };
    let weight = not_negative(weight);
    let weight = weight.map_err(|why| anyhow!("invalid weight of class {class}: {why}"))?;
    let ClassWeight::Each(all) = config.class_weight.get_or_insert(ClassWeight::Each(Vec::new()))
    else {
        bail!("weights of classes beside 'balanced'")
    };
    all.push((class.to_owned(), weight));
    Ok(())
}

fn word<T: FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse()
}

fn word_of<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why: T::Err| why.to_string())
}

fn positive<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

fn fraction(text: &str) -> Result<f32, String> {
    below_one(text).map(|fraction| fraction as f32)
}
