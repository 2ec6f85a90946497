//! What the firmware programs compute, computed on this machine: the bits must be the same.

use std::fs;
use std::process::Command;

use aligned_vec::{AVec, ConstAlign};
use anyhow::{Context, Result, ensure};
use picomlp::blob::Contents;
use picomlp::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use picomlp::{
    Adam, Buffers, Chain, Dense, Init, IntoBatch, Layer, Loss, Mlp, Model, Network, QuantizedModel,
    Relu, Sequential, Sgd, StoredSamples, Trainer,
};

use picomlp_fixtures::digits::draw;
use picomlp_tests::monitor_run::{self, FLASH};

use crate::inputs::{self, PIXELS};
use crate::mnist::picomlp;
use crate::run::{read, root};

type Wide = Mlp<PIXELS, 128, 10>;
type Small = Mlp<PIXELS, 32, 10>;

fn input(name: &str) -> Result<Vec<u8>> {
    let path = inputs::folder().join(name);
    fs::read(&path).with_context(|| path.display().to_string())
}

/// `infer`: the logits of the first 100 test pictures.
pub(crate) fn infer(printed: &str) -> Result<()> {
    let blob = aligned(&input("model.pmlp")?);
    let model = Model::<Wide>::from_blob(&blob)?;
    let images = input("test-images.bin")?;
    let (mut logits, mut scratch) = ([0.0; Wide::OUTPUTS], [0.0; Wide::INFER_SCRATCH]);
    let mut hash = FNV_OFFSET;
    for image in images.chunks_exact(PIXELS).take(100) {
        let pixels = model.read(image.into_batch(PIXELS)?);
        model.net().forward(model.params(), pixels, &mut logits, &mut scratch)?;
        hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
    }
    same_fingerprint(printed, hash)
}

/// `train`: two passes over the digits, batch 1; and the blob that the device has written.
pub(crate) fn train(printed: &str) -> Result<()> {
    let (images, labels) = (input("train-images.bin")?, input("train-labels.bin")?);
    let mut params = vec![0.0; Small::PARAMS];
    let mut scratch = vec![0.0; Small::train_scratch(1)];
    let net = Small::default();
    net.init(&mut params, Init::He, 1)?;
    let mut trainer = Trainer::new(
        net,
        Sgd::new(0.02),
        Buffers { params: &mut params, state: &mut [0.0; 0], workspace: &mut scratch },
    )?;
    for _ in 0..2 {
        trainer.train_epoch(&mut StoredSamples::<PIXELS>::new(images.as_chunks().0, &labels))?;
    }
    let expected = fingerprint(&params);
    same_fingerprint(printed, expected)?;
    written_blob(printed, expected)
}

/// Reads the device's blob, whose parameters must have this fingerprint.
fn written_blob(printed: &str, expected: u64) -> Result<()> {
    let hex: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix(BLOB)).collect();
    let bytes = from_hex(&hex.concat()).context("the device's blob is no hexadecimal number")?;
    let bytes = aligned(&bytes);
    let model = Model::<Small>::from_blob(&bytes).context("the device's blob")?;
    let got = fingerprint(model.params());
    ensure!(
        got == expected,
        "the device's blob has the fingerprint {got:016x}, this machine computes {expected:016x}"
    );
    Ok(())
}

/// `head`: one pass with either base, and the blob of base and head.
pub(crate) fn head(printed: &str) -> Result<()> {
    type Base = Chain<Dense<PIXELS, 32>, Relu<32>>;
    let (images, labels) = (input("train-images.bin")?, input("train-labels.bin")?);
    let samples = || images.as_chunks::<PIXELS>().0.iter().zip(&labels);
    let blob = aligned(&input("base.pmlp")?);
    let model = Model::<Small>::from_blob(&blob)?;
    let (frozen, _) = model.params().split_at(Base::PARAMS);
    let f32 = train_head(Dense::<32, 10>::default(), samples(), |image, to| {
        let image = model.read(image.into_batch(PIXELS)?);
        Base::default().forward(frozen, image, to, &mut [])
    })?;
    same_fingerprint(printed, fingerprint(&f32))?;
    let expected = fingerprint(&[frozen, &f32].concat());
    written_blob(printed, expected)?;

    let blob = aligned(&input("base-hidden-int8.pmlp")?);
    let model = QuantizedModel::<Dense<PIXELS, 32>>::from_blob(&blob)?;
    let mut scratch = vec![0; model.scratch_len()];
    let head = Chain::<Relu<32>, Dense<32, 10>>::default();
    let int8 = train_head(head, samples(), |image, to| model.features(image, to, &mut scratch))?;
    same_fingerprint(printed, fingerprint(&int8))
}

fn train_head<'a, N: Layer>(
    net: N,
    samples: impl Iterator<Item = (&'a [u8; PIXELS], &'a u8)>,
    mut base: impl FnMut(&[u8; PIXELS], &mut [f32]) -> Result<(), picomlp::Error>,
) -> Result<Vec<f32>> {
    let (mut params, workspace) = (vec![0.0; net.params()], vec![0.0; net.train_scratch(1)]);
    net.init(&mut params, Init::He, 1)?;
    let buffers = Buffers { params, state: Vec::new(), workspace };
    let mut trainer = Trainer::new(net, Sgd::new(0.02), buffers)?;
    let mut features = [0.0; 32];
    for (image, label) in samples {
        base(image, &mut features)?;
        trainer.step(&features[..], &[*label])?;
    }
    Ok(trainer.into_parts().2.params)
}

/// What a line of the device's blob begins with; 64 bytes in hexadecimal follow.
pub(crate) const BLOB: &str = "blob ";

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// `int8` and `int8_small`: classes and logits of the first 100 test pictures.
pub(crate) fn int8(printed: &str, model: &str) -> Result<()> {
    let blob = aligned(&input(&format!("{model}.pmlp"))?);
    let model = QuantizedModel::<Sequential>::from_blob(&blob)?;
    let mut scratch = vec![0; model.scratch_len()];
    let (mut classes, mut hash) = (String::new(), FNV_OFFSET);
    for pixels in input("test-images.bin")?.chunks_exact(PIXELS).take(100) {
        classes += &model.classify(pixels, &mut scratch)?.to_string();
        let logits = model.logits(pixels, &mut scratch)?;
        hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
    }
    let same = printed.lines().any(|line| line == classes);
    ensure!(same, "this machine finds the classes {classes}, the device did not");
    same_fingerprint(printed, hash)
}

/// Whether the mean that a program has counted is within its budget.
pub(crate) fn instructions_at_most(printed: &str, start: &str, most: u32) -> Result<()> {
    let line = printed.lines().find_map(|line| line.strip_prefix(start));
    let count: u32 = line.context("no count was printed")?.parse()?;
    ensure!(count <= most, "{start}{count}, at most {most} are allowed");
    Ok(())
}

/// What each call may take in the mean: instructions by the start of its line.
const BUDGETS: [(&str, u32); 4] = [
    ("f32 inference, 784-128-10:", 48_000),
    ("SGD step, 784-32-10, batch 1:", 35_000),
    ("SGD step, 784-128-10, batch 1:", 104_000),
    ("Adam step, 784-32-10, batch 1:", 500_000),
];

/// Whether the means that `bench` has counted are within their budgets.
pub(crate) fn bench(printed: &str) -> Result<()> {
    for (call, most) in BUDGETS {
        let line = printed.lines().find_map(|line| line.strip_prefix(call));
        let count = line.and_then(|line| line.trim().split(' ').next());
        let count: u32 = count.with_context(|| format!("{call} no count was printed"))?.parse()?;
        ensure!(count <= most, "{call} {count} instructions, at most {most} are allowed");
    }
    Ok(())
}

/// The same bytes at an address that a blob may lie at.
fn aligned(bytes: &[u8]) -> AVec<u8, ConstAlign<16>> {
    AVec::from_slice(16, bytes)
}

/// `features`: classes and logits of the test flowers, in f32 and in int8.
pub(crate) fn features(printed: &str) -> Result<()> {
    let blob = aligned(&input("iris.pmlp")?);
    let (model, int8) =
        (Model::<Sequential>::from_blob(&blob)?, QuantizedModel::<Sequential>::from_blob(&blob)?);
    let (mut floats, mut ints) =
        (vec![0.0; model.net().infer_scratch(1)], vec![0; int8.scratch_len()]);
    let (mut classes, mut hashes) = ([String::new(), String::new()], [FNV_OFFSET; 2]);
    for flower in floats_of(&input("iris-test.bin")?).chunks_exact(4) {
        classes[0] += &model.classify(flower, &mut floats)?.to_string();
        let logits = model.logits(flower, &mut floats)?;
        hashes[0] = logits.iter().fold(hashes[0], |hash, z| fnv1a(hash, &z.to_le_bytes()));
        let mut inputs = [0; 4];
        int8.read_features(flower, &mut inputs)?;
        classes[1] += &int8.classify(&inputs, &mut ints)?.to_string();
        let logits = int8.logits(&inputs, &mut ints)?;
        hashes[1] = logits.iter().fold(hashes[1], |hash, z| fnv1a(hash, &z.to_le_bytes()));
    }
    for (classes, hash) in classes.iter().zip(hashes) {
        ensure!(
            printed.lines().any(|line| line == classes),
            "this machine finds the classes {classes}"
        );
        same_fingerprint(printed, hash)?;
    }
    Ok(())
}

/// Instructions of `ad`'s parts at most, with either way to multiply and add.
const AD_INSTRUCTIONS: [(&str, u32); 3] =
    [("f32", 500_000), ("int8 with its inputs", 320_000), ("SGD step, batch 1", 2_200_000)];

/// `ad`: the outputs of all windows, the score that is published for the clip, and parameters after some steps.
pub(crate) fn ad(printed: &str) -> Result<()> {
    let blob = aligned(&input("ad.pmlp")?);
    let model = Model::<Sequential>::from_blob(&blob)?;
    let int8_blob = aligned(&input("ad-int8.pmlp")?);
    let int8 = QuantizedModel::<Sequential>::from_blob(&int8_blob)?;
    let net = model.net();
    let mut scratch = vec![0.0; net.infer_scratch(1)];
    let (mut bytes, mut ints) = (vec![0; net.inputs()], vec![0; int8.scratch_len()]);
    let buffers = Buffers {
        params: model.params().to_vec(),
        state: Vec::new(),
        workspace: vec![0.0; net.train_scratch(1)],
    };
    let trainer = Trainer::new(net.clone(), Sgd::new(1e-6), buffers)?;
    let mut trainer = trainer.with_loss(Loss::MEAN_SQUARED_ERROR)?;
    let mut hashes = [FNV_OFFSET; 2];
    let clip = floats_of(&input("ad-clip.bin")?);
    for (i, window) in clip.windows(net.inputs()).step_by(inputs::AD_FRAME).enumerate() {
        int8.read_features(window, &mut bytes)?;
        let logits = int8.logits(&bytes, &mut ints)?.iter();
        let near: Vec<_> = logits.map(|logit| *logit as f32 * int8.logit_step()).collect();
        for (hash, y) in hashes.iter_mut().zip([model.logits(window, &mut scratch)?, &near]) {
            *hash = y.iter().fold(*hash, |hash, y| fnv1a(hash, &y.to_le_bytes()));
        }
        if i < 20 {
            trainer.step(window, window)?;
        }
    }
    ensure!(printed.contains("f32: score in ten thousandths 97071,"), "it was published as 9.7071");
    for (name, most) in AD_INSTRUCTIONS {
        instructions_at_most(printed, &format!("measured {name}: instructions: "), most)?;
    }
    let trained = fingerprint(trainer.params());
    hashes.into_iter().chain([trained]).try_for_each(|hash| same_fingerprint(printed, hash))
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

/// `monitor`: the scores of all windows; and the device's log, replayed by `picomlp replay` as a user does.
pub(crate) fn monitor(printed: &str) -> Result<()> {
    let outcome = monitor_run::run(&mut [0; FLASH as usize], |monitor, x| monitor.observe(x));
    same_fingerprint(printed, outcome.map_err(anyhow::Error::msg)?.hash)?;

    let folder = root().join("target/firmware");
    let (log, model) = (folder.join("monitor.csv"), folder.join("monitor.pmlp"));
    let lines: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix(LOG)).collect();
    fs::write(&log, lines.join("\n"))?;
    let trainer = monitor_run::fresh().context("the buffers")?;
    let mut blob = Vec::new();
    Contents::new(trainer.net(), trainer.params()).write_pieces(|piece| blob.extend(piece))?;
    fs::write(&model, blob)?;
    let mut replay = Command::new(picomlp("", &["--release"])?);
    replay.arg("replay").arg(&log).arg("--device-model").arg(&model);
    print!("{}", read(replay)?);
    Ok(())
}

/// `ticks`: 25 steps on batches of four digits, whole here, in slices there; and none of its ticks late.
pub(crate) fn ticks(printed: &str) -> Result<()> {
    let mut params = vec![0.0; Small::PARAMS];
    let net = Small::default();
    net.init(&mut params, Init::He, 1)?;
    let buffers = Buffers {
        params: &mut params[..],
        state: vec![0.0; Adam::state_len(Small::PARAMS)],
        workspace: vec![0.0; Small::train_scratch(4)],
    };
    let mut trainer = Trainer::new(net, Adam::new(1e-3), buffers)?;
    for step in 0..25 {
        let (mut images, mut labels) = ([[0; PIXELS]; 4], [0; 4]);
        for (index, (image, label)) in (4 * step..).zip(images.iter_mut().zip(&mut labels)) {
            *label = (index % 10) as u8;
            draw(*label, index, image);
        }
        trainer.step(&images, &labels)?;
    }
    ensure!(printed.contains("slices: ticks that were late: 0\n"), "a tick was late");
    same_fingerprint(printed, fingerprint(&params))
}

/// What a line of a monitor's log begins with.
pub(crate) const LOG: &str = "log ";

fn same_fingerprint(printed: &str, expected: u64) -> Result<()> {
    let expected = format!("{expected:016x}");
    ensure!(
        printed.split_whitespace().any(|word| word == expected),
        "this machine computes {expected}, the device did not print that"
    );
    Ok(())
}
