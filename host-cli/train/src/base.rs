//! The saved model that a run starts from: what is taken over, and what stays as it is.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use picomlp::blob::{Blob, Preparation, TargetKind};
use picomlp::layers::{LayerList, Mode, Pass};
use picomlp::{AnyLayer, Batch, Element, Error, InputMap, Layer, Sequential};

use crate::config::TrainConfig;
use crate::data::{Dataset, Missing, Scaling};
use crate::model_file::ModelFile;
use crate::model_input::ModelInput;
use crate::pool::Pool;

/// A saved model that a run starts from. Its inputs are read as it reads them, since its layers rely on that.
#[derive(Debug)]
pub(crate) struct Base {
    /// The first parameters of the network.
    pub(crate) params: Vec<f32>,
    /// Layers that stay as they are, dropout counted.
    frozen: usize,
    /// Fingerprint of the model.
    pub(crate) fingerprint: u64,
    pub(crate) map: InputMap,
    /// What it brings features to, and its means in place of missing ones.
    pub(crate) features: Scaling,
    /// What takes its outputs to their own units, if its last layer is taken over.
    outputs: Option<Scaling>,
    /// Which layers come from where.
    pub(crate) notes: Vec<String>,
}

impl Base {
    /// Reads the model of `--init-from`, and finds the layers of `net` that are its.
    pub(crate) fn read(
        path: &Path,
        config: &TrainConfig,
        data: &Dataset,
        net: &Sequential,
    ) -> Result<Self> {
        let file = ModelFile::read(path)?;
        let (model, blob, shown) = (file.model()?, file.blob()?, path.display());
        let input = ModelInput::new(&file, &blob, model.net());
        check_inputs(&input, &blob, data).with_context(|| format!("--init-from {shown}"))?;
        let (mut layers, mut params) = (model.net().layers(), model.params());
        let mut features =
            Scaling { fill: blob.fill().unwrap_or_default().to_vec(), ..Scaling::default() };
        if let [AnyLayer::Rescale(rescale), rest @ ..] = layers {
            let (scaling, others) = params.split_at(rescale.params());
            (features.scales, features.shifts) = halves(scaling);
            (layers, params) = (rest, others);
        }
        let mut outputs = Scaling::default();
        if let [rest @ .., AnyLayer::Rescale(rescale)] = layers {
            (outputs.scales, outputs.shifts) = halves(&params[params.len() - rescale.params()..]);
            layers = rest;
        }
        // Layers are taken over from the front, as long as they are the same.
        let with_params = |layer: &&AnyLayer| layer.params() > 0;
        let own: Vec<_> = net.layers().iter().filter(with_params).collect();
        let theirs: Vec<_> = layers.iter().filter(with_params).collect();
        let mut taken = own.iter().zip(&theirs).take_while(|(own, theirs)| own == theirs).count();
        ensure!(
            taken > 0,
            "--init-from {shown}: its first layer is {}, and that of the network to train {}: give --hidden and --bias \
             as they are there",
            theirs.first().map_or("missing".to_owned(), ToString::to_string),
            own[0]
        );
        // Outputs that mean something else need a layer of their own.
        let is_last = taken == own.len() && taken == theirs.len();
        let other = if is_last { other_outputs(&blob, data) } else { None };
        if is_last && other.is_some() {
            taken -= 1;
        }
        let frozen = frozen_layers(config.freeze, net, layers)
            .with_context(|| format!("--init-from {shown} --freeze {}", config.freeze))?;
        let is_frozen = |at: usize| at < net.layers()[..frozen].iter().filter(with_params).count();
        let words = |(at, layer): (usize, &&AnyLayer)| {
            format!("{layer}{}", if is_frozen(at) { " (frozen)" } else { "" })
        };
        let [from_there, new] = [0..taken, taken..own.len()].map(|range| -> Vec<_> {
            own.iter().enumerate().take(range.end).skip(range.start).map(words).collect()
        });
        let mut note = format!("from {shown}: {}", from_there.join(", "));
        if !new.is_empty() {
            note += &format!("; new: {}", new.join(", "));
        }
        note.extend(other.filter(|_| is_last).map(|why| format!(" ({why})")));
        let foreign = input.foreign(data.images(), &data.source);
        let len = own[..taken].iter().map(|layer| layer.params()).sum();
        Ok(Self {
            params: params[..len].to_vec(),
            frozen,
            fingerprint: blob.fingerprint(),
            map: blob.input_map(),
            features,
            outputs: (taken == own.len()).then_some(outputs),
            notes: [Some(note), foreign].into_iter().flatten().collect(),
        })
    }

    /// Returns what takes its outputs to their own units, if its last layer is taken over.
    pub(crate) fn outputs(&self) -> Option<&Scaling> {
        self.outputs.as_ref()
    }

    /// Cuts a network into the layers that stay as they are, at inference, and those that are trained.
    pub(crate) fn cut(&self, net: &Sequential) -> Result<(Option<Sequential>, Sequential)> {
        if self.frozen == 0 {
            return Ok((None, net.clone()));
        }
        let (frozen, trained) = net.layers().split_at(self.frozen);
        let is_inferred = |layer: &&AnyLayer| !matches!(layer, AnyLayer::Dropout(_));
        let inferred = Sequential::new(list(frozen.iter().filter(is_inferred))?)?;
        Ok((Some(inferred), Sequential::new(list(trained.iter())?)?))
    }
}

/// Scales and shifts of a layer that rescales.
fn halves(params: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (scales, shifts) = params.split_at(params.len() / 2);
    (scales.to_vec(), shifts.to_vec())
}

fn list<'l>(layers: impl Iterator<Item = &'l AnyLayer>) -> Result<LayerList> {
    let mut list = LayerList::new();
    for layer in layers {
        layer.describe(&mut list)?;
    }
    Ok(list)
}

/// Checks that the samples are what the model reads.
fn check_inputs(input: &ModelInput, blob: &Blob<'_>, data: &Dataset) -> Result<()> {
    let shape = input.shape;
    ensure!(
        shape.pixels() == data.pixels(),
        "it reads {} values, but the data's samples have {}×{} = {}",
        shape.pixels(),
        data.rows,
        data.cols,
        data.pixels()
    );
    input.expected().check_range(data, &data.source)?;
    if data.is_image_folder {
        let is_normalized = input.preparation == Preparation::MnistForm;
        ensure!(
            is_normalized == data.schema.normalize,
            "it was trained {} --normalize: {}",
            if is_normalized { "with" } else { "without" },
            if is_normalized { "give it, too" } else { "leave it out" }
        );
    }
    for (number, (theirs, own)) in (1..).zip(input.features().iter().zip(&data.features)) {
        ensure!(
            theirs.name == own.name,
            "feature {number} is `{}` there, but `{}` in {}",
            theirs.name,
            own.name,
            data.source
        );
    }
    ensure!(
        data.schema.missing != Missing::Mean || blob.fill().is_ok_and(|fill| !fill.is_empty()),
        "it records no means of its features: leave --missing mean out"
    );
    Ok(())
}

/// How the outputs of the model differ in meaning from those of `data`, if they do.
fn other_outputs(blob: &Blob<'_>, data: &Dataset) -> Option<String> {
    let kind = blob.targets().unwrap_or(TargetKind::Classes);
    if kind != data.target_kind() {
        return Some("its targets are of another kind".to_owned());
    }
    let own: Vec<String> = match data.classes {
        0 => data.target_names.clone(),
        classes => (0..classes).map(|class| data.class_name(class)).collect(),
    };
    let theirs: Vec<&str> = blob.class_names().collect();
    // A model that records no names has classes 0, 1, 2 and so on.
    if theirs.is_empty() && data.class_names.is_empty() {
        return None;
    }
    let (own, theirs) = (own.join(", "), theirs.join(", "));
    (own != theirs).then(|| format!("its outputs are {theirs}, here {own}"))
}

/// Returns the number of layers up to the dense layer after the first `freeze` ones, all of which must be the model's.
fn frozen_layers(freeze: u32, net: &Sequential, theirs: &[AnyLayer]) -> Result<usize> {
    if freeze == 0 {
        return Ok(0);
    }
    let is_dense = |layer: &AnyLayer| matches!(layer, AnyLayer::Dense(_));
    let dense = net.layers().iter().enumerate().filter(|(_, layer)| is_dense(layer));
    let count = dense.clone().count();
    let end = dense.map(|(at, _)| at).nth(freeze as usize);
    let end = end.with_context(|| {
        format!(
            "the network has {count} dense layers, of which at most {} can be frozen",
            count - 1
        )
    })?;
    let mut theirs = theirs.iter();
    for layer in &net.layers()[..end] {
        if matches!(layer, AnyLayer::Dropout(_)) {
            continue;
        }
        let there = theirs.next();
        ensure!(
            there == Some(layer),
            "a frozen layer is {} there, but {layer} in the network to train",
            there.map_or("missing".to_owned(), ToString::to_string)
        );
    }
    // Nothing else stands in front of the dense layer there.
    ensure!(
        theirs.next().is_none_or(is_dense),
        "a frozen layer has an activation or a normalization there that the network to train has not"
    );
    Ok(end)
}

/// The layers that stay as they are: what they make of a batch.
pub(crate) struct Frozen<'p> {
    pub(crate) net: Sequential,
    pub(crate) params: &'p [f32],
    pub(crate) pool: &'p Pool,
    outputs: Vec<f32>,
    scratch: Vec<f32>,
}

/// Samples that go through the frozen layers together.
const BATCH: usize = 256;

impl<'p> Frozen<'p> {
    pub(crate) fn new(net: Sequential, params: &'p [f32], pool: &'p Pool) -> Self {
        let scratch = vec![0.0; net.infer_scratch(BATCH)];
        Self { net, params, pool, outputs: Vec::new(), scratch }
    }

    /// Returns their outputs, which the trained layers read.
    pub(crate) fn outputs<T: Element>(&mut self, x: Batch<'_, T>) -> Result<Batch<'_, f32>, Error> {
        let Self { net, params, pool, outputs, scratch } = self;
        let (width, mut rest) = (net.outputs(), x);
        outputs.resize(x.len() * width, 0.0);
        for outputs in outputs.chunks_mut(BATCH * width) {
            let (x, after) = rest.split_at(outputs.len() / width);
            let pass = Pass {
                threads: &**pool,
                mode: Mode::Infer,
                params,
                activations: scratch,
                d_activations: &mut [],
                saved: &mut [],
                workspace: &mut [],
            };
            net.forward_pass(pass, x, outputs)?;
            rest = after;
        }
        Batch::rows(outputs, width)
    }
}
