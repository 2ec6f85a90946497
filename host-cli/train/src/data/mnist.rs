//! Loads MNIST's four IDX files from a folder, or another data set in the same form and of any
//! image size.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::dataset::{Dataset, Feature, Targets, TrainTest, Values, count_classes};
use super::folder;
use super::idx::{self, Idx, Kind};

/// The four files by their usual names, which end in `-idx3-ubyte` or `-idx1-ubyte`.
const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";
const NAMES: [&str; 4] = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS];

/// Loads the training and the test data from the folder `dir`.
///
/// A file's name may have a `.` before `idx`, `test` for `t10k`, and `.gz` at its end; if there are
/// several, the plain file with the usual name is taken first. It may lie in a folder of its name, as some archives
/// unpack to. All four names may have the same text in front (`emnist-letters-train-images-idx3-ubyte`); where a folder
/// has several such sets, `dir` ends in that text: `DIR/emnist-letters`. The number of classes is the largest
/// training label plus 1.
///
/// # Errors
///
/// The folder does not exist, is a file, lacks one of the four files, or has several sets; a file cannot be read (see
/// [`idx::read`]); the numbers of images and labels differ; training and test images differ in
/// shape; all training labels are equal; a test label is past the class count. Each names the files
/// and numbers in question.
pub fn load_dir(dir: &Path) -> Result<TrainTest> {
    let [train_images, train_labels, test_images, test_labels] = find(dir, NAMES)?;

    let mut train = load_pair(&train_images, &train_labels)?;
    train.classes =
        count_classes(train.labels()).with_context(|| format!("{}", train_labels.display()))?;

    let mut test = load_pair(&test_images, &test_labels)?;
    // Features in one of them are features in both.
    if train.max != test.max {
        make_features(&mut train);
        make_features(&mut test);
    }
    ensure!(
        (train.rows, train.cols) == (test.rows, test.cols),
        "training and test images differ in shape: {} has {}x{}, {} has {}x{}",
        train_images.display(),
        train.rows,
        train.cols,
        test_images.display(),
        test.rows,
        test.cols
    );
    test.classes = train.classes;
    check_labels(test.labels(), test.classes, &test_labels)?;
    Ok(TrainTest { train, test })
}

/// Loads the test data alone from the folder `dir`, for a network that knows `classes` classes.
///
/// The training files need not be there. Names are as with [`load_dir`].
///
/// # Errors
///
/// Those of [`load_dir`] that concern the test files; a label is past `classes`.
pub fn load_test(dir: &Path, classes: usize) -> Result<Dataset> {
    let [images, labels] = find(dir, [TEST_IMAGES, TEST_LABELS])?;
    let data = Dataset { classes, ..load_pair(&images, &labels)? };
    check_labels(data.labels(), classes, &labels)?;
    Ok(data)
}

/// Tells whether one of the four files is in `dir`, under whatever name [`load_dir`] finds it.
#[must_use]
pub fn has_files(dir: &Path) -> bool {
    candidates(dir).is_ok_and(|found| !found.is_empty())
}

/// Tells whether the files in `dir` are EMNIST's, whose images have rows and columns swapped.
pub(super) fn is_emnist(dir: &Path) -> bool {
    candidates(dir).is_ok_and(|found| found.iter().any(|file| file.set.starts_with("emnist")))
}

/// A file that may be one of the four.
struct Candidate {
    /// Its usual name.
    name: &'static str,
    /// The text in front of it, without a `-` at the end.
    set: String,
    /// Packed, dotted: the lower, the sooner it is taken.
    rank: (bool, bool),
    path: PathBuf,
}

/// Finds the files with these usual names, all of one set.
fn find<const N: usize>(dir: &Path, names: [&str; N]) -> Result<[PathBuf; N]> {
    let shown = dir.display();
    ensure!(!dir.is_file(), "{shown} is a file, expected a folder with MNIST's IDX files");
    let mut found = candidates(dir)?;
    let mut sets: Vec<String> = found.iter().map(|file| file.set.clone()).collect();
    sets.sort();
    sets.dedup();
    // The set without a text in front comes first; of others, there must be one only.
    if let [first, second, ..] = &sets[..] {
        ensure!(
            first.is_empty(),
            "the folder {shown} has several sets, {first}, {second}{}: say which, as in {}",
            if sets.len() > 2 { " and more" } else { "" },
            dir.join(first).display()
        );
    }
    let set = sets.into_iter().next().unwrap_or_default();
    found.retain(|file| file.set == set);
    found.sort_by(|a, b| (a.rank, &a.path).cmp(&(b.rank, &b.path)));
    let mut missing = Vec::new();
    let paths = names.map(|name| {
        let file = found.iter().find(|file| file.name == name);
        file.map(|file| file.path.clone()).unwrap_or_else(|| {
            let dash = if set.is_empty() { "" } else { "-" };
            missing.push(format!("{set}{dash}{name}"));
            PathBuf::new()
        })
    });
    ensure!(
        missing.is_empty(),
        "the folder {shown} lacks {} of the {N} files that are needed: {} (`.idx` for `-idx` and `.gz` at the end will do)",
        missing.len(),
        missing.join(", ")
    );
    Ok(paths)
}

/// The files in `dir`, or in a folder there that has such a name itself, that may be one of the four. Where `dir` does not
/// exist, its last part is the text in front of the names: only files of that set are returned.
fn candidates(dir: &Path) -> Result<Vec<Candidate>> {
    let (folder, wanted) = match (dir.parent(), dir.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(set)) if !dir.exists() => (parent, Some(set)),
        _ => (dir, None),
    };
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for path in folder::entries(folder)? {
        let Some(candidate) = Candidate::new(&path) else { continue };
        if path.is_dir() {
            let inside = folder::entries(&path)?;
            found.extend(inside.iter().filter_map(|path| Candidate::new(path)));
        } else {
            found.push(candidate);
        }
    }
    found.retain(|file| wanted.is_none_or(|set| file.set == set));
    Ok(found)
}

impl Candidate {
    /// Recognizes a file by its name.
    fn new(path: &Path) -> Option<Self> {
        let file = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (stem, is_packed) = match file.strip_suffix(".gz") {
            Some(stem) => (stem, true),
            None => (&file[..], false),
        };
        let (stem, is_dotted) = (stem.replace(".idx", "-idx"), stem.contains(".idx"));
        // QMNIST's labels have further columns.
        let stem = stem.replace("test-", "t10k-").replace("idx2-int", "idx1-ubyte");
        NAMES.into_iter().find_map(|name| {
            let set = stem.strip_suffix(name)?;
            let set = if set.is_empty() { set } else { set.strip_suffix(['-', '_', '.'])? };
            let (set, path) = (set.to_owned(), path.to_owned());
            Some(Self { name, set, rank: (is_packed, is_dotted), path })
        })
    }
}

/// Reads images and their labels; the number of classes is left at 0.
fn load_pair(images_path: &Path, labels_path: &Path) -> Result<Dataset> {
    let images = idx::read(images_path, Kind::Images)?;
    let labels = idx::read(labels_path, Kind::Labels)?;
    let Idx { dims, data, floats } = images;
    let [count, rows, cols] = dims[..] else {
        bail!("{}: expected 3 dimensions, got {}", images_path.display(), dims.len());
    };
    ensure!(
        count == labels.dims[0],
        "images and labels differ in number: {} has {count} images, {} has {} labels",
        images_path.display(),
        labels_path.display(),
        labels.dims[0]
    );
    let targets = match &labels.floats[..] {
        [] => labels.data.into(),
        wide => Targets::Classes(wide.iter().map(|label| *label as u16).collect()),
    };
    let mut pair = Dataset { targets, rows, cols, max: u8::MAX, ..Dataset::default() };
    if floats.is_empty() {
        pair.inputs = data.into();
    } else {
        pair.inputs = floats.into();
        make_features(&mut pair);
    }
    Ok(pair)
}

/// Takes images for features.
fn make_features(data: &mut Dataset) {
    if let Values::Bytes(pixels) = &data.inputs {
        data.inputs = pixels.iter().map(|&pixel| f32::from(pixel)).collect::<Vec<_>>().into();
    }
    (data.rows, data.cols, data.max) = (1, data.rows * data.cols, 0);
    let feature = |number: usize| Feature { name: number.to_string(), unit: String::new() };
    data.features = (1..=data.cols).map(feature).collect();
}

/// Swaps rows and columns of all images.
pub(super) fn transpose(data: &mut Dataset) {
    let (rows, cols) = (data.rows, data.cols);
    if let Values::Bytes(pixels) = &mut data.inputs {
        let mut turned = vec![0; rows * cols];
        for image in pixels.to_mut().chunks_exact_mut(rows * cols) {
            for (to, from) in
                turned.iter_mut().zip((0..cols).flat_map(|c| (0..rows).map(move |r| (r, c))))
            {
                *to = image[from.0 * cols + from.1];
            }
            image.copy_from_slice(&turned);
        }
        (data.rows, data.cols) = (cols, rows);
    }
}

/// Checks that every label is below `classes`.
fn check_labels(labels: &[u16], classes: usize, path: &Path) -> Result<()> {
    match labels.iter().position(|label| usize::from(*label) >= classes) {
        None => Ok(()),
        Some(index) => bail!(
            "{}: label {} at index {index} is past the class count, \
             expected labels below {classes}",
            path.display(),
            labels[index]
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use tempfile::TempDir;

    use super::*;

    fn header(dims: &[usize]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| (*dim as u32).to_be_bytes()));
        bytes
    }

    /// An image file in which pixel `p` of image `i` is `base + i + p`.
    fn images(count: usize, rows: usize, cols: usize, base: usize) -> Vec<u8> {
        let mut bytes = header(&[count, rows, cols]);
        bytes.extend((0..count).flat_map(|i| (0..rows * cols).map(move |p| (base + i + p) as u8)));
        bytes
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        [&header(&[labels.len()]), labels].concat()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A folder with 8x8 images of five classes: three to train on, two to test on.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        put(&folder, TRAIN_IMAGES, &images(3, 8, 8, 0));
        put(&folder, TRAIN_LABELS, &labels(&[0, 4, 2]));
        put(&folder, TEST_IMAGES, &images(2, 8, 8, 100));
        put(&folder, TEST_LABELS, &labels(&[1, 4]));
        folder
    }

    fn put(folder: &TempDir, name: &str, bytes: &[u8]) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }

    fn message(folder: &TempDir) -> String {
        format!("{:#}", load_dir(folder.path()).unwrap_err())
    }

    #[test]
    fn load_dir_reads_images_of_8x8() {
        let TrainTest { train, test } = load_dir(folder().path()).unwrap();
        assert_eq!((train.len(), train.rows, train.cols, train.classes), (3, 8, 8, 5));
        assert_eq!((test.len(), test.rows, test.cols, test.classes), (2, 8, 8, 5));
        assert_eq!((train.labels(), test.labels()), (&[0, 4, 2][..], &[1, 4][..]));
        assert_eq!(train.image(2)[..3], [2, 3, 4]);
        assert_eq!(test.image(1)[63], 164);
    }

    #[test]
    fn load_dir_finds_every_spelling_of_the_names() {
        let expected = load_dir(folder().path()).unwrap();
        let spellings: [fn(&str) -> String; 6] = [
            |name| name.replace("-idx", ".idx"),
            |name| format!("{name}.gz"),
            |name| format!("{}.gz", name.replace("-idx", ".idx")),
            |name| name.replace("t10k", "test"),
            |name| format!("emnist-letters-{name}.gz"),
            |name| format!("{name}/{}", name.replace("-idx", ".idx")), // a folder for each file
        ];
        for spelling in spellings {
            let folder = folder();
            for name in NAMES {
                let bytes = fs::read(folder.path().join(name)).unwrap();
                fs::remove_file(folder.path().join(name)).unwrap();
                let name = spelling(name);
                let bytes = if name.ends_with(".gz") { gzip(&bytes) } else { bytes };
                fs::create_dir_all(folder.path().join(&name).parent().unwrap()).unwrap();
                put(&folder, &name, &bytes);
            }
            assert!(has_files(folder.path()));
            assert_eq!(load_dir(folder.path()).unwrap(), expected, "{}", spelling(TEST_LABELS));
        }
    }

    #[test]
    fn of_several_sets_one_is_taken_by_its_name() {
        let folder = folder();
        for name in NAMES {
            let bytes = fs::read(folder.path().join(name)).unwrap();
            put(&folder, &format!("emnist-letters-{name}"), &bytes);
            put(&folder, &format!("emnist-mnist-{name}"), &bytes);
        }
        let expected = load_dir(folder.path()).unwrap(); // the usual names
        NAMES.iter().for_each(|name| fs::remove_file(folder.path().join(name)).unwrap());
        let message = message(&folder);
        assert!(
            message.contains("several sets, emnist-letters, emnist-mnist: say which"),
            "{message}"
        );
        assert_eq!(load_dir(&folder.path().join("emnist-mnist")).unwrap(), expected);
        assert!(!has_files(&folder.path().join("emnist")));
    }

    #[test]
    fn load_dir_passes_over_a_folder_with_the_name_of_a_file() {
        let folder = folder();
        let path = folder.path().join(TEST_LABELS);
        fs::rename(&path, folder.path().join("t10k-labels.idx1-ubyte")).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(load_dir(folder.path()).unwrap().test.labels(), [1, 4]);
    }

    #[test]
    fn load_dir_says_that_a_folder_does_not_exist() {
        let error = load_dir(Path::new("no/such/folder")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the folder no/such"), "{error}");
    }

    #[test]
    fn load_dir_says_that_the_path_is_a_file() {
        let folder = folder();
        let path = folder.path().join(TEST_LABELS);
        let error = load_dir(&path).unwrap_err().to_string();
        let expected = "is a file, expected a folder with MNIST's IDX files";
        assert_eq!(error, format!("{} {expected}", path.display()));
    }

    #[test]
    fn load_dir_says_which_files_are_missing_and_which_names_were_tried() {
        let folder = folder();
        fs::remove_file(folder.path().join(TRAIN_LABELS)).unwrap();
        let expected = "lacks 1 of the 4 files that are needed: train-labels-idx1-ubyte (";
        assert!(message(&folder).contains(expected), "{}", message(&folder));
        fs::remove_file(folder.path().join(TEST_IMAGES)).unwrap();
        let message = message(&folder);
        assert!(message.contains("lacks 2 of the 4 files"), "{message}");
        assert!(message.contains(", t10k-images-idx3-ubyte ("), "{message}");
        assert!(!message.contains("train-images"), "{message}");
    }

    #[test]
    fn load_dir_names_the_file_that_is_damaged() {
        let folder = folder();
        put(&folder, TEST_IMAGES, &labels(&[1, 4]));
        let message = message(&folder);
        assert!(message.contains(TEST_IMAGES), "{message}");
        assert!(message.contains("this is a label file, images were expected"), "{message}");
    }

    #[test]
    fn load_dir_says_that_images_and_labels_differ_in_number() {
        for (name, bytes) in [(TRAIN_LABELS, labels(&[0, 1])), (TEST_LABELS, labels(&[0, 1, 2]))] {
            let folder = folder();
            put(&folder, name, &bytes);
            let message = message(&folder);
            assert!(message.starts_with("images and labels differ in number: "), "{message}");
            let images = name.replace("labels-idx1", "images-idx3");
            assert!(message.contains(name) && message.contains(&images), "{message}");
            let (has_images, has_labels) = if name == TRAIN_LABELS { (3, 2) } else { (2, 3) };
            assert!(message.contains(&format!("has {has_images} images")), "{message}");
            assert!(message.ends_with(&format!("has {has_labels} labels")), "{message}");
        }
    }

    #[test]
    fn load_dir_says_that_training_and_test_images_differ_in_shape() {
        let folder = folder();
        put(&folder, TEST_IMAGES, &images(2, 8, 7, 0));
        let message = message(&folder);
        assert!(message.starts_with("training and test images differ in shape: "), "{message}");
        assert!(message.contains("train-images-idx3-ubyte has 8x8, "), "{message}");
        assert!(message.ends_with("t10k-images-idx3-ubyte has 8x7"), "{message}");
    }

    #[test]
    fn load_dir_refuses_an_empty_set() {
        let folder = folder();
        put(&folder, TEST_IMAGES, &header(&[0, 8, 8]));
        put(&folder, TEST_LABELS, &header(&[0]));
        let message = message(&folder);
        assert!(message.ends_with("dimension of 0: it says 0 images of 8x8"), "{message}");
    }

    #[test]
    fn load_dir_refuses_training_labels_of_one_class() {
        for label in [0, 4] {
            let folder = folder();
            put(&folder, TRAIN_LABELS, &labels(&[label; 3]));
            let message = message(&folder);
            let expected =
                format!("all 3 training labels are {label}, expected at least two classes");
            assert!(message.contains(TRAIN_LABELS) && message.ends_with(&expected), "{message}");
        }
    }

    #[test]
    fn load_dir_says_which_test_label_is_past_the_class_count() {
        let folder = folder();
        put(&folder, TEST_LABELS, &labels(&[4, 5]));
        let message = message(&folder);
        let expected = "label 5 at index 1 is past the class count, expected labels below 5";
        assert!(message.contains(TEST_LABELS) && message.ends_with(expected), "{message}");
    }

    #[test]
    fn load_test_needs_the_test_files_only() {
        let folder = folder();
        let expected = Dataset { classes: 10, ..load_dir(folder.path()).unwrap().test };
        fs::remove_file(folder.path().join(TRAIN_IMAGES)).unwrap();
        fs::remove_file(folder.path().join(TRAIN_LABELS)).unwrap();
        assert_eq!(load_test(folder.path(), 10).unwrap(), expected);
        fs::remove_file(folder.path().join(TEST_IMAGES)).unwrap();
        let message = format!("{:#}", load_test(folder.path(), 10).unwrap_err());
        assert!(message.contains("lacks 1 of the 2 files"), "{message}");
    }

    #[test]
    fn load_test_says_which_label_is_past_the_class_count() {
        let folder = folder();
        let message = format!("{:#}", load_test(folder.path(), 4).unwrap_err());
        let expected = "label 4 at index 1 is past the class count, expected labels below 4";
        assert!(message.contains(TEST_LABELS) && message.ends_with(expected), "{message}");
    }
}
