use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookproof::store::{ClaimAnswer, MemoryStore as Core, Token};
use hookproof::{Command, Error, ErrorKind, Event};
use pyo3::prelude::*;

use crate::{guarded, raised};

/// Claims in the memory of one process.
#[pyclass(frozen, module = "hookproof")]
pub(crate) struct MemoryStore {
    core: Core,
    #[pyo3(get)]
    scope: String,
    /// A clock that does not jump, from Unix time on, so that fences rise over a restart.
    started: (u128, Instant),
}

type Key = [u8; 32];

#[pymethods]
impl MemoryStore {
    #[new]
    #[pyo3(signature = (capacity = Core::DEFAULT_CAPACITY, *, scope = String::new()))]
    fn new(capacity: usize, scope: String) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { core: Core::new(capacity), scope, started: (unix, Instant::now()) }
    }

    /// It answers at once, so async frameworks may call it without a thread.
    #[classattr]
    fn blocking() -> bool {
        false
    }

    fn claim(&self, py: Python<'_>, key: Key, token: [u8; 16], body_hash: Key, lease_ms: u64) -> PyResult<Py<PyAny>> {
        let answer = guarded(|| Ok(self.core.claim(&key, &Token(token), &body_hash, lease_ms, self.now())))?;
        let answer = match answer.map_err(|full| raised(Error::new(ErrorKind::StoreUnavailable, full.to_string())))? {
            ClaimAnswer::Claimed { fence } => ("claimed", fence).into_pyobject(py),
            ClaimAnswer::InFlight { remaining_ms } => ("in_flight", remaining_ms).into_pyobject(py),
            ClaimAnswer::Done { body_hash } => ("done", body_hash).into_pyobject(py),
            _ => ("unknown", 0).into_pyobject(py),
        };
        Ok(answer?.into_any().unbind())
    }

    fn remember_at_least(&self, minimum_ms: u64) {
        self.core.remember_at_least(minimum_ms);
    }

    fn complete(&self, key: Key, token: [u8; 16], retention_ms: u64) -> bool {
        self.core.complete(&key, &Token(token), retention_ms, self.now())
    }

    fn release(&self, key: Key, token: [u8; 16]) -> bool {
        self.core.release(&key, &Token(token))
    }

    fn extend(&self, key: Key, token: [u8; 16], lease_ms: u64) -> bool {
        self.core.extend(&key, &Token(token), lease_ms, self.now())
    }

    fn forget(&self, key: Key) -> bool {
        self.core.forget(&key, self.now())
    }
}

impl MemoryStore {
    pub(crate) fn carry_out(&self, command: &Command) -> Option<Event> {
        self.core.carry_out(command, self.now())
    }

    /// What the user should be told now; each thing once.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.core.warning(std::process::id())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.0.saturating_add(self.started.1.elapsed().as_millis())).unwrap_or(u64::MAX)
    }
}
