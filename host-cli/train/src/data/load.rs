//! Loads data of any kind: what is at a path decides which reader reads it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::csv::{self, Labels};
use super::dataset::{Dataset, Targets, TrainTest};
use super::expected::Expected;
use super::folder;
use super::mnist;
use super::numpy;
use super::schema::{CsvMax, Schema, Transpose};
use super::source::{FORMS, Source};
use super::synthetic;
use crate::file_kind::{self, FileKind};
use crate::text::grouped;

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Idx,
    Images,
    Csv,
    Numpy,
}

impl Dataset {
    /// Loads a file or a folder: a CSV file, a folder with MNIST's IDX files, or a folder of images by class.
    ///
    /// # Errors
    ///
    /// Each names the file and the place in it: something cannot be read, is not of the form that `schema` says, or leaves
    /// more than one reading; a CSV file has no labels.
    pub fn open(path: impl AsRef<Path>, schema: &Schema) -> Result<Self> {
        Self::load(&Source::Path(path.as_ref().to_owned()), schema)
    }

    /// Loads or draws all of the data of a source.
    ///
    /// Synthetic data is always the same: [`synthetic::TRAIN`] and [`synthetic::TEST`] digits, or [`synthetic::MOTION_TRAIN`] and
    /// [`synthetic::MOTION_TEST`] windows, of the seed [`synthetic::SEED`], so that two runs can be compared.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn load(source: &Source, schema: &Schema) -> Result<Self> {
        let mut data = match source {
            Source::Synthetic => {
                refuse_series(source, schema)?;
                both(synthetic::split(synthetic::TRAIN, synthetic::TEST, synthetic::SEED))?
            }
            Source::Motion => both(motion(synthetic::MOTION_TRAIN, schema)?)?,
            Source::Path(named) => {
                let (kind, path) = &find(named)?;
                match kind {
                    Kind::Idx => {
                        refuse_series(source, schema)?;
                        let mut data = both(mnist::load_dir(path)?)?;
                        data.notes.extend(found_at(source, path));
                        turn(&mut data, path, schema);
                        data
                    }
                    Kind::Images => {
                        refuse_series(source, schema)?;
                        let (mut data, validation, test) = folder::load(path, schema)?;
                        data.is_image_folder = true;
                        data.set_aside(validation, test)?;
                        data
                    }
                    Kind::Csv => csv::read(path, schema, None, Labels::Read)?.labeled(path)?,
                    Kind::Numpy => {
                        let [train, validation, test] =
                            numpy::read(path, schema, None, Labels::Read)?;
                        let what = "it has no training samples";
                        let data = train.with_context(|| format!("{}: {what}", path.display()))?;
                        let mut data = data.labeled(path)?;
                        data.set_aside(validation, test)?;
                        data
                    }
                }
            }
        };
        data.source = source.clone();
        data.schema = schema.clone();
        if (1..u8::MAX).contains(&data.max) {
            // Also for `predict`, which brings images to the model's range by it.
            data.schema.csv_max = CsvMax(Some(data.max));
        }
        let unseen = data.unseen_classes();
        data.notes.extend(unseen);
        Ok(data)
    }

    /// Loads test samples alone, which must fit `expected`: all of a CSV file, else the test set.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open); the samples do not fit; synthetic data has other classes or features.
    pub fn load_test(source: &Source, schema: &Schema, expected: &Expected<'_>) -> Result<Self> {
        let named = match source {
            Source::Synthetic => {
                let data = synthetic::split(0, synthetic::TEST, synthetic::SEED).test;
                return expected.fit_drawn(data, source);
            }
            Source::Motion => {
                return expected.fit_drawn(motion(0, schema)?.test, source);
            }
            Source::Path(named) => named,
        };
        let (kind, path) = &find(named)?;
        match kind {
            Kind::Idx => {
                // Numbers of classes that have other names are names, too.
                let classes = if expected.names.is_empty() { expected.classes } else { 256 };
                let mut data = expected.relabel(mnist::load_test(path, classes)?, source)?;
                data.notes.extend(found_at(source, path));
                turn(&mut data, path, schema);
                Ok(data)
            }
            Kind::Images => folder::load_test(path, schema, expected),
            Kind::Csv => csv::read(path, schema, Some(expected), Labels::Read)?.labeled(path),
            Kind::Numpy => test_of(path, schema, expected, Labels::Read)?.labeled(path),
        }
    }

    /// Loads or draws samples to classify, `[len][shape]`: as [`load_test`](Self::load_test), but a CSV file needs no labels.
    ///
    /// # Errors
    ///
    /// Those of [`load_test`](Self::load_test).
    pub fn load_inputs(source: &Source, schema: &Schema, expected: &Expected<'_>) -> Result<Self> {
        if let Source::Path(path) = source {
            match &find(path)? {
                (Kind::Csv, path) => {
                    return csv::read(path, schema, Some(expected), Labels::Ignore);
                }
                (Kind::Numpy, path) => return test_of(path, schema, expected, Labels::Ignore),
                _ => {}
            }
        }
        let data = Self::load_test(source, schema, expected)?;
        expected.check(&data, source)?;
        Ok(data)
    }

    /// Replaces the test samples by those of another source, read as this set was.
    ///
    /// # Errors
    ///
    /// Those of [`load_test`](Self::load_test).
    pub fn set_test(&mut self, source: &Source) -> Result<()> {
        let mut schema = self.schema.clone();
        if let Some(end) = &self.label_end {
            schema.target = end.clone();
        }
        let expected = Expected::training(self);
        let test = Self::load_test(source, &schema, &expected)?;
        expected.check(&test, source)?;
        let note = || format!("{source}: {} test samples", grouped(test.len()));
        let note = test.notes.first().cloned().unwrap_or_else(note);
        self.notes.push(note);
        self.drop_test();
        self.own_test = test.len();
        self.test_source = Some(source.clone());
        self.append(test)
    }

    /// Refuses a file without targets.
    fn labeled(self, path: &Path) -> Result<Self> {
        let is_labeled = match &self.targets {
            Targets::Classes(labels) => !labels.is_empty(),
            Targets::Values(_) | Targets::Labels(_) => true,
        };
        ensure!(
            is_labeled,
            "{}: the file has no labels (if it has: --target first, last or a column's name)",
            path.display()
        );
        Ok(self)
    }

    /// Drops the test samples that the source sets aside.
    pub(crate) fn drop_test(&mut self) {
        self.truncate(self.len() - self.own_test);
        self.own_test = 0;
    }

    /// Adds samples for validation and testing.
    fn set_aside(&mut self, validation: Option<Self>, test: Option<Self>) -> Result<()> {
        for (part, own) in [(validation, true), (test, false)] {
            let Some(mut part) = part else { continue };
            self.notes.append(&mut part.notes);
            *(if own { &mut self.own_validation } else { &mut self.own_test }) = part.len();
            self.append(part)?;
        }
        Ok(())
    }
}

/// The test samples of a file of arrays, or all if it has none.
fn test_of(
    path: &Path,
    schema: &Schema,
    expected: &Expected<'_>,
    wanted: Labels,
) -> Result<Dataset> {
    let [train, _, test] = numpy::read(path, schema, Some(expected), wanted)?;
    test.or(train).with_context(|| format!("{}: it has no test samples", path.display()))
}

/// Swaps rows and columns of images where that is said, or known of EMNIST's.
fn turn(data: &mut Dataset, path: &Path, schema: &Schema) {
    let is_emnist = mnist::is_emnist(path);
    if schema.transpose == Transpose::Yes || schema.transpose == Transpose::Auto && is_emnist {
        mnist::transpose(data);
        let why = if is_emnist { "EMNIST's are stored so; " } else { "" };
        data.notes.push(format!(
            "rows and columns of the images swapped ({why}--transpose no leaves them)"
        ));
    }
}

/// Refuses flags for the rows of a file.
fn refuse_series(source: &Source, schema: &Schema) -> Result<()> {
    for (flag, is_given) in
        [("window", schema.window.is_some()), ("group", !schema.group.0.is_empty())]
    {
        ensure!(
            !is_given,
            "--{flag} is for the rows of a file, and {source} has none: leave it out"
        );
    }
    Ok(())
}

/// Draws [`Source::Motion`], whose form is fixed.
fn motion(train: usize, schema: &Schema) -> Result<TrainTest> {
    if let Some((flag, _)) = schema.settings().first() {
        bail!(
            "{} has features and classes of its own: leave --{flag}, which is for files, out",
            Source::Motion
        );
    }
    Ok(synthetic::motion(train, synthetic::MOTION_TEST, synthetic::SEED))
}

fn both(TrainTest { mut train, test }: TrainTest) -> Result<Dataset> {
    train.set_aside(None, Some(test))?;
    Ok(train)
}

/// Says where data was found, if not where `source` names it.
fn found_at(source: &Source, path: &Path) -> Option<String> {
    let is_elsewhere = source.path() != Some(path);
    is_elsewhere.then(|| format!("{source}: found in {}", path.display()))
}

/// Finds out what is at `path`, or in the one place below it that has data.
fn find(path: &Path) -> Result<(Kind, PathBuf)> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            // What is read of a stream to find out is lost.
            let kind = if found.is_file() { file_kind::of_file(path) } else { None };
            let is_numpy = kind.is_some_and(FileKind::is_numpy);
            return Ok((if is_numpy { Kind::Numpy } else { Kind::Csv }, path.to_owned()));
        }
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
    if folder::has_folders(&path) { Ok((Kind::Images, path)) } else { Err(folder::no_data(&path)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_test_gives_the_test_samples_of_load() {
        let data = Dataset::load(&Source::Synthetic, &Schema::detect()).unwrap();
        assert_eq!(data.len() - data.own_test, synthetic::TRAIN);
        assert_eq!(data.own_test, synthetic::TEST);
        let expected = Expected::training(&data);
        let alone = Dataset::load_test(&Source::Synthetic, &Schema::detect(), &expected).unwrap();
        let test = synthetic::TRAIN * data.pixels();
        assert!(alone.images() == &data.images()[test..] && alone.notes.is_empty());
        assert_eq!(alone.labels(), &data.labels()[synthetic::TRAIN..]);
        let few = Expected { classes: 4, of: "the model", ..expected };
        let error = Dataset::load_test(&Source::Synthetic, &Schema::detect(), &few).unwrap_err();
        assert_eq!(error.to_string(), "synthetic data has 10 classes, but the model tells 4 apart");
    }

    #[test]
    fn open_says_what_it_takes() {
        let error = Dataset::open("no/such/thing", &Schema::detect()).unwrap_err();
        let expected = format!("no/such/thing does not exist, expected {FORMS}");
        assert_eq!(error.to_string(), expected);
    }
}
