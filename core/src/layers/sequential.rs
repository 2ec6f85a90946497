//! A network whose layers and sizes are known only at run time.

use heapless::Vec;

use super::{AnyLayer, Ends, Layer, Memory, Mode, Room, Shape, Visit, chain};
use crate::Error;
use crate::init::Init;
use crate::kernels::{Batch, Element, Sink, Threads};

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
    pub(crate) fn joined(layers: LayerList) -> Result<Self, Error> {
        let mut sizes = Sizes::default();
        layers.iter().try_for_each(|layer| sizes.push(layer))?;
        if layers.is_empty() {
            return Err(Error::ZeroSize { what: "layers" });
        }
        Ok(Self { layers })
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
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
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
        let params = layer.checked_params().and_then(|count| self.params.checked_add(count));
        // Bytes are counted in usize as well.
        let params = params.filter(|params| params.checked_mul(4).is_some());
        self.params = params.ok_or(Error::NetworkTooLarge)?;
        (self.layers, self.outputs) = (at + 1, outputs);
        Ok(())
    }
}

impl Layer for Sequential {
    fn shape(&self) -> Shape {
        self.layers().shape()
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.layers().for_each_layer(visit)
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        self.layers().init_pass(params, init, seed, index);
    }

    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        room: Room<'_>,
    ) -> Result<(), Error> {
        self.layers().forward_pass(threads, mode, params, x, y, room)
    }

    fn apply(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        y: &mut [f32],
        kept: &mut [f32],
    ) -> Result<(), Error> {
        self.layers().apply(threads, mode, params, y, kept)
    }

    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        sink: &mut Sink<'_>,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        self.layers().backward_pass(threads, mode, sink, io, memory)
    }

    fn learn(&self, params: &mut [f32], kept: &mut [f32], batch: usize) -> Result<(), Error> {
        self.layers().learn(params, kept, batch)
    }
}

/// The layers of a run-time network: all but the last, then the last, as [`Chain`](super::Chain) does it.
/// No layers at all would be the identity; [`Sequential::new`] refuses them.
impl Layer for [AnyLayer] {
    fn shape(&self) -> Shape {
        let shapes = self.iter().map(Layer::shape);
        shapes.reduce(Shape::then).unwrap_or(Shape {
            layers: 0,
            inference_layers: 0,
            ..Shape::in_place(0)
        })
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.iter().try_for_each(|layer| layer.for_each_layer(visit))
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        match self.split_last() {
            Some((last, [])) => last.init_pass(params, init, seed, index),
            Some((last, before)) => chain::init_pass(before, last, params, init, seed, index),
            None => {}
        }
    }

    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        room: Room<'_>,
    ) -> Result<(), Error> {
        match self.split_last() {
            Some((last, [])) => last.forward_pass(threads, mode, params, x, y, room),
            Some((last, before)) => {
                chain::forward_pass((before, last), threads, mode, params, x, y, room)
            }
            None => Ok(()),
        }
    }

    fn apply(
        &self,
        threads: &impl Threads,
        mode: Mode,
        params: &[f32],
        y: &mut [f32],
        kept: &mut [f32],
    ) -> Result<(), Error> {
        match self.split_last() {
            Some((last, [])) => last.apply(threads, mode, params, y, kept),
            Some((last, before)) => chain::apply((before, last), threads, mode, params, y, kept),
            None => Ok(()),
        }
    }

    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        mode: Mode,
        sink: &mut Sink<'_>,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        match self.split_last() {
            Some((last, [])) => last.backward_pass(threads, mode, sink, io, memory),
            Some((last, before)) => {
                chain::backward_pass((before, last), threads, mode, sink, io, memory)
            }
            None => Ok(()),
        }
    }

    fn learn(&self, params: &mut [f32], kept: &mut [f32], batch: usize) -> Result<(), Error> {
        match self.split_last() {
            Some((last, [])) => last.learn(params, kept, batch),
            Some((last, before)) => chain::learn(before, last, params, kept, batch),
            None => Ok(()),
        }
    }
}
