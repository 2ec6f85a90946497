//! What is written is read back.

use picomlp::blob::{Aligned, Blob, BlobError, Contents, Feature, TargetKind, VERSION};
use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::{Dense, FixedLayer, Mlp, Model, Sequential};

use super::refused::refusal;
use super::sample::{
    Bytes, IMAGE, INPUT, NAMES, Net, SELF_TEST_PIXELS, SPLIT, at, full, params, provenance,
    self_test_logits,
};

#[test]
fn the_constant_flash_is_the_length_of_a_blob_of_parameters_alone() {
    fn check<N: FixedLayer>(flash: usize) {
        let net = N::default();
        assert_eq!(Contents::new(&net, &vec![0.0; N::PARAMS]).byte_len(), Ok(flash));
    }
    check::<Net>(Net::FLASH);
    check::<Dense<3, 2>>(Dense::<3, 2>::FLASH);
    check::<Mlp<784, 32, 10>>(Mlp::<784, 32, 10>::FLASH);
}

#[test]
fn blob_with_every_section_is_read_back_as_it_was_written() {
    let bytes = full();
    let model = Model::<Net>::from_blob(bytes.get()).unwrap();
    let blob = model.blob();
    assert_eq!(fingerprint(model.params()), fingerprint(&params()));
    assert_eq!(blob.fingerprint(), fingerprint(&params()));
    let table = &bytes.get()[at::LAYER_TABLE..at::SECTION_TABLE];
    assert_eq!(blob.architecture_fingerprint(), fnv1a(FNV_OFFSET, table));
    assert_eq!(blob.version(), VERSION);
    assert_eq!(blob.len(), bytes.len);
    assert_eq!(blob.input(), Some(INPUT));
    assert!(blob.class_names().eq(NAMES));
    assert_eq!(blob.provenance(), Some(provenance()));
    assert_eq!(blob.split(), Some(SPLIT));
    let vectors = blob.self_test().unwrap();
    let read: Vec<_> =
        vectors.vectors().map(|(x, y)| (x.to_vec(), y.collect::<Vec<_>>())).collect();
    let logits = self_test_logits().map(f32::to_bits);
    let [a, b] =
        [0, 1].map(|v| (SELF_TEST_PIXELS[6 * v..][..6].to_vec(), logits[3 * v..][..3].to_vec()));
    assert_eq!(read, [a, b]);
    assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
    let free = Model::<Sequential>::from_blob(bytes.get()).unwrap();
    assert_eq!(*free.net(), Sequential::mlp(&[6, 5, 3]).unwrap());
}

#[test]
fn parameters_in_two_slices_give_the_bytes_of_those_in_one() {
    let (net, params) = (Net::default(), params());
    let write = |contents: Contents<'_, Net>| {
        let mut bytes = vec![];
        contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
        bytes
    };
    let whole = write(Contents::new(&net, &params));
    for at in [0, 1, 30, params.len()] {
        let (base, head) = params.split_at(at);
        assert_eq!(write(Contents { head, ..Contents::new(&net, base) }), whole, "cut at {at}");
    }
    let missing = Contents { head: &params[..3], ..Contents::new(&net, &params[..9]) };
    assert!(matches!(missing.byte_len(), Err(BlobError::Malformed { .. })));
}

static VERSION_1: &Aligned<[u8]> = picomlp::include_model!("../../golden/version-1.pmlp");
static VERSION_2: &Aligned<[u8]> = picomlp::include_model!("../../golden/version-2.pmlp");

/// The format as it was first written: later versions must still read this file, and version 2 must still write it.
/// `PICOMLP_RENEW_GOLDEN=1 cargo test -p picomlp-tests golden_file` writes it anew, which needs a new format version.
#[test]
fn golden_file_is_included_aligned_read_in_place_and_written_again_byte_for_byte() {
    if std::env::var_os("PICOMLP_RENEW_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/version-2.pmlp");
        std::fs::write(path, full().get()).unwrap();
    }
    assert!(VERSION_2.as_ptr().addr().is_multiple_of(16));
    assert_eq!(VERSION_2[..], *full().get());
    let model = Model::<Net>::from_blob(VERSION_2).unwrap();
    assert!(VERSION_2.as_ptr_range().contains(&model.params().as_ptr().cast()), "it was copied");
    assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
}

#[test]
fn golden_file_of_version_1_is_read_and_says_what_it_recorded() {
    let model = Model::<Net>::from_blob(VERSION_1).unwrap();
    let blob = model.blob();
    assert_eq!((blob.version(), blob.input(), blob.split()), (1, Some(IMAGE), None));
    assert_eq!(blob.input_map(), IMAGE.map);
    assert!(blob.class_names().eq(NAMES));
    assert_eq!(blob.provenance(), Some(provenance()));
    assert_eq!(fingerprint(model.params()), fingerprint(&params()));
    assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
    let mut bytes = Bytes::new(VERSION_1);
    let start = at::LAYER_TABLE + 16 * (3 + 5) + 16 * 14; // behind the tables and 53 parameters
    assert_eq!([0, 4].map(|field| bytes.u32(start + field)), [2, 3]);
    for (field, word, what) in [
        (0, u32::MAX, "its image's shape is not that of its inputs"),
        (8, f32::NAN.to_bits(), "its pixels' scale or shift is not a finite number"),
    ] {
        let old = bytes.u32(start + field);
        bytes.put(start + field, word);
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::Malformed { what });
        bytes.put(start + field, old);
    }
}

#[test]
fn blob_with_parameters_alone_has_nothing_else() {
    let params = params();
    let mut buffer = Aligned([0; 512]);
    let len = Contents::new(&Net::default(), &params).write(&mut buffer.0).unwrap();
    let blob = Blob::parse(&buffer[..len]).unwrap();
    assert_eq!(fingerprint(blob.params().unwrap()), fingerprint(&params));
    assert_eq!((blob.input(), blob.provenance()), (None, None));
    assert!(blob.class_names().next().is_none() && blob.self_test().is_none());
}

#[test]
fn blob_followed_by_erased_flash_is_read() {
    let bytes = full();
    assert_eq!(Blob::parse(&bytes.memory.0).unwrap().len(), bytes.len);
}

const FEATURES: [Feature<'_>; 6] = [
    Feature { name: "acc_x", unit: "m/s²" },
    Feature { name: "acc_y", unit: "m/s²" },
    Feature { name: "temp", unit: "°C" },
    Feature { name: "", unit: "" },
    Feature { name: "rpm", unit: "" },
    Feature { name: "current", unit: "A" },
];

#[test]
fn names_of_features_and_the_kind_of_targets_are_read_back_and_others_refused() {
    let (net, params) = (Net::default(), params());
    let of = |targets| Contents {
        features: &FEATURES,
        targets: Some(targets),
        class_names: &NAMES,
        ..Contents::new(&net, &params)
    };
    let mut buffer = Aligned([0; 1024]);
    for kind in [TargetKind::Classes, TargetKind::Values, TargetKind::Labels, TargetKind::Inputs] {
        let len = of(kind).write(&mut buffer.0).unwrap();
        let blob = Blob::parse(&buffer[..len]).unwrap();
        assert!(blob.features().eq(FEATURES) && blob.class_names().eq(NAMES));
        assert_eq!(blob.targets(), Some(kind));
    }
    let len = of(TargetKind::Values).write(&mut buffer.0).unwrap();
    let bytes = Bytes::new(&buffer[..len]);
    let section = |i: usize| at::SECTION_TABLE + 16 * i;
    let (features, targets) = (section(1), section(2));
    let start = |at: usize| bytes.u32(at + 4) as usize;
    let no_kind = "its kind of targets is unknown";
    let no_features = "its feature names are not as many as its inputs";
    for (at, word, what) in [
        (start(targets), 0, no_kind),
        (start(targets), 5, no_kind),
        (start(targets) + 12, 1, no_kind),
        (targets + 8, 12, no_kind),
        (start(features), 0, no_features),
        (start(features), u32::MAX, no_features),
        (features + 8, 5, no_features),
    ] {
        let mut bytes = Bytes::new(bytes.get());
        bytes.put(at, word);
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::Malformed { what }, "{word} at {at}");
    }
    let refused = |contents: Contents<'_, Net>, what| {
        assert_eq!(contents.byte_len(), Err(BlobError::Malformed { what }));
    };
    refused(Contents { features: &FEATURES[1..], ..of(TargetKind::Values) }, no_features);
    let zero = [Feature { name: "a\0b", unit: "" }; 6];
    refused(Contents { features: &zero, ..of(TargetKind::Values) }, "a name holds a zero byte");
}

#[test]
fn settings_of_reading_and_fill_values_are_read_back_and_others_refused() {
    let (net, params) = (Net::default(), [0.0; Net::PARAMS]);
    let reading = [["target", "state"], ["stratified", ""]];
    let fill = [1.0, 2.0, 3.0, -4.0, 5.0, 6.5];
    let contents = Contents { reading: &reading, fill: &fill, ..Contents::new(&net, &params) };
    let mut buffer = Aligned([0; 2048]);
    let len = contents.write(&mut buffer.0).unwrap();
    let blob = Blob::parse(&buffer[..len]).unwrap();
    assert!(blob.reading().eq([("target", "state"), ("stratified", "")]));
    assert_eq!(blob.fill(), Ok(&fill[..]));
    let bytes = Bytes::new(&buffer[..len]);
    let section = |i: usize| at::SECTION_TABLE + 16 * i;
    let start = |at: usize| bytes.u32(at + 4) as usize;
    let no_pairs = "its settings of reading data are not pairs of UTF-8 words";
    let no_fill = "its fill values are not finite, or not as many as its inputs";
    for (at, word, what) in [
        (start(section(1)), u32::from_le_bytes(*b"ta\0g"), no_pairs),
        (start(section(1)), u32::MAX, no_pairs),
        (start(section(2)), f32::NAN.to_bits(), no_fill),
        (section(2) + 8, 20, no_fill),
    ] {
        let mut bytes = Bytes::new(bytes.get());
        bytes.put(at, word);
        bytes.seal();
        assert_eq!(refusal(bytes.get()), BlobError::Malformed { what }, "{word} at {at}");
    }
    for fill in [&fill[1..], &[f32::INFINITY; 6]] {
        let what = Err(BlobError::Malformed { what: no_fill });
        assert_eq!(Contents { fill, ..contents }.byte_len(), what);
    }
    assert!(Contents { reading: &[["a", "\0"]], ..contents }.byte_len().is_err());
}

#[test]
fn classes_of_one_output_have_two_names() {
    type One = Mlp<3, 2, 1>;
    let (net, params) = (One::default(), [0.0; One::PARAMS]);
    let contents = Contents {
        targets: Some(TargetKind::Classes),
        class_names: &["sound", "worn"],
        ..Contents::new(&net, &params)
    };
    let mut buffer = Aligned([0; 1024]);
    let len = contents.write(&mut buffer.0).unwrap();
    assert!(Blob::parse(&buffer[..len]).unwrap().class_names().eq(["sound", "worn"]));
    assert!(Contents { targets: Some(TargetKind::Values), ..contents }.byte_len().is_err());
}
