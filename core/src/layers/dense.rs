//! The fully connected layer, `y = b + x·W`.

use super::{
    AnyLayer, Const, Dim, Ends, FixedLayer, Layer, LayerList, Memory, fixed::inherent_sizes, split,
};
use crate::Error;
use crate::init::Init;
use crate::int8;
use crate::kernels::dense_forward::forward;
use crate::kernels::dense_input_gradient::input_gradient;
use crate::kernels::dense_update::update;
use crate::kernels::{Batch, Element, GradientSink, Threads};

/// A fully connected layer whose sizes are part of its type.
///
/// Parameters: weights `[IN][OUT]`, then the bias `[OUT]`. Input-major, so that one input's weights lie side
/// by side: skipping a zero input and adding vectors of outputs both want that.
///
/// A network that is one dense layer is softmax regression:
///
/// ```
/// use picomlp::{Dense, Init, Network};
///
/// let net = Dense::<4, 2>::default();
/// let mut params = [0.0; Dense::<4, 2>::PARAMS];
/// net.init(&mut params, Init::Xavier, 1)?;
/// let mut logits = [0.0; 2];
/// let mut scratch = [0.0; Dense::<4, 2>::INFER_SCRATCH];
/// net.forward(&params, &[0u8, 0, 0, 0], &mut logits, &mut scratch)?;
/// assert_eq!(logits, [0.0, 0.0]); // no ink, and biases start at zero
/// # Ok::<(), picomlp::Error>(())
/// ```
pub type Dense<const IN: usize, const OUT: usize> = DenseLayer<Const<IN>, Const<OUT>>;

/// A fully connected layer with sizes of either kind; see [`Dense`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenseLayer<I, O> {
    inputs: I,
    outputs: O,
}

impl<I: Dim, O: Dim> DenseLayer<I, O> {
    /// A layer of these sizes.
    #[must_use]
    pub const fn new(inputs: I, outputs: O) -> Self {
        Self { inputs, outputs }
    }

    fn weights(&self) -> usize {
        self.inputs() * self.outputs()
    }
}

impl<I: Dim, O: Dim> Layer for DenseLayer<I, O> {
    #[inline]
    fn inputs(&self) -> usize {
        self.inputs.get()
    }

    #[inline]
    fn outputs(&self) -> usize {
        self.outputs.get()
    }

    #[inline]
    fn params(&self) -> usize {
        self.weights() + self.outputs()
    }

    #[inline]
    fn between(&self) -> usize {
        0
    }

    #[inline]
    fn in_place(&self) -> bool {
        false
    }

    #[inline]
    fn gradient_width(&self, at_inputs: bool) -> usize {
        if at_inputs { self.outputs() } else { 0 }
    }

    #[inline]
    fn widest(&self) -> usize {
        self.outputs()
    }

    fn describe(&self, layers: &mut LayerList) -> Result<(), Error> {
        AnyLayer::dense(self.inputs(), self.outputs()).describe(layers)
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        init.fill(params, self.inputs(), self.outputs(), seed, *index);
        *index += 1;
    }

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        params: &[f32],
        x: Batch<'_, T>,
        y: &mut [f32],
        _between: &mut [f32],
    ) -> Result<(), Error> {
        let (weights, bias) = split(params, self.weights())?;
        forward(threads, x, weights, bias, y);
        Ok(())
    }

    fn apply(&self, _y: &mut [f32]) {}

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        threads: &impl Threads,
        at: usize,
        sink: &mut impl GradientSink,
        io: Ends<'_, T>,
        memory: Memory<'_>,
    ) -> Result<(), Error> {
        if let Some(d_x) = io.d_x {
            let (_, params) = split(sink.params(), at)?;
            let (weights, _) = split(params, self.weights())?;
            let sizes = [self.inputs(), self.outputs()];
            input_gradient(threads, io.x.len(), sizes, io.d_y, weights, d_x, memory.work);
        }
        update(threads, io.x, io.d_y, at, sink, memory.work);
        Ok(())
    }
}

impl<const IN: usize, const OUT: usize> FixedLayer for Dense<IN, OUT> {
    const INPUTS: usize = {
        assert!(IN > 0 && OUT > 0, "a dense layer needs at least one input and one output");
        IN
    };
    const OUTPUTS: usize = OUT;
    const PARAMS: usize = Self::INPUTS * OUT + OUT;
    const BETWEEN: usize = 0;
    const IN_PLACE: bool = false;
    const WIDEST: usize = OUT;
    const GRADIENT_WIDTH: usize = OUT;
    const INNER_GRADIENT_WIDTH: usize = 0;
    const INT8_BYTES: usize = match int8::dense_len(IN, OUT) {
        Some(bytes) => bytes,
        None => panic!("the parameters are more than this machine can address"),
    };
}

impl<const IN: usize, const OUT: usize> Dense<IN, OUT> {
    inherent_sizes!();
}
