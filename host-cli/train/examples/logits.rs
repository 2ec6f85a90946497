//! Writes a model's outputs on images as raw floats, `[images][outputs]`:
//! `cargo run --release -p picomlp-train --example logits MODEL.pmlp IMAGES.idx OUT`.

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
    let model = file.model()?;
    let images = read(Path::new(&images), Kind::Images)?;
    let (mut logits, mut scratch) = (Vec::new(), vec![0.0; model.net().infer_scratch(1)]);
    for image in images.data.chunks(model.net().inputs()) {
        let values = model.logits(image, &mut scratch)?;
        logits.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    fs::write(out, logits).context("cannot write the logits")
}
