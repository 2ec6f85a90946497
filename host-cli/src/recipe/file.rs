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

use anyhow::{Result, bail, ensure};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::text::shell_word;

/// What a recipe says.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Its name, or that of its file.
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    pub(crate) source: Option<String>,
    /// What `--data` must name, in words.
    pub(crate) data: Option<String>,
    pub(crate) published: Vec<Published>,
    /// In the order of the file.
    pub(crate) settings: Vec<Setting>,
}

/// What somebody else has reached with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The flags that stood beside it; none is an empty text.
    pub(crate) flags: String,
    pub(crate) figure: String,
}

/// One of the flags that it sets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The flag without its dashes.
    pub(crate) flag: String,
    pub(crate) value: Value,
    /// Where it stands, counted from 1.
    pub(crate) line: usize,
}

/// A setting's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of a flag that takes none: whether it is given.
    Switch(bool),
    /// As it would stand on the command line.
    Word(String),
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
    /// Reads the text of a recipe; `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// If it is not TOML or has what no recipe has, naming the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let line_of = |at: usize| 1 + text.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
        let root = match DeTable::parse(text) {
            Ok(root) => root.into_inner(),
            Err(error) => {
                let line = line_of(error.span().map_or(0, |span| span.start));
                bail!("{name}:{line}: not TOML: {}", error.message().replace('\n', ", "));
            }
        };
        let mut recipe = Self {
            name: name.to_owned(),
            about: None,
            source: None,
            data: None,
            published: Vec::new(),
            settings: Vec::new(),
        };
        for (key, value) in &root {
            let at = Place { name, line: line_of(key.span().start) };
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("recipe", DeValue::Table(table)) => {
                    recipe
                        .describe(table, |key| Place { name, line: line_of(key.span().start) })?;
                }
                ("published", DeValue::Array(list)) => {
                    for entry in list {
                        let at = Place { name, line: line_of(entry.span().start) };
                        recipe.published.push(published(entry.get_ref(), &at)?);
                    }
                }
                ("train", DeValue::Table(table)) => {
                    for (key, value) in table {
                        let at = Place { name, line: line_of(key.span().start) };
                        recipe.settings.push(setting(key.get_ref(), value.get_ref(), &at)?);
                    }
                }
                ("recipe" | "train", other) => {
                    return at.fail(&key.get_ref().clone(), "a table", other);
                }
                ("published", other) => return at.fail("published", "a list of tables", other),
                (other, _) => {
                    bail!(
                        "{at}: '{other}' is unknown; a recipe has [recipe], [[published]] and [train]"
                    )
                }
            }
        }
        ensure!(!recipe.settings.is_empty(), "{name}: no settings: a recipe has them in [train]");
        recipe.settings.sort_by_key(|setting| setting.line);
        Ok(recipe)
    }

    fn describe<'t>(
        &mut self,
        table: &DeTable<'t>,
        place: impl Fn(&Spanned<DeString<'t>>) -> Place<'t>,
    ) -> Result<()> {
        for (key, value) in table {
            let at = place(key);
            let field = match key.get_ref().as_ref() {
                "about" => &mut self.about,
                "source" => &mut self.source,
                "data" => &mut self.data,
                other => {
                    bail!("{at}: '{other}' is unknown; [recipe] has about, source and data")
                }
            };
            *field = Some(at.text(key.get_ref(), value.get_ref())?);
        }
        Ok(())
    }
}

fn published(entry: &DeValue<'_>, at: &Place<'_>) -> Result<Published> {
    let Some(table) = entry.as_table() else {
        return at.fail("published", "a list of tables", entry);
    };
    let text = |key: &str| table.get(key).map(|value| at.text(key, value.get_ref())).transpose();
    let (flags, figure) = (text("flags")?, text("figure")?);
    let known = |key: &str| ["flags", "figure"].contains(&key);
    match (figure, table.keys().find(|key| !known(key.get_ref()))) {
        (Some(figure), None) => Ok(Published { flags: flags.unwrap_or_default(), figure }),
        (None, _) => bail!("{at}: [[published]] has no 'figure'"),
        (_, Some(key)) => {
            bail!("{at}: '{}' is unknown; [[published]] has flags and figure", key.get_ref())
        }
    }
}

fn setting(flag: &str, value: &DeValue<'_>, at: &Place<'_>) -> Result<Setting> {
    let value = match value {
        DeValue::Boolean(is_on) => Value::Switch(*is_on),
        DeValue::Array(list) => {
            let words = list.iter().map(|value| at.word(flag, value.get_ref()));
            Value::Word(words.collect::<Result<Vec<_>>>()?.join(","))
        }
        one => Value::Word(at.word(flag, one)?),
    };
    Ok(Setting { flag: flag.to_owned(), value, line: at.line })
}

/// A line of a recipe.
struct Place<'a> {
    name: &'a str,
    line: usize,
}

impl Place<'_> {
    fn fail<T>(&self, key: &str, expected: &str, got: &DeValue<'_>) -> Result<T> {
        bail!("{self}: '{key}' is of type {}, expected {expected}", got.type_str())
    }

    fn text(&self, key: &str, value: &DeValue<'_>) -> Result<String> {
        match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => self.fail(key, "a text", value),
        }
    }

    /// A value as it would stand on the command line.
    fn word(&self, key: &str, value: &DeValue<'_>) -> Result<String> {
        Ok(match value {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => return self.fail(key, "a text, a decimal number, or a list of these", other),
        })
    }
}

impl core::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", self.name, self.line)
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
                word("lr", "1e-4", 2),
                word("hidden", "200,100", 3),
                switch,
                word("data", "a b", 6),
                word("epochs", "1000", 7)
            ]
        );
    }

    #[test]
    fn what_is_no_recipe_is_refused_by_its_line() {
        assert!(error("[train\nlr = 1").starts_with("my.toml:1: not TOML: "));
        assert_eq!(error("# nothing\n"), "my.toml: no settings: a recipe has them in [train]");
        assert_eq!(
            error("[train]\nlr = 1\n\n[training]\nlr = 1"),
            "my.toml:4: 'training' is unknown; a recipe has [recipe], [[published]] and [train]"
        );
        assert_eq!(error("\ntrain = 3"), "my.toml:2: 'train' is of type integer, expected a table");
        assert_eq!(
            error("[train]\nlr = { a = 1 }"),
            "my.toml:2: 'lr' is of type table, expected a text, a decimal number, or a list of these"
        );
        assert_eq!(
            error("[recipe]\nabout = 'x'\nby = 'y'"),
            "my.toml:3: 'by' is unknown; [recipe] has about, source and data"
        );
        assert_eq!(
            error("[recipe]\nabout = 7"),
            "my.toml:2: 'about' is of type integer, expected a text"
        );
        assert_eq!(error("[[published]]\nflags = ''"), "my.toml:1: [[published]] has no 'figure'");
        assert_eq!(
            error("[[published]]\nfigure = '1'\nby = 'y'"),
            "my.toml:1: 'by' is unknown; [[published]] has flags and figure"
        );
    }
}
