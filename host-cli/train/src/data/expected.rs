//! What samples and classes must be, before a file is read.

use anyhow::{Context, Result, ensure};
use picomlp::blob::TargetKind;

use super::dataset::{Dataset, Feature, Targets};
use super::source::Source;
use crate::shape::Shape;
use crate::text::one_line;

/// What data must fit: a model, or the data that it is trained on.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// What expects it, for messages: `the model`, `the training data`.
    pub of: &'a str,
    /// The shape of a sample.
    pub shape: Shape,
    /// The maximum value of a pixel; 0 for features.
    pub max: u8,
    /// The features, in the order in which they are read; empty if they have no names.
    pub features: &'a [Feature],
    /// The names of the columns of the targets; empty if they have none.
    pub target_names: &'a [String],
    /// What the targets are.
    pub kind: TargetKind,
    /// The number of classes; 0 for labels and values.
    pub classes: usize,
    /// Their names, `[classes]`; empty if they are called 0, 1, 2 and so on.
    pub names: &'a [String],
}

impl<'a> Expected<'a> {
    /// What further data must fit to go with training data.
    #[must_use]
    pub fn training(data: &'a Dataset) -> Self {
        Self {
            of: "the training data",
            shape: data.shape(),
            max: data.max,
            features: &data.features,
            target_names: &data.target_names,
            kind: data.target_kind(),
            classes: data.classes,
            names: &data.class_names,
        }
    }

    /// Returns the label of a class by its name.
    #[must_use]
    pub fn class_named(&self, word: &str) -> Option<u16> {
        let class = if self.names.is_empty() {
            word.parse().ok().filter(|&class| class < self.classes)
        } else {
            self.names.iter().position(|name| name == word)
        };
        class.and_then(|class| u16::try_from(class).ok())
    }

    /// Lists the classes, for messages.
    #[must_use]
    pub fn list(&self) -> String {
        if self.names.is_empty() {
            format!("0 to {}", self.classes.saturating_sub(1))
        } else {
            format!("one of {}", one_line(&self.names.join(", ")))
        }
    }

    /// Takes synthetic data, with the labels that classes of its names have here.
    ///
    /// # Errors
    ///
    /// If its classes or features are others, naming `source`.
    pub(super) fn fit_drawn(&self, data: Dataset, source: &Source) -> Result<Dataset> {
        ensure!(
            data.classes == self.classes,
            "{source} data has {} classes, but {} tells {} apart",
            data.classes,
            self.of,
            self.classes
        );
        let names =
            |features: &[Feature]| features.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        ensure!(
            self.features.is_empty() || names(self.features) == names(&data.features),
            "{source} data does not have the features of {}",
            self.of
        );
        self.relabel(data, source)
    }

    /// Gives data the labels that classes of its names have here.
    ///
    /// # Errors
    ///
    /// If there is no class of that name, naming `source`.
    pub(super) fn relabel(&self, data: Dataset, source: &Source) -> Result<Dataset> {
        if self.names.is_empty() {
            return Ok(data);
        }
        let Targets::Classes(labels) = &data.targets else { return Ok(data) };
        let relabeled = |&label: &u16| {
            let name = data.class_name(label.into());
            self.class_named(&name).with_context(|| {
                format!("{source}: {} has no class `{name}`, expected {}", self.of, self.list())
            })
        };
        let targets = Targets::Classes(labels.iter().map(relabeled).collect::<Result<_>>()?);
        Ok(Dataset { targets, classes: self.classes, class_names: self.names.to_vec(), ..data })
    }

    /// Checks the shape and the maximum value of data.
    ///
    /// # Errors
    ///
    /// If it has not, naming `source`.
    pub fn check(&self, data: &Dataset, source: &Source) -> Result<()> {
        self.check_range(data, source)?;
        ensure!(
            data.shape() == self.shape,
            "{source}: its images are {}, those of {} are {}",
            data.shape(),
            self.of,
            self.shape
        );
        Ok(())
    }

    /// Checks that data are images or features, and the maximum value of a pixel.
    ///
    /// # Errors
    ///
    /// If it has not, naming `source`.
    pub fn check_range(&self, data: &Dataset, source: &Source) -> Result<()> {
        let what = |max: u8| if max == 0 { "features" } else { "images" };
        ensure!(
            (data.max == 0) == (self.max == 0),
            "{source} holds {}, but {} has {}",
            what(data.max),
            self.of,
            what(self.max)
        );
        ensure!(
            data.max == self.max,
            "{source}: its pixels go to {}, those of {} to {}",
            data.max,
            self.of,
            self.max
        );
        Ok(())
    }
}
