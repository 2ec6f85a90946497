//! Blobs that are damaged, foreign or hostile, through the public API.

use picomlp::blob::{
    Aligned, Blob, BlobError, Contents, Input, Int8Contents, MAGIC, OptimizerKind, Provenance,
    VERSION,
};
use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::{
    AnyLayer, Batch, BatchNorm, Chain, Dense, DenseNoBias, Dropout, Error, FixedLayer, Init,
    InputMap, Layer, LayerNorm, LeakyRelu, LossKind, Mlp, Model, Network, QuantizedModel, Relu,
    Sequential, Sigmoid, Tanh,
};

type Net = Mlp<6, 5, 3>;

const NAMES: [&str; 3] = ["Katze", "", "犬"];
const SELF_TEST_PIXELS: [u8; 12] = [0, 255, 0, 7, 0, 0, 1, 2, 3, 4, 5, 255];
const INPUT: Input = Input { rows: 2, cols: 3, map: InputMap { scale: 0.25, shift: -0.5 } };
const COMMAND: &str = "picomlp train --seed 1";

/// Where things stand, as `docs/blob-format.md` has it; not taken from the crate under test.
mod at {
    pub(super) const VERSION: usize = 8;
    pub(super) const LAYERS: usize = 10;
    pub(super) const TOTAL_LEN: usize = 12;
    pub(super) const SECTIONS: usize = 16;
    pub(super) const PAYLOAD_CRC: usize = 20;
    pub(super) const HEADER_CRC: usize = 60;
    pub(super) const PAYLOAD: usize = 64;
    /// Rows of 16 bytes; the blob of these tests has three layers and five sections.
    pub(super) const LAYER_TABLE: usize = 64;
    pub(super) const SECTION_TABLE: usize = 64 + 3 * 16;
    pub(super) const FIRST_SECTION: usize = 64 + 8 * 16;
}

/// A copy of a blob at an aligned address, with room behind it.
struct Bytes {
    memory: Box<Aligned<[u8; 2048]>>,
    len: usize,
}

impl Bytes {
    fn new(blob: &[u8]) -> Self {
        let mut memory = Box::new(Aligned([0xff; 2048]));
        memory.0[..blob.len()].copy_from_slice(blob);
        Self { memory, len: blob.len() }
    }

    fn get(&self) -> &[u8] {
        &self.memory.0[..self.len]
    }

    fn get_mut(&mut self) -> &mut [u8] {
        &mut self.memory.0[..self.len]
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.get()[at..at + 4].try_into().unwrap())
    }

    fn put(&mut self, at: usize, word: u32) {
        self.get_mut()[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// Makes both checksums right again.
    fn seal(&mut self) {
        let end = (self.u32(at::TOTAL_LEN) as usize).min(self.len);
        let payload = crc32(self.get().get(at::PAYLOAD..end).unwrap_or_default());
        self.put(at::PAYLOAD_CRC, payload);
        let header = crc32(&self.get()[..at::HEADER_CRC]);
        self.put(at::HEADER_CRC, header);
    }
}

/// CRC-32 as in zip, bit by bit: polynomial 0x04C11DB7 reflected.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

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
fn crc32_gives_the_check_value_of_its_catalogue() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

fn params() -> Vec<f32> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    params
}

fn self_test_logits() -> [f32; 6] {
    let mut logits = [0.0; 6];
    let mut scratch = [0.0; Net::infer_scratch(2)];
    let x = Batch::rows(&SELF_TEST_PIXELS, 6).unwrap().with_map(INPUT.map);
    Net::default().forward(&params(), x, &mut logits, &mut scratch).unwrap();
    logits
}

fn provenance() -> Provenance<'static> {
    Provenance {
        seed: u64::MAX - 1,
        steps: 1 << 40,
        data_fingerprint: 0x0123_4567_89ab_cdef,
        optimizer: OptimizerKind::Adam,
        learning_rate: 1e-3,
        batch_size: 64,
        epochs: 5,
        train_samples: 60_000,
        test_samples: 10_000,
        test_accuracy: 0.975,
        loss: LossKind::CrossEntropy,
        command: COMMAND,
    }
}

/// A blob with every section but those of int8.
fn full() -> Bytes {
    written(None)
}

/// A blob with every section there is.
fn full_int8() -> Bytes {
    const RANGES: Int8Contents<'_> = Int8Contents::new(&[1.5]).keep_f32(true);
    let bytes = written(Some(RANGES));
    let model = QuantizedModel::<Net>::from_blob(bytes.get()).unwrap();
    let mut scratch = [0; Net::INT8_SCRATCH];
    let logits =
        SELF_TEST_PIXELS.chunks(6).flat_map(|x| model.logits(x, &mut scratch).unwrap().to_vec());
    let logits: Vec<i32> = logits.collect();
    written(Some(RANGES.self_test(&logits)))
}

fn written(int8: Option<Int8Contents<'_>>) -> Bytes {
    let (params, logits) = (params(), self_test_logits());
    let contents = Contents {
        net: &Net::default(),
        params: &params,
        input: Some(INPUT),
        class_names: &NAMES,
        provenance: Some(provenance()),
        self_test_inputs: &SELF_TEST_PIXELS,
        self_test_logits: &logits,
        self_test_layers: &[],
        int8,
    };
    let mut blob = vec![];
    let len = contents.write_pieces(|piece| blob.extend_from_slice(piece)).unwrap();
    assert_eq!((len, len), (blob.len(), contents.byte_len().unwrap()));
    let mut written = [0xee; 2048];
    assert_eq!(contents.write(&mut written), Ok(len));
    assert_eq!(written[..len], blob);
    assert!(written[len..].iter().all(|byte| *byte == 0xee));
    Bytes::new(&blob)
}

fn refusal(bytes: &[u8]) -> BlobError {
    Blob::parse(bytes).expect_err("a damaged blob was taken")
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
    let start = bytes.u32(at::SECTION_TABLE + 16 * 6 + 4) as usize;
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
    let (int8, int8_test) = (1, 6);
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

/// The format as it was first written: later versions must still read this file, and version 1 must still write it.
/// `PICOMLP_RENEW_GOLDEN=1 cargo test -p picomlp-tests golden_file` writes it anew, which needs a new format version.
#[test]
fn golden_file_is_included_aligned_read_in_place_and_written_again_byte_for_byte() {
    if std::env::var_os("PICOMLP_RENEW_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/version-1.pmlp");
        std::fs::write(path, full().get()).unwrap();
    }
    static GOLDEN: &Aligned<[u8]> = picomlp::include_model!("../golden/version-1.pmlp");
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

/// A network of every kind of layer that a blob may hold, and dropout, which it leaves out.
type Kinds = Chain<
    Chain<
        Chain<DenseNoBias<6, 5>, LayerNorm<5>>,
        Chain<LeakyRelu<5, { 0.2f32.to_bits() }>, Dropout<5>>,
    >,
    Chain<Chain<Dense<5, 4>, Tanh<4>>, Chain<Dense<4, 3>, Sigmoid<3>>>,
>;

#[test]
fn every_kind_of_layer_is_written_and_read_again_with_its_settings_and_gives_the_same_bits() {
    let net = Kinds::default();
    let mut params = vec![0.0; Kinds::PARAMS];
    net.init(&mut params, Init::Xavier, 4).unwrap();
    let mut buffer = Aligned([0; 1024]);
    let contents = Contents {
        provenance: Some(Provenance { loss: LossKind::SquaredError, ..provenance() }),
        ..Contents::new(&net, &params)
    };
    let len = contents.write(&mut buffer.0).unwrap();
    let fixed = Model::<Kinds>::from_blob(&buffer[..len]).unwrap();
    let free = Model::<Sequential>::from_blob(&buffer[..len]).unwrap();
    let kinds: Vec<String> = free.net().layers().iter().map(ToString::to_string).collect();
    let expected = [
        "dense 6→5, no bias",
        "layer-norm 5→5, epsilon 0.00001",
        "leaky-relu 5→5, slope 0.2",
        "dense 5→4",
        "tanh 4→4",
        "dense 4→3",
        "sigmoid 3→3",
    ];
    assert_eq!(kinds, expected);
    let (mut a, mut b, mut c) = ([0.0; 3], [0.0; 3], [0.0; 3]);
    let x = [9u8, 200, 0, 7, 0, 255];
    let mut scratch = [0.0; Kinds::INFER_SCRATCH];
    fixed.probabilities(&x, &mut a, &mut scratch).unwrap();
    free.probabilities(&x, &mut b, &mut scratch).unwrap();
    assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits));
    // Trained on squared error, the outputs are read as probabilities themselves.
    net.forward(&params, &x, &mut c, &mut scratch).unwrap();
    let sum = c[0] + c[1] + c[2];
    assert_eq!(a, c.map(|c| c / sum));
    // Another slope is another network.
    type Other = Chain<Chain<DenseNoBias<6, 5>, LayerNorm<5>>, LeakyRelu<5>>;
    let error = Model::<Other>::from_blob(&buffer[..len]).unwrap_err();
    let expected = "at layer 2 the program has leaky-relu 5→5, slope 0.01, the model leaky-relu 5→5, slope 0.2";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn settings_that_make_no_sense_and_unknown_kinds_are_refused() {
    let net = Kinds::default();
    let params = vec![0.0; Kinds::PARAMS];
    let mut buffer = Aligned([0; 1024]);
    let len = Contents::new(&net, &params).write(&mut buffer.0).unwrap();
    let cases = [
        (1, 3, 0.0f32.to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (2, 3, f32::NAN.to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (2, 3, (-0.5f32).to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (4, 1, 3, "an activation or a normalisation changes its width"),
        (4, 0, 8, "it has a layer of an unknown kind"),
    ];
    for (layer, field, word, what) in cases {
        let mut bytes = Bytes::new(&buffer[..len]);
        bytes.put(at::LAYER_TABLE + 16 * layer + 4 * field, word);
        bytes.seal();
        assert_eq!(Blob::parse(bytes.get()).unwrap_err(), BlobError::Malformed { what });
    }
}

#[test]
fn batch_normalisation_must_be_folded_before_it_is_written() {
    let net = Chain(Dense::<6, 5>::default(), BatchNorm::<5>::default());
    let mut params = vec![0.0; net.params()];
    let error = Contents::new(&net, &params).write(&mut [0; 1024]).unwrap_err();
    assert!(error.to_string().contains("Network::fold"), "{error}");
    let (folded, params) = net.fold(&mut params).unwrap();
    assert!(Contents::new(&folded, params).write(&mut [0; 1024]).is_ok());
}

#[test]
fn blob_followed_by_erased_flash_is_read() {
    let bytes = full();
    assert_eq!(Blob::parse(&bytes.memory.0).unwrap().len(), bytes.len);
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
    assert!(Blob::parse(bytes.get()).is_ok());
    let error = Model::<Net>::from_blob(bytes.get()).unwrap_err();
    assert_eq!(error, BlobError::NoSection { what: "f32 parameters" });
}

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

/// Uses a blob that was taken in every way there is. May find it unusable, must not panic.
fn use_all(bytes: &[u8]) {
    let blob = Blob::parse(bytes).unwrap();
    blob.class_names().for_each(drop);
    let _ = (blob.len(), blob.version(), blob.checksums(), blob.fingerprint());
    let _ = (blob.input(), blob.provenance(), blob.architecture_fingerprint());
    if let Some(test) = blob.self_test() {
        test.vectors().for_each(|(_, bits)| bits.for_each(drop));
    }
    if let Ok(model) = Model::<Net>::from_blob(bytes) {
        run(&model);
    }
    if let Ok(model) = Model::<Sequential>::from_blob(bytes) {
        run(&model);
    }
    if let Ok(model) = QuantizedModel::<Net>::from_blob(bytes) {
        run_int8(&model);
    }
    if let Ok(model) = QuantizedModel::<Sequential>::from_blob(bytes) {
        run_int8(&model);
    }
}

/// Classifies; a network too large for this test gets a scratch that is too short, and has to say so.
fn run<N: Layer>(model: &Model<'_, N>) {
    const MOST: usize = 1 << 16;
    let (inputs, needed) = (model.net().inputs(), model.net().infer_scratch(1));
    let pixels = vec![200u8; inputs.min(MOST)];
    let mut scratch = vec![f32::NAN; needed.min(MOST)];
    let class = model.classify(pixels.as_slice(), &mut scratch);
    let tested = model.self_test(&mut scratch);
    if inputs.max(needed) <= MOST {
        assert!(class.unwrap() < model.net().outputs());
        tested.unwrap();
    } else {
        assert!(matches!(class, Err(Error::BufferTooShort { .. } | Error::BufferLength { .. })));
    }
}

/// As [`run`]. No network here is too large: its int8 parameters are in the blob.
fn run_int8<N: Layer>(model: &QuantizedModel<'_, N>) {
    let pixels = vec![200u8; model.net().inputs()];
    let mut scratch = vec![i32::MIN; model.scratch_len()];
    assert!(model.classify(&pixels, &mut scratch).unwrap() < model.net().outputs());
    model.self_test(&mut scratch).unwrap();
}

/// The generator of the fixtures gives floats; this test wants words.
struct Random(picomlp::rng::Stream);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(bound)
    }

    /// A word that may do harm where `old` stood.
    fn word(&mut self, old: u32) -> u32 {
        match self.below(10) {
            0 => u32::MAX - self.below(20),
            1 => self.below(u32::MAX),
            2 => old ^ 1 << self.below(32),
            3 => old.wrapping_add(self.below(33)).wrapping_sub(16),
            4 => old.wrapping_mul(2),
            5 => 1 << self.below(32),
            6 => 16 * self.below(64),
            7 => (1 << 30) + self.below(4),
            _ => self.below(8),
        }
    }
}

#[test]
fn twenty_thousand_mutations_under_right_checksums_are_refused_or_run() {
    mutate(&full(), 5);
}

#[test]
fn twenty_thousand_mutations_of_an_int8_blob_are_refused_or_run() {
    mutate(&full_int8(), 7);
}

fn mutate(sound: &Bytes, sections: usize) {
    let first_section = at::SECTION_TABLE + 16 * sections;
    let stream = picomlp::rng::Stream::new(2024, picomlp::rng::Purpose::Shuffle, 0);
    let mut random = Random(stream);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = Bytes::new(sound.get());
        for _ in 0..1 + random.below(3) {
            // Header and tables four times out of five, then anywhere.
            let words = if random.below(5) > 0 { first_section } else { bytes.len } as u32 / 4;
            let at = 4 * random.below(words) as usize;
            if at < MAGIC.len() {
                continue;
            }
            match random.below(8) {
                // Another row in place of this one: kinds twice, sections over each other.
                0 if at >= at::LAYER_TABLE => {
                    let from = at::LAYER_TABLE + 16 * random.below(3 + sections as u32) as usize;
                    let to = at::LAYER_TABLE + (at - at::LAYER_TABLE) / 16 * 16;
                    bytes.get_mut().copy_within(from..from + 16, to.min(sound.len - 16));
                }
                // Half a word: the counts of layers and sections.
                1 => {
                    let half = random.below(70) << (16 * random.below(2));
                    let word = bytes.u32(at);
                    bytes.put(at, word & 0xffff_0000 | half & 0xffff | half);
                }
                _ => {
                    let word = random.word(bytes.u32(at));
                    bytes.put(at, word);
                }
            }
        }
        if random.below(10) == 0 {
            bytes.len -= 4 * random.below(40) as usize;
        }
        bytes.seal();
        match Blob::parse(bytes.get()) {
            Ok(_) => {
                taken += 1;
                use_all(bytes.get());
            }
            Err(error) => {
                refused += 1;
                assert!(!matches!(
                    error,
                    BlobError::HeaderCrc { .. } | BlobError::PayloadCrc { .. }
                ));
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    // A mutator that is always refused, or never, tests nothing.
    assert!(taken > 1000 && refused > 5000, "{taken} taken, {refused} refused");
}
