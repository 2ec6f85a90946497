//! Works batch normalisation into the dense layer before it.

use super::{
    AnyLayer, BatchNormLayer, DenseLayer, Layer, LayerList, Number, Sequential, check_described,
    split_mut, too_short,
};
use crate::Error;

/// What [`Network::fold`](crate::Network::fold) does.
///
/// A dense layer and the normalisation of its outputs in use, `((b + x·W) - mean)·f + shift` with
/// `f = gain/√(variance + ε)`, are the dense layer `((b - mean)·f + shift) + x·(W·f)`.
pub(crate) fn fold(
    net: &(impl Layer + ?Sized),
    params: &mut [f32],
) -> Result<(Sequential, usize), Error> {
    check_described(net)?;
    let mut layers = LayerList::new();
    net.describe(&mut layers)?;
    check(&layers)?;
    let mut folded = LayerList::new();
    let (mut from, mut to) = (0, 0);
    let mut rest = layers.as_slice();
    while let [layer, after @ ..] = rest {
        rest = after;
        let len = layer.params();
        match (layer, after) {
            (AnyLayer::Dropout(_), _) => {}
            (AnyLayer::Dense(dense), [AnyLayer::BatchNorm(norm), after @ ..]) => {
                rest = after;
                let (_, here) = split_mut(params, to)?;
                fold_one(dense, norm, here, from - to)?;
                let layer = AnyLayer::dense(dense.inputs(), dense.outputs());
                layer.describe(&mut folded)?;
                from += len + norm.params();
                to += layer.params();
            }
            _ => {
                params.copy_within(from..from + len, to);
                layer.describe(&mut folded)?;
                from += len;
                to += len;
            }
        }
    }
    Ok((Sequential::new(folded)?, to))
}

/// Whether each batch normalisation stands behind a dense layer: dropout between the two would be folded with them.
fn check(layers: &[AnyLayer]) -> Result<(), Error> {
    let mut before = None;
    for (i, layer) in layers.iter().enumerate() {
        if let AnyLayer::BatchNorm(_) = layer
            && !matches!(before, Some(AnyLayer::Dense(_)))
        {
            return Err(Error::CannotFold { layer: i });
        }
        before = Some(*layer);
    }
    Ok(())
}

/// Folds a dense layer whose parameters begin at `from`, those of the normalisation after them, to the start.
///
/// Nothing is written before it has been read: a folded layer is never longer than its two, and each number moves
/// towards the start or stays.
fn fold_one(
    dense: &DenseLayer<usize, usize, bool>,
    norm: &BatchNormLayer<usize, Number, Number>,
    params: &mut [f32],
    from: usize,
) -> Result<(), Error> {
    let (weights, outputs) = (dense.inputs() * dense.outputs(), dense.outputs());
    let norm_at = from + dense.params();
    let needed = norm_at + norm.params();
    let got = params.len();
    let params = params.get_mut(..needed).ok_or(too_short(needed, got))?;
    let read = |params: &[f32], at: usize| params.get(at).copied().unwrap_or_default();
    let write = |params: &mut [f32], at: usize, value| {
        if let Some(to) = params.get_mut(at) {
            *to = value;
        }
    };
    let [gain_at, shift_at, mean_at, variance_at] = [0, 1, 2, 3].map(|k| norm_at + k * outputs);
    // The factors first, in the place of the gain.
    for o in 0..outputs {
        let factor = norm.factor(read(params, gain_at + o), read(params, variance_at + o));
        write(params, gain_at + o, factor);
    }
    for i in 0..weights {
        let weight = read(params, from + i) * read(params, gain_at + i % outputs);
        write(params, i, weight);
    }
    for o in 0..outputs {
        let bias = if dense.has_bias() { read(params, from + weights + o) } else { 0.0 };
        let centred = bias - read(params, mean_at + o);
        let bias = centred * read(params, gain_at + o) + read(params, shift_at + o);
        write(params, weights + o, bias);
    }
    Ok(())
}
