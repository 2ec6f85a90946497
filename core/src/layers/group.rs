//! Which parameters belong together.

use core::ops::Range;

use super::{AnyLayer, Layer, LayerList};
use crate::Error;

/// The weights of a layer, or its bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where its parameters lie among the network's.
    pub range: Range<usize>,
    /// Whether they are a bias, or what else a layer has besides weights.
    pub bias: bool,
}

/// Calls `visit` with each group of parameters, first to last: the weights of each dense layer, then its bias.
///
/// # Errors
///
/// [`Error::TooManyLayers`] if the network has more than [`MAX_LAYERS`](super::MAX_LAYERS).
pub fn for_each_group<L: Layer + ?Sized>(
    net: &L,
    mut visit: impl FnMut(Group),
) -> Result<(), Error> {
    let mut layers = LayerList::new();
    net.describe(&mut layers)?;
    let mut at = 0;
    for layer in &layers {
        let weights = match layer {
            AnyLayer::Dense(dense) => dense.inputs() * dense.outputs(),
            _ => 0,
        };
        let (middle, end) = (at + weights, at + layer.params());
        for (range, bias) in [(at..middle, false), (middle..end, true)] {
            if !range.is_empty() {
                visit(Group { range, bias });
            }
        }
        at = end;
    }
    Ok(())
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
