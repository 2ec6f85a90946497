//! Words that no sound writer writes.

use picomlp::blob::{BlobError, Contents, MAGIC};
use picomlp::{LayerNorm, Relu};

use super::refused::refusal;
use super::sample::{Bytes, Net, at, full};

/// Words that no sound writer writes, under checksums that are right.
#[test]
fn hostile_words_under_right_checksums_are_refused_as_malformed() {
    const MAX: u32 = u32::MAX;
    let layer = |i: usize, field: usize| at::LAYER_TABLE + 16 * i + 4 * field;
    let section = |i: usize, field: usize| at::SECTION_TABLE + 16 * i + 4 * field;
    let full_len = full().len as u32;
    let start = |i: usize| full().u32(section(i, 1)) as usize;
    let (params, input, classes, provenance, split, test) = (0, 1, 2, 3, 4, 5);
    let (nan, infinite) = (f32::NAN.to_bits(), f32::INFINITY.to_bits());
    let shape = "its image's shape is not that of its inputs";
    let reserved = "a reserved field of its input is not 0";
    let stats = "the mean or standard deviation of its training data makes no sense";
    let no_provenance = "its provenance cannot be read, or its loss is unknown";
    let no_split = "its split of the data makes no sense";
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
        (section(input, 2), 48, shape),
        (section(input, 2), 60, shape),
        (section(input, 2), 0, "its inputs are of an unknown kind"),
        (section(classes, 2), 2, "its class names are not as many as its outputs"),
        (section(provenance, 2), 55, no_provenance),
        (start(provenance) + 52, 6, no_provenance),
        (section(test, 2), 0, "its self-test does not fit its layers"),
        (section(test, 2), 17, "its self-test does not fit its layers"),
        (start(input), 0, "its inputs are of an unknown kind"),
        (start(input), 3, "its inputs are of an unknown kind"),
        (start(input) + 4, MAX, shape),
        (start(input) + 8, 1 << 31, shape),
        (start(input) + 12, 3, "its image preparation is unknown"),
        (start(input) + 16, 256, "its largest input value is above 255"),
        (start(input) + 20, 1, reserved),
        (start(input) + 24, nan, stats),
        (start(input) + 28, (-1.0f32).to_bits(), stats),
        (start(input) + 28, infinite, stats),
        (start(input) + 32, infinite, stats),
        (start(input) + 36, nan, stats),
        (
            start(input) + 40,
            6,
            "its features have scales of their own, which this version does not read",
        ),
        (start(input) + 44, MAX, reserved),
        (start(input) + 48, nan, "its pixels' scale or shift is not a finite number"),
        (start(input) + 52, infinite, "its pixels' scale or shift is not a finite number"),
        (section(split, 2), 12, no_split),
        (start(split), 15_000, no_split),
        (start(split) + 4, MAX, no_split),
        (start(split) + 8, 50_000, no_split),
        (start(split) + 12, 16, no_split),
        (start(classes), 0, "its class names are not as many as its outputs"),
        (start(classes), MAX, "its class names are not as many as its outputs"),
        (start(provenance) + 56, MAX, no_provenance),
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
        bytes.put(at::VERSION, 2 | layers << 16); // the count stands in the upper half
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

/// A width that no parameters back would make a reader allocate whatever the file says.
#[test]
fn layers_without_parameters_are_refused_whatever_their_width() {
    let mut file = [0; 96];
    file[..8].copy_from_slice(&MAGIC);
    let mut bytes = Bytes::new(&file);
    bytes.put(at::VERSION, 2 | 1 << 16);
    bytes.put(at::TOTAL_LEN, 96);
    let what = "none of its layers has parameters";
    for kind in [2, 4, 5] {
        for width in [1, 10, u32::MAX] {
            [kind, width, width].into_iter().zip(0..).for_each(|(word, field)| {
                bytes.put(at::LAYER_TABLE + 4 * field, word);
            });
            bytes.seal();
            assert_eq!(refusal(bytes.get()), BlobError::Malformed { what }, "{kind} {width}");
        }
    }
    let error = Contents::new(&Relu::<3>::default(), &[]).byte_len().unwrap_err();
    assert_eq!(error, BlobError::Malformed { what });
    // Parameters that are described and not there back nothing.
    for kind in [1, 6, 7] {
        let setting = if kind == 6 { 1.0_f32.to_bits() } else { 0 };
        [kind, 1 << 14, 1 << 14, setting].into_iter().zip(0..).for_each(|(word, field)| {
            bytes.put(at::LAYER_TABLE + 4 * field, word);
        });
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::NoSection { what: "f32 parameters" });
    }
    // A normalization has parameters: two for each value.
    let norm = LayerNorm::<3>::default();
    assert!(Contents::new(&norm, &[1.0; 6]).byte_len().is_ok());
}
