//! What a WSGI environ says of the body, and the body itself: read once for every request.

use hookproof::{Error, ErrorKind};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::raised;

/// The announced length of the body; `None` where it comes in chunks or is not announced.
#[pyfunction]
pub(crate) fn content_length(environ: &Bound<'_, PyDict>) -> PyResult<Option<u64>> {
    let py = environ.py();
    if let Some(coding) = environ.get_item(intern!(py, "HTTP_TRANSFER_ENCODING"))?
        && coding.is_truthy()?
    {
        return Ok(None);
    }
    let Some(length) = environ.get_item(intern!(py, "CONTENT_LENGTH"))? else { return Ok(None) };
    let length = length.str()?;
    // Rust takes a sign, which HTTP does not.
    let digits = length.to_str().ok().filter(|text| text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(digits.and_then(|digits| digits.parse().ok()))
}

/// The body where its length is announced; `None` where it is not. `culprit` is what else could have read it.
///
/// Raises `VerificationError` if it is over the limit, or not there any more.
#[pyfunction]
pub(crate) fn read_announced<'py>(
    environ: &Bound<'py, PyDict>,
    limit: u64,
    culprit: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = environ.py();
    let Some(announced) = content_length(environ)? else { return Ok(None) };
    if announced > limit {
        return Err(PyErr::from_value(py.import("hookproof._input")?.call_method1("too_large", (limit,))?));
    }
    let Some(stream) = environ.get_item(intern!(py, "wsgi.input"))? else {
        return Err(raised(Error::new(ErrorKind::BodyNotRaw, "the environ is without `wsgi.input`".to_owned())));
    };
    let body = stream.call_method1(intern!(py, "read"), (announced,))?;
    if body.len()? as u64 == announced {
        return Ok(Some(body));
    }
    py.import("hookproof._environ")?.call_method1("rest", (stream, body, announced, culprit)).map(Some)
}
