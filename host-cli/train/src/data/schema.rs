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
    /// The delimiter of a CSV file.
    pub csv_delimiter: CsvDelimiter,
    /// The CSV columns with what the network is to answer.
    pub target: Target,
    /// What numbers in the target columns are.
    pub target_type: TargetType,
    /// The CSV columns with the features; all others if it is empty.
    pub features: Selection,
    /// CSV columns to leave out.
    pub drop: Selection,
    /// What becomes of missing features.
    pub missing: Missing,
    /// The classes that an autoencoder is trained on; samples of others are anomalies. All, if it is empty.
    pub normal: Selection,
    /// The maximum value of a pixel in a CSV file, read as 1.
    pub csv_max: CsvMax,
    /// Rows and columns of an image. Without it, those of a CSV file are square, and images have the size of the first one.
    pub image_shape: Option<Shape>,
    /// Whether images of any size are brought into MNIST's form.
    pub normalize: bool,
    /// The column that says which samples belong together: a recording, a person, a machine. No split separates them.
    pub group: Selection,
    /// Steps of a window, where a file holds series that are cut into samples.
    pub window: Option<u32>,
    /// Steps from one window to the next; half a window by default.
    pub stride: Option<u32>,
    /// Values of a step, where a row holds all steps of a recording and no names that say so.
    pub channels: Option<u32>,
    /// How the windows of a recording, or the samples of a group, answer together.
    pub vote: Vote,
    /// Whether the rows and columns of IDX images are swapped.
    pub transpose: Transpose,
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
        let delimiter = self.csv_delimiter;
        add("csv-delimiter", delimiter != default.csv_delimiter, delimiter.to_string());
        add("target", self.target != default.target, self.target.to_string());
        let target_type = self.target_type;
        add("target-type", target_type != default.target_type, target_type.to_string());
        add("features", self.features != default.features, self.features.to_string());
        add("drop", self.drop != default.drop, self.drop.to_string());
        add("missing", self.missing != default.missing, self.missing.to_string());
        add("normal", self.normal != default.normal, self.normal.to_string());
        add("csv-max", self.csv_max != default.csv_max, self.csv_max.to_string());
        let shape = self.image_shape.map(|shape| shape.to_string());
        add("image-shape", shape.is_some(), shape.unwrap_or_default());
        settings.extend(self.normalize.then_some(("normalize", None)));
        let mut add = |flag, value: Option<String>| {
            settings.extend(value.map(|value| (flag, Some(value))));
        };
        add("group", (!self.group.0.is_empty()).then(|| self.group.to_string()));
        add("window", self.window.map(|steps| steps.to_string()));
        add("stride", self.stride.map(|steps| steps.to_string()));
        add("channels", self.channels.map(|channels| channels.to_string()));
        add("vote", (self.vote != default.vote).then(|| self.vote.to_string()));
        add("transpose", (self.transpose != default.transpose).then(|| self.transpose.to_string()));
        settings
    }

    /// Returns the steps of a window and from one to the next.
    pub(super) fn window_and_stride(&self) -> (usize, usize) {
        let window = self.window.unwrap_or(1);
        (window as usize, self.stride.unwrap_or(window.div_ceil(2)) as usize)
    }

    /// Changes the setting of a flag; one that is none of [`settings`](Self::settings) is ignored.
    ///
    /// # Errors
    ///
    /// If it has no such value: what was expected.
    pub fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "csv-header" => self.csv_header = value.parse()?,
            "csv-delimiter" => self.csv_delimiter = value.parse()?,
            "target" => self.target = value.parse()?,
            "target-type" => self.target_type = value.parse()?,
            "features" => self.features = value.parse()?,
            "drop" => self.drop = value.parse()?,
            "missing" => self.missing = value.parse()?,
            "normal" => self.normal = value.parse()?,
            "csv-max" => self.csv_max = value.parse()?,
            "image-shape" => self.image_shape = Some(value.parse()?),
            "normalize" => self.normalize = true,
            "group" => self.group = value.parse()?,
            "window" => self.window = Some(number(value)?),
            "stride" => self.stride = Some(number(value)?),
            "channels" => self.channels = Some(number(value)?),
            "vote" => self.vote = value.parse()?,
            "transpose" => self.transpose = value.parse()?,
            _ => {}
        }
        Ok(())
    }
}

/// A whole number above 0.
fn number(value: &str) -> Result<u32, String> {
    let number = value.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("expected a whole number above 0, got '{value}'"))
}

named! {
    /// How samples that belong together answer together.
    pub enum Vote {
        /// As the model records; each for itself if it does not.
        Auto = "auto",
        /// Each answers for itself.
        None = "none",
        /// The class with the highest mean probability.
        Mean = "mean",
        /// The class that most of them answer.
        Majority = "majority",
    }
}

impl Vote {
    /// Whether samples answer together.
    #[must_use]
    pub fn is_cast(self) -> bool {
        matches!(self, Self::Mean | Self::Majority)
    }
}

named! {
    /// Whether the rows and columns of IDX images are swapped.
    pub enum Transpose {
        /// Those of EMNIST's files, which are known by their names.
        Auto = "auto",
        /// All.
        Yes = "yes",
        /// None.
        No = "no",
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

named! {
    /// The delimiter.
    pub enum CsvDelimiter {
        /// Detects it: the first of semicolon, tab, comma and space that the first line has.
        Auto = "auto",
        /// `,`
        Comma = "comma",
        /// `;`
        Semicolon = "semicolon",
        /// A tab.
        Tab = "tab",
        /// One space or several.
        Space = "space",
    }
}

named! {
    /// What numbers in the target columns are.
    pub enum TargetType {
        /// Detects it: words and few different whole numbers are classes, several columns of 0 and 1 are labels.
        Auto = "auto",
        /// They are.
        Class = "class",
        /// They are values to predict.
        Value = "value",
        /// Each column is a label, which a sample has (1) or not (0).
        Label = "label",
    }
}

named! {
    /// What becomes of missing features.
    pub enum Missing {
        /// The file is refused.
        Refuse = "refuse",
        /// The row is left out.
        Drop = "drop",
        /// The mean of the training samples takes their place, and a model records it.
        Mean = "mean",
        /// Zero takes their place.
        Zero = "zero",
    }
}

/// Columns by name, pattern (`acc_*`), number counted from 1 (`3`) or range of numbers (`3-8`), separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(pub Vec<String>);

impl Selection {
    /// Returns the columns, `names` being those of the header, or a number for each.
    ///
    /// # Errors
    ///
    /// The word that selects nothing.
    pub(super) fn columns(&self, names: &[String]) -> Result<Vec<usize>, String> {
        let mut columns = Vec::new();
        for word in &self.0 {
            let found = matching(word, names);
            if found.is_empty() {
                let few: Vec<_> = names.iter().take(5).map(String::as_str).collect();
                let dots = if names.len() > few.len() { ", …" } else { "" };
                return Err(format!(
                    "expected a column named `{word}`, got {}{dots}",
                    few.join(", ")
                ));
            }
            columns.extend(found);
        }
        Ok(columns)
    }
}

/// The columns that a word selects: by name, else by pattern, else by number.
fn matching(word: &str, names: &[String]) -> Vec<usize> {
    let of = |is_it: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|&column| is_it(&names[column])).collect()
    };
    let is_pattern = word.contains(['*', '?']);
    let tests: [&dyn Fn(&str) -> bool; 3] =
        [&|name| name == word, &|name| name.eq_ignore_ascii_case(word), &|name| {
            is_pattern && fits(word.as_bytes(), name.as_bytes())
        }];
    let named = tests.iter().map(|test| of(test)).find(|found| !found.is_empty());
    named.unwrap_or_else(|| {
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        match (from.trim().parse::<usize>(), to.trim().parse::<usize>()) {
            (Ok(from), Ok(to)) if from > 0 && to <= names.len() => (from - 1..to).collect(),
            _ => Vec::new(),
        }
    })
}

/// Whether a name fits a pattern: `*` is any text, `?` any byte.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| fits(rest, &name[skip..])),
        ([first, rest @ ..], [byte, after @ ..]) => {
            (*first == b'?' || first.eq_ignore_ascii_case(byte)) && fits(rest, after)
        }
        _ => false,
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
        if words.iter().any(String::is_empty) {
            return Err("expected columns separated by commas: names, acc_*, 3 or 3-8".to_owned());
        }
        // Each star doubles the work of a pattern, at worst.
        if words.iter().any(|word| word.matches('*').count() > 4) {
            return Err("expected at most 4 stars in a pattern".to_owned());
        }
        Ok(Self(words))
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Which columns hold what the network is to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Detected: see [`super::csv`].
    #[default]
    Auto,
    /// The first column.
    First,
    /// The last column.
    Last,
    /// One-hot classes in the first N columns.
    FirstOf(u16),
    /// One-hot classes in the last N columns.
    LastOf(u16),
    /// There are none.
    None,
    /// The features themselves: an autoencoder.
    Inputs,
    /// These columns.
    Columns(Selection),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word.trim() {
            "" => {
                return Err("expected first, last, none, auto, inputs, or columns".to_owned());
            }
            "auto" => Self::Auto,
            "first" => Self::First,
            "last" => Self::Last,
            "none" => Self::None,
            "inputs" => Self::Inputs,
            names => match names.split_once(':') {
                Some((end @ ("first" | "last"), count)) => {
                    let count = count.parse().ok().filter(|count| (2..=256).contains(count));
                    let count = count.ok_or("expected 2 to 256 columns, as in last:10")?;
                    if end == "first" { Self::FirstOf(count) } else { Self::LastOf(count) }
                }
                _ => Self::Columns(names.parse()?),
            },
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstOf(count) => return write!(f, "first:{count}"),
            Self::LastOf(count) => return write!(f, "last:{count}"),
            Self::Columns(columns) => return columns.fmt(f),
            Self::Auto => "auto",
            Self::First => "first",
            Self::Last => "last",
            Self::None => "none",
            Self::Inputs => "inputs",
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
    fn targets_are_written_as_they_are_read() {
        for word in
            ["auto", "first", "last:256", "none", "first:2", "digit", "a:b", "inputs", "a,b"]
        {
            assert_eq!(word.parse::<Target>().unwrap().to_string(), word);
        }
        for word in ["", "last:1", "last:257", "first:x", "a,,b"] {
            assert!(word.parse::<Target>().is_err(), "{word}");
        }
    }

    #[test]
    fn columns_are_selected_by_name_pattern_number_and_range() {
        let names = ["id", "acc_x", "acc_y", "gyro", "7", "ID"].map(str::to_owned);
        let columns = |words: &str| words.parse::<Selection>().unwrap().columns(&names);
        assert_eq!(columns("id"), Ok(vec![0]));
        assert_eq!(columns("Acc_X,gyro"), Ok(vec![1, 3]));
        assert_eq!(columns("acc_*"), Ok(vec![1, 2]));
        assert_eq!(columns("?yr*"), Ok(vec![3]));
        assert_eq!(columns("2-4"), Ok(vec![1, 2, 3]));
        assert_eq!(columns("3"), Ok(vec![2]));
        assert_eq!(columns("7"), Ok(vec![4]));
        for word in ["0", "8", "4-9", "x*"] {
            assert!(columns(word).unwrap_err().contains(&format!("`{word}`, got id, acc_x")));
        }
        assert!("*****".parse::<Selection>().is_err());
    }

    #[test]
    fn settings_are_what_differs_from_the_defaults() {
        assert_eq!(Schema::detect().settings(), []);
        let schema = Schema {
            csv_header: CsvHeader::No,
            csv_delimiter: CsvDelimiter::Tab,
            target: "my label".parse().unwrap(),
            target_type: TargetType::Value,
            features: "a*,3-4".parse().unwrap(),
            drop: "id".parse().unwrap(),
            missing: Missing::Mean,
            normal: "idle".parse().unwrap(),
            csv_max: CsvMax(Some(16)),
            image_shape: "8x8".parse().ok(),
            normalize: true,
            group: "who".parse().unwrap(),
            window: Some(25),
            stride: Some(5),
            channels: Some(6),
            vote: Vote::Mean,
            transpose: Transpose::Yes,
        };
        let value = |text: &str| Some(text.to_owned());
        let expected = [
            ("csv-header", value("no")),
            ("csv-delimiter", value("tab")),
            ("target", value("my label")),
            ("target-type", value("value")),
            ("features", value("a*,3-4")),
            ("drop", value("id")),
            ("missing", value("mean")),
            ("normal", value("idle")),
            ("csv-max", value("16")),
            ("image-shape", value("8x8")),
            ("normalize", None),
            ("group", value("who")),
            ("window", value("25")),
            ("stride", value("5")),
            ("channels", value("6")),
            ("vote", value("mean")),
            ("transpose", value("yes")),
        ];
        assert_eq!(schema.settings(), expected);
        let mut again = Schema::detect();
        for (flag, value) in expected {
            again.set(flag, &value.unwrap_or_default()).unwrap();
        }
        assert_eq!(again, schema);
    }
}
