//! MLPerf Tiny's anomaly detection: its reference network and one clip of its benchmark set, in f32 and in int8.
//!
//! The data is not part of the repository: it is read from `../shared/mlperf-ad`, or from where `PICOMLP_MLPERF_AD` says.

use std::path::PathBuf;

use picomlp::blob::{Aligned, Contents, Int8Contents};
use picomlp::layers::trace;
use picomlp::{AnyLayer, Batch, Layer, Loss, Model, Network, QuantizedModel, Sequential};

const WIDTHS: [usize; 11] = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640];
const INPUTS: usize = 640;
/// The published score of the clip, 9.70710781339692, and what the weights give in f64, 9.707106678, agree to five digits.
const SCORE: f64 = 9.707107;

/// The folder with the data, if it is there.
fn folder() -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let named = std::env::var_os("PICOMLP_MLPERF_AD").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root.join("../shared/mlperf-ad"));
    let is_there = folder.join("ad01-f32.npz").is_file();
    if !is_there {
        println!("not checked: there is no ad01-f32.npz in {}", folder.display());
    }
    is_there.then_some(folder)
}

/// The f32 values of an array in an archive of NumPy's that is not compressed: a zip's directory, its entry, an `.npy` header.
fn stored(archive: &[u8], name: &str) -> Vec<f32> {
    let number = |at: usize, len: usize| {
        archive[at..at + len].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
    };
    let end = archive.windows(4).rposition(|word| word == b"PK\x05\x06").unwrap();
    let mut entry = number(end + 16, 4);
    loop {
        assert_eq!(&archive[entry..entry + 4], b"PK\x01\x02", "no {name}");
        let name_len = number(entry + 28, 2);
        if &archive[entry + 46..][..name_len] == name.as_bytes() {
            break;
        }
        entry += 46 + name_len + number(entry + 30, 2) + number(entry + 32, 2);
    }
    assert_eq!(number(entry + 10, 2), 0, "{name} is compressed");
    let (size, local) = (number(entry + 24, 4), number(entry + 42, 4));
    let start = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    let header = start + 10 + number(start + 8, 2);
    let (words, _) = archive[header..start + size].as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// The parameters, from PyTorch's order: `[out][in]` becomes `[in][out]`.
fn params(folder: &std::path::Path) -> Vec<f32> {
    let archive = std::fs::read(folder.join("ad01-f32.npz")).unwrap();
    let read = |name: String| stored(&archive, &format!("{name}.npy"));
    let mut params = vec![];
    for (i, pair) in WIDTHS.windows(2).enumerate() {
        let weights = read(format!("{i}.weight"));
        params.extend((0..pair[0]).flat_map(|x| weights[x..].iter().step_by(pair[0]).copied()));
        params.extend(read(format!("{i}.bias")));
    }
    params
}

/// 196 windows of five frames of 128 values.
fn windows(folder: &std::path::Path) -> Vec<f32> {
    let bytes = std::fs::read(folder.join("normal_id_01_00000000_hist_librosa.bin")).unwrap();
    let (words, _) = bytes.as_chunks::<4>();
    let frames: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    frames.windows(INPUTS).step_by(128).flatten().copied().collect()
}

/// The mean over windows and values of `(x - y)²`.
fn score(x: &[f32], y: &[f32]) -> f64 {
    let squares = x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
    squares.sum::<f64>() / x.len() as f64
}

#[test]
fn mlperf_anomaly_detection_scores_its_clip_as_published_in_f32_and_nearly_so_in_int8() {
    let Some(folder) = folder() else { return };
    let (params, x) = (params(&folder), windows(&folder));
    let net = Sequential::mlp(&WIDTHS).unwrap();
    let samples = x.len() / INPUTS;
    assert_eq!((net.params(), samples), (265_864, 196));
    let mut y = vec![0.0; x.len()];
    let mut scratch = vec![0.0; net.infer_scratch(samples)];
    net.forward(&params, &x[..], &mut y, &mut scratch).unwrap();
    let exact = score(&x, &y);
    assert!((exact - SCORE).abs() <= 1e-4, "{exact}");
    // The loss of training is the score.
    let loss = Loss::MEAN_SQUARED_ERROR.sum(&mut y.clone(), &x[..], INPUTS).unwrap();
    assert!((f64::from(loss) / samples as f64 - exact).abs() <= 1e-4, "{loss}");

    // Ranges of the first half; the second half is measured.
    let (calibration, rest) = x.split_at(samples / 2 * INPUTS);
    let mut ranges = vec![0.0; WIDTHS.len() - 2];
    for window in calibration.chunks(INPUTS) {
        let window = Batch::rows(window, INPUTS).unwrap();
        trace(&net, &params, window, &mut scratch, |layer, values| {
            if let AnyLayer::Relu(_) = net.layers()[layer] {
                let range: &mut f32 = &mut ranges[layer / 2];
                *range = values.iter().fold(*range, |most, value| most.max(*value));
            }
        })
        .unwrap();
    }
    let lowest = calibration.iter().copied().fold(0.0, f32::min);
    let highest = calibration.iter().copied().fold(0.0, f32::max);
    let int8 = Int8Contents::new(&ranges).features([lowest, highest]).keep_f32(true);
    let contents = Contents { int8: Some(int8), ..Contents::new(&net, &params) };
    let mut flash = Box::new(Aligned([0; 2 << 20]));
    let len = contents.write(&mut flash.0).unwrap();
    let model = Model::<Sequential>::from_blob(&flash[..len]).unwrap();
    let quantized = QuantizedModel::<Sequential>::from_blob(&flash[..len]).unwrap();
    let (mut ints, mut inputs) = (vec![0; quantized.scratch_len()], vec![0; INPUTS]);
    let mut near = vec![];
    for (i, window) in x.chunks(INPUTS).enumerate() {
        // One window at a time, as on a device: the bits of the batch.
        let one = model.logits(window, &mut scratch).unwrap();
        assert!(one == &y[i * INPUTS..][..INPUTS], "window {i}");
        quantized.read_features(window, &mut inputs).unwrap();
        let logits = quantized.logits(&inputs, &mut ints).unwrap();
        near.extend(logits.iter().map(|logit| *logit as f32 * quantized.logit_step()));
    }
    let (exact, near) =
        (score(rest, &y[calibration.len()..]), score(rest, &near[calibration.len()..]));
    println!("second half: {exact} in f32, {near} in int8");
    assert!((near - exact).abs() <= 0.05 * exact, "{near} in int8, {exact} in f32");
}
