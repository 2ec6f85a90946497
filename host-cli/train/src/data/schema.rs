//! How a data file is to be read; what is not said is detected.

use core::fmt;
use core::str::FromStr;

use crate::named;
use crate::shape::Shape;

/// How CSV files and folders of images are to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Whether a CSV file's first line names its columns.
    pub csv_header: CsvHeader,
    /// The CSV column with the labels.
    pub label: LabelColumn,
    /// The maximum value of an input in a CSV file, read as 1.
    pub csv_max: CsvMax,
    /// Rows and columns of a sample. Without it, those of a CSV file are square, and images have the size of the first one.
    pub image_shape: Option<Shape>,
    /// Whether images of any size are brought into MNIST's form.
    pub normalize: bool,
}

impl Schema {
    /// Detects everything.
    #[must_use]
    pub fn detect() -> Self {
        Self::default()
    }

    /// Returns the settings that differ from the defaults: the flag, and its value unless it is a switch.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        let default = Self::default();
        let mut settings = Vec::new();
        let mut add = |flag, differs: bool, value: String| {
            settings.extend(differs.then_some((flag, Some(value))));
        };
        add("csv-header", self.csv_header != default.csv_header, self.csv_header.to_string());
        add("label", self.label != default.label, self.label.to_string());
        add("csv-max", self.csv_max != default.csv_max, self.csv_max.to_string());
        let shape = self.image_shape.map(|shape| shape.to_string());
        add("image-shape", shape.is_some(), shape.unwrap_or_default());
        settings.extend(self.normalize.then_some(("normalize", None)));
        settings
    }
}

named! {
    /// Whether the first line names the columns.
    pub enum CsvHeader {
        /// Detects it: no numbers in the first line, or a column named label, class or target.
        Auto = "auto",
        /// It does.
        Yes = "yes",
        /// It is the first sample.
        No = "no",
    }
}

/// Where the labels are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// Detected: see [`super::csv`].
    #[default]
    Auto,
    /// In the first column.
    First,
    /// In the last column.
    Last,
    /// One-hot in the first N columns.
    FirstOf(u16),
    /// One-hot in the last N columns.
    LastOf(u16),
    /// There are none.
    None,
    /// In the column of this name.
    Named(String),
}

impl FromStr for LabelColumn {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word.trim() {
            "" => return Err("expected first, last, none, auto, or a column's name".to_owned()),
            "auto" => Self::Auto,
            "first" => Self::First,
            "last" => Self::Last,
            "none" => Self::None,
            name => match name.split_once(':') {
                Some((end @ ("first" | "last"), count)) => {
                    let count = count.parse().ok().filter(|count| (2..=256).contains(count));
                    let count = count.ok_or("expected 2 to 256 columns, as in last:10")?;
                    if end == "first" { Self::FirstOf(count) } else { Self::LastOf(count) }
                }
                _ => Self::Named(name.to_owned()),
            },
        })
    }
}

impl fmt::Display for LabelColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstOf(count) => return write!(f, "first:{count}"),
            Self::LastOf(count) => return write!(f, "last:{count}"),
            Self::Auto => "auto",
            Self::First => "first",
            Self::Last => "last",
            Self::None => "none",
            Self::Named(name) => name,
        })
    }
}

/// The maximum value of an input, which is read as 1; detected if it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsvMax(pub Option<u8>);

impl FromStr for CsvMax {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.trim() {
            "auto" => Ok(Self(None)),
            word => match word.parse() {
                Ok(max) if max > 0 => Ok(Self(Some(max))),
                _ => Err("expected auto, or a whole number from 1 to 255".to_owned()),
            },
        }
    }
}

impl fmt::Display for CsvMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("auto"),
            Some(max) => max.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_as_they_are_read() {
        for word in ["auto", "first", "last", "none", "first:2", "last:256", "digit", "a:b"] {
            assert_eq!(word.parse::<LabelColumn>().unwrap().to_string(), word);
        }
        for word in ["", "last:1", "last:257", "first:x"] {
            assert!(word.parse::<LabelColumn>().is_err(), "{word}");
        }
    }

    #[test]
    fn settings_are_what_differs_from_the_defaults() {
        assert_eq!(Schema::detect().settings(), []);
        let schema = Schema {
            csv_header: CsvHeader::No,
            label: LabelColumn::Named("my label".into()),
            csv_max: CsvMax(Some(16)),
            image_shape: "8x8".parse().ok(),
            normalize: true,
        };
        let value = |text: &str| Some(text.to_owned());
        let expected = [
            ("csv-header", value("no")),
            ("label", value("my label")),
            ("csv-max", value("16")),
            ("image-shape", value("8x8")),
            ("normalize", None),
        ];
        assert_eq!(schema.settings(), expected);
    }
}
