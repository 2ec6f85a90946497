//! Data to train and test on: MNIST's files in a folder, a CSV file, a folder of PNG files by class, or digits that the
//! program draws itself; and how it is parted.

pub mod args;
pub mod csv_file;
pub mod dataset;
pub mod folder;
pub mod format;
pub mod idx;
mod input;
mod known;
pub mod mnist;
pub mod pixel_map;
pub mod split;
pub mod synthetic;

use core::{fmt, str::FromStr};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

pub use args::{DataArgs, Prepared};
use csv_file::Labels;
pub use dataset::{Dataset, Split};
pub use format::{Format, LabelColumn, Shape};
pub use known::Known;
pub use pixel_map::Inputs;

/// The word that stands for [`Source::Synthetic`] on the command line.
const SYNTHETIC: &str = "synthetic";

/// What `--data` takes, for messages.
const FORMS: &str =
    "a folder with MNIST's IDX files or with a folder of PNG files for each class, or a CSV file";

/// Where the data comes from, as `--data` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Drawn by [`synthetic`]: the word `synthetic`. A folder of that name is reached as
    /// `./synthetic`.
    #[default]
    Synthetic,
    /// Any other word: what is there decides whether [`mnist`], [`folder`] or [`csv_file`] reads it.
    Path(PathBuf),
}

/// Data as it was found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Pictures to train on.
    pub train: Dataset,
    /// Pictures to validate on, if there are such.
    pub validation: Option<Dataset>,
    /// Pictures to test on, if there are such.
    pub test: Option<Dataset>,
    /// [`csv_file::Table::label_end`].
    pub label_end: Option<LabelColumn>,
    /// What was found, in sentences; of IDX files, which say the rest themselves, only where they are.
    pub notes: Vec<String>,
}

/// What is at a path.
enum Kind {
    Idx,
    Png,
    Csv,
}

impl Source {
    /// The file or folder, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Synthetic => None,
            Self::Path(path) => Some(path),
        }
    }

    /// Loads or draws all of the data.
    ///
    /// Synthetic data is always the same: [`synthetic::TRAIN`] and [`synthetic::TEST`] pictures of
    /// the seed [`synthetic::SEED`], so that two runs can be compared.
    ///
    /// # Errors
    ///
    /// Those of [`mnist::load_dir`], [`folder::load`] and [`csv_file::read`]; a CSV file has no labels.
    pub fn load(&self, format: &Format) -> Result<Loaded> {
        let Self::Path(path) = self else {
            let split = synthetic::split(synthetic::TRAIN, synthetic::TEST, synthetic::SEED);
            return Ok(split.into());
        };
        let (kind, path) = &find(path)?;
        match kind {
            Kind::Idx => {
                let mut loaded = Loaded::from(mnist::load_dir(path)?);
                loaded.notes.extend(self.found_at(path));
                if mnist::is_emnist(path) {
                    let note = "EMNIST's images have rows and columns swapped: images to classify need that, too";
                    loaded.notes.push(note.to_owned());
                }
                Ok(loaded)
            }
            Kind::Png => folder::load(path, format),
            Kind::Csv => {
                let table = csv_file::read(path, format, None, Labels::Read)?;
                let (label_end, notes) = (table.label_end.clone(), vec![table.note.clone()]);
                let train = table.into_training(path)?;
                Ok(Loaded { train, validation: None, test: None, label_end, notes })
            }
        }
    }

    /// Says where data was found, if not where this names it.
    fn found_at(&self, path: &Path) -> Option<String> {
        let is_elsewhere = !matches!(self, Self::Path(named) if named == path);
        is_elsewhere.then(|| format!("{self}: found in {}", path.display()))
    }

    /// Whether it is a folder of image files, which a model may be trained on as they are or in MNIST's form.
    pub(crate) fn is_png_folder(&self) -> bool {
        matches!(self, Self::Path(path) if matches!(find(path), Ok((Kind::Png, _))))
    }

    /// Loads or draws test data alone, which must fit `known`: all of a CSV file, else the test set. A sentence says what
    /// was found, where that is not plain.
    ///
    /// # Errors
    ///
    /// Those of [`mnist::load_test`], [`folder::load_test`] and [`csv_file::read`]; a CSV file has no labels; synthetic
    /// data has another number of classes.
    pub fn load_test(
        &self,
        format: &Format,
        known: &Known<'_>,
    ) -> Result<(Dataset, Option<String>)> {
        let Self::Path(path) = self else {
            let data = synthetic::split(0, synthetic::TEST, synthetic::SEED).test;
            ensure!(
                data.classes == known.classes,
                "synthetic data has {} classes, but {} tells {} apart",
                data.classes,
                known.of,
                known.classes
            );
            return Ok((known.relabel(data, self)?, None));
        };
        let (kind, path) = &find(path)?;
        match kind {
            Kind::Idx => {
                // Numbers of classes that have other names are names, too.
                let classes = if known.names.is_empty() { known.classes } else { 256 };
                Ok((known.relabel(mnist::load_test(path, classes)?, self)?, self.found_at(path)))
            }
            Kind::Png => {
                let (data, note) = folder::load_test(path, format, known)?;
                Ok((data, Some(note)))
            }
            Kind::Csv => {
                let table = csv_file::read(path, format, Some(known), Labels::Read)?;
                let note = table.note.clone();
                Ok((table.into_test(path, known)?, Some(note)))
            }
        }
    }

    /// Loads or draws pictures to classify, `[len][known.shape]`, as [`load_test`](Self::load_test), but a CSV file needs
    /// no labels.
    ///
    /// # Errors
    ///
    /// Those of [`load_test`](Self::load_test), and if the pictures are not what `known` says.
    pub fn load_pictures(&self, format: &Format, known: &Known<'_>) -> Result<Vec<u8>> {
        if let Self::Path(path) = self
            && let (Kind::Csv, path) = &find(path)?
        {
            return Ok(csv_file::read(path, format, Some(known), Labels::PassOver)?.images);
        }
        let (data, _) = self.load_test(format, known)?;
        known.check(&data, self)?;
        Ok(data.images)
    }
}

/// Finds out what is at `path`, or in the one place below it that has data.
fn find(path: &Path) -> Result<(Kind, PathBuf)> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Ok((Kind::Csv, path.to_owned())),
        _ if mnist::has_files(path) => return Ok((Kind::Idx, path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{shown} does not exist, expected {FORMS}")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot open {shown}")),
    }
    // PyTorch keeps the files in MNIST/raw below the folder that it is given.
    let folders = folder::folders(path)?.into_iter();
    let below = folders.flat_map(|(_, folder)| [folder.join("raw"), folder]);
    let below: Vec<_> = below.filter(|path| path.is_dir() && mnist::has_files(path)).collect();
    match &below[..] {
        [only] => return Ok((Kind::Idx, only.clone())),
        [first, second, ..] => bail!(
            "{shown} has several data sets: did you mean {} or {}?",
            first.display(),
            second.display()
        ),
        [] => {}
    }
    let path = folder::unwrapped(path)?;
    if folder::has_folders(&path) { Ok((Kind::Png, path)) } else { Err(folder::no_data(&path)) }
}

impl From<Split> for Loaded {
    fn from(split: Split) -> Self {
        let (train, test) = (split.train, Some(split.test));
        Self { train, validation: None, test, label_end: None, notes: Vec::new() }
    }
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        ensure!(
            !word.is_empty(),
            "expected a folder, a file or `{SYNTHETIC}`, got an empty string"
        );
        Ok(if word == SYNTHETIC { Self::Synthetic } else { Self::Path(word.into()) })
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
        let error = "".parse::<Source>().unwrap_err().to_string();
        assert_eq!(error, "expected a folder, a file or `synthetic`, got an empty string");
    }

    #[test]
    fn load_test_gives_the_test_data_of_load() {
        let Loaded { train, test, .. } = Source::Synthetic.load(&Format::default()).unwrap();
        let test = test.unwrap();
        assert_eq!((train.len(), test.len()), (synthetic::TRAIN, synthetic::TEST));
        let known = Known::training(&train);
        let (alone, note) = Source::Synthetic.load_test(&Format::default(), &known).unwrap();
        assert!(alone == test && note.is_none());
        let few = Known { classes: 4, of: "the model", ..known };
        let error = Source::Synthetic.load_test(&Format::default(), &few).unwrap_err().to_string();
        assert_eq!(error, "synthetic data has 10 classes, but the model tells 4 apart");
    }

    #[test]
    fn load_says_what_it_takes() {
        let error = Source::Path("no/such/thing".into()).load(&Format::default()).unwrap_err();
        let expected = format!("no/such/thing does not exist, expected {FORMS}");
        assert_eq!(error.to_string(), expected);
    }
}
