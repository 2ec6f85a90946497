//! How a set is to be split.

use core::fmt;
use core::str::FromStr;

use crate::named;

/// The fraction that is held out for testing where the data has no test set and nothing is said.
pub(super) const TEST_FRACTION: Amount = Amount::Fraction(0.1);

/// The fraction that is held out for validation if nothing is said.
pub(crate) const VALIDATION_FRACTION: Amount = Amount::Fraction(0.1);

/// What samples are set apart for: the turn of the stream of `Purpose::Split`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Held out of training to choose the epoch.
    Validation = 0,
    /// Held out to be measured on.
    Test = 1,
    /// The folds of a cross-validation.
    Folds = 2,
}

/// A number of samples: a fraction (`0.1`), or a count (`5000`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// At least 0, below 1.
    Fraction(f64),
    /// Not 1, which may mean all.
    Count(usize),
}

impl Amount {
    /// None at all.
    pub const NONE: Self = Self::Count(0);

    /// Returns `true` if the amount selects no samples.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self {
            Self::Fraction(fraction) => fraction == 0.0,
            Self::Count(count) => count == 0,
        }
    }

    /// Returns the number of samples out of `samples`; may be more than there are.
    #[must_use]
    pub fn of(self, samples: usize) -> usize {
        match self {
            Self::Fraction(fraction) => (samples as f64 * fraction).round() as usize,
            Self::Count(count) => count,
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if let Ok(count) = word.parse()
            && count != 1
        {
            return Ok(Self::Count(count));
        }
        match word.parse::<f64>() {
            Ok(fraction) if (0.0..1.0).contains(&fraction) => Ok(Self::Fraction(fraction)),
            _ => Err(
                "expected a fraction, at least 0 and below 1, or a whole number of samples, at least 2"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(fraction) => fraction.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

named! {
    /// Which samples are held out.
    pub enum HeldOut {
        /// A random subset, drawn by the seed.
        Random = "random",
        /// The last ones.
        Last = "last",
    }
}

/// How a set is split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitSpec {
    /// Whether the parts that the source sets aside are put together with the rest before anything is held out.
    pub merge: bool,
    /// Samples held out for testing; by default those that the source sets aside, or else a tenth.
    pub test: Option<Amount>,
    /// Samples held out for validation, if the source sets none aside; a tenth by default.
    pub validation: Option<Amount>,
    /// Whether every class gives the same fraction.
    pub stratified: bool,
    /// Which samples are held out.
    pub held_out: HeldOut,
}

impl Default for SplitSpec {
    /// A tenth for validation; for testing what the source sets aside, or a tenth.
    fn default() -> Self {
        Self {
            merge: false,
            test: None,
            validation: None,
            stratified: false,
            held_out: HeldOut::Random,
        }
    }
}

impl SplitSpec {
    /// How samples are held out, in words.
    pub(super) fn how(&self, seed: u64) -> String {
        match (self.held_out, self.stratified) {
            (HeldOut::Last, false) => "the last ones".to_owned(),
            (HeldOut::Last, true) => "the last ones of each class".to_owned(),
            (HeldOut::Random, true) => format!("stratified, seed {seed}"),
            (HeldOut::Random, false) => format!("at random, seed {seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_fraction_or_a_count_and_1_is_neither() {
        assert_eq!("0.25".parse(), Ok(Amount::Fraction(0.25)));
        assert_eq!("0".parse(), Ok(Amount::NONE));
        assert_eq!("5000".parse(), Ok(Amount::Count(5000)));
        assert_eq!("5e-1".parse(), Ok(Amount::Fraction(0.5)));
        for word in ["1", "1.0", "1.5", "-1", "-0.1", "nan", "inf", "", "x", "10%"] {
            assert!(word.parse::<Amount>().is_err(), "{word}");
        }
        assert_eq!(Amount::Fraction(0.25).of(1797), 449);
        assert_eq!(Amount::Count(450).of(1797), 450);
        assert_eq!(
            ["0", "0.0", "0.1", "2"].map(|word| word.parse::<Amount>().unwrap().is_zero()),
            [true, true, false, false]
        );
        for word in ["0.25", "5000", "0"] {
            assert_eq!(word.parse::<Amount>().unwrap().to_string(), word);
        }
    }
}
