use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookproof::store::Token;
use hookproof::{
    Answer, Claiming, Command, Error, ErrorKind, Event, Outcome, OutcomeKind, Proof, Receiver,
    Reception as CoreReception,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};

use crate::delivery::Delivery;
use crate::input::{self, Object};
use crate::store::MemoryStore;
use crate::verifier::Verifier;
use crate::{guarded, raised};

/// The core's receiving kernel around a verifier.
#[pyclass(frozen)]
pub(crate) struct Kernel {
    core: Receiver,
    verifier: Py<Verifier>,
    scope: String,
    /// A store that answers at once, so that its steps need no host.
    memory: Option<Py<MemoryStore>>,
    /// Whether other processes know the store's claims, too.
    shares: bool,
    started: Instant,
    #[pyo3(get)]
    warnings: Vec<String>,
    /// How long a bounded store must keep a completed key at least, in seconds.
    #[pyo3(get)]
    least_retention: u64,
    /// The most bytes that a body may have.
    #[pyo3(get)]
    max_body: usize,
}

/// A request as adapters hand it over: what reads its body, headers, method, what puts its address together, and itself.
type Incoming<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The next token of a claim in memory.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[pymethods]
impl Kernel {
    #[new]
    fn new(verifier: &Bound<'_, Verifier>, store: Option<Object>, scope: String) -> PyResult<Self> {
        let core = guarded(|| Receiver::new(verifier.get().core.clone(), store.is_some()).map_err(raised))?;
        let memory = store.and_then(|store| store.cast::<MemoryStore>().ok()).map(|store| store.clone().unbind());
        Ok(Self {
            verifier: verifier.clone().unbind(),
            scope,
            shares: store.is_some() && memory.is_none(),
            memory,
            started: Instant::now(),
            warnings: core.warnings().to_vec(),
            least_retention: core.least_retention(),
            max_body: core.verifier().max_body(),
            core,
        })
    }

    /// Judges a request, and is at the first thing to do with it.
    fn begin(&self, body: Object, incoming: Incoming, clock: Object, tenant: &str) -> PyResult<Reception> {
        let (_, headers, method, url, request) = incoming;
        let (py, verifier) = (body.py(), self.verifier.bind(body.py()));
        guarded(|| {
            let url = if self.core.verifier().reads_url() { url.call1((request,))? } else { py.None().into_bound(py) };
            let head = verifier.get().head(&headers, Some(&method), (!url.is_none()).then_some(&url))?;
            let (body, now) = (input::body(body)?, clock.call0()?.extract::<f64>()? as i64);
            match self.core.verifier().handshake(&head.with(body.as_bytes()), now) {
                Ok(None) => {}
                Ok(Some(reply)) => return Ok(Reception::over(self.core.shake(reply))),
                Err(error) => return Ok(Reception::over(self.core.refuse(&error))),
            }
            // Scopes are printable: no scope ends like another one and its tenant.
            let tenants = (!tenant.is_empty()).then(|| format!("{}\n{tenant}", self.scope));
            let (scope, token) = (tenants.as_deref().unwrap_or(&self.scope), self.token(py)?);
            let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let begin = |proof: Proof<'_>, body: &[u8]| {
                self.core.begin_unread(&self.core.verifier().deliver(proof, body), scope, token, now_ms)
            };
            let (delivery, (core, mut command)) = match Verifier::judge(verifier, head, body, now, begin) {
                Ok(judged) => judged,
                Err(error) => return Ok(Reception::over(self.core.refuse(&error))),
            };
            let memory = self.memory.as_ref().map(|store| store.clone_ref(py));
            let claim = match &mut command {
                Command::Claim(claim) => {
                    if memory.is_some() {
                        // It dies with the process of its handler: it lasts as long as a handler may, and nobody renews it.
                        let longest = self.core.verifier().options().max_handler_ms;
                        claim.lease_ms = claim.lease_ms.saturating_add(longest);
                    }
                    Some(*claim)
                }
                _ => None,
            };
            let reception = Reception {
                delivery: Some(delivery?.unbind()),
                claim,
                memory,
                progress: Mutex::new(Progress { core: Some(core), command }),
            };
            reception.carry_out(&mut reception.progress());
            if let Some(warning) = reception.memory.as_ref().and_then(|store| store.get().warning()) {
                py.import("hookproof._outcome")?.call_method1("warn", (verifier.get().core.scheme().id(), warning))?;
            }
            Ok(reception)
        })
    }
}

impl Kernel {
    /// What makes a claim one's own. A store in memory tells only this process's claims apart: there a number does, and
    /// costs no system call.
    fn token(&self, py: Python<'_>) -> PyResult<Token> {
        if self.shares {
            static URANDOM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            return Ok(Token(URANDOM.import(py, "os", "urandom")?.call1((16,))?.extract()?));
        }
        Ok(Token(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()))
    }
}

/// The reception of a request that is refused without judging it: its body is gone, or there is no secret for it.
#[pyfunction]
pub(crate) fn refuse(scheme: &str, code: &str, message: String) -> Reception {
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::InternalError);
    Reception::over(Answer::refusal(scheme, &Error::new(kind, message)))
}

/// A request on its way through a receiver. What it is asked for, it makes: of most requests hardly anything.
#[pyclass(frozen)]
pub(crate) struct Reception {
    #[pyo3(get)]
    delivery: Option<Py<Delivery>>,
    /// `None`: there is nothing to claim, or no store.
    claim: Option<Claiming>,
    memory: Option<Py<MemoryStore>>,
    /// A claim may be extended from another thread.
    progress: Mutex<Progress>,
}

type Answered = (u16, Vec<(String, String)>, String);
type Verdict = (&'static str, u16, String, Option<&'static str>, Option<String>);
type Facts = (Verdict, Option<String>, Option<String>, Option<String>, Option<String>, u64);

struct Progress {
    /// `None`: there was nothing to receive.
    core: Option<CoreReception>,
    command: Command,
}

impl Progress {
    /// What the host does next, in one word.
    fn word<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        match self.command {
            Command::Claim(_) => intern!(py, "claim"),
            Command::Run { .. } => intern!(py, "run"),
            Command::Complete { .. } => intern!(py, "complete"),
            Command::Release(_) => intern!(py, "release"),
            _ => intern!(py, "answer"),
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        match (&self.command, &self.core) {
            (Command::Answer(answer), _) => Some(&answer.outcome),
            (_, core) => core.as_ref().map(CoreReception::outcome),
        }
    }
}

#[pymethods]
impl Reception {
    /// What to do next, in one word: a step of the store, `run` the handler, or `answer`.
    #[getter]
    fn word<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.progress().word(py).clone()
    }

    /// Takes what came of it, in one word and a value, and says what is next.
    #[pyo3(signature = (word, value = None))]
    fn step<'py>(&self, py: Python<'py>, word: &str, value: Option<Object<'_, 'py>>) -> PyResult<Bound<'py, PyString>> {
        let number = value.and_then(|value| value.extract().ok());
        let body_hash = value.filter(|_| number.is_none()).and_then(|value| value.extract().ok());
        let wrong = || raised(Error::new(ErrorKind::StoreUnavailable, format!("`{word}` came with a wrong value")));
        let event = Event::named(word, number, body_hash).ok_or_else(wrong)?;
        guarded(|| {
            let mut progress = self.progress();
            if let Some(core) = &mut progress.core {
                progress.command = core.step(event);
            }
            self.carry_out(&mut progress);
            Ok(progress.word(py).clone())
        })
    }

    /// The arguments of a step of the store.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        // Nothing of Python's is made under the lock: that may hand the interpreter to a thread that waits for it.
        let command = self.progress().command.clone();
        match command {
            Command::Claim(it) => (it.key, it.token.0, it.body_hash, it.lease_ms).into_pyobject(py),
            Command::Complete { claim: it, .. } => (it.key, it.token.0, it.retention_ms).into_pyobject(py),
            Command::Release(it) => (it.key, it.token.0).into_pyobject(py),
            _ => Ok(PyTuple::empty(py)),
        }
    }

    /// What to wait before a step of the store, in seconds.
    #[getter]
    fn pause(&self) -> f64 {
        match self.progress().command {
            Command::Complete { delay_ms, .. } => seconds(delay_ms),
            _ => 0.0,
        }
    }

    /// Whether the handler runs under a claim.
    #[getter]
    fn claimed(&self) -> bool {
        self.claim.is_some()
    }

    /// How often the claim is to be extended while the handler runs, and for how long, in seconds; `None`: never.
    #[getter]
    fn renewal(&self) -> Option<(f64, f64)> {
        match self.progress().command {
            Command::Run { claim: Some(_), renew_every_ms, renew_for_ms, .. } if self.memory.is_none() => {
                Some((seconds(renew_every_ms), seconds(renew_for_ms)))
            }
            _ => None,
        }
    }

    /// What extends the claim in the store.
    #[getter]
    fn extending(&self) -> Option<([u8; 32], [u8; 16], u64)> {
        self.claim.map(|it| (it.key, it.token.0, it.lease_ms))
    }

    /// What completes the claim in the user's own transaction.
    #[getter]
    fn completing(&self) -> Option<([u8; 32], [u8; 16], u64)> {
        self.claim.map(|it| (it.key, it.token.0, it.retention_ms))
    }

    /// Status, headers and body of what is answered; `None`: the handler's own answer goes out as it is.
    #[getter]
    fn answer(&self) -> Option<Answered> {
        match &self.progress().command {
            Command::Answer(Answer { status: Some(status), headers, body, .. }) => {
                Some((*status, headers.clone(), body.clone()))
            }
            _ => None,
        }
    }

    /// The claim's fence; 0 without a claim.
    #[getter]
    fn fence(&self) -> u64 {
        self.progress().outcome().map_or(0, |outcome| outcome.fence)
    }

    /// How loud the log hears of it, in Python's numbers.
    #[getter]
    fn level(&self) -> u8 {
        const INFO: u8 = 20;
        const WARNING: u8 = 30;
        const ERROR: u8 = 40;
        match self.progress().outcome().map(|outcome| (outcome.kind, outcome.status)) {
            // A mistake of the application, or a store that is down: not somebody at the door.
            Some((OutcomeKind::Refused, 500..)) => ERROR,
            Some((OutcomeKind::Refused | OutcomeKind::LostLease, _)) => WARNING,
            Some((OutcomeKind::Failed | OutcomeKind::CompleteFailed, _)) => ERROR,
            _ => INFO,
        }
    }

    /// What became of it, in one word.
    #[getter]
    fn kind(&self) -> Option<&'static str> {
        self.progress().outcome().map(|outcome| outcome.kind.as_str())
    }

    /// Why it was refused, if it was.
    #[getter]
    fn code(&self) -> Option<&'static str> {
        self.progress().outcome().and_then(|outcome| outcome.code)
    }

    /// All of what became of it: kind, status, scheme, code and message; id, event type, prefix of the key, name of the
    /// secret, fence.
    fn facts(&self, py: Python<'_>) -> PyResult<Option<Facts>> {
        guarded(|| {
            let Some(mut outcome) = self.progress().outcome().cloned() else { return Ok(None) };
            if let Some(delivery) = &self.delivery {
                outcome.name(&delivery.get().core(py)?);
            }
            let Outcome { kind, status, scheme, code, message, id, event_type, .. } = outcome;
            let verdict = (kind.as_str(), status, scheme, code, message);
            Ok(Some((verdict, id, event_type, outcome.key_prefix, outcome.secret_name, outcome.fence)))
        })
    }
}

impl Reception {
    /// One that is over before it began.
    fn over(answer: Answer) -> Self {
        let progress = Progress { core: None, command: Command::Answer(answer) };
        Self { delivery: None, claim: None, memory: None, progress: Mutex::new(progress) }
    }

    /// Takes the steps of a store in memory, which the host need not hear of.
    fn carry_out(&self, progress: &mut Progress) {
        let (Some(store), Some(core)) = (&self.memory, &mut progress.core) else { return };
        while let Some(event) = store.get().carry_out(&progress.command) {
            progress.command = core.step(event);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}
