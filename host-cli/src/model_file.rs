//! A blob in memory, read from a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{Blob, MAGIC};
use picomlp::{InputMap, Layer, Model, QuantizedModel, Sequential};

use crate::data::{Dataset, Known, Shape};
use crate::file_kind;
use crate::open::open;

/// The bytes of a model file, at an address that floats can be read from.
#[derive(Clone, Debug)]
pub struct ModelFile {
    path: PathBuf,
    words: Vec<u64>,
    len: usize,
}

impl ModelFile {
    /// Reads the whole file, or a stream to its end.
    ///
    /// What does not begin as a model does is not read further, and a model not beyond the length that it announces and one
    /// byte, so that neither fills the memory.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is known to be something else.
    pub fn read(path: &Path) -> Result<Self> {
        /// Bytes read before the kind and the announced length are looked at.
        const FIRST: u64 = 4096;
        let shown = path.display();
        let cannot = || format!("cannot read {shown}");
        let (mut file, mut bytes) = (open(path)?, Vec::new());
        file.by_ref().take(FIRST).read_to_end(&mut bytes).with_context(cannot)?;
        if bytes.starts_with(&MAGIC) {
            let announced = bytes.get(12..).and_then(<[u8]>::first_chunk);
            let announced = announced.map_or(0, |len| u32::from_le_bytes(*len));
            let rest = (u64::from(announced) + 1).saturating_sub(FIRST);
            file.take(rest).read_to_end(&mut bytes).with_context(cannot)?;
        } else if let Some(kind) = file_kind::detect(&bytes) {
            bail!(
                "{shown}: not a picomlp model: it is {}, expected what `picomlp train` writes",
                kind.name
            );
        }
        let (mut words, len) = (Vec::new(), bytes.len());
        words.try_reserve_exact(len.div_ceil(8)).with_context(cannot)?;
        words.resize(len.div_ceil(8), 0u64);
        bytemuck::cast_slice_mut(&mut words)[..len].copy_from_slice(&bytes);
        Ok(Self { path: path.to_owned(), words, len })
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The blob in it.
    ///
    /// # Errors
    ///
    /// If it is not a sound blob, naming the file and the check that failed, or goes on after its end.
    pub fn blob(&self) -> Result<Blob<'_>> {
        let shown = self.path.display();
        let blob = Blob::parse(self.bytes()).with_context(|| shown.to_string())?;
        ensure!(
            blob.len() == self.len,
            "{shown}: the model ends after {} bytes, but the file goes on",
            blob.len()
        );
        Ok(blob)
    }

    /// The model's int8 form.
    ///
    /// # Errors
    ///
    /// Those of [`blob`](Self::blob), or if the model has no int8 form.
    pub fn quantized(&self) -> Result<QuantizedModel<'_, Sequential>> {
        let blob = self.blob()?;
        let shown = self.path.display();
        if blob.int8_params().is_err() && blob.params().is_ok() {
            bail!("{shown}: the model has no int8 parameters; `picomlp quantize` makes them");
        }
        QuantizedModel::from_blob(self.bytes()).with_context(|| shown.to_string())
    }

    /// The model in it, in f32.
    ///
    /// # Errors
    ///
    /// Those of [`blob`](Self::blob), if the model has no f32 form, or a parameter is not finite.
    pub fn model(&self) -> Result<Model<'_, Sequential>> {
        let shown = self.path.display();
        let blob = self.blob()?;
        if blob.params().is_err() && blob.int8_params().is_ok() {
            bail!(
                "{shown}: the model has int8 parameters alone, f32 ones are needed; `eval` and `predict` run it with --int8"
            );
        }
        let model =
            Model::<Sequential>::from_blob(self.bytes()).with_context(|| shown.to_string())?;
        if let Some(at) = model.params().iter().position(|value| !value.is_finite()) {
            bail!("{shown}: parameter {at} is {}, expected a finite number", model.params()[at]);
        }
        Ok(model)
    }
}

/// What data must fit that a model is to be run on.
pub(crate) struct ModelInput {
    shape: Shape,
    pub(crate) max: u8,
    classes: usize,
    names: Vec<String>,
}

impl ModelInput {
    /// Of a sound blob and its network. A model that says nothing of its pictures' shape reads squares, or else one row.
    pub(crate) fn new(blob: &Blob<'_>, net: &Sequential) -> Self {
        let row = Shape { rows: 1, cols: net.inputs() };
        let (shape, max) = match blob.input() {
            Some(input) => {
                let shape = Shape { rows: input.rows, cols: input.cols };
                (shape, full_ink(input.map, blob.provenance().map(|p| p.command)))
            }
            None => (Shape::square(net.inputs()).unwrap_or(row), u8::MAX),
        };
        let mut names: Vec<String> = blob.class_names().map(str::to_owned).collect();
        if names.iter().enumerate().all(|(class, name)| *name == class.to_string()) {
            names.clear();
        }
        Self { shape, max, classes: net.outputs(), names }
    }

    pub(crate) fn known(&self) -> Known<'_> {
        let Self { shape, max, classes, ref names } = *self;
        Known { of: "the model", shape, max, classes, names }
    }
}

/// The value of full ink: as the command that trained the model says by `--csv-max`; otherwise what the map reads as 1, if
/// it reads 0 as 0 or as -1. It is 255 where neither tells, as with standardised and raw inputs.
fn full_ink(map: InputMap, command: Option<&str>) -> u8 {
    let is_read_as_1 = |max: &u8| {
        let [unit, symmetric] = [1.0, 2.0].map(|span: f32| span / f32::from(*max));
        (map.shift == 0.0 && map.scale == unit) || (map.shift == -1.0 && map.scale == symmetric)
    };
    let said = || {
        let mut words = command?.split(' ').skip_while(|word| *word != "--csv-max");
        words.nth(1)?.parse().ok()
    };
    // A scale of 1 is that of raw inputs.
    said().or_else(|| (2..=u8::MAX).find(is_read_as_1)).unwrap_or(u8::MAX)
}

/// Whether a network can be run on a data set.
pub(crate) fn check_fit(net: &Sequential, path: &Path, data: &Dataset) -> Result<()> {
    let shown = path.display();
    ensure!(
        net.inputs() == data.pixels(),
        "{shown} reads {} values, but the data's pictures have {}×{} = {}",
        net.inputs(),
        data.rows,
        data.cols,
        data.pixels()
    );
    ensure!(
        net.outputs() >= data.classes,
        "{shown} tells {} classes apart, but the data has {}",
        net.outputs(),
        data.classes
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_ink_is_what_the_map_or_the_command_says() {
        let map = |scale, shift| InputMap { scale, shift };
        assert_eq!(full_ink(InputMap::PIXELS, None), 255);
        assert_eq!(full_ink(map(1.0 / 16.0, 0.0), None), 16);
        assert_eq!(full_ink(map(2.0 / 16.0, -1.0), None), 16);
        assert_eq!(full_ink(map(2.0 / 255.0, -1.0), None), 255);
        let standard = map(0.17, -0.4);
        assert_eq!(full_ink(standard, None), 255);
        assert_eq!(full_ink(standard, Some("train --data a.csv --csv-max 16 --out b")), 16);
        assert_eq!(full_ink(standard, Some("train --data a.csv --csv-max")), 255);
        let raw = map(1.0, 0.0);
        assert_eq!(full_ink(raw, None), 255);
        assert_eq!(full_ink(raw, Some("train --data a.csv --csv-max 16 --out b")), 16);
        assert_eq!(full_ink(raw, Some("train --data a.csv --csv-max 1 --out b")), 1);
    }
}
