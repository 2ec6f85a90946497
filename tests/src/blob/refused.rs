//! Damage and foreign memory: each has an error of its own.

use picomlp::blob::{Aligned, Blob, BlobError, MAGIC};
use picomlp::{AnyLayer, Chain, Dense, FixedLayer, Mlp, Model, Relu};

use super::sample::{Bytes, Net, at, full};

pub(super) fn refusal(bytes: &[u8]) -> BlobError {
    Blob::parse(bytes).expect_err("a damaged blob was taken")
}

#[test]
fn blob_cut_short_anywhere_is_refused_with_both_lengths() {
    let bytes = full();
    for got in 0..bytes.len {
        let expected = match got {
            0..at::PAYLOAD => BlobError::NoHeader { got },
            _ => BlobError::Truncated { expected: bytes.len, got },
        };
        assert_eq!(refusal(&bytes.get()[..got]), expected);
    }
}

#[test]
fn blob_with_any_header_byte_changed_is_refused() {
    let mut bytes = full();
    for at in 0..at::PAYLOAD {
        for change in 1..=255 {
            bytes.get_mut()[at] ^= change;
            let error = refusal(bytes.get());
            let named = match error {
                BlobError::Magic { .. } => at < MAGIC.len(),
                BlobError::HeaderCrc { .. } => at >= MAGIC.len(),
                _ => false,
            };
            assert!(named, "byte {at} changed by {change:02x}: {error}");
            bytes.get_mut()[at] ^= change;
        }
    }
}

#[test]
fn blob_with_any_payload_bit_flipped_is_refused() {
    let mut bytes = full();
    for at in at::PAYLOAD..bytes.len {
        for bit in 0..8 {
            bytes.get_mut()[at] ^= 1 << bit;
            let error = refusal(bytes.get());
            assert!(matches!(error, BlobError::PayloadCrc { .. }), "byte {at} bit {bit}: {error}");
            bytes.get_mut()[at] ^= 1 << bit;
        }
    }
}

#[test]
fn erased_zeroed_empty_and_foreign_memory_each_has_its_own_error() {
    assert_eq!(refusal(&[0xff; 256]), BlobError::Erased);
    assert_eq!(refusal(&[0xff; 3]), BlobError::Erased);
    assert_eq!(refusal(&[0; 256]), BlobError::Zeroed);
    assert_eq!(refusal(&[]), BlobError::NoHeader { got: 0 });
    let mut png = [1; 64];
    png[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    assert_eq!(refusal(&png), BlobError::Magic { got: *b"\x89PNG\r\n\x1a\n" });
    // A header that was written over flash which was not erased before.
    let mut half = full();
    half.get_mut()[at::PAYLOAD..].fill(0xff);
    assert!(matches!(refusal(half.get()), BlobError::PayloadCrc { .. }));
}

#[test]
fn newer_version_is_named_before_anything_else_is_read() {
    let mut bytes = full();
    bytes.put(at::VERSION, 7 | 3 << 16);
    bytes.put(at::TOTAL_LEN, u32::MAX);
    bytes.seal();
    assert_eq!(refusal(bytes.get()), BlobError::Version { got: 7 });
}

#[test]
fn blob_at_an_address_that_floats_cannot_be_read_from_is_refused() {
    let bytes = full();
    for offset in 0..16 {
        let mut memory = Aligned([0u8; 2048]);
        memory.0[offset..offset + bytes.len].copy_from_slice(bytes.get());
        let model = Model::<Net>::from_blob(&memory.0[offset..]);
        match offset % 4 {
            0 => assert_eq!(model.unwrap().params().len(), Net::PARAMS),
            _ => assert_eq!(model.unwrap_err(), BlobError::Misaligned { needed: 4 }),
        }
    }
}

#[test]
fn another_architecture_is_refused_at_the_first_layer_that_differs() {
    let bytes = full();
    fn error<N: FixedLayer + core::fmt::Debug>(bytes: &Bytes) -> BlobError {
        Model::<N>::from_blob(bytes.get()).unwrap_err()
    }
    let differs = |layer, expected, got| BlobError::Architecture { layer, expected, got };
    let (dense, relu) = (AnyLayer::dense, AnyLayer::relu);
    assert_eq!(error::<Mlp<7, 5, 3>>(&bytes), differs(0, Some(dense(7, 5)), Some(dense(6, 5))));
    assert_eq!(error::<Mlp<6, 5, 4>>(&bytes), differs(2, Some(dense(5, 4)), Some(dense(5, 3))));
    assert_eq!(
        error::<Chain<Dense<6, 5>, Dense<5, 3>>>(&bytes),
        differs(1, Some(dense(5, 3)), Some(relu(5)))
    );
    // The blob goes on where the program's network ends, and the other way round.
    assert_eq!(error::<Chain<Dense<6, 5>, Relu<5>>>(&bytes), differs(2, None, Some(dense(5, 3))));
    assert_eq!(error::<Chain<Net, Relu<3>>>(&bytes), differs(3, Some(relu(3)), None));
}

#[test]
fn blob_without_parameters_is_refused_for_that() {
    let mut bytes = full();
    bytes.put(at::SECTION_TABLE, 77); // of a kind that nobody asks for
    bytes.seal();
    assert_eq!(refusal(bytes.get()), BlobError::NoSection { what: "f32 parameters" });
}
