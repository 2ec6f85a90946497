//! A blob in memory, read from a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::{Blob, MAGIC, TargetKind};
use picomlp::{LossKind, Model, QuantizedModel, Sequential};

use crate::classifier::Classifier;
use crate::file_kind;
use crate::open::open;

/// The bytes of a model file, at an address that floats can be read from.
#[derive(Clone, Debug)]
pub struct ModelFile {
    path: PathBuf,
    words: Vec<u64>,
    len: usize,
}

/// A model in one of its two arithmetics.
#[derive(Debug)]
pub enum ModelForm<'a> {
    /// 32-bit floats.
    F32(Model<'a, Sequential>),
    /// 8-bit integers, and the loss that the model was trained with.
    Int8(QuantizedModel<'a, Sequential>, LossKind),
}

impl ModelForm<'_> {
    /// Returns the model as a classifier.
    #[must_use]
    pub fn classifier(&self) -> Classifier<'_> {
        match self {
            Self::F32(model) => Classifier::f32(model),
            Self::Int8(model, loss) => Classifier::int8(model, *loss),
        }
    }
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
        /// Bytes read before the kind and the announced length are checked.
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
        Self::from_bytes(path, &bytes)
    }

    /// Copies the bytes of a model file to an address that floats can be read from; `path` is its name in messages.
    ///
    /// # Errors
    ///
    /// If there is no memory for them.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (mut words, len) = (Vec::new(), bytes.len());
        let cannot = || format!("cannot read {}", path.display());
        words.try_reserve_exact(len.div_ceil(8)).with_context(cannot)?;
        words.resize(len.div_ceil(8), 0u64);
        bytemuck::cast_slice_mut(&mut words)[..len].copy_from_slice(bytes);
        Ok(Self { path: path.to_owned(), words, len })
    }

    /// Returns the path that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// Returns the blob in it.
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

    /// Returns the model's int8 form.
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

    /// Returns the model in f32, or in int8.
    ///
    /// # Errors
    ///
    /// Those of [`model`](Self::model) or of [`quantized`](Self::quantized); for the int8 form of an autoencoder.
    pub fn form(&self, int8: bool) -> Result<ModelForm<'_>> {
        Ok(if int8 {
            check_scores(&self.path, &self.blob()?)?;
            ModelForm::Int8(self.quantized()?, self.blob()?.loss_kind())
        } else {
            ModelForm::F32(self.model()?)
        })
    }

    /// Returns the model in it, in f32.
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

/// Refuses autoencoders: their scores are in standard deviations of the features, which an int8 form does not record.
pub(crate) fn check_scores(path: &Path, blob: &Blob<'_>) -> Result<()> {
    ensure!(
        blob.targets() != Some(TargetKind::Inputs),
        "{}: anomaly scores are computed in f32 alone: an autoencoder has no int8 form, run it without --int8",
        path.display()
    );
    Ok(())
}
