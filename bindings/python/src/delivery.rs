use std::borrow::Cow;

use hookproof::{Delivery as Core, Proof, Verifier};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{guarded, raised};

/// Proof that a request is authentic and fresh. Only a verifier makes one.
#[pyclass(frozen, module = "hookproof")]
pub(crate) struct Delivery {
    verifier: Verifier,
    proof: Proof<'static>,
    body: Py<PyBytes>,
}

/// A key, and an event of a batch: its id, its key, its JSON text.
type Key = [u8; 32];
type Item = (Option<String>, Option<Key>, String);

impl Delivery {
    pub(crate) fn new(verifier: Verifier, proof: Proof<'static>, body: Bound<'_, PyBytes>) -> Self {
        Self { verifier, proof, body: body.unbind() }
    }

    /// The core's own delivery, which borrows the body.
    pub(crate) fn core<'a>(&'a self, py: Python<'a>) -> Core<'a> {
        self.verifier.deliver(self.proof.clone(), self.body.as_bytes(py))
    }
}

#[pymethods]
impl Delivery {
    #[getter]
    fn provider(&self) -> &str {
        self.verifier.scheme().id()
    }

    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<Option<String>> {
        guarded(|| Ok(self.core(py).id().map(Cow::into_owned)))
    }

    #[getter]
    fn event_type(&self, py: Python<'_>) -> PyResult<Option<String>> {
        guarded(|| Ok(self.core(py).event_type().map(Cow::into_owned)))
    }

    #[getter]
    fn timestamp(&self) -> Option<i64> {
        self.proof.timestamp()
    }

    #[getter]
    fn secret_name(&self, py: Python<'_>) -> Option<String> {
        self.core(py).secret_name().map(str::to_owned)
    }

    #[getter]
    fn body(&self, py: Python<'_>) -> Py<PyBytes> {
        self.body.clone_ref(py)
    }

    #[getter]
    fn signed<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.core(py).signed().map(|signed| PyBytes::new(py, signed))
    }

    #[pyo3(signature = (scope = ""))]
    fn key(&self, py: Python<'_>, scope: &str) -> PyResult<Option<Key>> {
        guarded(|| Ok(self.core(py).key(scope).map(|key| key.0)))
    }

    #[pyo3(signature = (*, unsigned = false))]
    fn json<'py>(&self, py: Python<'py>, unsigned: bool) -> PyResult<Bound<'py, PyAny>> {
        let text = guarded(|| self.core(py).json_text(unsigned).map(str::to_owned).map_err(raised))?;
        in_python(py, "parsed", (text,))
    }

    #[pyo3(signature = (scope = ""))]
    fn items<'py>(&self, py: Python<'py>, scope: &str) -> PyResult<Bound<'py, PyAny>> {
        let items = guarded(|| self.core(py).items(scope).map_err(raised))?;
        let items: Vec<Item> =
            items.into_iter().map(|item| (item.id.clone(), item.key().map(|key| key.0), item.json)).collect();
        in_python(py, "items", (items,))
    }

    fn to_message<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_python(slf.py(), "message", (slf,))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "None".to_owned());
        let (id, event) = (shown(self.id(py)?), shown(self.event_type(py)?));
        Ok(format!("<Delivery {} id={id} event_type={event}>", self.provider()))
    }
}

/// What is made of Python's own objects is made in Python.
fn in_python<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    py.import("hookproof._delivery")?.call_method1(name, arguments)
}
