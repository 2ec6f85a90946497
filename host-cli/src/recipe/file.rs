//! A recipe's file: TOML, with the lines of its settings.
//!
//! ```toml
//! [recipe]                 # for people; all of it may be left out
//! about = "one line"
//! source = "who published it"
//! data = "what --data must name"
//!
//! [[published]]            # any number of these
//! flags = "--hidden 32"    # flags beside the recipe, if there are any
//! figure = "93.8 % test accuracy"
//!
//! [train]                  # the flags of `train`, without the dashes
//! hidden = [64, 32]
//! full-batch = true
//! ```

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use toml::{Spanned, Value as Toml};

use picomlp_train::text::shell_word;

/// A recipe.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Its name, or that of its file.
    pub(crate) name: String,
    pub(crate) about: About,
    pub(crate) published: Vec<Published>,
    /// In the order of the file.
    pub(crate) settings: Vec<Setting>,
}

/// What a recipe says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) about: Option<String>,
    pub(crate) source: Option<String>,
    /// What `--data` must name, in words.
    pub(crate) data: Option<String>,
}

/// A published result.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    /// The flags beside the recipe; may be empty.
    #[serde(default)]
    pub(crate) flags: String,
    pub(crate) figure: String,
}

/// A flag that the recipe sets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The flag without its dashes.
    pub(crate) flag: String,
    pub(crate) value: Value,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// A setting's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Whether a flag without a value is given.
    Switch(bool),
    /// As it would stand on the command line.
    Word(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    recipe: About,
    #[serde(default)]
    published: Vec<Published>,
    #[serde(default)]
    train: BTreeMap<Spanned<String>, Toml>,
}

impl Setting {
    /// As words of a command line; none if it is a switch that is off.
    pub(crate) fn words(&self) -> String {
        let flag = &self.flag;
        match &self.value {
            Value::Switch(false) => String::new(),
            Value::Switch(true) => format!("--{flag}"),
            Value::Word(word) => format!("--{flag} {}", shell_word(word)),
        }
    }
}

impl Recipe {
    /// Parses the text of a recipe; `name` is its name in messages.
    ///
    /// # Errors
    ///
    /// If it is not TOML or not a recipe, naming the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let line_of = |at: usize| 1 + text.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                let line = line_of(error.span().map_or(0, |span| span.start));
                bail!("{name}:{line}: {}", error.message().replace('\n', ", "));
            }
        };
        ensure!(!file.train.is_empty(), "{name}: no settings: a recipe has them in [train]");
        let mut settings = Vec::new();
        for (flag, value) in file.train {
            let (line, flag) = (line_of(flag.span().start), flag.into_inner());
            let Some(value) = Value::new(&value) else {
                let got = value.type_str();
                bail!(
                    "{name}:{line}: '{flag}' is of type {got}, expected a text, a number, true or false, or a list"
                );
            };
            settings.push(Setting { flag, value, line });
        }
        settings.sort_by_key(|setting| setting.line);
        Ok(Self { name: name.to_owned(), about: file.recipe, published: file.published, settings })
    }
}

impl Value {
    fn new(value: &Toml) -> Option<Self> {
        let word = |value: &Toml| match value {
            Toml::String(text) => Some(text.clone()),
            Toml::Integer(number) => Some(number.to_string()),
            Toml::Float(number) => Some(number.to_string()),
            _ => None,
        };
        match value {
            Toml::Boolean(is_on) => Some(Self::Switch(*is_on)),
            Toml::Array(list) => {
                let words: Option<Vec<_>> = list.iter().map(word).collect();
                words.map(|words| Self::Word(words.join(",")))
            }
            one => word(one).map(Self::Word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Recipe::parse("my.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn settings_keep_their_lines_and_are_words_of_a_command_line() {
        let text = "[train]\nlr = 1e-4\nhidden = [200, 100] # two\n\nfull-batch = true\ndata = 'a b'\nepochs = 1_000\n";
        let recipe = Recipe::parse("my.toml", text).unwrap();
        let word = |flag: &str, word: &str, line| Setting {
            flag: flag.to_owned(),
            value: Value::Word(word.to_owned()),
            line,
        };
        let switch = Setting { flag: "full-batch".to_owned(), value: Value::Switch(true), line: 5 };
        assert_eq!(
            recipe.settings,
            [
                word("lr", "0.0001", 2),
                word("hidden", "200,100", 3),
                switch,
                word("data", "a b", 6),
                word("epochs", "1000", 7)
            ]
        );
    }

    #[test]
    fn what_is_no_recipe_is_refused_by_its_line() {
        assert!(error("[train\nlr = 1").starts_with("my.toml:1: "));
        assert_eq!(error("# nothing\n"), "my.toml: no settings: a recipe has them in [train]");
        for (text, expected) in [
            (
                "[train]\nlr = 1\n\n[training]\nlr = 1",
                "my.toml:4: unknown field `training`, expected one of",
            ),
            ("\ntrain = 3", "my.toml:2: invalid type: integer `3`, expected a map"),
            (
                "[train]\nlr = { a = 1 }",
                "my.toml:2: 'lr' is of type table, expected a text, a number",
            ),
            ("[recipe]\nabout = 'x'\nby = 'y'", "my.toml:3: unknown field `by`, expected one of"),
            ("[recipe]\nabout = 7", "my.toml:2: invalid type: integer `7`, expected a string"),
            ("[[published]]\nflags = ''", "my.toml:1: missing field `figure`"),
            ("[[published]]\nfigure = '1'\nby = 'y'", "my.toml:3: unknown field `by`"),
        ] {
            assert!(error(text).starts_with(expected), "{}", error(text));
        }
    }
}
