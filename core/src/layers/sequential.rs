//! A network whose layers and sizes are known only at run time.

use heapless::Vec;

use super::any::delegate_layer;
use super::{AnyLayer, Chain, Io, Layer, Pass, Shape, Visit};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink};

/// The most layers that a run-time network, or a blob, may have.
pub const MAX_LAYERS: usize = 64;

/// Layers one after the other, first to last.
pub type LayerList = Vec<AnyLayer, MAX_LAYERS>;

/// A network put together at run time. It computes the bits of a [`Chain`](super::Chain) of the same sizes.
///
/// ```
/// use picomlp::{Layer, Mlp, Sequential};
///
/// let net = Sequential::mlp(&[784, 128, 10])?;
/// assert_eq!(net.params(), Mlp::<784, 128, 10>::PARAMS);
/// # Ok::<(), picomlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequential {
    layers: LayerList,
    /// Added up once.
    shape: Shape,
}

impl Sequential {
    /// These layers, first to last.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroSize`] without a layer or for a layer without inputs or outputs,
    /// [`Error::LayersDoNotMeet`] if a layer's inputs are not the outputs of the one before,
    /// [`Error::Setting`] for a layer's setting that makes no sense, [`Error::NetworkTooLarge`] if this machine cannot
    /// even count the parameters.
    pub fn new(layers: LayerList) -> Result<Self, Error> {
        layers.iter().try_for_each(AnyLayer::check)?;
        Self::joined(layers)
    }

    /// [`new`](Self::new) for layers whose settings are known to make sense.
    fn joined(layers: LayerList) -> Result<Self, Error> {
        let mut net = Self { layers, shape: Shape::in_place(0) };
        net.join()?;
        Ok(net)
    }

    /// The layers of an iterator whose settings make sense. Put together in place, for the sake of the stack.
    pub(crate) fn collect<E>(
        layers: impl Iterator<Item = Result<AnyLayer, E>>,
        refuse: impl Fn(Error) -> E,
    ) -> Result<Self, E> {
        let mut net = Self { layers: LayerList::new(), shape: Shape::in_place(0) };
        for layer in layers {
            let full = |_| refuse(Error::TooManyLayers { most: MAX_LAYERS });
            net.layers.push(layer?).map_err(full)?;
        }
        net.join().map_err(refuse)?;
        Ok(net)
    }

    /// Adds the sizes up.
    fn join(&mut self) -> Result<(), Error> {
        let mut sizes = Sizes::default();
        self.layers.iter().try_for_each(|layer| sizes.push(layer))?;
        if self.layers.is_empty() {
            return Err(Error::ZeroSize { what: "layers" });
        }
        self.shape = Layers { layers: &self.layers }.shape();
        Ok(())
    }

    /// Dense layers between these widths, a ReLU after each but the last.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new) (fewer than two widths make no layer), [`Error::TooManyLayers`].
    pub fn mlp(widths: &[usize]) -> Result<Self, Error> {
        let mut layers = LayerList::new();
        let mut pairs = widths.windows(2).peekable();
        while let Some(pair) = pairs.next() {
            if let [inputs, outputs] = *pair {
                AnyLayer::dense(inputs, outputs).describe(&mut layers)?;
                if pairs.peek().is_some() {
                    AnyLayer::relu(outputs).describe(&mut layers)?;
                }
            }
        }
        Self::new(layers)
    }

    /// The layers, first to last.
    #[must_use]
    pub fn layers(&self) -> &[AnyLayer] {
        &self.layers
    }
}

/// The sizes of layers that stand one behind the other, added up one layer at a time: a blob is checked without a
/// [`LayerList`], which takes more stack than all the rest of reading it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// Layers so far.
    pub(crate) layers: usize,
    /// Inputs of the first layer.
    pub(crate) inputs: usize,
    /// Outputs of the last layer.
    pub(crate) outputs: usize,
    /// Parameters of all layers.
    pub(crate) params: usize,
    /// Outputs of all layers but the last; nothing if the number is too large for this machine.
    pub(crate) hidden: Option<usize>,
}

impl Sizes {
    /// Adds the layer that follows, if it does.
    pub(crate) fn push(&mut self, layer: &AnyLayer) -> Result<(), Error> {
        let [inputs, outputs] = layer.sizes();
        self.push_sizes(inputs, outputs, layer.checked_params())
    }

    /// [`push`](Self::push) of a layer whose parameters can be counted.
    pub(super) fn push_sizes(
        &mut self,
        inputs: usize,
        outputs: usize,
        params: Option<usize>,
    ) -> Result<(), Error> {
        if inputs == 0 || outputs == 0 {
            return Err(Error::ZeroSize { what: "layer width" });
        }
        let (at, before) = (self.layers, self.outputs);
        if at == 0 {
            (self.inputs, self.hidden) = (inputs, Some(0));
        } else if before != inputs {
            return Err(Error::LayersDoNotMeet { layer: at, before, inputs });
        } else {
            self.hidden = self.hidden.and_then(|sum| sum.checked_add(before));
        }
        let params = params.and_then(|count| self.params.checked_add(count));
        // Bytes are counted in usize as well.
        let params = params.filter(|params| params.checked_mul(4).is_some());
        self.params = params.ok_or(Error::NetworkTooLarge)?;
        (self.layers, self.outputs) = (at + 1, outputs);
        Ok(())
    }
}

/// All layers but the last, then the last, as a [`Chain`] does it; one layer alone is itself. [`Sequential::new`] refuses none.
macro_rules! as_chain {
    ($net:expr, $layer:ident => $call:expr) => {
        match $net.layers.split_last() {
            Some(($layer, [])) => $call,
            Some((last, before)) => {
                let $layer = Chain(Layers { layers: before }, *last);
                $call
            }
            // Not reached; an identity of no values needs no panic, and so no code on a device.
            None => {
                let $layer = AnyLayer::relu(0);
                $call
            }
        }
    };
}

/// Some of the layers, first to last.
#[derive(Clone, Copy)]
struct Layers<'a> {
    layers: &'a [AnyLayer],
}

delegate_layer!(
    impl Layer for Sequential, as_chain,
    |self, visit| self.layers.iter().try_for_each(|layer| layer.for_each_layer(visit)),
    self.shape
);
/// Borrowed, so that a model needn't own its network: it takes 1 to 2 KB.
macro_rules! behind {
    ($net:expr, $layer:ident => $call:expr) => {{
        let $layer: &Sequential = $net;
        $call
    }};
}

delegate_layer!(
    impl Layer for &Sequential, behind,
    |self, visit| (**self).for_each_layer(visit),
    self.shape
);
delegate_layer!(
    impl Layer for Layers<'_>, as_chain,
    |self, visit| self.layers.iter().try_for_each(|layer| layer.for_each_layer(visit)),
    {
        let shapes = self.layers.iter().map(Layer::shape);
        shapes.reduce(Shape::then).unwrap_or(Shape::in_place(0))
    }
);
