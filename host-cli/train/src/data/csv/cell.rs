//! One field of a CSV file.

/// Reads a whole number from 0 to `max`, also where it is written as `7.0` or `7.000e+00`.
pub(super) fn whole(field: &[u8], max: u8) -> Option<u8> {
    let value = match field {
        [a] if a.is_ascii_digit() => u16::from(a - b'0'), // most fields are 0
        [_, _] | [_, _, _] if field.iter().all(u8::is_ascii_digit) => {
            field.iter().fold(0, |value, digit| 10 * value + u16::from(digit - b'0'))
        }
        _ => {
            let value = number(field)?;
            if value.fract() != 0.0 || !(0.0..=255.0).contains(&value) {
                return None;
            }
            value as u16
        }
    };
    u8::try_from(value).ok().filter(|&value| value <= max)
}

/// Reads any number.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    str::from_utf8(field).ok()?.trim().parse().ok()
}

/// A field without blanks and single quotes around it, which Weka and OpenML write. (The reader has taken away double ones.)
pub(super) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let inside = field.strip_prefix(b"'").and_then(|field| field.strip_suffix(b"'"));
    inside.unwrap_or(field)
}

/// What to say beside "expected a whole number" of this field.
pub(super) fn advice(field: &[u8]) -> &'static str {
    match number(field) {
        Some(value) if value < 0.0 || (value.fract() != 0.0 && value.is_finite()) => {
            " (pixels are kept as bytes: scale and round before, as in `(255 * pixels).round()` for pixels from 0 to 1)"
        }
        None if field.contains(&b',') => " (write decimals with a point)",
        _ => "",
    }
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
