//! A sound blob with every section, and its bytes to change.

use picomlp::blob::{
    Aligned, Contents, DataSplit, Input, InputKind, InputStats, Int8Contents, OptimizerKind,
    Preparation, Provenance,
};
use picomlp::{Batch, Init, InputMap, LossKind, Mlp, Network, QuantizedModel};

pub(super) type Net = Mlp<6, 5, 3>;

pub(super) const NAMES: [&str; 3] = ["Katze", "", "犬"];
pub(super) const SELF_TEST_PIXELS: [u8; 12] = [0, 255, 0, 7, 0, 0, 1, 2, 3, 4, 5, 255];
const MAP: InputMap = InputMap { scale: 0.25, shift: -0.5 };
/// As version 1 had it.
pub(super) const IMAGE: Input = Input::image(2, 3, MAP);
pub(super) const INPUT: Input = Input {
    kind: InputKind::Image,
    rows: 2,
    cols: 3,
    preparation: Preparation::MnistForm,
    max: Some(16),
    stats: Some(InputStats { mean: 2.5, deviation: 4.0, lowest: 0.5, highest: 9.0 }),
    map: MAP,
};
pub(super) const SPLIT: DataSplit = DataSplit {
    samples: 60_000,
    test: 10_000,
    validation: 5_000,
    merged: false,
    stratified: true,
    last: true,
    own_validation: false,
};
pub(super) const COMMAND: &str = "picomlp train --seed 1";

/// Where things stand, as `docs/blob-format.md` has it; not taken from the crate under test.
pub(super) mod at {
    pub(in crate::blob) const VERSION: usize = 8;
    pub(in crate::blob) const LAYERS: usize = 10;
    pub(in crate::blob) const TOTAL_LEN: usize = 12;
    pub(in crate::blob) const SECTIONS: usize = 16;
    pub(in crate::blob) const PAYLOAD_CRC: usize = 20;
    pub(in crate::blob) const HEADER_CRC: usize = 60;
    pub(in crate::blob) const PAYLOAD: usize = 64;
    /// Rows of 16 bytes; the blob of these tests has three layers and six sections.
    pub(in crate::blob) const LAYER_TABLE: usize = 64;
    pub(in crate::blob) const SECTION_TABLE: usize = 64 + 3 * 16;
    pub(in crate::blob) const FIRST_SECTION: usize = 64 + 9 * 16;
}

/// A copy of a blob at an aligned address, with room behind it.
pub(crate) struct Bytes {
    pub(super) memory: Box<Aligned<[u8; 2048]>>,
    pub(super) len: usize,
}

impl Bytes {
    pub(crate) fn new(blob: &[u8]) -> Self {
        let mut memory = Box::new(Aligned([0xff; 2048]));
        memory.0[..blob.len()].copy_from_slice(blob);
        Self { memory, len: blob.len() }
    }

    pub(crate) fn get(&self) -> &[u8] {
        &self.memory.0[..self.len]
    }

    pub(super) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.memory.0[..self.len]
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.get()[at..at + 4].try_into().unwrap())
    }

    pub(crate) fn put(&mut self, at: usize, word: u32) {
        self.get_mut()[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// Makes both checksums right again.
    pub(crate) fn seal(&mut self) {
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
fn crc32_gives_the_check_value_of_its_catalogue() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

pub(super) fn params() -> Vec<f32> {
    let mut params = vec![0.0; Net::PARAMS];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    params
}

pub(super) fn self_test_logits() -> [f32; 6] {
    let mut logits = [0.0; 6];
    let mut scratch = [0.0; Net::infer_scratch(2)];
    let x = Batch::rows(&SELF_TEST_PIXELS, 6).unwrap().with_map(INPUT.map);
    Net::default().forward(&params(), x, &mut logits, &mut scratch).unwrap();
    logits
}

pub(super) fn provenance() -> Provenance<'static> {
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
        test_measure: 0.975,
        loss: LossKind::CrossEntropy,
        command: COMMAND,
    }
}

/// A blob with every section but those of int8.
pub(super) fn full() -> Bytes {
    written(None)
}

/// A blob with every section there is.
pub(super) fn full_int8() -> Bytes {
    const RANGES: Int8Contents<'_> = Int8Contents::new(&[1.5]).keep_f32(true);
    let bytes = written(Some(RANGES));
    let model = QuantizedModel::<Net>::from_blob(bytes.get()).unwrap();
    let mut scratch = [0; Net::INT8_SCRATCH];
    let logits =
        SELF_TEST_PIXELS.chunks(6).flat_map(|x| model.logits(x, &mut scratch).unwrap().to_vec());
    let logits: Vec<i32> = logits.collect();
    written(Some(RANGES.self_test(&logits)))
}

pub(super) fn written(int8: Option<Int8Contents<'_>>) -> Bytes {
    let (params, logits) = (params(), self_test_logits());
    let contents = Contents {
        threshold: None,
        self_test_features: &[],
        net: &Net::default(),
        params: &params,
        head: &[],
        input: Some(INPUT),
        features: &[],
        targets: None,
        class_names: &NAMES,
        names_of: None,
        provenance: Some(provenance()),
        split: Some(SPLIT),
        reading: &[],
        fill: &[],
        self_test_inputs: &SELF_TEST_PIXELS,
        self_test_logits: &logits,
        self_test_layers: &[],
        checkpoint: None,
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
