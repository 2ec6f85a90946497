//! int8 inference on features: signed inputs by a zero point, rescales worked into the numbers.

use picomlp::blob::{Aligned, Blob, BlobError, Contents, Int8Contents};
use picomlp::{
    Dense, Error, Init, Mlp, Model, Network, QuantizedModel, Relu, Rescale, Sequential, chain,
};
use picomlp_tests::int8_run;

use crate::blob::sample::Bytes;

type Net = chain![Rescale<5>, Dense<5, 6>, Relu<6>, Dense<6, 2>, Rescale<2>];

const SAMPLES: usize = 40;
const RANGES: [f32; 1] = [3.0];
const FEATURES: [f32; 2] = [-2.5, 3.5];

/// Features in their own units; the network with the constants that bring them near 1.
fn problem() -> (Vec<f32>, Vec<f32>) {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 4).unwrap();
    let biases = picomlp_fixtures::values(5);
    params[40..46].iter_mut().zip(biases).for_each(|(b, v)| *b = 0.3 * v);
    params[..10].copy_from_slice(&[20.0, 0.01, 1.0, -2.0, 0.5, 0.0, 1.0, -0.5, 0.25, -2.0]);
    let last = params.len() - 4;
    params[last..].copy_from_slice(&[2.0, -30.0, 5.0, 100.0]);
    let sizes = [0.05, 80.0, 2.0, 1.0, 4.0];
    let x = picomlp_fixtures::values(6).take(5 * SAMPLES).enumerate();
    (params, x.map(|(i, value)| 1.5 * value * sizes[i % 5]).collect())
}

fn nearest(x: f64) -> i64 {
    (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i64
}

/// The integers of `docs/numerics.md`, one after the other: logits of one sample, what 1 is worth in them, and how far they
/// may be from the exact network's, unless a value saturates.
///
/// An input is off by half a step, a weight and a bias by half of theirs; sums inherit that, and a rounding adds half a step.
fn obvious(params: &[f32], x: &[f32]) -> ([i64; 2], f32, Option<f64>) {
    let wide = |v: f32| f64::from(v);
    let step = ((wide(FEATURES[1]) - wide(FEATURES[0])) / 255.0) as f32;
    let zero = nearest(-wide(FEATURES[0]) / wide(step));
    let mut input: Vec<i64> = (0..5)
        .map(|i| {
            let scale = (wide(params[i]) / wide(step)) as f32;
            let shift = (wide(params[5 + i]) / wide(step) + zero as f64) as f32;
            i64::from(((x[i] * scale + shift).clamp(0.0, 255.0) + 0.5) as u8)
        })
        .collect();
    let mut values: Vec<f64> =
        (0..5).map(|i| wide(x[i]) * wide(params[i]) + wide(params[5 + i])).collect();
    let mut error = input.iter().all(|q| (1..255).contains(q)).then_some(0.5001 * wide(step));
    let (mut at, mut input_step, mut zero) = (10, step, zero);
    let last = params.len() - 4;
    for (inputs, outputs, range) in [(5, 6, Some(RANGES[0])), (6, 2, None)] {
        let scale = |o: usize| if range.is_none() { params[last + o] } else { 1.0 };
        let shift = |o: usize| if range.is_none() { params[last + 2 + o] } else { 0.0 };
        let weight = |i: usize, o: usize| params[at + i * outputs + o] * scale(o);
        let bias = |o: usize| (params[at + inputs * outputs + o] + 0.0) * scale(o) + shift(o);
        let weight_step = |o: usize| {
            let largest = (0..inputs).fold(0.0f32, |most, i| most.max(weight(i, o).abs()));
            let for_bias = wide(bias(o).abs()) / (wide(input_step) * 16_777_216.0);
            (wide(largest) / 127.0).max(for_bias)
        };
        let sum_step = |o: usize| wide(input_step) * weight_step(o);
        let least = (0..outputs).map(|o| 2.0 * sum_step(o)).fold(0.0, f64::max);
        let output_step = (wide(range.unwrap_or(0.0)) / 255.0).max(least) as f32;
        let output = |o: usize| {
            let of_weight = |i: usize| nearest(wide(weight(i, o)) / weight_step(o));
            let sum: i64 = (0..inputs).map(|i| (input[i] - zero) * of_weight(i)).sum();
            let sum = sum + nearest(wide(bias(o)) / sum_step(o));
            let multiplier = nearest(sum_step(o) / wide(output_step) * 4_294_967_296.0);
            let multiplier = multiplier.min(i64::from(i32::MAX));
            let rescaled = (sum * multiplier + (1 << 31)) >> 32;
            if range.is_some() { rescaled.clamp(0, 255) } else { rescaled }
        };
        let outputs_of_layer: Vec<i64> = (0..outputs).map(output).collect();
        let is_cut = range.is_some() && outputs_of_layer.contains(&255);
        error = error.filter(|_| !is_cut).map(|error| {
            let of = |o: usize| {
                let off = |(i, x): (usize, &f64)| {
                    let half = 0.5 * weight_step(o);
                    error * (wide(weight(i, o).abs()) + half) + x.abs() * half
                };
                values.iter().enumerate().map(off).sum::<f64>() + 0.5 * sum_step(o)
            };
            1.0001 * ((0..outputs).map(of).fold(0.0, f64::max) + 0.5 * wide(output_step))
        });
        let exact = |o: usize| {
            let sum: f64 = values.iter().enumerate().map(|(i, x)| x * wide(weight(i, o))).sum();
            let value = sum + wide(bias(o));
            if range.is_some() { value.max(0.0) } else { value }
        };
        values = (0..outputs).map(exact).collect();
        at += inputs * outputs + outputs;
        (input, input_step, zero) = (outputs_of_layer, output_step, 0);
    }
    ([input[0], input[1]], input_step, error)
}

#[test]
fn features_run_in_int8_as_the_plain_integers_say_and_near_the_f32_values() {
    let (net, (params, x)) = (Net::default(), problem());
    let contents = Contents {
        int8: Some(Int8Contents::new(&RANGES).features(FEATURES).keep_f32(true)),
        ..Contents::new(&net, &params)
    };
    let mut flash = Aligned([0xff; 2048]);
    contents.write(&mut flash.0).unwrap();
    let model = QuantizedModel::<Net>::from_blob(&flash.0).unwrap();
    let free = QuantizedModel::<Sequential>::from_blob(&flash.0).unwrap();
    let exact = Model::<Net>::from_blob(&flash.0).unwrap();
    let (mut inputs, mut ints) = ([0; 5], [0; Net::INT8_SCRATCH]);
    let mut floats = [0.0; Net::INFER_SCRATCH];
    let mut compared = 0;
    for x in x.chunks(5) {
        model.read_features(x, &mut inputs).unwrap();
        let (expected, step, bound) = obvious(&params, x);
        let logits = model.logits(&inputs, &mut ints).unwrap().to_vec();
        assert_eq!([i64::from(logits[0]), i64::from(logits[1])], expected, "{x:?}");
        assert_eq!(free.logits(&inputs, &mut ints).unwrap(), logits);
        assert_eq!(model.logit_step(), step);
        let values = exact.logits(x, &mut floats).unwrap();
        for (logit, value) in logits.iter().zip(values) {
            let error = f64::from((*logit as f32 * step - value).abs());
            assert!(bound.is_none_or(|bound| error <= bound), "{logit} is not {value}: {bound:?}");
        }
        compared += usize::from(bound.is_some());
    }
    assert!(compared > SAMPLES / 4, "{compared} samples do not saturate");
    // What a sensor gives: the same numbers in 16 and 8 bits.
    let (words, bytes, floats) =
        ([3i16, -70, 1, 0, -2], [3i8, -70, 1, 0, -2], [3.0, -70.0, 1.0, 0.0, -2.0f32]);
    let mut read = [[0; 5]; 3];
    model.read_features(&words, &mut read[0]).unwrap();
    model.read_features(&bytes, &mut read[1]).unwrap();
    model.read_features(&floats, &mut read[2]).unwrap();
    assert!(read[0] == read[1] && read[0] == read[2]);
}

#[test]
fn features_that_do_not_fit_are_refused_by_name() {
    let (net, (params, _)) = (Net::default(), problem());
    let of = |int8| Contents { int8: Some(int8), ..Contents::new(&net, &params) };
    let refused = |int8, what: &'static str| {
        assert_eq!(of(int8).byte_len(), Err(BlobError::Malformed { what }));
    };
    let range = "the int8 range of its inputs is not from a low to a high number";
    refused(
        Int8Contents::new(&RANGES),
        "its int8 form needs a range of its inputs, which are features",
    );
    refused(Int8Contents::new(&RANGES).features([1.0, -1.0]), range);
    refused(Int8Contents::new(&RANGES).features([f32::NAN, 1.0]), range);
    refused(Int8Contents::new(&RANGES).features([0.0, f32::INFINITY]), range);
    let mut flash = Aligned([0xff; 2048]);
    let len = of(Int8Contents::new(&RANGES).features(FEATURES)).write(&mut flash.0).unwrap();
    let model = QuantizedModel::<Net>::from_blob(&flash[..len]).unwrap();
    let width = |got| Err(Error::InputWidth { expected: 5, got });
    assert_eq!(model.read_features(&[0.0; 4], &mut [0; 5]), width(4));
    assert_eq!(model.read_features(&[0.0; 5], &mut [0; 6]), width(6));
    let nan = Err(Error::InputNotFinite { sample: 0, input: 2 });
    assert_eq!(model.read_features(&[0.0, 0.0, f32::NAN, 0.0, 0.0], &mut [0; 5]), nan);
    // A model that reads pixels.
    type Pixels = Mlp<5, 3, 2>;
    let (net, params) = (Pixels::default(), [0.5; Pixels::PARAMS]);
    let contents =
        Contents { int8: Some(Int8Contents::new(&[1.0])), ..Contents::new(&net, &params) };
    let len = contents.write(&mut flash.0).unwrap();
    let model = QuantizedModel::<Pixels>::from_blob(&flash[..len]).unwrap();
    assert!(matches!(
        model.read_features(&[0.0; 5], &mut [0; 5]),
        Err(Error::Setting { what: "features", .. })
    ));
    assert!(Blob::parse(&flash[..len]).is_ok());
}

#[test]
fn int8_logits_of_features_are_those_of_every_machine() {
    assert_eq!(int8_run::logits_of_features().unwrap(), int8_run::FEATURES);
}

#[test]
fn scales_of_int8_inputs_that_make_no_sense_are_refused() {
    let (net, (params, _)) = (Net::default(), problem());
    let int8 = Some(Int8Contents::new(&RANGES).features(FEATURES));
    let mut blob = Vec::new();
    let contents = Contents { int8, ..Contents::new(&net, &params) };
    contents.write_pieces(|piece| blob.extend_from_slice(piece)).unwrap();
    let sound = Bytes::new(&blob);
    // Five layers, then the row of the parameters, then that of the inputs.
    let row = 64 + 16 * (5 + 1);
    assert_eq!([0, 8].map(|field| sound.u32(row + field)), [17, 40]);
    let start = sound.u32(row + 4) as usize;
    for (at, word) in
        [(start, f32::NAN.to_bits()), (start + 36, f32::INFINITY.to_bits()), (row + 8, 36)]
    {
        let mut bytes = Bytes::new(&blob);
        bytes.put(at, word);
        bytes.seal();
        let what = "its int8 inputs' scales and shifts are not finite, or not as many";
        assert_eq!(Blob::parse(bytes.get()).unwrap_err(), BlobError::Malformed { what }, "{at}");
    }
}
