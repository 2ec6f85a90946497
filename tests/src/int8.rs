//! int8 networks, against an obvious reading of what `docs/blob-format.md` and `docs/numerics.md` say.

use picomlp::blob::{Aligned, Blob, BlobError, Contents, Input, Int8Contents};
use picomlp::layers::LayerList;
use picomlp::{
    AnyLayer, Batch, Chain, Dense, Error, Init, InputMap, Layer, Mlp, Model, Network,
    QuantizedModel, Relu, Sequential,
};
use picomlp_tests::int8_run::{FINGERPRINTS, WIDTHS, logits_of};

/// A blob at an aligned address.
struct Written {
    memory: Box<Aligned<[u8; 64 * 1024]>>,
    len: usize,
}

impl Written {
    fn bytes(&self) -> &[u8] {
        &self.memory.0[..self.len]
    }
}

fn write<N: Layer>(contents: &Contents<'_, N>) -> Written {
    let mut memory = Box::new(Aligned([0xff; 64 * 1024]));
    let len = contents.write(&mut memory.0).unwrap();
    Written { memory, len }
}

/// A network of these widths with biases, parameters by `seed`.
fn params(net: &impl Layer, seed: u64) -> Vec<f32> {
    let mut params = vec![0.0; net.params()];
    let mut noise = params.clone();
    net.init(&mut params, Init::He, seed).unwrap();
    picomlp_fixtures::fill(&mut noise, seed);
    params.iter_mut().zip(noise).for_each(|(w, noise)| *w += 0.05 * noise);
    params
}

fn pixels(inputs: usize, samples: usize, seed: u64) -> Vec<u8> {
    let mut pixels = vec![0; inputs * samples];
    picomlp_fixtures::sparse_pixels(&mut pixels, seed, 150);
    pixels[..inputs].fill(255);
    pixels
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The section of this kind.
fn section(blob: &[u8], kind: u32) -> &[u8] {
    let counts = word(blob, 8) >> 16;
    let rows = (0..word(blob, 16) & 0xffff).map(|i| (64 + 16 * (counts + i)) as usize);
    let row = rows.into_iter().find(|row| word(blob, *row) == kind).unwrap();
    &blob[word(blob, row + 4) as usize..][..word(blob, row + 8) as usize]
}

/// The logits, read and computed as the documents say, in exact arithmetic.
fn by_the_book(mut section: &[u8], widths: &[usize], x: &[u8]) -> (Vec<i32>, f32) {
    let mut x: Vec<i128> = x.iter().map(|x| i128::from(*x)).collect();
    let mut step = 0.0;
    for (layer, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        let (pairs, padded) = (inputs.div_ceil(2), outputs.next_multiple_of(8));
        step = f32::from_bits(word(section, 0));
        let weights = &section[16..];
        let biases = &weights[2 * pairs * padded..];
        let multipliers = &biases[4 * padded..];
        let weight = |i: usize, o: usize| {
            let row = 16 * (o / 8 * pairs + i / 2);
            let half = row + 4 * (o % 8 / 2) + 2 * (i % 2);
            let both = i128::from(i16::from_le_bytes([weights[half], weights[half + 1]]));
            let even = i128::from(weights[half] as i8);
            if o.is_multiple_of(2) { even } else { (both - even) / 256 }
        };
        let output = |o: usize| {
            let bias = i128::from(word(biases, 4 * o) as i32);
            let multiplier = i128::from(word(multipliers, 4 * o) as i32);
            assert!(multiplier >= 0, "layer {layer}, output {o}");
            let sum = bias + x.iter().enumerate().map(|(i, x)| x * weight(i, o)).sum::<i128>();
            assert!(i32::try_from(sum).is_ok(), "layer {layer}, output {o}: {sum}");
            // The nearest integer, halves upwards.
            (2 * sum * multiplier + (1 << 32)).div_euclid(1 << 33)
        };
        let y: Vec<i128> = (0..outputs).map(output).collect();
        let last = layer + 2 == widths.len();
        x = y.into_iter().map(|y| if last { y } else { y.clamp(0, 255) }).collect();
        section = &multipliers[4 * padded..];
    }
    assert!(section.is_empty());
    (x.into_iter().map(|z| i32::try_from(z).unwrap()).collect(), step)
}

#[test]
fn networks_of_many_widths_end_in_the_fingerprints_of_every_machine() {
    let got = WIDTHS.map(|outputs| logits_of(outputs).unwrap());
    assert!(got == FINGERPRINTS, "{got:#018x?}");
}

#[test]
fn logits_are_those_that_the_documents_define() {
    for widths in [&[5, 3][..], &[64, 1, 7], &[301, 17, 9], &[784, 16, 10], &[90, 33, 8, 20, 4]] {
        for map in [InputMap::PIXELS, InputMap { scale: 0.0127, shift: -0.42 }] {
            let net = Sequential::mlp(widths).unwrap();
            let params = params(&net, widths[0] as u64);
            let mut contents = Contents::new(&net, &params);
            contents.input = Some(Input::image(1, widths[0], map));
            let ranges = vec![2.5; widths.len() - 2];
            contents.int8 = Some(Int8Contents::new(&ranges));
            let blob = write(&contents);
            let model = QuantizedModel::<Sequential>::from_blob(blob.bytes()).unwrap();
            let mut scratch = vec![-1; model.scratch_len()];
            for x in pixels(widths[0], 6, 3).chunks(widths[0]) {
                let (expected, step) = by_the_book(section(blob.bytes(), 2), widths, x);
                assert_eq!(model.logits(x, &mut scratch).unwrap(), expected, "{widths:?} {map:?}");
                assert_eq!(model.logit_step(), step);
                let largest = expected.iter().max().unwrap();
                let first = expected.iter().position(|z| z == largest).unwrap();
                assert_eq!(model.classify(x, &mut scratch), Ok(first));
            }
        }
    }
}

/// Half a step of every weight, of the bias, and of the result: what rounding can do to one dense layer.
#[test]
fn logits_of_one_layer_are_within_the_bound_that_rounding_gives() {
    type Net = Dense<50, 12>;
    let net = Net::default();
    let params = params(&net, 8);
    let mut contents = Contents::new(&net, &params);
    contents.int8 = Some(Int8Contents::new(&[]));
    let blob = write(&contents);
    let model = QuantizedModel::<Net>::from_blob(blob.bytes()).unwrap();
    let mut scratch = [0; Net::INT8_SCRATCH];
    let step = f64::from(model.logit_step());
    for x in pixels(50, 9, 5).chunks(50) {
        let logits = model.logits(x, &mut scratch).unwrap();
        for (o, logit) in logits.iter().enumerate() {
            let weights = || (0..50).map(|i| f64::from(params[12 * i + o]));
            let inputs = || x.iter().map(|x| f64::from(*x) / 255.0);
            let exact = inputs().zip(weights()).map(|(x, w)| x * w).sum::<f64>()
                + f64::from(params[600 + o]);
            let weight_step = weights().fold(0.0, |most: f64, w| most.max(w.abs())) / 127.0;
            let bound = 0.5 * (inputs().sum::<f64>() * weight_step + weight_step / 255.0 + step);
            let error = (f64::from(*logit) * step - exact).abs();
            // The multiplier's own rounding: half of 2⁻³² of the sum, far below a step.
            assert!(error <= bound + step * 0.01, "output {o}: {error} is above {bound}");
        }
    }
}

#[test]
fn sizes_in_the_type_and_at_run_time_give_the_same_integers() {
    type Net = Mlp<131, 43, 10>;
    let net = Net::default();
    let params = params(&net, 4);
    let mut contents = Contents::new(&net, &params);
    contents.int8 = Some(Int8Contents::new(&[3.0]));
    let blob = write(&contents);
    let fixed = QuantizedModel::<Net>::from_blob(blob.bytes()).unwrap();
    let free = QuantizedModel::<Sequential>::from_blob(blob.bytes()).unwrap();
    assert_eq!(fixed.scratch_len(), Net::INT8_SCRATCH);
    assert_eq!(free.scratch_len(), Net::INT8_SCRATCH);
    assert_eq!(fixed.param_bytes(), Net::INT8_BYTES);
    assert_eq!(section(blob.bytes(), 2).len(), Net::INT8_BYTES);
    let (mut a, mut b) = ([0; Net::INT8_SCRATCH], vec![9; Net::INT8_SCRATCH]);
    for x in pixels(131, 5, 1).chunks(131) {
        assert_eq!(fixed.logits(x, &mut a).unwrap(), free.logits(x, &mut b).unwrap());
    }
    assert_eq!(fixed.logits(&[0; 130], &mut a), Err(Error::InputWidth { expected: 131, got: 130 }));
    let needed = Net::INT8_SCRATCH;
    assert_eq!(
        fixed.classify(&[0; 131], &mut a[1..]),
        Err(Error::BufferTooShort { what: "scratch", needed, got: needed - 1 })
    );
}

#[test]
fn blob_carries_f32_or_int8_or_both() {
    type Net = Mlp<6, 5, 3>;
    let net = Net::default();
    let params = params(&net, 2);
    let mut contents = Contents::new(&net, &params);
    let mut blobs = vec![write(&contents)];
    for keep_f32 in [false, true] {
        contents.int8 = Some(Int8Contents::new(&[1.0]).keep_f32(keep_f32));
        blobs.push(write(&contents));
    }
    let f32 = |blob: &Written| Model::<Net>::from_blob(blob.bytes()).map(drop);
    let int8 = |blob: &Written| QuantizedModel::<Net>::from_blob(blob.bytes()).map(drop);
    let missing = |what| Err(BlobError::NoSection { what });
    assert_eq!([f32(&blobs[0]), int8(&blobs[0])], [Ok(()), missing("int8 parameters")]);
    assert_eq!([f32(&blobs[1]), int8(&blobs[1])], [missing("f32 parameters"), Ok(())]);
    assert_eq!([f32(&blobs[2]), int8(&blobs[2])], [Ok(()), Ok(())]);
    // The f32 parameters' fingerprint stays, to say where the int8 ones come from.
    let print = |blob: &Written| Blob::parse(blob.bytes()).unwrap().fingerprint();
    assert_eq!(print(&blobs[0]), print(&blobs[1]));
    let other = QuantizedModel::<Mlp<6, 5, 4>>::from_blob(blobs[1].bytes()).unwrap_err();
    assert!(matches!(other, BlobError::Architecture { layer: 2, .. }), "{other}");
}

#[test]
fn network_without_an_int8_form_is_refused_at_the_layer_that_has_none() {
    fn refused<N: Layer>(net: &N, ranges: &[f32]) -> BlobError {
        let params = vec![0.5; net.params()];
        let mut contents = Contents::new(net, &params);
        contents.int8 = Some(Int8Contents::new(ranges));
        contents.byte_len().unwrap_err()
    }
    let at = |layer, got| BlobError::NotInInt8 { layer, got };
    let two = Chain::<Dense<4, 3>, Dense<3, 2>>::default();
    assert_eq!(refused(&two, &[]), at(1, AnyLayer::dense(3, 2)));
    let relu_last = Chain::<Dense<4, 3>, Relu<3>>::default();
    assert_eq!(refused(&relu_last, &[1.0]), at(1, AnyLayer::relu(3)));
    let relu_first = Chain::<Relu<4>, Dense<4, 3>>::default();
    assert_eq!(refused(&relu_first, &[]), at(0, AnyLayer::relu(4)));
    assert_eq!(
        refused(&relu_last, &[1.0]).to_string(),
        "layer 1, relu 3→3, is not supported in int8 there: expected dense layers with a bias and at most \
         65536 inputs, a relu between each two"
    );
    let kinds = [
        AnyLayer::dense_no_bias(3, 2),
        AnyLayer::leaky_relu(3, 0.1),
        AnyLayer::sigmoid(3),
        AnyLayer::tanh(3),
        AnyLayer::layer_norm(3, 1e-5),
    ];
    for kind in kinds {
        let mut layers = LayerList::new();
        let behind_a_relu = matches!(kind, AnyLayer::Dense(_));
        AnyLayer::dense(4, 3).describe(&mut layers).unwrap();
        if behind_a_relu {
            AnyLayer::relu(3).describe(&mut layers).unwrap();
        }
        kind.describe(&mut layers).unwrap();
        let net = Sequential::new(layers).unwrap();
        assert_eq!(refused(&net, &[]), at(1 + usize::from(behind_a_relu), kind));
    }
    let wide = Sequential::mlp(&[65_537, 1]).unwrap();
    assert_eq!(refused(&wide, &[]), at(0, AnyLayer::dense(65_537, 1)));
    let what = "its int8 ranges are not as many as its hidden layers";
    assert_eq!(refused(&Mlp::<4, 3, 2>::default(), &[]), BlobError::Malformed { what });
    let what = "an int8 range is not a number of 0 or more";
    for range in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(refused(&Mlp::<4, 3, 2>::default(), &[range]), BlobError::Malformed { what });
    }
}

#[test]
fn a_network_of_zeros_and_one_of_huge_biases_are_quantized_all_the_same() {
    type Net = Mlp<6, 5, 3>;
    let net = Net::default();
    for (weights, bias) in [(0.0, 0.0), (0.0, 7.5), (1e-30, 3.0), (1e30, -1e30), (1e-6, 1e6)] {
        let mut params = [weights; Net::PARAMS];
        params[30..35].fill(bias);
        params[50..].copy_from_slice(&[bias, bias / 2.0, -bias]);
        let mut contents = Contents::new(&net, &params);
        contents.int8 = Some(Int8Contents::new(&[0.0]));
        let blob = write(&contents);
        let model = QuantizedModel::<Net>::from_blob(blob.bytes()).unwrap();
        let mut scratch = [0; Net::INT8_SCRATCH];
        let x = [255, 0, 1, 128, 7, 255];
        let logits = model.logits(&x, &mut scratch).unwrap();
        let (expected, _) = by_the_book(section(blob.bytes(), 2), &[6, 5, 3], &x);
        assert_eq!(logits, expected, "{weights} {bias}");
        if weights == 0.0 {
            let step = model.logit_step();
            for (z, b) in logits.iter().zip([bias, bias / 2.0, -bias]) {
                assert!((*z as f32 * step - b).abs() <= step, "{z} times {step} is not {b}");
            }
        }
    }
}

#[test]
fn f32_and_int8_agree_on_most_samples() {
    type Net = Mlp<131, 43, 10>;
    let net = Net::default();
    let params = params(&net, 4);
    let mut contents = Contents::new(&net, &params);
    contents.int8 = Some(Int8Contents::new(&[4.0]).keep_f32(true));
    let blob = write(&contents);
    let exact = Model::<Net>::from_blob(blob.bytes()).unwrap();
    let model = QuantizedModel::<Net>::from_blob(blob.bytes()).unwrap();
    let (mut scratch, mut f32_scratch) = ([0; Net::INT8_SCRATCH], [0.0; Net::INFER_SCRATCH]);
    let pixels = pixels(131, 200, 11);
    let same = pixels.chunks(131).filter(|x| {
        let x_f32 = Batch::rows(x, 131).unwrap();
        exact.classify(x_f32, &mut f32_scratch) == model.classify(x, &mut scratch)
    });
    // Untrained logits lie close together; trained ones agree on 99.9 % of MNIST.
    assert!(same.count() >= 180);
}
