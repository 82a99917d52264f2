use hookproof::Delivery as Core;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::verifier::{Head, Verifier};
use crate::{guarded, raised};

/// Proof that a request is authentic and fresh. Only a verifier makes one.
///
/// It keeps what was judged, as Python has it, and reads it again when it is asked: most handlers ask for little of it.
#[pyclass(frozen, module = "hookproof")]
pub(crate) struct Delivery {
    pub(crate) verifier: Py<Verifier>,
    pub(crate) head: Head,
    /// Which secret matched, in the order given.
    pub(crate) secret: usize,
    #[pyo3(get)]
    pub(crate) timestamp: Option<i64>,
    #[pyo3(get)]
    pub(crate) body: Py<PyBytes>,
}

impl Delivery {
    /// The core's own delivery, which borrows all of it.
    pub(crate) fn core<'a>(&'a self, py: Python<'a>) -> PyResult<Core<'a>> {
        let (verifier, body) = (&self.verifier.get().core, self.body.as_bytes(py));
        let proof = verifier.recall(&self.head.with(body), self.secret, self.timestamp).map_err(raised)?;
        Ok(verifier.deliver(proof, body))
    }
}

#[pymethods]
impl Delivery {
    #[getter]
    fn provider(&self) -> &str {
        self.verifier.get().core.scheme().id()
    }

    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<Option<String>> {
        guarded(|| Ok(self.core(py)?.id().map(|id| id.into_owned())))
    }

    #[getter]
    fn event_type(&self, py: Python<'_>) -> PyResult<Option<String>> {
        guarded(|| Ok(self.core(py)?.event_type().map(|name| name.into_owned())))
    }

    #[getter]
    fn secret_name(&self, py: Python<'_>) -> PyResult<Option<String>> {
        guarded(|| Ok(self.core(py)?.secret_name().map(str::to_owned)))
    }

    #[getter]
    fn signed(&self, py: Python<'_>) -> PyResult<Option<Vec<u8>>> {
        guarded(|| Ok(self.core(py)?.signed().map(<[u8]>::to_vec)))
    }

    #[pyo3(signature = (scope = ""))]
    fn key(&self, py: Python<'_>, scope: &str) -> PyResult<Option<[u8; 32]>> {
        guarded(|| Ok(self.core(py)?.key(scope).map(|key| key.0)))
    }

    #[pyo3(signature = (*, unsigned = false))]
    fn json<'py>(&self, py: Python<'py>, unsigned: bool) -> PyResult<Bound<'py, PyAny>> {
        let text = guarded(|| self.core(py)?.json_text(unsigned).map(str::to_owned).map_err(raised))?;
        in_python(py, "parsed", (text,))
    }

    #[pyo3(signature = (scope = ""))]
    fn items<'py>(&self, py: Python<'py>, scope: &str) -> PyResult<Bound<'py, PyAny>> {
        let items = guarded(|| self.core(py)?.items(scope).map_err(raised))?;
        let parts = items.into_iter().map(|item| (item.key().map(|key| key.0), item.id, item.json));
        in_python(py, "items", (parts.collect::<Vec<_>>(),))
    }

    fn to_message<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf.py(), "message", (slf,))
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf.py(), "shown", (slf,))
    }
}

/// What is made of Python's own objects is made in Python.
fn in_python<'py>(py: Python<'py>, name: &str, given: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    py.import("hookproof._delivery")?.call_method1(name, given)
}
