//! The native half of the Python package `picomlp`: arrays in, arrays out. What Python's users expect of an estimator is in
//! `python/picomlp`.

mod arrays;
mod error;
mod model;
mod settings;
mod train;

/// The functions that `picomlp` is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::model::{Model, import_model};
    #[pymodule_export]
    use super::settings::defaults;
    #[pymodule_export]
    use super::train::{Online, train};
}
