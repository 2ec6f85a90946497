//! One field of a CSV file.

/// What stands in place of a missing value, in capitals or not: pandas, R, SQL, spreadsheets and Weka.
const MISSING: [&str; 8] = ["na", "n/a", "nan", "null", "none", "?", "-", "#n/a"];

/// Reads a whole number from 0 to `max`, also where it is written as `7.0` or `7.000e+00`.
pub(super) fn whole(field: &[u8], max: u8) -> Option<u8> {
    let value = match field {
        [a] if a.is_ascii_digit() => u16::from(a - b'0'), // most fields are 0
        [_, _] | [_, _, _] if field.iter().all(u8::is_ascii_digit) => {
            field.iter().fold(0, |value, digit| 10 * value + u16::from(digit - b'0'))
        }
        _ => {
            let value: f64 = str::from_utf8(field).ok()?.trim().parse().ok()?;
            if value.fract() != 0.0 || !(0.0..=255.0).contains(&value) {
                return None;
            }
            value as u16
        }
    };
    u8::try_from(value).ok().filter(|&value| value <= max)
}

/// Reads a finite number; with a comma for the point, too, unless commas separate fields.
pub(super) fn number(field: &[u8], delimiter: u8) -> Option<f32> {
    if let Some(value) = plain(field) {
        return Some(value);
    }
    let text = str::from_utf8(field).ok()?;
    let value = text.parse().ok().or_else(|| slow_number(text, delimiter))?;
    f32::is_finite(value).then_some(value)
}

/// Reads at most nine characters that are digits, a sign and a point, if the digits are a whole number of at most 2^24. That number
/// and the power of ten are exact in f32, so that one division rounds as parsing does, in half the time.
fn plain(field: &[u8]) -> Option<f32> {
    const TENS: [f32; 9] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    let (mut whole, mut places) = (0u32, None);
    for &byte in digits.get(..digits.len().min(10))? {
        match byte {
            b'0'..=b'9' => {
                whole = whole.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
                places = places.map(|places: usize| places + 1);
            }
            b'.' if places.is_none() => places = Some(0),
            _ => return None,
        }
    }
    let count = digits.len() - usize::from(places.is_some());
    if !(1..=9).contains(&digits.len()) || count == 0 || whole > 1 << 24 {
        return None;
    }
    let value = whole as f32 / TENS[places.unwrap_or(0)];
    Some(if digits.len() < field.len() { -value } else { value })
}

#[cold]
fn slow_number(text: &str, delimiter: u8) -> Option<f32> {
    let text = str::from_utf8(unquoted(text.as_bytes())).ok()?;
    let is_comma = delimiter != b',' && text.matches(',').count() == 1 && !text.contains('.');
    if is_comma { text.replace(',', ".").parse() } else { text.parse() }.ok()
}

/// Whether a field says that a value is missing.
pub(super) fn is_missing(field: &[u8]) -> bool {
    let field = unquoted(field);
    field.is_empty() || MISSING.iter().any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
}

/// A field without blanks and quotes around it: single ones, which Weka and OpenML write, and double ones after a blank, which
/// the reader does not take away.
pub(super) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let inside = |quote| field.strip_prefix(quote).and_then(|field| field.strip_suffix(quote));
    inside(b"'").or_else(|| inside(b"\"")).unwrap_or(field)
}

/// A field as a message shows it.
pub(super) fn shown(field: &[u8]) -> String {
    /// Characters of a field at most.
    const MOST: usize = 40;
    match str::from_utf8(field) {
        Ok("") => "nothing".to_owned(),
        Ok(text) => {
            let dots = if text.chars().count() > MOST { "…" } else { "" };
            let text: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
            format!("`{text}{dots}`")
        }
        Err(_) => {
            let bytes = field.get(..MOST).unwrap_or(field).escape_ascii();
            format!("`{bytes}`, which is not UTF-8 text")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_those_that_parsing_reads() {
        let mut bits = 1u32;
        for len in 1..=9 {
            for _ in 0..2000 {
                bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut text: String =
                    (0..len).map(|at| char::from(b'0' + (bits >> (3 * at)) as u8 % 10)).collect();
                if bits & 1 == 1 {
                    text.insert((bits >> 8) as usize % text.len(), '.');
                }
                if bits & 2 == 2 {
                    text.insert(0, '-');
                }
                if let Some(value) = plain(text.as_bytes()) {
                    assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
                }
            }
        }
        assert_eq!(plain(b"-0.125"), Some(-0.125));
        for text in ["", "-", ".", "-.", "1.2.3", "+1", "1e3", "16777217", "0123456789", "a"] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }
}
