//! Data to train and test on: MNIST's files in a folder, or digits that the program draws itself.

pub mod dataset;
pub mod idx;
pub mod mnist;
pub mod synthetic;

use core::{fmt, str::FromStr};
use std::path::PathBuf;

use anyhow::{Result, ensure};

pub use dataset::{Dataset, Split};

/// The word that stands for [`Source::Synthetic`] on the command line.
const SYNTHETIC: &str = "synthetic";

/// Where the data comes from, as `--data` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Drawn by [`synthetic`]: the word `synthetic`. A folder of that name is reached as
    /// `./synthetic`.
    #[default]
    Synthetic,
    /// A folder with MNIST's four files, read by [`mnist`]: any other word.
    Folder(PathBuf),
}

impl Source {
    /// Loads or draws the training and the test data.
    ///
    /// Synthetic data is always the same: [`synthetic::TRAIN`] and [`synthetic::TEST`] pictures of
    /// the seed [`synthetic::SEED`], so that two runs can be compared.
    ///
    /// # Errors
    ///
    /// Those of [`mnist::load_dir`].
    pub fn load(&self) -> Result<Split> {
        match self {
            Self::Synthetic => {
                Ok(synthetic::split(synthetic::TRAIN, synthetic::TEST, synthetic::SEED))
            }
            Self::Folder(folder) => mnist::load_dir(folder),
        }
    }

    /// Loads or draws the test data of [`load`](Self::load) only, for a network that knows
    /// `classes` classes.
    ///
    /// # Errors
    ///
    /// Those of [`mnist::load_test`]; or, for synthetic data, `classes` is not 10.
    pub fn load_test(&self, classes: usize) -> Result<Dataset> {
        match self {
            Self::Synthetic => {
                let data = synthetic::split(0, synthetic::TEST, synthetic::SEED).test;
                ensure!(
                    data.classes == classes,
                    "synthetic data has {} classes, but the model tells {classes} apart",
                    data.classes
                );
                Ok(data)
            }
            Self::Folder(folder) => mnist::load_test(folder, classes),
        }
    }
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        ensure!(!word.is_empty(), "expected a folder or `{SYNTHETIC}`, got an empty string");
        Ok(if word == SYNTHETIC { Self::Synthetic } else { Self::Folder(word.into()) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synthetic => f.write_str(SYNTHETIC),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
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
        assert_eq!("./synthetic".parse::<Source>().unwrap(), Source::Folder("./synthetic".into()));
    }

    #[test]
    fn source_refuses_an_empty_word() {
        let error = "".parse::<Source>().unwrap_err().to_string();
        assert_eq!(error, "expected a folder or `synthetic`, got an empty string");
    }

    #[test]
    fn load_test_gives_the_test_data_of_load() {
        let split = Source::Synthetic.load().unwrap();
        assert_eq!((split.train.len(), split.test.len()), (synthetic::TRAIN, synthetic::TEST));
        assert!(Source::Synthetic.load_test(10).unwrap() == split.test);
    }

    #[test]
    fn load_test_refuses_synthetic_data_for_another_class_count() {
        let error = Source::Synthetic.load_test(4).unwrap_err().to_string();
        assert_eq!(error, "synthetic data has 10 classes, but the model tells 4 apart");
    }

    #[test]
    fn load_reads_a_folder() {
        let error = Source::Folder("no/such/folder".into()).load().unwrap_err();
        assert!(format!("{error:#}").contains("no/such/folder"), "{error:#}");
    }
}
