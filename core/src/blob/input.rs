//! What a model's inputs are, and how raw values become them.

use super::format::{ROW, u32_at};
use crate::kernels::InputMap;

/// What a network reads: images of one shape, or features, and what was done to them before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Whether the inputs form an image.
    pub kind: InputKind,
    /// Rows of pixels; features have one.
    pub rows: usize,
    /// Pixels in a row, or features.
    pub cols: usize,
    /// What an image file goes through before its pixels are read.
    pub preparation: Preparation,
    /// The largest raw value that the training data could hold (255, 16 or 1 in most data); `None` where not recorded.
    pub max: Option<u8>,
    /// The raw values of the training data; `None` where not recorded.
    pub stats: Option<InputStats>,
    /// How a raw value becomes an input.
    pub map: InputMap,
}

/// Whether inputs form an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// Rows and columns of pixels.
    Image,
    /// Values without neighbors, such as sensor readings.
    Features,
}

/// What an image file goes through before its pixels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preparation {
    /// Unknown: written in format version 1.
    NotRecorded,
    /// Nothing: gray levels as they are.
    AsIs,
    /// Brought into MNIST's form: light on dark, scaled into 20×20 of 28×28 pixels, centered by mass.
    MnistForm,
}

/// The distribution of the raw values of the training samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputStats {
    /// Mean of all values.
    pub mean: f32,
    /// Standard deviation of all values.
    pub deviation: f32,
    /// Lowest mean of one sample.
    pub lowest: f32,
    /// Highest mean of one sample.
    pub highest: f32,
}

impl Input {
    /// An image about which nothing else is recorded.
    #[must_use]
    pub const fn image(rows: usize, cols: usize, map: InputMap) -> Self {
        let (kind, preparation) = (InputKind::Image, Preparation::NotRecorded);
        Self { kind, rows, cols, preparation, max: None, stats: None, map }
    }

    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let stats = self.stats.map_or([0.0; 4], |s| [s.mean, s.deviation, s.lowest, s.highest]);
        let [mean, deviation, lowest, highest] = stats.map(f32::to_bits);
        let words = [
            match self.kind {
                InputKind::Image => 1,
                InputKind::Features => 2,
            },
            self.rows as u32,
            self.cols as u32,
            match self.preparation {
                Preparation::NotRecorded => 0,
                Preparation::AsIs => 1,
                Preparation::MnistForm => 2,
            },
            u32::from(self.max.unwrap_or(0)),
            0,
            mean,
            deviation,
            lowest,
            highest,
            1,
            0,
            self.map.scale.to_bits(),
            self.map.shift.to_bits(),
        ];
        let mut bytes = [0; LEN];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }
}

/// Bytes of the section with one scale and shift for all inputs.
pub(super) const LEN: usize = 56;

/// Fields with a few sound values: offset, lowest, highest, and what is wrong with others.
const BOUNDS: [(u8, u8, u8, &str); 6] = [
    (0, 1, 2, "its inputs are of an unknown kind"),
    (12, 0, 2, "its image preparation is unknown"),
    (16, 0, u8::MAX, "its largest input value is above 255"),
    (20, 0, 0, "a reserved field of its input is not 0"),
    (40, 1, 1, "its features have scales of their own, which this version does not read"),
    (44, 0, 0, "a reserved field of its input is not 0"),
];

/// The input section of a blob, of either version.
#[derive(Clone, Copy)]
pub(super) struct InputSection<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether the section has version 1's layout: rows, columns, scale, shift.
    pub(super) is_version_1: bool,
}

impl InputSection<'_> {
    /// Checks every field; an error says what is wrong.
    pub(super) fn check(&self, inputs: usize) -> Result<(), &'static str> {
        let mut len = ROW;
        if !self.is_version_1 {
            for (at, lowest, highest, what) in BOUNDS {
                let word = u32_at(self.bytes, usize::from(at));
                if word < u32::from(lowest) || word > u32::from(highest) {
                    return Err(what);
                }
            }
            let [mean, deviation, lowest, highest] = self.stats();
            if !(mean + lowest + highest).is_finite() || !(0.0..f32::INFINITY).contains(&deviation)
            {
                return Err("the mean or standard deviation of its training data makes no sense");
            }
            len = LEN;
        }
        let [rows, cols] = self.shape();
        if self.bytes.len() != len || rows.checked_mul(cols) != Some(inputs) {
            return Err("its image's shape is not that of its inputs");
        }
        if !self.map().scale.is_finite() || !self.map().shift.is_finite() {
            return Err("its pixels' scale or shift is not a finite number");
        }
        Ok(())
    }

    pub(super) fn map(&self) -> InputMap {
        let at = if self.is_version_1 { 8 } else { 48 };
        let [scale, shift] = [at, at + 4].map(|at| f32::from_bits(u32_at(self.bytes, at)));
        InputMap { scale, shift }
    }

    fn shape(&self) -> [usize; 2] {
        let at = if self.is_version_1 { 0 } else { 4 };
        [at, at + 4].map(|at| u32_at(self.bytes, at) as usize)
    }

    fn stats(&self) -> [f32; 4] {
        [24, 28, 32, 36].map(|at| f32::from_bits(u32_at(self.bytes, at)))
    }

    pub(super) fn read(&self) -> Input {
        let [rows, cols] = self.shape();
        let image = Input::image(rows, cols, self.map());
        if self.is_version_1 {
            return image;
        }
        let [mean, deviation, lowest, highest] = self.stats();
        let is_recorded = [mean, deviation, lowest, highest] != [0.0; 4];
        Input {
            kind: if u32_at(self.bytes, 0) == 2 { InputKind::Features } else { InputKind::Image },
            preparation: match u32_at(self.bytes, 12) {
                1 => Preparation::AsIs,
                2 => Preparation::MnistForm,
                _ => Preparation::NotRecorded,
            },
            max: u8::try_from(u32_at(self.bytes, 16)).ok().filter(|&max| max > 0),
            stats: is_recorded.then_some(InputStats { mean, deviation, lowest, highest }),
            ..image
        }
    }
}
