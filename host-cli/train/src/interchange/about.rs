//! What a model says of itself beside its weights, as text by key: safetensors' header, ONNX's `metadata_props`, an array of
//! an npz.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use picomlp::blob::{Blob, Input, InputKind, InputStats, Preparation, TargetKind};
use picomlp::{InputMap, LossKind, Sequential};
use serde::{Deserialize, Serialize};

use super::tensors::{Kind, kinds};
use crate::named;
use crate::named::Named;

/// Text by key.
pub(super) type Metadata = BTreeMap<String, String>;

const LAYERS: &str = "picomlp.layers";
const INPUT: &str = "picomlp.input";
const LOSS: &str = "picomlp.loss";
const FEATURES: &str = "picomlp.features";
const TARGETS: &str = "picomlp.targets";
const CLASSES: &str = "class_names";

/// What the metadata of our own files says; of others, nothing.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) kinds: Option<Vec<Kind>>,
    pub(super) input: Option<Input>,
    pub(super) class_names: Vec<String>,
    /// Name and unit of each input.
    pub(super) features: Vec<[String; 2]>,
    pub(super) targets: Option<TargetKind>,
    pub(super) loss: LossKind,
}

named! {
    /// What a file says that inputs are.
    enum Form {
        Image = "image",
        Features = "features",
    }
}

named! {
    /// What a file says that is done to images.
    enum Prepared {
        Unknown = "not-recorded",
        AsIs = "as-is",
        MnistForm = "mnist-form",
    }
}

/// The losses by the names that files give them.
const LOSSES: [(LossKind, &str); 6] = [
    (LossKind::CrossEntropy, "cross-entropy"),
    (LossKind::SquaredError, "squared-error"),
    (LossKind::MeanSquaredError, "mean-squared-error"),
    (LossKind::MeanAbsoluteError, "mean-absolute-error"),
    (LossKind::Huber, "huber"),
    (LossKind::BinaryCrossEntropy, "binary-cross-entropy"),
];

const TARGET_KINDS: [(TargetKind, &str); 4] = [
    (TargetKind::Classes, "classes"),
    (TargetKind::Values, "values"),
    (TargetKind::Labels, "labels"),
    (TargetKind::Inputs, "inputs"),
];

/// The name of a value in such a table, and the other way round.
fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> Option<String> {
    table.iter().find(|(known, _)| known == value).map(|(_, name)| (*name).to_owned())
}

fn value_of<T: Copy>(table: &[(T, &str)], metadata: &Metadata, key: &str) -> Result<Option<T>> {
    let Some(text) = metadata.get(key) else { return Ok(None) };
    let known = table.iter().find(|(_, name)| name == text).map(|(value, _)| *value);
    known.map(Some).with_context(|| format!("metadata '{key}': unknown value '{text}'"))
}

/// [`Input`] as JSON.
#[derive(Deserialize, Serialize)]
struct InputRecord {
    kind: String,
    rows: usize,
    cols: usize,
    preparation: String,
    max: Option<u8>,
    /// A raw value is read as `value * scale + shift`.
    scale: f32,
    shift: f32,
    /// Mean, standard deviation, lowest and highest mean of a sample, of the raw values in training.
    stats: Option<[f32; 4]>,
}

/// The metadata of a model.
pub(super) fn write(blob: &Blob<'_>, net: &Sequential) -> Result<Metadata> {
    let names: Vec<&str> = blob.class_names().collect();
    let mut metadata = Metadata::from([(LAYERS.to_owned(), serde_json::to_string(&kinds(net))?)]);
    if !names.is_empty() {
        metadata.insert(CLASSES.to_owned(), serde_json::to_string(&names)?);
    }
    let features: Vec<[&str; 2]> = blob.features().map(|f| [f.name, f.unit]).collect();
    if !features.is_empty() {
        metadata.insert(FEATURES.to_owned(), serde_json::to_string(&features)?);
    }
    let loss = name_of(&LOSSES, &blob.loss_kind());
    let targets = blob.targets().and_then(|targets| name_of(&TARGET_KINDS, &targets));
    let named = [(LOSS, loss), (TARGETS, targets)].into_iter();
    metadata.extend(named.filter_map(|(key, name)| Some((key.to_owned(), name?))));
    if let Some(input) = blob.input() {
        let form = if input.kind == InputKind::Features { Form::Features } else { Form::Image };
        let prepared = match input.preparation {
            Preparation::AsIs => Prepared::AsIs,
            Preparation::MnistForm => Prepared::MnistForm,
            _ => Prepared::Unknown,
        };
        let record = InputRecord {
            kind: form.name().to_owned(),
            rows: input.rows,
            cols: input.cols,
            preparation: prepared.name().to_owned(),
            max: input.max,
            scale: input.map.scale,
            shift: input.map.shift,
            stats: input.stats.map(|s| [s.mean, s.deviation, s.lowest, s.highest]),
        };
        metadata.insert(INPUT.to_owned(), serde_json::to_string(&record)?);
    }
    Ok(metadata)
}

/// Reads the keys that [`write`] writes.
pub(super) fn read(metadata: &Metadata) -> Result<About> {
    let text = |key: &str| metadata.get(key).map(String::as_str);
    let json = |key| move || format!("metadata '{key}'");
    let kinds = text(LAYERS).map(serde_json::from_str).transpose().with_context(json(LAYERS))?;
    let names = text(CLASSES).map(serde_json::from_str).transpose().with_context(json(CLASSES))?;
    let features =
        text(FEATURES).map(serde_json::from_str).transpose().with_context(json(FEATURES))?;
    let record = text(INPUT).map(serde_json::from_str).transpose().with_context(json(INPUT))?;
    let input = record.map(|record| input(&record)).transpose();
    Ok(About {
        kinds,
        input: input.map_err(anyhow::Error::msg).with_context(json(INPUT))?,
        class_names: names.unwrap_or_default(),
        features: features.unwrap_or_default(),
        targets: value_of(&TARGET_KINDS, metadata, TARGETS)?,
        loss: value_of(&LOSSES, metadata, LOSS)?.unwrap_or_default(),
    })
}

fn input(record: &InputRecord) -> Result<Input, String> {
    Ok(Input {
        kind: match Form::from_name(&record.kind)? {
            Form::Image => InputKind::Image,
            Form::Features => InputKind::Features,
        },
        preparation: match Prepared::from_name(&record.preparation)? {
            Prepared::Unknown => Preparation::NotRecorded,
            Prepared::AsIs => Preparation::AsIs,
            Prepared::MnistForm => Preparation::MnistForm,
        },
        max: record.max,
        stats: record.stats.map(|[mean, deviation, lowest, highest]| InputStats {
            mean,
            deviation,
            lowest,
            highest,
        }),
        ..Input::image(
            record.rows,
            record.cols,
            InputMap { scale: record.scale, shift: record.shift },
        )
    })
}
