//! How numbers, names and networks are written in messages.

use std::borrow::Cow;

use picomlp::{AnyLayer, Layer, Sequential};

/// Formats `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: usize) -> String {
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

/// Formats the fraction 0.9761 as `97.61 %`.
#[must_use]
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// Quotes a word as a shell would have to be given it.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=+:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// Whether a character can make a terminal do something, or change the order in which a line is read.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes control characters as `\u001b`, except for line feeds and tabs.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_control(c) && c != '\n' && c != '\t')
}

/// Makes a name from a file or a device [`printable`] on one line.
#[must_use]
pub fn one_line(name: &str) -> Cow<'_, str> {
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

/// Formats a network as `784-128-10`: the inputs, then the outputs of each dense layer.
#[must_use]
pub fn widths(net: &Sequential) -> String {
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
        assert_eq!(one_line("a\nb"), r"a\u000ab");
    }

    #[test]
    fn widths_names_inputs_and_the_outputs_of_dense_layers() {
        let net = picomlp::Sequential::mlp(&[784, 200, 100, 10]).unwrap();
        assert_eq!(widths(&net), "784-200-100-10");
    }
}
