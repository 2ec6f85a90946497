//! The header of an ARFF file (Weka, OpenML): names and types of the columns, up to `@data`. Rows are those of a CSV file.

use ::csv::ByteRecord;

/// What the header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) names: ByteRecord,
    /// Whether each column is of classes: `{a, b, c}`.
    pub(super) are_nominal: Vec<bool>,
}

impl Header {
    /// Reads a line; returns whether it was the last one.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<bool, String> {
        let text = String::from_utf8_lossy(line);
        let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        match &word.to_ascii_lowercase()[..] {
            "@data" => Ok(true),
            "@attribute" => {
                let rest = rest.trim();
                let (name, kind) = match rest.chars().next() {
                    Some(quote @ ('\'' | '"')) => rest[1..].split_once(quote),
                    _ => rest.split_once(char::is_whitespace),
                }
                .ok_or_else(|| format!("expected @attribute NAME TYPE, got `{}`", text.trim()))?;
                if kind.trim().to_ascii_lowercase().starts_with("relational") {
                    return Err(format!("`{name}` is relational, expected one value in each row"));
                }
                self.names.push_field(name.as_bytes());
                self.are_nominal.push(kind.trim().starts_with('{'));
                Ok(false)
            }
            word if word.is_empty() || word.starts_with('%') || word == "@relation" => Ok(false),
            _ => Err(format!("expected @attribute or @data, got `{}`", text.trim())),
        }
    }
}

/// Splits a row at its commas; quotes, single or double, keep what is between them together.
pub(super) fn row(line: &[u8]) -> Result<ByteRecord, String> {
    let line = line.trim_ascii();
    if line.starts_with(b"{") {
        let why = "expected a value for each column, got a sparse row: convert it (Weka's SparseToNonSparse)";
        return Err(why.to_owned());
    }
    let (mut record, mut field, mut quote, mut bytes) =
        (ByteRecord::new(), Vec::new(), None, line.iter());
    while let Some(&byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', Some(_)) => field.extend(bytes.next()),
            (byte, Some(open)) if byte == open => quote = None,
            (byte @ (b'\'' | b'"'), None) if field.trim_ascii().is_empty() => {
                (quote, field) = (Some(byte), Vec::new());
            }
            (b',', None) => record.push_field(core::mem::take(&mut field).trim_ascii()),
            (byte, _) => field.push(byte),
        }
    }
    if quote.is_some() {
        return Err("expected a quote that ends, got the end of the line".to_owned());
    }
    record.push_field(field.trim_ascii());
    Ok(record)
}
