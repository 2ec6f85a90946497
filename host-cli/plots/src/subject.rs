//! A network that figures are drawn of.

use picomlp::{InputMap, Layer, LossKind, Model, Sequential};
use picomlp_train::data::Dataset;
use picomlp_train::{Classifier, Trained, vote};

/// A trained network and how it is used.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The network.
    pub net: &'a Sequential,
    /// Its parameters.
    pub params: &'a [f32],
    /// How inputs are read.
    pub map: InputMap,
    /// What it was trained with, which says what its outputs are.
    pub loss: LossKind,
    /// The names of the classes, one for each output.
    pub names: Vec<String>,
    /// The evaluated set in titles: `samples`, `test samples`, `recordings`.
    pub set: String,
}

impl<'a> Subject<'a> {
    /// What a model file holds, measured on `data`.
    #[must_use]
    pub fn of_model(model: &'a Model<'_, Sequential>, data: &Dataset) -> Self {
        let (net, blob) = (model.net(), model.blob());
        let mut names: Vec<String> = blob.class_names().map(str::to_owned).collect();
        names.extend((names.len()..net.outputs()).map(|class| class.to_string()));
        let map = blob.input_map();
        Self {
            net,
            params: model.params(),
            map,
            loss: model.loss_kind(),
            names,
            set: vote::answers(data).to_owned(),
        }
    }

    /// What was trained.
    #[must_use]
    pub fn of_trained(trained: &'a Trained, set: String) -> Self {
        let Trained { net, params, map, loss, class_names, .. } = trained;
        Self { net, params, map: *map, loss: *loss, names: class_names.clone(), set }
    }

    /// Returns what runs the network.
    #[must_use]
    pub fn classifier(&self) -> Classifier<'a> {
        Classifier::new(self.net, self.params, self.map, self.loss)
    }
}
