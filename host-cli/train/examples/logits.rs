//! Writes a model's outputs on images as raw floats, `[images][outputs]`:
//! `cargo run --release -p picomlp-train --example logits MODEL.pmlp IMAGES.idx OUT`. A model with int8 parameters
//! alone gives its int8 logits as floats.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use picomlp::Layer;
use picomlp_train::ModelFile;
use picomlp_train::data::idx::{Kind, read};

fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let mut word = |name: &str| words.next().with_context(|| format!("{name} is missing"));
    let (model, images, out) = (word("MODEL")?, word("IMAGES")?, word("OUT")?);
    let file = ModelFile::read(Path::new(&model))?;
    let images = read(Path::new(&images), Kind::Images)?;
    let mut logits = Vec::new();
    let mut take = |values: &[f32]| logits.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    if file.blob()?.params().is_err() {
        let model = file.quantized()?;
        let (mut values, mut scratch) =
            (vec![0.0; model.net().outputs()], vec![0; model.scratch_len()]);
        for image in images.data.chunks(model.net().inputs()) {
            model.features(image, &mut values, &mut scratch)?;
            take(&values);
        }
    } else {
        let model = file.model()?;
        let mut scratch = vec![0.0; model.net().infer_scratch(1)];
        for image in images.data.chunks(model.net().inputs()) {
            take(model.logits(image, &mut scratch)?);
        }
    }
    fs::write(out, logits).context("cannot write the logits")
}
