//! A blob's self-test finds a fault and names its place.

use picomlp::blob::{Aligned, AnomalyThreshold, Blob, BlobError, Contents, Input, SelfTestFailure};
use picomlp::layers::trace;
use picomlp::{Batch, Dense, Init, InputMap, Mlp, Model, Network, Relu, Rescale, chain};

type Net = Mlp<6, 5, 3>;

const VECTORS: usize = 2;
const PIXELS: [u8; 12] = [0, 255, 0, 7, 0, 0, 90, 2, 3, 0, 5, 255];
const INPUT: Input = Input::image(2, 3, InputMap { scale: 0.25, shift: -0.5 });

/// Parameters of the two dense layers.
const FIRST: usize = 6 * 5 + 5;

fn params() -> [f32; Net::PARAMS] {
    let mut params = [0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 3).unwrap();
    params
}

/// What the layers before the last give, and the logits, of all vectors.
fn outputs(params: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut hidden, mut logits) = (vec![], vec![]);
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    for pixels in PIXELS.chunks_exact(Net::INPUTS) {
        let x = Batch::rows(pixels, Net::INPUTS).unwrap().with_map(INPUT.map);
        trace(&Net::default(), params, x, &mut scratch, |layer, outputs| {
            if layer < 2 { &mut hidden } else { &mut logits }.extend_from_slice(outputs);
        })
        .unwrap();
    }
    (hidden, logits)
}

/// A blob with vectors, and with what the layers give if that is wanted.
fn blob(with_layers: bool) -> (Aligned<[u8; 1024]>, usize) {
    let (params, net) = (params(), Net::default());
    let (layers, logits) = outputs(&params);
    let contents = Contents {
        input: Some(INPUT),
        self_test_inputs: &PIXELS,
        self_test_logits: &logits,
        self_test_layers: if with_layers { &layers } else { &[] },
        ..Contents::new(&net, &params)
    };
    let mut bytes = Aligned([0; 1024]);
    let len = contents.write(&mut bytes.0).unwrap();
    (bytes, len)
}

fn run(blob: &Blob<'_>, params: &[f32]) -> Option<SelfTestFailure> {
    let mut scratch = [0.0; Net::INFER_SCRATCH];
    blob.self_test().unwrap().run(&Net::default(), params, INPUT.map, &mut scratch).unwrap()
}

#[test]
fn sound_blob_passes_with_layers_and_without() {
    for with_layers in [true, false] {
        let (bytes, _) = blob(with_layers);
        let model = Model::<Net>::from_blob(&*bytes).unwrap();
        let test = model.blob().self_test().unwrap();
        assert_eq!((test.knows_layers(), test.vectors().count()), (with_layers, VECTORS));
        assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
    }
}

/// Every parameter in turn, changed in a copy in RAM after the blob's checksums were found right.
#[test]
fn every_changed_parameter_that_matters_is_found_in_its_layer_and_output() {
    let sound = params();
    let (with, _) = blob(true);
    let (without, _) = blob(false);
    let [with, without] = [&with, &without].map(|bytes| Blob::parse(&**bytes).unwrap());
    let mut found = [0, 0];
    for at in 0..Net::PARAMS {
        let mut params = sound;
        params[at] += 1.0;
        let (layer, output) = if at < FIRST { (0, at % 5) } else { (2, (at - FIRST) % 3) };
        let matters = outputs(&params) != outputs(&sound);
        match run(&with, &params) {
            None => assert!(!matters, "parameter {at}"),
            Some(failure) => {
                let place = (failure.layer, failure.output);
                assert_eq!(place, (Some(layer), output), "parameter {at}: {failure}");
                assert_ne!(failure.expected, failure.got);
                found[layer / 2] += 1;
            }
        }
        // Without layers, it is the first logit that differs.
        let logits_differ = outputs(&params).1 != outputs(&sound).1;
        let failure = run(&without, &params);
        assert_eq!(failure.is_some(), logits_differ, "parameter {at}: {failure:?}");
        assert!(failure.is_none_or(|failure| failure.layer.is_none()), "{failure:?}");
    }
    // The pixels' shift makes every input count.
    assert_eq!(found[0], FIRST);
    assert!(found[1] > 5, "{found:?}");
}

/// An autoencoder of features: a first rescale, test vectors in f32, and a threshold.
#[test]
fn vectors_of_features_and_a_threshold_are_read_back_and_checked() {
    type Auto = chain![Rescale<4>, Dense<4, 2>, Relu<2>, Dense<2, 4>];
    let (net, mut params) = (Auto::default(), [0.0; Auto::PARAMS]);
    net.init(&mut params, Init::He, 5).unwrap();
    params[..4].copy_from_slice(&[0.5, 2.0, 1.0, -4.0]);
    let features = [1.5, -2.0, 0.25, 3.0, -7.5, 0.0, 1e-3, 8.0];
    let mut logits = [0.0; 8];
    net.forward(&params, &features[..], &mut logits, &mut [0.0; 2 * Auto::INFER_SCRATCH]).unwrap();
    let threshold = AnomalyThreshold { score: 0.75, quantile: 0.995, samples: 40 };
    let contents = Contents {
        threshold: Some(threshold),
        self_test_features: &features,
        self_test_logits: &logits,
        ..Contents::new(&net, &params)
    };
    let mut bytes = Aligned([0; 1024]);
    let len = contents.write(&mut bytes.0).unwrap();
    let model = Model::<Auto>::from_blob(&*bytes).unwrap();
    let test = model.blob().self_test().unwrap();
    assert!(test.are_features() && test.vectors().count() == 2);
    let first: Vec<u8> = features[..4].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(test.vectors().next().unwrap().0, first);
    let mut scratch = [0.0; Auto::INFER_SCRATCH];
    assert_eq!(model.self_test(&mut scratch), Ok(None));
    assert_eq!(model.blob().anomaly_threshold(), Some(threshold));
    // The mean square of the differences, each times the feature's scale.
    let squares = (0..4)
        .map(|i| ((logits[i] - features[i]) * params[i]) * ((logits[i] - features[i]) * params[i]));
    let expected = squares.fold(0.0, |sum, square| sum + square) / 4.0;
    assert_eq!(model.anomaly_score(&features[..4], &mut scratch), Ok(expected));

    let wrong = Contents { self_test_features: &features[1..], ..contents };
    let what = "its self-test does not fit its layers";
    assert_eq!(wrong.byte_len(), Err(BlobError::Malformed { what }));
    for threshold in [f32::NAN, -1.0, f32::INFINITY] {
        let threshold = Some(AnomalyThreshold { score: threshold, quantile: 0.5, samples: 1 });
        let what = "its anomaly threshold makes no sense";
        let wrong = Contents { threshold, ..contents };
        assert_eq!(wrong.byte_len(), Err(BlobError::Malformed { what }));
    }
    // A changed bit of an expected logit is found; an unknown kind of inputs is refused.
    let row = (0..4).map(|i| 64 + 16 * (4 + i)).find(|row| bytes.0[*row] == 6).unwrap();
    let start = usize::from(bytes.0[row + 4]) | usize::from(bytes.0[row + 5]) << 8;
    bytes.0[start + 16 + 16] ^= 1;
    seal(&mut bytes.0[..len]);
    let model = Model::<Auto>::from_blob(&*bytes).unwrap();
    let failure = model.self_test(&mut scratch).unwrap().unwrap();
    assert_eq!((failure.vector, failure.layer, failure.output), (0, None, 0));
    bytes.0[start + 12] = 2;
    seal(&mut bytes.0[..len]);
    assert_eq!(Blob::parse(&bytes.0).unwrap_err(), BlobError::Malformed { what });
}

#[test]
fn failure_says_vector_layer_output_and_bits() {
    let failure = SelfTestFailure { vector: 1, layer: Some(2), output: 7, expected: 1, got: 255 };
    let text = "self-test vector 1: output 7 of layer 2 has the bits 000000ff, expected 00000001";
    assert_eq!(failure.to_string(), text);
    let failure = SelfTestFailure { layer: None, ..failure };
    assert_eq!(failure.to_string(), text.replace("layer 2", "the network"));
}

#[test]
fn layers_that_do_not_fit_are_refused_on_both_sides() {
    let (params, net) = (params(), Net::default());
    let (layers, logits) = outputs(&params);
    let what = "its self-test's layers do not fit its layers";
    let contents = Contents {
        self_test_inputs: &PIXELS,
        self_test_logits: &logits,
        self_test_layers: &layers[1..],
        ..Contents::new(&net, &params)
    };
    assert_eq!(contents.byte_len(), Err(BlobError::Malformed { what }));

    // The fourth section's length, one vector too short, under right checksums; three layers stand before the table.
    let (mut bytes, len) = blob(true);
    let row = 64 + 16 * (3 + 3);
    assert_eq!(bytes.0[row], 8);
    bytes.0[row + 8] = 4 * 10;
    seal(&mut bytes.0[..len]);
    assert_eq!(Blob::parse(&bytes.0).unwrap_err(), BlobError::Malformed { what });
    // A section of no kind that anybody asks for, as an older reader sees it.
    bytes.0[row] = 77;
    seal(&mut bytes.0[..len]);
    assert!(!Blob::parse(&bytes.0).unwrap().self_test().unwrap().knows_layers());
}

fn seal(bytes: &mut [u8]) {
    let payload = crate::blob::crc32(&bytes[64..]);
    bytes[20..24].copy_from_slice(&payload.to_le_bytes());
    let header = crate::blob::crc32(&bytes[..60]);
    bytes[60..64].copy_from_slice(&header.to_le_bytes());
}
