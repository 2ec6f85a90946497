//! A model file in memory, and what can be done with it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods};
use picomlp::Layer;
use picomlp::blob::TargetKind;
use picomlp::fingerprint::fingerprint;
use picomlp_train::data::{Dataset, Inputs as Range};
use picomlp_train::interchange::{Format, Options, export, import, read_bytes};
use picomlp_train::output::write_file;
use picomlp_train::quantize::{Ranges, quantize};
use picomlp_train::{ModelFile, ModelForm, ModelInput, Named, Pool, Shape};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{Answers, Inputs, Names, dataset, targets};
use crate::error::exception;

/// Samples that are worth a thread.
const PER_THREAD: usize = 256;

/// Path and content of each file, and what the format does not hold.
type Exported = (Vec<(PathBuf, Vec<u8>)>, Vec<String>);

/// A model file.
#[pyclass(frozen, module = "picomlp._native")]
pub(crate) struct Model {
    file: ModelFile,
    /// Whether the int8 parameters are used.
    int8: bool,
}

impl Model {
    /// Checks the file. A model that has an int8 form alone is run in it.
    pub(crate) fn new(file: ModelFile, int8: bool) -> Result<Self> {
        let blob = file.blob()?;
        let int8 = int8 || blob.params().is_err() && blob.int8_params().is_ok();
        drop(file.form(int8)?);
        Ok(Self { file, int8 })
    }

    fn pool(samples: usize) -> Result<Pool> {
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        Pool::new(Some((samples / PER_THREAD).clamp(1, most)))
    }
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (data, int8 = false))]
    fn from_bytes(data: &[u8], int8: bool) -> PyResult<Self> {
        let file = ModelFile::from_bytes(Path::new("the model"), data);
        file.and_then(|file| Self::new(file, int8)).map_err(exception)
    }

    #[staticmethod]
    fn read(path: PathBuf, int8: bool) -> PyResult<Self> {
        ModelFile::read(&path).and_then(|file| Self::new(file, int8)).map_err(exception)
    }

    /// What pickle calls the constructor with.
    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, bool) {
        (PyBytes::new(py, self.file.bytes()), self.int8)
    }

    /// Describes the model: a dictionary.
    fn describe<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let about = PyDict::new(py);
        let fill = || -> Result<()> {
            let blob = self.file.blob()?;
            let form = self.file.form(self.int8)?;
            let net = match &form {
                ModelForm::F32(model) => model.net(),
                ModelForm::Int8(model, _) => model.net(),
            };
            let input = ModelInput::new(&self.file, &blob, net);
            let kind = match blob.targets() {
                Some(TargetKind::Values) => "values",
                Some(TargetKind::Inputs) => "inputs",
                _ => "classes",
            };
            let names: Vec<&str> = blob.class_names().collect();
            let features: Vec<&str> = blob.features().map(|feature| feature.name).collect();
            let map = blob.input_map();
            about.set_item("kind", kind)?;
            about.set_item("int8", self.int8)?;
            about.set_item("inputs", net.inputs())?;
            about.set_item("outputs", net.outputs())?;
            about.set_item("names", names)?;
            about.set_item("features", features)?;
            about.set_item("pixels", !input.reads_features())?;
            about.set_item("map", (map.scale, map.shift))?;
            about.set_item("bytes", self.file.bytes().len())?;
            let params = blob.params().ok().map(|params| format!("{:016x}", fingerprint(params)));
            about.set_item("fingerprint", params)?;
            Ok(())
        };
        fill().map_err(exception)?;
        Ok(about)
    }

    /// Runs the network: `logits`, `probabilities`, or an autoencoder's `scores`.
    fn run<'py>(
        &self,
        py: Python<'py>,
        x: Inputs<'py>,
        what: &str,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let data = x.unlabeled()?;
        let run = || -> Result<(usize, Vec<f32>)> {
            let form = self.file.form(self.int8)?;
            let (classifier, samples) = (form.classifier(), data.len());
            let pool = Self::pool(samples)?;
            let outputs = match what {
                "logits" => classifier.outputs(&pool, &data)?,
                "probabilities" => classifier.predict(&pool, &data)?.probabilities,
                "scores" => classifier.scores(&data.inputs)?,
                _ => bail!("unknown kind of outputs '{what}'"),
            };
            Ok((samples, outputs))
        };
        let (samples, outputs) = py.detach(run).map_err(exception)?;
        let columns = outputs.len() / samples.max(1);
        outputs.into_pyarray(py).reshape([samples, columns])
    }

    /// Measures the model on samples with answers: a dictionary.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        x: Inputs<'py>,
        y: Option<Answers<'py>>,
        names: Names,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (inputs, width, targets) = (x.values()?, x.width(), targets(y.as_ref())?);
        let run = || {
            let data = dataset(inputs, width, targets, names)?;
            let form = self.file.form(self.int8)?;
            form.classifier().evaluate(&Self::pool(data.len())?, &data, &data.all())
        };
        let found = py.detach(run).map_err(exception)?;
        let measures = PyDict::new(py);
        measures.set_item("samples", found.samples)?;
        measures.set_item("loss", found.loss)?;
        if let Some(values) = found.regression {
            measures.set_item("r2", values.r2)?;
            measures.set_item("mae", values.mae)?;
            measures.set_item("rmse", values.rmse)?;
        } else {
            measures.set_item("accuracy", found.accuracy())?;
            measures.set_item("balanced_accuracy", found.balanced_accuracy())?;
            measures.set_item("macro_f1", found.macro_f1())?;
            measures.set_item("confusion", PyArray2::from_vec2(py, &found.confusion)?)?;
        }
        if let Some(auc) = found.auc {
            measures.set_item("auc", auc)?;
        }
        Ok(measures)
    }

    /// Makes the int8 form, calibrated on `x`.
    fn quantize(&self, py: Python<'_>, x: Inputs<'_>, keep_f32: bool) -> PyResult<Self> {
        let data: Dataset = x.unlabeled()?;
        let run = || {
            let model = self.file.model()?;
            let pool = Self::pool(data.len())?;
            let ranges = Ranges::calibrate(&pool, &model, &data, &data.all())?;
            Self::new(quantize(&model, &ranges, keep_f32, self.file.path())?, true)
        };
        py.detach(run).map_err(exception)
    }

    /// Writes the model file.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        write_file(&path, self.file.bytes()).map_err(exception)
    }

    /// Returns the model in another tool's format.
    fn export(&self, path: PathBuf, format: Option<&str>) -> PyResult<Exported> {
        let run = || {
            let format = match format {
                Some(name) => Format::from_name(name).map_err(anyhow::Error::msg)?,
                None => Format::of(&path)?,
            };
            let exported = export(&self.file, format, self.int8 && format == Format::Onnx, &path)?;
            Ok((exported.files, exported.notes))
        };
        run().map_err(exception)
    }
}

/// Makes a model of another tool's file, or of its bytes, and returns it with what the user should know. `kind` says what its
/// outputs are where the file does not, `names` what they are called.
#[pyfunction]
pub(crate) fn import_model(
    file: Source,
    format: Option<&str>,
    kind: &str,
    names: Vec<String>,
    shape: Option<(usize, usize)>,
    inputs: Option<&str>,
) -> PyResult<(Model, Vec<String>)> {
    let run = || -> Result<(Model, Vec<String>)> {
        let format = format.map(Format::from_name).transpose().map_err(anyhow::Error::msg)?;
        let options = Options {
            format,
            inputs: inputs.map(Range::from_name).transpose().map_err(anyhow::Error::msg)?,
            assumed: Some(Range::Raw),
            image_shape: shape.map(|(rows, cols)| Shape { rows, cols }),
            ..Options::default()
        };
        let mut imported = match &file {
            Source::Bytes(bytes) => read_bytes(format.unwrap_or_default(), bytes, None, &options)?,
            Source::Path(path) => import(path, &options)?,
        };
        if kind == "values" && imported.targets.is_none() {
            imported.targets = Some(TargetKind::Values);
            let outputs = 1..=imported.net.outputs();
            imported.class_names = outputs.map(|output| output.to_string()).collect();
        }
        if !names.is_empty() {
            imported.class_names = names;
        }
        let file = ModelFile::from_bytes(Path::new("the model"), &imported.to_bytes()?)?;
        Ok((Model::new(file, false)?, imported.notes))
    };
    run().map_err(exception)
}

/// Where a model of another tool is.
#[derive(FromPyObject)]
pub(crate) enum Source {
    Bytes(Vec<u8>),
    Path(PathBuf),
}
