//! What the fuzz targets in `fuzz/` call and is no part of the interface.

use anyhow::Result;

use picomlp_plots::{FileFormat, curves};
use picomlp_train::History;

use crate::recipe::Recipe;
pub use crate::verify::converse;

/// Reads a recipe's text; returns each setting's flag, and the words it stands for.
///
/// # Errors
///
/// If it is no recipe, naming it `recipe.toml`.
pub fn recipe(text: &str) -> Result<Vec<(String, String)>> {
    let recipe = Recipe::parse("recipe.toml", text)?;
    Ok(recipe.settings.iter().map(|setting| (setting.flag.clone(), setting.words())).collect())
}

/// Reads a training's history; returns its curves as SVG.
///
/// # Errors
///
/// If it is none.
pub fn history(text: &str) -> Result<String> {
    let bytes = FileFormat::Svg.encode(&curves(&History::parse(text)?))?;
    Ok(String::from_utf8(bytes)?)
}
