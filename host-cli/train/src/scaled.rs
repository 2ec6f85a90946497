//! Puts the scales of features and targets into a trained network, which then reads and gives numbers in their own units.

use anyhow::{Context, Result};
use picomlp::layers::LayerList;
use picomlp::{AnyLayer, Sequential};

use crate::data::Scaling;

/// Returns the network that rescales features by `features` before its first layer, and outputs by `outputs` after its last
/// one, and its parameters. An empty scaling is none.
///
/// # Errors
///
/// If there are too many layers.
pub(crate) fn in_own_units(
    net: &Sequential,
    params: &[f32],
    features: &Scaling,
    outputs: &Scaling,
) -> Result<(Sequential, Vec<f32>)> {
    let rescale = |scaling: &Scaling| match scaling.scales.len() {
        0 => None,
        width => Some(AnyLayer::rescale(width)),
    };
    let (first, last) = (rescale(features), rescale(outputs));
    let layers = first.into_iter().chain(net.layers().iter().copied()).chain(last);
    let (mut list, mut all) = (LayerList::new(), Vec::with_capacity(params.len()));
    for layer in layers {
        list.push(layer).ok().context("--hidden: too many layers, with those that scale values")?;
    }
    for part in [&features.scales, &features.shifts, params, &outputs.scales, &outputs.shifts] {
        all.extend_from_slice(part);
    }
    Ok((Sequential::new(list)?, all))
}
