//! What is refused by name instead of giving a wrong result without a word: layers that do not meet, layers that nobody can
//! describe, values that are not finite, settings that were changed to nonsense, a processor in another float mode.

use picomlp::blob::{Aligned, BlobError, Contents};
use picomlp::kernels::{Element, Gradient, Sink};
use picomlp::layers::{
    ActivationLayer, BatchNormLayer, DenseLayer, Function, Io, OutputUse, Pass, Shape, Single,
    Visit, WithBias,
};
use picomlp::optim::{AnyOptimizer, GroupRms};
use picomlp::{
    Adam, AdamW, AnyLayer, Buffers, Chain, Dense, Dropout, Error, Init, Layer, Loss, Mlp, Model,
    Momentum, Network, Optimizer, Relu, RmsProp, Sequential, Sgd, Trainer, WeightDecay,
    supports_micro_batches,
};

type Net = Mlp<4, 8, 2>;
const X: [[f32; 4]; 3] = [[0.5, 0.0, -1.0, 2.0], [0.25, 1.5, 0.0, -0.5], [1.0, 1.0, 0.0, 0.125]];
const LABELS: [u8; 3] = [0, 1, 1];

/// Every call that takes the network refuses it in the same way.
fn refused_everywhere(net: &(impl Layer + Copy), expected: Error) {
    let count = net.params();
    let (mut params, mut more) = (vec![0.1; count], vec![0.0; count]);
    let scratch = &mut vec![0.0; net.train_scratch(3)];
    let x = picomlp::Batch::rows(&[0.5f32; 12], 4).unwrap();
    assert_eq!(net.init(&mut params, Init::He, 1), Err(expected));
    let mut y = vec![0.0; 3 * net.outputs()];
    assert_eq!(net.forward(&params, x, &mut y, scratch), Err(expected));
    assert_eq!(net.gradient(&params, x, &LABELS, &mut more, scratch), Err(expected));
    assert_eq!(net.fold(&mut params.clone()).map(drop), Err(expected));
    let trainer = Trainer::new(
        *net,
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
    );
    assert_eq!(trainer.map(drop), Err(expected));
    let buffered = Trainer::new(
        *net,
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut more));
    assert_eq!(buffered.map(drop), Err(expected));
    let written = Contents::new(net, &params).write(&mut [0; 4096]);
    assert_eq!(written, Err(BlobError::Network(expected)));
}

fn dense(inputs: usize, outputs: usize) -> DenseLayer<usize, usize> {
    DenseLayer::new(inputs, outputs, WithBias)
}

#[test]
fn layers_of_run_time_sizes_that_do_not_meet_are_refused_by_every_call() {
    let error = |layer, before, inputs| Error::LayersDoNotMeet { layer, before, inputs };
    refused_everywhere(&Chain(dense(4, 8), dense(6, 2)), error(1, 8, 6));
    refused_everywhere(
        &Chain(Chain(dense(4, 8), Relu::<8>::default()), dense(6, 2)),
        error(2, 8, 6),
    );
    refused_everywhere(
        &Chain(dense(4, 8), Chain(Relu::<8>::default(), dense(6, 2))),
        error(2, 8, 6),
    );
    let zero = Error::ZeroSize { what: "layer width" };
    refused_everywhere(&Chain(dense(4, 0), dense(0, 2)), zero);
}

/// The exponential linear unit, a function of the user's.
#[derive(Clone, Copy, Debug, Default)]
struct Elu;

impl Function for Elu {
    const READS: OutputUse = OutputUse::Values;

    fn apply(self, y: &mut [f32]) {
        y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = y.exp() - 1.0);
    }

    fn gradient(self, y: &[f32], d_y: &mut [f32]) {
        d_y.iter_mut().zip(y).filter(|(_, y)| **y < 0.0).for_each(|(d, y)| *d *= y + 1.0);
    }
}

/// A factor for each value, a layer of the user's; `SAYS` is what it says that it is.
#[derive(Clone, Copy, Debug)]
struct Factors<const SAYS: usize>(usize);

const HONEST: usize = 0;
const SILENT: usize = 1;
const RELU: usize = 2;

impl<const SAYS: usize> Layer for Factors<SAYS> {
    fn shape(&self) -> Shape {
        Shape { params: self.0, in_place: false, ..Shape::in_place(self.0) }
    }

    fn for_each_layer(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        match SAYS {
            HONEST => visit(Single::Custom { name: "Factors", shape: self.shape() }),
            RELU => visit(Single::Known(AnyLayer::relu(self.0))),
            _ => Ok(()),
        }
    }

    fn init_pass(&self, params: &mut [f32], _: Init, _: u64, _: &mut u64) {
        params.fill(1.0);
    }

    fn forward_pass<T: Element>(
        &self,
        pass: Pass<'_>,
        x: picomlp::Batch<'_, T>,
        y: &mut [f32],
    ) -> Result<(), Error> {
        for (y, x) in y.chunks_mut(self.0).zip(x.iter()) {
            y.iter_mut().zip(x).zip(pass.params).for_each(|((y, x), w)| *y = x.to_f32() * w);
        }
        Ok(())
    }

    fn backward_pass<T: Element>(
        &self,
        _: Pass<'_>,
        sink: &mut Sink<'_>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let params = sink.params().to_vec();
        let mut gradient = vec![0.0; self.0];
        for (d_y, x) in io.d_y.chunks(self.0).zip(io.x.iter()) {
            gradient.iter_mut().zip(d_y).zip(x).for_each(|((g, d), x)| *g += d * x.to_f32());
        }
        if let Some(d_x) = io.d_x {
            for (d_x, d_y) in d_x.chunks_mut(self.0).zip(io.d_y.chunks(self.0)) {
                d_x.iter_mut().zip(d_y).zip(&params).for_each(|((d_x, d), w)| *d_x = d * w);
            }
        }
        sink.apply(0..self.0, Gradient::Dense(&gradient), false);
        Ok(())
    }
}

/// Trains with a `Trainer`, which needs no description.
fn trains(net: impl Layer + Copy) -> Vec<f32> {
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, 1).unwrap();
    let scratch = &mut vec![0.0; net.train_scratch(3)];
    let mut trainer = Trainer::new(
        net,
        Sgd::new(0.2),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
    )
    .unwrap();
    let first = trainer.step(&X, &LABELS).unwrap();
    let last = (0..60).map(|_| trainer.step(&X, &LABELS).unwrap()).last().unwrap();
    assert!(last < first / 4.0, "{first} -> {last}");
    params
}

#[test]
fn a_users_function_trains_but_is_not_exported_or_folded_as_another() {
    let net = Chain(Chain(dense(4, 8), ActivationLayer::of(Elu, 8usize)), dense(8, 2));
    let params = trains(net);
    let error = Contents::new(&net, &params).write(&mut [0; 4096]).unwrap_err();
    let BlobError::Network(Error::CannotDescribe { layer }) = error else { panic!("{error}") };
    assert!(layer.ends_with("Elu"), "{layer}");
    assert!(error.to_string().contains("cannot be exported"), "{error}");
    let folded = net.fold(&mut params.clone()).map(drop);
    assert!(matches!(folded, Err(Error::CannotDescribe { .. })), "{folded:?}");
    // It has no parameters, so nothing needs to be known of it to clip or to group those of the others.
    let (mut params, mut gradient, mut state) = (params, vec![0.0; net.params()], [0.0; 4]);
    let scratch = &mut vec![0.0; net.train_scratch(1)];
    let rms = GroupRms::new(0.01);
    let mut trainer = Trainer::new(
        net,
        rms,
        Buffers { params: &mut params, state: &mut state, workspace: &mut *scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    trainer.step(&X, &LABELS).unwrap();
    assert_eq!(supports_micro_batches(trainer.net(), f32::MAP), Ok(true));
}

#[test]
fn a_users_layer_with_parameters_is_not_grouped_or_exported() {
    fn check<const SAYS: usize>(expected: Error) {
        let net = Chain(Chain(dense(4, 8), Factors::<SAYS>(8)), dense(8, 2));
        let mut params = trains(net);
        let written = Contents::new(&net, &params).write(&mut [0; 4096]);
        assert_eq!(written, Err(BlobError::Network(expected)));
        assert_eq!(net.fold(&mut params.clone()).map(drop), Err(expected));
        let (mut gradient, scratch) = (vec![0.0; net.params()], &mut vec![0.0; 500]);
        let sgd = Sgd::new(0.1);
        let buffered = Trainer::new(
            net,
            sgd,
            Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
        )
        .and_then(|trainer| trainer.with_gradient(&mut gradient));
        assert_eq!(buffered.map(drop), Err(expected));
    }
    check::<HONEST>(Error::CannotDescribe { layer: "Factors" });
    check::<SILENT>(Error::DescribedParams { described: 58, params: 66 });
    check::<RELU>(Error::DescribedParams { described: 58, params: 66 });
}

/// What a whole training step and inference say of inputs, one of which is `value`: a network of fixed sizes or not.
fn say_of(net: &Sequential, value: f32) -> [Error; 4] {
    let mut params = vec![0.0; net.params()];
    net.init(&mut params, Init::He, 3).unwrap();
    let before = params.clone();
    let mut x = X;
    x[1][2] = value;
    let x = picomlp::Batch::rows(x.as_flattened(), 4).unwrap();
    let scratch = &mut vec![0.0; net.train_scratch(3)];
    let mut y = vec![0.0; 3 * net.outputs()];
    let forward = net.forward(&params, x, &mut y, scratch).unwrap_err();
    let mut gradient = vec![7.0; net.params()];
    let errors = net.gradient(&params, x, &LABELS, &mut gradient, scratch).unwrap_err();
    assert!(gradient.iter().all(|g| *g == 7.0));
    let sgd = Sgd::new(0.1);
    let mut trainer = Trainer::new(
        net.clone(),
        sgd,
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
    )
    .unwrap();
    let step = trainer.step(x, &LABELS).unwrap_err();
    // Chunks of one sample, where that may be.
    let one = net.train_scratch(if net.shape().min_batch > 1 { 3 } else { 1 });
    let mut trainer = Trainer::new(
        net.clone(),
        sgd,
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch[..one] },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    let buffered = trainer.step(x, &LABELS).unwrap_err();
    assert_eq!(params, before, "an error has changed the parameters");
    [forward, errors, step, buffered]
}

#[test]
fn an_input_that_is_not_finite_is_named_whatever_the_layers_are() {
    let last = AnyLayer::dense(5, 2);
    let middle = [
        AnyLayer::relu(5),
        AnyLayer::leaky_relu(5, 0.0),
        AnyLayer::sigmoid(5),
        AnyLayer::tanh(5),
        AnyLayer::layer_norm(5, 1e-5),
        AnyLayer::batch_norm(5, 1e-5, 0.1),
        AnyLayer::dropout(5, 0.5),
    ];
    let first = [
        AnyLayer::relu(4),
        AnyLayer::leaky_relu(4, 0.0),
        AnyLayer::sigmoid(4),
        AnyLayer::tanh(4),
        AnyLayer::layer_norm(4, 1e-5),
        AnyLayer::dropout(4, 0.5),
    ];
    let mut nets = vec![vec![AnyLayer::dense(4, 2)], vec![AnyLayer::dense_no_bias(4, 2)]];
    nets.extend(middle.map(|middle| vec![AnyLayer::dense(4, 5), middle, last]));
    nets.extend(middle.map(|middle| vec![AnyLayer::dense_no_bias(4, 5), middle, last]));
    nets.extend(first.map(|first| vec![first, AnyLayer::dense(4, 5), AnyLayer::relu(5), last]));
    for layers in nets {
        let net = Sequential::new(layers.iter().copied().collect()).unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let expected = Error::InputNotFinite { sample: 1, input: 2 };
            assert_eq!(say_of(&net, value), [expected; 4], "{value} into {layers:?}");
        }
    }
    assert_eq!(
        Error::InputNotFinite { sample: 1, input: 2 }.to_string(),
        "input 2 of sample 1 is NaN or infinite"
    );
}

#[test]
fn finite_inputs_that_overflow_are_an_error_too() {
    let net = Sequential::mlp(&[4, 5, 2]).unwrap();
    let [forward, others @ ..] = say_of(&net, 3e38);
    assert_eq!(forward, Error::OutputNotFinite { sample: 1 });
    assert_eq!(others, [Error::LossNotFinite; 3]);
}

#[test]
fn a_model_says_that_a_sensor_is_broken() {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    let mut flash = Aligned([0; 1024]);
    Contents::new(&Net::default(), &params).write(&mut flash.0).unwrap();
    let model = Model::<Net>::from_blob(&flash.0).unwrap();
    let scratch = &mut [0.0; Net::INFER_SCRATCH];
    let broken = [0.1, 0.2, 0.3, f32::NAN];
    let expected = Error::InputNotFinite { sample: 0, input: 3 };
    assert_eq!(model.classify(&broken, scratch), Err(expected));
    assert_eq!(model.probabilities(&broken, &mut [0.0; 2], scratch), Err(expected));
    assert!(model.classify(&[0.1, 0.2, 0.3, 0.4], scratch).is_ok());
}

/// Changes a setting after construction; says what the next step of either trainer says.
fn changed<O: Optimizer + Copy>(optimizer: O, change: impl Fn(&mut O)) {
    let (mut params, mut gradient) = ([0.1; Net::PARAMS], [0.0; Net::PARAMS]);
    let mut state = vec![0.0; optimizer.state_per_param() * Net::PARAMS];
    let scratch = &mut [0.0; Net::train_scratch(3)];
    let net = Net::default();
    let mut trainer = Trainer::new(
        net,
        optimizer,
        Buffers { params: &mut params, state: &mut state, workspace: &mut *scratch },
    )
    .unwrap();
    change(trainer.optimizer_mut());
    let error = trainer.step(&X, &LABELS).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }), "{error}");
    let mut trainer = Trainer::new(
        net,
        optimizer,
        Buffers { params: &mut params, state: &mut state, workspace: &mut *scratch },
    )
    .and_then(|trainer| trainer.with_gradient(&mut gradient))
    .unwrap();
    change(trainer.optimizer_mut());
    assert_eq!(trainer.step(&X, &LABELS), Err(error));
    assert_eq!(params, [0.1; Net::PARAMS]);
}

#[test]
fn settings_are_checked_at_the_step_after_they_were_changed() {
    for rate in [f32::NAN, f32::INFINITY, -0.1, 0.0] {
        changed(Sgd::new(0.1), |sgd| sgd.learning_rate = rate);
        changed(Momentum::new(0.1, 0.9), |momentum| momentum.set_learning_rate(rate));
        changed(RmsProp::new(0.1), |rms_prop| rms_prop.learning_rate = rate);
        changed(AdamW::new(0.1, 0.01), |adam| adam.optimizer.learning_rate = rate);
        changed(AnyOptimizer::Adam(Adam::new(0.1)), |any| any.set_learning_rate(rate));
    }
    changed(Adam::new(0.1), |adam| adam.beta1 = 1.0);
    changed(Adam::new(0.1), |adam| adam.beta2 = f64::NAN);
    changed(Adam::new(0.1), |adam| adam.epsilon = -1e-8);
    changed(WeightDecay::l2(Sgd::new(0.1), 0.01), |l2| l2.decay = f32::NAN);
}

#[test]
fn a_label_out_of_range_is_an_error_of_the_loss_too() {
    let mut outputs = [0.5, 1.0, 2.0, 0.0];
    let error = Error::LabelOutOfRange { index: 1, label: 7, classes: 2 };
    assert_eq!(Loss::CROSS_ENTROPY.sum(&mut outputs, &[0, 7], 2), Err(error));
    assert_eq!(Loss::SQUARED_ERROR.sum(&mut outputs, &[0u8; 0], 2), Err(Error::EmptyBatch));
    let length = Error::BufferLength { what: "values", expected: 6, got: 4 };
    assert_eq!(Loss::SQUARED_ERROR.sum(&mut outputs, &[0, 0, 0], 2), Err(length));
    assert_eq!(outputs, [0.5, 1.0, 2.0, 0.0]);
}

/// 40 steps without a stop, and 20 and 20 with parameters and state alone carried over a reset.
fn resumes<O: Optimizer + Copy>(optimizer: O) {
    type Dropping = Chain<Chain<Dense<4, 8>, Dropout<8>>, Dense<8, 2>>;
    let net = Dropping::default();
    let mut params = [0.0; Dropping::PARAMS];
    net.init(&mut params, Init::He, 1).unwrap();
    let mut state = vec![0.0; optimizer.state_per_param() * params.len()];
    let scratch = &mut [0.0; Dropping::train_scratch(3)];
    let mut run = |optimizer: O, done, steps, params: &mut [f32], state: &mut [f32]| {
        let trainer = Trainer::new(
            net,
            optimizer,
            Buffers { params: &mut *params, state: &mut *state, workspace: &mut *scratch },
        )
        .unwrap();
        let mut trainer = trainer.with_seed(9, done);
        for _ in 0..steps {
            trainer.step(&X, &LABELS).unwrap();
        }
    };
    let (mut straight, mut straight_state) = (params, state.clone());
    run(optimizer, 0, 40, &mut straight, &mut straight_state);
    run(optimizer, 0, 20, &mut params, &mut state);
    let mut fresh = optimizer;
    fresh.set_steps(20);
    run(fresh, 20, 20, &mut params, &mut state);
    assert_eq!(params.map(f32::to_bits), straight.map(f32::to_bits));
    assert_eq!(state, straight_state);
}

#[test]
fn every_optimizer_goes_on_after_a_reset_as_if_there_had_been_none() {
    resumes(Sgd::new(0.1));
    resumes(Momentum::new(0.1, 0.9));
    resumes(RmsProp::new(0.01));
    resumes(Adam::new(0.01));
    resumes(AdamW::new(0.01, 0.1));
    resumes(AnyOptimizer::Adam(Adam::new(0.01)));
    // Far beyond where the powers of β have become 0.
    let far = Adam::new(0.01).at_step(10_000_000_000);
    assert_eq!((far.steps(), far.at_step(7)), (10_000_000_000, Adam::new(0.01).at_step(7)));
}

/// What a trainer and a model say while the processor's control register is set so.
#[cfg(target_arch = "x86_64")]
fn with_mxcsr(bits: u32) -> [bool; 2] {
    use core::arch::asm;
    let mut params = [0.1; Net::PARAMS];
    let mut flash = Aligned([0; 1024]);
    Contents::new(&Net::default(), &params).write(&mut flash.0).unwrap();
    let scratch = &mut [0.0; Net::train_scratch(3)];
    let mut before = 0u32;
    #[allow(unsafe_code, reason = "no safe function sets the register")]
    // SAFETY: reads MXCSR, then sets rounding and flushing, which the next block takes back; exceptions stay masked.
    unsafe {
        asm!("stmxcsr [{}]", in(reg) &raw mut before);
        let now = before | bits;
        asm!("ldmxcsr [{}]", in(reg) &raw const now);
    }
    let trainer = Trainer::new(
        Net::default(),
        Sgd::new(0.1),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut *scratch },
    );
    let refused = trainer.map(drop) == Err(Error::FloatMode);
    let model = Model::<Net>::from_blob(&flash.0).map(drop);
    let no_model = model == Err(BlobError::Network(Error::FloatMode));
    #[allow(unsafe_code, reason = "no safe function sets the register")]
    // SAFETY: puts back what was there.
    unsafe {
        asm!("ldmxcsr [{}]", in(reg) &raw const before);
    }
    [refused, no_model]
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_processor_that_rounds_otherwise_or_flushes_subnormals_is_refused() {
    assert_eq!(with_mxcsr(0), [false; 2]);
    let modes = [
        ("down", 1 << 13),
        ("up", 1 << 14),
        ("to zero", 3 << 13),
        ("flush to zero", 1 << 15),
        ("denormals are zero", 1 << 6),
    ];
    for (mode, bits) in modes {
        assert_eq!(with_mxcsr(bits), [true; 2], "{mode}");
    }
}

#[test]
fn batch_normalisation_is_described_and_whole() {
    let net = Chain(dense(4, 8), BatchNormLayer::new(8usize, 1e-5, 0.1));
    assert_eq!(supports_micro_batches(&net, f32::MAP), Ok(false));
}

#[test]
fn parameters_and_state_of_one_length_are_told_apart_by_name() {
    let run = |swapped: bool| {
        let (mut params, mut state) = ([0.0; Net::PARAMS], [0.0; Net::PARAMS]);
        let mut scratch = [0.0; Net::train_scratch(1)];
        Net::default().init(&mut params, Init::He, 1).unwrap();
        let momentum = Momentum::new(0.1, 0.9);
        let (params_of, state_of, workspace) = (&mut params, &mut state, &mut scratch);
        let buffers = if swapped {
            Buffers { workspace, state: state_of, params: params_of }
        } else {
            Buffers { params: params_of, state: state_of, workspace }
        };
        let mut trainer = Trainer::new(Net::default(), momentum, buffers).unwrap();
        for _ in 0..3 {
            trainer.step(&[[255u8; 4]], &[1]).unwrap();
        }
        (params, state)
    };
    assert_eq!(run(false), run(true));
}
