//! Flags, and the settings of the library that they stand for.

pub(crate) mod data;
pub(crate) mod model;
pub(crate) mod train;

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use picomlp_train::Named;

/// The parser of a setting whose values have names; a British spelling is a hidden alias.
pub(crate) fn named<T: Named>() -> impl TypedValueParser<Value = T> {
    let value = |(name, _): &(&'static str, T)| match *name {
        "standardized" => PossibleValue::new("standardized").alias("standardised"),
        name => PossibleValue::new(name),
    };
    let values = PossibleValuesParser::new(T::NAMES.iter().map(value));
    values.try_map(|name| T::from_name(&name.replace("ised", "ized")))
}

/// The parser of a count from 1 to `most`.
pub(crate) fn count(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}
