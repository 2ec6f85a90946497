//! Numbers within a range, as settings take them.

use core::fmt::Display;
use core::str::FromStr;

/// Parses a number that satisfies `accept`.
fn number<T: FromStr + Copy + Display>(
    text: &str,
    expected: &str,
    accept: impl Fn(T) -> bool,
) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(value) if accept(value) => Ok(value),
        Ok(value) if value.to_string() == "inf" && !text.contains("inf") => {
            Err(format!("'{text}' is too large for f32: expected {expected}"))
        }
        _ => Err(format!("expected {expected}")),
    }
}

/// Parses a finite number above 0.
///
/// # Errors
///
/// If `text` is anything else.
pub fn above_zero(text: &str) -> Result<f32, String> {
    number(text, "a finite number above 0", |value: f32| value.is_finite() && value > 0.0)
}

/// Parses a finite number of at least 0.
///
/// # Errors
///
/// If `text` is anything else.
pub fn not_negative(text: &str) -> Result<f32, String> {
    number(text, "a finite number of at least 0", |value: f32| value.is_finite() && value >= 0.0)
}

/// Parses a fraction: at least 0 and below 1, in f32 too.
///
/// # Errors
///
/// If `text` is anything else.
pub fn below_one(text: &str) -> Result<f64, String> {
    let accept = |value: f64| (0.0..1.0).contains(&value) && (value as f32) < 1.0;
    number(text, "at least 0 and below 1", accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_their_range_are_refused_with_what_was_expected() {
        assert_eq!(above_zero("0.5"), Ok(0.5));
        assert_eq!(not_negative("0"), Ok(0.0));
        assert_eq!(below_one("0.999"), Ok(0.999));
        for text in ["0", "-1", "nan", "inf", "", "x"] {
            assert!(above_zero(text).is_err(), "{text}");
        }
        assert_eq!(
            above_zero("1e39").unwrap_err(),
            "'1e39' is too large for f32: expected a finite number above 0"
        );
        for text in ["1", "0.99999999999", "-0.1", "nan"] {
            assert!(below_one(text).is_err(), "{text}");
        }
    }
}
