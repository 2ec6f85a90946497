//! Model files: whatever parses can be read, run and written again.

use aligned_vec::{AVec, ConstAlign};
use picomlp::blob::{Blob, BlobError, Contents, MAGIC, VERSION};
use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::{Error, Layer, Model, QuantizedModel, Sequential};

/// Where things stand, as `docs/blob-format.md` has it; not taken from the crate under test.
mod at {
    pub(super) const VERSION: usize = 8;
    pub(super) const LAYERS: usize = 10;
    pub(super) const TOTAL_LEN: usize = 12;
    pub(super) const SECTIONS: usize = 16;
    pub(super) const PAYLOAD_CRC: usize = 20;
    pub(super) const ARCHITECTURE: usize = 24;
    pub(super) const FINGERPRINT: usize = 32;
    pub(super) const HEADER_CRC: usize = 60;
}

const HEADER: usize = 64;
const ROW: usize = 16;
const PARAMS: u32 = 1;

/// Values in a network's input or workspace up to which it is run.
const MOST: usize = 1 << 16;

/// Bytes at an address that a blob may lie at.
pub(crate) type Bytes = AVec<u8, ConstAlign<16>>;

/// f32 models: as the bytes are, and again with lengths, checksums and fingerprints repaired.
pub fn blob(data: &[u8]) -> bool {
    each(data, |blob| match Model::<Sequential>::from_blob(blob) {
        Ok(model) => {
            run(&model, data);
            rewrite(&model);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    })
}

/// int8 models, likewise.
pub fn blob_int8(data: &[u8]) -> bool {
    each(data, |blob| match QuantizedModel::<Sequential>::from_blob(blob) {
        Ok(model) => {
            run_int8(&model, data);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    })
}

/// Hands over the bytes as they are and repaired, if they parse. Where they lie changes nothing but whether parameters can be
/// used in place.
fn each(data: &[u8], use_blob: impl Fn(&[u8]) -> bool) -> bool {
    let mut taken = false;
    let mut bytes = Bytes::from_slice(16, data);
    for _ in 0..2 {
        let parsed = Blob::parse(&bytes);
        let mut odd = Bytes::from_slice(16, &[0]);
        odd.extend_from_slice(&bytes);
        let moved = Blob::parse(&odd[1..]);
        match (parsed, moved) {
            (Ok(blob), Ok(moved)) => {
                assert!(blob.len() <= bytes.len() && blob.len() == moved.len());
                assert_eq!(
                    moved.params().err(),
                    match blob.params() {
                        Ok([]) => moved.params().err(),
                        Ok(_) => Some(BlobError::Misaligned { needed: 4 }),
                        Err(error) => Some(error),
                    }
                );
                describe(&blob);
                taken |= use_blob(&bytes);
            }
            (parsed, moved) => {
                assert_eq!(parsed.err(), moved.err());
            }
        }
        seal(&mut bytes);
    }
    taken
}

/// Everything that a blob says of itself.
fn describe(blob: &Blob<'_>) {
    let net = blob.network().unwrap();
    let names = blob.class_names().count();
    assert!(names == 0 || names == net.outputs());
    assert!(blob.input().is_none_or(|input| input.rows * input.cols == net.inputs()));
    let _ = (blob.version(), blob.checksums(), blob.fingerprint(), blob.provenance());
    let _ = (blob.architecture_fingerprint(), blob.loss_kind(), blob.is_empty());
    for test in [blob.self_test(), blob.int8_self_test()].into_iter().flatten() {
        for (pixels, expected) in test.vectors() {
            assert_eq!((pixels.len(), expected.count()), (net.inputs(), net.outputs()));
        }
    }
}

/// Inputs made of the data.
fn pixels(data: &[u8], inputs: usize) -> Vec<u8> {
    data.iter().rev().copied().cycle().take(inputs).collect()
}

/// Runs a model twice, in workspaces that hold different values before: the logits have the same bits. A network too large for
/// that gets a workspace that is too short, and has to say so.
fn run(model: &Model<'_, Sequential>, data: &[u8]) {
    let (inputs, needed) = (model.net().inputs(), model.net().infer_scratch(1));
    if inputs.max(needed) > MOST {
        let error = model.classify(&pixels(data, 1)[..], &mut []).unwrap_err();
        assert!(matches!(error, Error::BufferTooShort { .. } | Error::BufferLength { .. }));
        return;
    }
    let pixels = pixels(data, inputs);
    let [one, two] = [0.0, f32::NAN].map(|before| {
        let mut scratch = vec![before; needed];
        let logits = model.logits(&pixels[..], &mut scratch);
        logits.map(|logits| logits.iter().map(|logit| logit.to_bits()).collect::<Vec<_>>())
    });
    assert_eq!(one, two);
    let mut scratch = vec![0.0; needed];
    if let Err(error) = one {
        // Finite parameters may be so large that values overflow.
        assert!(is_not_finite(error));
        assert_eq!(model.classify(&pixels[..], &mut scratch), Err(error));
        return;
    }
    // One output tells two classes apart.
    assert!(model.classify(&pixels[..], &mut scratch).unwrap() < model.net().outputs().max(2));
    let mut probabilities = vec![0.0; model.net().outputs()];
    model.probabilities(&pixels[..], &mut probabilities, &mut scratch).unwrap();
    assert!(model.self_test(&mut scratch).err().is_none_or(is_not_finite));
    if let Some(short) = needed.checked_sub(1) {
        model.logits(&pixels[..], &mut scratch[..short]).unwrap_err();
    }
}

/// Returns true for the errors of inputs or outputs that overflow.
pub(crate) fn is_not_finite(error: Error) -> bool {
    matches!(error, Error::InputNotFinite { .. } | Error::OutputNotFinite { .. })
}

/// As [`run`]. No network here is too large: its parameters are in the input.
fn run_int8(model: &QuantizedModel<'_, Sequential>, data: &[u8]) {
    let pixels = pixels(data, model.net().inputs());
    let needed = model.scratch_len();
    let [one, two] = [0, i32::MIN].map(|before| {
        let mut scratch = vec![before; needed];
        model.logits(&pixels, &mut scratch).unwrap().to_vec()
    });
    assert_eq!(one, two);
    let mut scratch = vec![0; needed];
    assert!(model.classify(&pixels, &mut scratch).unwrap() < model.net().outputs().max(2));
    model.self_test(&mut scratch).unwrap();
    model.logits(&pixels, &mut scratch[..needed - 1]).unwrap_err();
    assert!(model.logit_step() > 0.0);
}

/// Writes what was read. The written blob says the same, and written once more it has the same bytes.
fn rewrite(model: &Model<'_, Sequential>) {
    let first = written(model);
    let again = Model::<Sequential>::from_blob(&first).unwrap();
    let bits = |model: &Model<'_, Sequential>| {
        model.params().iter().map(|param| param.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(&again), bits(model));
    assert_eq!(again.blob().input(), model.blob().input());
    let names = |model: &Model<'_, Sequential>| {
        model.blob().class_names().map(str::to_owned).collect::<Vec<_>>()
    };
    // One name without a letter takes no bytes: it is written as no name.
    assert!(names(&again) == names(model) || names(model) == [""]);
    assert_eq!(written(&again)[..], first[..]);
}

fn written(model: &Model<'_, Sequential>) -> Bytes {
    let blob = model.blob();
    let names: Vec<&str> = blob.class_names().collect();
    let (mut inputs, mut logits) = (vec![], vec![]);
    for (pixels, expected) in blob.self_test().iter().flat_map(|test| test.vectors()) {
        inputs.extend_from_slice(pixels);
        logits.extend(expected.map(f32::from_bits));
    }
    let contents = Contents {
        input: blob.input(),
        class_names: &names,
        provenance: blob.provenance(),
        self_test_inputs: &inputs,
        self_test_logits: &logits,
        ..Contents::new(model.net(), model.params())
    };
    let mut bytes = Bytes::new(16);
    let len = contents.write_pieces(|piece| bytes.extend_from_slice(piece)).unwrap();
    assert_eq!((len, contents.byte_len()), (bytes.len(), Ok(len)));
    bytes
}

/// Repairs what a reader checks before it looks at anything else: magic, version, length, checksums; and the fingerprints.
pub(crate) fn seal(bytes: &mut Bytes) {
    if bytes.len() < HEADER {
        return;
    }
    let u16_at = |bytes: &Bytes, at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |bytes: &Bytes, at: usize| {
        bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().unwrap()))
    };
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    let version = u16_at(bytes, at::VERSION).clamp(1, VERSION);
    bytes[at::VERSION..][..2].copy_from_slice(&version.to_le_bytes());
    let end = (u32_at(bytes, at::TOTAL_LEN) as usize).clamp(HEADER, bytes.len());
    bytes[at::TOTAL_LEN..][..4].copy_from_slice(&(end as u32).to_le_bytes());

    let layers = usize::from(u16_at(bytes, at::LAYERS));
    let sections = usize::from(u16_at(bytes, at::SECTIONS));
    let table = HEADER..HEADER + ROW * layers;
    let architecture = fnv1a(FNV_OFFSET, bytes.get(table.clone()).unwrap_or_default());
    bytes[at::ARCHITECTURE..][..8].copy_from_slice(&architecture.to_le_bytes());
    let rows = (0..sections).map(|row| table.end + ROW * row).take_while(|row| *row < end);
    let params = rows.into_iter().find(|row| u32_at(bytes, *row) == PARAMS).and_then(|row| {
        let [start, len] = [4, 8].map(|field| u32_at(bytes, row + field) as usize);
        bytes.get(start..start.checked_add(len)?)
    });
    let fingerprint = fnv1a(FNV_OFFSET, params.unwrap_or_default());
    bytes[at::FINGERPRINT..][..8].copy_from_slice(&fingerprint.to_le_bytes());

    let payload = crc32fast::hash(&bytes[HEADER..end]);
    bytes[at::PAYLOAD_CRC..][..4].copy_from_slice(&payload.to_le_bytes());
    let header = crc32fast::hash(&bytes[..at::HEADER_CRC]);
    bytes[at::HEADER_CRC..][..4].copy_from_slice(&header.to_le_bytes());
}
