//! The engine of the Python package `hookproof`: converts in, calls the core, converts out.

mod delivery;
mod environ;
mod explanation;
mod input;
mod receiver;
mod scheme;
mod store;
mod verifier;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hookproof::{Error, ErrorKind};
use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

pyo3::import_exception!(hookproof._errors, ConfigurationError);
pyo3::import_exception!(hookproof._errors, VerificationError);

/// The core's error as the exception that Python users know.
pub(crate) fn raised(error: Error) -> PyErr {
    Python::attach(|py| {
        let made = if error.kind().is_configuration() {
            ConfigurationError::type_object(py).call1((error.message(), error.code()))
        } else {
            said(py, error).and_then(|said| VerificationError::type_object(py).call1(said.bind(py)))
        };
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// What a refusal says, for the exception. Most kinds always say the same: that is made once, so that a refusal costs
/// hardly more than an acceptance.
fn said(py: Python<'_>, error: Error) -> PyResult<Py<PyTuple>> {
    static SAID: [PyOnceLock<(Error, Py<PyTuple>)>; ErrorKind::ALL.len()] = [const { PyOnceLock::new() }; _];

    let known = SAID.get(error.kind() as usize);
    if let Some((same, said)) = known.and_then(|known| known.get(py))
        && *same == error
    {
        return Ok(said.clone_ref(py));
    }
    let said = (error.message(), error.code(), error.status()).into_pyobject(py)?.unbind();
    if let Some(known) = known {
        known.get_or_init(py, || (error, said.clone_ref(py)));
    }
    Ok(said)
}

/// Runs what calls the core. PyO3 would turn a panic into an exception that `except Exception` does not catch.
pub(crate) fn guarded<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        let message = "a panic was caught, its message is on stderr: please report it";
        Err(raised(Error::new(ErrorKind::InternalError, message.to_owned())))
    })
}

/// The engine of the package; users import its classes from `hookproof`.
#[pymodule(name = "_engine", gil_used = false)]
mod engine {
    use super::{Bound, ErrorKind, PyModule, PyResult, guarded, pyfunction};
    use pyo3::exceptions::PyImportError;
    use pyo3::types::PyModuleMethods;
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[pymodule_export]
    use crate::{delivery::Delivery, explanation::Explanation, scheme::Scheme, scheme::sign, verifier::Verifier};
    #[pymodule_export]
    use crate::{environ::content_length, environ::read_announced};
    #[pymodule_export]
    use crate::{receiver::Kernel, receiver::Reception, receiver::refuse, store::MemoryStore};

    /// The interpreter that loaded the engine, known by its module `sys`; 0 before that.
    static LOADED_BY: AtomicUsize = AtomicUsize::new(0);

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // What is shared by all of a process, such as the exceptions that are raised, belongs to one interpreter: in
        // another one `except VerificationError` would not catch them.
        let interpreter = module.py().import("sys")?.as_ptr().addr();
        if LOADED_BY.compare_exchange(0, interpreter, SeqCst, SeqCst).is_err_and(|loaded_by| loaded_by != interpreter) {
            return Err(PyImportError::new_err(
                "another interpreter of this process has loaded hookproof: under mod_wsgi, set `WSGIApplicationGroup %{GLOBAL}`",
            ));
        }
        let errors = ErrorKind::ALL.iter().map(|kind| (kind.code(), (kind.status(), kind.is_configuration())));
        module.add("SCHEMES", hookproof::Scheme::names().collect::<Vec<_>>())?;
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("ERRORS", errors.collect::<HashMap<_, _>>())?;
        module.add("OPTIONS", hookproof::Options::NAMES)?;
        module.add("STORE_TEXTS", hookproof::store::sql::TEXTS.iter().copied().collect::<HashMap<_, _>>())
    }

    /// Panics inside the boundary, so that tests see what the boundary makes of it.
    #[pyfunction]
    fn panic() -> PyResult<()> {
        guarded(|| std::panic::resume_unwind(Box::new("asked for by a test")))
    }
}
