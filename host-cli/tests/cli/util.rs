//! A folder for each test, the program run in it, and data that takes milliseconds to learn.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::{Compression, Crc, write::GzEncoder};
use picomlp_fixtures::digits;
use picomlp_fixtures::sets::{BARS_PIXELS, bars8x8};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub(crate) const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
pub(crate) const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
pub(crate) const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";
pub(crate) const FILES: [&str; 4] = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS];

/// Samples in the folder that [`Place::with_data`] makes.
pub(crate) const TRAIN: usize = 200;
pub(crate) const TEST: usize = 60;

/// A fresh folder in which the program runs.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the folder `data`: four kinds of bars on 8×8 pixels.
    pub(crate) fn with_data() -> Self {
        let place = Self::new();
        place.put_bars("data", TRAIN);
        place
    }

    /// With the folder `data`: digits in MNIST's form.
    pub(crate) fn with_digits() -> Self {
        let place = Self::new();
        for (count, seed, names) in
            [(TRAIN, 1, [TRAIN_IMAGES, TRAIN_LABELS]), (TEST, 2, [TEST_IMAGES, TEST_LABELS])]
        {
            let mut images = vec![0; count * digits::PIXELS];
            let digits = images.as_chunks_mut::<{ digits::PIXELS }>().0.iter_mut().zip(0..);
            let labels: Vec<u8> = digits.map(|(image, i)| digits::sample(i, seed, image)).collect();
            place.put(&format!("data/{}", names[0]), &idx(&[count, 28, 28], &images));
            place.put(&format!("data/{}", names[1]), &idx(&[count], &labels));
        }
        place
    }

    /// With the folder `data` and a model of it, `model.pmlp`, of 64-6-4.
    pub(crate) fn with_model() -> Self {
        let place = Self::with_data();
        place.train("--hidden 6 --epochs 2 --quiet");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folder that it is in.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes the four files with `train` samples of bars to train on.
    pub(crate) fn put_bars(&self, folder: &str, train: usize) {
        let (images, labels) = bars(train, 1);
        self.put(&format!("{folder}/{TRAIN_IMAGES}"), &images);
        self.put(&format!("{folder}/{TRAIN_LABELS}"), &labels);
        let (images, labels) = bars(TEST, 2);
        self.put(&format!("{folder}/{TEST_IMAGES}"), &images);
        self.put(&format!("{folder}/{TEST_LABELS}"), &labels);
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Every file and folder, with what is in it.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let content = path.is_file().then(|| fs::read(&path).unwrap());
                found.insert(path, content);
            }
        }
        found
    }

    /// The names of files and folders, without what is inside folders.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program, to be run here with `line`'s words; see [`words`].
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picomlp"));
        command.args(words(line)).current_dir(self.0.path()).stdin(Stdio::null());
        // By these it knows that `cargo run` has started it.
        command.env_remove("CARGO").env_remove("CARGO_PKG_NAME");
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::new(line, self.command(line).output().unwrap())
    }

    /// Runs a line that must succeed without a word on stderr, and returns its stdout.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        ran.stdout
    }

    /// Runs `train` on `data`, which must succeed, and returns its stdout.
    #[track_caller]
    pub(crate) fn train(&self, flags: &str) -> String {
        self.ok(&format!("train --data data {flags}"))
    }

    /// Runs a line that must print JSON lines and succeed, and returns them.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Vec<Value> {
        json_lines(&self.ok(line))
    }

    /// Runs `train --json` and returns the fingerprint.
    #[track_caller]
    pub(crate) fn fingerprint(&self, flags: &str) -> String {
        let lines = self.json(&format!("train --data data --json {flags}"));
        lines.last().unwrap()["fingerprint"].as_str().unwrap().to_owned()
    }

    /// Runs a line that must fail with exit code 1, a message on stderr that has all `parts`, nothing on stdout,
    /// and all files as they were. Returns the message.
    #[track_caller]
    pub(crate) fn fails(&self, line: &str, parts: &[&str]) -> String {
        let before = self.everything();
        let ran = self.run(line);
        ran.assert_failed(1, "picomlp: ", parts);
        assert_eq!(ran.stdout, "", "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert!(self.everything() == before, "files changed: {:?}: {ran:?}", self.names());
        ran.stderr
    }

    /// As [`fails`](Self::fails), with exit code 2, which is for wrong usage.
    #[track_caller]
    pub(crate) fn misused(&self, line: &str, parts: &[&str]) {
        let before = self.everything();
        let ran = self.run(line);
        ran.assert_failed(2, "error: ", parts);
        assert_eq!(ran.stdout, "", "{ran:?}");
        assert!(self.everything() == before, "files changed: {:?}: {ran:?}", self.names());
    }
}

/// What a run left behind, but for files.
#[derive(Debug)]
pub(crate) struct Ran {
    #[expect(dead_code, reason = "seen where an assertion prints it")]
    line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn new(line: &str, output: Output) -> Self {
        let ran = Self {
            line: line.to_owned(),
            code: output.status.code().expect("a signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran
    }

    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, start: &str, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.starts_with(start), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing: {self:?}");
        }
    }
}

/// The words of a line, parted by spaces; `''` is an empty one.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().map(|word| if word == "''" { "" } else { word })
}

#[track_caller]
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}`"));
    text.lines().map(parse).collect()
}

/// The word after `name` at the beginning of a line.
#[track_caller]
pub(crate) fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    rest.unwrap_or_else(|| panic!("no line begins with `{name}`: {text}")).trim()
}

/// An IDX file of bytes.
pub(crate) fn idx(dims: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| (*dim as u32).to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// Image and label file of `count` bars.
pub(crate) fn bars(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let (images, labels) = bars_pixels(count, seed);
    (idx(&[count, 8, 8], &images), idx(&[count], &labels))
}

/// Pixels and labels of `count` bars.
pub(crate) fn bars_pixels(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut images = vec![0; count * BARS_PIXELS];
    let (each, _) = images.as_chunks_mut::<BARS_PIXELS>();
    let each = each.iter_mut().zip(0..);
    let labels = each.map(|(image, i)| bars8x8(i, seed, image)).collect();
    (images, labels)
}

/// `label,pixel0,pixel1,…` as Kaggle has it; without labels if there are none.
pub(crate) fn kaggle(images: &[u8], labels: Option<&[u8]>, pixels: usize) -> Vec<u8> {
    let names = labels.map(|_| "label".to_owned()).into_iter();
    let names: Vec<String> = names.chain((0..pixels).map(|i| format!("pixel{i}"))).collect();
    let mut text = names.join(",") + "\n";
    for (row, image) in images.chunks_exact(pixels).enumerate() {
        let label = labels.map(|labels| labels[row]);
        let fields: Vec<String> =
            label.iter().chain(image).map(|value| value.to_string()).collect();
        text += &fields.join(",");
        text.push('\n');
    }
    text.into_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The CRC-32 of gzip, PNG and model files.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A model file as version 1 had it: section 3 in place of section 9, and no section 10.
pub(crate) fn to_version_1(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes[8] = 1;
    let [layers, sections] = [10, 16].map(|at| usize::from(bytes[at]));
    for row in (0..sections).map(|i| 64 + 16 * (layers + i)) {
        let start = word(&bytes, row + 4) as usize;
        match bytes[row] {
            9 => {
                bytes.copy_within(start + 4..start + 12, start);
                bytes.copy_within(start + 48..start + 56, start + 8);
                (bytes[row], bytes[row + 8]) = (3, 16);
            }
            10 => bytes[row] = 200,
            _ => {}
        }
    }
    for (at, range) in [(20, 64..bytes.len()), (60, 0..60)] {
        let crc = crc32(&bytes[range]).to_le_bytes();
        bytes[at..at + 4].copy_from_slice(&crc);
    }
    bytes
}

pub(crate) fn write_png(path: &Path, side: u32, pixels: &[u8]) {
    image::GrayImage::from_raw(side, side, pixels.to_vec()).unwrap().save(path).unwrap();
}

/// Writes bars into `folder/<class>/`.
pub(crate) fn put_classes(place: &Place, folder: &str, count: usize, seed: u64) {
    let (images, labels) = bars_pixels(count, seed);
    for (i, (image, label)) in images.chunks_exact(64).zip(labels).enumerate() {
        let name = format!("{folder}/{label}/{i:04}.png");
        place.put(&name, b"");
        write_png(&place.path(&name), 8, image);
    }
}
