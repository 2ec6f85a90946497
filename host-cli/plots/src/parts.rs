//! All kinds of figures at once.

use anyhow::Result;
use picomlp_train::data::{Dataset, Targets};
use picomlp_train::{History, Pool, vote};

use crate::confusion::{classes, confusion};
use crate::curves::curves;
use crate::gallery::{MISTAKES, SAMPLES, STEP, mistakes, rotation, samples};
use crate::page::Part;
use crate::pca::{MOST_PIXELS, Pca};
use crate::residuals::residuals;
use crate::subject::Subject;
use crate::weights::{TILES, weights};

/// The names of the figures of [`parts`].
pub const FIGURES: [&str; 9] = [
    "curves",
    "residuals",
    "confusion",
    "classes",
    "mistakes",
    "weights",
    "samples",
    "rotation",
    "pca",
];

/// A part of a report: a name for files and links, a heading, and its content.
pub type Section = (&'static str, &'static str, Part);

/// What images are drawn of.
pub struct Show<'a> {
    /// The network.
    pub subject: Subject<'a>,
    /// What the network is measured on.
    pub measured: &'a Dataset,
    /// What samples and principal components are shown of.
    pub shown: &'a Dataset,
    /// Its training, if that is known.
    pub history: Option<&'a History>,
}

/// All parts that fit the data: a name for files and links, a heading, and what there is to see. Features are lines, and are not rotated.
///
/// # Errors
///
/// If the data does not fit the network.
pub fn parts(pool: &Pool, show: &Show<'_>) -> Result<Vec<Section>> {
    let Show { subject, measured, shown, history } = show;
    let mut parts = Vec::new();
    let mut add = |id, heading, part| parts.push((id, heading, part));
    if let Some(history) = history {
        add("curves", "Training", Part::Figure(curves(history)));
    }
    if matches!(measured.targets, Targets::Labels(_)) {
        let measures = subject.classifier().evaluate(pool, measured, &measured.all())?.classes();
        add("classes", "Precision and recall", Part::Figure(classes(subject, &measures)));
        return Ok(parts);
    }
    if measured.classes == 0 {
        add("residuals", "Residuals", Part::Figure(residuals(subject, measured)?));
        return Ok(parts);
    }
    let is_image = measured.rows > 1 && !measured.images().is_empty();
    let (predictions, answers) = vote::predict(&subject.classifier(), pool, measured)?;
    add("confusion", "Which classes are confused", Part::Figure(confusion(subject, &predictions)));
    add("classes", "Precision and recall", Part::Figure(classes(subject, &predictions.classes())));
    let gallery = mistakes(subject, &predictions, &answers, MISTAKES)?;
    add("mistakes", "Mistakes", Part::Figure(gallery));
    if !measured.images().is_empty() {
        add("weights", "Weights", Part::Figure(weights(subject, measured.shape(), TILES)?));
    }
    add("samples", "Samples", Part::Figure(samples(shown, SAMPLES)?));
    if is_image {
        add("rotation", "Rotation", Part::Figure(rotation(subject, measured, 0, STEP)?));
    }
    if shown.pixels() > MOST_PIXELS {
        let note = format!(
            "Principal components are left out: samples of {} values take too long, more than {MOST_PIXELS}.",
            shown.pixels()
        );
        add("pca", "Principal components", Part::Note(note));
    } else {
        let pca = Pca::new(pool, shown)?;
        add("pca", "Principal components", Part::Figure(pca.figure()));
        add("cloud", "Principal components, to be turned", Part::Cloud(Box::new(pca)));
    }
    Ok(parts)
}
