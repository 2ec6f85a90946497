//! Weights of classes in the loss.

use core::fmt;
use core::str::FromStr;

use anyhow::{Result, bail, ensure};
use picomlp::blob::TargetKind;

use crate::data::Dataset;
use crate::number::not_negative;

/// What the loss of a sample is multiplied by, by its class.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeight {
    /// Samples divided by classes and by samples of the class, so that all classes weigh the same; scikit-learn's `balanced`.
    Balanced,
    /// These weights, and 1 for other classes.
    Each(Vec<(String, f32)>),
}

impl ClassWeight {
    /// Returns the weight of each class, given the samples to train on.
    ///
    /// # Errors
    ///
    /// If the targets are no classes, or there is none of a name.
    pub(crate) fn of(&self, data: &Dataset, samples: &[u32]) -> Result<Vec<f32>> {
        ensure!(
            data.target_kind() == TargetKind::Classes,
            "--class-weight {self} is for classes, and the targets are labels or values"
        );
        let mut weights = vec![1.0; data.classes];
        match self {
            Self::Balanced => {
                let mut counts = vec![0usize; data.classes];
                samples.iter().for_each(|&sample| counts[data.label(sample as usize)] += 1);
                let present = counts.iter().filter(|count| **count > 0).count();
                for (weight, count) in
                    weights.iter_mut().zip(counts).filter(|(_, count)| *count > 0)
                {
                    *weight = (samples.len() as f64 / (present * count) as f64) as f32;
                }
            }
            Self::Each(given) => {
                for (name, weight) in given {
                    let class = (0..data.classes).find(|&class| data.class_name(class) == *name);
                    let Some(class) = class else {
                        let names: Vec<_> = (0..data.classes).map(|c| data.class_name(c)).collect();
                        bail!(
                            "--class-weight: no class is named `{name}`, expected one of {}",
                            names.join(", ")
                        );
                    };
                    weights[class] = *weight;
                }
            }
        }
        Ok(weights)
    }
}

impl FromStr for ClassWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let each = text.split(',').map(|word| {
            let pair = word.rsplit_once(['=', ':']).filter(|(name, _)| !name.trim().is_empty());
            let (name, weight) = pair.ok_or_else(|| {
                format!("'{word}': expected balanced, or CLASS=WEIGHT separated by commas")
            })?;
            let weight = not_negative(weight.trim()).map_err(|why| format!("'{word}': {why}"))?;
            Ok((name.trim().to_owned(), weight))
        });
        each.collect::<Result<_, _>>().map(Self::Each)
    }
}

impl fmt::Display for ClassWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Each(each) => {
                let words: Vec<_> = each.iter().map(|(name, w)| format!("{name}={w}")).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}
