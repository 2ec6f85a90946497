//! The sections of the int8 form.

use picomlp::blob::BlobError;
use picomlp::fingerprint::fingerprint;
use picomlp::{Model, QuantizedModel};

use super::refused::refusal;
use super::sample::{Net, at, full_int8, params, provenance};

#[test]
fn blob_with_int8_sections_is_read_back_as_it_was_written() {
    let bytes = full_int8();
    let model = QuantizedModel::<Net>::from_blob(bytes.get()).unwrap();
    assert_eq!(model.param_bytes(), Net::INT8_BYTES);
    assert_eq!(model.blob().int8_self_test().unwrap().vectors().count(), 2);
    assert_eq!(model.self_test(&mut [0; Net::INT8_SCRATCH]), Ok(None));
    // What the f32 form needs is untouched.
    let model = Model::<Net>::from_blob(bytes.get()).unwrap();
    assert_eq!(fingerprint(model.params()), fingerprint(&params()));
    assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
    assert_eq!(model.blob().provenance(), Some(provenance()));
}

#[test]
fn int8_self_test_names_the_first_integer_that_differs() {
    let mut bytes = full_int8();
    let start = bytes.u32(at::SECTION_TABLE + 16 * 7 + 4) as usize;
    let at = start + 16 + 20 + 8 + 4; // past the counts, the first vector, and the second one's pixels and first logit
    let expected = bytes.u32(at) ^ 1;
    bytes.put(at, expected);
    bytes.seal();
    let model = QuantizedModel::<Net>::from_blob(bytes.get()).unwrap();
    let failure = model.self_test(&mut [0; Net::INT8_SCRATCH]).unwrap().unwrap();
    assert_eq!((failure.vector, failure.output), (1, 1));
    assert_eq!((failure.expected, failure.got), (expected, expected ^ 1));
}

#[test]
fn hostile_int8_words_under_right_checksums_are_refused_as_malformed() {
    let section = |i: usize, field: usize| at::SECTION_TABLE + 16 * i + 4 * field;
    let (int8, int8_test) = (1, 7);
    let start = |i: usize| full_int8().u32(section(i, 1)) as usize;
    // 6 inputs are three rows, and biases and multipliers of 5 outputs two each.
    let second_layer = start(int8) + 16 * (1 + 3 + 2 + 2);
    let lengths = "its int8 parameters are not those of its layers";
    let step = "the step of an int8 layer is not a positive number";
    let self_test = "its int8 self-test does not fit its layers";
    let cases = [
        (section(int8, 2), 0, lengths),
        (section(int8, 2), Net::INT8_BYTES as u32 - 16, lengths),
        (section(int8, 2), Net::INT8_BYTES as u32 + 16, lengths),
        (section(int8, 2), u32::MAX, "a section lies outside it"),
        (start(int8), 0, step),
        (start(int8), f32::NAN.to_bits(), step),
        (start(int8), (-1.0_f32).to_bits(), step),
        (second_layer, f32::INFINITY.to_bits(), step),
        (section(int8_test, 2), 17, self_test),
        (start(int8_test), 3, self_test),
        (start(int8_test) + 4, 5, self_test),
        (start(int8_test) + 8, u32::MAX, self_test),
        // ReLU first, and no other layer.
        (at::LAYER_TABLE, 2, "an activation or a normalisation changes its width"),
    ];
    for (at, word, what) in cases {
        let mut bytes = full_int8();
        bytes.put(at, word);
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::Malformed { what }, "{word} at {at}");
    }
    // A ReLU that became a dense layer of its size.
    let mut bytes = full_int8();
    bytes.put(at::LAYER_TABLE + 16, 1);
    bytes.put(section(0, 0), 77);
    bytes.seal();
    let what = "it has int8 parameters, but layers that have no int8 form";
    assert_eq!(refusal(bytes.get()), BlobError::Malformed { what });
}
