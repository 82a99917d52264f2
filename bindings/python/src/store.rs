use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookproof::ErrorKind;
use hookproof::store::{ClaimAnswer, MemoryStore as Core, Token};
use pyo3::prelude::*;

use crate::{error, guarded};

/// The store of one process.
#[pyclass(frozen, module = "hookproof")]
pub(crate) struct MemoryStore {
    core: Core,
    #[pyo3(get)]
    scope: String,
    /// A clock that does not jump, from Unix time on, so that fences rise over a restart.
    started: (u64, Instant),
}

impl MemoryStore {
    fn now(&self) -> u64 {
        self.started.0.saturating_add(u64::try_from(self.started.1.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

#[pymethods]
impl MemoryStore {
    #[new]
    #[pyo3(signature = (capacity = Core::DEFAULT_CAPACITY, *, scope = String::new()))]
    fn new(capacity: usize, scope: String) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { core: Core::new(capacity), scope, started: (u64::try_from(unix).unwrap_or_default(), Instant::now()) }
    }

    /// It answers at once, so async frameworks may call it without a thread.
    #[classattr]
    fn blocking() -> bool {
        false
    }

    fn claim<'py>(
        &self,
        py: Python<'py>,
        key: [u8; 32],
        token: [u8; 16],
        body_hash: [u8; 32],
        lease_ms: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| match self.core.claim(&key, &Token(token), &body_hash, lease_ms, self.now()) {
            Ok(ClaimAnswer::Claimed { fence }) => Ok(("claimed", fence).into_pyobject(py)?.into_any()),
            Ok(ClaimAnswer::Done { body_hash }) => Ok(("done", body_hash).into_pyobject(py)?.into_any()),
            Ok(ClaimAnswer::InFlight { remaining_ms }) => Ok(("in_flight", remaining_ms).into_pyobject(py)?.into_any()),
            Ok(_) => Err(error(ErrorKind::InternalError, "the memory store answered an unknown word".to_owned())),
            Err(full) => Err(error(ErrorKind::StoreUnavailable, full.to_string())),
        })
    }

    fn complete(&self, key: [u8; 32], token: [u8; 16], retention_ms: u64) -> bool {
        self.core.complete(&key, &Token(token), retention_ms, self.now())
    }

    fn release(&self, key: [u8; 32], token: [u8; 16]) -> bool {
        self.core.release(&key, &Token(token))
    }

    fn extend(&self, key: [u8; 32], token: [u8; 16], lease_ms: u64) -> bool {
        self.core.extend(&key, &Token(token), lease_ms, self.now())
    }

    fn forget(&self, key: [u8; 32]) -> bool {
        self.core.forget(&key, self.now())
    }

    /// How many completed keys had to leave before their retention ended, because the store was full.
    #[getter]
    fn evictions(&self) -> u64 {
        self.core.evictions()
    }
}
