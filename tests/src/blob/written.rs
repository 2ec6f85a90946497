//! What is written is read back.

use picomlp::blob::{Aligned, Blob, Contents, VERSION};
use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::{Dense, FixedLayer, Mlp, Model, Sequential};

use super::sample::{
    INPUT, NAMES, Net, SELF_TEST_PIXELS, at, full, params, provenance, self_test_logits,
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

/// The format as it was first written: later versions must still read this file, and version 1 must still write it.
/// `PICOMLP_RENEW_GOLDEN=1 cargo test -p picomlp-tests golden_file` writes it anew, which needs a new format version.
#[test]
fn golden_file_is_included_aligned_read_in_place_and_written_again_byte_for_byte() {
    if std::env::var_os("PICOMLP_RENEW_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/version-1.pmlp");
        std::fs::write(path, full().get()).unwrap();
    }
    static GOLDEN: &Aligned<[u8]> = picomlp::include_model!("../../golden/version-1.pmlp");
    assert!(GOLDEN.as_ptr().addr().is_multiple_of(16));
    assert_eq!(GOLDEN[..], *full().get());
    let model = Model::<Net>::from_blob(GOLDEN).unwrap();
    assert!(GOLDEN.as_ptr_range().contains(&model.params().as_ptr().cast()), "it was copied");
    assert_eq!(model.self_test(&mut [0.0; Net::INFER_SCRATCH]), Ok(None));
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
