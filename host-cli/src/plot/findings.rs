//! What a network makes of a labelled set, sample by sample.

use anyhow::Result;
use picomlp::{Batch, InputMap, Layer, LossKind, Model, Network, Sequential, argmax};
use rayon::prelude::*;

use crate::Pool;
use crate::data::Dataset;

/// Samples that go through the network together.
const BATCH: usize = 256;

/// A trained network and how it is to be used.
pub(crate) struct Subject<'a> {
    pub(crate) net: &'a Sequential,
    pub(crate) params: &'a [f32],
    /// How pixels are read.
    pub(crate) map: InputMap,
    /// What it was trained with, which says what its outputs are.
    pub(crate) loss: LossKind,
    /// The names of the classes, one for each output.
    pub(crate) names: Vec<String>,
    /// What it is measured on, for messages: `samples`, `test samples`.
    pub(crate) set: &'static str,
}

impl<'a> Subject<'a> {
    /// What a model file holds.
    pub(crate) fn of_model(model: &'a Model<'_, Sequential>) -> Self {
        let (net, blob) = (model.net(), model.blob());
        let mut names: Vec<String> = blob.class_names().map(str::to_owned).collect();
        names.extend((names.len()..net.outputs()).map(|class| class.to_string()));
        let map = blob.input_map();
        Self { net, params: model.params(), map, loss: model.loss_kind(), names, set: "samples" }
    }

    /// Turns outputs, `[len][classes]`, into probabilities.
    fn to_probabilities(&self, outputs: &mut [f32]) {
        let samples = outputs.chunks_exact_mut(self.net.outputs());
        samples.for_each(|outputs| self.loss.probabilities(outputs));
    }

    /// The probability of each class for each of `images`, `[len][classes]`.
    ///
    /// # Errors
    ///
    /// If the pictures do not fit the network.
    pub(crate) fn probabilities(&self, images: &[u8]) -> Result<Vec<f32>> {
        let x = Batch::rows(images, self.net.inputs())?.with_map(self.map);
        let mut values = vec![0.0; x.len() * self.net.outputs()];
        let mut scratch = vec![0.0; self.net.infer_scratch(x.len())];
        self.net.forward(self.params, x, &mut values, &mut scratch)?;
        self.to_probabilities(&mut values);
        Ok(values)
    }
}

/// The probabilities of all classes for all samples of a set, and what follows from them.
pub(crate) struct Findings {
    classes: usize,
    probabilities: Vec<f32>,
    /// The class found for each sample.
    pub(crate) found: Vec<usize>,
    /// Counts, `[true class][found class]`.
    pub(crate) confusion: Vec<Vec<usize>>,
}

impl Findings {
    /// Runs all of a set on the pool's threads, on whose number nothing depends.
    ///
    /// # Errors
    ///
    /// If the pictures do not fit the network.
    pub(crate) fn new(pool: &Pool, subject: &Subject<'_>, data: &Dataset) -> Result<Self> {
        let classes = subject.net.outputs();
        let run = |images: &[u8]| subject.probabilities(images);
        let parts: Result<Vec<_>> =
            pool.run(|| data.images.par_chunks(BATCH * data.pixels()).map(run).collect());
        let probabilities = parts?.concat();
        let found: Vec<usize> = probabilities.chunks_exact(classes).map(argmax).collect();
        let mut confusion = vec![vec![0; classes]; classes];
        for (label, found) in data.labels.iter().zip(&found) {
            confusion[usize::from(*label)][*found] += 1;
        }
        Ok(Self { classes, probabilities, found, confusion })
    }

    /// The probability of the class that was found for a sample.
    pub(crate) fn certainty(&self, sample: usize) -> f32 {
        self.probabilities[sample * self.classes + self.found[sample]]
    }

    /// Samples whose class was found.
    pub(crate) fn correct(&self) -> usize {
        (0..self.classes).map(|class| self.confusion[class][class]).sum()
    }

    /// The samples whose class was not found; those that the network was most certain of come first.
    pub(crate) fn mistakes(&self, data: &Dataset) -> Vec<usize> {
        let is_mistake = |&sample: &usize| self.found[sample] != usize::from(data.labels[sample]);
        let mut mistakes: Vec<usize> = (0..data.len()).filter(is_mistake).collect();
        mistakes.sort_by(|a, b| self.certainty(*b).total_cmp(&self.certainty(*a)).then(a.cmp(b)));
        mistakes
    }
}
