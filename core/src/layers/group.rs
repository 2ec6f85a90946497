//! Which parameters belong together.

use core::ops::Range;

use super::{AnyLayer, Layer, Single, check_described};
use crate::Error;

/// The weights of a layer, its bias, or the gain or the shift of a normalisation: what PyTorch calls a named parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The number of its layer, activations counted: `0` and `2` are the dense layers of an [`Mlp`](crate::Mlp).
    pub layer: usize,
    /// `weight`, `bias`, `gain` or `shift`.
    pub name: &'static str,
    /// Rows and columns, `[inputs, outputs]` for weights and `[1, width]` for the rest; row-major.
    pub shape: [usize; 2],
    /// Where its parameters lie among the network's.
    pub range: Range<usize>,
    /// Whether they are a bias, a gain or a shift.
    pub bias: bool,
}

/// Calls `visit` with each group of parameters that gradients move, first to last: of each dense layer the weights, then the
/// bias; of each normalisation the gain, then the shift.
///
/// ```
/// use picomlp::layers::for_each_group;
/// use picomlp::{Mlp, Network};
///
/// type Net = Mlp<784, 32, 10>;
/// let params = [0.0; Net::PARAMS];
/// for_each_group(&Net::default(), |group| {
///     let values = &params[group.range];
///     println!("{}.{} {:?}: {} values", group.layer, group.name, group.shape, values.len());
/// })?; // 0.weight [784, 32]: 25088 values, 0.bias [1, 32]: 32 values, 2.weight …
/// # Ok::<(), picomlp::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::CannotDescribe`] for a layer with parameters that is none of [`AnyLayer`]'s, [`Error::DescribedParams`]; nothing
/// has been visited then.
pub fn for_each_group<L: Layer + ?Sized>(
    net: &L,
    mut visit: impl FnMut(Group),
) -> Result<(), Error> {
    check_described(net)?;
    net.for_each_layer(&mut |layer| match layer {
        Single::Custom { shape, .. } if shape.params > 0 => layer.known().map(drop),
        _ => Ok(()),
    })?;
    let (mut at, mut number) = (0, 0);
    net.for_each_layer(&mut |layer| {
        number += 1;
        let Single::Known(layer) = layer else { return Ok(()) };
        let width = layer.outputs();
        let mut group = |at: usize, name, rows: usize| {
            let (layer, shape) = (number - 1, [rows, width]);
            visit(Group {
                layer,
                name,
                shape,
                range: at..at + rows * width,
                bias: name != "weight",
            });
        };
        match layer {
            AnyLayer::Dense(dense) => {
                let weights = dense.inputs() * width;
                group(at, "weight", dense.inputs());
                if dense.params() > weights {
                    group(at + weights, "bias", 1);
                }
            }
            // Gain and shift; no gradient moves the running statistics behind those of batch normalisation.
            AnyLayer::LayerNorm(_) | AnyLayer::BatchNorm(_) => {
                group(at, "gain", 1);
                group(at + width, "shift", 1);
            }
            AnyLayer::Relu(_)
            | AnyLayer::LeakyRelu(_)
            | AnyLayer::Sigmoid(_)
            | AnyLayer::Tanh(_)
            | AnyLayer::Dropout(_)
            | AnyLayer::Rescale(_) => {}
        }
        at += layer.params();
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::layers::Mlp;

    #[test]
    fn groups_are_weights_and_biases_in_their_order() {
        let mut groups = vec![];
        for_each_group(&Mlp::<4, 3, 2>::default(), |group| groups.push(group)).unwrap();
        let expected = [
            (0, "weight", [4, 3], 0..12),
            (0, "bias", [1, 3], 12..15),
            (2, "weight", [3, 2], 15..21),
            (2, "bias", [1, 2], 21..23),
        ];
        let expected = expected.map(|(layer, name, shape, range)| {
            let bias = name == "bias";
            Group { layer, name, shape, range, bias }
        });
        assert_eq!(groups, expected);
    }
}
