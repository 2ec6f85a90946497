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
    let text = str::from_utf8(field).ok()?;
    let value = text.parse().ok().or_else(|| slow_number(text, delimiter))?;
    f32::is_finite(value).then_some(value)
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
