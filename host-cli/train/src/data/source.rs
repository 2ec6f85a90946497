//! Where data comes from.

use core::{fmt, str::FromStr};
use std::path::{Path, PathBuf};

/// The word that stands for [`Source::Synthetic`].
const SYNTHETIC: &str = "synthetic";

/// The forms that data may have, for messages.
pub(super) const FORMS: &str =
    "a folder with MNIST's IDX files or with a folder of PNG files for each class, or a CSV file";

/// A data source: the value of `--data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Digits drawn by [`synthetic`](super::synthetic): the word `synthetic`. A folder of that name is reached as
    /// `./synthetic`.
    #[default]
    Synthetic,
    /// A file or folder; its contents decide which reader reads it.
    Path(PathBuf),
}

impl Source {
    /// Returns the file or folder, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Synthetic => None,
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
            path => Ok(Self::Path(path.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synthetic => f.write_str(SYNTHETIC),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_read_and_written_as_the_same_word() {
        for word in ["synthetic", "./synthetic", "data/mnist", "Synthetic"] {
            assert_eq!(word.parse::<Source>().unwrap().to_string(), word);
        }
        assert_eq!("synthetic".parse::<Source>().unwrap(), Source::Synthetic);
        assert_eq!("./synthetic".parse::<Source>().unwrap(), Source::Path("./synthetic".into()));
    }
    #[test]
    fn source_refuses_an_empty_word() {
        let error = "".parse::<Source>().unwrap_err();
        assert_eq!(error, "expected a folder, a file or `synthetic`, got an empty string");
    }
}
