//! What a user may say about the form of a data file, and what is found where nothing is said.

use core::fmt;
use core::str::FromStr;

use clap::ValueEnum;

/// How CSV files and PNG folders are to be read; without flags, `auto` throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Format {
    /// Whether a CSV file's first line names its columns.
    #[arg(long, value_enum, default_value_t, value_name = "WHETHER")]
    pub csv_header: CsvHeader,
    /// The CSV column with the labels: `first`, `last`, `none`, the column's name, or `auto`; one-hot labels are
    /// `first:N` or `last:N`, in N columns.
    #[arg(long, default_value_t, value_name = "COLUMN")]
    pub label: LabelColumn,
    /// The value of full ink in a CSV file, read as 1; `auto`: the largest pixel if that is 1, 16 or 255.
    #[arg(long, default_value_t, value_name = "VALUE")]
    pub csv_max: CsvMax,
    /// Rows and columns of a picture, as in 8x8; without it a CSV file's pictures are square, and PNG files all of the
    /// first one's size.
    #[arg(long, value_name = "RxC")]
    pub image_shape: Option<Shape>,
    /// Bring PNG images of any size into MNIST's form (the ink in 20x20 of 28x28 pixels, or in proportion of --image-shape,
    /// light on dark, centered by mass). A model records it, and all commands that read the model do the same.
    #[arg(long, alias = "normalise")]
    pub normalize: bool,
}

impl Format {
    /// The flags that differ from the defaults, in words, each after a space.
    pub(crate) fn words(&self) -> String {
        let default = Self::default();
        let mut words = String::new();
        if self.csv_header != default.csv_header {
            words += &format!(" --csv-header {}", self.csv_header);
        }
        if self.label != default.label {
            words += &format!(" --label {}", crate::text::shell_word(&self.label.to_string()));
        }
        if self.csv_max != default.csv_max {
            words += &format!(" --csv-max {}", self.csv_max);
        }
        if let Some(shape) = self.image_shape {
            words += &format!(" --image-shape {shape}");
        }
        if self.normalize {
            words += " --normalize";
        }
        words
    }
}

/// Whether the first line names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CsvHeader {
    /// Yes if it has no number, or a column named label, class or target; refused if that does not tell.
    #[default]
    Auto,
    /// It does, whatever is in it.
    Yes,
    /// It is the first picture.
    No,
}

impl fmt::Display for CsvHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Yes => "yes",
            Self::No => "no",
        })
    }
}

/// Where the labels are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// It is found: see [`super::csv_file`].
    #[default]
    Auto,
    /// In the first column.
    First,
    /// In the last column.
    Last,
    /// One-hot in so many first columns.
    FirstOf(u16),
    /// One-hot in so many last columns.
    LastOf(u16),
    /// There are none.
    None,
    /// In the column that the header gives this name.
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

/// The value that is read as 1; nothing: it is found.
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

/// Rows and columns of a picture, neither 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of pixels.
    pub rows: usize,
    /// Pixels in a row.
    pub cols: usize,
}

impl Shape {
    /// The longest side: 65,536 pixels make 4 Gpixel, more than any network here reads.
    const MAX_SIDE: usize = 65_536;

    /// The square of so many pixels, if there is one.
    #[must_use]
    pub fn square(pixels: usize) -> Option<Self> {
        let side = pixels.isqrt();
        (pixels > 0 && side * side == pixels).then_some(Self { rows: side, cols: side })
    }

    /// Whether an image may have this shape: the smallest legible digits have 3×5 pixels.
    #[must_use]
    pub fn holds_an_image(&self) -> bool {
        self.rows >= 5 && self.cols >= 3
    }

    /// Its pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let side = |word: &str| word.trim().parse().ok();
        let is_side = |side: &usize| (1..=Self::MAX_SIDE).contains(side);
        word.split_once(['x', 'X', '×'])
            .and_then(|(rows, cols)| Some((side(rows)?, side(cols)?)))
            .filter(|(rows, cols)| is_side(rows) && is_side(cols))
            .map(|(rows, cols)| Self { rows, cols })
            .ok_or_else(|| "expected rows and columns of pixels, as in 28x28".to_owned())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.cols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_rows_and_columns_and_nothing_else() {
        assert_eq!("8x9".parse(), Ok(Shape { rows: 8, cols: 9 }));
        assert_eq!("8×9".parse::<Shape>().unwrap().to_string(), "8x9");
        for word in ["", "8", "8x", "x8", "0x8", "8x0", "8x8x8", "-1x8", "1x65537", "a"] {
            assert!(word.parse::<Shape>().is_err(), "{word}");
        }
    }

    #[test]
    fn square_finds_the_side_of_perfect_squares_only() {
        assert_eq!(Shape::square(784), Some(Shape { rows: 28, cols: 28 }));
        assert_eq!([0, 2, 63, 785].map(Shape::square), [None; 4]);
    }

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
    fn words_repeat_what_differs_from_the_defaults() {
        assert_eq!(Format::default().words(), "");
        let format = Format {
            csv_header: CsvHeader::No,
            label: LabelColumn::Named("my label".into()),
            csv_max: CsvMax(Some(16)),
            image_shape: "8x8".parse().ok(),
            normalize: true,
        };
        let expected =
            " --csv-header no --label 'my label' --csv-max 16 --image-shape 8x8 --normalize";
        assert_eq!(format.words(), expected);
    }
}
