//! NumPy's arrays as the library's data, without a copy.

use core::slice;
use std::borrow::Cow;

use anyhow::{Result, ensure};
use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use picomlp_train::Shape;
use picomlp_train::data::{Dataset, Feature, Target, Targets, Values};
use pyo3::{FromPyObject, PyResult};

/// Samples: pixels or features, `[len][inputs]`, C-contiguous.
#[derive(FromPyObject)]
pub(crate) enum Inputs<'py> {
    Bytes(PyReadonlyArray2<'py, u8>),
    Floats(PyReadonlyArray2<'py, f32>),
}

/// Classes, or values `[len][targets]`.
#[derive(FromPyObject)]
pub(crate) enum Answers<'py> {
    Classes(PyReadonlyArray1<'py, u16>),
    Values(PyReadonlyArray2<'py, f32>),
}

/// Names that a data set or a model has.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Names {
    /// Of the classes, or of the values to predict.
    outputs: Vec<String>,
    /// Of the features; none for pixels.
    features: Vec<String>,
    /// Rows and columns of an image.
    shape: Option<(usize, usize)>,
    /// For an autoencoder, which samples are anomalies; of other data, none.
    anomalous: Vec<bool>,
}

impl Inputs<'_> {
    /// Number of values of a sample.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Bytes(array) => array.shape()[1],
            Self::Floats(array) => array.shape()[1],
        }
    }

    /// Returns samples without answers, which must be dropped before `self` is.
    pub(crate) fn unlabeled(&self) -> PyResult<Dataset> {
        Ok(Dataset { inputs: self.values()?, rows: 1, cols: self.width(), ..Dataset::default() })
    }

    /// Returns the values, which must be dropped before `self` is.
    pub(crate) fn values(&self) -> PyResult<Values> {
        Ok(match self {
            Self::Bytes(array) => Values::Bytes(lent(array)?),
            Self::Floats(array) => Values::Floats(lent(array)?),
        })
    }
}

#[expect(unsafe_code, reason = "a data set has no lifetime of its own")]
fn lent<T: Element + Clone>(array: &PyReadonlyArray2<'_, T>) -> PyResult<Cow<'static, [T]>> {
    let values = array.as_slice()?;
    // SAFETY: the callers keep the array, which keeps its memory, until the data set is dropped; it leaves no call.
    Ok(Cow::Borrowed(unsafe { slice::from_raw_parts(values.as_ptr(), values.len()) }))
}

/// Returns the targets of samples; without answers, the features themselves.
pub(crate) fn targets(answers: Option<&Answers<'_>>) -> PyResult<Option<Targets>> {
    Ok(match answers {
        None => None,
        Some(Answers::Classes(labels)) => Some(Targets::Classes(labels.as_slice()?.to_vec())),
        Some(Answers::Values(values)) => Some(Targets::Values(values.as_slice()?.to_vec())),
    })
}

/// Makes a data set; one without targets is an autoencoder's.
pub(crate) fn dataset(
    inputs: Values,
    width: usize,
    targets: Option<Targets>,
    names: Names,
) -> Result<Dataset> {
    let Names { outputs, features, shape, anomalous } = names;
    let square = Shape::square(width).unwrap_or(Shape { rows: 1, cols: width });
    let shape = shape.map_or(square, |(rows, cols)| Shape { rows, cols });
    ensure!(
        shape.pixels() == width,
        "image_shape {shape} holds {} values, but the samples have {width}",
        shape.pixels()
    );
    let is_autoencoder = targets.is_none();
    let targets = targets.unwrap_or_else(|| match &inputs {
        Values::Floats(values) => Targets::Values(values.to_vec()),
        Values::Bytes(values) => Targets::Values(values.iter().copied().map(f32::from).collect()),
    });
    let mut data = Dataset::from_arrays(inputs, shape, targets)?;
    data.anomalous = anomalous;
    if !features.is_empty() {
        let feature = |name| Feature { name, unit: String::new() };
        data.features = features.into_iter().map(feature).collect();
    }
    match data.targets {
        Targets::Classes(_) => {
            let (count, samples) = (outputs.len(), data.len());
            ensure!(
                count > 1,
                "the {samples} samples are of {count} class, expected at least two classes"
            );
            data.classes = outputs.len();
            if !outputs.iter().enumerate().all(|(class, name)| *name == class.to_string()) {
                data.class_names = outputs;
            }
        }
        Targets::Values(_) if is_autoencoder => {
            data.schema.target = Target::Inputs;
            data.target_names = data.features.iter().map(|feature| feature.name.clone()).collect();
        }
        Targets::Values(_) | Targets::Labels(_) => data.target_names = outputs,
    }
    Ok(data)
}
