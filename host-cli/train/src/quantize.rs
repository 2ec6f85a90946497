//! A model's int8 form, and what it costs.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use picomlp::blob::{Contents, Feature, Int8Contents};
use picomlp::{AnyLayer, InputMap, Layer, Model, Sequential};

use crate::classifier::Classifier;
use crate::data::{Dataset, Values};
use crate::measures::Evaluation;
use crate::model_file::{ModelFile, check_scores};
use crate::pool::Pool;
use crate::trained::written;
use crate::vote;

/// Samples that both forms of a model are compared on at once.
const AT_ONCE: usize = 4096;

/// The values that the int8 form tells apart; others saturate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// The lowest and the highest input of the first dense layer, 0 among them; `None` for images, whose pixels are the int8
    /// inputs.
    pub inputs: Option<[f32; 2]>,
    /// The largest output of each ReLU.
    pub activations: Vec<f32>,
}

impl Ranges {
    /// Calibrates: returns the ranges over `samples`.
    ///
    /// # Errors
    ///
    /// If the network does not fit the data, or an output is not finite.
    pub fn calibrate(
        pool: &Pool,
        model: &Model<'_, Sequential>,
        data: &Dataset,
        samples: &[u32],
    ) -> Result<Self> {
        let layers = model.net().layers();
        let outputs_of = |layer: usize| {
            // The network up to this layer is one of its own.
            let head = Sequential::new(layers.iter().take(layer + 1).copied().collect())?;
            let params = &model.params()[..head.params()];
            let map = model.blob().input_map();
            let head = Classifier::new(&head, params, map, model.loss_kind());
            let batches = head.run(pool, data, samples, false, |_, outputs| Ok(range(outputs)));
            let batches = batches.with_context(|| format!("layer {layer}"))?;
            anyhow::Ok(range(batches.as_flattened()))
        };
        let inputs = match (&data.inputs, layers.first()) {
            (Values::Bytes(_), _) => None,
            (Values::Floats(_), Some(AnyLayer::Rescale(_))) => Some(outputs_of(0)?),
            (Values::Floats(values), _) => {
                let width = data.pixels();
                let rows = samples.iter().map(|&s| range(&values[s as usize * width..][..width]));
                Some(range(rows.collect::<Vec<_>>().as_flattened()))
            }
        };
        let relus = layers.iter().enumerate().filter(|(_, l)| matches!(l, AnyLayer::Relu(_)));
        let activations = relus.map(|(i, _)| Ok(outputs_of(i)?[1])).collect::<Result<_>>()?;
        Ok(Self { inputs, activations })
    }
}

/// Returns the lowest and the highest of 0 and `values`.
fn range(values: &[f32]) -> [f32; 2] {
    values.iter().fold([0.0; 2], |[low, high], value| [value.min(low), value.max(high)])
}

/// Makes the model file with the int8 form of `model`. Weights become i8 with a step for each output; `ranges` says what the u8
/// values between the layers, and inputs that are features, are worth. The self-test's logits are what the int8 form gives
/// here.
///
/// # Errors
///
/// If the network has no int8 form, is an autoencoder, or maps features before the first layer.
pub fn quantize(
    model: &Model<'_, Sequential>,
    ranges: &Ranges,
    keep_f32: bool,
    path: &Path,
) -> Result<ModelFile> {
    let (net, old) = (model.net(), model.blob());
    check_scores(path, old)?;
    let InputMap { scale, shift } = old.input_map();
    ensure!(
        ranges.inputs.is_none() || (scale, shift) == (1.0, 0.0),
        "its features are read as x·{scale} + {shift}, which has no int8 form: make it a first rescale, or part of the first \
         dense layer"
    );
    let names: Vec<&str> = old.class_names().collect();
    let features: Vec<Feature<'_>> = old.features().collect();
    let reading: Vec<[&str; 2]> = old.reading().map(|(flag, value)| [flag, value]).collect();
    let (mut inputs, mut test_features, mut logits) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(test) = old.self_test() {
        for (x, bits) in test.vectors() {
            if test.are_features() {
                test_features.extend(x.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)));
            } else {
                inputs.extend_from_slice(x);
            }
            logits.extend(bits.map(f32::from_bits));
        }
    }
    let int8 = Int8Contents::new(&ranges.activations).keep_f32(keep_f32);
    let int8 = ranges.inputs.map_or(int8, |range| int8.features(range));
    let mut contents = Contents {
        input: old.input(),
        features: &features,
        targets: old.targets(),
        class_names: &names,
        provenance: old.provenance(),
        split: old.split(),
        reading: &reading,
        fill: old.fill().unwrap_or_default(),
        self_test_inputs: &inputs,
        self_test_features: &test_features,
        self_test_logits: &logits,
        int8: Some(int8),
        ..Contents::new(net, model.params())
    };
    let file = ModelFile::from_bytes(path, &written(&contents)?)?;
    let quantized = file.quantized()?;
    let mut scratch = vec![0; quantized.scratch_len()];
    let mut int8_logits = Vec::new();
    let mut read = vec![0; test_features.len()];
    let rows = test_features.chunks_exact(net.inputs()).zip(read.chunks_exact_mut(net.inputs()));
    for (features, read) in rows {
        quantized.read_features(features, read)?;
    }
    let inputs = if read.is_empty() { inputs.clone() } else { read };
    for input in inputs.chunks_exact(net.inputs()) {
        int8_logits.extend_from_slice(quantized.logits(input, &mut scratch)?);
    }
    contents.int8 = Some(int8.self_test(&int8_logits));
    contents.self_test_inputs = &inputs;
    ModelFile::from_bytes(path, &written(&contents)?)
}

/// Both forms of a model, f32 and int8, on samples with targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// What each form was measured to reach.
    pub forms: [Evaluation; 2],
    /// Samples, or recordings or groups where samples vote, whose predicted class differs; 0 where values are
    /// predicted.
    pub changed: usize,
    /// The largest difference of two outputs.
    pub worst_error: f32,
}

impl Comparison {
    /// Runs both forms on `samples`.
    ///
    /// # Errors
    ///
    /// If a network does not fit the data, or an output is not finite.
    pub fn new(
        pool: &Pool,
        forms: [Classifier<'_>; 2],
        data: &Dataset,
        samples: &[u32],
    ) -> Result<Self> {
        let [f32, int8] = forms.map(|form| vote::evaluate(&form, pool, data, samples));
        let mut all = Self { forms: [f32?, int8?], ..Self::default() };
        let are_classes = data.classes > 0 && !data.schema.vote.is_cast();
        if data.schema.vote.is_cast() {
            let voters = data.subset(samples);
            let [exact, near] = forms.map(|form| vote::predict(&form, pool, &voters));
            let (exact, near) = (exact?.0.predicted, near?.0.predicted);
            all.changed = exact.iter().zip(&near).filter(|(exact, near)| exact != near).count();
        }
        for samples in samples.chunks(AT_ONCE) {
            let mut outputs = [Vec::new(), Vec::new()];
            for (outputs, form) in outputs.iter_mut().zip(forms) {
                let batches = form.run(pool, data, samples, false, |_, y| Ok(y.to_vec()))?;
                *outputs = batches.concat();
            }
            let [exact, near] = &outputs;
            let width = exact.len() / samples.len();
            for (exact, near) in exact.chunks_exact(width).zip(near.chunks_exact(width)) {
                all.changed +=
                    usize::from(are_classes && forms[0].class(exact) != forms[0].class(near));
                for (exact, near) in exact.iter().zip(near) {
                    all.worst_error = all.worst_error.max((*exact - *near).abs());
                }
            }
        }
        Ok(all)
    }

    /// Returns the percentage points of accuracy that int8 is worse by; negative if it is better.
    #[must_use]
    pub fn drop_points(&self) -> f64 {
        let [f32, int8] = self.forms.each_ref().map(|form| form.correct as f64);
        100.0 * (f32 - int8) / self.forms[0].samples as f64
    }
}
