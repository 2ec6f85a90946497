//! A recipe's settings, put beside the flags of the command line.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use picomlp_train::config::ModelSpec;
use picomlp_train::{Checkpoint, ModelFile};

use super::file::{Setting, Value};
use super::{Recipe, open};
use crate::args::train;
use crate::stdout::say_and_exit;

/// A flag beside a recipe, and the recipe's settings that it leaves behind: those that mean something for one optimizer alone,
/// and one that needs a run without validation.
const LEFT_BEHIND: [(&str, &[&str]); 2] = [
    ("optimizer", &["lr", "momentum", "beta1", "beta2", "alpha", "epsilon"]),
    ("val-split", &["keep-lowest-loss"]),
];

/// Flags of `train` that mean something else, or too much, in other commands.
const OF_TRAIN_ALONE: [&str; 6] = ["batch-size", "seed", "out", "json", "quiet", "threads"];

/// Parses a command line. If it names a recipe, the recipe's settings count as flags, but for those that the command line
/// gives itself and those that do not go with these.
///
/// Ends the program where the command line is wrong, and for `--help`.
///
/// # Errors
///
/// If the recipe cannot be read or has a wrong setting.
pub fn matches(command: Command, words: impl Iterator<Item = OsString>) -> Result<ArgMatches> {
    let mut words: Vec<OsString> = words.collect();
    let parse = |words: &[OsString]| command.clone().try_get_matches_from(words);
    let given = parse(&words).unwrap_or_else(|error| say_and_exit(&error));
    let Some((name, beside)) = given.subcommand() else { return Ok(given) };
    let Some(recipe) = beside.try_get_one::<String>("recipe").ok().flatten() else {
        return resumed(command, words, given);
    };
    let recipe = open(recipe)?;
    let mut built = command.clone();
    built.build();
    let find = |name: &str| built.find_subcommand(name);
    let (Some(train), Some(used)) = (find("train"), find(name)) else { return Ok(given) };
    for setting in &recipe.settings {
        check(&recipe, setting, train)?;
        if goes_with(setting, used, beside, name == "train") {
            words.extend(flag(setting).map(OsString::from));
        }
    }
    let has_data = find_flag(used, "data").is_some_and(|arg| is_given(beside, arg))
        || recipe.settings.iter().any(|setting| setting.flag == "data");
    if let Some(data) = recipe.about.data.as_ref().filter(|_| name == "train" && !has_data) {
        let why = format!("recipe {} is for {data}: name it by '--data'", recipe.name);
        say_and_exit(&used.clone().error(ErrorKind::MissingRequiredArgument, why));
    }
    // The command line alone was right.
    match parse(&words) {
        Ok(given) => resumed(command, words, given),
        Err(error) => bail!("{}: {}", recipe.name, said(&error)),
    }
}

/// Puts the settings of a checkpoint beside the flags, if there is one to go on from; or those of the network of a
/// model to start from.
fn resumed(command: Command, mut words: Vec<OsString>, given: ArgMatches) -> Result<ArgMatches> {
    let Some(("train", beside)) = given.subcommand() else { return Ok(given) };
    let args = train::Args::from_arg_matches(beside)?;
    let mut built = command.clone();
    built.build();
    let Some(train) = built.find_subcommand("train") else { return Ok(given) };
    let Some(path) = args.checkpoints.resumed()? else {
        let Some(path) = args.init_from() else { return Ok(given) };
        for setting in settings_of(path)? {
            if goes_with(&setting, train, beside, true) {
                words.extend(flag(&setting).map(OsString::from));
            }
        }
        let shown = path.display();
        return command
            .try_get_matches_from(words)
            .or_else(|error| bail!("{shown}: {}", said(&error)));
    };
    let checkpoint = Checkpoint::read(&path)?;
    for (name, value) in checkpoint.flags() {
        let value = match (name, checkpoint.path().parent()) {
            // The folder may have moved.
            ("checkpoint", Some(folder)) => Value::Word(folder.display().to_string()),
            _ => value.map_or(Value::Switch(true), |word| Value::Word(word.to_owned())),
        };
        let setting = Setting { flag: name.to_owned(), value, line: 0 };
        if goes_with(&setting, train, beside, true) {
            words.extend(flag(&setting).map(OsString::from));
        }
    }
    let shown = checkpoint.path().display();
    command.try_get_matches_from(words).or_else(|error| bail!("{shown}: {}", said(&error)))
}

/// The settings that build the network of a model.
fn settings_of(path: &Path) -> Result<Vec<Setting>> {
    let file = ModelFile::read(path)?;
    let net = file.blob()?.network().with_context(|| path.display().to_string())?;
    let spec = ModelSpec::of(net.layers()).with_context(|| {
        let layers: Vec<_> = net.layers().iter().map(ToString::to_string).collect();
        format!(
            "--init-from {}: `train` builds no such layers: {}",
            path.display(),
            layers.join("; ")
        )
    })?;
    let settings = [
        ("hidden", spec.hidden.to_string()),
        ("activation", spec.activation.to_string()),
        ("output-activation", spec.output_activation.to_string()),
        ("leaky-slope", spec.leaky_slope.to_string()),
        ("norm", spec.norm.to_string()),
        ("bias", spec.bias.to_string()),
    ];
    let setting = |(flag, word): (&str, String)| Setting {
        flag: flag.to_owned(),
        value: Value::Word(word),
        line: 0,
    };
    Ok(settings.map(setting).into())
}

/// A setting as a word of a command line; nothing if it is a switch that is off.
fn flag(setting: &Setting) -> Option<String> {
    match &setting.value {
        Value::Switch(false) => None,
        Value::Switch(true) => Some(format!("--{}", setting.flag)),
        Value::Word(word) => Some(format!("--{}={word}", setting.flag)),
    }
}

/// Whether `train` takes the setting.
fn check(recipe: &Recipe, setting: &Setting, train: &Command) -> Result<()> {
    let Setting { flag: name, value, line } = setting;
    let at = format!("{}:{line}", recipe.name);
    let Some(arg) =
        find_flag(train, name).filter(|_| !["recipe", "help", "help-all"].contains(&name.as_str()))
    else {
        bail!(
            "{at}: 'train' has no setting '{name}': expected one of its flags, without the dashes"
        );
    };
    match (is_switch(arg), value) {
        (true, Value::Word(word)) => bail!("{at}: '{name}' is '{word}', expected true or false"),
        (false, Value::Switch(_)) => bail!("{at}: '{name}' is true or false, expected a value"),
        _ => {}
    }
    let words = [Some("train".to_owned()), flag(setting)];
    match train.clone().try_get_matches_from(words.into_iter().flatten()) {
        // What it needs beside it may stand on another line.
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
            bail!("{at}: {}", said(&error))
        }
        _ => Ok(()),
    }
}

/// Whether the command `used` has the setting, and nothing that is given beside it speaks against it.
fn goes_with(setting: &Setting, used: &Command, beside: &ArgMatches, trains: bool) -> bool {
    let name = setting.flag.as_str();
    let Some(arg) = find_flag(used, name) else { return false };
    if !trains && OF_TRAIN_ALONE.contains(&name) {
        return false;
    }
    let excludes = |a: &Arg, b: &Arg| {
        used.get_arg_conflicts_with(a).iter().any(|arg| arg.get_id() == b.get_id())
    };
    let mut given = used.get_arguments().filter(|arg| is_given(beside, arg));
    !given.any(|given| {
        given.get_id() == arg.get_id()
            || excludes(given, arg)
            || excludes(arg, given)
            || LEFT_BEHIND
                .iter()
                .any(|(flag, left)| given.get_long() == Some(flag) && left.contains(&name))
    })
}

/// Whether the command line says it, not a default.
fn is_given(beside: &ArgMatches, arg: &Arg) -> bool {
    beside.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

fn find_flag<'c>(command: &'c Command, flag: &str) -> Option<&'c Arg> {
    let is_alias = |arg: &Arg| arg.get_all_aliases().is_some_and(|names| names.contains(&flag));
    command.get_arguments().find(|arg| arg.get_long() == Some(flag) || is_alias(arg))
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// What clap says of a wrong command line, without the usage.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}
