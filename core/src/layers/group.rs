//! Which parameters belong together.

use core::ops::Range;

use super::{AnyLayer, Layer, Single, check_described};
use crate::Error;

/// The weights of a layer, its bias, or the gain or the shift of a normalisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where its parameters lie among the network's.
    pub range: Range<usize>,
    /// Whether they are a bias, a gain or a shift.
    pub bias: bool,
}

/// Calls `visit` with each group of parameters that gradients move, first to last: of each dense layer the weights, then the
/// bias; of each normalisation the gain, then the shift.
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
    let mut at = 0;
    net.for_each_layer(&mut |layer| {
        let Single::Known(layer) = layer else { return Ok(()) };
        let width = layer.outputs();
        let mut group = |at: usize, len: usize, bias| visit(Group { range: at..at + len, bias });
        match layer {
            AnyLayer::Dense(dense) => {
                let weights = dense.inputs() * width;
                group(at, weights, false);
                if dense.params() > weights {
                    group(at + weights, width, true);
                }
            }
            // Gain and shift; no gradient moves the running statistics behind those of batch normalisation.
            AnyLayer::LayerNorm(_) | AnyLayer::BatchNorm(_) => {
                group(at, width, true);
                group(at + width, width, true);
            }
            AnyLayer::Relu(_)
            | AnyLayer::LeakyRelu(_)
            | AnyLayer::Sigmoid(_)
            | AnyLayer::Tanh(_)
            | AnyLayer::Dropout(_) => {}
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
        let expected = [(0..12, false), (12..15, true), (15..21, false), (21..23, true)];
        assert_eq!(groups, expected.map(|(range, bias)| Group { range, bias }));
    }
}
