//! A model's int8 form, and what it costs.

use std::path::Path;

use anyhow::{Context, Result};
use picomlp::blob::{Contents, Int8Contents};
use picomlp::{AnyLayer, Layer, Model, Sequential, argmax};

use crate::classifier::Classifier;
use crate::data::Dataset;
use crate::model_file::ModelFile;
use crate::pool::Pool;
use crate::trained::written;

/// Samples that both forms of a model are compared on at once.
const AT_ONCE: usize = 4096;

/// Makes the model file with the int8 form of `model`. Weights become i8 with a step for each output; the largest activation of
/// each ReLU over `calibration`, in `ranges`, says what the u8 values between the layers are worth. The self-test's logits are
/// what the int8 form gives here.
///
/// # Errors
///
/// If the network has no int8 form.
pub fn quantize(
    model: &Model<'_, Sequential>,
    ranges: &[f32],
    keep_f32: bool,
    path: &Path,
) -> Result<ModelFile> {
    let (net, old) = (model.net(), model.blob());
    let names: Vec<&str> = old.class_names().collect();
    let (mut inputs, mut logits) = (Vec::new(), Vec::new());
    for (x, bits) in old.self_test().iter().flat_map(|test| test.vectors()) {
        inputs.extend_from_slice(x);
        logits.extend(bits.map(f32::from_bits));
    }
    let int8 = Int8Contents::new(ranges).keep_f32(keep_f32);
    let mut contents = Contents {
        input: old.input(),
        class_names: &names,
        provenance: old.provenance(),
        split: old.split(),
        self_test_inputs: &inputs,
        self_test_logits: &logits,
        int8: Some(int8),
        ..Contents::new(net, model.params())
    };
    let file = ModelFile::from_bytes(path, &written(&contents)?)?;
    let quantized = file.quantized()?;
    let mut scratch = vec![0; quantized.scratch_len()];
    let mut int8_logits = Vec::new();
    for input in inputs.chunks_exact(net.inputs()) {
        int8_logits.extend_from_slice(quantized.logits(input, &mut scratch)?);
    }
    contents.int8 = Some(int8.self_test(&int8_logits));
    ModelFile::from_bytes(path, &written(&contents)?)
}

/// Returns the largest output of each ReLU over `samples`.
///
/// # Errors
///
/// If the network does not fit the data, or an output is not finite.
pub fn largest_activations(
    pool: &Pool,
    model: &Model<'_, Sequential>,
    data: &Dataset,
    samples: &[u32],
) -> Result<Vec<f32>> {
    let layers = model.net().layers();
    let mut largest = Vec::new();
    for (i, _) in layers.iter().enumerate().filter(|(_, l)| matches!(l, AnyLayer::Relu(_))) {
        // The network up to this layer is one of its own.
        let head = Sequential::new(layers.iter().take(i + 1).copied().collect())?;
        let params = &model.params()[..head.params()];
        let map = model.blob().input_map();
        let head = Classifier::new(&head, params, map, model.loss_kind());
        let most = |_: &[u32], outputs: &mut [f32]| {
            Ok(outputs.iter().fold(0.0_f32, |most, y| most.max(*y)))
        };
        let batches = head.run(pool, data, samples, false, most);
        let batches = batches.with_context(|| format!("layer {i}"))?;
        largest.push(batches.into_iter().fold(0.0, f32::max));
    }
    Ok(largest)
}

/// Both forms of a model on labeled samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Number of samples.
    pub samples: usize,
    /// Samples whose class is predicted correctly: in f32, in int8.
    pub correct: [usize; 2],
    /// Samples whose predicted class differs.
    pub changed: usize,
    /// The largest difference of two logits.
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
        let mut all = Self { samples: samples.len(), ..Self::default() };
        for samples in samples.chunks(AT_ONCE) {
            let mut logits = [Vec::new(), Vec::new()];
            for (logits, form) in logits.iter_mut().zip(forms) {
                let batches = form.run(pool, data, samples, false, |_, y| Ok(y.to_vec()))?;
                *logits = batches.concat();
            }
            let [exact, near] = &logits;
            let classes = exact.len() / samples.len();
            let rows = exact.chunks_exact(classes).zip(near.chunks_exact(classes));
            for (&sample, (exact, near)) in samples.iter().zip(rows) {
                let predicted = [argmax(exact), argmax(near)];
                let label = data.label(sample as usize);
                for (correct, class) in all.correct.iter_mut().zip(predicted) {
                    *correct += usize::from(class == label);
                }
                all.changed += usize::from(predicted[0] != predicted[1]);
                for (exact, near) in exact.iter().zip(near) {
                    all.worst_error = all.worst_error.max((*exact - *near).abs());
                }
            }
        }
        Ok(all)
    }

    /// Returns both accuracies: in f32, in int8.
    #[must_use]
    pub fn accuracies(&self) -> [f64; 2] {
        self.correct.map(|correct| correct as f64 / self.samples as f64)
    }

    /// Returns the percentage points that int8 is worse by; negative if it is better.
    #[must_use]
    pub fn drop_points(&self) -> f64 {
        let [f32, int8] = self.correct.map(|correct| correct as f64);
        100.0 * (f32 - int8) / self.samples as f64
    }
}
