//! What the firmware programs include: a model and pictures, made from MNIST and never committed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use aligned_vec::{AVec, ConstAlign};
use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;
use picomlp::blob::{Contents, Input as ModelInput, Int8Contents};
use picomlp::layers::trace;
use picomlp::{AnyLayer, Dense, InputMap, IntoBatch, Layer, Mlp, Model, Sequential};
use serde_json::Value;

use crate::mnist::{data, picomlp};
use crate::run::{read, root};

/// A model that programs include.
struct Input {
    /// The file, and with `-int8` after it that of its int8 form.
    name: &'static str,
    /// Hidden units.
    hidden: &'static str,
    /// On every machine.
    fingerprint: &'static str,
}

/// The one that microcontrollers with an FPU run, one whose last layer is trained anew, and one for 16 KB of RAM.
const MODELS: [Input; 3] = [
    Input { name: "model", hidden: "128", fingerprint: "415d3609deadb964" },
    Input { name: "base", hidden: "32", fingerprint: "992220c93f7e33da" },
    Input { name: "small", hidden: "16", fingerprint: "297869631c871473" },
];

/// How the models are trained; their bits depend on nothing else.
const TRAIN: &str = "train --optimizer sgd --lr 0.1 --epochs 5 --batch-size 64 --seed 1";

/// Pixels of a picture.
pub(crate) const PIXELS: usize = 784;

/// Pictures cut from each set: its first ones.
const SETS: [(&str, &str, usize); 2] = [("train", "train", 2000), ("t10k", "test", 1000)];

/// The folder with the inputs: `model.pmlp` and `small.pmlp`, both with their int8 form beside them (`-int8`); `any.pmlp`, which
/// is whatever model is tried; and for `train` and `test` each `-images.bin` (`[n][784]` bytes) and `-labels.bin` (`[n]` bytes).
pub(crate) fn folder() -> PathBuf {
    root().join("target/firmware/inputs")
}

/// Makes what is not there yet.
pub(crate) fn make() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let data = data()?;
    for (idx, name, count) in SETS {
        for (kind, header, size) in [("images-idx3", 16, PIXELS), ("labels-idx1", 8, 1)] {
            let what = kind.split('-').next().unwrap_or(kind);
            let to = folder.join(format!("{name}-{what}.bin"));
            if fs::metadata(&to).is_ok_and(|file| file.len() == (count * size) as u64) {
                continue;
            }
            let bytes = idx_bytes(&data, &format!("{idx}-{kind}-ubyte"), header, count * size)?;
            fs::write(&to, bytes).with_context(|| to.display().to_string())?;
        }
    }
    MODELS.iter().try_for_each(|model| make_model(model, &folder, &data))?;
    make_hidden(&folder)?;
    make_iris(&folder)?;
    make_ad(&folder)?;
    let any = folder.join("any.pmlp");
    if !any.exists() {
        fs::copy(folder.join("model.pmlp"), &any).with_context(|| any.display().to_string())?;
    }
    Ok(())
}

/// Trains and quantizes a model of iris, and writes the features of the test flowers.
fn make_iris(folder: &Path) -> Result<()> {
    let [train, test] =
        ["train", "test"].map(|part| root().join(format!("fixtures/data/iris-{part}.csv")));
    let [trained, model] = ["iris-f32.pmlp", "iris.pmlp"].map(|name| folder.join(name));
    let program = picomlp("", &["--release"])?;
    let run = |words: &str, out: &Path| {
        let mut command = std::process::Command::new(&program);
        command.args(words.split(' ')).arg("--data").arg(&train).arg("--test-data").arg(&test);
        command.arg("--out").arg(out);
        read(command)
    };
    run("train --hidden 32 --epochs 200 --batch-size 16 --lr 0.003 --quiet", &trained)?;
    run(&format!("quantize {} --keep-f32 --max-drop 3 --json", trained.display()), &model)?;
    let text = fs::read_to_string(&test).with_context(|| test.display().to_string())?;
    let features = |line: &str| -> Result<Vec<u8>> {
        let fields = line.split(',').take(4).map(|field| Ok(field.parse::<f32>()?.to_le_bytes()));
        Ok(fields.collect::<Result<Vec<_>>>()?.concat())
    };
    let rows = text.lines().skip(1).map(features).collect::<Result<Vec<_>>>()?;
    fs::write(folder.join("iris-test.bin"), rows.concat()).context("iris-test.bin")
}

/// The folder with MLPerf Tiny's anomaly detection, which is not part of the repository.
pub(crate) fn mlperf_ad() -> PathBuf {
    let named = std::env::var_os("PICOMLP_MLPERF_AD").map(PathBuf::from);
    named.unwrap_or_else(|| root().join("../shared/mlperf-ad"))
}

/// Values of a frame of its clip: windows begin one after the other.
pub(crate) const AD_FRAME: usize = 128;

/// Imports its reference network, and copies its clip, if they are there.
fn make_ad(folder: &Path) -> Result<()> {
    let npz = mlperf_ad().join("ad01-f32.npz");
    if !npz.is_file() {
        return Ok(());
    }
    let mut import = std::process::Command::new(picomlp("", &["--release"])?);
    import
        .args(["import", "--activation", "relu", "--inputs", "raw"])
        .arg(&npz)
        .arg("--out")
        .arg(folder.join("ad.pmlp"));
    print!("{}", read(import)?);
    let clip = mlperf_ad().join("normal_id_01_00000000_hist_librosa.bin");
    fs::copy(&clip, folder.join("ad-clip.bin")).with_context(|| clip.display().to_string())?;
    quantize_ad(folder)
}

/// Writes the int8 form of `ad.pmlp`, calibrated on the first half of the clip.
fn quantize_ad(folder: &Path) -> Result<()> {
    let bytes = AVec::<u8, ConstAlign<16>>::from_slice(16, &fs::read(folder.join("ad.pmlp"))?);
    let model = Model::<Sequential>::from_blob(&bytes)?;
    let (net, clip) = (model.net(), fs::read(folder.join("ad-clip.bin"))?);
    let values: Vec<_> = clip.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let (values, _) = values.split_at(values.len() / 2);
    let mut ranges = vec![0.0; net.layers().len() / 2];
    let mut scratch = vec![0.0; net.infer_scratch(1)];
    for window in values.windows(net.inputs()).step_by(AD_FRAME) {
        trace(net, model.params(), window.into_batch(net.inputs())?, &mut scratch, |layer, y| {
            if let AnyLayer::Relu(_) = net.layers()[layer] {
                ranges[layer / 2] = y.iter().copied().fold(ranges[layer / 2], f32::max);
            }
        })?;
    }
    let fold = |f: fn(f32, f32) -> f32| values.iter().copied().fold(0.0, f);
    let int8 = Int8Contents::new(&ranges).features([fold(f32::min), fold(f32::max)]);
    let contents = Contents { int8: Some(int8), ..Contents::new(net, model.params()) };
    let mut blob = Vec::new();
    contents.write_pieces(|piece| blob.extend_from_slice(piece))?;
    fs::write(folder.join("ad-int8.pmlp"), blob).context("ad-int8.pmlp")
}

/// Trains and quantizes a model, unless it is there.
fn make_model(input: &Input, folder: &Path, data: &Path) -> Result<()> {
    let Input { name, hidden, fingerprint } = input;
    let made = folder.join(format!("{name}-made.txt"));
    let [model, int8] = ["", "-int8"].map(|form| folder.join(format!("{name}{form}.pmlp")));
    let key = format!("{TRAIN} --hidden {hidden}: {fingerprint}, self-test with layers");
    let is_key = |text: String| text == key;
    if model.exists() && int8.exists() && fs::read_to_string(&made).is_ok_and(is_key) {
        return Ok(());
    }
    let program = picomlp("", &["--release"])?;
    let mut train = std::process::Command::new(&program);
    train.args(TRAIN.split(' ')).args(["--hidden", hidden]).arg("--json");
    train.arg("--data").arg(data).arg("--out").arg(&model);
    let out = read(train)?;
    let last = out.lines().last().context("no output")?;
    let done: Value = serde_json::from_str(last).with_context(|| last.to_owned())?;
    let got = done["fingerprint"].as_str().unwrap_or_default();
    ensure!(
        got == *fingerprint,
        "`picomlp {TRAIN} --hidden {hidden}` made the model {got}, expected {fingerprint}: training has changed its bits"
    );
    let mut quantize = std::process::Command::new(&program);
    quantize.arg("quantize").arg(&model).args(["--max-drop", "0.2", "--json"]);
    quantize.arg("--data").arg(data).arg("--out").arg(&int8);
    print!("{}", read(quantize)?);
    fs::write(&made, key).with_context(|| made.display().to_string())
}

/// The first layer of `base.pmlp` in int8, as a model of its own.
fn make_hidden(folder: &Path) -> Result<()> {
    let bytes = AVec::<u8, ConstAlign<16>>::from_slice(16, &fs::read(folder.join("base.pmlp"))?);
    let model = Model::<Mlp<PIXELS, 32, 10>>::from_blob(&bytes)?;
    let net = Dense::<PIXELS, 32>::default();
    let params = model.params().get(..Dense::<PIXELS, 32>::PARAMS).context("no first layer")?;
    let int8 = Some(Int8Contents::new(&[]));
    let input = Some(ModelInput::image(28, 28, InputMap::PIXELS));
    let mut blob = Vec::new();
    let contents = Contents { int8, input, ..Contents::new(&net, params) };
    contents.write_pieces(|piece| blob.extend_from_slice(piece))?;
    fs::write(folder.join("base-hidden-int8.pmlp"), blob).context("base-hidden-int8.pmlp")
}

/// The bytes of an IDX file that follow its header.
pub(crate) fn idx_bytes(data: &Path, name: &str, header: usize, len: usize) -> Result<Vec<u8>> {
    let mut bytes = first_bytes(data, name, header + len)?;
    Ok(bytes.split_off(header))
}

/// The first bytes of an IDX file, plain or gzipped.
fn first_bytes(data: &Path, name: &str, len: usize) -> Result<Vec<u8>> {
    let plain = data.join(name);
    let zipped = data.join(format!("{name}.gz"));
    let path = if plain.exists() { plain } else { zipped };
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let mut bytes = vec![0; len];
    let read = if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_exact(&mut bytes)
    } else {
        { file }.read_exact(&mut bytes)
    };
    read.with_context(|| format!("{}: no {len} bytes", path.display()))?;
    ensure!(bytes.starts_with(&[0, 0, 8]), "{}: no IDX file of bytes", path.display());
    Ok(bytes)
}
