//! The subcommands, one module each: `Args`, and `run` from the arguments to the output.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use picomlp_train::config::Named;

pub mod bench;
pub mod draw;
pub mod eval;
pub mod gradcheck;
pub mod inspect;
pub mod plot;
pub mod predict;
pub mod quantize;
pub mod recipes;
pub mod report;
pub mod train;
pub mod verify;

/// The flag's parser for a setting whose values have names.
fn named<T: Named>() -> impl TypedValueParser<Value = T> {
    let names = T::NAMES.iter().map(|(name, _)| *name);
    PossibleValuesParser::new(names).try_map(|name| T::from_name(&name))
}
