//! How numbers and words are written for people.

use std::borrow::Cow;

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
    fn widths_names_inputs_and_the_outputs_of_dense_layers() {
        let net = picomlp::Sequential::mlp(&[784, 200, 100, 10]).unwrap();
        assert_eq!(widths(&net), "784-200-100-10");
    }
}
