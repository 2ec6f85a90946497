//! A blob in memory, read from a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use picomlp::blob::Blob;
use picomlp::{Layer, Model, Sequential};

use crate::data::Dataset;

/// The bytes of a model file, at an address that floats can be read from.
#[derive(Clone, Debug)]
pub struct ModelFile {
    path: PathBuf,
    words: Vec<u64>,
    len: usize,
}

impl ModelFile {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no file of at most 4 GiB.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
        let metadata = file.metadata().with_context(|| format!("cannot read {shown}"))?;
        ensure!(!metadata.is_dir(), "cannot read {shown}: it is a folder, a model file is needed");
        let len = u32::try_from(metadata.len()).with_context(|| {
            format!("{shown}: {} bytes are too many for a model", metadata.len())
        })?;
        let len = len as usize;
        let mut words = vec![0u64; len.div_ceil(8)];
        let bytes = bytemuck::cast_slice_mut(&mut words);
        file.read_exact(&mut bytes[..len]).with_context(|| format!("cannot read {shown}"))?;
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

    /// The model in it.
    ///
    /// # Errors
    ///
    /// If it is not a sound blob, naming the file and the check that failed, or goes on after its end.
    pub fn model(&self) -> Result<Model<'_, Sequential>> {
        let shown = self.path.display();
        let model =
            Model::<Sequential>::from_blob(self.bytes()).with_context(|| shown.to_string())?;
        let blob: &Blob<'_> = model.blob();
        if blob.len() != self.len {
            bail!(
                "{shown}: the model ends after {} bytes, but the file has {}",
                blob.len(),
                self.len
            );
        }
        if let Some(at) = model.params().iter().position(|value| !value.is_finite()) {
            bail!("{shown}: parameter {at} is {}, expected a finite number", model.params()[at]);
        }
        Ok(model)
    }
}

/// Whether a model can be run on a data set.
pub(crate) fn check_fit(model: &Model<'_, Sequential>, path: &Path, data: &Dataset) -> Result<()> {
    let (net, shown) = (model.net(), path.display());
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
