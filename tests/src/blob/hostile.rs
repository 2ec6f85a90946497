//! Words that no sound writer writes.

use picomlp::blob::BlobError;

use super::refused::refusal;
use super::sample::{Net, at, full};

/// Words that no sound writer writes, under checksums that are right.
#[test]
fn hostile_words_under_right_checksums_are_refused_as_malformed() {
    const MAX: u32 = u32::MAX;
    let layer = |i: usize, field: usize| at::LAYER_TABLE + 16 * i + 4 * field;
    let section = |i: usize, field: usize| at::SECTION_TABLE + 16 * i + 4 * field;
    let full_len = full().len as u32;
    let start = |i: usize| full().u32(section(i, 1)) as usize;
    let (params, input, classes, provenance, test) = (0, 1, 2, 3, 4);
    let cases = [
        (layer(0, 0), 0, "it has a layer of an unknown kind"),
        (layer(0, 0), MAX, "it has a layer of an unknown kind"),
        (layer(0, 1), MAX, "its parameters are not those of its layers"),
        (layer(0, 1), 0, "its layers do not fit together"),
        (layer(0, 2), MAX, "its layers do not fit together"),
        (layer(1, 1), 6, "an activation or a normalisation changes its width"),
        (layer(2, 1), MAX, "its layers do not fit together"),
        (layer(2, 2), MAX, "its parameters are not those of its layers"),
        (layer(2, 2), 0, "its layers do not fit together"),
        (section(params, 1), 0, "a section lies outside it"),
        (section(params, 1), 48, "a section lies outside it"),
        (section(params, 1), at::FIRST_SECTION as u32 - 16, "a section lies outside it"),
        (
            section(params, 1),
            at::FIRST_SECTION as u32 + 4,
            "a section does not begin at a multiple of 16",
        ),
        (section(params, 1), MAX - 15, "a section lies outside it"),
        (section(params, 2), MAX, "a section lies outside it"),
        (section(params, 2), full_len, "a section lies outside it"),
        (
            section(params, 2),
            4 * Net::PARAMS as u32 - 4,
            "its parameters are not those of its layers",
        ),
        (section(params, 2), 0, "its parameters are not those of its layers"),
        (section(input, 2), 12, "its picture's shape is not that of its inputs"),
        (section(input, 2), 0, "its picture's shape is not that of its inputs"),
        (section(classes, 2), 2, "its class names are not as many as its outputs"),
        (section(provenance, 2), 55, "its provenance cannot be read"),
        (section(test, 2), 0, "its self-test does not fit its layers"),
        (section(test, 2), 17, "its self-test does not fit its layers"),
        (start(input), MAX, "its picture's shape is not that of its inputs"),
        (start(input), 1 << 31, "its picture's shape is not that of its inputs"),
        (start(input) + 8, f32::NAN.to_bits(), "its pixels' scale or shift is not a finite number"),
        (start(classes), 0, "its class names are not as many as its outputs"),
        (start(classes), MAX, "its class names are not as many as its outputs"),
        (start(provenance) + 56, MAX, "its provenance cannot be read"),
        (start(test), MAX, "its self-test does not fit its layers"),
        (start(test), 1, "its self-test does not fit its layers"),
        (start(test) + 4, 7, "its self-test does not fit its layers"),
        (start(test) + 8, MAX, "its self-test does not fit its layers"),
        (at::TOTAL_LEN, 0, "its length is below the header's"),
        (at::TOTAL_LEN, 63, "its length is below the header's"),
        (at::TOTAL_LEN, 64, "its tables reach past its end"),
        (at::TOTAL_LEN, full_len - 16, "a section lies outside it"),
        (at::SECTIONS, 0xffff, "its tables reach past its end"),
    ];
    for (at, word, what) in cases {
        let mut bytes = full();
        bytes.put(at, word);
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::Malformed { what }, "{word} at {at}");
    }
    let mut bytes = full();
    for layers in [0, 65, 0xffff] {
        bytes.put(at::VERSION, 1 | layers << 16); // the count stands in the upper half
        bytes.seal();
        let error = refusal(bytes.get());
        assert!(matches!(error, BlobError::Malformed { .. }), "{layers} layers: {error}");
    }
    assert_eq!(at::LAYERS, at::VERSION + 2);
    let mut bytes = full();
    bytes.put(at::TOTAL_LEN, MAX);
    bytes.seal();
    let error = BlobError::Truncated { expected: MAX as usize, got: bytes.len };
    assert_eq!(refusal(bytes.get()), error);
}
