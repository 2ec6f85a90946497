//! `picomlp recipes`: the recipes that come with the program.

use std::io::Write;

use anyhow::Result;

use crate::recipe::{self, Recipe, Setting};
use crate::text::program;

/// List the recipes that `train --recipe` knows by name, or print one to change a copy of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the file of this recipe.
    name: Option<String>,
}

/// Prints on `out`.
///
/// # Errors
///
/// If there is no recipe of that name.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    if let Some(name) = &args.name {
        return Ok(write!(out, "{}", recipe::text_of(name)?)?);
    }
    for name in recipe::names() {
        describe(&recipe::open(name)?, out)?;
    }
    let picomlp = program();
    writeln!(out, "Train one, flags beside it win:\n  {picomlp} train --recipe NAME --data DATA")?;
    writeln!(out, "Change one:")?;
    writeln!(out, "  {picomlp} recipes NAME > my.toml")?;
    writeln!(out, "  {picomlp} train --recipe my.toml --data DATA")?;
    Ok(())
}

fn describe(recipe: &Recipe, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}", recipe.name)?;
    let about = &recipe.about;
    let fields = [("about", &about.about), ("source", &about.source), ("data", &about.data)];
    for (field, text) in fields {
        if let Some(text) = text {
            writeln!(out, "  {field:<10} {text}")?;
        }
    }
    for published in &recipe.published {
        let figure = &published.figure;
        match published.flags.as_str() {
            "" => writeln!(out, "  published  {figure}")?,
            flags => writeln!(out, "  published  {figure}, with {flags}")?,
        }
    }
    let settings: Vec<_> = recipe.settings.iter().map(Setting::words).collect();
    writeln!(out, "  settings   {}\n", settings.join(" "))?;
    Ok(())
}
