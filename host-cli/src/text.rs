//! How numbers and words are written for people.

use std::borrow::Cow;
use std::io::{self, Write, stderr};

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a warning to standard error. One that nobody can read is no reason to fail.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(stderr(), "picomlp: warning: {}", name(text));
}

/// A share of 1 as `97.61 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A word as a shell would have to be given it.
pub(crate) fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=+:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// What a user types to run this program: `cargo run` sets a variable by which it is known.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_PKG_NAME").is_some() {
        "cargo run --release -p picomlp-cli --"
    } else {
        "picomlp"
    }
}

/// Whether a character can make a terminal do something, or change the order in which a line is read.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with its control characters written as `\u001b`, but for line feeds and tabs.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_bad = |c: char| is_control(c) && c != '\n' && c != '\t';
    escape(text, is_bad)
}

/// A name from a file or a device as [`printable`], on one line.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    escape(name, is_control)
}

fn escape(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 5);
    for c in text.chars() {
        if is_bad(c) {
            // Four digits, as JSON has it: what is printed in a JSON string keeps its value.
            escaped += &format!("\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Standard output for people and programs: all text that goes through is [`printable`], whatever file, device or model
/// it came from.
#[derive(Debug)]
pub struct Printable<W>(pub W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    // `write!` hands over whole strings; what is not UTF-8 is no text.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(printable(text).as_bytes()),
            Err(_) => self.0.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `784-128-10`: the inputs, then the outputs of each dense layer.
pub(crate) fn widths(net: &picomlp::Sequential) -> String {
    use picomlp::{AnyLayer, Layer};
    let dense = net.layers().iter().filter(|layer| matches!(layer, AnyLayer::Dense(_)));
    let outputs = dense.map(|layer| format!("-{}", layer.outputs()));
    format!("{}{}", net.inputs(), outputs.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_puts_a_comma_before_every_three_digits() {
        let numbers = [0, 999, 1000, 101_770, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "101,770", "1,234,567"]);
    }

    #[test]
    fn shell_word_quotes_what_a_shell_would_take_apart() {
        assert_eq!(shell_word("../data/x.gz"), "../data/x.gz");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("my data"), "'my data'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }

    #[test]
    fn printable_text_moves_no_cursor_and_turns_no_line() {
        assert_eq!(printable("grün\t7\n"), "grün\t7\n");
        assert_eq!(
            printable("a\x1b[2Jb\u{9b}c\u{7f}d\u{202e}e\r"),
            r"a\u001b[2Jb\u009bc\u007fd\u202ee\u000d"
        );
        assert_eq!(name("a\nb"), r"a\u000ab");
        let mut out = Printable(Vec::new());
        let name = "a\x1bb";
        writeln!(out, "{name}: {}", 1).unwrap();
        assert_eq!(out.0, b"a\\u001bb: 1\n");
        // JSON keeps its value.
        let mut out = Printable(Vec::new());
        write!(out, "{}", serde_json::json!("\u{85}\u{202e}\u{7f}")).unwrap();
        let value: String = serde_json::from_slice(&out.0).unwrap();
        assert_eq!(value, "\u{85}\u{202e}\u{7f}");
    }

    #[test]
    fn widths_names_inputs_and_the_outputs_of_dense_layers() {
        let net = picomlp::Sequential::mlp(&[784, 200, 100, 10]).unwrap();
        assert_eq!(widths(&net), "784-200-100-10");
    }
}
