//! Recipes: files that set the options of `train`, some of which come with the program.
//!
//! `file` reads one, `flags` puts its settings beside those of the command line.

mod file;
mod flags;

use anyhow::{Context, Result, bail};

pub(crate) use file::{Recipe, Setting};
pub use flags::matches;

use picomlp_train::open::read_text;

/// Bytes of a recipe at most.
const MOST_TEXT: u64 = 1 << 20;

/// The recipes that come with the program: name and text.
const BUILT_IN: [(&str, &str); 5] = [
    ("deep-relu", include_str!("../../recipes/deep-relu.toml")),
    ("rms-fullbatch", include_str!("../../recipes/rms-fullbatch.toml")),
    ("digits8x8", include_str!("../../recipes/digits8x8.toml")),
    ("sigmoid-mse", include_str!("../../recipes/sigmoid-mse.toml")),
    ("batchnorm-dropout", include_str!("../../recipes/batchnorm-dropout.toml")),
];

/// The names of the recipes that come with the program.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The text of the recipe of this name.
///
/// # Errors
///
/// If there is none.
pub(crate) fn text_of(name: &str) -> Result<&'static str> {
    match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        Some((_, text)) => Ok(text),
        None => bail!(
            "there is no recipe '{name}'; there are {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The recipe of this name, or in the file of this name.
///
/// # Errors
///
/// If there is neither, or the file is no recipe.
pub(crate) fn open(name: &str) -> Result<Recipe> {
    let is_path = name.ends_with(".toml") || name.contains(std::path::is_separator);
    if !is_path {
        let text = text_of(name);
        return Recipe::parse(name, text.context("a recipe of your own is a file NAME.toml")?);
    }
    let text = read_text(name.as_ref(), MOST_TEXT)?;
    Recipe::parse(name, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_that_comes_with_the_program_says_where_it_is_from_and_what_it_reached() {
        for name in names() {
            let recipe = open(name).unwrap();
            let about = &recipe.about;
            assert!(about.about.is_some() && about.source.is_some() && about.data.is_some());
            assert!(!recipe.published.is_empty(), "{name}");
            assert!(!recipe.settings.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = format!("{:#}", open("deep").unwrap_err());
        assert!(error.contains("there is no recipe 'deep'; there are deep-relu, "), "{error}");
        let error = format!("{:#}", open("./no.toml").unwrap_err());
        assert!(error.starts_with("cannot read ./no.toml: "), "{error}");
    }
}
