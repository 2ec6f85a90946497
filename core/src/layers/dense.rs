//! The fully connected layer, `y = b + x·W`.

use super::{
    AnyLayer, Const, Dim, FixedLayer, Io, Layer, Pass, Shape, Single, Visit, check_inputs,
    fixed::inherent_sizes, split,
};
use crate::Error;
use crate::init::Init;
use crate::int8;
use crate::kernels::dense::forward::forward;
use crate::kernels::dense::input_gradient::input_gradient;
use crate::kernels::dense::weight_gradient::update;
use crate::kernels::{Batch, Element, Sink};

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

/// A fully connected layer without a bias, `y = x·W`; parameters: weights `[IN][OUT]`.
///
/// ```
/// use picomlp::DenseNoBias;
///
/// assert_eq!(DenseNoBias::<4, 2>::PARAMS, 8);
/// ```
pub type DenseNoBias<const IN: usize, const OUT: usize> = DenseLayer<Const<IN>, Const<OUT>, NoBias>;

/// Whether a layer has a bias: part of its type, or a value known only at run time.
pub trait Bias: Copy {
    /// Whether the layer has a bias, if its type determines that.
    const KNOWN: Option<bool> = None;

    /// Whether the layer has a bias.
    fn get(self) -> bool;
}

/// There is a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WithBias;

/// There is no bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBias;

impl Bias for WithBias {
    const KNOWN: Option<bool> = Some(true);

    #[inline(always)]
    fn get(self) -> bool {
        true
    }
}

impl Bias for NoBias {
    const KNOWN: Option<bool> = Some(false);

    #[inline(always)]
    fn get(self) -> bool {
        false
    }
}

impl Bias for bool {
    #[inline(always)]
    fn get(self) -> bool {
        self
    }
}

/// A fully connected layer with sizes of either kind; see [`Dense`] and [`DenseNoBias`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenseLayer<I, O, B = WithBias> {
    inputs: I,
    outputs: O,
    bias: B,
}

impl<I: Dim, O: Dim, B: Bias> DenseLayer<I, O, B> {
    /// A layer of these sizes, with a bias or without.
    #[must_use]
    pub const fn new(inputs: I, outputs: O, bias: B) -> Self {
        Self { inputs, outputs, bias }
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn has_bias(&self) -> bool {
        self.bias.get()
    }

    fn weights(&self) -> usize {
        self.inputs() * self.outputs()
    }
}

impl<I: Dim, O: Dim, B: Bias> Layer for DenseLayer<I, O, B> {
    const SHOWS_ALL: bool = true;
    const STATIC_SHAPE: Option<Shape> = match (I::SIZE, O::SIZE, B::KNOWN) {
        (Some(inputs), Some(outputs), Some(bias)) => Some(Shape::dense(inputs, outputs, bias)),
        _ => None,
    };

    #[inline]
    fn shape(&self) -> Shape {
        match Self::STATIC_SHAPE {
            Some(shape) => shape,
            None => Shape::dense(self.inputs.get(), self.outputs.get(), self.has_bias()),
        }
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        let layer = DenseLayer::new(self.inputs(), self.outputs(), self.has_bias());
        visit(Single::Known(AnyLayer::Dense(layer)))
    }

    fn init_pass(&self, params: &mut [f32], init: Init, seed: u64, index: &mut u64) {
        init.fill(params, self.inputs(), self.outputs(), seed, *index);
        *index += 1;
    }

    #[inline]
    fn forward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        x: Batch<'_, T>,
        y: &mut [f32],
    ) -> Result<(), Error> {
        let (weights, bias) = split(pass.params, self.weights())?;
        forward(pass.threads, x, weights, bias, self.outputs(), y);
        check_inputs(x, y, self.outputs())
    }

    #[inline]
    fn backward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let Pass { threads, workspace, .. } = pass;
        if let Some(d_x) = io.d_x {
            let (weights, _) = split(sink.params(), self.weights())?;
            let sizes = [self.inputs(), self.outputs()];
            input_gradient(threads, io.x.len(), sizes, io.d_y, weights, d_x);
        }
        update(threads, io.x, io.d_y, sink, workspace);
        Ok(())
    }
}

/// The sizes of both kinds of dense layer.
macro_rules! fixed_dense {
    ($layer:ident, $bias:expr, $int8:expr) => {
        impl<const IN: usize, const OUT: usize> FixedLayer for $layer<IN, OUT> {
            const SHAPE: Shape = {
                assert!(IN > 0 && OUT > 0, "a dense layer needs at least one input and one output");
                Shape::dense(IN, OUT, $bias)
            };
            const INT8_BYTES: usize = $int8;
        }

        impl<const IN: usize, const OUT: usize> $layer<IN, OUT> {
            inherent_sizes!();
        }
    };
}
fixed_dense!(
    Dense,
    true,
    match int8::dense_len(IN, OUT) {
        Some(bytes) => bytes,
        None => panic!("the parameters are more than this machine can address"),
    }
);
fixed_dense!(DenseNoBias, false, 0);
