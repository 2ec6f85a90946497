//! Where data comes from.

use core::{fmt, str::FromStr};
use std::path::{Path, PathBuf};

/// The word that stands for [`Source::Synthetic`].
const SYNTHETIC: &str = "synthetic";

/// The word that stands for [`Source::Motion`].
const MOTION: &str = "synthetic:motion";

/// The forms that data may have, for messages.
pub(super) const FORMS: &str = "a folder with MNIST's IDX files or with a folder of PNG files for each class, a CSV, JSON lines, ARFF or NumPy file, `synthetic` or `synthetic:motion`";

/// A data source: the value of `--data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Digits drawn by [`synthetic`](super::synthetic): the word `synthetic`. A folder of that name is reached as
    /// `./synthetic`.
    #[default]
    Synthetic,
    /// Windows of an accelerometer drawn by [`synthetic::motion`](super::synthetic::motion): `synthetic:motion`.
    Motion,
    /// A file or folder; its contents decide which reader reads it.
    Path(PathBuf),
}

impl Source {
    /// Returns the file or folder, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Synthetic | Self::Motion => None,
            Self::Path(path) => Some(path),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "" => Err(format!("expected a folder, a file or `{SYNTHETIC}`, got an empty string")),
            SYNTHETIC => Ok(Self::Synthetic),
            MOTION => Ok(Self::Motion),
            word if word.starts_with("synthetic:") => Err(format!(
                "there is no such synthetic data, expected `{SYNTHETIC}` or `{MOTION}`; a file of that name is `./{word}`"
            )),
            path => Ok(Self::Path(path.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synthetic => f.write_str(SYNTHETIC),
            Self::Motion => f.write_str(MOTION),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_read_and_written_as_the_same_word() {
        for word in ["synthetic", "synthetic:motion", "./synthetic", "data/mnist", "Synthetic"] {
            assert_eq!(word.parse::<Source>().unwrap().to_string(), word);
        }
        assert_eq!("synthetic".parse::<Source>().unwrap(), Source::Synthetic);
        assert_eq!("./synthetic".parse::<Source>().unwrap(), Source::Path("./synthetic".into()));
    }

    #[test]
    fn source_refuses_synthetic_data_that_there_is_not() {
        let error = "synthetic:letters".parse::<Source>().unwrap_err();
        let expected =
            "there is no such synthetic data, expected `synthetic` or `synthetic:motion`";
        assert!(error.starts_with(expected) && error.ends_with("`./synthetic:letters`"), "{error}");
    }

    #[test]
    fn source_refuses_an_empty_word() {
        let error = "".parse::<Source>().unwrap_err();
        assert_eq!(error, "expected a folder, a file or `synthetic`, got an empty string");
    }
}
