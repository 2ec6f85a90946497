//! The library's errors as Python's.

use std::io;

use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};

/// Returns the exception of an error: `OSError` (Python finds `FileNotFoundError` and its like by the number) where the system
/// refused something, else `ValueError`. The text is the library's.
pub(crate) fn exception(error: anyhow::Error) -> PyErr {
    let text = format!("{error:#}");
    match error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => match cause.raw_os_error() {
            Some(number) => PyOSError::new_err((number, text)),
            None => PyOSError::new_err(text),
        },
        None => PyValueError::new_err(text),
    }
}
