//! One sample through the layers, one at a time.

use super::{Layer, Pass, in_use, split, split_mut};
use crate::Error;
use crate::kernels::{Batch, Element, Serial};

/// Runs one sample through `net` layer by layer, and shows each layer's number and outputs to `see`.
///
/// The bits are those of the whole network's forward pass, which runs the same layers on the same buffers.
///
/// # Shapes
///
/// `params` as the network's; `x` is one sample; `scratch` as long as [`infer_scratch`](Layer::infer_scratch)`(1)` or
/// longer.
///
/// # Errors
///
/// [`Error::BufferTooShort`] if a slice is, [`Error::TooManyLayers`].
pub fn trace<N: Layer + ?Sized, T: Element>(
    net: &N,
    params: &[f32],
    x: Batch<'_, T>,
    scratch: &mut [f32],
    mut see: impl FnMut(usize, &[f32]),
) -> Result<(), Error> {
    let layers = in_use(net)?;
    let (mut params, mut free) = (params, scratch);
    let mut values: Option<&mut [f32]> = None;
    for (i, layer) in layers.iter().enumerate() {
        let (own, rest) = split(params, layer.params())?;
        params = rest;
        let after = match values {
            Some(values) if layer.shape().in_place => {
                layer.apply(Pass::inference(&Serial, own, &mut []), values)?;
                values
            }
            before => {
                let (y, rest) = split_mut(free, layer.outputs())?;
                let (activations, rest) = split_mut(rest, layer.shape().activations)?;
                free = rest;
                let pass = Pass::inference(&Serial, own, activations);
                match before {
                    None => layer.forward_pass(pass, x, y)?,
                    Some(before) => {
                        let x = Batch::rows(before, layer.inputs())?;
                        layer.forward_pass(pass, x, y)?;
                    }
                }
                y
            }
        };
        see(i, after);
        values = Some(after);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::{Dense, Init, Mlp, Network, Relu, Sequential};

    /// What each layer gives, and what the network gives as a whole.
    fn both<N: Layer>(net: &N, params: &[f32], x: &[u8]) -> (Vec<Vec<f32>>, Vec<f32>) {
        let mut scratch = std::vec![f32::NAN; net.infer_scratch(1)];
        let mut seen = Vec::new();
        let batch = Batch::rows(x, net.inputs()).unwrap();
        trace(net, params, batch, &mut scratch, |i, outputs| {
            assert_eq!(i, seen.len());
            seen.push(outputs.to_vec());
        })
        .unwrap();
        let mut logits = std::vec![0.0; net.outputs()];
        net.forward(params, x, &mut logits, &mut scratch).unwrap();
        (seen, logits)
    }

    #[test]
    fn trace_shows_every_layer_and_ends_in_the_networks_logits() {
        type Net = Mlp<5, 4, 3>;
        let mut params = [0.0; Net::PARAMS];
        Net::default().init(&mut params, Init::He, 1).unwrap();
        let x = [0, 3, 255, 0, 90];
        let (seen, logits) = both(&Net::default(), &params, &x);
        let mut dense = [0.0; 4];
        let first = &params[..Dense::<5, 4>::PARAMS];
        Dense::<5, 4>::default().forward(first, &x, &mut dense, &mut []).unwrap();
        assert!(dense.iter().any(|value| *value < 0.0), "this sample does not tell relu apart");
        assert_eq!(seen, [dense.to_vec(), dense.map(|value| value.max(0.0)).to_vec(), logits]);
        let deep = Sequential::mlp(&[5, 4, 6, 3]).unwrap();
        let mut params = std::vec![0.0; deep.params()];
        deep.init(&mut params, Init::He, 1).unwrap();
        let (seen, logits) = both(&deep, &params, &x);
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 6, 6, 3]);
        assert_eq!(seen[4], logits);
        // The first layer works in place, on pixels.
        let (seen, logits) = both(&Relu::<5>::default(), &[], &x);
        assert_eq!(seen, [logits]);
    }

    #[test]
    fn trace_says_that_its_scratch_is_too_short() {
        let net = Mlp::<5, 4, 3>::default();
        let (params, mut scratch) = ([0.0; 39], [0.0; 6]);
        let x = Batch::rows(&[0u8; 5], 5).unwrap();
        let error = trace(&net, &params, x, &mut scratch, |_, _| {}).unwrap_err();
        assert!(matches!(error, Error::BufferTooShort { what: "scratch", .. }), "{error}");
    }
}
