//! Initial weights by name.

use core::fmt;
use core::str::FromStr;

use picomlp::Init;

use crate::number::above_zero;

/// How the weights are initialized.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InitSpec(pub Init);

const NAMES: [(&str, Init); 5] = [
    ("he", Init::He),
    ("he-normal", Init::HeNormal),
    ("xavier", Init::Xavier),
    ("xavier-normal", Init::XavierNormal),
    ("zeros", Init::Zeros),
];

impl FromStr for InitSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, init)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self(*init));
        }
        match text.split_once(':') {
            Some(("normal", deviation)) => {
                let deviation =
                    above_zero(deviation).map_err(|why| format!("'{deviation}': {why}"))?;
                Ok(Self(Init::Normal(deviation)))
            }
            _ => {
                Err("expected he, he-normal, xavier, xavier-normal, normal:STDDEV or zeros"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for InitSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Init::Normal(deviation) = self.0 {
            return write!(f, "normal:{deviation}");
        }
        let named = NAMES.iter().find(|(_, init)| *init == self.0);
        f.write_str(named.map_or("he", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_init_is_written_as_it_is_read() {
        for text in ["he", "he-normal", "xavier", "xavier-normal", "zeros", "normal:0.1"] {
            assert_eq!(text.parse::<InitSpec>().unwrap().to_string(), text);
        }
        for text in ["", "He", "normal", "normal:0", "normal:-1", "normal:x"] {
            assert!(text.parse::<InitSpec>().is_err(), "{text}");
        }
    }
}
