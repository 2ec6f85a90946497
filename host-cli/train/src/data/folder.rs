//! Reads a folder of PNG files by class: `DIR/train/0/*.png` and `DIR/test/0/*.png`, or `DIR/0/*.png`.
//!
//! `training` and `testing` will do for `train` and `test`, in any case of letters; `DIR/val` (`valid`, `validation`) holds
//! images to validate on. A class has the name of its folder; classes are ordered by
//! name, or by number if all names are numbers, and so are the files of a class, so that every machine reads the same
//! set. Names that begin with a dot are ignored; so are files that are not PNG or JPEG, and counted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::dataset::{Dataset, Targets};
use super::expected::Expected;
use super::schema::Schema;
use super::source::FORMS;
use crate::shape::Shape;
use crate::text::grouped;
use crate::{file_kind, image};

const TRAIN: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["val", "valid", "validation"];
const TEST: &[&str] = &["test", "testing"];

/// The shape of MNIST's images, to which others are brought.
const MNIST: Shape = Shape { rows: 28, cols: 28 };

/// Classes at most: a label is a byte.
const MOST_CLASSES: usize = 256;

/// Tells whether there is a folder in `dir`, which then can only be that of a class, `train` or `test`.
#[must_use]
pub fn has_folders(dir: &Path) -> bool {
    folders(dir).is_ok_and(|folders| !folders.is_empty())
}

/// Finds the folder that `dir` wraps: the only one in it, if that has folders of its own and is none of the parts.
///
/// # Errors
///
/// If a folder cannot be read.
pub(super) fn unwrapped(dir: &Path) -> Result<PathBuf> {
    let mut dir = dir.to_owned();
    loop {
        match &mut folders(&dir)?[..] {
            [(name, inner)] if !is_part(name) && has_folders(inner) => dir = inner.clone(),
            _ => return Ok(dir),
        }
    }
}

fn is_part(name: &str) -> bool {
    [TRAIN, VALIDATION, TEST].concat().iter().any(|part| name.eq_ignore_ascii_case(part))
}

/// Says why a folder without IDX files and without folders is no data.
pub(super) fn no_data(dir: &Path) -> anyhow::Error {
    let shown = dir.display();
    let expected = format!("expected {}", FORMS);
    let files = match entries(dir) {
        Ok(files) => files,
        Err(error) => return error,
    };
    if files.iter().any(|file| image::is_image(file)) {
        let parent = dir.parent().filter(|parent| folders(parent).is_ok_and(|all| all.len() > 1));
        let hint = parent.map(|parent| format!("; did you mean {}?", parent.display()));
        return anyhow!(
            "the folder {shown} has images but no folder for each class, expected DIR/CLASS/*.png{}",
            hint.unwrap_or_default()
        );
    }
    let Some(first) = files.first() else {
        return anyhow!("the folder {shown} is empty, {expected}");
    };
    match file_kind::of_file(first) {
        Some(kind) => anyhow!("{} is {}", first.display(), kind.instead_of(FORMS)),
        None => {
            let is_csv = |file: &&PathBuf| file.to_string_lossy().contains(".csv");
            let hint =
                files.iter().find(is_csv).map(|file| format!("; did you mean {}?", file.display()));
            let hint = hint.unwrap_or_default();
            anyhow!("the folder {shown} holds {} and no data, {expected}{hint}", first.display())
        }
    }
}

/// Loads the training images, and those for validation and for testing if there are folders for them.
///
/// # Errors
///
/// Each names the file or folder: there are fewer than two classes; a class has no PNG or JPEG file; an image cannot be read, or
/// is of another size than the first one (or `schema.image_shape`); the test images have another class.
pub fn load(dir: &Path, schema: &Schema) -> Result<(Dataset, Option<Dataset>, Option<Dataset>)> {
    let (train_dir, validation_dir, test_dir) =
        (part(dir, TRAIN), part(dir, VALIDATION), part(dir, TEST));
    ensure!(
        train_dir.is_some() || (validation_dir.is_none() && test_dir.is_none()),
        "the folder {} has {} images but no folder `train`",
        dir.display(),
        if test_dir.is_some() { "test" } else { "validation" }
    );
    let train_dir = train_dir.unwrap_or_else(|| dir.to_owned());
    let classes = folders(&train_dir)?;
    ensure!(
        (2..=MOST_CLASSES).contains(&classes.len()),
        "the folder {} has {} folders, expected one for each of 2 to {MOST_CLASSES} classes",
        train_dir.display(),
        classes.len()
    );
    let mut names: Vec<String> = classes.iter().map(|(name, _)| name.clone()).collect();
    let count = names.len();
    if names.iter().enumerate().all(|(i, name)| *name == i.to_string()) {
        names.clear();
    }
    let train = read_classes(&train_dir, (0..).zip(&classes), schema.image_shape, schema)?;
    let train = Dataset { classes: count, class_names: names, ..train };
    let part = |dir: Option<PathBuf>| {
        dir.map(|dir| load_part(&dir, schema, &Expected::training(&train))).transpose()
    };
    let (validation, test) = (part(validation_dir)?, part(test_dir)?);
    Ok((train, validation, test))
}

/// Loads test images alone: those of `DIR/test`, or of `DIR` if it has the classes' folders itself.
///
/// # Errors
///
/// As [`load`]; the images must fit `expected`.
pub fn load_test(dir: &Path, schema: &Schema, expected: &Expected<'_>) -> Result<Dataset> {
    match part(dir, TEST) {
        Some(test) => load_part(&test, schema, expected),
        None => {
            ensure!(
                part(dir, TRAIN).is_none(),
                "the folder {} has training images but no folder `test`{}",
                dir.display(),
                part(dir, VALIDATION)
                    .map_or_else(String::new, |dir| format!("; did you mean {}?", dir.display()))
            );
            load_part(dir, schema, expected)
        }
    }
}

fn load_part(dir: &Path, schema: &Schema, expected: &Expected<'_>) -> Result<Dataset> {
    let classes = folders(dir)?;
    ensure!(!classes.is_empty(), "the folder {} has no folder of a class", dir.display());
    let mut labeled = Vec::with_capacity(classes.len());
    for class in &classes {
        let label = expected.class_named(&class.0).with_context(|| {
            let (of, list) = (expected.of, expected.list());
            format!("{}: {of} has no class `{}`, expected {list}", class.1.display(), class.0)
        })?;
        labeled.push((label, class));
    }
    let data = read_classes(dir, labeled.into_iter(), Some(expected.shape), schema)?;
    Ok(Dataset { classes: expected.classes, class_names: expected.names.to_vec(), ..data })
}

/// Reads the classes' folders, each with its label.
fn read_classes<'a>(
    dir: &Path,
    classes: impl Iterator<Item = (u16, &'a (String, PathBuf))>,
    shape: Option<Shape>,
    schema: &Schema,
) -> Result<Dataset> {
    // The shape, and what it was taken from.
    let mut shape = shape.map(|shape| (shape, "the set's shape".to_owned()));
    if schema.normalize && shape.is_none() {
        shape = Some((MNIST, String::new()));
    }
    let (mut images, mut labels, mut others) = (Vec::new(), Vec::new(), 0);
    let mut seen = 0;
    for (label, (_, folder)) in classes {
        let (files, others_here) = image_files(folder)?;
        (seen, others) = (seen + 1, others + others_here);
        for file in files {
            if let (true, Some((shape, _))) = (schema.normalize, &shape) {
                images.extend(image::read_normalized(&file, shape.rows, shape.cols)?.0);
            } else {
                let image = image::read(&file)?.on_white();
                let (got, name) = (image.shape(), file.display());
                let (expected, of) = shape.get_or_insert_with(|| (got, name.to_string()));
                ensure!(
                    got == *expected,
                    "{name}: the image is {got} (rows x columns), expected {expected} as {of}; \
                     training with --normalize brings images of any size into one form"
                );
                images.extend(image.into_raw());
            }
            labels.push(label);
        }
    }
    let (Shape { rows, cols }, _) =
        shape.with_context(|| format!("{}: no image", dir.display()))?;
    let ignored = match others {
        0 => String::new(),
        n => format!("; files ignored, as they are not PNG or JPEG: {}", grouped(n)),
    };
    let note = format!(
        "{}: {} images of {rows}×{cols} in {seen} class folders{}{ignored}",
        dir.display(),
        grouped(labels.len()),
        if schema.normalize { ", brought into MNIST's form" } else { "" },
    );
    Ok(Dataset {
        inputs: images.into(),
        targets: Targets::Classes(labels),
        rows,
        cols,
        max: u8::MAX,
        notes: vec![note],
        ..Dataset::default()
    })
}

/// The folder of one of these names, in any case of letters, that has folders in it.
fn part(dir: &Path, names: &[&str]) -> Option<PathBuf> {
    let is_it = |name: &str| names.iter().any(|part| name.eq_ignore_ascii_case(part));
    let mut folders = folders(dir).ok()?.into_iter();
    folders.find(|(name, path)| is_it(name) && has_folders(path)).map(|(_, path)| path)
}

/// The visible folders in `dir`, by number if all names are numbers, else by name.
pub(super) fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for path in entries(dir)? {
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.with_context(|| {
                format!("{}: a class's name must be UTF-8 text", path.display())
            })?;
            folders.push((name.to_owned(), path));
        }
    }
    let number = |name: &str| name.parse::<u64>().ok();
    if folders.iter().all(|(name, _)| number(name).is_some()) {
        folders.sort_by_key(|(name, _)| number(name));
    }
    Ok(folders)
}

/// The PNG and JPEG files in the folder of a class, by name, and how many other files there are.
fn image_files(folder: &Path) -> Result<(Vec<PathBuf>, usize)> {
    let all = entries(folder)?;
    let is_image = |path: &PathBuf| image::is_image(path) && !path.is_dir();
    let (files, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_image);
    if files.is_empty() {
        let found = match &others[..] {
            [] => "it is empty".to_owned(),
            [first, ..] => match file_kind::of_file(first) {
                Some(kind) => {
                    format!("{} is {}", first.display(), kind.instead_of("a PNG or JPEG image"))
                }
                None => format!("it has {}", first.display()),
            },
        };
        bail!("the class folder {} has no PNG or JPEG file: {found}", folder.display());
    }
    Ok((files, others.len()))
}

/// Lists a folder's files and folders, sorted by name.
///
/// Skips names that begin with a dot (`.DS_Store`, macOS's `._0001.png`) and `__MACOSX`, the folder of such files that a
/// zip archive made on a Mac unpacks to: none of them is data.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || anyhow!("cannot read the folder {}", dir.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && name != "__MACOSX" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
