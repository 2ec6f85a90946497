//! Random changes under checksums that are right.

use picomlp::blob::{Blob, BlobError, MAGIC};
use picomlp::{Error, Layer, Model, QuantizedModel, Sequential};

use super::sample::{Bytes, Net, at, full, full_int8};

/// Uses a blob that was taken in every way there is. May find it unusable, must not panic.
fn use_all(bytes: &[u8]) {
    let blob = Blob::parse(bytes).unwrap();
    blob.class_names().for_each(drop);
    let _ = (blob.len(), blob.version(), blob.checksums(), blob.fingerprint());
    let _ = (blob.input(), blob.input_map(), blob.split(), blob.provenance());
    let _ = blob.architecture_fingerprint();
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
        // A scale or a parameter that a mutation has made huge overflows, which is said.
        let said =
            |error| matches!(error, Error::InputNotFinite { .. } | Error::OutputNotFinite { .. });
        assert!(class.map_or_else(said, |class| class < model.net().outputs()));
        assert!(tested.map_or_else(said, |_| true));
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
    mutate(&full(), 6);
}

#[test]
fn twenty_thousand_mutations_of_an_int8_blob_are_refused_or_run() {
    mutate(&full_int8(), 8);
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
